/** Lines of equal longitude and latitude, and a bar that says how far a kilometre is: what a map without a base map shows. */

import type * as GeoJSON from "geojson";
import { metresPerUnit } from "./mercator";

/** Steps between lines, degrees: each reads well in decimals. */
const STEPS_DEG = [30, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001];
/** Pixels between lines, at the least. */
const APART_PX = 150;
const LATITUDE_MAX = 85;
const WORLD_PX = 512;

export interface Box {
  west: number;
  south: number;
  east: number;
  north: number;
}

/** The finest step whose lines are not too near to each other on a map of this width. */
export function stepDeg(box: Box, widthPx: number): number {
  const pxPerDegree = widthPx / Math.max(box.east - box.west, 1e-9);
  return STEPS_DEG.findLast((step) => step * pxPerDegree >= APART_PX) ?? STEPS_DEG[0]!;
}

/** Multiples of the step within a range. */
export function ticks(from: number, to: number, step: number): number[] {
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => (first + index) * step);
}

/** Lines across the box and half of it on every side, so that a small move needs no new ones. */
export function graticule(box: Box, widthPx: number): GeoJSON.FeatureCollection<GeoJSON.LineString> {
  const step = stepDeg(box, widthPx);
  const [width, height] = [box.east - box.west, box.north - box.south];
  const [west, east] = [box.west - width / 2, box.east + width / 2];
  const south = Math.max(-LATITUDE_MAX, box.south - height / 2);
  const north = Math.min(LATITUDE_MAX, box.north + height / 2);
  const line = (coordinates: number[][], isMain: boolean): GeoJSON.Feature<GeoJSON.LineString> => ({
    type: "Feature",
    geometry: { type: "LineString", coordinates },
    properties: { isMain },
  });
  const isMain = (at: number): boolean => Math.abs(Math.round(at / (step * 5)) * step * 5 - at) < step / 100;
  return {
    type: "FeatureCollection",
    features: [
      ...ticks(west, east, step).map((lon) =>
        line(
          [
            [lon, south],
            [lon, north],
          ],
          isMain(lon),
        ),
      ),
      ...ticks(south, north, step).map((lat) =>
        line(
          [
            [west, lat],
            [east, lat],
          ],
          isMain(lat),
        ),
      ),
    ],
  };
}

/** A degree as it stands at the edge of the map. */
export function degreeLabel(value: number, step: number, axis: "lon" | "lat"): string {
  const decimals = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
  const side = axis === "lon" ? (value < 0 ? "W" : "E") : value < 0 ? "S" : "N";
  return `${Math.abs(value).toFixed(decimals)}°${side}`;
}

/** The longest round distance that fits, and its width. */
export function scaleBar(zoom: number, latDeg: number, widthMaxPx: number): { metres: number; widthPx: number } {
  const metresPerPx = metresPerUnit(latDeg) / (2 ** zoom * WORLD_PX);
  const longest = metresPerPx * widthMaxPx;
  const power = 10 ** Math.floor(Math.log10(longest));
  const metres = ([5, 2, 1].find((times) => times * power <= longest) ?? 1) * power;
  return { metres, widthPx: metres / metresPerPx };
}
