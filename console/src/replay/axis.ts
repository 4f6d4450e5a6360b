/** A piece of time as milliseconds since 1970, without its end. */
export interface Range {
  from: number;
  to: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The closest look: two minutes over the whole width. */
export const NARROWEST_MS = 2 * MINUTE;

export const widthOf = (range: Range): number => range.to - range.from;

/** Where an instant lies on an axis of this many pixels; it may lie outside. */
export const toPixels = (range: Range, width: number, instant: number): number => ((instant - range.from) / widthOf(range)) * width;

/** The instant under a pixel, held inside the range. */
export const toInstant = (range: Range, width: number, x: number): number =>
  range.from + Math.min(1, Math.max(0, width > 0 ? x / width : 0)) * widthOf(range);

/** A range moved so that it lies within its bounds, and cut when it is wider. */
export function within(range: Range, bounds: Range): Range {
  const width = Math.min(widthOf(bounds), Math.max(NARROWEST_MS, widthOf(range)));
  const from = Math.min(Math.max(range.from, bounds.from), bounds.to - width);
  return { from, to: from + width };
}

/** The range that shows all spans with some room; the bounds when there is nothing to show. */
export function covering(spans: readonly Range[], room: number, bounds: Range): Range {
  const seen = spans.filter(({ from, to }) => to >= bounds.from && from <= bounds.to);
  if (!seen.length) return bounds;
  const from = Math.max(bounds.from, Math.min(...seen.map((span) => span.from)) - room);
  const to = Math.min(bounds.to, Math.max(...seen.map((span) => span.to)) + room);
  return within({ from, to }, bounds);
}

/** A closer (`factor` below 1) or wider look that keeps an instant at its place. */
export function zoomed(range: Range, bounds: Range, instant: number, factor: number): Range {
  const width = Math.min(widthOf(bounds), Math.max(NARROWEST_MS, widthOf(range) * factor));
  const share = (instant - range.from) / widthOf(range);
  return within({ from: instant - share * width, to: instant + (1 - share) * width }, bounds);
}

/** The range moved, only if it must, so that an instant is inside; then with some room ahead. */
export function following(range: Range, bounds: Range, instant: number): Range {
  if (instant >= range.from && instant <= range.to) return range;
  const from = instant - widthOf(range) * 0.2;
  return within({ from, to: from + widthOf(range) }, bounds);
}

const STEPS = [MINUTE / 2, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR];

/** Ticks on round times of the fleet's zone, at most so many. */
export function ticks(range: Range, most: number, zoneOffset: number): number[] {
  const step = STEPS.find((candidate) => widthOf(range) / candidate <= most) ?? 24 * HOUR;
  const first = Math.ceil((range.from + zoneOffset) / step) * step - zoneOffset;
  const count = Math.max(0, Math.floor((range.to - first) / step) + 1);
  return Array.from({ length: count }, (_, index) => first + index * step);
}

/** A span as a share of the range from its start, cut to it; null outside. */
export function placed(range: Range, span: Range): { start: number; size: number } | null {
  const from = Math.max(range.from, span.from);
  const to = Math.min(range.to, span.to);
  if (to < range.from || from > range.to || to < from) return null;
  return { start: (from - range.from) / widthOf(range), size: (to - from) / widthOf(range) };
}
