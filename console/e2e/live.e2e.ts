/** Where the cars are now: by the map's own feed, and in its table twin. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FrameKind, FrameReader } from "../src/map/wire";
import { openBrowser, Visitor } from "./browser";
import { driveCar, PLATE } from "./car";

/** The map's feed goes out each second. */
const NEWS_MOST_MS = 60_000;

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

/** Keeps what the page's own feed says. */
function listen(visitor: Visitor): FrameReader[] {
  const frames: FrameReader[] = [];
  visitor.page.on("websocket", (socket) =>
    socket.on("framereceived", ({ payload }) => frames.push(new FrameReader(new Uint8Array(Buffer.from(payload)).buffer))),
  );
  return frames;
}

/** The longitudes that a car was at, in order, without those that repeat. */
function passed(frames: readonly FrameReader[], car: number): number[] {
  const places = frames.flatMap((frame) => {
    const records = Array.from({ length: frame.count }, (_, record) => record);
    return records.filter((record) => frame.car(record) === car).map((record) => frame.lonDeg(record));
  });
  return places.filter((lon, index) => lon !== places[index - 1]);
}

describe("the live map", () => {
  it("shows a manager the unit's cars, and how one moves", async () => {
    const visitor = await Visitor.logIn(browser, "manager", { viewport: { width: 1000, height: 700 } });
    const { page } = visitor;
    const { unit } = await visitor.ask<{ unit: number }>("me");
    const car = await driveCar(unit);
    try {
      const frames = listen(visitor);
      await visitor.go("map");
      await page.locator("canvas.maplibregl-canvas").waitFor();
      await expect.poll(() => frames[0]?.kind, { timeout: NEWS_MOST_MS }).toBe(FrameKind.snapshot);
      const { cars } = await visitor.ask<{ cars: unknown[] }>("fleet");
      expect(frames[0]?.count, "no car of another unit").toBe(cars.length);
      await expect.poll(() => passed(frames, car.device).length, { timeout: NEWS_MOST_MS }).toBeGreaterThan(3);
      const lons = passed(frames, car.device);
      expect(lons, "it drives eastwards").toEqual(lons.toSorted((a, b) => a - b));

      await page.getByRole("combobox").fill(PLATE);
      await page.keyboard.press("Enter");
      const card = page.locator(".card", { hasText: PLATE });
      await card.getByText("行驶").first().waitFor();
      await card.getByText(/^36 /).waitFor();
      await visitor.go("map?view=list");
      const row = page.locator('table[role="grid"] tr[aria-rowindex]', { hasText: PLATE });
      const text = await row.innerText();
      expect(text).toContain("36");
      await expect.poll(() => row.innerText(), { timeout: NEWS_MOST_MS }).not.toBe(text);
    } finally {
      await car.stop();
      await visitor.close();
    }
    expect(visitor.faults).toEqual([]);
  });

  it("has a table twin of the whole county, worked by keys", async () => {
    const visitor = await Visitor.logIn(browser, "inspector");
    const { page } = visitor;
    const { cars } = await visitor.ask<{ cars: unknown[] }>("fleet");
    await visitor.go("map?view=list");
    const table = page.locator('table[role="grid"]');
    await expect.poll(() => table.getAttribute("aria-rowcount"), { timeout: NEWS_MOST_MS }).toBe(String(cars.length + 1));
    await table.locator('tr[aria-rowindex="2"]').focus();
    await page.keyboard.press("ArrowDown");
    await page.locator('tr[aria-rowindex="3"]:focus').waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".card").waitFor();
    await visitor.close();
    expect(visitor.faults).toEqual([]);
  });
});
