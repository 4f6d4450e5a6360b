/** Found cars on the map: each where it was, with its plate beside it. */

import type { LonLat } from "../../map/datum";
import { Fleet } from "../../map/fleet";
import { CarState, encodeFrame, FrameKind, FrameReader } from "../../map/wire";

export interface Mark {
  n: number;
  text: string;
  at: LonLat;
  atMs: number;
}

export class FoundCars {
  readonly fleet = new Fleet(performance.now());
  onchange: (() => void) | null = null;
  #texts = new Map<number, string>();

  textOf(car: number): string {
    return this.#texts.get(car) ?? "";
  }

  /** Shows these, and nothing that was shown before. */
  show(marks: readonly Mark[]): void {
    this.#texts = new Map(marks.map(({ n, text }) => [n, text]));
    const records = marks.map(({ n, at: [lonDeg, latDeg], atMs }) => ({
      car: n,
      lonDeg,
      latDeg,
      fixTimeS: Math.floor(atMs / 1000),
      state: CarState.parked,
      speedKmh: 0,
      courseDeg: 0,
    }));
    this.fleet.apply(new FrameReader(encodeFrame(FrameKind.snapshot, records)), performance.now(), true);
    this.onchange?.();
  }
}
