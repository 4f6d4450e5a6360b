/** Pointing at what is searched: a box that is drawn, or a place that is clicked. */

import type { MapMouseEvent } from "maplibre-gl";
import { fromDatum } from "./datum";
import type { FleetMap } from "./fleet-map";
import type { Sought } from "./sought";

/** Gives the pointer to the search until the returned function is called. */
export function pointOnMap(map: FleetMap, what: "box" | "place", colour: `#${string}`, onpointed: (sought: Sought) => void): () => void {
  map.isDrawing = true;
  const stop = what === "box" ? drawBox(map, colour, onpointed) : clickPlace(map, onpointed);
  return () => {
    stop();
    map.isDrawing = false;
  };
}

function drawBox(map: FleetMap, colour: `#${string}`, onpointed: (sought: Sought) => void): () => void {
  let isGone = false;
  let stop = (): void => undefined;
  void import("./box-drawing").then(({ BoxDrawing }) => {
    if (isGone) return;
    const drawing = new BoxDrawing(map.map, map.datum, colour, (box) => onpointed({ box }));
    stop = () => drawing.stop();
  });
  return () => {
    isGone = true;
    stop();
  };
}

function clickPlace({ map, datum }: FleetMap, onpointed: (sought: Sought) => void): () => void {
  const clicked = ({ lngLat }: MapMouseEvent): void => onpointed({ place: fromDatum([lngLat.lng, lngLat.lat], datum) });
  map.getCanvas().style.cursor = "crosshair";
  map.on("click", clicked);
  return () => {
    map.off("click", clicked);
    map.getCanvas().style.cursor = "";
  };
}
