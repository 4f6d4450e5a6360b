/** The place that a search asks about, as it is drawn and as it is written. */

import type * as GeoJSON from "geojson";
import { type Datum, fromDatum, type LonLat, toDatum } from "./datum";
import type { Box } from "./graticule";

/** A box, or one place; WGS-84. */
export type Sought = { box: Box } | { place: LonLat };

/** About a decimetre. */
const DIGITS = 6;

const isDegrees = (value: number, most: number): boolean => Number.isFinite(value) && Math.abs(value) <= most;

/** The numbers of a text with commas between them; none when one of them is no number. */
function numbersOf(text: string): number[] {
  const parts = text.split(/[,，\s]+/).filter(Boolean);
  const numbers = parts.map(Number);
  return numbers.every(Number.isFinite) ? numbers : [];
}

const written = (...degrees: readonly number[]): string => degrees.map((value) => Number(value.toFixed(DIGITS))).join(",");

export const boxText = ({ west, south, east, north }: Box): string => written(west, south, east, north);

/** West, south, east, north; null for what is no box. */
export function readBox(text: string): Box | null {
  const numbers = numbersOf(text);
  const [west = NaN, south = NaN, east = NaN, north = NaN] = numbers;
  const isThere = [west, east].every((lon) => isDegrees(lon, 180)) && [south, north].every((lat) => isDegrees(lat, 90));
  return numbers.length === 4 && isThere && west < east && south < north ? { west, south, east, north } : null;
}

/** Latitude first, as people write places. */
export const placeText = ([lon, lat]: LonLat): string => written(lat, lon);

export function readPlace(text: string): LonLat | null {
  const numbers = numbersOf(text);
  const [lat = NaN, lon = NaN] = numbers;
  return numbers.length === 2 && isDegrees(lat, 90) && isDegrees(lon, 180) ? [lon, lat] : null;
}

/** The box around what was drawn on a base map of this datum. */
export function boxOfRing(ring: readonly (readonly number[])[], datum: Datum): Box {
  const places = ring.map((corner) => fromDatum([corner[0] ?? 0, corner[1] ?? 0], datum));
  const [lons, lats] = [places.map(([lon]) => lon), places.map(([, lat]) => lat)];
  return { west: Math.min(...lons), south: Math.min(...lats), east: Math.max(...lons), north: Math.max(...lats) };
}

/** What of it is drawn. */
export function soughtFeatures(sought: Sought | null, datum: Datum): GeoJSON.FeatureCollection {
  const drawn = (place: LonLat): number[] => [...toDatum(place, datum)];
  const feature = (geometry: GeoJSON.Geometry): GeoJSON.FeatureCollection => ({
    type: "FeatureCollection",
    features: [{ type: "Feature", geometry, properties: {} }],
  });
  if (!sought) return { type: "FeatureCollection", features: [] };
  if ("place" in sought) return feature({ type: "Point", coordinates: drawn(sought.place) });
  const { west, south, east, north } = sought.box;
  const corners: LonLat[] = [[west, south], [east, south], [east, north], [west, north], [west, south]];
  return feature({ type: "Polygon", coordinates: [corners.map(drawn)] });
}
