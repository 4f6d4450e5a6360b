/** Where the words of a picture go: none over another, none over the edge. */

export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Words that belong to a mark, with the room that they take. */
export interface Wanted {
  /** The middle of the mark. */
  x: number;
  y: number;
  /** How far the words keep from its middle. */
  clear: number;
  width: number;
  height: number;
  /** Written even where they cover other words. */
  isNeeded: boolean;
  /** Beside the mark rather than above it. */
  isBeside: boolean;
}

const EDGE = 4;

const overlap = (a: Box, b: Box): number => {
  const across = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const down = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  return across > 0 && down > 0 ? across * down : 0;
};

const inside = (box: Box, width: number, height: number): Box => ({
  ...box,
  left: Math.max(EDGE, Math.min(box.left, width - box.width - EDGE)),
  top: Math.max(EDGE, Math.min(box.top, height - box.height - EDGE)),
});

/** The places around a mark that its words may have, the best first. */
function around({ x, y, clear, width, height, isBeside }: Wanted): Box[] {
  const size = { width, height };
  const beside = [x + clear, x - clear - width].map((left) => ({ left, top: y - height / 2, ...size }));
  const stacked = [y - clear - height, y + clear].map((top) => ({ left: x - width / 2, top, ...size }));
  const corners = [x + clear, x - clear - width].flatMap((left) => [y - clear - height, y + clear].map((top) => ({ left, top, ...size })));
  return isBeside ? [...beside, ...corners, ...stacked] : [...stacked, ...corners, ...beside];
}

/** A box for each, those that come first having the choice; null for words that have no room and are not needed. */
export function placeLabels(wanted: readonly Wanted[], width: number, height: number, taken: readonly Box[] = []): (Box | null)[] {
  const used = [...taken];
  return wanted.map((label) => {
    const choices = around(label)
      .map((box) => inside(box, width, height))
      .map((box) => ({ box, covered: used.reduce((sum, other) => sum + overlap(box, other), 0) }))
      .sort((a, b) => a.covered - b.covered);
    const [best] = choices;
    if (!best || (best.covered > 0 && !label.isNeeded)) return null;
    used.push(best.box);
    return best.box;
  });
}
