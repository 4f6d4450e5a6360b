import { read, readAll, type Options, type Subject } from "../../api/client";
import { isAborted } from "../../api/problem";
import type { CaseView } from "../../cases/types";
import { covering, type Range } from "../../replay/axis";
import { dayKind, type CalendarRow, type DayKind } from "../../replay/calendar";
import { shapeOf } from "../../replay/geo";
import { orderWindows, type OrderVersion, type OrderWindow } from "../../replay/orders";
import { isTelling, withStops, type Segment } from "../../replay/segments";
import { fixesOf, lossesOf, spansWhere, visitsOf, type Fix, type Visit, type Zone } from "../../replay/track";
import { addDays, instantOf } from "../../time/zone";

/** How far beyond its day a case's time may reach, for a night out. */
const BEYOND_MS = 12 * 3_600_000;
/** What is shown around trips and questions at first. */
const MARGIN_MS = 20 * 60_000;
const ZONES_MAX = 5_000;
const ORDERS_MAX = 2_000;

/** A car-day that is looked at. */
export interface Looked {
  /** The local day. */
  day: string;
  /** Absent in a case about a unit's orders. */
  vehicle: number | undefined;
  flags: readonly { from: string; to: string }[];
  /** For the log of who looked and why. */
  subject: Subject;
}

export const lookedAtIn = (view: CaseView): Looked => ({ day: view.day, vehicle: view.case.key.subject.vehicle, flags: view.case.flags, subject: { case: view.id } });

export const lookedAt = (vehicle: number, day: string): Looked => ({ day, vehicle, flags: [], subject: { vehicle } });

/** The time that it is about: the day, and as much more as its flags need. */
function boundsOf(looked: Looked): Range {
  const start = instantOf(looked.day);
  const end = instantOf(addDays(looked.day, 1));
  const froms = looked.flags.map((flag) => Date.parse(flag.from));
  const tos = looked.flags.map((flag) => Date.parse(flag.to));
  const from = Math.max(start - BEYOND_MS, Math.min(start, ...froms));
  const to = Math.min(end + BEYOND_MS, Date.now(), Math.max(end, ...tos));
  return { from, to: Math.max(to, from + 3_600_000) };
}

interface TrackAnswer {
  items: Parameters<typeof fixesOf>[0];
  next_from?: string | null;
}

async function track(device: number, bounds: Range, options: Options): Promise<TrackAnswer["items"]> {
  const items = [];
  let from: string | null | undefined = new Date(bounds.from).toISOString();
  const to = new Date(bounds.to).toISOString();
  while (from) {
    const answer: TrackAnswer = await read(`devices/${device}/track`, { ...options, query: { from, to } });
    items.push(...answer.items);
    from = answer.next_from;
  }
  return items;
}

interface ZoneRow {
  id: number;
  row: { name: string; kind: { use: string }; shape: Parameters<typeof shapeOf>[0] };
}

const zonesOf = (rows: readonly ZoneRow[]): Zone[] =>
  rows.flatMap(({ id, row }) => {
    const shape = shapeOf(row.shape);
    return shape ? [{ id, name: row.name, use: row.kind.use, shape }] : [];
  });

/** All that happened on the day of a case, on one axis. */
export class CaseDay {
  isLoading = $state(true);
  error = $state.raw<unknown>(null);
  bounds = $state.raw<Range>({ from: 0, to: 1 });
  fixes = $state.raw<Fix[]>([]);
  segments = $state.raw<Segment[]>([]);
  zones = $state.raw<Zone[]>([]);
  orders = $state.raw<OrderWindow[]>([]);
  #flags = $state.raw<readonly Range[]>([]);
  day = $state.raw<{ kind: DayKind; name: string }>({ kind: "workday", name: "" });

  readonly losses = $derived(lossesOf(this.fixes));
  readonly ignition = $derived(spansWhere(this.fixes, (fix) => fix.ignition === true));
  readonly knowsIgnition = $derived(this.fixes.some((fix) => fix.ignition !== null));
  readonly visits = $derived<Visit[]>(visitsOf(this.fixes, this.zones.filter((zone) => !BROAD.has(zone.use))));
  readonly visited = $derived<ReadonlySet<number>>(new Set(this.visits.map(({ zone }) => zone.id)));
  readonly outside = $derived(this.#outside());
  readonly trips = $derived(this.segments.filter(({ kind }) => kind === "trip" || kind === "move"));

  async load(looked: Looked, signal: AbortSignal): Promise<void> {
    this.bounds = boundsOf(looked);
    this.#flags = looked.flags.map(({ from, to }) => ({ from: Date.parse(from), to: Date.parse(to) }));
    this.isLoading = true;
    this.error = null;
    try {
      if (looked.vehicle !== undefined) await this.#read(looked, looked.vehicle, signal);
    } catch (error) {
      if (!isAborted(error)) this.error = error;
    } finally {
      if (!signal.aborted) this.isLoading = false;
    }
  }

  async #read({ day, subject }: Looked, vehicle: number, signal: AbortSignal): Promise<void> {
    const options = { signal, subject };
    const times = { from: new Date(this.bounds.from).toISOString(), to: new Date(this.bounds.to).toISOString() };
    // First alone: it may ask for a purpose, once.
    const found = await readAll<Segment>(`vehicles/${vehicle}/segments`, 2_000, { ...options, query: { ...times, limit: 1000 } });
    this.segments = found.items.filter(isTelling);
    const devices = [...new Set(found.items.map(({ device }) => device))];
    const [tracks, zones, orders, calendars] = await Promise.all([
      Promise.all(devices.map((device) => track(device, this.bounds, options))),
      // What the caller may not read is left out of the picture, and the lane says so by being empty.
      readAll<ZoneRow>("registers/zone", ZONES_MAX, { signal, query: { limit: 200 } }).catch(() => ({ items: [] })),
      readAll<OrderVersion>("registers/order", ORDERS_MAX, { signal, query: { vehicle, limit: 200 } }).catch(() => ({ items: [] })),
      readAll<{ row: CalendarRow }>("registers/calendar_year", 50, { signal }).catch(() => ({ items: [] })),
    ]);
    this.fixes = fixesOf(tracks.flat());
    this.segments = withStops(this.segments, this.fixes);
    this.zones = zonesOf(zones.items);
    const departures = this.trips.map(({ start }) => Date.parse(start));
    this.orders = orderWindows(orders.items, this.bounds, departures);
    this.day = dayKind(day, calendars.items.map(({ row }) => row));
  }

  /** The look that shows trips and questions with some room. */
  get opening(): Range {
    const trips = this.trips.map(({ start, end }) => ({ from: Date.parse(start), to: Date.parse(end) }));
    return covering([...trips, ...this.#flags], MARGIN_MS, this.bounds);
  }

  #outside(): Range[] {
    const areas = this.zones.filter((zone) => zone.use === "service_area");
    if (!areas.length) return [];
    const inside = new Set(areas.flatMap((area) => visitsOf(this.fixes, [area])));
    return spansWhere(this.fixes, (fix) => ![...inside].some((visit) => fix.time >= visit.from && fix.time <= visit.to)).filter(
      (span) => span.to - span.from >= 60_000,
    );
  }
}

/** Areas that a car is in all day: drawn on the map, and no rows of their own on the axis. */
const BROAD = new Set(["service_area", "area", "allowance", "place"]);
