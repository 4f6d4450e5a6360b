import { describe, expect, it } from "vitest";
import { covering, following, NARROWEST_MS, placed, ticks, toInstant, toPixels, within, zoomed } from "./axis";
import { dayKind } from "./calendar";
import { advance, changed, neighbour, PAUSE_EDGE_MS } from "./clock";
import { distance, isInside, shapeOf } from "./geo";
import { orderWindows, type OrderVersion } from "./orders";
import { withStops, type Segment } from "./segments";
import { fixesOf, isLost, lossesOf, momentAt, spansWhere, stoodSince, visitsOf } from "./track";

const HOUR = 3_600_000;
const day = { from: 0, to: 24 * HOUR };

describe("the axis", () => {
  it("leads from an instant to its pixel and back", () => {
    const range = { from: 6 * HOUR, to: 18 * HOUR };
    expect(toPixels(range, 1200, 9 * HOUR)).toBe(300);
    expect(toInstant(range, 1200, 300)).toBe(9 * HOUR);
    expect(toInstant(range, 1200, -50)).toBe(6 * HOUR);
    expect(toInstant(range, 0, 10)).toBe(6 * HOUR);
  });

  it("keeps the instant under the pointer when it zooms, and never leaves the day", () => {
    const near = zoomed(day, day, 6 * HOUR, 0.5);
    expect(toPixels(near, 1, 6 * HOUR)).toBeCloseTo(0.25);
    expect(zoomed(near, day, 6 * HOUR, 100)).toEqual(day);
    expect(zoomed(day, day, 0, 1e-9)).toEqual({ from: 0, to: NARROWEST_MS });
    expect(within({ from: -HOUR, to: HOUR }, day)).toEqual({ from: 0, to: 2 * HOUR });
  });

  it("opens on trips and questions alike, within the time that was read", () => {
    const trip = { from: 8 * HOUR, to: 9 * HOUR };
    const night = { from: 22 * HOUR, to: 30 * HOUR };
    expect(covering([trip], HOUR, day)).toEqual({ from: 7 * HOUR, to: 10 * HOUR });
    expect(covering([trip, night], HOUR, day)).toEqual({ from: 7 * HOUR, to: 24 * HOUR });
    expect(covering([{ from: -9 * HOUR, to: -8 * HOUR }], HOUR, day), "nothing of it is in sight").toBe(day);
  });

  it("follows what leaves the sight and lies still otherwise", () => {
    const range = { from: 0, to: 2 * HOUR };
    expect(following(range, day, HOUR)).toBe(range);
    const moved = following(range, day, 5 * HOUR);
    expect(moved.from).toBeLessThan(5 * HOUR);
    expect(moved.to - moved.from).toBe(2 * HOUR);
  });

  it("has ticks on the fleet's round hours, not on those of UTC", () => {
    const half = 5.5 * HOUR;
    const found = ticks({ from: 0, to: 6 * HOUR }, 6, half);
    expect(found).toEqual([0.5, 1.5, 2.5, 3.5, 4.5, 5.5].map((hours) => hours * HOUR));
    expect(ticks(day, 9, 0)).toHaveLength(9);
  });

  it("cuts spans to what is in sight", () => {
    expect(placed({ from: 10, to: 20 }, { from: 5, to: 15 })).toEqual({ start: 0, size: 0.5 });
    expect(placed({ from: 10, to: 20 }, { from: 21, to: 30 })).toBeNull();
  });
});

describe("the clock", () => {
  const playing = { at: 0, speed: 60, isPlaying: true };

  it("runs in true time: a second at x60 is a minute of the road", () => {
    expect(advance(playing, 1000, HOUR).at).toBe(60_000);
    expect(advance({ ...playing, speed: 1 }, 1000, HOUR).at).toBe(1000);
    expect(advance({ ...playing, isPlaying: false }, 1000, HOUR).at).toBe(0);
  });

  it("stops at the end", () => {
    expect(advance(playing, 2 * HOUR, HOUR)).toEqual({ at: HOUR, speed: 60, isPlaying: false });
  });

  it("passes over the middle of a pause and shows its ends", () => {
    const pause = { from: 60_000, to: 2 * HOUR };
    expect(advance(playing, 1000, 3 * HOUR, [pause]).at).toBe(60_000);
    expect(advance({ ...playing, at: 60_000 }, 1000, 3 * HOUR, [pause]).at).toBe(2 * HOUR - PAUSE_EDGE_MS);
    expect(advance({ ...playing, at: 60_000 }, 1000, 3 * HOUR, [{ from: 60_000, to: 90_000 }]).at).toBe(120_000);
  });

  it("has speeds from 1 to 300", () => {
    expect([changed(1, -1), changed(1, 1), changed(120, 1), changed(300, 1)]).toEqual([1, 2, 300, 300]);
  });

  it("finds the event before and after", () => {
    expect([neighbour([1, 5, 9], 5, 1), neighbour([1, 5, 9], 5, -1), neighbour([1, 5, 9], 9, 1)]).toEqual([9, 1, null]);
  });
});

const fix = (minute: number, lat: number, extra = {}) => ({
  fix_time: new Date(minute * 60_000).toISOString(),
  lat,
  lon: 102,
  valid: true,
  speed_kmh: 40,
  ...extra,
});

describe("the track", () => {
  it("leaves out what has no position, and sorts", () => {
    const fixes = fixesOf([fix(2, 40), fix(1, 40), fix(1, 40), fix(3, 0, { lon: 0 }), fix(4, 41, { valid: false })]);
    expect(fixes.map(({ time }) => time / 60_000)).toEqual([1, 2]);
  });

  it("is between two fixes on the straight line, and heads there", () => {
    const fixes = fixesOf([fix(0, 40), fix(2, 40.02)]);
    const moment = momentAt(fixes, 60_000);
    expect(moment?.lat).toBeCloseTo(40.01);
    expect(moment?.courseDeg).toBeCloseTo(0);
    expect(moment?.isGap).toBe(false);
    expect(momentAt([], 0)).toBeNull();
  });

  it("guesses nothing while the signal is lost, and knows parking from loss", () => {
    const lost = fixesOf([fix(0, 40), fix(30, 40.1)]);
    expect(momentAt(lost, 10 * 60_000)).toMatchObject({ lat: 40, isGap: true });
    expect(lossesOf(lost)).toEqual([{ from: 0, to: 30 * 60_000 }]);
    const parked = fixesOf([fix(0, 40), fix(300, 40.0001)]);
    expect(isLost(parked[0]!, parked[1]!)).toBe(false);
    expect(momentAt(parked, HOUR)?.isGap).toBe(false);
  });

  it("has spans from fix to fix that a loss ends", () => {
    const on = { ignition: true };
    const fixes = fixesOf([fix(0, 40, on), fix(1, 40, on), fix(2, 40), fix(3, 40, on), fix(60, 41, on)]);
    expect(spansWhere(fixes, ({ ignition }) => ignition === true).map(({ from, to }) => [from / 60_000, to / 60_000])).toEqual([
      [0, 2],
      [3, 3],
      [60, 60],
    ]);
  });

  it("knows a car that has stood since it came from one that went on", () => {
    const stood = fixesOf([fix(0, 40), fix(10, 40.1), fix(20, 40.1), fix(90, 40.1001)]);
    expect(stoodSince(stood, 10 * 60_000)).toEqual({ from: 10 * 60_000, to: 90 * 60_000 });
    expect(stoodSince(stood, 0), "it went on").toBeNull();
    expect(stoodSince(stood, 90 * 60_000), "nothing is known of it since").toBeNull();
  });

  it("has the stops that the server has not cut, and only those", () => {
    const at = (minute: number): string => new Date(minute * 60_000).toISOString();
    const segment = (kind: string, from: number, to: number): Segment => ({ id: `${kind}${from}`, lineage: "", device: 1, kind, start: at(from), end: at(to) }) as unknown as Segment;
    const fixes = fixesOf([fix(0, 40), fix(10, 40.1), fix(20, 40.1), fix(60, 40.1), fix(70, 40.2), fix(100, 40.2)]);
    const told = (segments: Segment[]) => withStops(segments, fixes).map(({ kind, start, end }) => [kind, Date.parse(start) / 60_000, Date.parse(end) / 60_000]);
    const trips = [segment("trip", 0, 10), segment("trip", 60, 70)];
    expect(told(trips)).toEqual([["trip", 0, 10], ["stop", 10, 60], ["trip", 60, 70], ["stop", 70, 100]]);
    expect(told([...trips, segment("stop", 10, 60), segment("gap", 70, 100)]).filter(([kind]) => kind === "stop"), "nothing twice").toEqual([["stop", 10, 60]]);
  });

  it("tells visits from passing by", () => {
    const shape = { kind: "circle" as const, centre: { lat: 40, lon: 102 }, radius_m: 100 };
    const zone = { id: 1, name: "车库", use: "depot", shape };
    expect(visitsOf(fixesOf([fix(0, 40), fix(5, 40), fix(6, 40.1)]), [zone])).toHaveLength(1);
    expect(visitsOf(fixesOf([fix(0, 40), fix(1, 40.1)]), [zone])).toHaveLength(0);
  });
});

describe("shapes", () => {
  const e7 = (lat: number, lon: number) => ({ lat_e7: lat * 1e7, lon_e7: lon * 1e7 });
  const ring = (size: number) => [e7(-size, -size), e7(-size, size), e7(size, size), e7(size, -size)];

  it("measures metres", () => {
    expect(distance({ lat: 60, lon: 10 }, { lat: 60, lon: 11 })).toBeCloseTo(55_660, -2);
  });

  it("knows holes", () => {
    const shape = shapeOf({ polygons: [[ring(2), ring(1)]] });
    if (!shape) throw new Error("a polygon is a shape");
    expect([isInside({ lat: 1.5, lon: 0 }, shape), isInside({ lat: 0, lon: 0 }, shape), isInside({ lat: 3, lon: 0 }, shape)]).toEqual([true, false, false]);
    expect(shapeOf({})).toBeNull();
  });
});

describe("orders", () => {
  const order = (entered: string | null, recorded = "2026-03-04T00:00:00Z"): OrderVersion => ({
    id: 1,
    recorded_at: recorded,
    row: {
      no: "PC1",
      planned_out: "2026-03-04T01:00:00Z",
      planned_in: "2026-03-04T03:00:00Z",
      entered_at: entered,
      state: "approved",
      user: "",
      driver: "",
      dispatcher: "",
      purpose: "",
      destinations: [{ text: "甲" }, { text: "乙" }],
      is_emergency: false,
    },
  });
  const bounds = { from: Date.parse("2026-03-04T00:00:00Z"), to: Date.parse("2026-03-05T00:00:00Z") };
  const departure = Date.parse("2026-03-04T01:30:00Z");

  it("are late once the car had left, by the time that a trusted system says", () => {
    const isLate = (entered: string | null, recorded?: string) => orderWindows([order(entered, recorded)], bounds, [departure])[0]?.isLate;
    expect(isLate("2026-03-04T01:29:00Z")).toBe(false);
    expect(isLate("2026-03-04T01:31:00Z")).toBe(true);
    expect(isLate(null, "2026-03-04T09:00:00Z")).toBe(true);
  });

  it("outside the day are left out", () => {
    expect(orderWindows([order(null)], { from: bounds.to, to: bounds.to + HOUR }, [])).toEqual([]);
  });
});

describe("days", () => {
  it("are what the calendar says, and weekends beyond it", () => {
    const calendar = { days: [{ date: "2026-02-17", rule: "holiday", name: "春节" }, { date: "2026-02-14", rule: "makeup_workday", name: "春节" }] };
    expect(dayKind("2026-02-17", [calendar])).toEqual({ kind: "holiday", name: "春节" });
    expect(dayKind("2026-02-14", [calendar]).kind).toBe("makeup_workday");
    expect(dayKind("2026-02-21", [calendar]).kind).toBe("weekend");
    expect(dayKind("2026-02-25", []).kind).toBe("workday");
  });
});
