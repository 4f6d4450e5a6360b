import { read, type Page } from "../../api/client";
import { isAborted } from "../../api/problem";
import { router } from "../../app/router.svelte";
import type { QueuedCase } from "../../cases/types";

/** Rows of one request. */
const PAGE_ROWS = 200;
/** Rows held at most: whoever looks for more narrows the filter. */
const ROWS_MAX = 5_000;

export interface Filter {
  state: string;
  colour: string;
  unit: string;
  rule: string;
  from: string;
  to: string;
  plate: string;
  assignee: string;
}

/** The whole queue. */
export const NO_FILTER: Filter = { state: "", colour: "", unit: "", rule: "", from: "", to: "", plate: "", assignee: "" };

/** The filter as the address says it. */
export function filterOf(query: Readonly<Record<string, string>>): Filter {
  const { state = "", colour = "", unit = "", rule = "", from = "", to = "", plate = "", assignee = "" } = query;
  return { state, colour, unit, rule, from, to, plate, assignee };
}

/** What the server narrows down; the rest is done here, row by row. */
export const serverQuery = ({ state, colour, unit, from, to, assignee }: Filter) => ({ state, colour, unit, from, to, assignee });

/** Whether a row fits what only this side filters. */
export function fits(row: QueuedCase, filter: Filter): boolean {
  const plate = filter.plate.trim().toUpperCase();
  return (!plate || row.plate.toUpperCase().includes(plate)) && (!filter.rule || row.rules.includes(filter.rule));
}

type Counts = Record<string, number>;

/** The rows of the queue, read page by page as they are wanted. */
export class QueueList {
  rows = $state.raw<QueuedCase[]>([]);
  counts = $state.raw<Counts>({});
  isLoading = $state(false);
  hasMore = $state(false);
  error = $state.raw<unknown>(null);
  #cursor: string | null | undefined;
  #running: AbortController | null = null;

  readonly filter = $derived(filterOf(router.route.query));
  readonly shown = $derived(this.rows.filter((row) => fits(row, this.filter)));

  /** Reads anew from the first page. */
  async reload(): Promise<void> {
    this.#running?.abort();
    this.#cursor = undefined;
    await this.#read(true);
  }

  /** Reads on, when there is more and nothing is being read. */
  async more(): Promise<void> {
    if (this.hasMore && !this.isLoading && this.rows.length < ROWS_MAX) await this.#read(false);
  }

  async #read(isFirst: boolean): Promise<void> {
    const running = new AbortController();
    this.#running = running;
    this.isLoading = true;
    this.error = null;
    try {
      const query = { ...serverQuery(this.filter), limit: PAGE_ROWS, cursor: this.#cursor };
      const page = await read<Page<QueuedCase> & { counts?: Counts | null }>("cases", { query, signal: running.signal });
      this.rows = isFirst ? page.items : [...this.rows, ...page.items];
      if (page.counts) this.counts = page.counts;
      this.#cursor = page.next_cursor;
      this.hasMore = Boolean(page.next_cursor);
    } catch (error) {
      if (!isAborted(error)) this.error = error;
    } finally {
      if (this.#running === running) this.isLoading = false;
    }
  }
}
