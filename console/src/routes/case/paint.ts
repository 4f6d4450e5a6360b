import type { Range } from "../../replay/axis";
import type { Place } from "../../replay/geo";
import { isLost, type Fix, type Moment, type Zone } from "../../replay/track";
import { onScreen, scaleBar, type MapView } from "./view";

export interface Scene {
  fixes: readonly Fix[];
  zones: readonly Zone[];
  visited: ReadonlySet<number>;
  stops: readonly (Place & { label: string })[];
  range: Range;
  view: MapView;
  width: number;
  height: number;
}

type Drawing = CanvasRenderingContext2D;

/** The colours of the page, so that the picture follows its look. */
const colour = (style: CSSStyleDeclaration, name: string): string => style.getPropertyValue(`--${name}`).trim();

const TAU = Math.PI * 2;
/** Zones that the car was not in are named once they are this large in the picture. */
const NAMED_PX = 40;

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

interface Name {
  text: string;
  tone: string;
  x: number;
  y: number;
}

/** Draws a zone; its name is drawn later, over the track. */
function paintZone(drawing: Drawing, scene: Scene, zone: Zone, style: CSSStyleDeclaration): Name | null {
  const at = onScreen(scene.view, scene.width, scene.height);
  const tone = colour(style, zoneTone[zone.use] ?? "ink-3");
  let name: { x: number; y: number; size: number };
  drawing.beginPath();
  if (zone.shape.kind === "circle") {
    const middle = at(zone.shape.centre);
    const radius = zone.shape.radius_m * scene.view.pixelsPerMetre;
    if (middle.x < -radius || middle.y < -radius || middle.x > scene.width + radius || middle.y > scene.height + radius) return null;
    drawing.arc(middle.x, middle.y, Math.max(2, radius), 0, TAU);
    name = { ...middle, y: middle.y - Math.max(radius, 10) - 5, size: radius * 2 };
  } else {
    for (const ring of zone.shape.polygons.flat()) {
      ring.forEach((place, index) => {
        const { x, y } = at(place);
        if (index) drawing.lineTo(x, y);
        else drawing.moveTo(x, y);
      });
      drawing.closePath();
    }
    name = { x: 0, y: 0, size: 0 };
  }
  const isBroad = zone.use === "service_area" || zone.use === "area" || zone.use === "allowance";
  drawing.setLineDash(isBroad ? [6, 5] : []);
  drawing.strokeStyle = tone;
  drawing.lineWidth = 1;
  const isVisited = scene.visited.has(zone.id);
  drawing.globalAlpha = isBroad ? 0.5 : isVisited ? 1 : 0.45;
  drawing.stroke();
  drawing.setLineDash([]);
  if (!isBroad) {
    drawing.fillStyle = tone;
    drawing.globalAlpha = isVisited ? 0.16 : 0.06;
    drawing.fill();
  }
  drawing.globalAlpha = 1;
  const isNamed = !isBroad && name.size > 0 && (isVisited || name.size > NAMED_PX);
  return isNamed ? { text: zone.name, tone, x: name.x, y: name.y } : null;
}

function paintNames(drawing: Drawing, names: readonly Name[], style: CSSStyleDeclaration): void {
  drawing.font = `11px ${colour(style, "font")}`;
  drawing.textAlign = "center";
  for (const { text, tone, x, y } of names) paintText(drawing, text, x, y, tone, style);
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

function paintStops(drawing: Drawing, scene: Scene, style: CSSStyleDeclaration): void {
  const at = onScreen(scene.view, scene.width, scene.height);
  drawing.font = `600 11px ${colour(style, "font")}`;
  drawing.textAlign = "left";
  for (const stop of scene.stops) {
    const { x, y } = at(stop);
    drawing.beginPath();
    drawing.arc(x, y, 5.5, 0, TAU);
    drawing.fillStyle = colour(style, "surface");
    drawing.fill();
    drawing.lineWidth = 2.5;
    drawing.strokeStyle = colour(style, "ink");
    drawing.stroke();
    paintText(drawing, stop.label, x + 10, y + 4, colour(style, "ink"), style);
  }
}

/** Draws all that does not move. */
export function paintGround(drawing: Drawing, scene: Scene, style: CSSStyleDeclaration): void {
  drawing.clearRect(0, 0, scene.width, scene.height);
  paintGrid(drawing, scene, style);
  const seen = scene.zones.filter(({ use }) => !UNSEEN.has(use));
  const names = seen.map((zone) => paintZone(drawing, scene, zone, style)).filter((name) => name !== null);
  paintTrack(drawing, scene, style);
  paintNames(drawing, names, style);
  paintStops(drawing, scene, style);
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
