import type { dialogWords } from "./dialog-words";

/** A sentence that asks for one kind of thing. */
export type Template = keyof ReturnType<typeof dialogWords>["templates"];

/** What each rule's question asks for, the most telling first. */
const OF_RULES: Readonly<Record<string, readonly Template[]>> = {
  R01: ["trip", "paper"],
  R02: ["trip", "paper"],
  R03: ["trip"],
  R04: ["trip", "stop"],
  R05: ["trip"],
  R06: ["trip"],
  R07: ["stop"],
  R08: ["stop"],
  R09: ["speed"],
  R10: ["signal"],
  R11: ["signal"],
  R12: ["mileage"],
  R13: ["fuel"],
  R14: ["fuel"],
  R15: ["toll"],
  R16: ["repair"],
  R17: ["driver"],
  R18: ["keeping"],
  R19: ["keeping"],
  R20: ["trip"],
  R21: ["trip"],
  R22: ["paper"],
  R23: ["plate"],
  R24: ["keeping"],
  R25: ["keeping"],
  R26: ["trip", "stop"],
  R27: ["stop"],
  R28: ["mileage"],
};
const OFFERED_MAX = 5;

/** The sentences that fit the questions of a case; where nothing is known of them, those about a trip. */
export function templatesFor(rules: readonly string[]): Template[] {
  const fitting = new Set(rules.flatMap((rule) => OF_RULES[rule] ?? []));
  return fitting.size ? [...fitting].slice(0, OFFERED_MAX) : ["trip", "stop", "paper"];
}
