import type { Component } from "svelte";
import { HOME } from "./route";

/** The pages, each in its own folder and loaded when it is opened. A page that is not here is not in the menu. */
const found = import.meta.glob<{ default: Component }>("../routes/*/Page.svelte");

const loaders = new Map(Object.entries(found).map(([path, load]) => [path.split("/").at(-2) ?? "", load]));

/** A page of the menu, and what one must be allowed to do to need it. */
export interface MenuEntry {
  page: string;
  /** One of these, or nothing. */
  permissions: readonly string[];
  /** And all of these: what the page can't do without. */
  needs?: readonly string[];
}

const menu: MenuEntry[] = [
  // A driver has a part in cases, which are answered under `explain`; the queue is for who may look at the registers too.
  { page: "queue", permissions: ["cases:read"], needs: ["registers:read"] },
  { page: "case", permissions: ["cases:read"], needs: ["registers:read"] },
  { page: "explain", permissions: ["cases:read", "trips:report"] },
  { page: "map", permissions: ["positions:read"] },
  { page: "search", permissions: ["tracks:read"] },
  { page: "orders", permissions: ["orders:read"] },
  { page: "sealing", permissions: ["cases:read"], needs: ["registers:read", "positions:read"] },
  { page: "devices", permissions: ["devices:read"] },
  { page: "exports", permissions: ["tracks:read"] },
  { page: "month", permissions: ["reports:read"] },
  { page: "accounts", permissions: [] },
];

export const menuFor = (may: (permission: string) => boolean): MenuEntry[] =>
  menu.filter(({ page, permissions, needs = [] }) => loaders.has(page) && (!permissions.length || permissions.some(may)) && needs.every(may));

/** Where people begin, the first role that they have counts. */
const HOMES: readonly [role: string, page: string][] = [
  ["office-supervisor", "queue"],
  ["inspector", "queue"],
  ["resident-inspector", "queue"],
  ["fleet-manager", "explain"],
  ["dispatcher", "orders"],
  ["approver", "orders"],
  ["driver", "explain"],
  ["finance", "month"],
  ["viewer", "map"],
  ["system-admin", "devices"],
  ["security-admin", "accounts"],
  ["audit-admin", "accounts"],
];

/** The page that somebody with these roles begins at. */
export function homeOf(roles: readonly string[], isThere: (page: string) => boolean = hasPage): string {
  const found = HOMES.find(([role, page]) => roles.includes(role) && isThere(page));
  return found?.[1] ?? HOME;
}

/** Pages that open without a log-in. */
export const isOpenToAll = (page: string): boolean => page === "setup";

export const hasPage = (page: string): boolean => loaders.has(page);

export const loadPage = (page: string): Promise<Component> | null => {
  const load = loaders.get(page);
  return load ? load().then((module) => module.default) : null;
};
