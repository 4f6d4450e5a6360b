/** Days, months and moments as people type them, and as the console keeps them. */

export type DateKind = "date" | "month" | "datetime-local";

const MONTH = /^(\d{4})[-/.年]?(\d{1,2})月?$/;
const DAY = /^(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?$/;
const TIME = /^(\d{1,2})[:：时]?(\d{2})分?$/;
const DAY_DIGITS = 8;

const two = (text: string): string => text.padStart(2, "0");

function month(text: string): string | null {
  const [, year = "", number = ""] = MONTH.exec(text) ?? [];
  return Number(number) >= 1 && Number(number) <= 12 ? `${year}-${two(number)}` : null;
}

function day(text: string): string | null {
  const [, year = "", number = "", date = ""] = DAY.exec(text) ?? [];
  const found = `${year}-${two(number)}-${two(date)}`;
  const instant = Date.parse(`${found}T00:00:00Z`);
  // What the calendar does not have rolls over into the next month.
  return !Number.isNaN(instant) && new Date(instant).toISOString().startsWith(found) ? found : null;
}

function time(text: string): string | null {
  const [, hour = "", minute = ""] = TIME.exec(text) ?? [];
  return hour && Number(hour) < 24 && Number(minute) < 60 ? `${two(hour)}:${minute}` : null;
}

function moment(text: string): string | null {
  const bare = /^\d{11,12}$/.test(text) ? `${text.slice(0, DAY_DIGITS)} ${text.slice(DAY_DIGITS)}` : text;
  const [first = "", second = ""] = bare.split(/[T\s]+/);
  const [of, at] = [day(first), time(second)];
  return of && at ? `${of}T${at}` : null;
}

const READERS: Record<DateKind, (text: string) => string | null> = { date: day, month, "datetime-local": moment };

/** What was typed in the form that inputs of this kind have, empty for nothing, null when it is no such date. */
export function readDate(text: string, kind: DateKind): string | null {
  const trimmed = text.trim();
  return trimmed ? READERS[kind](trimmed) : "";
}

/** A kept value as people read it. */
export const dateText = (value: string): string => value.replace("T", " ");
