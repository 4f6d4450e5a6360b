import type { Range } from "./axis";

interface OrderRow {
  no: string;
  planned_out: string;
  planned_in: string;
  entered_at?: string | null;
  state: string;
  user: string;
  driver: string;
  dispatcher: string;
  purpose: string;
  destinations: { text: string }[];
  is_emergency: boolean;
}

/** A version of an order as the register tells it. */
export interface OrderVersion {
  id: number;
  recorded_at: string;
  row: OrderRow;
}

/** An order on the time axis. */
export interface OrderWindow extends Range {
  no: string;
  state: string;
  canCover: boolean;
  /** When it was known. */
  recordedAt: number;
  /** 补单: known only after the car had left, or after the window began. */
  isLate: boolean;
  user: string;
  driver: string;
  purpose: string;
  destinations: string;
}

/** The orders that touch a time, and whether each was known when the car left. */
export function orderWindows(orders: readonly OrderVersion[], bounds: Range, departures: readonly number[]): OrderWindow[] {
  return orders
    .map(({ row, recorded_at }) => {
      const from = Date.parse(row.planned_out);
      const to = Date.parse(row.planned_in);
      const recordedAt = Date.parse(row.entered_at ?? recorded_at);
      const departure = departures.find((instant) => instant >= from && instant < to) ?? from;
      return {
        from,
        to,
        no: row.no,
        state: row.state,
        canCover: row.state === "approved" || row.state === "settled",
        recordedAt,
        isLate: recordedAt > departure,
        user: row.user,
        driver: row.driver,
        purpose: row.purpose,
        destinations: row.destinations.map(({ text }) => text).join("、"),
      };
    })
    .filter((order) => order.to > bounds.from && order.from < bounds.to)
    .sort((a, b) => a.from - b.from);
}
