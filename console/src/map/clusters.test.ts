import { describe, expect, it } from "vitest";
import { clusterFeatures, clusters, shortCount } from "./clusters";
import { Flag, Fleet } from "./fleet";
import { CarState, encodeFrame, FrameKind, FrameReader } from "./wire";

function fleetOf(places: [lon: number, lat: number, state?: CarState][]): Fleet {
  const fleet = new Fleet(0);
  const records = places.map(([lonDeg, latDeg, state], at) => ({
    car: at + 1,
    lonDeg,
    latDeg,
    fixTimeS: 1,
    state: state ?? CarState.parked,
    speedKmh: 0,
    courseDeg: 0,
  }));
  fleet.apply(new FrameReader(encodeFrame(FrameKind.snapshot, records)), 0);
  return fleet;
}

describe("clusters", () => {
  it("counts every car that is shown once, by state", () => {
    const fleet = fleetOf([
      [115.3, 39.3, CarState.moving],
      [115.31, 39.31],
      [115.32, 39.3],
      [102, 25],
    ]);
    fleet.setFlag(fleet.slotOf(3), Flag.hidden, true);
    const groups = clusters(fleet, 5).sort((a, b) => b.count - a.count);
    expect(groups.map((group) => group.count)).toEqual([2, 1]);
    expect(groups[0]?.byState[CarState.moving]).toBe(1);
    expect(groups[0]?.lon).toBeCloseTo(115.305, 4);
    expect(groups[0]?.lat).toBeCloseTo(39.305, 3);
  });

  it("splits groups as the map comes nearer, and joins none", () => {
    const fleet = fleetOf(
      Array.from({ length: 500 }, (_, at) => [110 + (at % 25) / 10, 30 + Math.floor(at / 25) / 10]),
    );
    const counts = [3, 5, 7, 9].map((zoom) => clusters(fleet, zoom).length);
    expect([...counts].sort((a, b) => a - b)).toEqual(counts);
    for (const zoom of [3, 9]) expect(clusters(fleet, zoom).reduce((sum, group) => sum + group.count, 0)).toBe(500);
  });

  it("writes counts short", () => {
    expect([7, 999, 1_000, 1_234, 30_000].map(shortCount)).toEqual(["7", "999", "1k", "1.2k", "30k"]);
    expect(clusterFeatures(clusters(fleetOf([[110, 30]]), 5)).features[0]?.properties?.label).toBe("1");
  });
});
