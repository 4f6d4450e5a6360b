import { read } from "../../api/client";
import { formatQuery } from "../../app/route";
import { filterOf, serverQuery, type Filter } from "./list.svelte";

/** A filter that a person kept under a name. */
export interface SavedView {
  name: string;
  filter: Partial<Filter>;
}

const KEY = "motorpool.queue.views";
const VIEWS_MAX = 12;

function stored(): SavedView[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(value) ? value.filter((view) => typeof view?.name === "string" && typeof view?.filter === "object") : [];
  } catch {
    return [];
  }
}

let own = $state.raw<readonly SavedView[]>(stored());
let counts = $state.raw<Readonly<Record<string, number>>>({});

function keep(views: readonly SavedView[]): void {
  own = views;
  localStorage.setItem(KEY, JSON.stringify(views));
}

const keyOf = (filter: Partial<Filter>): string => formatQuery(filter);

/** Saved views, and how many open cases each holds. */
export const views = {
  get own(): readonly SavedView[] {
    return own;
  },
  add(name: string, filter: Filter): void {
    const lean = Object.fromEntries(Object.entries(filter).filter(([, value]) => value));
    keep([...own.filter((view) => view.name !== name), { name, filter: lean }].slice(-VIEWS_MAX));
  },
  remove(name: string): void {
    keep(own.filter((view) => view.name !== name));
  },
  countOf: (filter: Partial<Filter>): number | undefined => counts[keyOf(filter)],
  isCurrent: (filter: Partial<Filter>, current: Filter): boolean =>
    keyOf(filterOf(filter as Record<string, string>)) === keyOf(current),
  /** Counts the cases of each view again. What only this side filters is counted by the table alone. */
  async count(filters: readonly Partial<Filter>[], signal: AbortSignal): Promise<void> {
    const found: Record<string, number> = {};
    for (const filter of filters) {
      const full = filterOf(filter as Record<string, string>);
      if (full.plate || full.rule) continue;
      const query = { ...serverQuery(full), limit: 1 };
      const page = await read<{ counts?: Record<string, number> | null }>("cases", { query, signal });
      const wanted = full.state ? full.state.split(",") : null;
      const entries = Object.entries(page.counts ?? {}).filter(([stage]) => (wanted ? wanted.includes(stage) : stage !== "closed"));
      found[keyOf(filter)] = entries.reduce((sum, [, count]) => sum + count, 0);
    }
    counts = found;
  },
};
