/**
 * The last known motion of every car, in typed arrays that go to the GPU as they are.
 *
 * A car drives from where it was drawn to its newest fix within the time that lay between its last two fixes, so that it moves at
 * its own speed; a jump is not driven but made. Places are Mercator relative to {@link Fleet.origin}, because a 32-bit float of
 * the whole world is only good to metres.
 */

import { type Datum, toDatum } from "./datum";
import { metresPerUnit, mercatorX, mercatorY } from "./mercator";
import { CAR_STATES, type CarState, FrameKind, type FrameReader } from "./wire";

/** Floats of one car in {@link Fleet.motion}: from x and y, to x and y, start and end in seconds since {@link Fleet.epochMs}. */
export const MOTION_FLOATS = 6;
/** 16-bit numbers of one car in {@link Fleet.looks}: course, then state in the low and flags in the high byte. */
export const LOOK_SHORTS = 2;

export const Flag = { hidden: 1, selected: 2, hovered: 4 } as const;

export const STATES_ALL = (1 << CAR_STATES) - 1;

const DRIVE_MIN_S = 1;
const DRIVE_MAX_S = 15;
/** A car that is farther than this from its newest fix is put there. */
const JUMP_M = 3_000;
const CAPACITY_MIN = 256;
/** Where cars are that have never been anywhere: off every screen. */
const NOWHERE = 1e6;

export interface Origin {
  x: number;
  y: number;
}

export class Fleet {
  /** Where the cars' places count from; the first place of all. */
  origin: Origin = { x: 0.5, y: 0.5 };
  readonly epochMs: number;
  motion = new Float32Array(CAPACITY_MIN * MOTION_FLOATS);
  looks = new Uint16Array(CAPACITY_MIN * LOOK_SHORTS);
  fixTimeS = new Uint32Array(CAPACITY_MIN);
  speedKmh = new Uint8Array(CAPACITY_MIN);
  /** The places as they came, degrees: for tables, cards and a change of datum. */
  lonDeg = new Float64Array(CAPACITY_MIN);
  latDeg = new Float64Array(CAPACITY_MIN);
  /** Cars known; slots below it are in use. */
  size = 0;
  /** Go up with every change of {@link motion} and of {@link looks}, so that only what changed is sent to the GPU. */
  motionVersion = 0;
  looksVersion = 0;
  /** Goes up when a slot gets another car. */
  slotsVersion = 0;
  /** The states that are shown, a bit for each. */
  stateMask = STATES_ALL;
  /** When the last car arrives, seconds since the epoch: until then there is something to move. */
  arrivesS = 0;
  /** The fastest car of the last frame, km/h; says how often it is worth drawing. */
  fastestKmh = 0;

  #datum: Datum = "wgs84";
  #slotOf = new Map<number, number>();
  #carOf: number[] = [];
  #hasOrigin = false;
  #seen = new Uint32Array(CAPACITY_MIN);
  #snapshot = 0;

  constructor(epochMs: number) {
    this.epochMs = epochMs;
  }

  get datum(): Datum {
    return this.#datum;
  }

  /** The slot of a car, or -1. */
  slotOf(car: number): number {
    return this.#slotOf.get(car) ?? -1;
  }

  /** The number of the car in a slot. */
  carIn(slot: number): number {
    return this.#carOf[slot] ?? -1;
  }

  state(slot: number): CarState {
    return ((this.looks[slot * LOOK_SHORTS + 1] ?? 0) & 0xff) as CarState;
  }

  courseDeg(slot: number): number {
    return ((this.looks[slot * LOOK_SHORTS] ?? 0) * 360) / 65536;
  }

  flags(slot: number): number {
    return (this.looks[slot * LOOK_SHORTS + 1] ?? 0) >> 8;
  }

  isHidden(slot: number): boolean {
    const look = this.looks[slot * LOOK_SHORTS + 1] ?? 0;
    return ((look >> 8) & Flag.hidden) !== 0 || ((this.stateMask >> (look & 0xff)) & 1) === 0;
  }

  /** Whether it can be drawn: it has been somewhere. */
  hasPlace(slot: number): boolean {
    return (this.fixTimeS[slot] ?? 0) > 0;
  }

  setFlag(slot: number, flag: number, on: boolean): void {
    const at = slot * LOOK_SHORTS + 1;
    const before = this.looks[at] ?? 0;
    const after = on ? before | (flag << 8) : before & ~(flag << 8);
    if (after === before) return;
    this.looks[at] = after;
    this.looksVersion += 1;
  }

  /** Takes a frame over. `isStill` puts every car at its fix at once, for people who want no motion. */
  apply(frame: FrameReader, nowMs: number, isStill = false): void {
    const nowS = (nowMs - this.epochMs) / 1000;
    const isWhole = frame.kind === FrameKind.snapshot;
    if (isWhole) this.#snapshot += 1;
    let fastest = 0;
    for (let record = 0; record < frame.count; record += 1) {
      const slot = this.#slotFor(frame.car(record));
      this.#seen[slot] = this.#snapshot;
      const fixTimeS = frame.fixTimeS(record);
      this.#steer(slot, frame, record, isWhole || isStill ? 0 : this.#driveS(slot, fixTimeS), nowS);
      this.fixTimeS[slot] = fixTimeS;
      const speed = frame.speedKmh(record);
      this.speedKmh[slot] = speed;
      if (speed > fastest) fastest = speed;
      const look = slot * LOOK_SHORTS;
      this.looks[look] = frame.course(record);
      this.looks[look + 1] = ((this.looks[look + 1] ?? 0) & 0xff00) | frame.state(record);
    }
    this.fastestKmh = Math.max(fastest, nowS < this.arrivesS ? this.fastestKmh : 0);
    if (isWhole) this.#dropUnseen();
    this.#changed();
  }

  /** Where a car is drawn now, Mercator. */
  placeAt(slot: number, nowMs: number): Origin {
    const at = slot * MOTION_FLOATS;
    const motion = this.motion;
    const share = this.#share(at, (nowMs - this.epochMs) / 1000);
    const [fromX, fromY] = [motion[at] ?? 0, motion[at + 1] ?? 0];
    return {
      x: this.origin.x + fromX + ((motion[at + 2] ?? 0) - fromX) * share,
      y: this.origin.y + fromY + ((motion[at + 3] ?? 0) - fromY) * share,
    };
  }

  /** Draws every car on a base map of another datum. */
  setDatum(datum: Datum): void {
    if (datum === this.#datum) return;
    this.#datum = datum;
    for (let slot = 0; slot < this.size; slot += 1) {
      const [lon, lat] = toDatum([this.lonDeg[slot] ?? 0, this.latDeg[slot] ?? 0], datum);
      if (this.hasPlace(slot)) this.#put(slot, mercatorX(lon) - this.origin.x, mercatorY(lat) - this.origin.y);
    }
    this.#changed();
  }

  clear(): void {
    this.size = 0;
    this.#slotOf.clear();
    this.#carOf = [];
    this.slotsVersion += 1;
    this.#changed();
  }

  #changed(): void {
    this.motionVersion += 1;
    this.looksVersion += 1;
  }

  #driveS(slot: number, fixTimeS: number): number {
    const before = this.fixTimeS[slot] ?? 0;
    if (before === 0 || fixTimeS <= before) return 0;
    return Math.min(Math.max(fixTimeS - before, DRIVE_MIN_S), DRIVE_MAX_S);
  }

  #share(at: number, nowS: number): number {
    const start = this.motion[at + 4] ?? 0;
    const end = this.motion[at + 5] ?? 0;
    return nowS >= end ? 1 : Math.max(0, (nowS - start) / (end - start));
  }

  /** Sends a car to its newest place within `driveS`. */
  #steer(slot: number, frame: FrameReader, record: number, driveS: number, nowS: number): void {
    if (frame.fixTimeS(record) === 0) {
      this.#put(slot, NOWHERE, NOWHERE);
      return;
    }
    const lonDeg = frame.lonDeg(record);
    const latDeg = frame.latDeg(record);
    this.lonDeg[slot] = lonDeg;
    this.latDeg[slot] = latDeg;
    let lon = lonDeg;
    let lat = latDeg;
    if (this.#datum !== "wgs84") [lon, lat] = toDatum([lonDeg, latDeg], this.#datum);
    if (!this.#hasOrigin) {
      this.#hasOrigin = true;
      this.origin = { x: mercatorX(lon), y: mercatorY(lat) };
    }
    const x = mercatorX(lon) - this.origin.x;
    const y = mercatorY(lat) - this.origin.y;
    const at = slot * MOTION_FLOATS;
    const motion = this.motion;
    const share = this.#share(at, nowS);
    const fromX = (motion[at] ?? 0) + ((motion[at + 2] ?? 0) - (motion[at] ?? 0)) * share;
    const fromY = (motion[at + 1] ?? 0) + ((motion[at + 3] ?? 0) - (motion[at + 1] ?? 0)) * share;
    const jump = JUMP_M / metresPerUnit(lat);
    if (driveS === 0 || Math.abs(x - fromX) > jump || Math.abs(y - fromY) > jump) {
      this.#put(slot, x, y);
      return;
    }
    motion[at] = fromX;
    motion[at + 1] = fromY;
    motion[at + 2] = x;
    motion[at + 3] = y;
    motion[at + 4] = nowS;
    motion[at + 5] = nowS + driveS;
    if (nowS + driveS > this.arrivesS) this.arrivesS = nowS + driveS;
  }

  #put(slot: number, x: number, y: number): void {
    const at = slot * MOTION_FLOATS;
    this.motion[at] = x;
    this.motion[at + 1] = y;
    this.motion[at + 2] = x;
    this.motion[at + 3] = y;
    this.motion[at + 4] = 0;
    this.motion[at + 5] = 0;
  }

  #slotFor(car: number): number {
    const known = this.#slotOf.get(car);
    if (known !== undefined) return known;
    const slot = this.size;
    if (slot === this.fixTimeS.length) this.#grow();
    this.#slotOf.set(car, slot);
    this.#carOf[slot] = car;
    this.fixTimeS[slot] = 0;
    this.looks[slot * LOOK_SHORTS + 1] = 0;
    this.size = slot + 1;
    this.slotsVersion += 1;
    return slot;
  }

  #grow(): void {
    const capacity = this.fixTimeS.length * 2;
    const grown = <T extends { set(from: T): void }>(into: T, from: T): T => {
      into.set(from);
      return into;
    };
    this.motion = grown(new Float32Array(capacity * MOTION_FLOATS), this.motion);
    this.looks = grown(new Uint16Array(capacity * LOOK_SHORTS), this.looks);
    this.fixTimeS = grown(new Uint32Array(capacity), this.fixTimeS);
    this.speedKmh = grown(new Uint8Array(capacity), this.speedKmh);
    this.lonDeg = grown(new Float64Array(capacity), this.lonDeg);
    this.latDeg = grown(new Float64Array(capacity), this.latDeg);
    this.#seen = grown(new Uint32Array(capacity), this.#seen);
  }

  /** Cars that a snapshot does not name are gone: the last slot takes the place of each. */
  #dropUnseen(): void {
    for (let slot = this.size - 1; slot >= 0; slot -= 1) {
      if (this.#seen[slot] === this.#snapshot) continue;
      const last = this.size - 1;
      this.#slotOf.delete(this.carIn(slot));
      if (slot !== last) this.#move(last, slot);
      this.#carOf.length = last;
      this.size = last;
      this.slotsVersion += 1;
    }
  }

  #move(from: number, to: number): void {
    const car = this.carIn(from);
    this.motion.copyWithin(to * MOTION_FLOATS, from * MOTION_FLOATS, (from + 1) * MOTION_FLOATS);
    this.looks.copyWithin(to * LOOK_SHORTS, from * LOOK_SHORTS, (from + 1) * LOOK_SHORTS);
    for (const array of [this.fixTimeS, this.speedKmh, this.lonDeg, this.latDeg, this.#seen]) {
      array[to] = array[from] ?? 0;
    }
    this.#carOf[to] = car;
    this.#slotOf.set(car, to);
  }
}
