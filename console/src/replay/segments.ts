import type { Schema } from "../api/types";

/** A trip, a move, a stop or a silence, as the server cuts the day. */
export type Segment = Schema<"SegmentView">;

/** A parked terminal that falls asleep leaves a short silence at its place: no gap that says anything. */
const QUIET_MS = 30 * 60_000;
const QUIET_M = 150;

export const isTelling = ({ kind, start, end, distance_m }: Segment): boolean =>
  kind !== "gap" || (distance_m ?? 0) >= QUIET_M || Date.parse(end) - Date.parse(start) >= QUIET_MS;
