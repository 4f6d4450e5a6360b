/**
 * Cars counted by place, for when a car would be smaller than its own arrow.
 *
 * The grid is fixed to the world and halves with every zoom level, so that groups neither jump while the map is moved nor depend on
 * who came first. A group is drawn at the middle of its cars.
 */

import type * as GeoJSON from "geojson";
import { type Fleet, MOTION_FLOATS } from "./fleet";
import { lonLatOf } from "./mercator";
import { CAR_STATES, CarState } from "./wire";

/** From this zoom on every car is drawn by itself. */
export const CLUSTER_BELOW_ZOOM = 9;
/** Width of a cell on the screen, pixels; the world is 512 px wide at zoom 0. */
const CELL_PX = 64;
const WORLD_PX = 512;
const SUM_NUMBERS = 2 + CAR_STATES;

export interface Cluster {
  lon: number;
  lat: number;
  count: number;
  /** Cars of each state, by its number. */
  byState: number[];
}

/** The groups at a zoom level, by the newest places. Hidden cars and those without a place do not count. */
export function clusters(fleet: Fleet, zoom: number): Cluster[] {
  const cells = (2 ** Math.floor(zoom) * WORLD_PX) / CELL_PX;
  const { motion, origin } = fleet;
  const groupOf = new Map<number, number>();
  // Sum of x, sum of y, then cars of each state, for each group.
  const sums: number[] = [];
  for (let slot = 0; slot < fleet.size; slot += 1) {
    if (fleet.isHidden(slot) || !fleet.hasPlace(slot)) continue;
    const x = origin.x + (motion[slot * MOTION_FLOATS + 2] ?? 0);
    const y = origin.y + (motion[slot * MOTION_FLOATS + 3] ?? 0);
    const key = Math.floor(y * cells) * cells + Math.floor(x * cells);
    let at = groupOf.get(key);
    if (at === undefined) {
      at = sums.length;
      groupOf.set(key, at);
      for (let number = 0; number < SUM_NUMBERS; number += 1) sums.push(0);
    }
    const state = at + 2 + fleet.state(slot);
    sums[at] = (sums[at] ?? 0) + x;
    sums[at + 1] = (sums[at + 1] ?? 0) + y;
    sums[state] = (sums[state] ?? 0) + 1;
  }
  return Array.from(groupOf.values(), (at) => {
    const byState = sums.slice(at + 2, at + SUM_NUMBERS);
    const count = byState.reduce((all, of) => all + of, 0);
    const [lon, lat] = lonLatOf((sums[at] ?? 0) / count, (sums[at + 1] ?? 0) / count);
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
