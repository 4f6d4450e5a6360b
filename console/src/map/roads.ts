/**
 * Roads as the fleet drove them: the cells of `/density` as a picture on the map.
 *
 * The server gives cells of Mercator and how often they were passed; the more often, the stronger. Cells that fewer than three cars passed
 * it does not give at all.
 */

import { type Datum, type LonLat, toDatum } from "./datum";
import { lonLatOf } from "./mercator";

/** The answer of `/density`: cells are `1 / 2^level` of the world wide. */
export interface Density {
  level: number;
  /** Column, row and number of passages, one after the other. */
  cells: number[];
}

export interface RoadPicture {
  width: number;
  height: number;
  /** Red, green, blue and opacity of every cell, row by row from the north. */
  pixels: Uint8ClampedArray<ArrayBuffer>;
  /** North-west, north-east, south-east and south-west corner on the base map. */
  corners: [LonLat, LonLat, LonLat, LonLat];
}

/** Pixels to a side; a wider picture is made of larger cells. */
const SIDE_MAX = 2048;
const WORLD_PX = 512;
const OPACITY_MIN = 70;
const OPACITY_MAX = 235;
/** Opacity of a cell beside a passed one: takes the steps out of slanted roads. */
const BESIDE = 0.35;

/** The finest level whose cells are half a pixel wide at a zoom: finer ones would fall between the pixels. */
export function finestLevel(zoom: number): number {
  return Math.floor(zoom + Math.log2(WORLD_PX)) + 1;
}

/** The picture with cells of this level at the finest, or null when there is nothing to draw. */
export function roadPicture(
  density: Density,
  levelMax: number,
  colour: readonly [number, number, number],
  datum: Datum,
): RoadPicture | null {
  if (density.cells.length < 3) return null;
  const { cells, level } = fitting(density, levelMax);
  const box = boxOf(cells);
  const [width, height] = [box.right - box.left + 3, box.bottom - box.top + 3];
  const strength = strengths(cells, box, width, height);
  const pixels = new Uint8ClampedArray(width * height * 4);
  strength.forEach((opacity, at) => {
    if (opacity === 0) return;
    pixels.set([...colour, opacity], at * 4);
  });
  const corner = (column: number, row: number): LonLat =>
    toDatum(lonLatOf(column / 2 ** level, row / 2 ** level), datum);
  const [west, north] = [box.left - 1, box.top - 1];
  const corners: RoadPicture["corners"] = [
    corner(west, north),
    corner(west + width, north),
    corner(west + width, north + height),
    corner(west, north + height),
  ];
  return { width, height, pixels, corners };
}

/** The same cells, or larger ones so that the picture is not too large. A larger cell is as strong as its strongest part. */
function fitting({ cells, level }: Density, levelMax: number): Density {
  const box = boxOf(cells);
  const side = Math.max(box.right - box.left, box.bottom - box.top) + 3;
  const coarser = Math.max(0, Math.ceil(Math.log2(side / SIDE_MAX)), level - levelMax);
  if (coarser === 0) return { cells, level };
  const joined = new Map<number, number>();
  const columns = 2 ** (level - coarser);
  for (let at = 0; at + 2 < cells.length; at += 3) {
    const key = Math.floor(cells[at + 1]! / 2 ** coarser) * columns + Math.floor(cells[at]! / 2 ** coarser);
    joined.set(key, Math.max(joined.get(key) ?? 0, cells[at + 2]!));
  }
  const larger = [...joined].flatMap(([key, passages]) => [key % columns, Math.floor(key / columns), passages]);
  return { cells: larger, level: level - coarser };
}

interface CellBox {
  left: number;
  top: number;
  right: number;
  bottom: number;
  most: number;
}

function boxOf(cells: readonly number[]): CellBox {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity, most: 1 };
  for (let at = 0; at + 2 < cells.length; at += 3) {
    const [column, row, passages] = [cells[at]!, cells[at + 1]!, cells[at + 2]!];
    box.left = Math.min(box.left, column);
    box.right = Math.max(box.right, column);
    box.top = Math.min(box.top, row);
    box.bottom = Math.max(box.bottom, row);
    box.most = Math.max(box.most, passages);
  }
  return box;
}

function strengths(cells: readonly number[], box: CellBox, width: number, height: number): Float32Array {
  const strength = new Float32Array(width * height);
  const logMost = Math.log(box.most + 1);
  for (let at = 0; at + 2 < cells.length; at += 3) {
    const place = (cells[at + 1]! - box.top + 1) * width + cells[at]! - box.left + 1;
    const opacity = OPACITY_MIN + ((OPACITY_MAX - OPACITY_MIN) * Math.log(cells[at + 2]! + 1)) / logMost;
    strength[place] = Math.max(strength[place] ?? 0, opacity);
    for (const beside of [place - 1, place + 1, place - width, place + width]) {
      strength[beside] = Math.max(strength[beside] ?? 0, opacity * BESIDE);
    }
  }
  return strength;
}
