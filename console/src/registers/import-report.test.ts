import { describe, expect, it } from "vitest";
import { byColumn, byRow, mediaType, problemsCsv, type FileProblem } from "./import-report";

const problem = (row: number | null, column: string, value = "x"): FileProblem => ({ row, column, value, code: "c", zh: "有误", en: "wrong" });

describe("what is wrong with a file", () => {
  const problems = [problem(7, "车牌"), problem(2, "单位"), problem(7, "单位"), problem(null, "")];

  it("is told row by row, the file first", () => {
    expect(byRow(problems).map(({ row, cells }) => [row, cells.length])).toEqual([
      [null, 1],
      [2, 1],
      [7, 2],
    ]);
  });

  it("is counted by column", () => {
    expect(byColumn(problems)).toEqual([
      { column: "单位", count: 2 },
      { column: "车牌", count: 1 },
    ]);
  });

  it("is written so that no cell is run as a formula or ends another", () => {
    const text = problemsCsv([problem(3, "用途", '=HYPERLINK("x")'), problem(null, "")], ["行", "列", "值", "问题"], "zh");
    expect(text).toBe('\ufeff"行","列","值","问题"\r\n"3","用途","\'=HYPERLINK(""x"")","有误"\r\n"","","x","有误"\r\n');
  });

  it("names the kind of file", () => {
    expect(mediaType("派车单.XLSX")).toContain("spreadsheetml");
    expect(mediaType("a.csv")).toBe("text/csv");
  });
});
