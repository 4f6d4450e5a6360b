/** Speeds of a replay: how many seconds of the road pass in one of the viewer's. */
export const SPEEDS = [1, 2, 5, 10, 30, 60, 120, 300] as const;

export interface ClockState {
  /** The instant that is shown. */
  at: number;
  speed: number;
  isPlaying: boolean;
}

/** A span that may be passed at once. */
export interface Pause {
  from: number;
  to: number;
}

/** How much of a pause is shown at each end before it is skipped. */
export const PAUSE_EDGE_MS = 20_000;

/** The state after so much of the viewer's time. Stops at the end; passes over the middle of pauses. */
export function advance(state: ClockState, elapsedMs: number, end: number, pauses: readonly Pause[] = []): ClockState {
  if (!state.isPlaying) return state;
  let at = state.at + elapsedMs * state.speed;
  for (const pause of pauses) {
    const from = pause.from + PAUSE_EDGE_MS;
    const to = pause.to - PAUSE_EDGE_MS;
    if (to > from && at > from && at < to) at = to;
  }
  return at >= end ? { ...state, at: end, isPlaying: false } : { ...state, at };
}

/** The next faster or slower speed. */
export function changed(speed: number, by: 1 | -1): number {
  const index = SPEEDS.findIndex((candidate) => candidate >= speed);
  const next = Math.min(SPEEDS.length - 1, Math.max(0, (index < 0 ? SPEEDS.length - 1 : index) + by));
  return SPEEDS[next] ?? speed;
}

/** The closest instant of a sorted list before or after one; null at the ends. */
export function neighbour(sorted: readonly number[], at: number, by: 1 | -1): number | null {
  if (by > 0) return sorted.find((instant) => instant > at) ?? null;
  return sorted.findLast((instant) => instant < at) ?? null;
}
