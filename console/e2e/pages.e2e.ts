/** Every main page, for those who use it: nothing thrown, nothing refused, the policy unbroken, and usable by everybody. */

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { graveFaultsByDayAndNight } from "./axe";
import { openBrowser, PHONE, Visitor } from "./browser";

/** Who looks at what. */
const PAGES: readonly (readonly [name: string, routes: readonly string[]])[] = [
  [
    "inspector",
    ["queue", "explain", "map", "map?view=list", "month", "orders", "orders/proposals", "sealing", "devices", "exports", "accounts", "search", "search/nearest", "search/meetings"],
  ],
  ["manager", ["queue", "explain", "explain?tab=report", "map?view=list", "orders", "sealing", "devices", "month", "accounts"]],
  ["security", ["accounts", "accounts/people", "accounts/logins"]],
  ["audit", ["accounts/audit"]],
  ["system", ["devices", "accounts/webhooks"]],
];
const HAN = /\p{Script=Han}/u;

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

/** Waits until a page has shown what it has to show. */
async function settled(page: Page): Promise<void> {
  await page.locator("main h1").first().waitFor({ state: "attached" });
  await page.waitForFunction(() => !document.querySelector('main .loading, main [aria-busy="true"], main p[role="status"]'), undefined, { timeout: 3_000 }).catch(() => undefined);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** What is wider than the room that it has: the page itself, its menu, a column beside the map. */
const cutOff = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const watched = [document.documentElement, ...document.querySelectorAll("header nav, main aside")];
    return watched.filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => `${one.tagName} ${one.scrollWidth} > ${one.clientWidth}`);
  });

/** A person who looks at some pages, one test for each: what is slow on a busy machine is then one page, and its name is said. */
describe.each(PAGES)("the main pages of %s", (name, routes) => {
  let visitor: Visitor;
  beforeAll(async () => {
    visitor = await Visitor.logIn(browser, name, { colorScheme: "light", reducedMotion: "reduce" });
  });
  afterAll(() => visitor.close());

  it.each(routes)("do nothing wrong, and axe finds no grave fault, by day and by night: %s", async (route) => {
    const { page } = visitor;
    await visitor.go(route);
    await settled(page);
    expect(await page.locator('main [role="alert"]').allInnerTexts()).toEqual([]);
    expect(await graveFaultsByDayAndNight(page)).toEqual([]);
  });

  // Last: what a page that was left still had to say counts too.
  it("threw nothing, were refused nothing and broke no policy", () => {
    expect(visitor.faults).toEqual([]);
  });
});

describe("the main pages", () => {
  it("speak Chinese and English", async () => {
    const visitor = await Visitor.logIn(browser, "inspector");
    const { page } = visitor;
    await page.getByRole("heading", { name: "核查待办" }).waitFor();
    expect(await page.locator("html").getAttribute("lang")).toBe("zh-CN");
    await page.getByRole("button", { name: "English" }).click();
    await page.getByRole("heading", { name: "Review queue" }).waitFor();
    expect(await page.locator("html").getAttribute("lang")).toBe("en");
    for (const label of await page.locator("nav#menu a, main th, main header button").allInnerTexts()) expect(HAN.test(label), label).toBe(false);
    await visitor.close();
    expect(visitor.faults).toEqual([]);
  });

  it.each([
    ["a desk, in English", "inspector", { viewport: { width: 1360, height: 900 } }],
    ["a narrow desk, in English", "inspector", { viewport: { width: 1190, height: 800 } }],
    ["a small desk, in English", "inspector", { viewport: { width: 1100, height: 800 } }],
    ["a phone, in Chinese", "manager", PHONE],
  ])("fit %s", async (where, name, options) => {
    const visitor = await Visitor.logIn(browser, name, { reducedMotion: "reduce", ...options });
    const { page } = visitor;
    if (where.includes("English")) await page.getByRole("button", { name: "English" }).click();
    const cut: Record<string, string[]> = {};
    for (const route of PAGES.flatMap(([who, routes]) => (who === name ? routes : [])).filter((one) => one !== "map" || options !== PHONE)) {
      await visitor.go(route);
      await settled(page);
      const found = await cutOff(page);
      if (found.length) cut[route] = found;
    }
    await visitor.close();
    expect(cut).toEqual({});
  });

  it("are dark for those who want it, and stay so", async () => {
    const visitor = await Visitor.logIn(browser, "inspector", { colorScheme: "light" });
    const { page } = visitor;
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const day = await ground();
    await page.getByRole("button", { name: /^外观/ }).click();
    await page.getByRole("button", { name: /^外观/ }).click();
    await page.locator('html[data-theme="dark"]').waitFor();
    expect(await ground()).not.toBe(day);
    await page.reload();
    await page.locator('html[data-theme="dark"]').waitFor();
    await visitor.close();
  });

  it("come under a content security policy that lets nothing foreign in", async () => {
    const policy = (await fetch(inject("address"))).headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe-|https?:|\*/);
    const visitor = await Visitor.open(browser);
    await visitor.page.goto("/");
    // It is watched for, and it holds: a script in the page is refused and reported.
    await visitor.page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = "window.hasRun = true";
      document.head.append(script);
    });
    await expect.poll(() => visitor.faults.some((fault) => fault.includes("policy script-src"))).toBe(true);
    expect(await visitor.page.evaluate(() => "hasRun" in window)).toBe(false);
    await visitor.close();
  });
});
