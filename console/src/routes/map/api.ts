/** What the map reads and writes of the API. */

import { onceKey, read, readAll, type Subject, write } from "../../api/client";
import { Refused } from "../../api/problem";
import type { FleetCar, FleetUnit } from "../../map/directory";
import type { BaseMap } from "../../map/style";
import type { TrackFix } from "../../map/track";
import type { Zone, ZoneRow } from "../../map/zones";

const ZONES_MAX = 5_000;
const TRAIL_MS = 30 * 60_000;

export interface FleetView {
  units: FleetUnit[];
  cars: FleetCar[];
}

export const readFleet = (signal?: AbortSignal): Promise<FleetView> => read<FleetView>("fleet", { signal });

/** The configured base maps; a server without any has no such address. */
export async function readBaseMaps(): Promise<BaseMap[]> {
  try {
    const answer = await read<BaseMap[] | { items: BaseMap[] }>("basemaps");
    return Array.isArray(answer) ? answer : answer.items;
  } catch (error) {
    if (error instanceof Refused) return [];
    throw error;
  }
}

interface RowView<T> {
  id: number;
  version: number;
  valid_from?: string;
  valid_to?: string;
  row: T;
}

export async function readZones(): Promise<Zone[]> {
  const query = { valid_at: new Date().toISOString(), limit: 1000 };
  const { items } = await readAll<RowView<ZoneRow>>("registers/zone", ZONES_MAX, { query });
  return items.map((item) => ({
    id: item.id,
    version: item.version,
    validFrom: item.valid_from ?? null,
    validTo: item.valid_to ?? null,
    row: item.row,
  }));
}

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
  const page = await read<{ items: RowView<OrderRow>[] }>("registers/order", { query: { vehicle, valid_at: now, limit: 200 }, signal });
  const running = page.items.filter(({ row }) => row.planned_out <= now && row.planned_in >= now && COVERING.includes(row.state));
  return running.at(-1)?.row ?? null;
}

interface FixView {
  fix_time: string;
  lat: number;
  lon: number;
  valid: boolean;
  speed_kmh?: number;
  course_deg?: number;
}

/** The fixes of the last half hour. May ask the person for a purpose. */
export async function readTrail(device: string, vehicle: number | null): Promise<TrackFix[]> {
  const query = { from: new Date(Date.now() - TRAIL_MS).toISOString() };
  const subject = vehicle === null ? undefined : { vehicle };
  const track = await read<{ items: FixView[] }>(`devices/${encodeURIComponent(device)}/track`, { query, subject });
  return track.items.filter((fix) => fix.valid).map((fix) => ({
    atMs: Date.parse(fix.fix_time),
    lon: fix.lon,
    lat: fix.lat,
    speedKmh: fix.speed_kmh ?? null,
    courseDeg: fix.course_deg ?? null,
  }));
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
