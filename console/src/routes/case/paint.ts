import type { Range } from "../../replay/axis";
import { distance, type Place } from "../../replay/geo";
import { isLost, type Fix, type Moment, type Zone } from "../../replay/track";
import { placeLabels, type Box, type Wanted } from "./labels";
import { onScreen, scaleBar, type MapView } from "./view";

/** Where the fleet drove, as a picture between two corners. */
export interface Roads {
  canvas: HTMLCanvasElement;
  northWest: Place;
  southEast: Place;
}

export interface Scene {
  fixes: readonly Fix[];
  zones: readonly Zone[];
  visited: ReadonlySet<number>;
  /** Zones that a question names. */
  mentioned: ReadonlySet<number>;
  stops: readonly (Place & { label: string })[];
  roads: Roads | null;
  range: Range;
  view: MapView;
  width: number;
  height: number;
}

type Drawing = CanvasRenderingContext2D;

/** The colours of the page, so that the picture follows its look. */
const colour = (style: CSSStyleDeclaration, name: string): string => style.getPropertyValue(`--${name}`).trim();

const TAU = Math.PI * 2;
/** Places that are not drawn at least so large, and where the car did not stop nearby, have no name. */
const NAMED_PX = 7;
const NEAR_STOP_M = 200;
const TEXT_PX = 11;
const LINE_PX = 15;
/** Half of the mark of a stop. */
const MARK_PX = 7;
/** What is written over the picture at its edges: buttons, scale and legend. */
const frame = (width: number, height: number): Box[] => [
  { left: width - 44, top: 0, width: 44, height: 112 },
  { left: 0, top: height - 34, width, height: 34 },
];

function paintRoads(drawing: Drawing, { roads, view, width, height }: Scene): void {
  if (!roads) return;
  const at = onScreen(view, width, height);
  const [corner, opposite] = [at(roads.northWest), at(roads.southEast)];
  drawing.globalAlpha = 0.55;
  drawing.drawImage(roads.canvas, corner.x, corner.y, opposite.x - corner.x, opposite.y - corner.y);
  drawing.globalAlpha = 1;
}

function paintGrid(drawing: Drawing, { view, width, height }: Scene, style: CSSStyleDeclaration): void {
  const bar = scaleBar(view.pixelsPerMetre, 120);
  const step = bar.pixels;
  const offsetX = (((width / 2 - view.centre.x * view.pixelsPerMetre) % step) + step) % step;
  const offsetY = (((height / 2 + view.centre.y * view.pixelsPerMetre) % step) + step) % step;
  drawing.strokeStyle = colour(style, "line");
  drawing.lineWidth = 0.6;
  drawing.beginPath();
  for (let x = offsetX; x < width; x += step) drawing.rect(x, -1, 0, height + 2);
  for (let y = offsetY; y < height; y += step) drawing.rect(-1, y, width + 2, 0);
  drawing.stroke();
}

function paintScale(drawing: Drawing, { view, height }: Scene, style: CSSStyleDeclaration): void {
  const bar = scaleBar(view.pixelsPerMetre, 120);
  const text = bar.metres >= 1000 ? `${bar.metres / 1000} km` : `${bar.metres} m`;
  drawing.strokeStyle = colour(style, "ink-2");
  drawing.fillStyle = colour(style, "ink-2");
  drawing.lineWidth = 1.5;
  drawing.beginPath();
  drawing.moveTo(12, height - 18);
  drawing.lineTo(12, height - 12);
  drawing.lineTo(12 + bar.pixels, height - 12);
  drawing.lineTo(12 + bar.pixels, height - 18);
  drawing.stroke();
  drawing.font = `11px ${colour(style, "font")}`;
  drawing.textAlign = "left";
  drawing.fillText(`${text} · WGS-84`, 14, height - 23);
}

/** Parts of the map that say nothing about one day. */
const UNSEEN = new Set(["area", "place"]);

const zoneTone: Record<string, string> = { depot: "brand", sensitive: "plum", forbidden: "red", service_area: "line-strong" };

/** The colour of a kind of zone, by its name in the page's style. */
export const toneOf = (use: string): string => zoneTone[use] ?? "ink-3";

const isBroad = (use: string): boolean => use === "service_area" || use === "area" || use === "allowance";

/** Whether a zone is a place of its own: drawn as a spot, with a name. */
export const isSpot = ({ use, shape }: Zone): boolean => !isBroad(use) && !UNSEEN.has(use) && shape.kind === "circle";

/** Words on the map and what they belong to. */
interface Name extends Pick<Wanted, "x" | "y" | "clear" | "isNeeded" | "isBeside"> {
  text: string;
  tone: string;
  isBold: boolean;
  /** Has its place before those that are only there. */
  isFirst: boolean;
}

/** Draws a zone; its name is drawn later, over the track. */
function paintZone(drawing: Drawing, scene: Scene, zone: Zone, style: CSSStyleDeclaration): Name | null {
  const at = onScreen(scene.view, scene.width, scene.height);
  const tone = colour(style, toneOf(zone.use));
  let spot: { x: number; y: number; radius: number } | null = null;
  drawing.beginPath();
  if (zone.shape.kind === "circle") {
    const middle = at(zone.shape.centre);
    const radius = zone.shape.radius_m * scene.view.pixelsPerMetre;
    if (middle.x < -radius || middle.y < -radius || middle.x > scene.width + radius || middle.y > scene.height + radius) return null;
    drawing.arc(middle.x, middle.y, Math.max(2, radius), 0, TAU);
    spot = { ...middle, radius: Math.max(2, radius) };
  } else {
    for (const ring of zone.shape.polygons.flat()) {
      ring.forEach((place, index) => {
        const { x, y } = at(place);
        if (index) drawing.lineTo(x, y);
        else drawing.moveTo(x, y);
      });
      drawing.closePath();
    }
  }
  const isWide = isBroad(zone.use);
  drawing.setLineDash(isWide ? [6, 5] : []);
  drawing.strokeStyle = tone;
  drawing.lineWidth = 1;
  const isVisited = scene.visited.has(zone.id) || scene.mentioned.has(zone.id);
  drawing.globalAlpha = isWide ? 0.5 : isVisited ? 1 : 0.45;
  drawing.stroke();
  drawing.setLineDash([]);
  if (!isWide) {
    drawing.fillStyle = tone;
    drawing.globalAlpha = isVisited ? 0.16 : 0.06;
    drawing.fill();
  }
  drawing.globalAlpha = 1;
  if (!spot || isWide || zone.shape.kind !== "circle") return null;
  const { centre } = zone.shape;
  const isMentioned = scene.mentioned.has(zone.id);
  if (!isVisited && !isMentioned && spot.radius < NAMED_PX && !scene.stops.some((stop) => distance(stop, centre) < NEAR_STOP_M)) return null;
  return { text: zone.name, tone: toneOf(zone.use), x: spot.x, y: spot.y, clear: spot.radius + 4, isNeeded: isMentioned, isFirst: isVisited || isMentioned, isBeside: false, isBold: false };
}

/** Writes what there is room for: the stops, then where the car was, then what lies near the middle. */
function paintNames(drawing: Drawing, scene: Scene, names: readonly Name[], style: CSSStyleDeclaration): void {
  const { width, height } = scene;
  const fromMiddle = ({ x, y }: Name): number => Math.hypot(x - width / 2, y - height / 2);
  const sorted = names.toSorted((a, b) => Number(b.isBold) - Number(a.isBold) || Number(b.isFirst) - Number(a.isFirst) || fromMiddle(a) - fromMiddle(b));
  const fontOf = (name: Name): string => `${name.isBold ? "600 " : ""}${TEXT_PX}px ${colour(style, "font")}`;
  const wanted = sorted.map((name): Wanted => {
    drawing.font = fontOf(name);
    return { ...name, width: drawing.measureText(name.text).width + 4, height: LINE_PX };
  });
  drawing.textAlign = "left";
  drawing.textBaseline = "middle";
  const marks = names.filter(({ isBold }) => isBold).map(({ x, y }): Box => ({ left: x - MARK_PX, top: y - MARK_PX, width: 2 * MARK_PX, height: 2 * MARK_PX }));
  placeLabels(wanted, width, height, [...frame(width, height), ...marks]).forEach((box, index) => {
    const name = sorted[index];
    if (!box || !name) return;
    drawing.font = fontOf(name);
    paintText(drawing, name.text, box.left + 2, box.top + LINE_PX / 2, colour(style, name.tone), style);
  });
  drawing.textBaseline = "alphabetic";
}

/** Text with a rim in the colour of the ground, so that lines do not cut it. */
function paintText(drawing: Drawing, text: string, x: number, y: number, tone: string, style: CSSStyleDeclaration): void {
  drawing.lineWidth = 4.5;
  drawing.lineJoin = "round";
  drawing.strokeStyle = colour(style, "surface-2");
  drawing.strokeText(text, x, y);
  drawing.fillStyle = tone;
  drawing.fillText(text, x, y);
}

function paintTrack(drawing: Drawing, scene: Scene, style: CSSStyleDeclaration): void {
  const at = onScreen(scene.view, scene.width, scene.height);
  const tones = [colour(style, "brand"), colour(style, "ink-3"), colour(style, "line-strong")];
  drawing.lineCap = "round";
  drawing.lineJoin = "round";
  scene.fixes.forEach((fix, index) => {
    const before = scene.fixes[index - 1];
    if (!before) return;
    const [a, b] = [at(before), at(fix)];
    const isGap = isLost(before, fix);
    const isSeen = fix.time >= scene.range.from && before.time <= scene.range.to;
    drawing.beginPath();
    drawing.moveTo(a.x, a.y);
    drawing.lineTo(b.x, b.y);
    drawing.setLineDash(isGap ? [3, 6] : []);
    drawing.globalAlpha = isSeen ? 1 : 0.25;
    drawing.lineWidth = isGap ? 1.5 : 3.2;
    drawing.strokeStyle = (isGap ? tones[1] : isSeen ? tones[0] : tones[2]) ?? "";
    drawing.stroke();
  });
  drawing.setLineDash([]);
  drawing.globalAlpha = 1;
}

function paintStops(drawing: Drawing, scene: Scene, style: CSSStyleDeclaration): Name[] {
  const at = onScreen(scene.view, scene.width, scene.height);
  return scene.stops.map((stop) => {
    const { x, y } = at(stop);
    drawing.beginPath();
    drawing.arc(x, y, 5.5, 0, TAU);
    drawing.fillStyle = colour(style, "surface");
    drawing.fill();
    drawing.lineWidth = 2.5;
    drawing.strokeStyle = colour(style, "ink");
    drawing.stroke();
    return { text: stop.label, tone: "ink", x, y, clear: 9, isNeeded: true, isFirst: true, isBeside: true, isBold: true };
  });
}

/** Draws all that does not move. */
export function paintGround(drawing: Drawing, scene: Scene, style: CSSStyleDeclaration): void {
  drawing.clearRect(0, 0, scene.width, scene.height);
  paintGrid(drawing, scene, style);
  paintRoads(drawing, scene);
  const seen = scene.zones.filter(({ use }) => !UNSEEN.has(use));
  const names = seen.map((zone) => paintZone(drawing, scene, zone, style)).filter((name) => name !== null);
  paintTrack(drawing, scene, style);
  const stops = paintStops(drawing, scene, style);
  const inSight = ({ x, y }: Name): boolean => x >= 0 && y >= 0 && x <= scene.width && y <= scene.height;
  paintNames(drawing, scene, [...stops, ...names].filter(inSight), style);
  paintScale(drawing, scene, style);
}

/** Draws the car: an arrow where it heads, a dot when it stands, hollow when it is only the last known place. */
export function paintCar(drawing: Drawing, scene: Scene, moment: Moment, style: CSSStyleDeclaration): void {
  const { x, y } = onScreen(scene.view, scene.width, scene.height)(moment);
  drawing.clearRect(0, 0, scene.width, scene.height);
  drawing.save();
  drawing.translate(x, y);
  drawing.fillStyle = colour(style, moment.isGap ? "surface" : "red");
  drawing.strokeStyle = colour(style, moment.isGap ? "grey" : "surface");
  drawing.lineWidth = 2;
  drawing.beginPath();
  if ((moment.speedKmh ?? 0) >= 3 && moment.courseDeg !== null) {
    drawing.rotate((moment.courseDeg * Math.PI) / 180);
    drawing.moveTo(0, -12);
    drawing.lineTo(8, 9);
    drawing.lineTo(0, 5);
    drawing.lineTo(-8, 9);
    drawing.closePath();
  } else {
    drawing.arc(0, 0, 7.5, 0, TAU);
  }
  drawing.fill();
  drawing.stroke();
  drawing.restore();
}
