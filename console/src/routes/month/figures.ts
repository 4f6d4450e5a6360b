import type { Schema } from "../../api/types";

export type Funnel = Schema<"Funnel">;
export type MonthReport = Schema<"MonthView">;

export const FUNNEL_STEPS = ["flags", "cases", "checked", "explanations_asked", "explanations_given", "violations"] as const;
export type FunnelStep = (typeof FUNNEL_STEPS)[number];

export interface Bar {
  step: FunnelStep;
  count: number;
  /** Of the widest bar, 0 to 1. */
  width: number;
}

/** The steps of the funnel with their widths. A step may be wider than the one before: a case can be asked twice. */
export function funnelBars(funnel: Funnel): Bar[] {
  const widest = Math.max(1, ...FUNNEL_STEPS.map((step) => funnel[step]));
  return FUNNEL_STEPS.map((step) => ({ step, count: funnel[step], width: funnel[step] / widest }));
}

/** A share as the part of the whole that it is; nothing of nothing is not zero. */
export const share = (part: number, whole: number): number | null => (whole > 0 ? part / whole : null);

/** Cars that no device speaks for, or that were silent all month: what the report knows nothing of. */
export function silentCars({ total, data_quality: quality }: MonthReport): { without: number; silent: number; share: number | null } {
  const without = Math.max(0, total.cars - quality.cars_with_device);
  const silent = Math.max(0, quality.cars_with_device - quality.cars_heard);
  return { without, silent, share: share(without + silent, total.cars) };
}

/** The share of the month that lies in gaps, over all cars that were heard of. */
export function gapShare({ from, to, made_at, data_quality: quality }: MonthReport): number | null {
  const end = Math.min(Date.parse(to), Date.parse(made_at));
  const carSeconds = (Math.max(0, end - Date.parse(from)) / 1000) * quality.cars_heard;
  return share(quality.gap_s, carSeconds);
}

export const isUnfinished = ({ to, made_at }: MonthReport): boolean => Date.parse(made_at) < Date.parse(to);

/** The month so many months later, `2026-03`. */
export function addMonths(month: string, count: number): string {
  const [year = 0, number = 1] = month.split("-").map(Number);
  const date = new Date(Date.UTC(year, number - 1 + count, 1));
  return date.toISOString().slice(0, 7);
}

export const isMonth = (text: string): boolean => /^\d{4}-(0[1-9]|1[0-2])$/.test(text);
