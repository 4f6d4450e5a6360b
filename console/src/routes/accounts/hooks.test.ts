import { describe, expect, it } from "vitest";
import { isHookAddress } from "./hooks";

describe("the address of a webhook", () => {
  it("is encrypted and holds no password", () => {
    expect(isHookAddress(" https://oa.example.gov/hook?x=1 ")).toBe(true);
    for (const bad of ["", "oa.example", "http://oa.example/hook", "https://a:b@oa.example/", "javascript:alert(1)"]) expect(isHookAddress(bad), bad).toBe(false);
  });
});
