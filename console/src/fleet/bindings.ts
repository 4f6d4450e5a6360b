import { readAll, type Page, read } from "../api/client";
import type { Schema } from "../api/types";
import type { RegisterRow } from "./fleet";

export type Position = Schema<"PositionView">;

/** A device on a car. */
export interface Binding {
  device: number;
  vehicle: number;
  is_primary: boolean;
  work_order: string;
}

const ROWS_MAX = 100_000;
const PAGE_ROWS = 1_000;

/** The devices fitted now. */
export async function bindingsAt(instant: number): Promise<RegisterRow<Binding>[]> {
  const query = { limit: PAGE_ROWS, valid_at: new Date(instant).toISOString() };
  return (await readAll<RegisterRow<Binding>>("registers/binding", ROWS_MAX, { query })).items;
}

/** The newest position of every device, and the server's clock, by which their age is told. */
export async function lastPositions(): Promise<{ now: number; positions: Position[] }> {
  const positions: Position[] = [];
  let cursor: string | null | undefined;
  let now = Date.now();
  do {
    const page: Page<Position> & { now: string } = await read("positions", { query: { limit: PAGE_ROWS, cursor } });
    positions.push(...page.items);
    now = Date.parse(page.now);
    cursor = page.next_cursor;
  } while (cursor && positions.length < ROWS_MAX);
  return { now, positions };
}
