/** Tracks as a file: asked for with a purpose, written in the background, fetched, removed, and told in the audit log. */

import { readFile } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openBrowser, Visitor } from "./browser";

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

describe("an export", () => {
  it("is asked for, fetched and removed, and leaves its lines in the audit log", async () => {
    const manager = await Visitor.logIn(browser, "manager");
    const { page } = manager;
    const { cars } = await manager.ask<{ cars: { plate: string }[] }>("fleet");
    const plate = cars[0]?.plate ?? "";
    await manager.go("exports");
    await page.getByText("还没有导出").waitFor();
    const start = page.getByRole("button", { name: "开始导出" });
    await page.getByLabel("指定车辆").check();
    await page.getByLabel(/^车牌/).fill(`${plate} 没有这辆车`);
    await page.getByText("没有找到：没有这辆车").waitFor();
    await page.getByLabel(/^车牌/).fill(plate);
    expect(await start.isDisabled(), "nobody said what for").toBe(true);
    await page.getByLabel("目的").fill("核对里程");
    await page.getByLabel("格式").selectOption("csv");
    await start.click();

    const row = page.locator("main tbody tr", { hasText: plate });
    const link = row.getByRole("link", { name: "下载" });
    await link.waitFor();
    const [file] = await Promise.all([page.waitForEvent("download"), link.click()]);
    expect(file.suggestedFilename()).toMatch(/^motorpool-export-\d+\.csv$/);
    const [header, ...lines] = (await readFile(await file.path(), "utf8")).trim().split("\r\n");
    expect(header).toMatch(/^device,terminal,time_utc,lat,lon,.*,plate$/);
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.every((line) => line.endsWith(`,${plate}`))).toBe(true);

    await row.getByRole("button", { name: "删除" }).click();
    await page.locator("dialog[open]").getByRole("button", { name: "删除" }).click();
    await page.getByText("还没有导出").waitFor();
    await manager.close();

    const auditor = await Visitor.logIn(browser, "audit");
    const { items } = await auditor.ask<{ items: { action: string }[] }>("audit?limit=50");
    const told = items.map(({ action }) => action).filter((action) => action.includes("export"));
    expect(told).toEqual(["export.remove", "export.download", "track.export"]);
    await auditor.close();
    expect([...manager.faults, ...auditor.faults]).toEqual([]);
  });
});
