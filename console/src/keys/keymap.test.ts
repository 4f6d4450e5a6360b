import { describe, expect, it } from "vitest";
import { COMMANDS, commandOf, DEFAULTS, keymapOf, rebound } from "./keymap";

const press = (key: string, extra = {}) => ({ key, ctrlKey: false, metaKey: false, altKey: false, ...extra });

describe("keys", () => {
  it("have one command each", () => {
    expect(new Set(Object.values(DEFAULTS)).size).toBe(COMMANDS.length);
  });

  it("leave the browser's own alone", () => {
    expect(commandOf(DEFAULTS, press("e"), true)).toBe("exclude");
    expect(commandOf(DEFAULTS, press("e", { ctrlKey: true }), true)).toBeUndefined();
    expect(commandOf(DEFAULTS, press("q"), true)).toBeUndefined();
  });

  it("of one character can be switched off, longer ones stay", () => {
    expect(commandOf(DEFAULTS, press("e"), false)).toBeUndefined();
    expect(commandOf(DEFAULTS, press(" "), false)).toBeUndefined();
    expect(commandOf(DEFAULTS, press("Enter"), false)).toBe("open");
  });

  it("swap when one is taken", () => {
    const map = rebound(DEFAULTS, "exclude", "x");
    expect([map.exclude, map.ask]).toEqual(["x", "e"]);
    expect(new Set(Object.values(map)).size).toBe(COMMANDS.length);
  });

  it("are read from what was stored, whatever that is", () => {
    expect(keymapOf({ exclude: "y", nonsense: "z", up: 3, down: "" })).toEqual({ ...DEFAULTS, exclude: "y" });
    for (const stored of [null, 7, "x", []]) expect(keymapOf(stored)).toEqual(DEFAULTS);
  });
});
