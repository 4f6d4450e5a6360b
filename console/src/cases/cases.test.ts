import { describe, expect, it } from "vitest";
import { templatesFor } from "./templates";
import { canDo, isTakingUp, laterOf, type Stage } from "./types";

describe("what is asked for", () => {
  it("fits the rule that asks", () => {
    expect(templatesFor(["R10", "R11"])).toEqual(["signal"]);
    expect(templatesFor(["R14"])).toEqual(["fuel"]);
    expect(templatesFor(["R08", "R01"])).toEqual(["stop", "trip", "paper"]);
    expect(templatesFor([]), "of a blind sample nothing is told").toEqual(["trip", "stop", "paper"]);
  });
});

describe("what can be done in a case", () => {
  const able = (action: string, stage: Stage): boolean => canDo({ allowed: [action], case: { stage } }, action);

  it("ends with the case: nothing is checked in a closed one", () => {
    expect(able("item_checked", "explained")).toBe(true);
    expect(able("item_checked", "closed")).toBe(false);
    expect(able("reopened", "closed")).toBe(true);
  });

  it("is taken up by inspectors and handed over by the office", () => {
    expect(isTakingUp({ roles: ["resident-inspector"] })).toBe(true);
    expect(isTakingUp({ roles: ["office-supervisor"] })).toBe(false);
  });
});

describe("a case that is read again", () => {
  const read = (seq: number, id = "v1-2026-11-05") => ({ id, seq });

  it("never goes back to what it was, whichever answer comes last", () => {
    expect(laterOf(read(3), read(2))).toEqual(read(3));
    expect(laterOf(read(2), read(3))).toEqual(read(3));
    expect(laterOf(null, read(2))).toEqual(read(2));
  });

  it("is another case when another is opened", () => {
    expect(laterOf(read(3), read(1, "v2-2026-11-05"))).toEqual(read(1, "v2-2026-11-05"));
  });

  it("counts when the same event was read with other flags or rights", () => {
    const [before, after] = [{ ...read(2), allowed: [] }, { ...read(2), allowed: ["closed"] }];
    expect(laterOf(before, after)).toBe(after);
  });
});
