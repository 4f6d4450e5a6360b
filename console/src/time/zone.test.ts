import { describe, expect, it } from "vitest";
import { addDays, clock, clockOn, dateTime, dayInWords, dayOf, duration, instantOf, localInstant, toLocal } from "./zone";

const words = { days: (n: number) => `${n}d`, hours: (n: number) => `${n}h`, minutes: (n: number) => `${n}m`, seconds: (n: number) => `${n}s` };

describe("the fleet's time", () => {
  it("is that of Shanghai, wherever the browser is", () => {
    expect(clock("2026-03-03T16:00:00Z")).toBe("00:00");
    expect(dayOf("2026-03-03T16:00:00Z")).toBe("2026-03-04");
    expect(dateTime("2026-03-03T15:59:59Z")).toBe("2026-03-03 23:59");
  });

  it("leads from a local time to the instant, also through the summer time of 1990", () => {
    expect(new Date(instantOf("2026-03-04", "08:05")).toISOString()).toBe("2026-03-04T00:05:00.000Z");
    expect(new Date(instantOf("1990-07-01", "12:00")).toISOString()).toBe("1990-07-01T03:00:00.000Z");
  });

  it("reads and writes the moments of a form where the fleet is", () => {
    expect(new Date(localInstant("2026-03-04T08:05")).toISOString()).toBe("2026-03-04T00:05:00.000Z");
    expect(toLocal("2026-03-03T16:00:30Z")).toBe("2026-03-04T00:00");
    expect(["", "2026-03-04"].map(localInstant)).toEqual([Number.NaN, Number.NaN]);
  });

  it("counts days over months and years", () => {
    expect([addDays("2026-02-28", 1), addDays("2028-02-28", 1), addDays("2026-01-01", -1)]).toEqual(["2026-03-01", "2028-02-29", "2025-12-31"]);
  });

  it("says whose day a time of day is when it is another's", () => {
    const days = { dayBefore: "前日", dayAfter: "次日" };
    const said = ["2026-03-04T07:11:00+08:00", "2026-03-03T20:30:00+08:00", "2026-03-05T00:05:00+08:00", "2026-03-07T12:00:00+08:00"].map((at) => clockOn("2026-03-04", at, days));
    expect(said).toEqual(["07:11", "前日 20:30", "次日 00:05", "03-07 12:00"]);
  });

  it("says durations in two units", () => {
    expect([duration(0, words), duration(59, words), duration(3600, words), duration(93_784, words), duration(-5, words)]).toEqual(["0s", "59s", "1h", "1d 2h", "0s"]);
  });

  it("names days", () => {
    expect(dayInWords("2026-03-04", "zh-CN")).toBe("3月4日 周三");
    expect(dayInWords("2026-03-04", "en-GB")).toMatch(/Wed.*4 Mar/);
  });
});
