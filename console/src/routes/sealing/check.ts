import type { RegisterRow } from "../../fleet/fleet";

/** 封存 or 启封 of a car. */
export interface Seal {
  vehicle: number;
  kind: "sealed" | "opened";
  place: number | null;
  key_keeper: string;
  approved_by: string;
  approval_no: string;
  reason: string;
}

/** 值班备勤. */
export interface Duty {
  unit: number;
  vehicle: number | null;
  person: string;
  what: string;
}

/** 应急响应期. */
export interface Emergency {
  what: string;
  level: string;
  document: string;
  units: number[];
}

/** What the rules found about a car in the days that are checked. */
export interface Found {
  id: string;
  vehicle: number;
  rule: string;
  aspect: string;
  day: string;
  isDecidable: boolean;
}

/** Where a car was heard of last. */
export interface Seen {
  fixTime: number;
  speedKmh: number;
  lon: number;
  lat: number;
}

/** `moved`: the rules ask about it. `driving`: it moves now. `opened`: the seal is open, with an approval. */
export type Verdict = "moved" | "driving" | "unverifiable" | "opened" | "seen";

export interface SealedCar {
  vehicle: number;
  seal: RegisterRow<Seal>;
  opening: RegisterRow<Seal> | null;
  onDuty: RegisterRow<Duty>[];
  found: Found[];
  seen: Seen | null;
  verdict: Verdict;
}

/** A place older than this says nothing about where the car stands; the rule of the night takes the same. */
export const STALE_MS = 12 * 3_600_000;
const DRIVING_KMH = 5;

export interface Range {
  from: number;
  to: number;
}

export function overlaps(row: { valid_from?: string | null; valid_to?: string | null }, range: Range): boolean {
  const from = row.valid_from ? Date.parse(row.valid_from) : -Infinity;
  const to = row.valid_to ? Date.parse(row.valid_to) : Infinity;
  return from < range.to && to > range.from;
}

interface Facts {
  seals: readonly RegisterRow<Seal>[];
  duties: readonly RegisterRow<Duty>[];
  found: readonly Found[];
  seen: ReadonlyMap<number, Seen>;
  unitsAbove(vehicle: number): ReadonlySet<number>;
}

const ruledMoved = (one: Found): boolean => one.isDecidable && (one.rule === "R06" || one.rule === "R07");

function verdictOf(car: Omit<SealedCar, "verdict">, range: Range, now: number): Verdict {
  if (car.found.some(ruledMoved)) return "moved";
  if (car.opening) return "opened";
  // Of days that are over the last position says nothing: there the rules have the word, and no question is an answer.
  const isNow = range.from <= now && now < range.to;
  if (car.found.length || !car.seen) return "unverifiable";
  if (isNow ? now - car.seen.fixTime > STALE_MS : car.seen.fixTime < range.from) return "unverifiable";
  return isNow && car.seen.speedKmh > DRIVING_KMH ? "driving" : "seen";
}

const ORDER: readonly Verdict[] = ["moved", "driving", "unverifiable", "opened", "seen"];

/** Every car that is sealed in the range against what is known of it, the ones to be asked about first. */
export function checkSeals(facts: Facts, range: Range, now: number): SealedCar[] {
  const current = facts.seals.filter((seal) => overlaps(seal, range));
  const cars = new Map<number, RegisterRow<Seal>>();
  for (const seal of current) if (seal.row.kind === "sealed") cars.set(seal.row.vehicle, seal);
  const checked = [...cars].map(([vehicle, seal]) => {
    const above = facts.unitsAbove(vehicle);
    const car = {
      vehicle,
      seal,
      opening: current.find(({ row }) => row.kind === "opened" && row.vehicle === vehicle) ?? null,
      onDuty: facts.duties.filter((duty) => overlaps(duty, range) && (duty.row.vehicle === vehicle || (duty.row.vehicle === null && above.has(duty.row.unit)))),
      found: facts.found.filter((one) => one.vehicle === vehicle),
      seen: facts.seen.get(vehicle) ?? null,
    };
    return { ...car, verdict: verdictOf(car, range, now) };
  });
  return checked.sort((a, b) => ORDER.indexOf(a.verdict) - ORDER.indexOf(b.verdict) || a.vehicle - b.vehicle);
}

/** How many cars there are of each verdict. */
export function countVerdicts(cars: readonly SealedCar[]): Record<Verdict, number> {
  const counts: Record<Verdict, number> = { moved: 0, driving: 0, unverifiable: 0, opened: 0, seen: 0 };
  for (const { verdict } of cars) counts[verdict] += 1;
  return counts;
}

/** On duty and sealed at once: one of the two registers is wrong. */
export const contradicts = (car: SealedCar): boolean => car.onDuty.some(({ row }) => row.vehicle === car.vehicle) && !car.opening;

/** The questions about a car, those of one rule and day as one: each trip of a day has a flag of its own. */
export function questions(found: readonly Found[]): { one: Found; count: number }[] {
  const groups = new Map<string, { one: Found; count: number }>();
  for (const one of found) {
    const key = `${one.rule} ${one.day} ${one.isDecidable}`;
    const group = groups.get(key);
    if (group) group.count += 1;
    else groups.set(key, { one, count: 1 });
  }
  return [...groups.values()];
}
