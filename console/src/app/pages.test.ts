import { describe, expect, it } from "vitest";
import { hasPage, homeOf, menuFor } from "./pages";

describe("pages", () => {
  it("are found by their folders", () => {
    for (const page of ["queue", "case", "explain"]) expect(hasPage(page), page).toBe(true);
    expect(hasPage("nowhere")).toBe(false);
  });

  it("are in the menu for those who may", () => {
    expect(menuFor(() => false).map(({ page }) => page)).not.toContain("queue");
    expect(menuFor(() => false).map(({ page }) => page)).toEqual(["accounts"]);
    expect(menuFor((permission) => permission === "trips:report").map(({ page }) => page)).toEqual(["explain", "accounts"]);
    expect(menuFor(() => true)[0]?.page).toBe("queue");
    expect(menuFor((permission) => permission === "tracks:read").map(({ page }) => page)).toEqual(["search", "exports", "accounts"]);
    const driver = ["positions:read", "trips:read", "trips:report", "cases:read", "cases:act", "orders:read"];
    expect(menuFor((permission) => driver.includes(permission)).map(({ page }) => page)).toEqual(["explain", "map", "orders", "accounts"]);
  });

  it("begin where one's work is", () => {
    const all = (): boolean => true;
    expect(homeOf(["driver"], all)).toBe("explain");
    expect(homeOf(["driver", "inspector"], all)).toBe("queue");
    expect(homeOf(["finance"], all)).toBe("month");
    expect(homeOf(["finance"], (page) => page === "queue")).toBe("queue");
    expect(homeOf([], all)).toBe("queue");
  });
});
