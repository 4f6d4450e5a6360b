import { describe, expect, it } from "vitest";
import { toDatum } from "./datum";
import { Flag, Fleet } from "./fleet";
import { distanceM, lonLatOf } from "./mercator";
import { type CarRecord, CarState, encodeFrame, FrameKind, FrameReader } from "./wire";

const START_MS = 1_000_000;

function car(
  number: number,
  lonDeg: number,
  latDeg: number,
  fixTimeS: number,
  more: Partial<CarRecord> = {},
): CarRecord {
  return { car: number, lonDeg, latDeg, fixTimeS, state: CarState.moving, speedKmh: 36, courseDeg: 90, ...more };
}

const snapshot = (...cars: CarRecord[]): FrameReader => new FrameReader(encodeFrame(FrameKind.snapshot, cars));
const update = (...cars: CarRecord[]): FrameReader => new FrameReader(encodeFrame(FrameKind.update, cars));

function drawn(fleet: Fleet, number: number, nowMs: number): readonly [number, number] {
  const { x, y } = fleet.placeAt(fleet.slotOf(number), nowMs);
  return lonLatOf(x, y);
}

describe("fleet", () => {
  it("drives a car to its new fix in the time between the fixes", () => {
    const fleet = new Fleet(START_MS);
    fleet.apply(snapshot(car(7, 116, 40, 100)), START_MS);
    fleet.apply(update(car(7, 116.01, 40, 110)), START_MS + 2_000);
    const [begin] = drawn(fleet, 7, START_MS + 2_000);
    const [half] = drawn(fleet, 7, START_MS + 7_000);
    const [end] = drawn(fleet, 7, START_MS + 12_000);
    expect(begin).toBeCloseTo(116, 6);
    expect(half).toBeCloseTo(116.005, 6);
    expect(end).toBeCloseTo(116.01, 6);
    expect(drawn(fleet, 7, START_MS + 99_000)[0]).toBeCloseTo(116.01, 6);
    expect(fleet.arrivesS).toBe(12);
  });

  it("turns to a newer fix from where the car is drawn", () => {
    const fleet = new Fleet(START_MS);
    fleet.apply(snapshot(car(7, 116, 40, 100)), START_MS);
    fleet.apply(update(car(7, 116.01, 40, 110)), START_MS);
    fleet.apply(update(car(7, 116.02, 40, 115)), START_MS + 5_000);
    expect(drawn(fleet, 7, START_MS + 5_000)[0]).toBeCloseTo(116.005, 6);
    expect(drawn(fleet, 7, START_MS + 10_000)[0]).toBeCloseTo(116.02, 6);
  });

  it("makes a jump instead of driving it, and stands still for who wants no motion", () => {
    const fleet = new Fleet(START_MS);
    fleet.apply(snapshot(car(7, 116, 40, 100), car(8, 116, 40, 100)), START_MS);
    fleet.apply(update(car(7, 117, 40, 110)), START_MS);
    expect(drawn(fleet, 7, START_MS)[0]).toBeCloseTo(117, 6);
    fleet.apply(update(car(8, 116.01, 40, 110)), START_MS, true);
    expect(drawn(fleet, 8, START_MS)[0]).toBeCloseTo(116.01, 6);
  });

  it("is exact to half a metre far from where the first car was", () => {
    const fleet = new Fleet(START_MS);
    fleet.apply(snapshot(car(1, 87.6, 43.8, 1), car(2, 121.4737, 31.2304, 1), car(3, 110.35, 20.02, 1)), START_MS);
    expect(distanceM(drawn(fleet, 2, START_MS), [121.4737, 31.2304])).toBeLessThan(0.5);
    expect(distanceM(drawn(fleet, 3, START_MS), [110.35, 20.02])).toBeLessThan(0.5);
  });

  it("keeps the other cars whole when a snapshot drops some", () => {
    const fleet = new Fleet(START_MS);
    const all = Array.from({ length: 600 }, (_, at) => car(at + 1, 110 + at / 1000, 30, 100, { speedKmh: at % 200 }));
    fleet.apply(snapshot(...all), START_MS);
    fleet.setFlag(fleet.slotOf(600), Flag.selected, true);
    const left = all.filter((record) => record.car % 3 === 0);
    fleet.apply(snapshot(...left), START_MS);
    expect(fleet.size).toBe(200);
    for (const record of left) {
      const slot = fleet.slotOf(record.car);
      expect(fleet.carIn(slot)).toBe(record.car);
      expect(fleet.speedKmh[slot]).toBe(record.speedKmh);
      expect(drawn(fleet, record.car, START_MS)[0]).toBeCloseTo(record.lonDeg, 5);
    }
    expect(fleet.slotOf(1)).toBe(-1);
    expect(fleet.flags(fleet.slotOf(600))).toBe(Flag.selected);
  });

  it("keeps flags over updates and counts changes only when there are any", () => {
    const fleet = new Fleet(START_MS);
    fleet.apply(snapshot(car(1, 116, 40, 100)), START_MS);
    fleet.setFlag(0, Flag.hidden, true);
    const before = fleet.looksVersion;
    fleet.setFlag(0, Flag.hidden, true);
    expect(fleet.looksVersion).toBe(before);
    fleet.apply(update(car(1, 116, 40, 101, { state: CarState.parked })), START_MS);
    expect(fleet.isHidden(0)).toBe(true);
    expect(fleet.state(0)).toBe(CarState.parked);
    expect(fleet.courseDeg(0)).toBeCloseTo(90, 2);
  });

  it("draws on the datum of the base map and keeps the places as they came", () => {
    const fleet = new Fleet(START_MS);
    fleet.apply(snapshot(car(1, 116.42079, 39.90105, 100)), START_MS);
    fleet.setDatum("gcj02");
    expect(distanceM(drawn(fleet, 1, START_MS), toDatum([116.42079, 39.90105], "gcj02"))).toBeLessThan(0.5);
    expect(fleet.lonDeg[0]).toBe(116.42079);
    fleet.setDatum("wgs84");
    expect(distanceM(drawn(fleet, 1, START_MS), [116.42079, 39.90105])).toBeLessThan(0.5);
  });

  it("has no place for a car that was never anywhere", () => {
    const fleet = new Fleet(START_MS);
    fleet.apply(snapshot(car(1, 0, 0, 0, { state: CarState.noPosition }), car(2, 116, 40, 5)), START_MS);
    expect(fleet.hasPlace(fleet.slotOf(1))).toBe(false);
    expect(drawn(fleet, 2, START_MS)[0]).toBeCloseTo(116, 6);
  });
});
