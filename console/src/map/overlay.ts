/** What is written over the map on a plain canvas: plates beside their cars, degrees at the edges, the scale. */

import { carSizePx } from "./cars-layer";
import type { Fleet } from "./fleet";
import { type Box, degreeLabel, scaleBar, stepDeg, ticks } from "./graticule";
import { LABEL_PADDING_PX, type LabelWish, placeLabels, PLATES_FROM_ZOOM } from "./labels";
import { mercatorX, mercatorY } from "./mercator";
import type { MapPalette } from "./style";

const WORLD_PX = 512;
const PLATES_MAX = 160;
const SCALE_MAX_PX = 110;
const EDGE_PX = 6;
const FONT_PLATE = '600 12px system-ui, "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei", sans-serif';
const FONT_SMALL = '11px system-ui, "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei", sans-serif';

/** The view of a flat map with north up. */
export interface View {
  centreX: number;
  centreY: number;
  zoom: number;
  latDeg: number;
  width: number;
  height: number;
  box: Box;
}

export interface OverlayInput {
  view: View;
  nowMs: number;
  look: MapPalette;
  /** Slots in view, or nothing when plates are not wanted. */
  slots: readonly number[];
  chosen: number;
  textOf(slot: number): string;
  /** Whether degrees are written: only where there is no base map. */
  hasGrid: boolean;
}

export class Overlay {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D | null;
  readonly #fleet: Fleet;
  readonly #widths = new Map<string, number>();
  /** Slots whose plates were shown last: they keep their places. */
  #shown = new Set<number>();

  constructor(container: HTMLElement, fleet: Fleet) {
    this.#fleet = fleet;
    this.#canvas = document.createElement("canvas");
    this.#canvas.className = "map-overlay";
    this.#canvas.setAttribute("aria-hidden", "true");
    container.append(this.#canvas);
    this.#context = this.#canvas.getContext("2d");
  }

  remove(): void {
    this.#canvas.remove();
  }

  draw(input: OverlayInput): void {
    const context = this.#context;
    if (!context) return;
    this.#fit(context, input.view);
    if (input.hasGrid) this.#drawDegrees(context, input);
    this.#drawScale(context, input);
    if (input.view.zoom >= PLATES_FROM_ZOOM || input.chosen >= 0) this.#drawPlates(context, input);
  }

  #fit(context: CanvasRenderingContext2D, view: View): void {
    const ratio = window.devicePixelRatio;
    const [width, height] = [Math.round(view.width * ratio), Math.round(view.height * ratio)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, view.width, view.height);
    context.textBaseline = "middle";
  }

  #drawDegrees(context: CanvasRenderingContext2D, { view, look }: OverlayInput): void {
    const { box } = view;
    const step = stepDeg(box, view.width);
    const scale = 2 ** view.zoom * WORLD_PX;
    context.font = FONT_SMALL;
    context.fillStyle = look.text;
    context.globalAlpha = 0.5;
    // At the edges that no button and no card covers.
    context.textAlign = "center";
    for (const lon of ticks(box.west, box.east, step)) {
      const x = (mercatorX(lon) - view.centreX) * scale + view.width / 2;
      if (x > 160 && x < view.width - 90) context.fillText(degreeLabel(lon, step, "lon"), x, view.height - EDGE_PX - 5);
    }
    context.textAlign = "left";
    for (const lat of ticks(box.south, box.north, step)) {
      const y = (mercatorY(lat) - view.centreY) * scale + view.height / 2;
      if (y > 110 && y < view.height - 50) context.fillText(degreeLabel(lat, step, "lat"), EDGE_PX, y - 8);
    }
    context.globalAlpha = 1;
  }

  #drawScale(context: CanvasRenderingContext2D, { view, look }: OverlayInput): void {
    const { metres, widthPx } = scaleBar(view.zoom, view.latDeg, SCALE_MAX_PX);
    const [left, bottom] = [12, view.height - 12];
    context.strokeStyle = look.text;
    context.lineWidth = 1.5;
    context.beginPath();
    context.moveTo(left, bottom - 5);
    context.lineTo(left, bottom);
    context.lineTo(left + widthPx, bottom);
    context.lineTo(left + widthPx, bottom - 5);
    context.stroke();
    context.font = FONT_SMALL;
    context.textAlign = "left";
    context.lineWidth = 3;
    context.strokeStyle = look.halo;
    const text = metres >= 1_000 ? `${metres / 1_000} km` : `${metres} m`;
    context.strokeText(text, left + 5, bottom - 10);
    context.fillStyle = look.text;
    context.fillText(text, left + 5, bottom - 10);
  }

  #drawPlates(context: CanvasRenderingContext2D, input: OverlayInput): void {
    const { look } = input;
    context.font = FONT_PLATE;
    const width = (text: string): number => {
      let known = this.#widths.get(text);
      if (known === undefined) {
        known = context.measureText(text).width;
        this.#widths.set(text, known);
      }
      return known;
    };
    const labels = placeLabels(this.#wishes(input), width, PLATES_MAX);
    this.#shown = new Set(labels.map((label) => label.slot));
    context.textAlign = "left";
    for (const label of labels) {
      context.globalAlpha = label.isChosen ? 1 : 0.9;
      context.fillStyle = label.isChosen ? look.text : look.halo;
      context.beginPath();
      context.roundRect(label.left, label.top, label.width, label.height, 4);
      context.fill();
      context.globalAlpha = 1;
      context.fillStyle = label.isChosen ? look.halo : look.text;
      context.fillText(label.text, label.left + LABEL_PADDING_PX, label.top + label.height / 2 + 0.5);
    }
  }

  #wishes({ view, nowMs, slots, chosen, textOf }: OverlayInput): LabelWish[] {
    const scale = 2 ** view.zoom * WORLD_PX;
    const offset = carSizePx(view.zoom) * 0.62 + 2;
    const wish = (slot: number): LabelWish => {
      const { x, y } = this.#fleet.placeAt(slot, nowMs);
      const screenX = (x - view.centreX) * scale + view.width / 2;
      const screenY = (y - view.centreY) * scale + view.height / 2;
      return { slot, text: textOf(slot), x: screenX, y: screenY, offset, isChosen: slot === chosen };
    };
    const all = view.zoom >= PLATES_FROM_ZOOM ? slots : [];
    const ordered = [...all.filter((slot) => this.#shown.has(slot)), ...all.filter((slot) => !this.#shown.has(slot))];
    const wishes = ordered.filter((slot) => slot !== chosen).map(wish);
    if (chosen >= 0 && this.#fleet.hasPlace(chosen)) wishes.unshift(wish(chosen));
    return wishes.filter(({ x, y, text }) => text !== "" && x > -90 && x < view.width && y > 0 && y < view.height);
  }
}
