import { describe, expect, it } from "vitest";
import { Fleet } from "../../fleet/fleet";
import { isOpen, isWhole, platesOf, requestOf, sizeText, unknownPlates, type Draft } from "./exports";

const car = (id: number, plate: string) => ({ id, plate, unit: 4, driver: "", class: "" });
const fleet = new Fleet([{ id: 4, name: "县林业局", parent: 1 }], [car(1, "演A·00001"), car(2, "演A00002")]);
const draft: Draft = { whose: "unit", unit: "4", plates: "", from: "2026-03-04", to: "2026-03-04", format: "xlsx", purpose: " 核对里程 " };

describe("a new export", () => {
  it("asks for whole days of the fleet's time zone", () => {
    expect(requestOf(draft, fleet)).toEqual({
      unit: "4",
      format: "xlsx",
      from: "2026-03-03T16:00:00.000Z",
      to: "2026-03-04T16:00:00.000Z",
      purpose: "核对里程",
    });
  });

  it("names cars by their numbers, however the plates were typed", () => {
    const cars: Draft = { ...draft, whose: "cars", plates: "演a00001，演A 00002" };
    expect(platesOf("演A00001、演A00002\n演A00001;")).toEqual(["演A00001", "演A00002"]);
    expect(unknownPlates(cars.plates, fleet)).toEqual(["演A", "00002"]);
    const typed: Draft = { ...cars, plates: "演a00001，演A·00002" };
    expect(requestOf(typed, fleet).vehicles).toEqual(["1", "2"]);
    expect(requestOf(typed, fleet).unit).toBeUndefined();
  });

  it("is whole with a unit or known cars, days in order and a purpose", () => {
    expect(isWhole(draft, fleet)).toBe(true);
    const lacking: Partial<Draft>[] = [
      { unit: "" },
      { purpose: " x " },
      { from: "2026-03-05" },
      { to: "" },
      { whose: "cars", plates: "" },
      { whose: "cars", plates: "演A00001 演A99999" },
    ];
    for (const less of lacking) expect(isWhole({ ...draft, ...less }, fleet), JSON.stringify(less)).toBe(false);
    expect(isWhole({ ...draft, whose: "cars", unit: "", plates: "演A00002" }, fleet)).toBe(true);
  });
});

describe("the list", () => {
  it("is read again while something waits or runs", () => {
    expect((["queued", "running", "done", "failed", "cancelled", "expired"] as const).filter((state) => isOpen({ state }))).toEqual(["queued", "running"]);
  });

  it("says sizes as people do", () => {
    expect([0, 999, 1_400, 25_000_000, 2_147_483_648].map((bytes) => sizeText(bytes, "en-GB"))).toEqual(["0 B", "999 B", "1.4 kB", "25 MB", "2.1 GB"]);
  });
});
