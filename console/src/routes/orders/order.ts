import type { Fleet, RegisterRow } from "../../fleet/fleet";
import { plateKey } from "../../fleet/fleet";
import { dayOf, localInstant } from "../../time/zone";

export const STATES = ["applied", "approved", "settled", "refused", "cancelled"] as const;
export type OrderState = (typeof STATES)[number];

interface PlaceText {
  text: string;
  at?: unknown;
}

export interface Approval {
  by: string;
  at: string | null;
  opinion: string;
}

/** 派车审批单 as the register keeps it. */
export interface Order {
  no: string;
  unit: number;
  vehicle: number;
  applicant: string;
  user: string;
  phone: string;
  driver: string;
  driver_id: number | null;
  dispatcher: string;
  approvals: Approval[];
  passengers: number | null;
  purpose: string;
  departure: PlaceText;
  destinations: PlaceText[];
  via: PlaceText[];
  area: number | null;
  planned_out: string;
  planned_in: string;
  applied_at: string | null;
  entered_at: string | null;
  state: OrderState;
  is_emergency: boolean;
  replaces: string;
  actual_out: string | null;
  actual_in: string | null;
  distance_m: number | null;
  remarks: string;
}

export type OrderVersion = RegisterRow<Order>;

const canCover = (state: OrderState): boolean => state === "approved" || state === "settled";

/** What takes a car for a time, or asks for it. */
const isAlive = (state: OrderState): boolean => canCover(state) || state === "applied";

/** What a paper must have said before the trip to have covered it; the server's judging compares the same. */
const coverage = ({ row }: OrderVersion): string =>
  JSON.stringify([
    row.vehicle,
    Date.parse(row.planned_out),
    Date.parse(row.planned_in),
    canCover(row.state),
    row.is_emergency,
    row.area,
    row.departure,
    row.destinations,
    row.via,
  ]);

const knownAt = (version: OrderVersion): number => Date.parse(version.row.entered_at ?? version.recorded_at);

const leftAt = ({ row }: OrderVersion): number => Date.parse(row.actual_out ?? row.planned_out);

/** How an order stands to the departure of its car, whatever has become of it since: one that only asks is late too. `changed`: its
 *  newest version came later, and only the versions before can tell what that changed. */
export type Timing = "in_time" | "late" | "changed";

/** What the newest version alone says. */
export function timing(version: OrderVersion): Timing {
  if (knownAt(version) <= leftAt(version)) return "in_time";
  return version.version > 1 && !version.row.entered_at ? "changed" : "late";
}

/** What all versions say, oldest first: since when the paper has covered what it covers now. Paper that covers nothing is judged by when
 *  it was entered first. */
export function timingOf(history: readonly OrderVersion[]): Timing {
  const newest = history.at(-1);
  if (!newest) return "in_time";
  let since = knownAt(newest);
  if (!canCover(newest.row.state)) since = Math.min(...history.map(knownAt));
  else if (!newest.row.entered_at) {
    const covered = coverage(newest);
    for (const version of history.toReversed()) {
      if (coverage(version) !== covered) break;
      since = Math.min(since, knownAt(version));
    }
  }
  return since > leftAt(newest) ? "late" : "in_time";
}

/** Orders of the same car for some of the same time: one of them is likely a mistake. */
export const overlapping = (orders: readonly OrderVersion[], row: Pick<Order, "vehicle" | "planned_out" | "planned_in">): OrderVersion[] =>
  orders.filter(
    ({ row: other }) =>
      isAlive(other.state) &&
      other.vehicle === row.vehicle &&
      Date.parse(other.planned_out) < Date.parse(row.planned_in) &&
      Date.parse(other.planned_in) > Date.parse(row.planned_out),
  );

export interface Filter {
  state: string;
  unit: string;
  plate: string;
  from: string;
  to: string;
  late: string;
}

export function filterOf(query: Readonly<Record<string, string>>): Filter {
  const { state = "", unit = "", plate = "", from = "", to = "", late = "" } = query;
  return { state, unit, plate, from, to, late };
}

/** The orders that fit, the last departure first. */
export function chosen(orders: readonly OrderVersion[], filter: Filter, fleet: Fleet): OrderVersion[] {
  const units = filter.unit ? fleet.within(Number(filter.unit)) : null;
  const plate = plateKey(filter.plate);
  const fits = (version: OrderVersion): boolean => {
    const { row } = version;
    return (
      (!filter.state || row.state === filter.state) &&
      (!units || units.has(row.unit)) &&
      (!plate || plateKey(fleet.plate(row.vehicle)).includes(plate) || row.no.toUpperCase().includes(plate) || row.purpose.includes(filter.plate.trim())) &&
      (!filter.from || dayOf(row.planned_in) >= filter.from) &&
      (!filter.to || dayOf(row.planned_out) <= filter.to) &&
      (!filter.late || timing(version) !== "in_time")
    );
  };
  return orders.filter(fits).sort((a, b) => Date.parse(b.row.planned_out) - Date.parse(a.row.planned_out));
}

/** An order as it is typed. */
export interface OrderForm {
  no: string;
  unit: string;
  plate: string;
  applicant: string;
  user: string;
  phone: string;
  driver: string;
  dispatcher: string;
  approver: string;
  isApproved: boolean;
  passengers: string;
  purpose: string;
  departure: string;
  /** One in each line. */
  destinations: string;
  via: string;
  /** As `datetime-local` gives it, where the fleet is. */
  out: string;
  back: string;
  isEmergency: boolean;
  remarks: string;
}

export const EMPTY_FORM: OrderForm = {
  no: "",
  unit: "",
  plate: "",
  applicant: "",
  user: "",
  phone: "",
  driver: "",
  dispatcher: "",
  approver: "",
  isApproved: false,
  passengers: "",
  purpose: "",
  departure: "",
  destinations: "",
  via: "",
  out: "",
  back: "",
  isEmergency: false,
  remarks: "",
};

export type Fault = "needed" | "unknown_car" | "not_after" | "not_a_number";
export type Faults = Partial<Record<keyof OrderForm, Fault>>;

const NEEDED = ["no", "unit", "plate", "user", "driver", "dispatcher", "approver", "purpose", "destinations", "out", "back"] as const;
const PASSENGERS_MAX = 100;

/** What is wrong with a form, field by field. */
export function faultsOf(form: OrderForm, fleet: Fleet): Faults {
  const faults: Faults = {};
  for (const field of NEEDED) if (!form[field].trim()) faults[field] = "needed";
  if (!faults.plate && !fleet.withPlate(form.plate)) faults.plate = "unknown_car";
  if (!faults.out && Number.isNaN(localInstant(form.out))) faults.out = "needed";
  if (!faults.back && !(localInstant(form.back) > localInstant(form.out))) faults.back = "not_after";
  const passengers = Number(form.passengers);
  if (form.passengers && !(Number.isInteger(passengers) && passengers >= 1 && passengers <= PASSENGERS_MAX)) faults.passengers = "not_a_number";
  return faults;
}

const lines = (text: string): PlaceText[] =>
  text
    .split(/[\n；;]/)
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line) => ({ text: line }));

const iso = (instant: number): string => new Date(instant).toISOString();

/** The row that a form without faults says. */
export function orderOf(form: OrderForm, fleet: Fleet, now: number): Partial<Order> & Pick<Order, "vehicle" | "planned_out" | "planned_in"> {
  return {
    no: form.no.trim(),
    unit: Number(form.unit),
    vehicle: fleet.withPlate(form.plate)?.id ?? 0,
    applicant: form.applicant.trim() || form.user.trim(),
    user: form.user.trim(),
    phone: form.phone.trim(),
    driver: form.driver.trim(),
    dispatcher: form.dispatcher.trim(),
    // When the paper was signed nobody here knows; when it was typed in is another time.
    approvals: [{ by: form.approver.trim(), at: null, opinion: "" }],
    passengers: form.passengers ? Number(form.passengers) : null,
    purpose: form.purpose.trim(),
    departure: { text: form.departure.trim() },
    destinations: lines(form.destinations),
    via: lines(form.via),
    planned_out: iso(localInstant(form.out)),
    planned_in: iso(localInstant(form.back)),
    applied_at: iso(now),
    state: form.isApproved ? "approved" : "applied",
    is_emergency: form.isEmergency,
    remarks: form.remarks.trim(),
  };
}

// What a trusted system wrote about the time of taking in holds for what it took in, not for what is changed here.
const changedHere = (row: Order, change: Partial<Order>): Order => ({ ...row, ...change, entered_at: null });

/** The order approved. The one who approves takes the place of an approval by the same name that had no time yet. */
export const approved = (row: Order, by: string, opinion: string, now: number): Order =>
  changedHere(row, {
    state: "approved",
    approvals: [...row.approvals.filter((one) => one.at !== null || one.by !== by), { by, at: iso(now), opinion }],
  });

export const cancelled = (row: Order, reason: string): Order =>
  changedHere(row, { state: "cancelled", remarks: [row.remarks, reason].filter(Boolean).join("；") });

export const extended = (row: Order, back: number, reason: string): Order =>
  changedHere(row, { planned_in: iso(back), remarks: [row.remarks, reason].filter(Boolean).join("；") });

export const placesText = (places: readonly PlaceText[]): string => places.map(({ text }) => text).join("、");
