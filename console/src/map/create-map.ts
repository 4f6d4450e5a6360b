/** A MapLibre map as every page here wants it: flat, north up, its worker from our own address. */

import { Map as MapLibreMap, type MapOptions, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import "./map.css";

setWorkerUrl(workerUrl);

/** The browser has no WebGL 2: show the table instead. */
export class NoGraphics extends Error {
  override name = "NoGraphics";
}

/** Whether the browser can draw the map at all. */
export function hasGraphics(): boolean {
  return document.createElement("canvas").getContext("webgl2") !== null;
}

export function createMap(options: MapOptions): MapLibreMap {
  if (!hasGraphics()) throw new NoGraphics("WebGL 2 is missing");
  const map = new MapLibreMap({
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    maxPitch: 0,
    touchPitch: false,
    renderWorldCopies: false,
    fadeDuration: 0,
    minZoom: 2,
    maxZoom: 20,
    ...options,
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  return map;
}
