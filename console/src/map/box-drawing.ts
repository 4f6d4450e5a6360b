/** Drawing one box on the map with Terra Draw. Loaded when somebody draws. */

import type { Map as MapLibreMap } from "maplibre-gl";
import { TerraDraw, TerraDrawRectangleMode } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";

import type { Datum } from "./datum";
import type { Box } from "./graticule";
import { boxOfRing } from "./sought";

/** Corners to be clicked, or the box to be dragged open; each new box replaces the one before. */
export class BoxDrawing {
  readonly #draw: TerraDraw;

  constructor(map: MapLibreMap, datum: Datum, colour: `#${string}`, ondrawn: (box: Box) => void) {
    const styles = { fillColor: colour, fillOpacity: 0.12, outlineColor: colour, outlineWidth: 2 } as const;
    this.#draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: 9 }),
      modes: [new TerraDrawRectangleMode({ styles, drawInteraction: "click-move-or-drag" })],
    });
    this.#draw.on("finish", (id) => {
      const geometry = this.#draw.getSnapshotFeature(id)?.geometry;
      if (geometry?.type === "Polygon") ondrawn(boxOfRing(geometry.coordinates[0] ?? [], datum));
    });
    this.#draw.start();
    this.#draw.setMode("rectangle");
  }

  stop(): void {
    this.#draw.stop();
  }
}
