import { describe, expect, it } from "vitest";
import { boxOfRing, boxText, placeText, readBox, readPlace, soughtFeatures } from "./sought";

const box = { west: 102.6, south: 24.9, east: 102.9, north: 25.1 };

describe("the sought place", () => {
  it("is written and read as the server takes it", () => {
    expect(boxText(box)).toBe("102.6,24.9,102.9,25.1");
    expect(readBox(boxText(box))).toEqual(box);
    expect(readBox(" 102.6， 24.9 ,102.9, 25.1 ")).toEqual(box);
    expect(placeText([102.71234567, 25])).toBe("25,102.712346");
    expect(readPlace("25, 102.712346")).toEqual([102.712346, 25]);
  });

  it("is nothing when it is none", () => {
    for (const text of ["", "102.6,24.9,102.9", "102.9,24.9,102.6,25.1", "102.6,25.1,102.9,24.9", "102.6,24.9,102.9,91", "a,b,c,d", "1,2,3,4,5"]) expect(readBox(text), text).toBeNull();
    for (const text of ["", "25", "102.7,25", "25,181", "25,102.7,3", "x,y"]) expect(readPlace(text), text).toBeNull();
  });

  it("is the box around what was drawn, in WGS-84 on every base map", () => {
    const ring = [[102.6, 24.9], [102.9, 24.9], [102.9, 25.1], [102.6, 25.1], [102.6, 24.9]];
    expect(boxOfRing(ring, "wgs84")).toEqual(box);
    const [drawn] = soughtFeatures({ box }, "gcj02").features;
    const corners = drawn?.geometry.type === "Polygon" ? (drawn.geometry.coordinates[0] ?? []) : [];
    expect(corners[0]?.[0]).not.toBeCloseTo(box.west, 4);
    // The offset differs from corner to corner, so the box is a few metres larger than what was drawn.
    const back = boxOfRing(corners, "gcj02");
    expect([back.west, back.south, back.east, back.north].map((value) => value.toFixed(6))).toEqual(Object.values(box).map((value) => value.toFixed(6)));
  });

  it("is a point, a box or nothing on the map", () => {
    expect(soughtFeatures(null, "wgs84").features).toEqual([]);
    expect(soughtFeatures({ place: [102.7, 25] }, "wgs84").features[0]?.geometry).toEqual({ type: "Point", coordinates: [102.7, 25] });
    expect(soughtFeatures({ box }, "wgs84").features[0]?.geometry.type).toBe("Polygon");
  });
});
