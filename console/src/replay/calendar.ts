/** What kind of day it was. */
export type DayKind = "workday" | "weekend" | "holiday" | "makeup_workday";

interface SpecialDay {
  date: string;
  rule: string;
  name?: string;
}

export interface CalendarRow {
  days: SpecialDay[];
}

/** The kind of a local day by the calendars at hand; beyond them only weekends are known. */
export function dayKind(day: string, calendars: readonly CalendarRow[]): { kind: DayKind; name: string } {
  const special = calendars.flatMap(({ days }) => days).find(({ date }) => date === day);
  if (special?.rule === "holiday") return { kind: "holiday", name: special.name ?? "" };
  if (special?.rule === "makeup_workday") return { kind: "makeup_workday", name: special.name ?? "" };
  const weekday = new Date(`${day}T00:00:00Z`).getUTCDay();
  return { kind: weekday === 0 || weekday === 6 ? "weekend" : "workday", name: "" };
}
