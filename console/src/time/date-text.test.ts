import { describe, expect, it } from "vitest";
import { dateText, readDate } from "./date-text";

describe("a date that is typed", () => {
  it.each([
    ["2026-03-04", "2026-03-04"],
    ["2026/3/4", "2026-03-04"],
    ["2026年3月4日", "2026-03-04"],
    ["20260304", "2026-03-04"],
    ["2028-02-29", "2028-02-29"],
    ["  ", ""],
    ["2026-02-29", null],
    ["2026-13-01", null],
    ["03/04/2026", null],
    ["yesterday", null],
  ])("reads the day %j as %j", (text, value) => expect(readDate(text, "date")).toBe(value));

  it.each([
    ["2026-03", "2026-03"],
    ["2026年3月", "2026-03"],
    ["202611", "2026-11"],
    ["2026-00", null],
    ["2026-03-04", null],
  ])("reads the month %j as %j", (text, value) => expect(readDate(text, "month")).toBe(value));

  it.each([
    ["2026-03-04 8:05", "2026-03-04T08:05"],
    ["2026-03-04T23:59", "2026-03-04T23:59"],
    ["202603040805", "2026-03-04T08:05"],
    ["2026-03-04", null],
    ["2026-03-04 24:00", null],
  ])("reads the moment %j as %j", (text, value) => expect(readDate(text, "datetime-local")).toBe(value));

  it("shows what it keeps without the letter in it", () => expect(dateText("2026-03-04T08:05")).toBe("2026-03-04 08:05"));
});
