/**
 * The binary frames of `/api/v1/live`: an 8-byte header and 20-byte records, little-endian.
 *
 * Nothing is allocated for a record: whoever applies a frame reads it field by field through a {@link FrameReader}.
 */

export const WIRE_VERSION = 1;
export const HEADER_BYTES = 8;
export const RECORD_BYTES = 20;

/** Whether a frame says all there is, or what changed. */
export const FrameKind = { snapshot: 0, update: 1 } as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

/** What a car is doing, as the server judges it. The numbers are those on the wire and in the shader. */
export const CarState = { offline: 0, parked: 1, idle: 2, moving: 3, noPosition: 4 } as const;
export type CarState = (typeof CarState)[keyof typeof CarState];
export const CAR_STATES = 5;

/** The speed that means "this or more". */
export const SPEED_MAX_KMH = 255;

/** A frame that can't be read; the text is for the log. */
export class WireError extends Error {
  override name = "WireError";
}

/** A checked frame. Its records are read by number; every number below `count` is safe. */
export class FrameReader {
  readonly kind: FrameKind;
  readonly count: number;
  readonly #view: DataView;

  constructor(frame: ArrayBuffer) {
    if (frame.byteLength < HEADER_BYTES) throw new WireError(`${frame.byteLength} bytes are no frame`);
    const view = new DataView(frame);
    const version = view.getUint8(0);
    if (version !== WIRE_VERSION) throw new WireError(`version ${version} is not known`);
    const kind = view.getUint8(1);
    if (kind !== FrameKind.snapshot && kind !== FrameKind.update) throw new WireError(`kind ${kind} is not known`);
    const count = view.getUint32(4, true);
    const expected = HEADER_BYTES + count * RECORD_BYTES;
    if (frame.byteLength !== expected) {
      throw new WireError(`${count} records need ${expected} bytes, the frame has ${frame.byteLength}`);
    }
    this.kind = kind;
    this.count = count;
    this.#view = view;
  }

  /** The car's number in `/fleet`. */
  car(record: number): number {
    return this.#view.getUint32(HEADER_BYTES + record * RECORD_BYTES, true);
  }

  lonDeg(record: number): number {
    return this.#view.getInt32(HEADER_BYTES + record * RECORD_BYTES + 4, true) / 1e7;
  }

  latDeg(record: number): number {
    return this.#view.getInt32(HEADER_BYTES + record * RECORD_BYTES + 8, true) / 1e7;
  }

  /** When the fix was taken, Unix seconds; 0 when there was none. */
  fixTimeS(record: number): number {
    return this.#view.getUint32(HEADER_BYTES + record * RECORD_BYTES + 12, true);
  }

  /** A state of a later version is shown as offline: nothing is claimed that is not understood. */
  state(record: number): CarState {
    const state = this.#view.getUint8(HEADER_BYTES + record * RECORD_BYTES + 16);
    return state < CAR_STATES ? (state as CarState) : CarState.offline;
  }

  speedKmh(record: number): number {
    return this.#view.getUint8(HEADER_BYTES + record * RECORD_BYTES + 17);
  }

  /** Clockwise from north, in 1/65536 of a turn. */
  course(record: number): number {
    return this.#view.getUint16(HEADER_BYTES + record * RECORD_BYTES + 18, true);
  }
}

/** One record, for whoever writes frames: the mock server and tests. */
export interface CarRecord {
  car: number;
  lonDeg: number;
  latDeg: number;
  fixTimeS: number;
  state: CarState;
  speedKmh: number;
  courseDeg: number;
}

/** The frame of these records. */
export function encodeFrame(kind: FrameKind, records: readonly CarRecord[]): ArrayBuffer {
  const frame = new ArrayBuffer(HEADER_BYTES + records.length * RECORD_BYTES);
  const view = new DataView(frame);
  view.setUint8(0, WIRE_VERSION);
  view.setUint8(1, kind);
  view.setUint32(4, records.length, true);
  records.forEach((record, index) => {
    const at = HEADER_BYTES + index * RECORD_BYTES;
    view.setUint32(at, record.car, true);
    view.setInt32(at + 4, Math.round(record.lonDeg * 1e7), true);
    view.setInt32(at + 8, Math.round(record.latDeg * 1e7), true);
    view.setUint32(at + 12, record.fixTimeS, true);
    view.setUint8(at + 16, record.state);
    view.setUint8(at + 17, Math.min(Math.round(record.speedKmh), SPEED_MAX_KMH));
    view.setUint16(at + 18, Math.round((record.courseDeg * 65536) / 360) & 0xffff, true);
  });
  return frame;
}
