/** Web Mercator with the whole world from 0 to 1, x to the east and y to the south, as MapLibre counts. */

import type { LonLat } from "./datum";

export const EARTH_CIRCUMFERENCE_M = 40_075_016.686;

export function mercatorX(lonDeg: number): number {
  return (180 + lonDeg) / 360;
}

export function mercatorY(latDeg: number): number {
  const sine = Math.sin((latDeg * Math.PI) / 180);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

export function lonDegOf(x: number): number {
  return x * 360 - 180;
}

export function latDegOf(y: number): number {
  return (360 / Math.PI) * Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) - 90;
}

export function lonLatOf(x: number, y: number): LonLat {
  return [lonDegOf(x), latDegOf(y)];
}

/** Metres on the ground of one unit of Mercator at a latitude. */
export function metresPerUnit(latDeg: number): number {
  return EARTH_CIRCUMFERENCE_M * Math.cos((latDeg * Math.PI) / 180);
}

/** Distance on the sphere, metres. */
export function distanceM(a: LonLat, b: LonLat): number {
  const rad = Math.PI / 180;
  const dLat = (b[1] - a[1]) * rad;
  const dLon = (b[0] - a[0]) * rad;
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a[1] * rad) * Math.cos(b[1] * rad) * Math.sin(dLon / 2) ** 2;
  return (EARTH_CIRCUMFERENCE_M / Math.PI) * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** The place so many metres from `from` in a direction (degrees clockwise from north), for short ways. */
export function placeFrom(from: LonLat, metres: number, courseDeg: number): LonLat {
  const rad = Math.PI / 180;
  const degrees = metres / (EARTH_CIRCUMFERENCE_M / 360);
  return [
    from[0] + (degrees * Math.sin(courseDeg * rad)) / Math.cos(from[1] * rad),
    from[1] + degrees * Math.cos(courseDeg * rad),
  ];
}
