import { describe, expect, it } from "vitest";
import { type Datum, fromDatum, hasNationalOffset, type LonLat, toDatum } from "./datum";
import { distanceM } from "./mercator";

/** WGS-84, GCJ-02, BD-09 as (latitude, longitude): the values of the tests of `src/api/crs.rs`. */
const GOLDEN: [LonLat, LonLat, LonLat][] = [
  [
    [39.90105, 116.42079],
    [39.9024463, 116.4270221],
    [39.9084997, 116.4335011],
  ],
  [
    [30.591045, 114.366778],
    [30.5887432, 114.3723132],
    [30.5950146, 114.3787291],
  ],
  [
    [29.56301, 106.55156],
    [29.5601614, 106.5552777],
    [29.5664759, 106.5617083],
  ],
  [
    [31.2304, 121.4737],
    [31.2284577, 121.4782231],
    [31.2343106, 121.4847815],
  ],
];
const lonLat = ([lat, lon]: LonLat): LonLat => [lon, lat];

describe("datum", () => {
  it("moves four cities to the published places", () => {
    for (const [wgs84, gcj02, bd09] of GOLDEN) {
      for (const [datum, expected] of [
        ["gcj02", gcj02],
        ["bd09", bd09],
      ] as const) {
        const [lon, lat] = toDatum(lonLat(wgs84), datum);
        expect(Math.abs(lon - expected[1])).toBeLessThan(1.5e-7);
        expect(Math.abs(lat - expected[0])).toBeLessThan(1.5e-7);
      }
    }
  });

  it("comes back to within half a metre, everywhere in the rectangle", () => {
    for (const datum of ["gcj02", "bd09"] as Datum[]) {
      for (let lon = 73; lon < 137; lon += 1.7) {
        for (let lat = 2; lat < 55; lat += 1.3) {
          const there = toDatum([lon, lat], datum);
          expect(distanceM(fromDatum(there, datum), [lon, lat])).toBeLessThan(0.5);
        }
      }
    }
  });

  it("leaves places outside of the rectangle where they are", () => {
    for (const place of [
      [-122.4194, 37.7749],
      [100, 60],
      [100, 0],
      [139.7, 35.7],
    ] as LonLat[]) {
      expect(hasNationalOffset(place)).toBe(false);
      expect(toDatum(place, "gcj02")).toEqual(place);
      expect(fromDatum(place, "gcj02")).toEqual(place);
    }
  });
});
