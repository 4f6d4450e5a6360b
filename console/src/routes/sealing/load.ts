import { readAll } from "../../api/client";
import type { Schema } from "../../api/types";
import { bindingsAt, lastPositions } from "../../fleet/bindings";
import { loadFleet, type Fleet, type RegisterRow } from "../../fleet/fleet";
import { addDays, instantOf } from "../../time/zone";
import { checkSeals, overlaps, type Duty, type Emergency, type Found, type Range, type Seal, type SealedCar, type Seen } from "./check";

const ROWS_MAX = 50_000;
const PAGE_ROWS = 1_000;
const FLAGS_MAX = 10_000;

export interface SealingDay {
  fleet: Fleet;
  cars: SealedCar[];
  /** Cars that the rule of seals asks about for having none. */
  notSealed: Found[];
  duties: RegisterRow<Duty>[];
  emergencies: RegisterRow<Emergency>[];
  now: number;
}

interface Finding {
  vehicle: number;
  rule: string;
  aspect: string;
  day: string;
  outcome: string;
}

async function rows<T>(kind: string): Promise<RegisterRow<T>[]> {
  return (await readAll<RegisterRow<T>>(`registers/${kind}`, ROWS_MAX, { query: { limit: PAGE_ROWS } })).items;
}

async function findings(from: string, to: string): Promise<Found[]> {
  const query = { from, to, rules: "R06,R07", limit: 200 };
  const { items } = await readAll<Schema<"FlagView">>("flags", FLAGS_MAX, { query });
  return items.map(({ id, finding }) => {
    const { vehicle, rule, aspect, day, outcome } = finding as unknown as Finding;
    return { id, vehicle, rule, aspect, day, isDecidable: outcome === "flag" };
  });
}

async function seenCars(): Promise<{ now: number; seen: Map<number, Seen> }> {
  const [{ now, positions }, bindings] = await Promise.all([lastPositions(), bindingsAt(Date.now())]);
  const vehicles = new Map(bindings.map(({ row }) => [row.device, row.vehicle]));
  const seen = new Map<number, Seen>();
  for (const { device, fix_time, place_time, lat, lon, speed_kmh } of positions) {
    const vehicle = vehicles.get(device);
    const at = place_time ?? fix_time;
    if (vehicle === undefined || !at || lat == null || lon == null) continue;
    seen.set(vehicle, { fixTime: Date.parse(at), speedKmh: speed_kmh ?? 0, lat, lon });
  }
  return { now, seen };
}

/** The unit of a car and all above it: a roster of one of them covers the car. */
function unitsAbove(fleet: Fleet): (vehicle: number) => ReadonlySet<number> {
  const parents = new Map(fleet.units.map(({ id, parent }) => [id, parent]));
  return (vehicle) => {
    const above = new Set<number>();
    for (let unit = fleet.car(vehicle)?.unit ?? null; unit !== null && !above.has(unit); unit = parents.get(unit) ?? null) above.add(unit);
    return above;
  };
}

export const rangeOf = (from: string, to: string): Range => ({ from: instantOf(from), to: instantOf(addDays(to, 1)) });

/** Reads everything that the check of these local days needs. */
export async function loadSealing(from: string, to: string): Promise<SealingDay> {
  const range = rangeOf(from, to);
  const [fleet, seals, allDuties, allEmergencies, found, { now, seen }] = await Promise.all([
    loadFleet(),
    rows<Seal>("seal"),
    rows<Duty>("duty"),
    rows<Emergency>("emergency"),
    findings(from, to),
    seenCars(),
  ]);
  const facts = { seals, duties: allDuties, found, seen, unitsAbove: unitsAbove(fleet) };
  return {
    fleet,
    cars: checkSeals(facts, range, now),
    notSealed: found.filter((one) => one.aspect === "not_sealed" && one.isDecidable),
    duties: allDuties.filter((one) => overlaps(one, range)),
    emergencies: allEmergencies.filter((one) => overlaps(one, range)),
    now,
  };
}
