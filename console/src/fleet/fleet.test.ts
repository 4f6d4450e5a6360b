import { describe, expect, it } from "vitest";
import { Fleet, plateKey } from "./fleet";

const unit = (id: number, parent: number | null) => ({ id, name: `U${id}`, parent });

describe("a fleet", () => {
  it("finds a car however its plate is typed", () => {
    const fleet = new Fleet([], [{ id: 7, plate: "演A10007", unit: 1, driver: "", class: "" }]);
    for (const typed of ["演A10007", "演a·10007", " 演A 10007"]) expect(fleet.withPlate(typed)?.id, typed).toBe(7);
    expect(fleet.withPlate("")).toBeUndefined();
    expect(plateKey("演A・1")).toBe("演A1");
  });

  it("knows the units below a unit in whatever order they come", () => {
    const fleet = new Fleet([unit(4, 3), unit(3, 2), unit(2, 1), unit(1, null), unit(9, null)], []);
    expect([...fleet.within(2)].sort()).toEqual([2, 3, 4]);
    expect([...fleet.within(9)]).toEqual([9]);
  });

  it("shows the number of what it does not know", () => {
    const fleet = new Fleet([unit(1, null)], []);
    expect([fleet.unitName(1), fleet.unitName(5), fleet.unitName(null), fleet.plate(8)]).toEqual(["U1", "#5", "", "#8"]);
  });
});
