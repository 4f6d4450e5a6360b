/** A track for the map: pieces of one speed band, the place at a time, and the trail behind a car that is followed. */

import type * as GeoJSON from "geojson";
import { type Datum, type LonLat, toDatum } from "./datum";
import { distanceM } from "./mercator";

/** One fix of `/devices/{id}/track`, as much of it as is drawn. */
export interface TrackFix {
  atMs: number;
  lon: number;
  lat: number;
  speedKmh: number | null;
  courseDeg: number | null;
}

/** A stop or gap beside the track. */
export interface TrackMark {
  kind: "stop" | "gap";
  startMs: number;
  endMs: number;
  at: LonLat;
  /** Where a gap ends. */
  to?: LonLat;
  label: string;
}

/** Upper ends of the bands but the last, km/h. */
export const SPEED_BANDS_KMH = [5, 30, 60, 90] as const;

export function speedBand(speedKmh: number | null): number {
  const band = SPEED_BANDS_KMH.findIndex((upper) => (speedKmh ?? 0) < upper);
  return band < 0 ? SPEED_BANDS_KMH.length : band;
}

/** Silence from which on the line is broken: what lies between is not known. */
const BREAK_S = 180;

/** Lines of one band each; the speed at the end of a step is the step's. */
export function speedLines(fixes: readonly TrackFix[], datum: Datum): GeoJSON.FeatureCollection<GeoJSON.LineString> {
  const features: GeoJSON.Feature<GeoJSON.LineString>[] = [];
  let line: number[][] = [];
  let lineBand = -1;
  const flush = (): void => {
    if (line.length > 1) {
      const geometry: GeoJSON.LineString = { type: "LineString", coordinates: line };
      features.push({ type: "Feature", geometry, properties: { band: lineBand } });
    }
  };
  fixes.forEach((fix, index) => {
    const before = fixes[index - 1];
    if (!before) return;
    const from = [...toDatum([before.lon, before.lat], datum)];
    const to = [...toDatum([fix.lon, fix.lat], datum)];
    const band = fix.atMs - before.atMs > BREAK_S * 1000 ? -1 : speedBand(fix.speedKmh);
    if (band !== lineBand) {
      flush();
      line = [from];
      lineBand = band;
    }
    line.push(to);
  });
  flush();
  return { type: "FeatureCollection", features };
}

/** Where the car was at a time, on the straight way between two fixes; null outside of the track. */
export function placeAtTime(fixes: readonly TrackFix[], atMs: number): (TrackFix & { index: number }) | null {
  const [first, last] = [fixes[0], fixes.at(-1)];
  if (!first || !last || atMs < first.atMs || atMs > last.atMs) return null;
  let [low, high] = [0, fixes.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (fixes[middle]!.atMs <= atMs) low = middle;
    else high = middle;
  }
  const [before, after] = [fixes[low]!, fixes[high]!];
  const share = after.atMs === before.atMs ? 0 : (atMs - before.atMs) / (after.atMs - before.atMs);
  return {
    index: low,
    atMs,
    lon: before.lon + (after.lon - before.lon) * share,
    lat: before.lat + (after.lat - before.lat) * share,
    speedKmh: before.speedKmh,
    courseDeg: courseBetween(before, after),
  };
}

/** The direction of the way itself where there is one: the terminal's own course lags in bends. */
function courseBetween(from: TrackFix, to: TrackFix): number | null {
  const near = distanceM([from.lon, from.lat], [to.lon, to.lat]) < 3;
  if (near) return from.courseDeg;
  const east = (to.lon - from.lon) * Math.cos((from.lat * Math.PI) / 180);
  return ((Math.atan2(east, to.lat - from.lat) * 180) / Math.PI + 360) % 360;
}

/** The box around places, or null. */
export function boundsOf(places: Iterable<LonLat>): [west: number, south: number, east: number, north: number] | null {
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [lon, lat] of places) {
    west = Math.min(west, lon);
    east = Math.max(east, lon);
    south = Math.min(south, lat);
    north = Math.max(north, lat);
  }
  return west <= east ? [west, south, east, north] : null;
}

/** The line behind a car that is followed: what is known already, then every new fix. */
export class Trail {
  readonly #pointsMax: number;
  #points: { atMs: number; place: LonLat }[] = [];

  constructor(pointsMax: number) {
    this.#pointsMax = pointsMax;
  }

  get points(): readonly { atMs: number; place: LonLat }[] {
    return this.#points;
  }

  /** Adds the newest fix; false when it is no newer than what is there. */
  add(atMs: number, place: LonLat): boolean {
    const last = this.#points.at(-1);
    if (last && (atMs <= last.atMs || (last.place[0] === place[0] && last.place[1] === place[1]))) return false;
    this.#points.push({ atMs, place });
    if (this.#points.length > this.#pointsMax) this.#points.shift();
    return true;
  }

  /** Puts earlier fixes in front. */
  begin(fixes: readonly TrackFix[]): void {
    const firstMs = this.#points[0]?.atMs ?? Infinity;
    const earlier = fixes.filter((fix) => fix.atMs < firstMs);
    const points = earlier.map((fix) => ({ atMs: fix.atMs, place: [fix.lon, fix.lat] as const }));
    this.#points = [...points, ...this.#points].slice(-this.#pointsMax);
  }

  line(datum: Datum, head?: LonLat): GeoJSON.FeatureCollection {
    const coordinates = this.#points.map(({ place }) => [...toDatum(place, datum)]);
    // The car is still on its way to its newest fix.
    if (head) coordinates.splice(-1, 1, [...head]);
    if (coordinates.length < 2) return { type: "FeatureCollection", features: [] };
    const feature: GeoJSON.Feature = { type: "Feature", geometry: { type: "LineString", coordinates }, properties: {} };
    return { type: "FeatureCollection", features: [feature] };
  }
}
