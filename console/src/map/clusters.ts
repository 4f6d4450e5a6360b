/**
 * Cars counted by place, for when a car would be smaller than its own arrow.
 *
 * The grid is fixed to the world and halves with every zoom level, so that groups neither jump while the map is moved nor depend on
 * who came first. A group is drawn at the middle of its cars.
 */

import type * as GeoJSON from "geojson";
import type { Fleet } from "./fleet";
import { lonLatOf } from "./mercator";
import { CAR_STATES, CarState } from "./wire";

/** From this zoom on every car is drawn by itself. */
export const CLUSTER_BELOW_ZOOM = 9;
/** Width of a cell on the screen, pixels; the world is 512 px wide at zoom 0. */
const CELL_PX = 64;
const WORLD_PX = 512;

export interface Cluster {
  lon: number;
  lat: number;
  count: number;
  /** Cars of each state, by its number. */
  byState: number[];
}

interface Sum {
  x: number;
  y: number;
  count: number;
  byState: number[];
}

/** The groups at a zoom level. Hidden cars and those without a place do not count. */
export function clusters(fleet: Fleet, zoom: number, nowMs: number): Cluster[] {
  const cells = (2 ** Math.floor(zoom) * WORLD_PX) / CELL_PX;
  const sums = new Map<number, Sum>();
  for (let slot = 0; slot < fleet.size; slot += 1) {
    if (fleet.isHidden(slot) || !fleet.hasPlace(slot)) continue;
    const { x, y } = fleet.placeAt(slot, nowMs);
    const key = Math.floor(y * cells) * cells + Math.floor(x * cells);
    let sum = sums.get(key);
    if (!sum) {
      sum = { x: 0, y: 0, count: 0, byState: new Array<number>(CAR_STATES).fill(0) };
      sums.set(key, sum);
    }
    sum.x += x;
    sum.y += y;
    sum.count += 1;
    const state = fleet.state(slot);
    sum.byState[state] = (sum.byState[state] ?? 0) + 1;
  }
  return Array.from(sums.values(), ({ x, y, count, byState }) => {
    const [lon, lat] = lonLatOf(x / count, y / count);
    return { lon, lat, count, byState };
  });
}

/** Groups as GeoJSON points: `count`, a short `label`, and the share that moves. */
export function clusterFeatures(groups: readonly Cluster[]): GeoJSON.FeatureCollection<GeoJSON.Point> {
  return {
    type: "FeatureCollection",
    features: groups.map(({ lon, lat, count, byState }) => ({
      type: "Feature",
      geometry: { type: "Point", coordinates: [lon, lat] },
      properties: { count, label: shortCount(count), moving: (byState[CarState.moving] ?? 0) / count },
    })),
  };
}

/** 1234 as 1.2k. */
export function shortCount(count: number): string {
  if (count < 1000) return String(count);
  const thousands = count / 1000;
  return `${thousands < 10 ? thousands.toFixed(1).replace(/\.0$/, "") : Math.round(thousands)}k`;
}
