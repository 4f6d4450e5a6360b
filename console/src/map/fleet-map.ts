/**
 * The live map: MapLibre, the layer of cars, groups, plates, zones, the trail and the roads, and what the pointer does.
 *
 * Plain code without the framework. It draws what it is given and tells what was pointed at; it asks the server for nothing.
 */

import {
  AttributionControl,
  type CanvasSourceSpecification,
  type GeoJSONSource,
  type Map as MapLibreMap,
  type MapMouseEvent,
  NavigationControl,
} from "maplibre-gl";

import { carSizePx, CarsLayer } from "./cars-layer";
import { CLUSTER_BELOW_ZOOM, clusterFeatures, clusters } from "./clusters";
import { createMap } from "./create-map";
import { type Datum, fromDatum, type LonLat, toDatum } from "./datum";
import { Flag, type Fleet } from "./fleet";
import { type Box, graticule } from "./graticule";
import { PlaceGrid } from "./grid";
import { PLATES_FROM_ZOOM } from "./labels";
import { lonLatOf, mercatorX, mercatorY } from "./mercator";
import { Overlay, type View } from "./overlay";
import { type Density, finestLevel, roadPicture } from "./roads";
import { canvasOf } from "./roads-picture";
import { type Sought, soughtFeatures } from "./sought";
import { type BaseMap, carColours, CARS_BELOW, mapStyle, palette, ROADS_BELOW, SOURCES } from "./style";
import type { Trail } from "./track";
import { type Zone, zoneFeatures } from "./zones";

const WORLD_PX = 512;
/** How old the index of places may be: cars move, but not far. */
const GRID_MS = 500;
const CLUSTERS_MS = 3_000;
const TRAIL_MS = 250;
const FOLLOW_ZOOM = 14.5;
const PICK_SLACK_PX = 6;
const PLATES_LOOKED_AT_MAX = 600;
/** Share of cars at each end that does not count for the first view: one stray car must not shrink the county. */
const STRAY_SHARE = 0.02;

export interface FleetMapOptions {
  container: HTMLElement;
  fleet: Fleet;
  nowMs(): number;
  isDark: boolean;
  base: BaseMap | null;
  /** What MapLibre says to those who can't see: its own words, by its own names. */
  locale: Record<string, string>;
  /** What is written beside a car. */
  textOf(car: number): string;
  onPick(car: number | null): void;
  onPickZone(zone: number): void;
  /** The view has come to rest. */
  onView(box: Box): void;
  /** The person moved the map while a car was followed. */
  onLetGo(): void;
}

export class FleetMap {
  readonly map: MapLibreMap;
  readonly #options: FleetMapOptions;
  readonly #fleet: Fleet;
  readonly #cars: CarsLayer;
  readonly #overlay: Overlay;
  readonly #grid = new PlaceGrid();
  readonly #attribution = new AttributionControl({ compact: false });
  #gridAtMs = -Infinity;
  #base: BaseMap | null;
  #isDark: boolean;
  #isReady = false;
  #zones: readonly Zone[] = [];
  #chosenZone = -1;
  #density: Density | null = null;
  #roadsCanvas: HTMLCanvasElement | null = null;
  #sought: Sought | null = null;
  #trail: Trail | null = null;
  #trailAtMs = -Infinity;
  /** What the trail on the map was made of. */
  #trailState = "";
  #clustersAtMs = -Infinity;
  /** Cars by their numbers, because slots move; -1 for none. */
  #chosen = -1;
  #hovered = -1;
  #followed = -1;
  #hasView = false;
  #isDrawing = false;

  constructor(options: FleetMapOptions) {
    this.#options = options;
    this.#fleet = options.fleet;
    this.#base = options.base;
    this.#isDark = options.isDark;
    this.#fleet.setDatum(this.datum);
    this.#cars = new CarsLayer(options.fleet, carColours(options.isDark), options.nowMs);
    const { container, locale } = options;
    const style = mapStyle(this.#base, this.#isDark);
    this.map = createMap({ container, locale, style, center: [105, 35], zoom: 3.5 });
    this.#overlay = new Overlay(options.container, options.fleet);
    this.map.addControl(new NavigationControl({ showCompass: false }), "bottom-right");
    this.#showAttribution();
    this.map.on("style.load", () => this.#furnish());
    this.map.on("render", () => this.#afterRender());
    this.map.on("moveend", () => this.#afterMove());
    this.map.on("click", (event) => this.#click(event));
    this.map.on("mousemove", (event) => this.#hover(event));
    this.map.on("mouseout", () => this.#setHovered(-1));
    this.map.on("dragstart", () => this.#letGo());
    this.map.on("wheel", () => this.#clusterSoon());
  }

  get datum(): Datum {
    return this.#base?.crs ?? "wgs84";
  }

  remove(): void {
    this.#overlay.remove();
    this.map.remove();
  }

  /** While zones are drawn the pointer belongs to the drawing. */
  set isDrawing(isDrawing: boolean) {
    this.#isDrawing = isDrawing;
    if (isDrawing) this.#setHovered(-1);
  }

  /** Cars have changed. */
  update(): void {
    if (!this.#hasView) this.#firstView();
    this.#drawClusters();
    this.#drawTrail();
    this.#followNow();
    if (!this.#isClustered) this.map.triggerRepaint();
  }

  setLook(base: BaseMap | null, isDark: boolean): void {
    if (base?.id === this.#base?.id && isDark === this.#isDark) return;
    const centre = this.centre();
    this.#base = base;
    this.#isDark = isDark;
    this.#isReady = false;
    this.#fleet.setDatum(this.datum);
    this.#gridAtMs = -Infinity;
    this.#cars.setColours(carColours(isDark));
    this.map.setStyle(mapStyle(base, isDark), { diff: false });
    this.map.setCenter([...toDatum(centre, this.datum)] as [number, number]);
    this.#showAttribution();
  }

  setZones(zones: readonly Zone[]): void {
    this.#zones = zones;
    this.#drawZones();
  }

  chooseZone(zone: number | null): void {
    const set = (id: number, chosen: boolean): void => {
      if (this.#isReady && id >= 0) this.map.setFeatureState({ source: SOURCES.zones, id }, { chosen });
    };
    set(this.#chosenZone, false);
    this.#chosenZone = zone ?? -1;
    set(this.#chosenZone, true);
  }

  /** What a search asks about. */
  setSought(sought: Sought | null): void {
    this.#sought = sought;
    this.#drawSought();
  }

  setRoads(density: Density | null): void {
    this.#density = density;
    this.#drawRoads();
  }

  /** The car that is looked at, by its number. */
  choose(car: number | null): void {
    this.#mark(this.#chosen, Flag.selected, false);
    this.#chosen = car ?? -1;
    this.#mark(this.#chosen, Flag.selected, true);
    this.map.triggerRepaint();
  }

  /** Keeps a car in the middle, with its trail behind it; null lets go. */
  follow(car: number | null, trail: Trail | null): void {
    this.#followed = car ?? -1;
    this.#trail = trail;
    this.#trailAtMs = -Infinity;
    const place = this.#followedPlace();
    if (place && this.map.getZoom() < FOLLOW_ZOOM) this.map.jumpTo({ center: [...place] as [number, number], zoom: FOLLOW_ZOOM });
    this.#drawTrail();
    this.#followNow();
  }

  /** Shows a car. */
  goTo(car: number): void {
    const slot = this.#fleet.slotOf(car);
    if (slot < 0 || !this.#fleet.hasPlace(slot)) return;
    const [lon, lat] = this.#drawnPlace(slot);
    this.#hasView = true;
    this.map.easeTo({ center: [lon, lat], zoom: Math.max(this.map.getZoom(), 14), duration: 600 });
  }

  /** Shows a box given in WGS-84, beside what covers the map at its right. */
  fit([west, south, east, north]: readonly [number, number, number, number], coveredPx = 0): void {
    const [a, b] = [toDatum([west, south], this.datum), toDatum([east, north], this.datum)];
    this.#hasView = true;
    const padding = { top: 60, bottom: 60, left: 60, right: 60 + coveredPx };
    this.map.fitBounds([a[0], a[1], b[0], b[1]], { padding, maxZoom: 16, duration: 400 });
  }

  /** Shows all cars that are not hidden. */
  fitFleet(): void {
    this.#hasView = false;
    this.#firstView();
  }

  /** What of the world is in sight, WGS-84. */
  box(): Box {
    const { west, south, east, north } = this.#drawnBox();
    const [a, b] = [fromDatum([west, south], this.datum), fromDatum([east, north], this.datum)];
    return { west: a[0], south: a[1], east: b[0], north: b[1] };
  }

  /** The middle of the map, WGS-84. */
  centre(): LonLat {
    const { lng, lat } = this.map.getCenter();
    return fromDatum([lng, lat], this.datum);
  }

  /** The car at a point of the map, by its number; null when there is none. */
  pick(x: number, y: number): number | null {
    const slot = this.#slotAt(x, y);
    return slot < 0 ? null : this.#fleet.carIn(slot);
  }

  #mark(car: number, flag: number, on: boolean): void {
    const slot = this.#fleet.slotOf(car);
    if (slot >= 0) this.#fleet.setFlag(slot, flag, on);
  }

  #followedPlace(): LonLat | null {
    const slot = this.#fleet.slotOf(this.#followed);
    return slot >= 0 && this.#fleet.hasPlace(slot) ? this.#drawnPlace(slot) : null;
  }

  #drawnPlace(slot: number): LonLat {
    const { x, y } = this.#fleet.placeAt(slot, this.#options.nowMs());
    return lonLatOf(x, y);
  }

  get #isClustered(): boolean {
    return this.map.getZoom() < CLUSTER_BELOW_ZOOM;
  }

  #source(id: string): GeoJSONSource | undefined {
    return this.#isReady ? this.map.getSource<GeoJSONSource>(id) : undefined;
  }

  /** Puts everything on a style that was loaded just now. */
  #furnish(): void {
    this.#isReady = true;
    this.map.addLayer(this.#cars, CARS_BELOW);
    this.#clustersAtMs = -Infinity;
    this.#trailAtMs = -Infinity;
    this.#trailState = "";
    this.#drawZones();
    this.#drawSought();
    this.#drawRoads();
    this.#drawGrid();
    this.#drawClusters();
    this.#drawTrail();
    this.chooseZone(this.#chosenZone);
  }

  #showAttribution(): void {
    if (this.map.hasControl(this.#attribution)) this.map.removeControl(this.#attribution);
    if (this.#base) this.map.addControl(this.#attribution, "bottom-right");
  }

  #drawZones(): void {
    const { outlines, names } = zoneFeatures(this.#zones, this.datum);
    this.#source(SOURCES.zones)?.setData(outlines);
    this.#source(SOURCES.zoneNames)?.setData(names);
  }

  #drawSought(): void {
    this.#source(SOURCES.sought)?.setData(soughtFeatures(this.#sought, this.datum));
  }

  #drawGrid(): void {
    if (!this.#base) this.#source(SOURCES.grid)?.setData(graticule(this.#drawnBox(), this.map.getCanvas().clientWidth));
  }

  #drawRoads(): void {
    if (!this.#isReady) return;
    if (this.map.getLayer("roads")) this.map.removeLayer("roads");
    if (this.map.getSource("roads")) this.map.removeSource("roads");
    if (!this.#density || this.#base) return;
    const level = finestLevel(this.map.getZoom());
    const picture = roadPicture(this.#density, level, palette(this.#isDark).roads, this.datum);
    if (!picture) return;
    this.#roadsCanvas = canvasOf(picture);
    const coordinates = picture.corners.map((corner) => [...corner]) as CanvasSourceSpecification["coordinates"];
    this.map.addSource("roads", { type: "canvas", canvas: this.#roadsCanvas, animate: false, coordinates });
    this.map.addLayer({ id: "roads", type: "raster", source: "roads", paint: { "raster-fade-duration": 0 } }, ROADS_BELOW);
  }

  #clusterSoon(): void {
    this.#clustersAtMs = -Infinity;
  }

  #drawClusters(): void {
    const isClustered = this.#isClustered;
    const hasChanged = this.#cars.isVisible === isClustered;
    this.#cars.isVisible = !isClustered;
    const now = this.#options.nowMs();
    const isDue = isClustered && now - this.#clustersAtMs >= CLUSTERS_MS;
    if (!hasChanged && !isDue) return;
    this.#clustersAtMs = now;
    const groups = isClustered ? clusters(this.#fleet, this.map.getZoom()) : [];
    this.#source(SOURCES.clusters)?.setData(clusterFeatures(groups));
  }

  #drawTrail(): void {
    const now = this.#options.nowMs();
    if (now - this.#trailAtMs < TRAIL_MS) return;
    this.#trailAtMs = now;
    const head = this.#followedPlace() ?? undefined;
    // Every new line is a new picture, which draws the trail again: without a change there must be none.
    const state = this.#trail ? `${this.#trail.points.length} ${this.#trail.points.at(-1)?.atMs} ${head}` : "";
    const source = this.#source(SOURCES.trail);
    if (!source || state === this.#trailState) return;
    this.#trailState = state;
    source.setData(this.#trail?.line(this.datum, head) ?? { type: "FeatureCollection", features: [] });
  }

  #followNow(): void {
    const place = this.#followedPlace();
    if (!place) return;
    const [lon, lat] = place;
    const { lng: atLon, lat: atLat } = this.map.getCenter();
    const pxPerDegree = (2 ** this.map.getZoom() * WORLD_PX) / 360;
    const isThere = Math.abs(lon - atLon) * pxPerDegree < 0.3 && Math.abs(lat - atLat) * pxPerDegree < 0.3;
    if (!isThere && !this.map.isZooming()) this.map.setCenter([lon, lat]);
  }

  #letGo(): void {
    if (this.#followed < 0) return;
    this.#followed = -1;
    this.#options.onLetGo();
  }

  #firstView(): void {
    const places: { x: number; y: number }[] = [];
    for (let slot = 0; slot < this.#fleet.size; slot += 1) {
      if (this.#fleet.hasPlace(slot) && !this.#fleet.isHidden(slot)) {
        places.push({ x: this.#fleet.lonDeg[slot] ?? 0, y: this.#fleet.latDeg[slot] ?? 0 });
      }
    }
    if (places.length === 0) return;
    const [lons, lats] = [places.map(({ x }) => x).sort((a, b) => a - b), places.map(({ y }) => y).sort((a, b) => a - b)];
    const stray = Math.floor(places.length * STRAY_SHARE);
    const last = places.length - 1 - stray;
    this.#hasView = true;
    const corners = [lons[stray]!, lats[stray]!, lons[last]!, lats[last]!] as const;
    const [a, b] = [toDatum([corners[0], corners[1]], this.datum), toDatum([corners[2], corners[3]], this.datum)];
    this.map.fitBounds([a[0], a[1], b[0], b[1]], { padding: 50, maxZoom: 15, animate: false });
  }

  #drawnBox(): Box {
    const bounds = this.map.getBounds();
    return { west: bounds.getWest(), south: bounds.getSouth(), east: bounds.getEast(), north: bounds.getNorth() };
  }

  #afterMove(): void {
    this.#drawGrid();
    this.#clusterSoon();
    this.#drawClusters();
    this.#options.onView(this.box());
  }

  #view(): View {
    const { lng, lat } = this.map.getCenter();
    const canvas = this.map.getCanvas();
    return {
      centreX: mercatorX(lng),
      centreY: mercatorY(lat),
      zoom: this.map.getZoom(),
      latDeg: lat,
      width: canvas.clientWidth,
      height: canvas.clientHeight,
      box: this.#drawnBox(),
    };
  }

  #afterRender(): void {
    const now = this.#options.nowMs();
    const view = this.#view();
    this.#followNow();
    this.#drawTrail();
    let slots: number[] = [];
    if (view.zoom >= PLATES_FROM_ZOOM) {
      this.#index(now);
      const scale = 2 ** view.zoom * WORLD_PX;
      const [halfX, halfY] = [view.width / 2 / scale, view.height / 2 / scale];
      const { centreX: x, centreY: y } = view;
      slots = this.#grid.within(x - halfX, y - halfY, x + halfX, y + halfY, PLATES_LOOKED_AT_MAX);
    }
    this.#overlay.draw({
      view,
      nowMs: now,
      look: palette(this.#isDark),
      slots,
      chosen: this.#isClustered ? -1 : this.#fleet.slotOf(this.#chosen >= 0 ? this.#chosen : this.#hovered),
      textOf: (slot) => this.#options.textOf(this.#fleet.carIn(slot)),
      hasGrid: !this.#base,
    });
  }

  #index(now: number): void {
    if (now - this.#gridAtMs < GRID_MS) return;
    this.#gridAtMs = now;
    const fleet = this.#fleet;
    this.#grid.build(fleet.size, (slot) =>
      fleet.isHidden(slot) || !fleet.hasPlace(slot) ? null : fleet.placeAt(slot, now),
    );
  }

  #slotAt(x: number, y: number): number {
    if (this.#isClustered) return -1;
    this.#index(this.#options.nowMs());
    const view = this.#view();
    const scale = 2 ** view.zoom * WORLD_PX;
    const worldX = view.centreX + (x - view.width / 2) / scale;
    const worldY = view.centreY + (y - view.height / 2) / scale;
    return this.#grid.nearest(worldX, worldY, (carSizePx(view.zoom) / 2 + PICK_SLACK_PX) / scale);
  }

  #click({ point }: MapMouseEvent): void {
    if (this.#isDrawing) return;
    if (this.#isClustered) {
      const [group] = this.map.queryRenderedFeatures(point, { layers: [CARS_BELOW] });
      if (group) this.map.easeTo({ center: this.map.unproject(point), zoom: this.map.getZoom() + 2, duration: 400 });
      return;
    }
    const car = this.pick(point.x, point.y);
    if (car === null) {
      const [zone] = this.map.queryRenderedFeatures(point, { layers: ["zones-fill", "zones-corridor", "zones-name"] });
      if (typeof zone?.id === "number") return this.#options.onPickZone(zone.id);
    }
    this.#options.onPick(car);
  }

  #hover({ point }: MapMouseEvent): void {
    if (this.#isDrawing || this.map.isMoving()) return;
    this.#setHovered(this.pick(point.x, point.y) ?? -1);
  }

  #setHovered(car: number): void {
    if (car === this.#hovered) return;
    this.#mark(this.#hovered, Flag.hovered, false);
    this.#hovered = car;
    this.#mark(car, Flag.hovered, true);
    this.map.getCanvas().style.cursor = car >= 0 ? "pointer" : "";
    this.map.triggerRepaint();
  }
}

/** The picture on a canvas; a small one larger and softer, so that slanted roads are no stairs when the map is near. */
