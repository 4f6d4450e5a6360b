import type { Component } from "svelte";

/** The pages, each in its own folder and loaded when it is opened. A page that is not here is not in the menu. */
const found = import.meta.glob<{ default: Component }>("../routes/*/Page.svelte");

const loaders = new Map(Object.entries(found).map(([path, load]) => [path.split("/").at(-2) ?? "", load]));

/** A page of the menu, and what one must be allowed to do to need it. */
export interface MenuEntry {
  page: string;
  permission: string;
}

const menu: MenuEntry[] = [
  { page: "queue", permission: "cases:read" },
  { page: "case", permission: "cases:read" },
  { page: "explain", permission: "" },
  { page: "map", permission: "positions:read" },
  { page: "orders", permission: "orders:read" },
  { page: "sealing", permission: "cases:read" },
  { page: "devices", permission: "devices:read" },
  { page: "month", permission: "reports:read" },
  { page: "accounts", permission: "" },
];

export const menuFor = (may: (permission: string) => boolean): MenuEntry[] =>
  menu.filter((entry) => loaders.has(entry.page) && (!entry.permission || may(entry.permission)));

/** Pages that open without a log-in. */
export const isOpenToAll = (page: string): boolean => page === "setup";

export const hasPage = (page: string): boolean => loaders.has(page);

export const loadPage = (page: string): Promise<Component> | null => {
  const load = loaders.get(page);
  return load ? load().then((module) => module.default) : null;
};
