import type { Range } from "./axis";
import { distance, isInside, type Place, type Shape } from "./geo";

/** One fix, as far as a replay needs it. */
export interface Fix extends Place {
  time: number;
  speedKmh: number | null;
  courseDeg: number | null;
  ignition: boolean | null;
}

/** Silence of a moving car that is longer than this is a loss: nothing is guessed across it. */
const LOSS_MS = 6 * 60_000;
/** A car that speaks again at its place was parked, however long it was silent. */
const LOSS_M = 150;

/** Whether the way between two fixes that follow each other is not known. */
export const isLost = (before: Fix, after: Fix): boolean => after.time - before.time > LOSS_MS && distance(before, after) > LOSS_M;

interface FixJson {
  fix_time: string;
  lat: number;
  lon: number;
  valid: boolean;
  speed_kmh?: number | null;
  course_deg?: number | null;
  ignition?: boolean | null;
}

/** The usable fixes of an answer in order of time, one an instant. */
export function fixesOf(items: readonly FixJson[]): Fix[] {
  const fixes = items
    .filter((item) => item.valid && (item.lat !== 0 || item.lon !== 0))
    .map((item) => ({
      time: Date.parse(item.fix_time),
      lat: item.lat,
      lon: item.lon,
      speedKmh: item.speed_kmh ?? null,
      courseDeg: item.course_deg ?? null,
      ignition: item.ignition ?? null,
    }))
    .sort((a, b) => a.time - b.time);
  return fixes.filter((fix, index) => fix.time !== fixes[index - 1]?.time);
}

/** Index of the last fix at or before an instant; -1 before the first. */
export function indexAt(fixes: readonly Fix[], instant: number): number {
  let low = 0;
  let high = fixes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const fix = fixes[middle];
    if (fix && fix.time <= instant) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Where the car was at an instant. */
export interface Moment extends Place {
  speedKmh: number | null;
  courseDeg: number | null;
  ignition: boolean | null;
  /** Whether the signal was lost then: the place is the last one known. */
  isGap: boolean;
}

const bearing = (a: Place, b: Place): number => {
  const east = (b.lon - a.lon) * Math.cos((a.lat * Math.PI) / 180);
  return ((Math.atan2(east, b.lat - a.lat) * 180) / Math.PI + 360) % 360;
};

/** The moment of an instant: between two fixes on the straight line, in a gap at the last known place. */
export function momentAt(fixes: readonly Fix[], instant: number): Moment | null {
  const index = indexAt(fixes, instant);
  const before = fixes[Math.max(0, index)];
  if (!before) return null;
  const after = fixes[index + 1];
  const { speedKmh, ignition } = before;
  const still = { lat: before.lat, lon: before.lon, speedKmh, courseDeg: before.courseDeg, ignition };
  if (index < 0 || !after) return { ...still, isGap: index < 0 };
  if (isLost(before, after)) return { ...still, isGap: instant > before.time };
  const share = (instant - before.time) / (after.time - before.time);
  const hasMoved = before.lat !== after.lat || before.lon !== after.lon;
  return {
    lat: before.lat + (after.lat - before.lat) * share,
    lon: before.lon + (after.lon - before.lon) * share,
    speedKmh,
    courseDeg: hasMoved && (speedKmh ?? 0) > 3 ? bearing(before, after) : before.courseDeg,
    ignition,
    isGap: false,
  };
}

/** Spans in which something holds from fix to fix; a loss ends one. */
export function spansWhere(fixes: readonly Fix[], holds: (fix: Fix) => boolean): Range[] {
  const spans: Range[] = [];
  let open: Range | null = null;
  let before: Fix | undefined;
  for (const fix of fixes) {
    if (open && before && isLost(before, fix)) {
      spans.push(open);
      open = null;
    }
    before = fix;
    if (holds(fix)) {
      open ??= { from: fix.time, to: fix.time };
      open.to = fix.time;
    } else if (open) {
      spans.push({ from: open.from, to: fix.time });
      open = null;
    }
  }
  if (open) spans.push(open);
  return spans;
}

/** Where the signal was lost. */
export function lossesOf(fixes: readonly Fix[]): Range[] {
  return fixes.flatMap((fix, index) => {
    const before = fixes[index - 1];
    return before && isLost(before, fix) ? [{ from: before.time, to: fix.time }] : [];
  });
}

/** How long a car has stood since it came to a place, until then at most: up to the last fix there; null when it moved or was not seen. */
export function stoodSince(fixes: readonly Fix[], came: number, until = Infinity): Range | null {
  const since = fixes.slice(Math.max(0, indexAt(fixes, came)), indexAt(fixes, until) + 1);
  const [first, last] = [since[0], since.at(-1)];
  if (!first || !last || last.time <= came) return null;
  return since.every((fix) => distance(first, fix) <= LOSS_M) ? { from: came, to: Math.min(last.time, until) } : null;
}

export interface Zone {
  id: number;
  name: string;
  use: string;
  shape: Shape;
}

export interface Visit extends Range {
  zone: Zone;
}

/** Shorter than this is passing by. */
const VISIT_LEAST_MS = 3 * 60_000;

/** When the car was in which zone for a while, earliest first. */
export function visitsOf(fixes: readonly Fix[], zones: readonly Zone[]): Visit[] {
  return zones
    .flatMap((zone) => spansWhere(fixes, (fix) => isInside(fix, zone.shape)).map((span) => ({ ...span, zone })))
    .filter((visit) => visit.to - visit.from >= VISIT_LEAST_MS)
    .sort((a, b) => a.from - b.from);
}
