import { describe, expect, it } from "vitest";
import { Fleet } from "../../fleet/fleet";
import { addressOf, faultOf, freshDraft, idOf, kindOf, requestOf, soughtOf, withAddress, withSought, type Draft } from "./ask";
import { COLUMNS, FIRST_ORDER, foundOf, orderBy, sorted } from "./rows";

const now = Date.parse("2026-03-04T08:05:30+08:00");
const draft: Draft = { ...freshDraft(now), bbox: "102.6,24.9,102.9,25.1", place: "25,102.7", car: "演a·00001", purpose: " 群众反映核实 " };
const same = (typed: string): string => typed;

describe("a search", () => {
  it("begins with yesterday, in the fleet's time zone", () => {
    expect(freshDraft(now)).toMatchObject({ from: "2026-03-03T00:00", to: "2026-03-04T08:05", at: "2026-03-04T08:05" });
  });

  it("has an address that leads there and back, without the purpose", () => {
    for (const kind of ["area", "nearest", "meetings"] as const) {
      expect(kindOf(idOf(kind))).toBe(kind);
      const address = addressOf(kind, { ...draft, withinMin: 9, radiusM: 250, leastMin: 0 });
      expect(address).not.toHaveProperty("purpose");
      const typed = Object.fromEntries(Object.entries(address).map(([name, value]) => [name, String(value)]));
      expect(addressOf(kind, withAddress(kind, freshDraft(0), typed))).toEqual(address);
    }
    expect(kindOf("else")).toBe("area");
    expect(addressOf("area", { ...draft, zone: "7" })).toMatchObject({ zone: "7", bbox: "" });
    expect(withAddress("area", { ...draft, zone: "7" }, { bbox: "1,2,3,4" })).toMatchObject({ zone: "", bbox: "1,2,3,4" });
    expect(withAddress("area", draft, {})).toBe(draft);
  });

  it("asks the server in its own terms", () => {
    expect(requestOf("area", draft, same)).toEqual({
      bbox: "102.6,24.9,102.9,25.1",
      from: "2026-03-02T16:00:00.000Z",
      to: "2026-03-04T00:05:00.000Z",
      limit: 500,
      purpose: "群众反映核实",
    });
    expect(requestOf("area", { ...draft, zone: "7" }, same)).toMatchObject({ zone: "7" });
    expect(requestOf("area", { ...draft, zone: "7" }, same)).not.toHaveProperty("bbox");
    expect(requestOf("nearest", draft, same)).toMatchObject({ lat: 25, lon: 102.7, at: "2026-03-04T00:05:00.000Z", within_s: 300, limit: 20 });
    const met = requestOf("meetings", { ...draft, leastMin: 1.5 }, (typed) => typed.replace("a·", "A"));
    expect(met).toMatchObject({ device: "演A00001", other: "", radius_m: 100, least_s: 90 });
  });

  it("says what is missing", () => {
    const fault = (kind: "area" | "nearest" | "meetings", less: Partial<Draft> = {}): string | null => faultOf(kind, { ...draft, ...less }, true);
    expect([fault("area"), fault("nearest"), fault("meetings"), fault("area", { zone: "7", bbox: "" })]).toEqual([null, null, null, null]);
    expect(fault("area", { bbox: "" })).toBe("box");
    expect(fault("area", { from: "" })).toBe("time");
    expect(fault("area", { to: draft.from })).toBe("order");
    expect(fault("area", { from: "2026-02-01T00:00" })).toBe("long");
    expect(fault("meetings", { from: "2026-02-24T00:00" })).toBe("long");
    expect(fault("nearest", { place: "25" })).toBe("place");
    expect(fault("nearest", { withinMin: 61 })).toBe("number");
    expect(fault("meetings", { car: " " })).toBe("car");
    expect(fault("meetings", { radiusM: null })).toBe("number");
    expect(fault("area", { purpose: " 查 " })).toBe("purpose");
    expect(faultOf("area", { ...draft, purpose: "" }, false), "a program says nothing").toBeNull();
  });

  it("shows what it asks about, and takes what was pointed at", () => {
    const box = { west: 102.6, south: 24.9, east: 102.9, north: 25.1 };
    expect(soughtOf("area", draft)).toEqual({ box });
    expect(soughtOf("area", { ...draft, zone: "7" })).toBeNull();
    expect(soughtOf("nearest", draft)).toEqual({ place: [102.7, 25] });
    expect(soughtOf("meetings", draft)).toBeNull();
    expect(withSought({ ...draft, zone: "7", bbox: "" }, { box })).toMatchObject({ zone: "", bbox: draft.bbox });
    expect(withSought(draft, { place: [103, 26] }).place).toBe("26,103");
  });
});

describe("what was found", () => {
  const fleet = new Fleet([{ id: 4, name: "县林业局", parent: 1 }], [{ id: 1, plate: "演A00001", unit: 4, driver: "", class: "" }]);
  const car = (device: number, plate?: string) => ({ device, terminal: `0139${device}`, ...(plate ? { plate, vehicle: device } : {}) });
  const at = (clock: string): string => `2026-03-04T${clock}:00+08:00`;
  const stay = (first: string, last: string) => ({ first: at(first), last: at(last), fixes: 3 });
  const area = {
    items: [
      { ...car(1, "演A00001"), first: at("08:00"), last: at("09:30"), fixes: 9, stays: [stay("08:00", "08:10"), stay("09:00", "09:30")] },
      { ...car(2), first: at("08:05"), last: at("09:05"), fixes: 3, stays: [stay("08:05", "09:05")] },
    ],
    is_cut: true,
    damaged_files: 2,
  };

  it("is one row a car of an area, with its stays added up", () => {
    const { rows, isCut, damagedFiles } = foundOf("area", area, fleet);
    expect([isCut, damagedFiles]).toEqual([true, 2]);
    expect(rows[0]).toMatchObject({ n: 1, name: "演A00001", unit: "县林业局", seconds: 2_400, at: null, from: Date.parse(at("08:00")), to: Date.parse(at("09:30")) });
    expect(rows[0]?.stays).toHaveLength(2);
    expect(rows[1], "a device in no car goes by its terminal").toMatchObject({ name: "01392", unit: "", vehicle: null });
  });

  it("is one row a car or meeting, with its place", () => {
    const sighting = (clock: string) => ({ at: at(clock), lat: 25, lon: 102.7 });
    const near = { ...car(1, "演A00001"), distance_m: 81.5, lat: 25, lon: 102.7, is_interpolated: true, before: sighting("08:00"), after: sighting("08:02") };
    const lone = { ...near, is_interpolated: false, before: null };
    const { rows } = foundOf("nearest", { items: [near, lone], is_cut: false, damaged_files: 0 }, fleet);
    expect(rows[0]).toMatchObject({ metres: 81.5, at: [102.7, 25], isInterpolated: true, seconds: 120 });
    expect(rows[1]).toMatchObject({ from: Date.parse(at("08:02")), to: Date.parse(at("08:02")), seconds: 0 });

    const footing = { fixes: 5, gap_s: 30 };
    const meeting = { other: car(1, "演A00001"), from: at("08:00"), to: at("08:20"), closest: sighting("08:10"), closest_m: 12, farthest_m: 80, own_footing: footing, other_footing: footing };
    const met = foundOf("meetings", { items: [meeting], is_cut: false, damaged_files: 0 }, fleet);
    expect(met.rows[0]).toMatchObject({ name: "演A00001", seconds: 1_200, metres: 12, at: [102.7, 25] });
  });

  it("is sorted by any column, the most first where that is asked for, and equals stay as they came", () => {
    const { rows } = foundOf("area", area, fleet);
    const by = (column: "name" | "from" | "stays" | "seconds" | "metres", isDown = false): number[] => sorted(rows, { by: column, isDown }).map(({ n }) => n);
    expect([by("from"), by("from", true), by("name"), by("stays"), by("seconds", true), by("metres")]).toEqual([[1, 2], [2, 1], [2, 1], [2, 1], [2, 1], [1, 2]]);
    expect(orderBy("seconds", FIRST_ORDER.area)).toEqual({ by: "seconds", isDown: true });
    expect(orderBy("from", FIRST_ORDER.area)).toEqual({ by: "from", isDown: true });
    expect(orderBy("name", FIRST_ORDER.area)).toEqual({ by: "name", isDown: false });
    for (const kind of ["area", "nearest", "meetings"] as const) expect(COLUMNS[kind]).toContain(FIRST_ORDER[kind].by);
  });
});
