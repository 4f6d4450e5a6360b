/**
 * Drawing zones on the map with Terra Draw. Loaded when somebody edits.
 *
 * Terra Draw knows rings, circles and lines; what they are to a zone (outline, hole, middle line) is remembered here, and one shape is made
 * of them in the end. Everything on the map is in the base map's datum; what comes out is WGS-84.
 */

import type { Map as MapLibreMap } from "maplibre-gl";
import {
  type GeoJSONStoreFeatures,
  TerraDraw,
  TerraDrawCircleMode,
  TerraDrawLineStringMode,
  TerraDrawPolygonMode,
  TerraDrawSelectMode,
  ValidateNotSelfIntersecting,
} from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";

import { type Datum, type LonLat, toDatum } from "./datum";
import { circleFromRing, circleRing, corridorFromLine, isInside, lonLat, opened, polygonFromRings, type Shape } from "./zones";

export type Tool = "circle" | "polygon" | "hole" | "corridor" | "move";
type Role = "circle" | "outline" | "hole" | "line";
type FeatureId = string | number;

const MODES: Record<Tool, string> = { circle: "circle", polygon: "polygon", hole: "polygon", corridor: "linestring", move: "select" };
const ROLES: Record<Exclude<Tool, "move">, Role> = { circle: "circle", polygon: "outline", hole: "hole", corridor: "line" };

/** A hole that lies in no outline. */
export class HoleOutside extends Error {
  override name = "HoleOutside";
}

export class ZoneDrawing {
  readonly #draw: TerraDraw;
  readonly #datum: Datum;
  readonly #roles = new Map<FeatureId, Role>();
  #tool: Tool = "move";

  constructor(map: MapLibreMap, datum: Datum, colour: `#${string}`, onchange: () => void) {
    this.#datum = datum;
    this.#draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: 9 }),
      modes: modes(colour),
    });
    this.#draw.on("finish", (id) => {
      if (this.#tool !== "move") this.#take(id, this.#tool);
      onchange();
    });
    this.#draw.on("change", (_ids, type) => {
      if (type === "delete") this.#forgetDeleted();
    });
    this.#draw.start();
    this.use("move");
  }

  get tool(): Tool {
    return this.#tool;
  }

  stop(): void {
    this.#draw.stop();
  }

  use(tool: Tool): void {
    this.#tool = tool;
    this.#draw.setMode(MODES[tool]);
  }

  clear(): void {
    this.#draw.clear();
    this.#roles.clear();
  }

  /** Takes a shape that there is, to change it. */
  load(shape: Shape): void {
    this.clear();
    const drawn = (place: LonLat): [number, number] => [...toDatum(place, this.#datum)] as [number, number];
    if (shape.shape === "circle") {
      const ring = circleRing(lonLat(shape.centre), shape.radius_m).map(drawn);
      this.#add(polygonFeature(ring, "circle", { radiusKilometers: shape.radius_m / 1000 }), "circle");
    } else if (shape.shape === "corridor") {
      const line = shape.line.map((point) => drawn(lonLat(point)));
      this.#add({ type: "Feature", geometry: { type: "LineString", coordinates: line }, properties: { mode: "linestring" } }, "line");
    } else {
      for (const rings of shape.polygons) {
        rings.forEach((ring, index) => {
          const corners = ring.map((corner) => drawn(lonLat(corner)));
          this.#add(polygonFeature([...corners, corners[0]!], "polygon"), index === 0 ? "outline" : "hole");
        });
      }
    }
    this.use("move");
  }

  /** Takes the newest piece away. */
  undo(): void {
    const last = [...this.#roles.keys()].at(-1);
    if (last === undefined) return;
    this.#roles.delete(last);
    this.#draw.removeFeatures([last]);
  }

  /** The shape that the pieces make, or null while there is none. */
  shape(halfWidthM: number): Shape | null {
    const circle = this.#rings("circle")[0];
    if (circle) return circleFromRing(circle, this.#datum);
    const line = this.#pieces("line")[0];
    if (line?.geometry.type === "LineString") return corridorFromLine(line.geometry.coordinates, halfWidthM, this.#datum);
    return this.#polygons();
  }

  #polygons(): Shape | null {
    const outlines = this.#rings("outline").map((ring) => [ring]);
    if (outlines.length === 0) return null;
    for (const hole of this.#rings("hole")) {
      const around = outlines.find(([outline]) => isInside(opened(hole), opened(outline!)));
      if (!around) throw new HoleOutside("a hole lies outside");
      around.push(hole);
    }
    const polygons = outlines.flatMap((rings) => {
      const shape = polygonFromRings(rings, this.#datum);
      return shape.shape === "polygons" ? shape.polygons : [];
    });
    return { shape: "polygons", polygons };
  }

  #add(feature: Omit<GeoJSONStoreFeatures, "id">, role: Role): void {
    const [result] = this.#draw.addFeatures([feature as GeoJSONStoreFeatures]);
    if (result?.valid && result.id !== undefined) this.#roles.set(result.id, role);
  }

  /** A zone is one circle, one corridor or polygons: another kind replaces what was there. */
  #take(id: FeatureId, tool: Exclude<Tool, "move">): void {
    const role = ROLES[tool];
    const isPolygon = (each: Role): boolean => each === "outline" || each === "hole";
    const others = [...this.#roles].filter(([, each]) => !(isPolygon(role) && isPolygon(each))).map(([other]) => other);
    for (const other of others) this.#roles.delete(other);
    if (others.length) this.#draw.removeFeatures(others);
    this.#roles.set(id, role);
  }

  #forgetDeleted(): void {
    const left = new Set(this.#draw.getSnapshot().map((feature) => feature.id));
    for (const id of this.#roles.keys()) if (!left.has(id)) this.#roles.delete(id);
  }

  #pieces(role: Role): GeoJSONStoreFeatures[] {
    return this.#draw.getSnapshot().filter((feature) => feature.id !== undefined && this.#roles.get(feature.id) === role);
  }

  #rings(role: Role): number[][][] {
    return this.#pieces(role).flatMap(({ geometry }) => (geometry.type === "Polygon" ? [geometry.coordinates[0] ?? []] : []));
  }
}

function polygonFeature(ring: [number, number][], mode: string, more: Record<string, number> = {}): Omit<GeoJSONStoreFeatures, "id"> {
  return { type: "Feature", geometry: { type: "Polygon", coordinates: [ring] }, properties: { mode, ...more } };
}

function modes(colour: `#${string}`) {
  const fill = { fillColor: colour, fillOpacity: 0.18, outlineColor: colour, outlineWidth: 2 } as const;
  const corners = { draggable: true, coordinates: { draggable: true, midpoints: true, deletable: true } };
  const validation = ValidateNotSelfIntersecting;
  return [
    new TerraDrawCircleMode({ styles: fill }),
    new TerraDrawPolygonMode({ styles: fill, validation, pointerDistance: 20 }),
    new TerraDrawLineStringMode({ styles: { lineStringColor: colour, lineStringWidth: 3 }, pointerDistance: 20 }),
    new TerraDrawSelectMode({
      flags: {
        polygon: { feature: corners },
        linestring: { feature: corners },
        circle: { feature: { draggable: true, coordinates: { resizable: "center" } } },
      },
      styles: {
        selectedPolygonColor: colour,
        selectedPolygonFillOpacity: 0.25,
        selectedPolygonOutlineColor: colour,
        selectedLineStringColor: colour,
        selectionPointColor: colour,
        midPointColor: colour,
      },
    }),
  ];
}
