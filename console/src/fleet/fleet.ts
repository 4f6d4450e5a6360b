import { read, readAll } from "../api/client";
import { Refused } from "../api/problem";
import { session } from "../app/session.svelte";
import type { Schema } from "../api/types";

const ROWS_MAX = 50_000;
const PAGE_ROWS = 1_000;

export interface Unit {
  id: number;
  name: string;
  parent: number | null;
}

export interface Car {
  id: number;
  plate: string;
  unit: number | null;
  driver: string;
  class: string;
}

/** The units and cars that the caller may see, by number and by plate. */
export class Fleet {
  readonly #units: ReadonlyMap<number, Unit>;
  readonly #cars: ReadonlyMap<number, Car>;
  readonly #plates: ReadonlyMap<string, Car>;

  constructor(
    readonly units: readonly Unit[],
    readonly cars: readonly Car[],
  ) {
    this.#units = new Map(units.map((unit) => [unit.id, unit]));
    this.#cars = new Map(cars.map((car) => [car.id, car]));
    this.#plates = new Map(cars.map((car) => [plateKey(car.plate), car]));
  }

  unitName(id: number | null | undefined): string {
    return id ? (this.#units.get(id)?.name ?? `#${id}`) : "";
  }

  plate(id: number | null | undefined): string {
    return id ? (this.#cars.get(id)?.plate ?? `#${id}`) : "";
  }

  car(id: number): Car | undefined {
    return this.#cars.get(id);
  }

  withPlate(plate: string): Car | undefined {
    return this.#plates.get(plateKey(plate));
  }

  /** A unit and all below it. */
  within(root: number): ReadonlySet<number> {
    const found = new Set([root]);
    // A parent may stand behind its children in the list: look until nothing more is found.
    for (let before = 0; before < found.size; ) {
      before = found.size;
      for (const { id, parent } of this.units) if (parent !== null && found.has(parent)) found.add(id);
    }
    return found;
  }
}

export const NO_FLEET = new Fleet([], []);

/** A plate as it is compared: no spaces, no dots, upper case. */
export const plateKey = (plate: string): string => plate.replace(/[\s.·・•]/g, "").toUpperCase();

interface Row<T> {
  id: number;
  row: T;
}

const rowsOf = async <T>(kind: string): Promise<Row<T>[]> =>
  (await readAll<Row<T>>(`registers/${kind}`, ROWS_MAX, { query: { limit: PAGE_ROWS } })).items;

async function fromRegisters(): Promise<Fleet> {
  const [units, cars] = await Promise.all([
    rowsOf<{ name: string; parent: number | null }>("unit"),
    rowsOf<{ plate: string; unit: number; class: string }>("vehicle"),
  ]);
  return new Fleet(
    units.map(({ id, row }) => ({ id, name: row.name, parent: row.parent })),
    cars.map(({ id, row }) => ({ id, plate: row.plate, unit: row.unit, driver: "", class: row.class })),
  );
}

function fromView({ units, cars }: Schema<"FleetView">): Fleet {
  return new Fleet(
    units.map((unit) => ({ ...unit, parent: unit.parent ?? null })),
    cars.flatMap(({ id, plate, unit, driver, class: kind }) => (id == null ? [] : [{ id, plate, unit: unit ?? null, driver, class: kind ?? "" }])),
  );
}

/** Whoever may read registers and no positions still gets names. */
const isElsewhere = (error: unknown): boolean => error instanceof Refused && (error.status === 404 || error.status === 403);

/** Reads the units and cars, by the way that the person may; administrators see none. */
export async function loadFleet(): Promise<Fleet> {
  if (!session.may("positions:read")) return session.may("registers:read") ? fromRegisters() : NO_FLEET;
  try {
    return fromView(await read<Schema<"FleetView">>("fleet"));
  } catch (error) {
    if (!isElsewhere(error)) throw error;
    return fromRegisters();
  }
}

/** The units that the person may name, without their cars: all that who gives grants need see of a fleet. */
export async function loadUnits(): Promise<Fleet> {
  if (!session.may("accounts:write")) return loadFleet();
  const { items } = await read<Schema<"GrantUnits">>("units");
  return new Fleet(items.map((unit) => ({ ...unit, parent: unit.parent ?? null })), []);
}

/** A row of a register as the API tells it. */
export type RegisterRow<T> = Omit<Schema<"RowView">, "row"> & { row: T };
