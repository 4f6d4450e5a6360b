/**
 * Every car on the map: one MapLibre layer of our own, one instanced draw call.
 *
 * The shader drives each car from its old place to its new one by the clock, so that between frames of the feed nothing is computed
 * in script. Shape tells the state as well as colour does: an arrow moves, a drop idles, a square is parked, a ring is offline, a
 * diamond has no position.
 */

import type { CustomLayerInterface, CustomRenderMethodInput, Map as MapLibreMap } from "maplibre-gl";

import { type Fleet, LOOK_SHORTS, MOTION_FLOATS } from "./fleet";
import { metresPerUnit } from "./mercator";
import { CAR_STATES } from "./wire";

const MOTION_BYTES = MOTION_FLOATS * 4;
const LOOK_BYTES = LOOK_SHORTS * 2;
const WORLD_PX = 512;
/** A car that moves by less than this on the screen need not be drawn again. */
const VISIBLE_STEP_PX = 0.4;
const REDRAW_SLOWEST_MS = 1_000;
const FRAME_MS = 17;

/** Colours of the states and of the rim, each as red, green and blue from 0 to 1. */
export interface CarColours {
  states: readonly (readonly [number, number, number])[];
  rim: readonly [number, number, number];
  chosen: readonly [number, number, number];
}

const VERTEX = `#version 300 es
precision highp float;
layout(location = 0) in vec2 a_from;
layout(location = 1) in vec2 a_to;
layout(location = 2) in vec2 a_times;
layout(location = 3) in float a_course;
layout(location = 4) in uvec2 a_look;
uniform mat4 u_matrix;
uniform vec2 u_viewport;
uniform float u_now;
uniform float u_size;
uniform float u_bearing;
uniform uint u_states;
uniform vec3 u_colours[${CAR_STATES}];
out vec2 v_at;
flat out vec3 v_colour;
flat out float v_radius;
flat out uint v_state;
flat out uint v_flags;

void main() {
  v_state = a_look.x;
  v_flags = a_look.y;
  if ((v_flags & 1u) != 0u || ((u_states >> v_state) & 1u) == 0u) {
    gl_Position = vec4(2.0, 2.0, 2.0, 1.0);
    return;
  }
  float share = u_now >= a_times.y ? 1.0 : clamp((u_now - a_times.x) / (a_times.y - a_times.x), 0.0, 1.0);
  vec4 middle = u_matrix * vec4(mix(a_from, a_to, share), 0.0, 1.0);
  float still = v_state == 3u ? 1.0 : 0.82;
  float size = u_size * ((v_flags & 6u) != 0u ? 1.45 : still);
  vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0 - 1.0;
  float turn = a_course * 6.283185307 - u_bearing;
  // A square has no heading; turned it would read as a diamond.
  if (v_state == 1u || v_state == 0u || v_state == 4u) turn = 0.0;
  mat2 rotation = mat2(cos(turn), -sin(turn), sin(turn), cos(turn));
  gl_Position = middle + vec4(rotation * corner * size / u_viewport * middle.w, 0.0, 0.0);
  v_at = corner * 1.25;
  v_radius = size * 0.4;
  v_colour = u_colours[min(v_state, ${CAR_STATES - 1}u)];
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec2 v_at;
flat in vec3 v_colour;
flat in float v_radius;
flat in uint v_state;
flat in uint v_flags;
uniform vec3 u_rim;
uniform vec3 u_chosen;
out vec4 colour;

float arrow(vec2 p) {
  float side = dot(p - vec2(0.0, 0.95), vec2(0.9304, 0.3665));
  float notch = dot(p - vec2(0.0, -0.38), vec2(-0.4741, -0.8805));
  return max(side, notch);
}

float drop(vec2 p) {
  float tip = max(dot(p - vec2(0.0, 0.98), vec2(0.8, 0.6)), -p.y);
  return min(length(p) - 0.58, tip);
}

float box(vec2 p, float half_side) {
  vec2 d = abs(p) - half_side + 0.18;
  return length(max(d, 0.0)) + min(max(d.x, d.y), 0.0) - 0.18;
}

void main() {
  vec2 p = vec2(abs(v_at.x), v_at.y);
  float d;
  float hole = 1.0;
  if (v_state == 3u) { d = arrow(p); }
  else if (v_state == 2u) { d = drop(p); hole = length(p) - 0.2; }
  else if (v_state == 1u) { d = box(v_at, 0.6); }
  else if (v_state == 0u) { d = length(p) - 0.6; hole = length(p) - 0.28; }
  else { d = (p.x + abs(p.y) - 0.85) * 0.7071; hole = box(v_at, 0.14); }
  float soft = 1.0 / v_radius;
  float rim = 0.12 + soft;
  if ((v_flags & 6u) != 0u) rim = 0.2;
  float outside = 1.0 - smoothstep(rim - soft, rim + soft, d);
  if (outside <= 0.0) discard;
  float inside = (1.0 - smoothstep(-soft, soft, d)) * smoothstep(-soft, soft, hole);
  vec3 edge = (v_flags & 6u) != 0u ? u_chosen : u_rim;
  colour = vec4(mix(edge, v_colour, inside) * outside, outside);
}`;

/** Width of a car at a zoom level, CSS pixels. */
export function carSizePx(zoom: number): number {
  const stops: [number, number][] = [
    [4, 7],
    [9, 12],
    [12, 19],
    [15, 28],
    [18, 40],
  ];
  let [lowZoom, lowSize] = stops[0]!;
  for (const [highZoom, highSize] of stops) {
    if (zoom <= highZoom) {
      const share = highZoom === lowZoom ? 0 : Math.max(0, (zoom - lowZoom) / (highZoom - lowZoom));
      return lowSize + (highSize - lowSize) * share;
    }
    [lowZoom, lowSize] = [highZoom, highSize];
  }
  return lowSize;
}

/** How long the picture stays good enough while the fastest car drives this fast, milliseconds. */
export function redrawAfterMs(fastestKmh: number, zoom: number, latDeg: number): number {
  const metresPerPx = metresPerUnit(latDeg) / (2 ** zoom * WORLD_PX);
  const pxPerS = fastestKmh / 3.6 / metresPerPx;
  return Math.min(REDRAW_SLOWEST_MS, (VISIBLE_STEP_PX / pxPerS) * 1000);
}

export class CarsLayer implements CustomLayerInterface {
  readonly id = "cars";
  readonly type = "custom";
  readonly renderingMode = "2d";
  /** Off while cars are drawn as groups. */
  isVisible = true;

  readonly #fleet: Fleet;
  readonly #nowMs: () => number;
  #colours: CarColours;
  #map: MapLibreMap | undefined;
  #gl: WebGL2RenderingContext | undefined;
  #program: WebGLProgram | undefined;
  #array: WebGLVertexArrayObject | null = null;
  #motion: WebGLBuffer | null = null;
  #looks: WebGLBuffer | null = null;
  #capacity = 0;
  #motionVersion = -1;
  #looksVersion = -1;
  #timer = 0;
  #uniforms = new Map<string, WebGLUniformLocation | null>();

  constructor(fleet: Fleet, colours: CarColours, nowMs: () => number) {
    this.#fleet = fleet;
    this.#colours = colours;
    this.#nowMs = nowMs;
  }

  setColours(colours: CarColours): void {
    this.#colours = colours;
    this.#map?.triggerRepaint();
  }

  onAdd(map: MapLibreMap, gl: WebGLRenderingContext | WebGL2RenderingContext): void {
    // MapLibre 6 knows WebGL 2 only; the wider type is a leftover of its interface.
    const gl2 = gl as WebGL2RenderingContext;
    this.#map = map;
    this.#gl = gl2;
    this.#program = link(gl2);
    this.#uniforms.clear();
    this.#array = gl2.createVertexArray();
    this.#motion = gl2.createBuffer();
    this.#looks = gl2.createBuffer();
    this.#capacity = 0;
    this.#motionVersion = -1;
    this.#looksVersion = -1;
  }

  onRemove(_map: MapLibreMap, _gl: WebGLRenderingContext | WebGL2RenderingContext): void {
    window.clearTimeout(this.#timer);
    const gl = this.#gl;
    if (gl) {
      gl.deleteBuffer(this.#motion);
      gl.deleteBuffer(this.#looks);
      gl.deleteVertexArray(this.#array);
      if (this.#program) gl.deleteProgram(this.#program);
    }
    this.#gl = undefined;
    this.#map = undefined;
  }

  render(_gl: WebGLRenderingContext | WebGL2RenderingContext, input: CustomRenderMethodInput): void {
    const [gl, map, program] = [this.#gl, this.#map, this.#program];
    if (!gl || !map || !program || !this.isVisible || this.#fleet.size === 0) return;
    gl.bindVertexArray(this.#array);
    this.#upload(gl);
    gl.useProgram(program);
    this.#setUniforms(gl, map, program, input);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.disable(gl.DEPTH_TEST);
    gl.disable(gl.STENCIL_TEST);
    gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.#fleet.size);
    gl.bindVertexArray(null);
    this.#scheduleRedraw(map);
  }

  #setUniforms(
    gl: WebGL2RenderingContext,
    map: MapLibreMap,
    program: WebGLProgram,
    input: CustomRenderMethodInput,
  ): void {
    const at = (name: string): WebGLUniformLocation | null => {
      let location = this.#uniforms.get(name);
      if (location === undefined) {
        location = gl.getUniformLocation(program, name);
        this.#uniforms.set(name, location);
      }
      return location;
    };
    const { x, y } = this.#fleet.origin;
    const canvas = map.getCanvas();
    gl.uniformMatrix4fv(at("u_matrix"), false, movedTo(input.defaultProjectionData.mainMatrix, x, y));
    gl.uniform2f(at("u_viewport"), canvas.clientWidth, canvas.clientHeight);
    gl.uniform1f(at("u_now"), (this.#nowMs() - this.#fleet.epochMs) / 1000);
    gl.uniform1f(at("u_size"), carSizePx(map.getZoom()) * 1.25);
    gl.uniform1f(at("u_bearing"), (map.getBearing() * Math.PI) / 180);
    gl.uniform1ui(at("u_states"), this.#fleet.stateMask);
    gl.uniform3fv(at("u_colours[0]"), this.#colours.states.flat());
    gl.uniform3fv(at("u_rim"), this.#colours.rim);
    gl.uniform3fv(at("u_chosen"), this.#colours.chosen);
  }

  #upload(gl: WebGL2RenderingContext): void {
    const fleet = this.#fleet;
    const capacity = fleet.fixTimeS.length;
    if (capacity !== this.#capacity) {
      this.#allocate(gl, capacity);
      this.#capacity = capacity;
    }
    if (fleet.motionVersion !== this.#motionVersion) {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.#motion);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, fleet.motion, 0, fleet.size * MOTION_FLOATS);
      this.#motionVersion = fleet.motionVersion;
    }
    if (fleet.looksVersion !== this.#looksVersion) {
      gl.bindBuffer(gl.ARRAY_BUFFER, this.#looks);
      gl.bufferSubData(gl.ARRAY_BUFFER, 0, fleet.looks, 0, fleet.size * LOOK_SHORTS);
      this.#looksVersion = fleet.looksVersion;
    }
  }

  #allocate(gl: WebGL2RenderingContext, capacity: number): void {
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#motion);
    gl.bufferData(gl.ARRAY_BUFFER, capacity * MOTION_BYTES, gl.DYNAMIC_DRAW);
    for (const [location, offset] of [
      [0, 0],
      [1, 8],
      [2, 16],
    ] as const) {
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, 2, gl.FLOAT, false, MOTION_BYTES, offset);
      gl.vertexAttribDivisor(location, 1);
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#looks);
    gl.bufferData(gl.ARRAY_BUFFER, capacity * LOOK_BYTES, gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(3);
    gl.vertexAttribPointer(3, 1, gl.UNSIGNED_SHORT, true, LOOK_BYTES, 0);
    gl.vertexAttribDivisor(3, 1);
    gl.enableVertexAttribArray(4);
    gl.vertexAttribIPointer(4, 2, gl.UNSIGNED_BYTE, LOOK_BYTES, 2);
    gl.vertexAttribDivisor(4, 1);
    this.#motionVersion = -1;
    this.#looksVersion = -1;
  }

  /** Draws again when some car has moved by enough to be seen, and not at all while every car stands. */
  #scheduleRedraw(map: MapLibreMap): void {
    window.clearTimeout(this.#timer);
    const fleet = this.#fleet;
    if ((this.#nowMs() - fleet.epochMs) / 1000 >= fleet.arrivesS || document.hidden) return;
    const wait = redrawAfterMs(fleet.fastestKmh, map.getZoom(), map.getCenter().lat);
    if (wait <= FRAME_MS) map.triggerRepaint();
    else this.#timer = window.setTimeout(() => map.triggerRepaint(), wait);
  }
}

/** The matrix that first moves by (x, y), in double precision until the end. */
function movedTo(matrix: ArrayLike<number>, x: number, y: number): Float32Array {
  const moved = Float32Array.from(matrix);
  for (let row = 0; row < 4; row += 1) {
    moved[12 + row] = (matrix[row] ?? 0) * x + (matrix[4 + row] ?? 0) * y + (matrix[12 + row] ?? 0);
  }
  return moved;
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(type);
    if (!shader) throw new Error("the graphics context is lost");
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "no shader");
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "no program");
  return program;
}
