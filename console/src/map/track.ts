/** A track for the map: its fixes, the box around them, and the trail behind a car. */

import type * as GeoJSON from "geojson";
import { type Datum, type LonLat, toDatum } from "./datum";

/** One fix of `/devices/{id}/track`, as much of it as is drawn. */
export interface TrackFix {
  atMs: number;
  lon: number;
  lat: number;
  speedKmh: number | null;
  courseDeg: number | null;
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
