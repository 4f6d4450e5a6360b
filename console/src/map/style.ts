/**
 * What the map looks like: a blank sheet of our own, or a configured base map below the same overlays.
 *
 * No boundary is ever drawn by us, from whatever source: which borders may be shown and how is for the operator's base map to know.
 */

import type * as GeoJSON from "geojson";
import type { LayerSpecification, SourceSpecification, StyleSpecification } from "maplibre-gl";

import type { CarColours } from "./cars-layer";
import type { Datum } from "./datum";

/** A base map as `/basemaps` lists it. */
export interface BaseMap {
  id: string;
  name: string;
  /** `raster` for pictures; `vector` or `pmtiles` for vector tiles. */
  kind: string;
  tiles: string[];
  crs: Datum;
  attribution: string;
  min_zoom: number;
  max_zoom: number;
}

export interface MapPalette {
  sheet: string;
  grid: string;
  gridMain: string;
  roads: readonly [number, number, number];
  text: string;
  halo: string;
  trail: string;
  trailRim: string;
  cluster: string;
  clusterMoving: string;
  clusterText: string;
  water: string;
  green: string;
  road: string;
  zones: Record<string, string>;
  zoneOther: string;
}

const LIGHT: MapPalette = {
  sheet: "#f2f4f3",
  grid: "#e2e7e6",
  gridMain: "#d1d9d7",
  roads: [148, 163, 170],
  text: "#26333d",
  halo: "#fbfcfc",
  trail: "#0b6bcb",
  trailRim: "#ffffff",
  cluster: "#4a6272",
  clusterMoving: "#137a4b",
  clusterText: "#ffffff",
  water: "#cfe0ea",
  green: "#e1ebdc",
  road: "#ffffff",
  zones: {
    depot: "#2563a8",
    parking_lot: "#3f7fc4",
    service_area: "#1d8a6a",
    forbidden: "#b3261e",
    sensitive: "#b4560c",
    area: "#6b7780",
  },
  zoneOther: "#6d5aa8",
};

const DARK: MapPalette = {
  sheet: "#12181c",
  grid: "#1d262c",
  gridMain: "#29353d",
  roads: [104, 124, 136],
  text: "#d5dee4",
  halo: "#0d1215",
  trail: "#61b0ff",
  trailRim: "#0d1215",
  cluster: "#5d7686",
  clusterMoving: "#3fae7c",
  clusterText: "#0b1114",
  water: "#16303f",
  green: "#17251c",
  road: "#33414a",
  zones: {
    depot: "#6fabe8",
    parking_lot: "#8fc1f2",
    service_area: "#4fc39c",
    forbidden: "#ff8a80",
    sensitive: "#f0a45d",
    area: "#8997a1",
  },
  zoneOther: "#ab9ae6",
};

export function palette(isDark: boolean): MapPalette {
  return isDark ? DARK : LIGHT;
}

/** Colours of the states, in their order on the wire: told apart by light and by hue, and by shape besides. */
export const STATE_COLOURS = {
  light: ["#8b959d", "#2e6fb0", "#b86e00", "#0f7d4c", "#8a3fa0"],
  dark: ["#75828c", "#79b0ea", "#eca93f", "#43c78d", "#cf8ce2"],
} as const;

function parts(hex: string): [number, number, number] {
  const value = Number.parseInt(hex.slice(1), 16);
  return [(value >> 16) / 255, ((value >> 8) & 255) / 255, (value & 255) / 255];
}

export function carColours(isDark: boolean): CarColours {
  return {
    states: STATE_COLOURS[isDark ? "dark" : "light"].map(parts),
    rim: parts(isDark ? "#0c1013" : "#ffffff"),
    chosen: parts(isDark ? "#ffffff" : "#111a21"),
  };
}

/** The fonts of text on the map: drawn by the browser, so no glyph server is needed. */
const FONT = ["Noto Sans SC, PingFang SC, Microsoft YaHei, WenQuanYi Micro Hei, sans-serif"];
const EMPTY: GeoJSON.FeatureCollection = { type: "FeatureCollection", features: [] };

export const SOURCES = {
  grid: "grid",
  zones: "zones",
  zoneNames: "zone-names",
  trail: "trail",
  sought: "sought",
  clusters: "clusters",
} as const;
/** The layer under which the roads of the fleet and above which the cars are put. */
export const ROADS_BELOW = "zones-fill";
export const CARS_BELOW = "clusters";

/** The whole style. */
export function mapStyle(base: BaseMap | null, isDark: boolean): StyleSpecification {
  const look = palette(isDark);
  const empty = (): SourceSpecification => ({ type: "geojson", data: EMPTY });
  return {
    version: 8,
    sources: {
      ...(base ? { base: baseSource(base) } : {}),
      ...Object.fromEntries(Object.values(SOURCES).map((id) => [id, empty()])),
    },
    layers: [
      { id: "sheet", type: "background", paint: { "background-color": look.sheet } },
      ...(base ? baseLayers(base, look, isDark) : gridLayers(look)),
      ...zoneLayers(look),
      ...soughtLayers(look),
      ...trailLayers(look),
      ...clusterLayers(look),
    ],
  };
}

function baseSource(base: BaseMap): SourceSpecification {
  const common = { tiles: base.tiles, minzoom: base.min_zoom, maxzoom: base.max_zoom, attribution: base.attribution };
  return isVector(base) ? { type: "vector", ...common } : { type: "raster", tileSize: 256, ...common };
}

export function isVector(base: BaseMap): boolean {
  return base.kind === "vector" || base.kind === "pmtiles";
}

function baseLayers(base: BaseMap, look: MapPalette, isDark: boolean): LayerSpecification[] {
  if (isVector(base)) return vectorLayers(look);
  // A light picture in a dark page would outshine the cars.
  const dimmed = { "raster-brightness-max": 0.55, "raster-saturation": -0.55, "raster-contrast": 0.1 };
  return [{ id: "base", type: "raster", source: "base", paint: isDark ? dimmed : { "raster-saturation": -0.25 } }];
}

/** Water, green, roads, houses and names of the two common schemas (OpenMapTiles, Protomaps); nothing else of a tile is drawn. */
function vectorLayers(look: MapPalette): LayerSpecification[] {
  const fill = (layer: string, colour: string): LayerSpecification => ({
    id: `base-${layer}`,
    type: "fill",
    source: "base",
    "source-layer": layer,
    paint: { "fill-color": colour },
  });
  const roads = (layer: string): LayerSpecification => ({
    id: `base-${layer}`,
    type: "line",
    source: "base",
    "source-layer": layer,
    layout: { "line-cap": "round", "line-join": "round" },
    paint: { "line-color": look.road, "line-width": ["interpolate", ["exponential", 1.5], ["zoom"], 8, 0.5, 16, 7] },
  });
  const names = (layer: string): LayerSpecification => ({
    id: `base-${layer}`,
    type: "symbol",
    source: "base",
    "source-layer": layer,
    layout: { "text-field": ["coalesce", ["get", "name:zh"], ["get", "name"]], "text-font": FONT, "text-size": 12 },
    paint: { "text-color": look.text, "text-halo-color": look.halo, "text-halo-width": 1.2, "text-opacity": 0.75 },
  });
  return [
    fill("landuse", look.green),
    fill("park", look.green),
    fill("water", look.water),
    fill("buildings", look.grid),
    fill("building", look.grid),
    roads("roads"),
    roads("transportation"),
    names("places"),
    names("place"),
  ];
}

function gridLayers(look: MapPalette): LayerSpecification[] {
  return [
    {
      id: "grid",
      type: "line",
      source: SOURCES.grid,
      paint: { "line-color": ["case", ["get", "isMain"], look.gridMain, look.grid], "line-width": 1 },
    },
  ];
}

function zoneLayers(look: MapPalette): LayerSpecification[] {
  const colour = ["match", ["get", "use"], ...Object.entries(look.zones).flat(), look.zoneOther] as never;
  const isLine = ["==", ["geometry-type"], "LineString"] as never;
  const isArea = ["!", isLine] as never;
  // An area that holds half the county must not colour it.
  const isWide = ["in", ["get", "use"], ["literal", ["service_area", "area", "allowance"]]] as never;
  const isChosen = ["boolean", ["feature-state", "chosen"], false] as never;
  // Doubles with every zoom level, so it is as wide as so many metres.
  const width = [
    "interpolate",
    ["exponential", 2],
    ["zoom"],
    0,
    ["get", "width"],
    24,
    ["*", ["get", "width"], 2 ** 24],
  ] as never;
  return [
    {
      id: "zones-fill",
      type: "fill",
      source: SOURCES.zones,
      filter: isArea,
      paint: { "fill-color": colour, "fill-opacity": ["case", isChosen, 0.24, isWide, 0.025, 0.14] },
    },
    {
      id: "zones-corridor",
      type: "line",
      source: SOURCES.zones,
      filter: isLine,
      layout: { "line-cap": "round", "line-join": "round" },
      paint: { "line-color": colour, "line-width": width, "line-opacity": ["case", isChosen, 0.28, 0.14] },
    },
    {
      id: "zones-outline",
      type: "line",
      source: SOURCES.zones,
      paint: { "line-color": colour, "line-width": ["case", isChosen, 2.5, 1.4], "line-opacity": 0.85 },
    },
    {
      id: "zones-name",
      type: "symbol",
      source: SOURCES.zoneNames,
      minzoom: 11,
      layout: { "text-field": ["get", "name"], "text-font": FONT, "text-size": 12, "text-max-width": 8, "text-anchor": "top", "text-offset": [0, 0.75] },
      paint: { "text-color": colour, "text-halo-color": look.halo, "text-halo-width": 1.6 },
    },
  ];
}

/** What a search asks about. */
function soughtLayers(look: MapPalette): LayerSpecification[] {
  const source = SOURCES.sought;
  const isPlace = ["==", ["geometry-type"], "Point"] as never;
  return [
    { id: "sought-fill", type: "fill", source, paint: { "fill-color": look.trail, "fill-opacity": 0.1 } },
    { id: "sought-outline", type: "line", source, paint: { "line-color": look.trail, "line-width": 2, "line-dasharray": [3, 1.5] } },
    {
      id: "sought-place",
      type: "circle",
      source,
      filter: isPlace,
      paint: { "circle-radius": 7, "circle-color": look.trail, "circle-stroke-color": look.halo, "circle-stroke-width": 2.5 },
    },
  ];
}

function trailLayers(look: MapPalette): LayerSpecification[] {
  const layout = { "line-cap": "round", "line-join": "round" } as const;
  return [
    {
      id: "trail-rim",
      type: "line",
      source: SOURCES.trail,
      layout,
      paint: { "line-color": look.trailRim, "line-width": 6.5, "line-opacity": 0.9 },
    },
    {
      id: "trail",
      type: "line",
      source: SOURCES.trail,
      layout,
      paint: { "line-color": look.trail, "line-width": 3.5 },
    },
  ];
}

function clusterLayers(look: MapPalette): LayerSpecification[] {
  return [
    {
      id: CARS_BELOW,
      type: "circle",
      source: SOURCES.clusters,
      paint: {
        "circle-color": ["interpolate", ["linear"], ["get", "moving"], 0, look.cluster, 0.5, look.clusterMoving],
        "circle-radius": ["interpolate", ["linear"], ["log10", ["get", "count"]], 0, 9, 1, 14, 2, 19, 4, 30],
        "circle-opacity": 0.92,
        "circle-stroke-color": look.halo,
        "circle-stroke-width": 2,
      },
    },
    {
      id: "clusters-count",
      type: "symbol",
      source: SOURCES.clusters,
      layout: { "text-field": ["get", "label"], "text-font": FONT, "text-size": 12, "text-allow-overlap": true },
      paint: { "text-color": look.clusterText },
    },
  ];
}
