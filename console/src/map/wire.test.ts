import { describe, expect, it } from "vitest";
import { CarState, encodeFrame, FrameKind, FrameReader, WireError } from "./wire";

/** A frame written down byte by byte from the description, not by our encoder. */
const GOLDEN = new Uint8Array([
  1,
  1,
  0,
  0,
  1,
  0,
  0,
  0, // version 1, update, zero, one record
  0x39,
  0x30,
  0,
  0, // car 12345
  0x7c,
  0x59,
  0x64,
  0x45, // longitude 116.4204412°
  0xe4,
  0x5a,
  0xc8,
  0x17, // latitude 39.901054°
  0x00,
  0xf1,
  0x53,
  0x65, // 2023-11-14T22:13:20Z
  3,
  62, // moving, 62 km/h
  0x00,
  0x40, // a quarter of a turn
]);

describe("wire", () => {
  it("reads a frame written by hand", () => {
    const frame = new FrameReader(GOLDEN.buffer);
    expect(frame.kind).toBe(FrameKind.update);
    expect(frame.count).toBe(1);
    expect(frame.car(0)).toBe(12345);
    expect(frame.lonDeg(0)).toBeCloseTo(0x4564597c / 1e7, 9);
    expect(frame.latDeg(0)).toBeCloseTo(0x17c85ae4 / 1e7, 9);
    expect(frame.fixTimeS(0)).toBe(0x6553f100);
    expect(frame.state(0)).toBe(CarState.moving);
    expect(frame.speedKmh(0)).toBe(62);
    expect((frame.course(0) * 360) / 65536).toBe(90);
  });

  it("reads what it wrote, south and west too", () => {
    const record = { car: 4_000_000_000, lonDeg: -70.1234567, latDeg: -33.7654321, fixTimeS: 3_000_000_000 };
    const encoded = encodeFrame(FrameKind.snapshot, [
      { ...record, state: CarState.idle, speedKmh: 300, courseDeg: 359.999 },
    ]);
    const frame = new FrameReader(encoded);
    expect(frame.car(0)).toBe(record.car);
    expect(frame.lonDeg(0)).toBeCloseTo(record.lonDeg, 7);
    expect(frame.latDeg(0)).toBeCloseTo(record.latDeg, 7);
    expect(frame.fixTimeS(0)).toBe(record.fixTimeS);
    expect(frame.speedKmh(0)).toBe(255);
    expect(frame.course(0)).toBe(0);
  });

  it("refuses what is no frame", () => {
    const broken = (change: (bytes: Uint8Array) => Uint8Array): (() => FrameReader) => {
      const bytes = change(new Uint8Array(GOLDEN));
      return () =>
        new FrameReader(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer);
    };
    const set = (at: number, value: number) => (bytes: Uint8Array) =>
      bytes.map((byte, index) => (index === at ? value : byte));
    for (const change of [set(0, 2), set(1, 2), set(4, 2), set(7, 255)]) expect(broken(change)).toThrow(WireError);
    for (const length of [0, 7, 27]) expect(broken((bytes) => bytes.subarray(0, length))).toThrow(WireError);
  });

  it("claims nothing for a state it does not know", () => {
    const bytes = new Uint8Array(GOLDEN);
    bytes[24] = 9;
    expect(new FrameReader(bytes.buffer).state(0)).toBe(CarState.offline);
  });
});
