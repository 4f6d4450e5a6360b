/** What every map reads of the API: base maps, zones, and the way of a car. */

import { read, readAll, type Subject } from "../api/client";
import { Refused } from "../api/problem";
import type { RegisterRow } from "../fleet/fleet";
import type { BaseMap } from "./style";
import type { TrackFix } from "./track";
import type { Zone, ZoneRow } from "./zones";

const ZONES_MAX = 5_000;
const BASE_KEY = "motorpool.basemap";

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

/** The base map that this browser showed last, by its number; empty for the blank one. */
export const keptBase = {
  get: (): string | null => localStorage.getItem(BASE_KEY),
  set: (id: string): void => localStorage.setItem(BASE_KEY, id),
};

export async function readZones(): Promise<Zone[]> {
  const query = { valid_at: new Date().toISOString(), limit: 1000 };
  const { items } = await readAll<RegisterRow<ZoneRow>>("registers/zone", ZONES_MAX, { query });
  return items.map((item) => ({
    id: item.id,
    version: item.version,
    validFrom: item.valid_from ?? null,
    validTo: item.valid_to ?? null,
    row: item.row,
  }));
}

interface FixView {
  fix_time: string;
  lat: number;
  lon: number;
  valid: boolean;
  speed_kmh?: number;
  course_deg?: number;
}

/** The fixes of a device from one instant to another, or to the newest. May ask the person for a purpose. */
export async function readWay(device: string | number, fromMs: number, toMs: number | null, vehicle: number | null): Promise<TrackFix[]> {
  const query = { from: new Date(fromMs).toISOString(), to: toMs === null ? null : new Date(toMs).toISOString() };
  const subject: Subject | undefined = vehicle === null ? undefined : { vehicle };
  const track = await read<{ items: FixView[] }>(`devices/${encodeURIComponent(device)}/track`, { query, subject });
  return track.items.filter((fix) => fix.valid).map((fix) => ({
    atMs: Date.parse(fix.fix_time),
    lon: fix.lon,
    lat: fix.lat,
    speedKmh: fix.speed_kmh ?? null,
    courseDeg: fix.course_deg ?? null,
  }));
}
