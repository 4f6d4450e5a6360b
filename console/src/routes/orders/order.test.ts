import { describe, expect, it } from "vitest";
import { Fleet } from "../../fleet/fleet";
import { approved, cancelled, chosen, EMPTY_FORM, extended, faultsOf, filterOf, orderOf, overlapping, timing, timingOf, type Order, type OrderForm, type OrderVersion } from "./order";

const fleet = new Fleet(
  [
    { id: 1, name: "县", parent: null },
    { id: 2, name: "局", parent: 1 },
    { id: 3, name: "院", parent: null },
  ],
  [{ id: 9, plate: "演A10009", unit: 2, driver: "", class: "" }],
);
const at = (time: string): string => new Date(`2026-03-04T${time}:00+08:00`).toISOString();

const order: Order = {
  ...{ no: "P-1", unit: 2, vehicle: 9, applicant: "甲", user: "甲", phone: "", driver: "乙", driver_id: null, dispatcher: "丙" },
  ...{ approvals: [{ by: "丁", at: null, opinion: "" }], passengers: 2, purpose: "下乡", departure: { text: "车库" } },
  ...{ destinations: [{ text: "演甲镇" }], via: [], area: null, planned_out: at("09:00"), planned_in: at("12:00") },
  ...{ applied_at: null, entered_at: null, state: "approved" as const, is_emergency: false, replaces: "" },
  ...{ actual_out: null, actual_in: null, distance_m: null, remarks: "" },
};
const version = (number: number, recorded: string, row: Partial<Order> = {}): OrderVersion => ({
  id: 5,
  version: number,
  recorded_at: at(recorded),
  recorded_by: "x",
  row: { ...order, ...row },
});

const form: OrderForm = {
  ...EMPTY_FORM,
  ...{ no: "P-1", unit: "2", plate: "演a·10009", user: "甲", driver: "乙", dispatcher: "丙", approver: "丁", purpose: "下乡" },
  ...{ destinations: "演甲镇\n演乙镇；", out: "2026-03-04T09:00", back: "2026-03-04T12:00" },
};

describe("an order and the departure of its car", () => {
  it("is late when it was recorded after it", () => {
    expect(timing(version(1, "08:59"))).toBe("in_time");
    expect(timing(version(1, "09:01"))).toBe("late");
    expect(timing(version(1, "09:01", { actual_out: at("09:30") }))).toBe("in_time");
    expect(timing(version(1, "20:00", { entered_at: at("08:00") })), "a trusted system had it").toBe("in_time");
    expect(timing(version(1, "20:00", { state: "applied" })), "it only asks, and too late").toBe("late");
    expect(timing(version(1, "20:00", { state: "cancelled" })), "whatever became of it").toBe("late");
    expect(timing(version(1, "08:59", { state: "applied" }))).toBe("in_time");
    expect(timing(version(2, "20:00"))).toBe("changed");
  });

  it("is not late for having been settled afterwards, but for having been stretched", () => {
    const settled = version(2, "20:00", { state: "settled", actual_out: at("09:02") });
    expect(timingOf([version(1, "08:00"), settled])).toBe("in_time");
    expect(timingOf([version(1, "08:00", { planned_in: at("10:00") }), settled])).toBe("late");
    expect(timingOf([version(1, "08:00", { state: "applied" }), version(2, "09:30")]), "approved after the departure").toBe("late");
    expect(timingOf([])).toBe("in_time");
    expect(timingOf([version(1, "09:30", { state: "applied" })]), "asked for after the departure").toBe("late");
    expect(timingOf([version(1, "08:00"), version(2, "09:30", { state: "cancelled" })]), "given up after it, but asked for before").toBe("in_time");
  });
});

describe("orders of one car", () => {
  it("overlap when both want it at some instant", () => {
    const one = version(1, "08:00");
    const wants = (from: string, to: string, vehicle = 9) => overlapping([one], { vehicle, planned_out: at(from), planned_in: at(to) }).length;
    expect(wants("11:00", "13:00")).toBe(1);
    expect(wants("12:00", "13:00"), "one begins where the other ends").toBe(0);
    expect(wants("11:00", "13:00", 8), "another car").toBe(0);
    const cancelledOne = version(1, "08:00", { state: "cancelled" });
    expect(overlapping([cancelledOne], order), "given up").toEqual([]);
  });
});

describe("changes made here", () => {
  const imported = { ...order, entered_at: at("08:00"), remarks: "原" };

  it("never borrow the time at which another system took the order in", () => {
    const later = Date.parse(at("14:00"));
    for (const row of [extended(imported, later, "等人"), approved(imported, "丁", "同意", later), cancelled(imported, "改期")]) {
      expect(row.entered_at).toBeNull();
    }
    expect(extended(imported, later, "等人")).toMatchObject({ planned_in: at("14:00"), remarks: "原；等人" });
  });

  it("put a time to the approval that was asked for", () => {
    expect(approved(order, "丁", "同意", Date.parse(at("08:00"))).approvals).toEqual([{ by: "丁", at: at("08:00"), opinion: "同意" }]);
    expect(approved(order, "戊", "", 0).approvals.map(({ by }) => by)).toEqual(["丁", "戊"]);
  });
});

describe("the form", () => {
  it("names every field that is missing, and those that can't be", () => {
    expect(faultsOf(form, fleet)).toEqual({});
    expect(Object.keys(faultsOf(EMPTY_FORM, fleet)).sort()).toEqual(
      ["approver", "back", "destinations", "dispatcher", "driver", "no", "out", "plate", "purpose", "unit", "user"],
    );
    const bad = { ...form, plate: "演A99999", back: "2026-03-04T09:00", passengers: "1.5" };
    expect(faultsOf(bad, fleet)).toEqual({ plate: "unknown_car", back: "not_after", passengers: "not_a_number" });
  });

  it("becomes a row, in UTC and with every place", () => {
    const row = orderOf(form, fleet, Date.parse(at("08:30")));
    expect(row).toMatchObject({ vehicle: 9, applicant: "甲", state: "applied", planned_out: at("09:00"), approvals: [{ by: "丁", at: null }] });
    expect(row.destinations).toEqual([{ text: "演甲镇" }, { text: "演乙镇" }]);
    expect(row).not.toHaveProperty("entered_at");
  });
});

describe("the list", () => {
  const all = [version(1, "08:00"), version(1, "13:00", { no: "P-2", unit: 3, planned_out: at("13:00"), planned_in: at("14:00"), state: "applied" })];
  const numbers = (query: Record<string, string>): string[] => chosen(all, filterOf(query), fleet).map(({ row }) => row.no);

  it("is narrowed down, last departure first", () => {
    expect(numbers({})).toEqual(["P-2", "P-1"]);
    expect(numbers({ unit: "1" })).toEqual(["P-1"]);
    expect(numbers({ state: "applied" })).toEqual(["P-2"]);
    expect(numbers({ plate: "a10009", from: "2026-03-04", to: "2026-03-04" })).toHaveLength(2);
    expect(numbers({ from: "2026-03-05" })).toEqual([]);
    expect(numbers({ late: "1" })).toEqual([]);
  });
});
