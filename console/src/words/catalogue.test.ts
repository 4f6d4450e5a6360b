import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Language } from "./language.svelte";

/** Every text of a catalogue with its path; functions are called with a number. */
function texts(value: unknown, path: string): [string, string][] {
  if (typeof value === "string") return [[path, value]];
  if (typeof value === "function") return [[path, String(value(3, "3", "3"))]];
  return Object.entries(value as object).flatMap(([name, inner]) => texts(inner, `${path}.${name}`));
}

type Module = Record<string, unknown>;
const modules = import.meta.glob<Module>(["./index.ts", "../**/words.ts", "../**/*-words.ts"]);

const found: Record<Language, [string, string][]> = { zh: [], en: [] };

beforeAll(async () => {
  vi.stubGlobal("navigator", { language: "zh-CN" });
  vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => undefined });
  const { language } = await import("./language.svelte");
  for (const [path, load] of Object.entries(modules)) {
    const { catalogue: _, ...others } = await load();
    const catalogues = Object.entries(others).filter((entry): entry is [string, () => object] => typeof entry[1] === "function");
    for (const [name, words] of catalogues) {
      for (const one of ["zh", "en"] as const) {
        language.set(one);
        found[one].push(...texts(words(), `${path} ${name}`));
      }
    }
  }
});

/** Texts that are the same kind of sign in every language. */
const SIGNS = /^[\p{Number}\p{Punctuation}\p{Symbol}\s]*$|^(km\/h|KTV|English|中文)$/u;
/** 违规 is said of decisions, and of what is no ground for one. */
const OF_DECISIONS = /\.(dispositions|violations)(\.|$)|\.(silence|ladder)$/;

describe("the words", () => {
  it("are there in both languages, and never empty", () => {
    expect(found.zh.length).toBeGreaterThan(300);
    expect(found.en.map(([path]) => path)).toEqual(found.zh.map(([path]) => path));
    for (const [path, text] of [...found.zh, ...found.en]) expect(text.trim(), path).not.toBe("");
  });

  it("are Chinese in Chinese, and English in English", () => {
    const han = /\p{Script=Han}/u;
    for (const [path, text] of found.en) if (!SIGNS.test(text)) expect(han.test(text), `${path}: ${text}`).toBe(false);
    for (const [path, text] of found.zh) if (!SIGNS.test(text)) expect(han.test(text), `${path}: ${text}`).toBe(true);
  });

  it("call nobody a wrongdoer before a decision", () => {
    for (const [path, text] of found.zh) expect(text.includes("违规") && !OF_DECISIONS.test(path), `${path}: ${text}`).toBe(false);
  });
});
