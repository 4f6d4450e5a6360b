import { describe, expect, it } from "vitest";
import type * as GeoJSON from "geojson";
import type { LonLat } from "./datum";
import { distanceM } from "./mercator";
import {
  areaM2,
  circleFromRing,
  circleRing,
  corridorFromLine,
  isInside,
  kindOf,
  labelPoint,
  polygonFromRings,
  shapeBounds,
  position,
  type Shape,
  shapeGeometry,
  widthAtZoom0,
} from "./zones";

const SQUARE: LonLat[] = [
  [116.39, 39.9],
  [116.4, 39.9],
  [116.4, 39.91],
  [116.39, 39.91],
];
const HOLE: LonLat[] = [
  [116.393, 39.903],
  [116.397, 39.903],
  [116.397, 39.907],
];
const closed = (ring: LonLat[]): LonLat[] => [...ring, ring[0]!];

describe("zones", () => {
  it("draws a circle that is as wide as it says, and reads it back", () => {
    const ring = circleRing([116.4, 39.9], 800);
    for (const corner of ring) expect(Math.abs(distanceM([116.4, 39.9], corner) - 800)).toBeLessThan(3);
    const back = circleFromRing(ring, "wgs84");
    expect(back).toMatchObject({ shape: "circle", radius_m: 800 });
    expect(distanceM(labelPoint(back), [116.4, 39.9])).toBeLessThan(1);
  });

  it("brings a polygon with a hole back, on every datum", () => {
    const shape = polygonFromRings([closed(SQUARE), closed(HOLE)], "wgs84") as Extract<Shape, { shape: "polygons" }>;
    expect(shape.polygons[0]?.map((ring) => ring.length)).toEqual([4, 3]);
    for (const datum of ["gcj02", "bd09"] as const) {
      const geometry = shapeGeometry(shape, datum) as GeoJSON.MultiPolygon;
      const back = polygonFromRings(geometry.coordinates[0]!, datum) as typeof shape;
      back.polygons[0]?.forEach((ring, ringAt) =>
        ring.forEach((corner, at) => {
          const before = shape.polygons[0]?.[ringAt]?.[at];
          expect(Math.abs(corner.lon_e7 - (before?.lon_e7 ?? 0))).toBeLessThan(20);
          expect(Math.abs(corner.lat_e7 - (before?.lat_e7 ?? 0))).toBeLessThan(20);
        }),
      );
    }
  });

  it("measures areas, holes left out", () => {
    const whole = areaM2(polygonFromRings([SQUARE], "wgs84"));
    const holed = areaM2(polygonFromRings([SQUARE, HOLE], "wgs84"));
    // 0.01° by 0.01° at 39.9° north: 1,113.2 m by 854.0 m.
    expect(whole / (1113.2 * 854)).toBeCloseTo(1, 2);
    expect((whole - holed) / whole).toBeCloseTo(0.08, 3);
    expect(areaM2({ shape: "circle", centre: position([116, 40]), radius_m: 100 })).toBeCloseTo(31_416, 0);
  });

  it("knows whether a hole lies inside", () => {
    expect(isInside(HOLE, SQUARE)).toBe(true);
    expect(isInside([...HOLE, [116.41, 39.905]], SQUARE)).toBe(false);
  });

  it("keeps a corridor as its line, and draws it as wide as it is", () => {
    const shape = corridorFromLine(
      [
        [116.39, 39.9],
        [116.4, 39.91],
      ],
      60,
      "wgs84",
    );
    expect(shape).toEqual({
      shape: "corridor",
      line: [
        { lat_e7: 399_000_000, lon_e7: 1_163_900_000 },
        { lat_e7: 399_100_000, lon_e7: 1_164_000_000 },
      ],
      half_width_m: 60,
    });
    const [west, south, east, north] = shapeBounds(shape);
    expect(distanceM([west, 39.905], [east, 39.905])).toBeGreaterThan(854 + 100);
    expect(north - south).toBeCloseTo(0.01 + 120 / 111_320, 4);
    // 78,271.5 m a pixel at zoom 0 on the equator, with tiles of 512 pixels.
    expect(widthAtZoom0(78_271.5, 0)).toBeCloseTo(1, 4);
  });

  it("says what a kind needs besides its use", () => {
    expect(kindOf("depot", "golf", true)).toEqual({ use: "depot" });
    expect(kindOf("sensitive", "golf", true)).toEqual({ use: "sensitive", of: "golf" });
    expect(kindOf("repair_shop", "golf", true)).toEqual({ use: "repair_shop", of: { is_fixed: true } });
  });
});
