import type { Schema } from "../api/types";
import { stoodSince, type Fix } from "./track";

/** A trip, a move, a stop or a silence, as the server cuts the day. */
export type Segment = Schema<"SegmentView">;

/** A parked terminal that falls asleep leaves a short silence at its place: no gap that says anything. */
const QUIET_MS = 30 * 60_000;
const QUIET_M = 150;

export const isTelling = ({ kind, start, end, distance_m }: Segment): boolean =>
  kind !== "gap" || (distance_m ?? 0) >= QUIET_M || Date.parse(end) - Date.parse(start) >= QUIET_MS;

/** A shorter one is the end of a trip. */
const STOP_LEAST_MS = 5 * 60_000;

/** The segments with the stops that are not cut yet, or were cut short by a silence: told by the fixes between the others. */
export function withStops(segments: readonly Segment[], fixes: readonly Fix[]): Segment[] {
  const sorted = segments.toSorted((a, b) => Date.parse(a.start) - Date.parse(b.start));
  const all: Segment[] = [];
  let last: Segment | undefined;
  const stopUntil = (until: number): void => {
    if (!last) return;
    const stood = stoodSince(fixes, Date.parse(last.end), until);
    if (!stood || stood.to - stood.from < STOP_LEAST_MS) return;
    const end = new Date(stood.to).toISOString();
    all.push({ ...last, id: `${last.id}+`, kind: "stop", start: last.end, end, start_at: last.end_at, distance_m: 0, max_speed_kmh: null });
  };
  for (const segment of sorted) {
    stopUntil(Date.parse(segment.start));
    all.push(segment);
    if (!last || Date.parse(segment.end) > Date.parse(last.end)) last = segment;
  }
  stopUntil(Infinity);
  return all;
}
