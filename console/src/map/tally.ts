/** How many cars do what, by unit: one pass over the slots, then up the tree. */

import type { Directory } from "./directory";
import type { Fleet } from "./fleet";
import { CAR_STATES } from "./wire";

export class Tally {
  readonly #fleet: Fleet;
  readonly #directory: Directory;
  readonly #unitIds: number[];
  readonly #indexOf: Map<number, number>;
  /** Unit of every slot as an index; -1 for none. */
  #unitOfSlot = new Int32Array(0);
  #slotsVersion = -1;

  constructor(fleet: Fleet, directory: Directory) {
    this.#fleet = fleet;
    this.#directory = directory;
    this.#unitIds = [...directory.units.keys()];
    this.#indexOf = new Map(this.#unitIds.map((id, index) => [id, index]));
  }

  /** All cars, and those of every unit with the units below it. */
  count(): { all: number[]; byUnit: Map<number, number[]> } {
    this.#refresh();
    const fleet = this.#fleet;
    const own = new Uint32Array(this.#unitIds.length * CAR_STATES);
    const all = new Array<number>(CAR_STATES).fill(0);
    for (let slot = 0; slot < fleet.size; slot += 1) {
      const state = fleet.state(slot);
      all[state] = (all[state] ?? 0) + 1;
      const unit = this.#unitOfSlot[slot] ?? -1;
      if (unit >= 0) own[unit * CAR_STATES + state] = (own[unit * CAR_STATES + state] ?? 0) + 1;
    }
    return { all, byUnit: this.#rolledUp(own) };
  }

  #rolledUp(own: Uint32Array): Map<number, number[]> {
    const byUnit = new Map(this.#unitIds.map((id) => [id, new Array<number>(CAR_STATES).fill(0)]));
    this.#unitIds.forEach((id, index) => {
      const counts = own.subarray(index * CAR_STATES, (index + 1) * CAR_STATES);
      if (counts.every((count) => count === 0)) return;
      for (const above of this.#directory.lineOf(id)) {
        const row = byUnit.get(above);
        counts.forEach((count, state) => {
          if (row) row[state] = (row[state] ?? 0) + count;
        });
      }
    });
    return byUnit;
  }

  #refresh(): void {
    const fleet = this.#fleet;
    if (fleet.slotsVersion === this.#slotsVersion) return;
    this.#slotsVersion = fleet.slotsVersion;
    this.#unitOfSlot = new Int32Array(fleet.size);
    for (let slot = 0; slot < fleet.size; slot += 1) {
      const unit = this.#directory.car(fleet.carIn(slot))?.unit ?? null;
      this.#unitOfSlot[slot] = unit === null ? -1 : (this.#indexOf.get(unit) ?? -1);
    }
  }
}
