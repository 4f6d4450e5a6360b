import { read } from "../api/client";
import type { Box } from "./graticule";
import type { Density, RoadPicture } from "./roads";

/** A picture of roads is made so many times larger, as long as it is not larger than this. */
const SOFTER_TIMES = 3;
const SOFTER_SIDE_MAX = 1_536;

/** Where the fleet drove within a box. */
export function readRoads({ west, south, east, north }: Box, signal: AbortSignal): Promise<Density> {
  const clamp = (value: number, most: number): string => Math.min(most, Math.max(-most, value)).toFixed(5);
  const bbox = [clamp(west, 180), clamp(south, 90), clamp(east, 180), clamp(north, 90)].join(",");
  return read<Density>("density", { query: { bbox }, signal });
}

/** The picture on a canvas, with soft edges. */
export function canvasOf({ width, height, pixels }: RoadPicture): HTMLCanvasElement {
  const times = Math.max(width, height) * SOFTER_TIMES <= SOFTER_SIDE_MAX ? SOFTER_TIMES : 1;
  const plain = document.createElement("canvas");
  plain.width = width;
  plain.height = height;
  plain.getContext("2d")?.putImageData(new ImageData(pixels, width, height), 0, 0);
  if (times === 1) return plain;
  const soft = document.createElement("canvas");
  soft.width = width * times;
  soft.height = height * times;
  const context = soft.getContext("2d");
  if (!context) return plain;
  context.filter = `blur(${times / 2}px)`;
  context.imageSmoothingQuality = "high";
  context.drawImage(plain, 0, 0, soft.width, soft.height);
  return soft;
}
