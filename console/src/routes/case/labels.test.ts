import { describe, expect, it } from "vitest";
import { placeLabels, type Wanted } from "./labels";

const label = (x: number, y: number, given: Partial<Wanted> = {}): Wanted => ({ x, y, clear: 10, width: 60, height: 12, isNeeded: false, isBeside: true, ...given });

describe("the words of a picture", () => {
  it("stand beside their mark, and on another side where that is taken", () => {
    const [first, second] = placeLabels([label(100, 100), label(110, 100)], 400, 200);
    expect(first).toMatchObject({ left: 110, top: 94 });
    expect(second, "left of it").toMatchObject({ left: 40 });
  });

  it("are never cut by the edge", () => {
    const [right, top] = placeLabels([label(390, 100, { isNeeded: true }), label(200, 2, { isBeside: false, isNeeded: true })], 400, 200);
    expect(right!.left + right!.width).toBeLessThanOrEqual(400);
    expect(top!.top).toBeGreaterThanOrEqual(0);
  });

  it("are left out where there is no room, unless they are needed", () => {
    const crowd = Array.from({ length: 8 }, () => label(100, 100));
    const placed = placeLabels([...crowd, label(100, 100, { isNeeded: true })], 400, 200);
    expect(placed.slice(0, 8).filter(Boolean)).toHaveLength(6);
    expect(placed[8]).not.toBeNull();
  });
});
