/** What was found, as rows of one list. */

import type { Schema } from "../../api/types";
import type { Fleet } from "../../fleet/fleet";
import type { LonLat } from "../../map/datum";
import type { Kind } from "./ask";

type FoundCar = Schema<"FoundCar">;

/** From one instant to another, milliseconds. */
export interface Span {
  from: number;
  to: number;
}

export interface Row extends Span {
  key: string;
  /** Its number on the map. */
  n: number;
  device: number;
  vehicle: number | null;
  /** The plate, or the terminal of a device that was in no car. */
  name: string;
  unit: string;
  /** Times within the area, or the meeting itself. */
  stays: Span[];
  /** How long all of them lasted. */
  seconds: number;
  /** How far away, how close. */
  metres: number | null;
  /** Where it was; an area search does not say. */
  at: LonLat | null;
  /** Whether no fix says that place. */
  isInterpolated: boolean;
}

export interface Found {
  kind: Kind;
  rows: Row[];
  /** Whether there are more than the answer holds. */
  isCut: boolean;
  damagedFiles: number;
}

interface Answer<T> {
  items: T[];
  is_cut: boolean;
  damaged_files: number;
}

interface Answers {
  area: Answer<Schema<"PresenceView">>;
  nearest: Answer<Schema<"NearView">>;
  meetings: Answer<Schema<"MeetingView">>;
}

const span = (from: string, to: string): Span => ({ from: Date.parse(from), to: Date.parse(to) });

const lengthS = (spans: readonly Span[]): number => spans.reduce((sum, { from, to }) => sum + (to - from) / 1000, 0);

function rowOf(car: FoundCar, index: number, fleet: Fleet, of: Span & Partial<Row>): Row {
  const vehicle = car.vehicle ?? null;
  const unit = vehicle === null ? "" : fleet.unitName(fleet.car(vehicle)?.unit);
  const stays = of.stays ?? [{ from: of.from, to: of.to }];
  const known = { n: index + 1, device: car.device, vehicle, name: car.plate ?? car.terminal, unit };
  const rest = { stays, seconds: lengthS(stays), metres: null, at: null, isInterpolated: false };
  return { key: `${car.device}-${of.from}`, ...known, ...rest, ...of };
}

const ROWS: { [K in Kind]: (item: Answers[K]["items"][number], index: number, fleet: Fleet) => Row } = {
  area: (item, index, fleet) =>
    rowOf(item, index, fleet, { ...span(item.first, item.last), stays: item.stays.map(({ first, last }) => span(first, last)) }),
  nearest(item, index, fleet) {
    const fixes = [item.before?.at, item.after?.at].filter((at) => at !== undefined);
    const times = span(fixes[0] ?? "", fixes.at(-1) ?? "");
    return rowOf(item, index, fleet, { ...times, metres: item.distance_m, at: [item.lon, item.lat], isInterpolated: item.is_interpolated });
  },
  meetings: (item, index, fleet) =>
    rowOf(item.other, index, fleet, { ...span(item.from, item.to), metres: item.closest_m, at: [item.closest.lon, item.closest.lat] }),
};

/** An answer of the server as rows. */
export function foundOf<K extends Kind>(kind: K, answer: Answers[K], fleet: Fleet): Found {
  const rows = answer.items.map((item, index) => ROWS[kind](item, index, fleet));
  return { kind, rows, isCut: answer.is_cut, damagedFiles: answer.damaged_files };
}

export type Column = "name" | "from" | "stays" | "seconds" | "metres";

/** The columns of each kind of search. */
export const COLUMNS: Readonly<Record<Kind, readonly Column[]>> = {
  area: ["name", "from", "stays", "seconds"],
  nearest: ["name", "from", "metres"],
  meetings: ["name", "from", "seconds", "metres"],
};

export interface Order {
  by: Column;
  isDown: boolean;
}

/** How each kind is sorted at first. */
export const FIRST_ORDER: Readonly<Record<Kind, Order>> = {
  area: { by: "from", isDown: false },
  nearest: { by: "metres", isDown: false },
  meetings: { by: "from", isDown: false },
};

/** By a column; counts and durations begin with the most. */
export const orderBy = (by: Column, before: Order): Order => ({ by, isDown: before.by === by ? !before.isDown : by === "stays" || by === "seconds" });

const COMPARE: Readonly<Record<Column, (a: Row, b: Row) => number>> = {
  name: (a, b) => a.name.localeCompare(b.name, "zh-CN"),
  from: (a, b) => a.from - b.from,
  stays: (a, b) => a.stays.length - b.stays.length,
  seconds: (a, b) => a.seconds - b.seconds,
  metres: (a, b) => (a.metres ?? Infinity) - (b.metres ?? Infinity),
};

export function sorted(rows: readonly Row[], { by, isDown }: Order): Row[] {
  const way = isDown ? -1 : 1;
  return rows.toSorted((a, b) => way * COMPARE[by](a, b) || a.n - b.n);
}
