/** What a search asks: as the form has it, as the address keeps it, and as the server is asked. */

import type { Query } from "../../app/route";
import { readBox, readPlace, type Sought, boxText, placeText } from "../../map/sought";
import { addDays, dayOf, localInstant, toLocal } from "../../time/zone";

export const KINDS = ["area", "nearest", "meetings"] as const;
export type Kind = (typeof KINDS)[number];

/** The kind that the second part of an address names; the first one has none. */
export const kindOf = (id: string): Kind => KINDS.find((kind) => kind === id) ?? "area";
export const idOf = (kind: Kind): string => (kind === "area" ? "" : kind);

const DAY_MS = 86_400_000;
/** The longest windows that the server takes. */
export const DAYS_MAX: Readonly<Record<Exclude<Kind, "nearest">, number>> = { area: 31, meetings: 7 };
/** What one answer holds: all that the server gives, but of the nearest only those that are near. */
const FOUND_MAX: Readonly<Record<Kind, number>> = { area: 500, nearest: 20, meetings: 500 };

export const LIMITS = { withinMin: [1, 60], radiusM: [1, 5_000], leastMin: [0, 1_440] } as const;
const PURPOSE_CHARS = [2, 500] as const;

/** A search as it is being filled in. */
export interface Draft {
  /** A zone's number; empty for the box. */
  zone: string;
  bbox: string;
  place: string;
  car: string;
  /** The other car of a meeting; empty for any. */
  other: string;
  /** Moments as `datetime-local` has them, where the fleet is. */
  from: string;
  to: string;
  at: string;
  withinMin: number | null;
  radiusM: number | null;
  leastMin: number | null;
  purpose: string;
}

/** A draft that begins with yesterday. */
export function freshDraft(nowMs: number): Draft {
  const now = toLocal(nowMs);
  const from = `${addDays(dayOf(nowMs), -1)}T00:00`;
  return { zone: "", bbox: "", place: "", car: "", other: "", from, to: now, at: now, withinMin: 5, radiusM: 100, leastMin: 1, purpose: "" };
}

const FIELDS: Readonly<Record<Kind, readonly (keyof Draft)[]>> = {
  area: ["zone", "bbox", "from", "to"],
  nearest: ["place", "at", "withinMin"],
  meetings: ["car", "other", "from", "to", "radiusM", "leastMin"],
};

/** What the address keeps of a search: all but the purpose, which everybody states for themselves. */
export function addressOf(kind: Kind, draft: Draft): Query {
  const kept = kind === "area" && draft.zone ? { ...draft, bbox: "" } : draft;
  return Object.fromEntries(FIELDS[kind].map((field) => [field, kept[field]]));
}

/** The draft with what an address says. */
export function withAddress(kind: Kind, draft: Draft, query: Readonly<Record<string, string>>): Draft {
  const said = FIELDS[kind].filter((field) => query[field] !== undefined);
  if (!said.length) return draft;
  const values = said.map((field) => [field, typeof draft[field] === "string" ? query[field] : Number(query[field])]);
  const zone = query.bbox === undefined ? draft.zone : "";
  return { ...draft, zone, ...Object.fromEntries(values) };
}

export type Fault = "box" | "place" | "car" | "time" | "order" | "long" | "number" | "purpose";

const isWithin = (value: number | null, [least, most]: readonly [number, number]): boolean =>
  value !== null && Number.isFinite(value) && value >= least && value <= most;

function faultOfTimes({ from, to }: Draft, daysMax: number): Fault | null {
  const lasts = localInstant(to) - localInstant(from);
  if (Number.isNaN(lasts)) return "time";
  if (lasts <= 0) return "order";
  return lasts > daysMax * DAY_MS ? "long" : null;
}

const FAULTS: Readonly<Record<Kind, (draft: Draft) => Fault | null>> = {
  area: (draft) => (draft.zone || readBox(draft.bbox) ? faultOfTimes(draft, DAYS_MAX.area) : "box"),
  nearest(draft) {
    if (!readPlace(draft.place)) return "place";
    if (Number.isNaN(localInstant(draft.at))) return "time";
    return isWithin(draft.withinMin, LIMITS.withinMin) ? null : "number";
  },
  meetings(draft) {
    if (!draft.car.trim()) return "car";
    const areNumbers = isWithin(draft.radiusM, LIMITS.radiusM) && isWithin(draft.leastMin, LIMITS.leastMin);
    return faultOfTimes(draft, DAYS_MAX.meetings) ?? (areNumbers ? null : "number");
  },
};

/** What is still missing or wrong; people say what for. */
export function faultOf(kind: Kind, draft: Draft, mustSayPurpose: boolean): Fault | null {
  const said = [...draft.purpose.trim()].length;
  const isPurpose = (said === 0 && !mustSayPurpose) || isWithin(said, PURPOSE_CHARS);
  return FAULTS[kind](draft) ?? (isPurpose ? null : "purpose");
}

const instant = (local: string): string => new Date(localInstant(local)).toISOString();

/** What the server is asked, of a draft without a fault; `plateOf` writes a plate as the register has it. */
export function requestOf(kind: Kind, draft: Draft, plateOf: (typed: string) => string): Query {
  const common = { limit: FOUND_MAX[kind], purpose: draft.purpose.trim() };
  if (kind === "nearest") {
    const [lon = 0, lat = 0] = readPlace(draft.place) ?? [];
    return { lat, lon, at: instant(draft.at), within_s: Math.round((draft.withinMin ?? 0) * 60), ...common };
  }
  const times = { from: instant(draft.from), to: instant(draft.to) };
  if (kind === "area") {
    const box = readBox(draft.bbox);
    return { ...(draft.zone ? { zone: draft.zone } : { bbox: box ? boxText(box) : "" }), ...times, ...common };
  }
  const cars = { device: plateOf(draft.car), other: draft.other.trim() && plateOf(draft.other) };
  return { ...cars, ...times, radius_m: draft.radiusM, least_s: Math.round((draft.leastMin ?? 0) * 60), ...common };
}

/** What of a draft is shown on the map beside the zones. */
export function soughtOf(kind: Kind, draft: Draft): Sought | null {
  if (kind === "area") {
    const box = draft.zone ? null : readBox(draft.bbox);
    return box && { box };
  }
  const place = kind === "nearest" ? readPlace(draft.place) : null;
  return place && { place };
}

/** The draft with what was pointed at on the map. */
export const withSought = (draft: Draft, sought: Sought): Draft =>
  "box" in sought ? { ...draft, zone: "", bbox: boxText(sought.box) } : { ...draft, place: placeText(sought.place) };
