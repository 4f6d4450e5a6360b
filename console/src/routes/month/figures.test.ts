import { describe, expect, it } from "vitest";
import { addMonths, funnelBars, gapShare, isMonth, isUnfinished, share, silentCars, type MonthReport } from "./figures";

const report: MonthReport = {
  month: "2026-10",
  unit: null,
  from: "2026-09-30T16:00:00Z",
  to: "2026-10-31T16:00:00Z",
  made_at: "2026-10-10T16:00:00Z",
  total: { cars: 10, cars_had: 10, cars_used: 6, trips: 30, distance_m: 1, trip_s: 1, moving_s: 1, idle_s: 0, off_hours_s: 0, trips_with_order: 20 },
  shares: { cars_used: 0.6, off_hours: 0, idle: 0, with_order: 2 / 3, online: 0.875 },
  by_unit: [],
  data_quality: { cars_with_device: 8, cars_heard: 7, gaps: 3, gap_s: 604_800, is_provisional: false },
};

describe("the month", () => {
  it("draws the county's quarter: 43 leads, 13 explanations, 4 notices", () => {
    const funnel = { flags: 60, cases: 43, checked: 43, explanations_asked: 15, explanations_given: 13, normal: 30, management_problems: 5, violations: 4, handed_over: 0, lapsed: 0, open: 4 };
    expect(funnelBars(funnel).map(({ count, width }) => [count, Math.round(width * 100)])).toEqual([
      [60, 100],
      [43, 72],
      [43, 72],
      [15, 25],
      [13, 22],
      [4, 7],
    ]);
  });

  it("draws nothing for a month without flags, and does not divide by it", () => {
    const none = { flags: 0, cases: 0, checked: 0, explanations_asked: 0, explanations_given: 0, normal: 0, management_problems: 0, violations: 0, handed_over: 0, lapsed: 0, open: 0 };
    expect(funnelBars(none).every(({ width }) => width === 0)).toBe(true);
  });

  it("says what it knows nothing of", () => {
    expect(silentCars(report)).toEqual({ without: 2, silent: 1, share: 0.3 });
    expect(share(0, 0)).toBeNull();
  });

  it("counts gaps against the time that has passed, not the whole month", () => {
    // Ten days of seven cars; a week of gaps.
    expect(gapShare(report)).toBeCloseTo(0.1);
    expect(gapShare({ ...report, data_quality: { ...report.data_quality, cars_heard: 0 } })).toBeNull();
    expect(isUnfinished(report)).toBe(true);
  });

  it("turns pages over the end of a year", () => {
    expect([addMonths("2026-01", -1), addMonths("2026-12", 1), addMonths("2026-10", 0)]).toEqual(["2025-12", "2027-01", "2026-10"]);
    expect([isMonth("2026-13"), isMonth("2026-1"), isMonth("2026-09")]).toEqual([false, false, true]);
  });
});
