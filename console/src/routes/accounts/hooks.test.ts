import { describe, expect, it } from "vitest";
import { isHookAddress, seesEveryCase } from "./hooks";

describe("the address of a webhook", () => {
  it("is encrypted and holds no password", () => {
    expect(isHookAddress(" https://oa.example.gov/hook?x=1 ")).toBe(true);
    for (const bad of ["", "oa.example", "http://oa.example/hook", "https://a:b@oa.example/", "javascript:alert(1)"]) expect(isHookAddress(bad), bad).toBe(false);
  });
});

describe("who lets a webhook tell of cases", () => {
  it("sees every case", () => {
    expect(seesEveryCase([{ role: "inspector" }])).toBe(true);
    expect(seesEveryCase([{ role: "office-supervisor", unit: 1 }, { role: "viewer" }])).toBe(false);
    expect(seesEveryCase([{ role: "driver", unit: null }])).toBe(false);
    expect(seesEveryCase([{ role: "system-admin" }])).toBe(false);
  });
});
