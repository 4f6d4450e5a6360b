import { describe, expect, it } from "vitest";
import type { RegisterRow } from "../../fleet/fleet";
import { checkSeals, contradicts, countVerdicts, questions, type Duty, type Found, type Seal, type Seen } from "./check";

const at = (time: string): number => Date.parse(`2026-10-01T${time}:00Z`);
const range = { from: at("00:00"), to: at("23:00") };
const NOW = at("12:00");

function row<T>(row: T, from: string | null = null, to: string | null = null): RegisterRow<T> {
  const instant = (time: string | null): string | null => (time ? new Date(at(time)).toISOString() : null);
  return { id: 1, version: 1, recorded_at: "", recorded_by: "", valid_from: instant(from), valid_to: instant(to), row };
}
const seal = (vehicle: number, kind: Seal["kind"] = "sealed"): Seal => ({ vehicle, kind, place: null, key_keeper: "甲", approved_by: "", approval_no: "", reason: "" });
const seen = (fix: string, speedKmh = 0): Seen => ({ fixTime: at(fix), speedKmh, lon: 0, lat: 0 });
const found = (vehicle: number, isDecidable: boolean): Found => ({ id: "f", vehicle, rule: "R06", aspect: "sealed_moved", day: "2026-10-01", isDecidable });

function verdicts(given: { seals: RegisterRow<Seal>[]; seen?: [number, Seen][]; found?: Found[]; duties?: RegisterRow<Duty>[] }, now = NOW) {
  const facts = { duties: [], found: [], unitsAbove: () => new Set([1, 2]), ...given, seen: new Map(given.seen ?? []) };
  return checkSeals(facts, range, now);
}
const verdict = (given: Parameters<typeof verdicts>[0], now?: number) => verdicts(given, now)[0]?.verdict;

describe("a sealed car", () => {
  const seals = [row(seal(7))];

  it("is seen when its place is fresh and no rule asks", () => {
    expect(verdict({ seals, seen: [[7, seen("11:00")]] })).toBe("seen");
    expect(verdict({ seals, seen: [[7, seen("11:59", 40)]] })).toBe("driving");
  });

  it("can't be verified when it is silent: that is not the same as sealed", () => {
    expect(verdict({ seals })).toBe("unverifiable");
    expect(verdict({ seals, seen: [[7, seen("00:00")]] })).toBe("seen");
    expect(verdict({ seals, seen: [[7, { ...seen("00:00"), fixTime: at("00:00") - 1 }]] })).toBe("unverifiable");
    expect(verdict({ seals, seen: [[7, seen("11:00")]], found: [found(7, false)] }), "the rule could not tell").toBe("unverifiable");
  });

  it("moved when a rule says so, opened or not", () => {
    expect(verdict({ seals, seen: [[7, seen("11:00")]], found: [found(7, true)] })).toBe("moved");
    expect(verdict({ seals: [...seals, row(seal(7, "opened"))], found: [found(7, true)] })).toBe("moved");
    expect(verdict({ seals: [...seals, row(seal(7, "opened"))] })).toBe("opened");
  });

  it("of a day that is over is judged by that day, not by where it drives now", () => {
    const later = at("12:00") + 5 * 86_400_000;
    expect(verdict({ seals, seen: [[7, { ...seen("12:00", 60), fixTime: later }]] }, later)).toBe("seen");
    expect(verdict({ seals, seen: [[7, { ...seen("00:00"), fixTime: range.from - 1 }]] }, later)).toBe("unverifiable");
  });

  it("is no sealed car outside the time of its seal", () => {
    const before = { ...row(seal(7)), valid_to: new Date(range.from).toISOString() };
    expect(verdicts({ seals: [before] })).toEqual([]);
  });
});

describe("the check", () => {
  it("puts those to be asked about first and counts them", () => {
    const cars = verdicts({ seals: [row(seal(1)), row(seal(2)), row(seal(3))], seen: [[1, seen("11:00")]], found: [found(3, true)] });
    expect(cars.map(({ vehicle }) => vehicle)).toEqual([3, 2, 1]);
    expect(countVerdicts(cars)).toEqual({ moved: 1, driving: 0, unverifiable: 1, opened: 0, seen: 1 });
  });

  it("asks once for a day on which a rule asks about several trips", () => {
    const asked = questions([found(3, true), found(3, true), { ...found(3, true), day: "2026-10-02" }, found(3, false)]);
    expect(asked.map(({ one, count }) => [one.day.slice(8), one.isDecidable, count])).toEqual([
      ["01", true, 2],
      ["02", true, 1],
      ["01", false, 1],
    ]);
  });

  it("finds a car that is on duty and sealed at once", () => {
    const duty = (vehicle: number | null, unit = 1): RegisterRow<Duty> => row({ unit, vehicle, person: "乙", what: "值班" }, "08:00", "18:00");
    const [named] = verdicts({ seals: [row(seal(7))], duties: [duty(7)] });
    expect(named && contradicts(named)).toBe(true);
    const [whole] = verdicts({ seals: [row(seal(7))], duties: [duty(null), duty(null, 9)] });
    expect(whole?.onDuty).toHaveLength(1);
    expect(whole && contradicts(whole)).toBe(false);
  });
});
