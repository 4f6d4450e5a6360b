import { describe, expect, it } from "vitest";
import { Directory } from "./directory";
import { Fleet } from "./fleet";
import { Tally } from "./tally";
import { CarState, encodeFrame, FrameKind, FrameReader } from "./wire";

const units = [
  { id: 1, name: "县政府", parent: null },
  { id: 20, name: "水利局", parent: 1 },
  { id: 21, name: "河道所", parent: 20 },
];
const car = (n: number, unit: number | null) => ({ id: n, n, device: String(n), plate: "", unit, driver: null, class: null });

function frame(kind: FrameKind, states: [car: number, state: CarState][]): FrameReader {
  const records = states.map(([number, state]) => ({
    car: number, lonDeg: 110, latDeg: 30, fixTimeS: 1, state, speedKmh: 0, courseDeg: 0,
  }));
  return new FrameReader(encodeFrame(kind, records));
}

describe("tally", () => {
  it("counts a car in its unit and in all above, and follows changes", () => {
    const fleet = new Fleet(0);
    const tally = new Tally(fleet, new Directory(units, [car(5, 21), car(6, 20), car(7, null)]));
    fleet.apply(frame(FrameKind.snapshot, [[5, CarState.moving], [6, CarState.parked], [7, CarState.idle], [99, CarState.offline]]), 0);
    const { all, byUnit } = tally.count();
    expect(all).toEqual([1, 1, 1, 1, 0]);
    expect(byUnit.get(1)).toEqual([0, 1, 0, 1, 0]);
    expect(byUnit.get(20)).toEqual([0, 1, 0, 1, 0]);
    expect(byUnit.get(21)).toEqual([0, 0, 0, 1, 0]);
    fleet.apply(frame(FrameKind.update, [[5, CarState.parked]]), 0);
    expect(tally.count().byUnit.get(1)).toEqual([0, 2, 0, 0, 0]);
    fleet.apply(frame(FrameKind.snapshot, [[6, CarState.parked]]), 0);
    expect(tally.count().byUnit.get(21)).toEqual([0, 0, 0, 0, 0]);
  });
});
