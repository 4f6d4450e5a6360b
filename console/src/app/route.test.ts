import { describe, expect, it } from "vitest";
import { formatQuery, parseRoute, routeTo } from "./route";

describe("routes", () => {
  it("lead there and back", () => {
    const address = routeTo("case", "v12-2026-03-04", { flag: "a b", empty: "", none: null, zero: 0 });
    expect(address).toBe("#/case/v12-2026-03-04?flag=a+b&zero=0");
    expect(parseRoute(address)).toEqual({ page: "case", id: "v12-2026-03-04", query: { flag: "a b", zero: "0" } });
  });

  it("begin at the queue", () => {
    for (const hash of ["", "#", "#/"]) expect(parseRoute(hash).page).toBe("queue");
  });

  it("take whatever is typed without falling over", () => {
    expect(parseRoute("#/case/%E0%A4%A")).toEqual({ page: "case", id: "", query: {} });
    expect(parseRoute("#/%/x?=&&a").page).toBe("queue");
    expect(parseRoute("#/setup/a/b").id).toBe("a/b");
  });

  it("keep Chinese", () => {
    expect(parseRoute(routeTo("queue", "", { plate: "演A·1" })).query.plate).toBe("演A·1");
    expect(formatQuery({})).toBe("");
  });
});
