import { read, type Page } from "../../api/client";
import { formatQuery } from "../../app/route";
import { filterOf, serverQuery, type Filter } from "./list.svelte";

/** A filter that a person kept under a name. */
export interface SavedView {
  name: string;
  filter: Partial<Filter>;
}

const KEY = "motorpool.queue.views";
const VIEWS_MAX = 12;
/** The server counts stages, not colours or people; a view of those is counted up to here, by its rows. */
const COUNTED_HERE_MAX = 200;

function stored(): SavedView[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(value) ? value.filter((view) => typeof view?.name === "string" && typeof view?.filter === "object") : [];
  } catch {
    return [];
  }
}

let own = $state.raw<readonly SavedView[]>(stored());
let counts = $state.raw<Readonly<Record<string, string>>>({});

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
  countOf: (filter: Partial<Filter>): string | undefined => counts[keyOf(filter)],
  isCurrent: (filter: Partial<Filter>, current: Filter): boolean =>
    keyOf(filterOf(filter as Record<string, string>)) === keyOf(current),
  /** Counts the cases of each view again. What only this side filters is counted by the table alone. */
  async count(filters: readonly Partial<Filter>[], signal: AbortSignal): Promise<void> {
    const found: Record<string, string> = {};
    for (const filter of filters) {
      const full = filterOf(filter as Record<string, string>);
      if (full.plate || full.rule) continue;
      const isCountedByServer = !full.colour && !full.assignee;
      const query = { ...serverQuery(full), limit: isCountedByServer ? 1 : COUNTED_HERE_MAX };
      const page = await read<Page<unknown> & { counts?: Record<string, number> | null }>("cases", { query, signal });
      const wanted = full.state ? full.state.split(",") : null;
      const entries = Object.entries(page.counts ?? {}).filter(([stage]) => (wanted ? wanted.includes(stage) : stage !== "closed"));
      const counted = entries.reduce((sum, [, count]) => sum + count, 0);
      found[keyOf(filter)] = isCountedByServer ? String(counted) : `${page.items.length}${page.next_cursor ? "+" : ""}`;
    }
    counts = found;
  },
};
