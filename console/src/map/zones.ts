/** Zones as the registers hold them, as GeoJSON for the map, and back from what was drawn. */

import type * as GeoJSON from "geojson";
import { type Datum, fromDatum, type LonLat, toDatum } from "./datum";
import { distanceM, metresPerUnit, placeFrom } from "./mercator";

export interface Position {
  lat_e7: number;
  lon_e7: number;
}

export type Shape =
  | { shape: "circle"; centre: Position; radius_m: number }
  | { shape: "polygons"; polygons: Position[][][] }
  | { shape: "corridor"; line: Position[]; half_width_m: number };

export interface ZoneKind {
  use: string;
  of?: unknown;
}

/** What a row of the register `zone` says. */
export interface ZoneRow {
  name: string;
  kind: ZoneKind;
  unit?: number | null;
  shape: Shape;
  source: string;
  accuracy_m?: number | null;
}

/** A zone with its number and newest version. */
export interface Zone {
  id: number;
  version: number;
  validFrom: string | null;
  validTo: string | null;
  row: ZoneRow;
}

/** The uses a zone can have, in the order of the list; those that say more have an `of`. */
export const ZONE_USES = [
  "depot",
  "parking_lot",
  "service_area",
  "forbidden",
  "allowance",
  "sensitive",
  "repair_shop",
  "fuel_station",
  "toll_or_parking",
  "area",
  "place",
] as const;
export type ZoneUse = (typeof ZONE_USES)[number];

export const SENSITIVE_KINDS = [
  "scenic_spot",
  "golf",
  "club",
  "ktv",
  "bath_house",
  "tea_house",
  "farm_restaurant",
  "temple",
  "housing",
  "school",
  "hospital",
  "hotel",
  "restaurant",
  "market",
] as const;

/** The kind with what it needs besides its use. */
export function kindOf(use: ZoneUse, sensitive: string, isFixed: boolean): ZoneKind {
  if (use === "sensitive") return { use, of: sensitive };
  if (use === "repair_shop") return { use, of: { is_fixed: isFixed } };
  return { use };
}

const CIRCLE_CORNERS = 72;
const WORLD_PX = 512;

export function lonLat(position: Position): LonLat {
  return [position.lon_e7 / 1e7, position.lat_e7 / 1e7];
}

export function position([lon, lat]: LonLat): Position {
  return { lat_e7: Math.round(lat * 1e7), lon_e7: Math.round(lon * 1e7) };
}

/** The ring of a circle, closed. */
export function circleRing(centre: LonLat, radiusM: number): LonLat[] {
  const ring = Array.from({ length: CIRCLE_CORNERS }, (_, corner) =>
    placeFrom(centre, radiusM, (corner * 360) / CIRCLE_CORNERS),
  );
  return [...ring, ring[0]!];
}

function closed(ring: readonly LonLat[]): LonLat[] {
  return ring.length > 0 ? [...ring, ring[0]!] : [];
}

/** A drawn ring without the corner that closes it. */
export function opened(ring: readonly (readonly number[])[]): LonLat[] {
  const corners = ring.map(([lon, lat]): LonLat => [lon ?? 0, lat ?? 0]);
  const [first, last] = [corners[0], corners.at(-1)];
  const isClosed = corners.length > 1 && first?.[0] === last?.[0] && first?.[1] === last?.[1];
  return isClosed ? corners.slice(0, -1) : corners;
}

/** The geometry of a shape on a base map of this datum. */
export function shapeGeometry(shape: Shape, datum: Datum): GeoJSON.Geometry {
  const drawn = (place: LonLat): number[] => [...toDatum(place, datum)];
  switch (shape.shape) {
    case "circle":
      return { type: "Polygon", coordinates: [circleRing(lonLat(shape.centre), shape.radius_m).map(drawn)] };
    case "polygons":
      return {
        type: "MultiPolygon",
        coordinates: shape.polygons.map((rings) => rings.map((ring) => closed(ring.map(lonLat)).map(drawn))),
      };
    case "corridor":
      return { type: "LineString", coordinates: shape.line.map((point) => drawn(lonLat(point))) };
  }
}

/** A point inside or on the shape, for its name. */
export function labelPoint(shape: Shape): LonLat {
  switch (shape.shape) {
    case "circle":
      return lonLat(shape.centre);
    case "corridor":
      return lonLat(shape.line[Math.floor(shape.line.length / 2)] ?? { lat_e7: 0, lon_e7: 0 });
    case "polygons": {
      const [west, south, east, north] = around((shape.polygons[0]?.[0] ?? []).map(lonLat));
      return [(west + east) / 2, (south + north) / 2];
    }
  }
}

/** The box around a shape. */
export function shapeBounds(shape: Shape): [west: number, south: number, east: number, north: number] {
  switch (shape.shape) {
    case "circle":
      return around(circleRing(lonLat(shape.centre), shape.radius_m));
    case "polygons":
      return around(shape.polygons.flatMap((rings) => (rings[0] ?? []).map(lonLat)));
    case "corridor":
      return around(shape.line.flatMap((point) => circleRing(lonLat(point), shape.half_width_m)));
  }
}

function around(places: readonly LonLat[]): [west: number, south: number, east: number, north: number] {
  const [lons, lats] = [places.map((at) => at[0]), places.map((at) => at[1])];
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}

/** Width in pixels at zoom 0 of so many metres; doubles with every zoom level. */
export function widthAtZoom0(metres: number, latDeg: number): number {
  return (metres / metresPerUnit(latDeg)) * WORLD_PX;
}

/** Outlines and names of zones as two sets of features. */
export function zoneFeatures(
  zones: readonly Zone[],
  datum: Datum,
): { outlines: GeoJSON.FeatureCollection; names: GeoJSON.FeatureCollection<GeoJSON.Point> } {
  const outlines: GeoJSON.Feature[] = [];
  const names: GeoJSON.Feature<GeoJSON.Point>[] = [];
  for (const { id, row } of zones) {
    const { shape } = row;
    const at = labelPoint(shape);
    const properties = { id, name: row.name, use: row.kind.use };
    const width = shape.shape === "corridor" ? widthAtZoom0(shape.half_width_m * 2, at[1]) : 0;
    outlines.push({ type: "Feature", id, geometry: shapeGeometry(shape, datum), properties: { ...properties, width } });
    names.push({ type: "Feature", id, geometry: { type: "Point", coordinates: [...toDatum(at, datum)] }, properties });
  }
  return {
    outlines: { type: "FeatureCollection", features: outlines },
    names: { type: "FeatureCollection", features: names },
  };
}

/** A circle from its drawn ring: middle of the box, mean distance of the corners. */
export function circleFromRing(drawn: readonly (readonly number[])[], datum: Datum): Shape {
  const ring = opened(drawn).map((point) => fromDatum(point, datum));
  const [west, south, east, north] = around(ring);
  const centre: LonLat = [(west + east) / 2, (south + north) / 2];
  const radius = ring.reduce((sum, at) => sum + distanceM(centre, at), 0) / Math.max(1, ring.length);
  return { shape: "circle", centre: position(centre), radius_m: Math.max(1, Math.round(radius)) };
}

/** A polygon from its drawn rings, the outer one first. */
export function polygonFromRings(rings: readonly (readonly (readonly number[])[])[], datum: Datum): Shape {
  const corners = (ring: readonly (readonly number[])[]): Position[] =>
    opened(ring).map((point) => position(fromDatum(point, datum)));
  return { shape: "polygons", polygons: [rings.map(corners)] };
}

export function corridorFromLine(line: readonly (readonly number[])[], halfWidthM: number, datum: Datum): Shape {
  const points = line.map(([lon, lat]) => position(fromDatum([lon ?? 0, lat ?? 0], datum)));
  return { shape: "corridor", line: points, half_width_m: halfWidthM };
}

/** Whether every corner of `hole` lies inside `ring`. */
export function isInside(hole: readonly LonLat[], ring: readonly LonLat[]): boolean {
  return hole.every((corner) => contains(ring, corner));
}

/** Even-odd test. */
export function contains(ring: readonly LonLat[], [x, y]: LonLat): boolean {
  let inside = false;
  ring.forEach(([x1, y1], corner) => {
    const [x2, y2] = ring[(corner + 1) % ring.length]!;
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  });
  return inside;
}

/** Area in square metres of a shape, for its form; short ways only. */
export function areaM2(shape: Shape): number {
  switch (shape.shape) {
    case "circle":
      return Math.PI * shape.radius_m ** 2;
    case "corridor": {
      const points = shape.line.map(lonLat);
      const length = points.slice(1).reduce((sum, at, index) => sum + distanceM(points[index]!, at), 0);
      return length * shape.half_width_m * 2 + Math.PI * shape.half_width_m ** 2;
    }
    case "polygons":
      return shape.polygons.reduce((sum, rings) => {
        const [outer, ...holes] = rings.map((ring) => ringAreaM2(ring.map(lonLat)));
        return sum + (outer ?? 0) - holes.reduce((all, hole) => all + hole, 0);
      }, 0);
  }
}

function ringAreaM2(ring: readonly LonLat[]): number {
  const start = ring[0];
  if (!start) return 0;
  const eastM = metresPerUnit(start[1]) / 360;
  const northM = metresPerUnit(0) / 360;
  let twice = 0;
  ring.forEach(([lon, lat], corner) => {
    const [nextLon, nextLat] = ring[(corner + 1) % ring.length]!;
    twice += (lon - start[0]) * eastM * (nextLat - start[1]) * northM;
    twice -= (nextLon - start[0]) * eastM * (lat - start[1]) * northM;
  });
  return Math.abs(twice) / 2;
}
