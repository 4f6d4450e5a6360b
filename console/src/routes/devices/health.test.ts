import { describe, expect, it } from "vitest";
import type { Position } from "../../fleet/bindings";
import { healthOf, isVin, summaryOf, type Device } from "./health";

const device = (links: number): Device => ({
  ...{ id: 1, protocol: "jt808", terminal: "013800000001", state: "approved", profile: "standard", links },
  ...{ created_at: "", created_by: "", approved_at: "", approved_by: "" },
});
const position = (fix: string, given: Partial<Position> = {}): Position => ({
  ...{ device: 1, terminal: "013800000001", links: 1, alarms: [], status: [], quality: [], messages: 1, fixes: 1, valid: true },
  ...{ received_at: "2026-03-04T08:00:00Z", fix_time: `2026-03-04T${fix}Z` },
  ...given,
});
const faults = (links: number, given?: Position) => healthOf(device(links), given).faults;

describe("a device", () => {
  it("is well when it is there, has a place and the right time", () => {
    expect(faults(1, position("07:59:58"))).toEqual([]);
  });

  it("has every fault that its report shows", () => {
    const bad = position("08:10:00", { valid: false, alarms: ["gnss_antenna_open", "overspeed"] });
    expect(faults(1, bad)).toEqual(["no_fix", "clock", "wiring"]);
    expect(healthOf(device(1), bad).alarms, "driving is no fault of the device").toEqual(["gnss_antenna_open"]);
  });

  it("has no wrong clock for being parked, or for having sent late what it had stored", () => {
    expect(faults(1, position("01:00:00"))).toEqual([]);
    expect(healthOf(device(1), position("01:00:00")).aheadS).toBe(0);
    expect(faults(0, position("08:30:00")), "but the future can't be stored").toEqual(["offline", "clock"]);
    expect(faults(1, position("07:59:58", { quality: ["clock_suspect"] })), "nor a time that can't be").toEqual(["clock"]);
  });

  it("that never reported has neither a place nor none", () => {
    expect(healthOf(device(1), undefined)).toMatchObject({ hasFix: null, aheadS: 0, faults: [], isKnown: false });
    expect(healthOf(device(1), position("07:59:58")).isKnown).toBe(true);
  });
});

describe("all devices", () => {
  it("are counted, silent ones not as without a place", () => {
    const all = [healthOf(device(1), position("07:59:58")), healthOf(device(0), undefined), healthOf(device(1), position("08:00:04", { valid: false }))];
    expect(summaryOf(all)).toEqual({
      devices: 3,
      online: 2,
      reporting: 2,
      fixed: 1,
      unknown: 1,
      counts: { offline: 1, no_fix: 1, clock: 0, wiring: 0 },
    });
  });
});

describe("a vehicle identification number", () => {
  it("has 17 signs, none of which is mistaken for a digit", () => {
    expect(isVin("LSVAU2180N2183294")).toBe(true);
    expect(isVin("lsvau2180n2183294")).toBe(true);
    for (const bad of ["", "LSVAU2180N218329", "LSVAU218ON2183294", "LSVAU2180N2183294X"]) expect(isVin(bad), bad).toBe(false);
  });
});
