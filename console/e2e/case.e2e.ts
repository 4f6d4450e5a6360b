/** A question from the first look at it to its end: taken up, decided by two people, and provable afterwards. */

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { openBrowser, Visitor } from "./browser";

let browser: Browser;
let visitors: Visitor[] = [];

beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());
afterEach(async () => {
  const faults = visitors.flatMap((visitor) => visitor.faults);
  await Promise.all(visitors.map((visitor) => visitor.close()));
  visitors = [];
  expect(faults).toEqual([]);
});

async function enter(...[name, options, password]: [name: string, options?: BrowserContextOptions, password?: string]): Promise<Visitor> {
  const visitor = await Visitor.logIn(browser, name, options, password);
  visitors.push(visitor);
  return visitor;
}

const rows = (page: Page) => page.locator('table[role="grid"] tbody tr[aria-rowindex]');
const playButton = (page: Page) => page.locator('button[aria-keyshortcuts="Space"]');
const replayedAt = async (page: Page): Promise<string> => (await page.locator("output.now strong").innerText()).trim();
const stage = (page: Page) => page.locator('ol.stages li[aria-current="step"]');

/** Opens the case that the queue's first row is about, with the keys alone, and tells which it is. */
async function openFirstByKeyboard(visitor: Visitor): Promise<string> {
  const { page } = visitor;
  await visitor.go("queue?state=new");
  await page.waitForURL(/state=new/);
  await rows(page).first().waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await page.locator('tr[aria-rowindex="2"]:focus').waitFor();
  await page.keyboard.press("Enter");
  await page.waitForURL(/#\/case\//);
  await visitor.statePurpose("核查预警线索", playButton(page));
  await playButton(page).waitFor();
  return decodeURIComponent(new URL(page.url()).hash.replace("#/case/", ""));
}

async function sendNow(page: Page): Promise<void> {
  await page.getByRole("button", { name: "立即提交" }).click();
}

/** Plays the replay until its clock has moved on. */
async function watchReplay(page: Page): Promise<void> {
  await page.locator("output.now strong").waitFor();
  const before = await replayedAt(page);
  await page.keyboard.press("Space");
  await expect.poll(() => replayedAt(page), { timeout: 10_000 }).not.toBe(before);
  await page.keyboard.press("Space");
  await playButton(page).and(page.getByLabel("播放")).waitFor();
}

describe("a case", () => {
  it("is opened by keyboard, replayed, taken up by an inspector, and closed by two", async () => {
    const first = await enter("inspector");
    const { page } = first;
    const id = await openFirstByKeyboard(first);
    await watchReplay(page);
    await page.getByRole("button", { name: "接手办理" }).click();
    await page.locator("dialog[open] textarea").fill("说明与轨迹不符，由纪检监察直接核查。");
    await page.locator('dialog[open] button[type="submit"]').click();
    await page.getByRole("button", { name: "开始核查" }).click();
    await sendNow(page);
    await stage(page).filter({ hasText: "核查" }).waitFor();
    await page.getByRole("button", { name: "作出处理" }).click();
    await page.getByLabel("认定违规").check();
    await page.locator("form#close textarea").fill("无派车单，停留地点与所述公务不符。");
    await page.getByRole("button", { name: "提请复核" }).click();
    await sendNow(page);
    await stage(page).filter({ hasText: "待复核" }).waitFor();
    expect(await page.getByRole("button", { name: "同意，结案" }).count(), "nobody confirms what he proposed").toBe(0);

    const second = await enter("inspector2");
    await second.go(`case/${id}`);
    await second.statePurpose("复核", second.page.locator("article.case"));
    await second.page.getByRole("button", { name: "同意，结案" }).click();
    await sendNow(second.page);
    await stage(second.page).filter({ hasText: "结案" }).waitFor();
    await stage(page).filter({ hasText: "结案" }).waitFor();
    await page.getByText("复核人 赵纪检").waitFor();
  }, 90_000);

  it("is taken through triage by the keyboard alone", async () => {
    const visitor = await enter("office");
    const { page } = visitor;
    await openFirstByKeyboard(visitor);
    await watchReplay(page);
    await page.keyboard.press(".");
    await page.keyboard.press("]");

    await page.keyboard.press("v");
    await page.getByText("已排入提交").waitFor();
    await stage(page).filter({ hasText: "核查" }).waitFor({ timeout: 15_000 });
    await page.keyboard.press("e");
    await page.locator("dialog[open]").waitFor();
    const reason = page.locator('input[name="reason"]').first();
    for (let presses = 0; presses < 4 && !(await reason.evaluate((one) => one === document.activeElement)); presses += 1) await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    expect(await reason.isChecked(), "the reason was reached with Tab").toBe(true);
    await page.keyboard.press("Tab");
    await page.keyboard.type("已核对派车单，公务属实。");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.locator("dialog[open]").waitFor({ state: "detached" });
    // What was decided can be taken back for a while.
    await page.getByText("已排入提交").waitFor();
    await page.keyboard.press("u");
    await page.getByText("已排入提交").waitFor({ state: "detached" });
    expect(await stage(page).innerText()).toBe("核查");
  });
});

describe("the evidence of a case", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "motorpool-pack-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const verify = (pack: string): Promise<{ stdout: string }> => promisify(execFile)(inject("program"), ["evidence", "verify", pack]);

  it("verifies as it was downloaded, and no longer with one byte changed", async () => {
    const visitor = await enter("office");
    const { page } = visitor;
    await openFirstByKeyboard(visitor);
    const download = page.waitForEvent("download");
    await page.locator("details.menu summary").click();
    await page.getByRole("button", { name: "完整版" }).click();
    const pack = join(folder, "pack.zip");
    await (await download).saveAs(pack);
    await expect(verify(pack)).resolves.toBeDefined();

    const bytes = await readFile(pack);
    const middle = Math.floor(bytes.length / 2);
    bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
    await writeFile(pack, bytes);
    await expect(verify(pack)).rejects.toMatchObject({ code: 1 });
  });
});
