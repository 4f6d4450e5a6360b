/** Who the cars are: `/fleet` with its unit tree, counted, searched and filtered. */

export interface FleetUnit {
  id: number;
  name: string;
  parent: number | null;
}

export interface FleetCar {
  /** Our number for the vehicle; null for a device that is on none. */
  id: number | null;
  /** The number in binary records. */
  n: number;
  device: string;
  plate: string;
  unit: number | null;
  driver: string | null;
  class: string | null;
}

export interface UnitNode {
  unit: FleetUnit;
  depth: number;
  children: UnitNode[];
}

/** What a search found: cars, best first. */
export interface Found {
  car: FleetCar;
  /** Which of its fields matched. */
  by: "plate" | "driver" | "unit" | "device";
}

/** Guards against a unit that is its own ancestor. */
const DEPTH_MAX = 32;

export class Directory {
  readonly units: ReadonlyMap<number, FleetUnit>;
  readonly cars: readonly FleetCar[];
  readonly roots: readonly UnitNode[];
  readonly #byNumber = new Map<number, FleetCar>();
  readonly #ancestors = new Map<number, number[]>();

  constructor(units: readonly FleetUnit[], cars: readonly FleetCar[]) {
    this.units = new Map(units.map((unit) => [unit.id, unit]));
    this.cars = cars;
    for (const car of cars) this.#byNumber.set(car.n, car);
    for (const unit of units) this.#ancestors.set(unit.id, this.#lineOf(unit));
    this.roots = this.#tree(units);
  }

  car(n: number): FleetCar | undefined {
    return this.#byNumber.get(n);
  }

  unitName(id: number | null): string {
    return id === null ? "" : (this.units.get(id)?.name ?? "");
  }

  /** Whether a unit is `above` or below it. */
  isWithin(unit: number | null, above: number): boolean {
    return unit !== null && (this.#ancestors.get(unit)?.includes(above) ?? false);
  }

  /** A unit and all above it, the nearest first. */
  lineOf(unit: number): readonly number[] {
    return this.#ancestors.get(unit) ?? [];
  }

  /** Cars whose plate, driver, unit or device matches every word of the text. */
  search(text: string, limit: number): Found[] {
    const words = text
      .split(/\s+/)
      .map(folded)
      .filter((word) => word !== "");
    if (words.length === 0) return [];
    const found: { car: FleetCar; by: Found["by"]; rank: number }[] = [];
    for (const car of this.cars) {
      const hit = this.#match(car, words);
      if (hit) found.push({ car, ...hit });
    }
    found.sort((a, b) => a.rank - b.rank || a.car.plate.localeCompare(b.car.plate, "zh-CN"));
    return found.slice(0, limit).map(({ car, by }) => ({ car, by }));
  }

  #match(car: FleetCar, words: readonly string[]): { by: Found["by"]; rank: number } | null {
    const fields: [Found["by"], string][] = [
      ["plate", folded(car.plate)],
      ["driver", folded(car.driver ?? "")],
      ["unit", folded(this.unitName(car.unit))],
      ["device", folded(car.device)],
    ];
    let best: { by: Found["by"]; rank: number } | null = null;
    for (const word of words) {
      const index = fields.findIndex(([, value]) => value.includes(word));
      const field = fields[index];
      if (!field) return null;
      const rank = index * 2 + (field[1].startsWith(word) ? 0 : 1);
      if (!best || rank < best.rank) best = { by: field[0], rank };
    }
    return best;
  }

  #lineOf(unit: FleetUnit): number[] {
    const line: number[] = [];
    let at: FleetUnit | undefined = unit;
    while (at && line.length < DEPTH_MAX && !line.includes(at.id)) {
      line.push(at.id);
      at = at.parent === null ? undefined : this.units.get(at.parent);
    }
    return line;
  }

  #tree(units: readonly FleetUnit[]): UnitNode[] {
    const nodes = new Map<number, UnitNode>(units.map((unit) => [unit.id, { unit, depth: 0, children: [] }]));
    const roots: UnitNode[] = [];
    for (const node of nodes.values()) {
      // Whose parent may not be seen is a root for this reader; so is whoever would be in a circle.
      const { id, parent } = node.unit;
      const above = parent === null ? undefined : nodes.get(parent);
      const isCircle = parent !== null && (this.#ancestors.get(parent)?.includes(id) ?? false);
      (above && !isCircle ? above.children : roots).push(node);
    }
    const settle = (list: UnitNode[], depth: number): void => {
      list.sort((a, b) => a.unit.name.localeCompare(b.unit.name, "zh-CN"));
      for (const node of list) {
        node.depth = depth;
        settle(node.children, depth + 1);
      }
    };
    settle(roots, 0);
    return roots;
  }
}

/** Text as it is compared: full-width and half-width alike, no spaces, dots or hyphens, upper case. */
export function folded(text: string): string {
  return text
    .normalize("NFKC")
    .replace(/[\s·・.\-]/g, "")
    .toUpperCase();
}
