/** The map of one track, without the framework: see `TrackMap.svelte`. */

import type * as GeoJSON from "geojson";
import {
  AttributionControl,
  type GeoJSONSource,
  type LayerSpecification,
  type Map as MapLibreMap,
  Marker,
  NavigationControl,
} from "maplibre-gl";

import { createMap } from "./create-map";
import { type Datum, type LonLat, toDatum } from "./datum";
import { graticule } from "./graticule";
import { distanceM } from "./mercator";
import { type BaseMap, mapStyle, palette, SOURCES } from "./style";
import { boundsOf, placeAtTime, speedLines, type TrackFix, type TrackMark } from "./track";
import { type Zone, zoneFeatures } from "./zones";

/** Colours of the speed bands from standing to very fast: told apart by lightness as well. */
export const BAND_COLOURS = {
  light: ["#7a8791", "#2f7fc1", "#1d8a5f", "#c98a00", "#b3261e"],
  dark: ["#8d99a3", "#79b5f0", "#52cc97", "#f0bf55", "#ff8a80"],
} as const;

const PICK_PX = 24;

export class TrackView {
  readonly #map: MapLibreMap;
  readonly #marker: Marker;
  readonly #arrow: HTMLElement;
  readonly #onpick: (atMs: number) => void;
  readonly #attribution = new AttributionControl({ compact: false });
  #base: BaseMap | null;
  #isDark: boolean;
  #isReady = false;
  #fixes: readonly TrackFix[] = [];
  #marks: readonly TrackMark[] = [];
  #zones: readonly Zone[] = [];
  #cursorMs: number | null = null;

  constructor(container: HTMLElement, base: BaseMap | null, isDark: boolean, onpick: (atMs: number) => void) {
    this.#base = base;
    this.#isDark = isDark;
    this.#onpick = onpick;
    this.#map = createMap({ container, style: mapStyle(base, isDark), center: [105, 35], zoom: 4 });
    this.#map.addControl(new NavigationControl({ showCompass: false }), "bottom-right");
    this.#arrow = arrow();
    this.#marker = new Marker({ element: this.#arrow, rotationAlignment: "map" });
    this.#showAttribution();
    this.#map.on("style.load", () => this.#furnish());
    this.#map.on("moveend", () => this.#drawGrid());
    this.#map.on("click", ({ point }) => this.#pick(point.x, point.y));
  }

  remove(): void {
    this.#map.remove();
  }

  setLook(base: BaseMap | null, isDark: boolean): void {
    if (base?.id === this.#base?.id && isDark === this.#isDark) return;
    this.#base = base;
    this.#isDark = isDark;
    this.#isReady = false;
    this.#map.setStyle(mapStyle(base, isDark), { diff: false });
    this.#showAttribution();
    this.setCursor(this.#cursorMs);
  }

  setTrack(fixes: readonly TrackFix[], marks: readonly TrackMark[]): void {
    const isOther = fixes !== this.#fixes;
    this.#fixes = fixes;
    this.#marks = marks;
    this.#drawTrack();
    if (isOther) this.#fit();
    this.setCursor(this.#cursorMs);
  }

  setZones(zones: readonly Zone[]): void {
    this.#zones = zones;
    const { outlines, names } = zoneFeatures(zones, this.#datum);
    this.#source(SOURCES.zones)?.setData(outlines);
    this.#source(SOURCES.zoneNames)?.setData(names);
  }

  /** Puts the car where it was at a time; between two fixes it is on the straight way. */
  setCursor(atMs: number | null): void {
    this.#cursorMs = atMs;
    const at = atMs === null ? null : placeAtTime(this.#fixes, atMs);
    if (!at) {
      this.#marker.remove();
      return;
    }
    this.#marker.setLngLat([...toDatum([at.lon, at.lat], this.#datum)] as [number, number]);
    this.#marker.setRotation(at.courseDeg ?? 0);
    this.#marker.addTo(this.#map);
  }

  get #datum(): Datum {
    return this.#base?.crs ?? "wgs84";
  }

  #source(id: string): GeoJSONSource | undefined {
    return this.#isReady ? this.#map.getSource<GeoJSONSource>(id) : undefined;
  }

  #furnish(): void {
    this.#isReady = true;
    const empty: GeoJSON.FeatureCollection = { type: "FeatureCollection", features: [] };
    this.#map.addSource("bands", { type: "geojson", data: empty });
    this.#map.addSource("marks", { type: "geojson", data: empty });
    for (const layer of layers(this.#isDark)) this.#map.addLayer(layer, "trail-rim");
    this.#drawGrid();
    this.setZones(this.#zones);
    this.#drawTrack();
  }

  #drawGrid(): void {
    const bounds = this.#map.getBounds();
    const box = { west: bounds.getWest(), south: bounds.getSouth(), east: bounds.getEast(), north: bounds.getNorth() };
    if (!this.#base) this.#source(SOURCES.grid)?.setData(graticule(box, this.#map.getCanvas().clientWidth));
  }

  #drawTrack(): void {
    this.#source("bands")?.setData(speedLines(this.#fixes, this.#datum));
    const point = (place: LonLat): number[] => [...toDatum(place, this.#datum)];
    this.#source("marks")?.setData({
      type: "FeatureCollection",
      features: this.#marks.map((mark) => ({
        type: "Feature",
        geometry: { type: "Point", coordinates: point(mark.at) },
        properties: { kind: mark.kind, label: mark.label },
      })),
    });
  }

  #fit(): void {
    const bounds = boundsOf(this.#fixes.map(({ lon, lat }) => toDatum([lon, lat], this.#datum)));
    if (bounds) this.#map.fitBounds([...bounds], { padding: 48, maxZoom: 16, animate: false });
  }

  #showAttribution(): void {
    if (this.#map.hasControl(this.#attribution)) this.#map.removeControl(this.#attribution);
    if (this.#base) this.#map.addControl(this.#attribution, "bottom-right");
  }

  /** Tells the time of the fix that is nearest to a click. */
  #pick(x: number, y: number): void {
    const { lng, lat } = this.#map.unproject([x, y]);
    const edge = this.#map.unproject([x + PICK_PX, y]);
    let [nearest, nearestM] = [null as TrackFix | null, distanceM([lng, lat], [edge.lng, edge.lat])];
    for (const fix of this.#fixes) {
      const away = distanceM(toDatum([fix.lon, fix.lat], this.#datum), [lng, lat]);
      if (away < nearestM) [nearest, nearestM] = [fix, away];
    }
    if (nearest) this.#onpick(nearest.atMs);
  }
}

function layers(isDark: boolean): LayerSpecification[] {
  const look = palette(isDark);
  const colours = BAND_COLOURS[isDark ? "dark" : "light"];
  const round = { "line-cap": "round", "line-join": "round" } as const;
  const known = [">=", ["get", "band"], 0] as never;
  const unknown = ["<", ["get", "band"], 0] as never;
  const colour = ["match", ["get", "band"], ...colours.flatMap((each, band) => [band, each]), colours[0]] as never;
  return [
    {
      id: "track-gap", type: "line", source: "bands", filter: unknown,
      paint: { "line-color": look.text, "line-width": 1.5, "line-dasharray": [2, 3], "line-opacity": 0.6 },
    },
    { id: "track-rim", type: "line", source: "bands", filter: known, layout: round, paint: { "line-color": look.halo, "line-width": 7 } },
    { id: "track", type: "line", source: "bands", filter: known, layout: round, paint: { "line-color": colour, "line-width": 4 } },
    {
      id: "marks", type: "circle", source: "marks",
      paint: {
        "circle-radius": 6,
        "circle-color": ["match", ["get", "kind"], "gap", look.halo, look.text],
        "circle-stroke-color": ["match", ["get", "kind"], "gap", look.text, look.halo],
        "circle-stroke-width": 2,
      },
    },
    {
      id: "marks-label", type: "symbol", source: "marks",
      layout: { "text-field": ["get", "label"], "text-font": ["sans-serif"], "text-size": 12, "text-offset": [0, 1.1], "text-anchor": "top" },
      paint: { "text-color": look.text, "text-halo-color": look.halo, "text-halo-width": 1.6 },
    },
  ];
}

/** The car of the cursor. */
function arrow(): HTMLElement {
  const element = document.createElement("div");
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  const path = document.createElementNS(namespace, "path");
  const attributes = { d: "M16 3 27 28 16 22 5 28z", fill: "#0f7d4c", stroke: "#fff", "stroke-width": "2", "stroke-linejoin": "round" };
  for (const [name, value] of Object.entries(attributes)) path.setAttribute(name, value);
  for (const [name, value] of Object.entries({ viewBox: "0 0 32 32", width: "32", height: "32", "aria-hidden": "true" })) svg.setAttribute(name, value);
  svg.append(path);
  element.append(svg);
  return element;
}
