/** Who was where: a box drawn round a depot finds its cars, a place that is clicked the nearest ones, a car whom it met. */

import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { graveFaultsByDayAndNight } from "./axe";
import { openBrowser, Visitor } from "./browser";

const PURPOSE = "群众反映核实";
/** Long enough to hold a working day, whatever day it is, and short enough for a search of meetings. */
const DAYS = 5;

interface Place {
  lat: number;
  lon: number;
}

interface Depot extends Place {
  id: number;
  name: string;
}

let browser: Browser;
let visitor: Visitor;
let page: Page;
let depot: Depot;
beforeAll(async () => {
  browser = await openBrowser();
  visitor = await Visitor.logIn(browser, "inspector", { reducedMotion: "reduce" });
  page = visitor.page;
  depot = await someDepot();
});
afterAll(async () => {
  await visitor.close();
  await browser.close();
});

interface ZoneRow {
  id: number;
  row: { name: string; kind: { use: string }; shape: { shape: string; centre: { lat_e7: number; lon_e7: number } } };
}

async function someDepot(): Promise<Depot> {
  const { items } = await visitor.ask<{ items: ZoneRow[] }>("registers/zone?limit=1000");
  const found = items.find(({ row }) => row.kind.use === "depot" && row.shape.shape === "circle");
  if (!found) throw new Error("there is no depot");
  const { centre } = found.row.shape;
  return { id: found.id, name: found.row.name, lat: centre.lat_e7 / 1e7, lon: centre.lon_e7 / 1e7 };
}

const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);

/** The middle of the map on the screen. */
async function middle(map: Locator): Promise<{ x: number; y: number }> {
  const box = await map.boundingBox();
  if (!box) throw new Error("there is no map");
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

/** Waits until the map shows the depot and stands still. */
async function settled(map: Locator): Promise<void> {
  const picture = async (): Promise<string> => (await map.screenshot()).toString("base64");
  let before = await picture();
  await expect
    .poll(async () => {
      const now = await picture();
      const isStill = now === before;
      before = now;
      return isStill;
    }, { interval: 300 })
    .toBe(true);
}

/** Opens a page of the search at the depot, with the time to look at. */
async function open(tab: string, query: Record<string, string>): Promise<Locator> {
  await visitor.go(`search${tab}?${new URLSearchParams(query)}`);
  const map = page.locator("canvas.maplibregl-canvas");
  await map.waitFor();
  return map;
}

const rows = (): Locator => page.getByRole("table", { name: "查询结果" }).getByRole("rowheader");

/** The times of the first row, as the list has them. */
let firstStay = "";
let plate = "";

describe("the search", () => {
  it("finds who was in a box that is drawn round a depot", async () => {
    const map = await open("", { zone: String(depot.id), from: `${daysAgo(DAYS)}T00:00` });
    await page.getByText("尚未查询").waitFor();
    await page.locator("select", { hasText: depot.name }).waitFor();
    await expect.poll(() => page.getByRole("combobox", { name: "区域", exact: true }).inputValue()).toBe(String(depot.id));
    await settled(map);

    await page.getByRole("button", { name: "框选", exact: true }).click();
    await page.getByText("单击两角").waitFor();
    await settled(map);
    const { x, y } = await middle(map);
    await page.mouse.move(x - 220, y - 220);
    await page.mouse.down();
    await page.mouse.move(x, y, { steps: 5 });
    await page.mouse.move(x + 220, y + 220, { steps: 5 });
    await page.mouse.up();
    const bbox = page.getByLabel(/^框/);
    await expect.poll(() => bbox.inputValue()).not.toBe("");
    const [west = 0, south = 0, east = 0, north = 0] = (await bbox.inputValue()).split(",").map(Number);
    expect([west < depot.lon, depot.lon < east, south < depot.lat, depot.lat < north]).toEqual([true, true, true, true]);

    const search = page.getByRole("button", { name: "查询", exact: true });
    expect(await search.isDisabled(), "nobody said what for").toBe(true);
    await page.getByLabel("目的", { exact: true }).fill(PURPOSE);
    await search.click();
    await rows().first().waitFor();

    const query = new URLSearchParams({ bbox: await bbox.inputValue(), purpose: PURPOSE, limit: "500" });
    const at = async (label: string): Promise<string> => new Date(`${(await page.getByLabel(label, { exact: true }).inputValue()).replace(" ", "T")}+08:00`).toISOString();
    query.set("from", await at("从"));
    query.set("to", await at("至"));
    const { items } = await visitor.ask<{ items: { plate: string }[] }>(`search/area?${query}`);
    expect(await rows().getByRole("button").allInnerTexts()).toEqual(items.map((one) => one.plate));
    plate = items[0]?.plate ?? "";
    firstStay = (await page.getByRole("table", { name: "查询结果" }).locator("tbody tr").first().getByRole("cell").first().innerText()).slice(0, 16);
    expect(await graveFaultsByDayAndNight(page)).toEqual([]);
  });

  it("shows a found car's way on the map, and its car-day at that time", async () => {
    await page.getByRole("button", { name: plate }).click();
    await expect.poll(() => page.getByRole("button", { name: plate }).getAttribute("aria-pressed")).toBe("true");
    await settled(page.locator("canvas.maplibregl-canvas"));
    const link = page.getByRole("link", { name: new RegExp(`^轨迹：${plate} `) }).first();
    await link.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: /查车/ }).and(page.locator(".back")).waitFor();
    expect(page.url()).toContain(`-${firstStay.slice(0, 10)}?at=`);
    await page.locator(".back").click();
    await page.getByRole("button", { name: "查询", exact: true }).waitFor();
    expect(await page.getByLabel("目的", { exact: true }).inputValue(), "kept for this person").toBe(PURPOSE);
  });

  it("finds the cars nearest to a place that is clicked", async () => {
    const map = await open("/nearest", { at: firstStay.replace(" ", "T"), place: `${depot.lat},${depot.lon}` });
    await settled(map);
    await page.getByRole("button", { name: "在地图上点选" }).click();
    const { x, y } = await middle(map);
    await page.mouse.click(x, y);
    await expect.poll(() => page.getByLabel(/^地点/).inputValue()).not.toBe(`${depot.lat},${depot.lon}`);
    await page.getByLabel("前后（分钟）").fill("60");
    await page.getByRole("button", { name: "查询", exact: true }).click();
    await rows().first().waitFor();
    expect(await rows().getByRole("button").allInnerTexts()).toContain(plate);
    await settled(map);
    expect(await graveFaultsByDayAndNight(page)).toEqual([]);
  });

  it("finds whom a car met, and can be sent to somebody else", async () => {
    await open("/meetings", { car: plate, radiusM: "500", from: `${daysAgo(DAYS)}T00:00` });
    await page.getByRole("button", { name: "查询", exact: true }).click();
    await rows().first().waitFor();
    expect(await rows().getByRole("button").allInnerTexts()).not.toContain(plate);
    expect(await graveFaultsByDayAndNight(page)).toEqual([]);

    const other = await Visitor.logIn(browser, "inspector2");
    await other.go(new URL(page.url()).hash.slice(2));
    await other.page.getByText("尚未查询").waitFor();
    expect(await other.page.getByLabel("车牌", { exact: true }).inputValue()).toBe(plate);
    expect(await other.page.getByRole("button", { name: "查询", exact: true }).isDisabled(), "everybody says for themselves what for").toBe(true);
    await other.close();
    expect(other.faults).toEqual([]);
  });

  it("leaves its lines in the audit log, and throws nothing", async () => {
    const auditor = await Visitor.logIn(browser, "audit");
    const { items } = await auditor.ask<{ items: { action: string; reason?: string; detail?: unknown }[] }>("audit?limit=200");
    expect(items.filter((one) => JSON.stringify(one).includes(PURPOSE) && one.action.includes("search")).length).toBeGreaterThan(2);
    await auditor.close();
    expect([...visitor.faults, ...auditor.faults]).toEqual([]);
  });
});
