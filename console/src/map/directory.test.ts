import { describe, expect, it } from "vitest";
import { Directory, folded } from "./directory";

const units = [
  { id: 1, name: "县政府", parent: null },
  { id: 2, name: "水利局", parent: 1 },
  { id: 3, name: "河道所", parent: 2 },
  { id: 4, name: "教育局", parent: 1 },
  { id: 5, name: "别处", parent: 99 },
];
const base = { class: null, device: "0139", driver: null };
const cars = [
  { ...base, id: 1, n: 11, plate: "云X·A0001", unit: 3, driver: "王建国" },
  { ...base, id: 2, n: 12, plate: "云X·A0002", unit: 4, driver: "李小明" },
  { ...base, id: 3, n: 13, plate: "云X·A1000", unit: 2, driver: "王秀英" },
  { ...base, id: null, n: 14, plate: "", unit: null, device: "013900000014" },
];
const directory = new Directory(units, cars);

describe("directory", () => {
  it("makes a tree; a unit whose parent is not visible is a root", () => {
    expect(directory.roots.map((node) => node.unit.name).sort()).toEqual(["别处", "县政府"].sort());
    const county = directory.roots.find((node) => node.unit.id === 1);
    expect(county?.children.map((node) => node.unit.id).sort()).toEqual([2, 4]);
    expect(county?.children.find((node) => node.unit.id === 2)?.children[0]?.depth).toBe(2);
  });

  it("knows which unit is below which", () => {
    expect(directory.lineOf(3)).toEqual([3, 2, 1]);
    expect(directory.isWithin(3, 1)).toBe(true);
    expect(directory.isWithin(4, 2)).toBe(false);
    expect(directory.isWithin(null, 1)).toBe(false);
  });

  it("finds by plate, driver, unit and device, plates first", () => {
    const plates = (text: string): string[] => directory.search(text, 10).map(({ car }) => car.plate);
    expect(plates("a0001")).toEqual(["云X·A0001"]);
    expect(plates("云x a")).toHaveLength(3);
    expect(plates("Ａ１０００")).toEqual(["云X·A1000"]);
    expect(plates("王")).toHaveLength(2);
    expect(plates("王 河道")).toEqual(["云X·A0001"]);
    expect(directory.search("水利", 10)[0]?.by).toBe("unit");
    expect(directory.search("00000014", 10)[0]?.car.n).toBe(14);
    expect(plates("  ")).toEqual([]);
    expect(directory.search("云", 2)).toHaveLength(2);
  });

  it("survives units in a circle", () => {
    const circle = new Directory(
      [
        { id: 1, name: "a", parent: 2 },
        { id: 2, name: "b", parent: 1 },
      ],
      [{ ...cars[0]!, unit: 1 }],
    );
    expect(circle.roots).toHaveLength(2);
    expect(circle.lineOf(1)).toEqual([1, 2]);
  });

  it("folds width, dots and case", () => {
    expect(folded("京 Ａ·1234-x")).toBe("京A1234X");
  });
});
