import { describe, expect, it } from "vitest";
import { PlaceGrid } from "./grid";

/** A small generator, the same on every run. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

describe("place grid", () => {
  const next = numbers(7);
  const places = Array.from({ length: 5_000 }, () => ({ x: 0.8 + next() / 100, y: 0.4 + next() / 50 }));
  const grid = new PlaceGrid();
  grid.build(places.length, (slot) => (slot % 10 === 3 ? null : places[slot]!));

  const byHand = (x: number, y: number, radius: number): number => {
    let [best, distance] = [-1, radius];
    places.forEach((place, slot) => {
      const away = Math.hypot(place.x - x, place.y - y);
      if (slot % 10 !== 3 && away <= distance) [best, distance] = [slot, away];
    });
    return best;
  };

  it("finds the same car as looking at each of them", () => {
    for (let probe = 0; probe < 300; probe += 1) {
      const [x, y] = [0.799 + next() / 90, 0.399 + next() / 45];
      for (const radius of [0.00005, 0.0005, 0.02]) expect(grid.nearest(x, y, radius)).toBe(byHand(x, y, radius));
    }
  });

  it("lists what is in a box, up to a limit", () => {
    const found = grid.within(0.802, 0.405, 0.805, 0.41);
    const expected = places.flatMap(({ x, y }, slot) =>
      slot % 10 !== 3 && x >= 0.802 && x <= 0.805 && y >= 0.405 && y <= 0.41 ? [slot] : [],
    );
    expect([...found].sort((a, b) => a - b)).toEqual(expected);
    expect(grid.within(0, 0, 1, 1, 17)).toHaveLength(17);
  });

  it("is empty without cars, and right with one", () => {
    const small = new PlaceGrid();
    small.build(0, () => null);
    expect(small.nearest(0.5, 0.5, 1)).toBe(-1);
    small.build(1, () => ({ x: 0.5, y: 0.5 }));
    expect(small.nearest(0.50001, 0.5, 0.001)).toBe(0);
    expect(small.nearest(0.6, 0.5, 0.001)).toBe(-1);
  });
});
