/**
 * What the page knows of the cars: who they are, where they are, and how fresh that is.
 *
 * The fleet itself is plain typed arrays that no proxy may touch; `beat` goes up when they change, and whoever shows numbers of them reads it.
 */

import { token } from "../../api/client";
import { reducedMotion } from "../../app/prefs.svelte";
import { Directory, type FleetCar } from "../../map/directory";
import { Flag, Fleet, STATES_ALL } from "../../map/fleet";
import { type FeedStatus, LiveFeed, type Socket } from "../../map/live-feed";
import { Tally } from "../../map/tally";
import { CarState, type CarRecord, encodeFrame, FrameKind, FrameReader } from "../../map/wire";
import { type PositionView, readFleet, readPositions } from "./api";

/** Cars come and go with orders and registers. */
const ROSTER_MS = 120_000;
const POLL_MS = 10_000;
const COUNT_MS = 2_000;
/** Failures to open the feed even once after which positions are read the plain way. */
const POLL_AFTER = 3;
/** Silence of a whole fleet that is worth a word. */
const QUIET_MS = 120_000;
const DEVICES_MAX = 50_000;
const MEASURE = "fleet-update";

/** The record of a device as `/positions` tells of it. */
function recordOf(position: PositionView): CarRecord {
  const speedKmh = position.speed_kmh ?? 0;
  const hasPlace = position.lat !== undefined && position.lon !== undefined;
  let state: CarState = CarState.parked;
  if (!hasPlace) state = CarState.noPosition;
  else if (position.links === 0) state = CarState.offline;
  else if (position.valid === false) state = CarState.noPosition;
  else if (speedKmh >= 3) state = CarState.moving;
  else if (position.ignition) state = CarState.idle;
  return {
    car: position.device,
    lonDeg: position.lon ?? 0,
    latDeg: position.lat ?? 0,
    fixTimeS: position.place_time ? Math.floor(Date.parse(position.place_time) / 1000) : 0,
    state,
    speedKmh,
    courseDeg: position.course_deg ?? 0,
  };
}

export class LiveFleet {
  readonly fleet = new Fleet(performance.now());
  /** Called after every frame, outside of any effect. */
  onchange: (() => void) | null = null;

  directory = $state.raw(new Directory([], []));
  isLoaded = $state(false);
  failure = $state.raw<unknown>(null);
  beat = $state(0);
  feed = $state.raw<FeedStatus>({ state: "closed", lastFrameMs: null, retryAtMs: null, attempts: 0 });
  isPolling = $state(false);
  nowMs = $state(Date.now());
  counts = $state.raw<{ all: number[]; byUnit: Map<number, number[]> }>({ all: [0, 0, 0, 0, 0], byUnit: new Map() });
  /** The unit whose cars are shown, with those below it; null = all. */
  unit = $state<number | null>(null);
  states = $state(STATES_ALL);

  #tally = new Tally(this.fleet, this.directory);
  #live: LiveFeed;
  #timers: number[] = [];
  #countedMs = 0;
  #slotsVersion = -1;

  constructor() {
    this.#live = new LiveFeed({
      open: openSocket,
      nowMs: () => Date.now(),
      later: (run, ms) => window.setTimeout(run, ms),
      cancel: (timer) => window.clearTimeout(timer),
      random: Math.random,
      onFrame: (frame) => this.#take(frame),
      onStatus: (status) => this.#hear(status),
    });
  }

  async start(): Promise<void> {
    this.#timers.push(window.setInterval(() => this.#tick(), 1_000));
    this.#timers.push(window.setInterval(() => void this.#readRoster(), ROSTER_MS));
    await this.#readRoster();
    // A browser can't put a bearer token on a WebSocket.
    if (token.get()) this.#poll();
    else this.#live.start();
  }

  stop(): void {
    for (const timer of this.#timers) window.clearInterval(timer);
    this.#live.stop();
  }

  retryNow(): void {
    this.#live.retryNow();
    if (this.failure) void this.#readRoster();
  }

  /** Whether positions on the screen are old, and why. */
  get staleness(): "fresh" | "connecting" | "lost" | "quiet" {
    const { state, lastFrameMs } = this.feed;
    if (state === "waiting" || (state === "connecting" && lastFrameMs !== null)) return "lost";
    if (lastFrameMs === null) return "connecting";
    return this.nowMs - lastFrameMs > QUIET_MS ? "quiet" : "fresh";
  }

  car(n: number): FleetCar | undefined {
    return this.directory.car(n);
  }

  /** The plate, or as much of the device's identity as tells it from others. */
  textOf(n: number): string {
    const car = this.car(n);
    return car?.plate || (car?.device.slice(-6) ?? "");
  }

  showUnit(unit: number | null): void {
    this.unit = unit;
    this.#applyUnit();
    this.onchange?.();
  }

  toggleState(state: number): void {
    const wanted = this.states ^ (1 << state);
    this.states = wanted === 0 ? STATES_ALL : wanted;
    this.fleet.stateMask = this.states;
    this.onchange?.();
  }

  #take(frame: FrameReader): void {
    const start = performance.now();
    this.fleet.apply(frame, start, reducedMotion());
    const hasOthers = this.fleet.slotsVersion !== this.#slotsVersion;
    if (hasOthers) this.#applyUnit();
    this.onchange?.();
    performance.measure(MEASURE, { start });
    performance.clearMeasures(MEASURE);
    this.beat += 1;
    if (hasOthers || Date.now() - this.#countedMs >= COUNT_MS) this.#count();
  }

  #count(): void {
    this.#countedMs = Date.now();
    this.counts = this.#tally.count();
  }

  #applyUnit(): void {
    this.#slotsVersion = this.fleet.slotsVersion;
    for (let slot = 0; slot < this.fleet.size; slot += 1) {
      const isShown = this.unit === null || this.directory.isWithin(this.car(this.fleet.carIn(slot))?.unit ?? null, this.unit);
      this.fleet.setFlag(slot, Flag.hidden, !isShown);
    }
  }

  async #readRoster(): Promise<void> {
    try {
      const { units, cars } = await readFleet();
      this.directory = new Directory(units, cars);
      this.#tally = new Tally(this.fleet, this.directory);
      this.failure = null;
      this.isLoaded = true;
      this.#applyUnit();
      this.#count();
    } catch (error) {
      this.failure = error;
    }
  }

  #tick(): void {
    this.nowMs = Date.now();
  }

  #hear(status: FeedStatus): void {
    this.feed = status;
    if (status.attempts >= POLL_AFTER && status.lastFrameMs === null && !this.isPolling) this.#poll();
  }

  /** Reads positions from time to time, where there is no feed. */
  #poll(): void {
    // First: the feed says that it stops, which is heard here.
    this.isPolling = true;
    this.#live.stop();
    const once = async (): Promise<void> => {
      try {
        const { items } = await readPositions(DEVICES_MAX);
        this.#take(new FrameReader(encodeFrame(this.fleet.size === 0 ? FrameKind.snapshot : FrameKind.update, items.map(recordOf))));
        this.feed = { state: "live", lastFrameMs: Date.now(), retryAtMs: null, attempts: 0 };
      } catch {
        this.feed = { ...this.feed, state: "waiting", retryAtMs: Date.now() + POLL_MS };
      }
    };
    this.#timers.push(window.setInterval(() => void once(), POLL_MS));
    void once();
  }
}

function openSocket(): Socket {
  return new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/live`);
}
