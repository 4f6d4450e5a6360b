/** Degrees, WGS-84. */
export interface Place {
  lat: number;
  lon: number;
}

/** Metres east and north of an origin. */
export interface Metres {
  x: number;
  y: number;
}

const METRES_PER_DEGREE = 111_320;

/** A flat picture of a county: straight enough within some hundred kilometres. */
export function projector(origin: Place): (place: Place) => Metres {
  const east = METRES_PER_DEGREE * Math.cos((origin.lat * Math.PI) / 180);
  return ({ lat, lon }) => ({ x: (lon - origin.lon) * east, y: (lat - origin.lat) * METRES_PER_DEGREE });
}

/** The distance of two places that are not far apart, metres. */
export function distance(a: Place, b: Place): number {
  const { x, y } = projector(a)(b);
  return Math.hypot(x, y);
}

/** The shape of a zone. */
export type Shape =
  | { kind: "circle"; centre: Place; radius_m: number }
  /** Rings: the first is the outline, the others are holes. */
  | { kind: "polygons"; polygons: Place[][][] };

interface E7 {
  lat_e7: number;
  lon_e7: number;
}

const fromE7 = ({ lat_e7, lon_e7 }: E7): Place => ({ lat: lat_e7 / 1e7, lon: lon_e7 / 1e7 });

/** A shape as the register writes it; null for one that is not known here. */
export function shapeOf(stored: { centre?: E7; radius_m?: number; polygons?: E7[][][] }): Shape | null {
  if (stored.centre && stored.radius_m) return { kind: "circle", centre: fromE7(stored.centre), radius_m: stored.radius_m };
  if (stored.polygons) return { kind: "polygons", polygons: stored.polygons.map((rings) => rings.map((ring) => ring.map(fromE7))) };
  return null;
}

function isInRing(place: Place, ring: readonly Place[]): boolean {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const a = ring[i];
    const b = ring[j];
    if (!a || !b) continue;
    const crosses = a.lat > place.lat !== b.lat > place.lat;
    if (crosses && place.lon < ((b.lon - a.lon) * (place.lat - a.lat)) / (b.lat - a.lat) + a.lon) inside = !inside;
  }
  return inside;
}

/** Whether a place lies in a shape. */
export function isInside(place: Place, shape: Shape): boolean {
  if (shape.kind === "circle") return distance(shape.centre, place) <= shape.radius_m;
  return shape.polygons.some(([outline, ...holes]) => outline !== undefined && isInRing(place, outline) && !holes.some((hole) => isInRing(place, hole)));
}
