/** What the map reads and writes of the API. */

import { onceKey, read, readAll, type Subject, write } from "../../api/client";
import type { RegisterRow } from "../../fleet/fleet";
import type { FleetCar, FleetUnit } from "../../map/directory";
import type { Zone, ZoneRow } from "../../map/zones";

export interface FleetView {
  units: FleetUnit[];
  cars: FleetCar[];
}

export const readFleet = (signal?: AbortSignal): Promise<FleetView> => read<FleetView>("fleet", { signal });

/** A change that waits for a second person because of what it would clear. */
export interface Proposed {
  proposal: number;
  would_clear?: number;
  open?: number;
  by_rule: Record<string, number>;
}

export interface Written {
  id: number;
  version: number;
}

export const isProposed = (answer: Written | Proposed): answer is Proposed => "proposal" in answer;

/** Writes a new zone, says of one what it is from now on, or what it always was. */
export function saveZone(row: ZoneRow, before: Zone | null, isCorrection: boolean): Promise<Written | Proposed> {
  const headers = { "idempotency-key": onceKey() };
  const from = new Date().toISOString();
  if (!before) return write("POST", "registers/zone", { row }, { headers });
  const condition = { ...headers, "if-match": `"${before.version}"` };
  if (isCorrection) {
    const body = { valid_from: before.validFrom, valid_to: before.validTo, row };
    return write("PUT", `registers/zone/${before.id}`, body, { headers: condition });
  }
  return write("POST", `registers/zone/${before.id}/amend`, { from, row }, { headers: condition });
}

export function endZone(zone: Zone): Promise<Written | Proposed> {
  const headers = { "idempotency-key": onceKey(), "if-match": `"${zone.version}"` };
  return write("POST", `registers/zone/${zone.id}/end`, { at: new Date().toISOString() }, { headers });
}

export interface TripView {
  id: string;
  start: string;
  end: string;
  distance_m?: number;
}

/** Trips that ended or run since an instant. May ask the person for a purpose. */
export async function readTrips(vehicle: number, sinceMs: number, signal: AbortSignal): Promise<TripView[]> {
  const query = { from: new Date(sinceMs).toISOString(), kinds: "trip", limit: 100 };
  const subject: Subject = { vehicle };
  const page = await read<{ items: TripView[] }>(`vehicles/${vehicle}/segments`, { query, subject, signal });
  return page.items;
}

export interface OrderRow {
  no: string;
  user: string;
  purpose: string;
  destinations: { text?: string }[];
  planned_out: string;
  planned_in: string;
  state: string;
}

const COVERING = ["approved", "settled"];

/** The order that covers this moment, if there is one. */
export async function readOrder(vehicle: number, signal: AbortSignal): Promise<OrderRow | null> {
  const now = new Date().toISOString();
  const page = await read<{ items: RegisterRow<OrderRow>[] }>("registers/order", { query: { vehicle, valid_at: now, limit: 200 }, signal });
  const running = page.items.filter(({ row }) => row.planned_out <= now && row.planned_in >= now && COVERING.includes(row.state));
  return running.at(-1)?.row ?? null;
}

/** One device of `/positions`: the feed of those whose network lets no WebSocket through. */
export interface PositionView {
  device: number;
  links: number;
  valid?: boolean;
  lat?: number;
  lon?: number;
  place_time?: string;
  speed_kmh?: number;
  course_deg?: number;
  ignition?: boolean;
}

export const readPositions = (max: number): Promise<{ items: PositionView[] }> =>
  readAll<PositionView>("positions", max, { query: { limit: 1000 } });
