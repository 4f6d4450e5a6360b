/**
 * Which car is under the pointer: a grid over the cars' places, sorted by counting.
 *
 * Built in one pass when it is asked for after a change; a query looks at the cells that its circle touches.
 */

/** Cells to a side; with 30,000 cars about two in a cell. */
const SIDE = 128;

export class PlaceGrid {
  #starts = new Uint32Array(SIDE * SIDE + 1);
  #slots = new Uint32Array(0);
  #xs = new Float64Array(0);
  #ys = new Float64Array(0);
  #west = 0;
  #north = 0;
  #cell = 1;
  #size = 0;

  /** Indexes the slots below `count` for which `place` gives one. */
  build(count: number, place: (slot: number) => { x: number; y: number } | null): void {
    if (this.#xs.length < count) {
      this.#xs = new Float64Array(count);
      this.#ys = new Float64Array(count);
      this.#slots = new Uint32Array(count);
    }
    let [west, north, east, south] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let slot = 0; slot < count; slot += 1) {
      const at = place(slot);
      this.#xs[slot] = at ? at.x : NaN;
      this.#ys[slot] = at ? at.y : NaN;
      if (!at) continue;
      west = Math.min(west, at.x);
      east = Math.max(east, at.x);
      north = Math.min(north, at.y);
      south = Math.max(south, at.y);
    }
    this.#west = west;
    this.#north = north;
    this.#cell = Math.max((east - west) / SIDE, (south - north) / SIDE, 1e-12);
    this.#sort(count);
  }

  /** The slot nearest to a place within a radius, or -1. */
  nearest(x: number, y: number, radius: number): number {
    let [best, bestSquare] = [-1, radius * radius];
    this.#visit(x - radius, y - radius, x + radius, y + radius, (slot, atX, atY) => {
      const square = (atX - x) ** 2 + (atY - y) ** 2;
      if (square <= bestSquare) [best, bestSquare] = [slot, square];
    });
    return best;
  }

  /** The slots within a box, at most `limit` of them. */
  within(west: number, north: number, east: number, south: number, limit = Infinity): number[] {
    const found: number[] = [];
    this.#visit(west, north, east, south, (slot, x, y) => {
      if (found.length < limit && x >= west && x <= east && y >= north && y <= south) found.push(slot);
    });
    return found;
  }

  #sort(count: number): void {
    const starts = this.#starts.fill(0);
    this.#size = 0;
    for (let slot = 0; slot < count; slot += 1) {
      const cell = this.#cellOf(slot);
      if (cell < 0) continue;
      starts[cell + 1] = (starts[cell + 1] ?? 0) + 1;
      this.#size += 1;
    }
    for (let cell = 1; cell < starts.length; cell += 1) starts[cell] = (starts[cell] ?? 0) + (starts[cell - 1] ?? 0);
    const next = starts.slice(0, -1);
    for (let slot = 0; slot < count; slot += 1) {
      const cell = this.#cellOf(slot);
      if (cell < 0) continue;
      const at = next[cell] ?? 0;
      this.#slots[at] = slot;
      next[cell] = at + 1;
    }
  }

  #cellOf(slot: number): number {
    const x = this.#xs[slot] ?? NaN;
    if (Number.isNaN(x)) return -1;
    return this.#index((this.#ys[slot] ?? 0) - this.#north) * SIDE + this.#index(x - this.#west);
  }

  #index(offset: number): number {
    return Math.min(SIDE - 1, Math.max(0, Math.floor(offset / this.#cell)));
  }

  #visit(
    west: number,
    north: number,
    east: number,
    south: number,
    each: (slot: number, x: number, y: number) => void,
  ): void {
    if (this.#size === 0) return;
    const [left, right] = [this.#index(west - this.#west), this.#index(east - this.#west)];
    for (let row = this.#index(north - this.#north); row <= this.#index(south - this.#north); row += 1) {
      const end = this.#starts[row * SIDE + right + 1] ?? 0;
      for (let at = this.#starts[row * SIDE + left] ?? 0; at < end; at += 1) {
        const slot = this.#slots[at] ?? 0;
        each(slot, this.#xs[slot] ?? 0, this.#ys[slot] ?? 0);
      }
    }
  }
}
