/**
 * Datums of base maps: WGS-84 inside, GCJ-02 or BD-09 for maps that draw with the national offset.
 *
 * The same formulas and golden values as `src/api/crs.rs`. Everything in the console is WGS-84; places are shifted at the last
 * moment before they are drawn, and clicks and drawn outlines are shifted back before anything else sees them.
 */

export type Datum = "wgs84" | "gcj02" | "bd09";

/** Longitude and latitude, degrees. */
export type LonLat = readonly [lon: number, lat: number];

const SEMI_MAJOR_AXIS_M = 6_378_245;
const ECCENTRICITY_SQUARED = 0.006693421622965943;
const BD09_TURN = (Math.PI * 3000) / 180;
/** Steps of the inverse: each divides the error by some thousands. */
const INVERSE_STEPS = 4;

/** Whether GCJ-02 differs from WGS-84 here. */
export function hasNationalOffset([lon, lat]: LonLat): boolean {
  return lat >= 0.8293 && lat <= 55.8271 && lon >= 72.004 && lon <= 137.8347;
}

/** A WGS-84 place as the base map draws it. */
export function toDatum(place: LonLat, datum: Datum): LonLat {
  switch (datum) {
    case "wgs84":
      return place;
    case "gcj02":
      return gcj02(place);
    case "bd09":
      return bd09(gcj02(place));
  }
}

/** The WGS-84 place of a point of the base map. */
export function fromDatum(drawn: LonLat, datum: Datum): LonLat {
  if (datum === "wgs84") return drawn;
  let [lon, lat] = drawn;
  for (let step = 0; step < INVERSE_STEPS; step += 1) {
    const [lonThere, latThere] = toDatum([lon, lat], datum);
    lon += drawn[0] - lonThere;
    lat += drawn[1] - latThere;
  }
  return [lon, lat];
}

function gcj02(place: LonLat): LonLat {
  if (!hasNationalOffset(place)) return place;
  const [lon, lat] = place;
  const [x, y] = [lon - 105, lat - 35];
  const latitude = (lat * Math.PI) / 180;
  const curvature = 1 - ECCENTRICITY_SQUARED * Math.sin(latitude) ** 2;
  const meridianM = (SEMI_MAJOR_AXIS_M * (1 - ECCENTRICITY_SQUARED)) / curvature ** 1.5;
  const parallelM = (SEMI_MAJOR_AXIS_M / Math.sqrt(curvature)) * Math.cos(latitude);
  return [
    lon + ((eastShiftM(x, y) / parallelM) * 180) / Math.PI,
    lat + ((northShiftM(x, y) / meridianM) * 180) / Math.PI,
  ];
}

function wave(argument: number, first: number, second: number, a: number, b: number): number {
  return ((a * Math.sin(argument * first * Math.PI) + b * Math.sin(argument * second * Math.PI)) * 2) / 3;
}

function northShiftM(x: number, y: number): number {
  return (
    -100 +
    2 * x +
    3 * y +
    0.2 * y * y +
    0.1 * x * y +
    0.2 * Math.sqrt(Math.abs(x)) +
    wave(x, 6, 2, 20, 20) +
    wave(y, 1, 1 / 3, 20, 40) +
    wave(y, 1 / 12, 1 / 30, 160, 320)
  );
}

function eastShiftM(x: number, y: number): number {
  return (
    300 +
    x +
    2 * y +
    0.1 * x * x +
    0.1 * x * y +
    0.1 * Math.sqrt(Math.abs(x)) +
    wave(x, 6, 2, 20, 20) +
    wave(x, 1, 1 / 3, 20, 40) +
    wave(x, 1 / 12, 1 / 30, 150, 300)
  );
}

function bd09([lon, lat]: LonLat): LonLat {
  const radius = Math.hypot(lon, lat) + 0.00002 * Math.sin(lat * BD09_TURN);
  const angle = Math.atan2(lat, lon) + 0.000003 * Math.cos(lon * BD09_TURN);
  return [radius * Math.cos(angle) + 0.0065, radius * Math.sin(angle) + 0.006];
}
