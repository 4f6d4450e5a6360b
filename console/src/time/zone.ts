/** Times are shown where the fleet is, whoever looks from wherever. */
export const FLEET_ZONE = "Asia/Shanghai";

export type Instant = number | string | Date;

const ms = (instant: Instant): number => (typeof instant === "number" ? instant : new Date(instant).getTime());

const formats = new Map<string, Intl.DateTimeFormat>();

function format(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = locale + JSON.stringify(options);
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(locale, { timeZone: FLEET_ZONE, hourCycle: "h23", ...options });
    formats.set(key, found);
  }
  return found;
}

/** `08:05`. */
export const clock = (instant: Instant): string =>
  format("en-GB", { hour: "2-digit", minute: "2-digit" }).format(ms(instant));

/** `08:05:09`. */
export const clockSeconds = (instant: Instant): string =>
  format("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(ms(instant));

/** The local day, `2026-03-04`. */
export const dayOf = (instant: Instant): string =>
  format("en-CA", { year: "numeric", month: "2-digit", day: "2-digit" }).format(ms(instant));

/** `2026-03-04 08:05`. */
export const dateTime = (instant: Instant): string => `${dayOf(instant)} ${clock(instant)}`;

interface DayWords {
  dayBefore: string;
  dayAfter: string;
}

/** The time of day, and which day's it is when it is not this one's: `次日 08:05`. */
export function clockOn(day: string, instant: Instant, words: DayWords): string {
  const own = dayOf(instant);
  if (own === day) return clock(instant);
  const which = own === addDays(day, -1) ? words.dayBefore : own === addDays(day, 1) ? words.dayAfter : own.slice(5);
  return `${which} ${clock(instant)}`;
}

/** A day in words: `3月4日 周三`, `Wed 4 Mar`. */
export function dayInWords(day: string, locale: string): string {
  const noon = Date.parse(`${day}T12:00:00Z`);
  const options = { timeZone: "UTC", month: locale.startsWith("zh") ? "long" : "short", day: "numeric", weekday: "short" } as const;
  return format(locale, options).format(noon).replace(/(日)(周)/, "$1 $2");
}

/** How far the fleet's clock is ahead of UTC then, in milliseconds. */
function offsetAt(instant: number): number {
  const seconds = Math.floor(instant / 1000) * 1000;
  return Date.parse(`${dayOf(seconds)}T${clockSeconds(seconds)}Z`) - seconds;
}

/** The instant of a local date and time, `2026-03-04` and `08:05`. */
export function instantOf(day: string, time = "00:00"): number {
  const asUtc = Date.parse(`${day}T${time}Z`);
  const guess = asUtc - offsetAt(asUtc);
  return asUtc - offsetAt(guess);
}

/** The instant of a `datetime-local` value; not a number when there is none. */
export function localInstant(value: string): number {
  const [day = "", time = ""] = value.split("T");
  return day && time ? instantOf(day, time) : Number.NaN;
}

/** An instant as `datetime-local` takes it. */
export const toLocal = (instant: Instant): string => `${dayOf(instant)}T${clock(instant)}`;

/** The day so many days later; a negative number means earlier. */
export function addDays(day: string, days: number): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

interface DurationWords {
  days(n: number): string;
  hours(n: number): string;
  minutes(n: number): string;
  seconds(n: number): string;
}

/** A duration in its two largest units. */
export function duration(seconds: number, words: DurationWords): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts: [number, (n: number) => string][] = [
    [Math.floor(whole / 86_400), words.days],
    [Math.floor(whole / 3600) % 24, words.hours],
    [Math.floor(whole / 60) % 60, words.minutes],
    [whole % 60, words.seconds],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return words.seconds(0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, say]) => say(count))
    .join(" ");
}
