/** A question from the first look at it to its end: taken up, decided by two people, and provable afterwards. */

import { execFile } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { APIResponse, Browser, BrowserContextOptions, Locator, Page, Route } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { graveFaultsByDayAndNight } from "./axe";
import { openBrowser, PHONE, Visitor } from "./browser";
import { employ, OWN_PASSWORD } from "./people";

const QUESTION = "请说明该次出车的公务事由和派车依据。";
const ANSWER = "当日为外勤核查，派车单随后补交。";
const PLACE = "演示县城关镇";
/** A deed can be taken back for ten seconds. */
const TAKE_BACK_MOST_MS = 60_000;
/** No control is further away than this. */
const TABS_MOST = 40;

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

/** Goes to a control with the Tab key. */
async function tabTo(page: Page, control: Locator): Promise<void> {
  for (let presses = 0; presses < TABS_MOST; presses += 1) {
    if (await control.evaluate((one) => one === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`${control} is not reached with Tab`);
}

async function sendNow(page: Page): Promise<void> {
  await page.getByRole("button", { name: "立即提交" }).click();
}

/** Plays the replay until its clock has moved on. */
async function watchReplay(page: Page): Promise<void> {
  await page.locator("output.now strong").waitFor();
  const before = await replayedAt(page);
  await page.keyboard.press("Space");
  await expect.poll(() => replayedAt(page)).not.toBe(before);
  await page.keyboard.press("Space");
  await playButton(page).and(page.getByLabel("播放")).waitFor();
}

/** Moves the map of the track with a key until its picture is another. */
async function moveMap(page: Page): Promise<void> {
  const map = page.getByRole("application");
  const picture = (): Promise<string> => map.locator("canvas").first().evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  await map.focus();
  const before = await picture();
  await page.keyboard.press("ArrowLeft");
  await expect.poll(picture).not.toBe(before);
}

/** Keeps a page's readings of its case back, as they were when it asked, and shows it a deed's answer only after it has read again: as if
 * the news of the deed were quicker than the answer. */
async function holdReadings(page: Page, id: string): Promise<(index: number) => Promise<void>> {
  const held: { route: Route; answer: APIResponse }[] = [];
  const news = new EventEmitter();
  await page.route(`**/api/v1/cases/${id}`, async (route) => {
    held.push({ route, answer: await route.fetch() });
    news.emit("held");
  });
  await page.route(`**/api/v1/cases/${id}/events`, async (route) => {
    const isRead = once(news, "held");
    const answer = await route.fetch();
    await isRead;
    await route.fulfill({ response: answer });
  });
  return async (index) => {
    const { route, answer } = held[index]!;
    const arrived = page.waitForResponse((response) => response.request() === route.request());
    await route.fulfill({ response: answer });
    await (await arrived).finished();
  };
}

/** Answers the question on a phone: where the car was, under which paper, in words. */
async function explainOnPhone(id: string, name: string): Promise<void> {
  const manager = await enter(name, PHONE, OWN_PASSWORD);
  const { page } = manager;
  const form = page.locator("details form");
  await page.locator("main h1").waitFor();
  await page.locator(`a[href="#/explain/${id}"]`).tap();
  const trip = page.getByRole("button", { name: "说明这次行程" }).first();
  await manager.statePurpose("说明情况", trip);
  await page.getByText(QUESTION).waitFor();
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(wide, "nothing reaches beyond a phone's edge").toBeLessThanOrEqual(0);
  await trip.tap();
  await form.getByLabel("地点名称").first().fill(PLACE);
  await form.getByLabel("编号，例如派车单号、会议通知文号").first().fill("PC000000");
  await form.locator("textarea").fill(ANSWER);
  await form.getByRole("button", { name: "提交说明" }).tap();
  expect(await graveFaultsByDayAndNight(page)).toEqual([]);
  // It goes when the time for taking it back is over.
  await page.locator("blockquote", { hasText: ANSWER }).waitFor({ timeout: TAKE_BACK_MOST_MS });
}

/** The inspector takes the case over, checks an item of the answer by hand, and proposes a violation. */
async function proposeViolation(visitor: Visitor, id: string): Promise<void> {
  const { page } = visitor;
  await visitor.go(`case/${id}`);
  await visitor.statePurpose("核查问题线索", playButton(page));
  await page.getByRole("button", { name: "接手办理" }).click();
  await page.locator("dialog[open] textarea").fill("说明与轨迹不符，由纪检监察直接核查。");
  await page.locator('dialog[open] button[type="submit"]').click();
  await page.getByRole("button", { name: "开始核查" }).click();
  await sendNow(page);
  await stage(page).filter({ hasText: "核查" }).waitFor();

  // The machine has held every item against track and paper; a person may know better.
  const claimed = page.locator(".items li", { hasText: PLACE });
  await claimed.locator(".check").waitFor();
  await claimed.getByRole("button", { name: "不符" }).click();
  await page.locator("dialog[open] textarea").fill("当天轨迹从未到过该处。");
  await page.locator('dialog[open] button[type="submit"]').click();
  await claimed.getByText("当天轨迹从未到过该处。").waitFor();

  await page.getByRole("button", { name: "作出处理" }).click();
  await page.getByLabel("认定违规").check();
  await page.locator("form#close textarea").fill("无派车单，停留地点与所述公务不符。");
  await page.getByRole("button", { name: "提请复核" }).click();
  await sendNow(page);
  await stage(page).filter({ hasText: "待复核" }).waitFor();
  expect(await page.getByRole("button", { name: "同意，结案" }).count(), "nobody confirms what he proposed").toBe(0);
}

describe("a case", () => {
  it("is opened by keyboard, replayed, explained on a phone, checked item by item, and closed by two", async () => {
    const office = await enter("office");
    const desk = office.page;
    const id = await openFirstByKeyboard(office);
    await watchReplay(desk);
    await moveMap(desk);
    await desk.getByText("生成预警").waitFor();
    const { items } = await office.ask<{ items: { id: string; unit: number }[] }>("cases?limit=1&state=new");
    expect(items[0]?.id, "the first row is what ranks highest").toBe(id);
    await employ(browser, { name: "sun", unit: items[0]!.unit, roles: ["fleet-manager"] });

    // The first deed can still be taken back: the next key sends it.
    await desk.keyboard.press("v");
    await desk.keyboard.press("x");
    await stage(desk).filter({ hasText: "核查" }).waitFor();
    await desk.locator("form#ask textarea").fill(QUESTION);
    await desk.getByRole("button", { name: "发出", exact: true }).click();
    await sendNow(desk);
    await stage(desk).filter({ hasText: "待说明" }).waitFor();
    await explainOnPhone(id, "sun");
    // The office's page hears of the answer by itself.
    await stage(desk).filter({ hasText: "已说明" }).waitFor();
    await desk.getByText(ANSWER).first().waitFor();
    expect(await graveFaultsByDayAndNight(desk)).toEqual([]);

    const first = await enter("inspector");
    await proposeViolation(first, id);

    const second = await enter("inspector2");
    await second.go(`case/${id}`);
    await second.statePurpose("复核", playButton(second.page));
    await second.page.getByRole("button", { name: "同意，结案" }).click();
    await sendNow(second.page);
    await stage(second.page).filter({ hasText: "结案" }).waitFor();
    await stage(first.page).filter({ hasText: "结案" }).waitFor();
    await first.page.getByText("复核人 赵纪检").waitFor();
    expect(await first.page.getByRole("group", { name: "人工核对" }).count(), "nothing is checked in a closed case").toBe(0);
  }, 400_000);

  it("is never taken back by an answer that comes late", async () => {
    const visitor = await enter("office");
    const { page } = visitor;
    const id = await openFirstByKeyboard(visitor);
    const letGo = await holdReadings(page, id);
    const heading = page.locator(".title .note");
    const unassigned = await heading.innerText();
    await page.keyboard.press("v");
    await sendNow(page);
    await stage(page).filter({ hasText: "核查" }).waitFor();
    await page.keyboard.press("a");
    await sendNow(page);
    await expect.poll(() => heading.innerText()).not.toBe(unassigned);
    await letGo(1);
    await letGo(0);
    await page.unrouteAll();
    // What is decided next is decided on the case as it is.
    await page.keyboard.press("x");
    await page.locator("form#ask textarea").fill(QUESTION);
    await page.getByRole("button", { name: "发出", exact: true }).click();
    await sendNow(page);
    await stage(page).filter({ hasText: "待说明" }).waitFor();
  });

  it("is taken through triage by the keyboard alone", async () => {
    const visitor = await enter("office");
    const { page } = visitor;
    await openFirstByKeyboard(visitor);
    await watchReplay(page);
    await page.keyboard.press(".");
    await page.keyboard.press("]");

    await page.keyboard.press("v");
    await page.getByText("已排入提交").waitFor();
    await tabTo(page, page.getByRole("button", { name: "立即提交" }));
    await page.keyboard.press("Enter");
    await stage(page).filter({ hasText: "核查" }).waitFor();
    await page.keyboard.press("e");
    await page.locator("dialog[open]").waitFor();
    const reason = page.locator('input[name="reason"]').first();
    await tabTo(page, reason);
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
