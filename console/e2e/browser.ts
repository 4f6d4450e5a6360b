/** A real browser and the people who sit in front of it. Whatever goes wrong in a page is kept, to be asserted on. */

import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Locator, type Page, type Request } from "playwright-core";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { inject } from "vitest";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
/** Software WebGL2 has to be asked for; the rest keeps the browser from talking to anybody else. */
const FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--use-gl=angle",
  "--use-angle=swiftshader",
  "--enable-unsafe-swiftshader",
];
/** A fresh build of the console to show instead of the one that the program holds: it saves building the program again. */
const BUILD = process.env.CONSOLE_BUILD;
/** Ends what hangs. */
const STEP_MOST_MS = 45_000;
const PASSWORD = "motorpool-demo";
export const DESK = { width: 1440, height: 900 };
export const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

/** A page that comes from a build has no address on the network, from where the browser would let it reach the program. */
const BUILD_FLAGS = BUILD ? ["--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests"] : [];

export const openBrowser = (): Promise<Browser> => chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...BUILD_FLAGS] });

/** Answers that are part of the way: nobody is logged in yet, a track wants a purpose first, and of most car-days there is no case. */
function isExpected(status: number, request: Request, code: string): boolean {
  const path = new URL(request.url()).pathname;
  return (status === 401 && path === "/api/v1/me") || (status === 403 && code === "purpose_needed") || (status === 404 && code === "case_not_found");
}

/** Shows the files of a build under the policy that the program sends. */
async function showBuild(context: BrowserContext, build: string): Promise<void> {
  const served = await context.request.get("/");
  const policy = served.headers()["content-security-policy"] ?? "";
  await context.route(
    (url) => !url.pathname.startsWith("/api/"),
    async (route) => {
      const { pathname } = new URL(route.request().url());
      const path = join(build, pathname === "/" ? "index.html" : pathname);
      if (!existsSync(path)) return route.fulfill({ status: 404 });
      const type = path.endsWith(".js") || path.endsWith(".mjs") ? { "content-type": "text/javascript" } : undefined;
      return pathname === "/" ? route.fulfill({ path, headers: { "content-type": "text/html", "content-security-policy": policy } }) : route.fulfill({ path, ...(type && { headers: type }) });
    },
  );
}

/** One person at one screen. */
export class Visitor {
  /** What went wrong in the page: scripts, answers, the content security policy. */
  readonly faults: string[] = [];

  private constructor(
    readonly context: BrowserContext,
    readonly page: Page,
  ) {}

  static async open(browser: Browser, options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await browser.newContext({ baseURL: inject("address"), viewport: DESK, locale: "zh-CN", timezoneId: "Asia/Shanghai", ...options });
    context.setDefaultTimeout(STEP_MOST_MS);
    await context.addInitScript(() =>
      document.addEventListener("securitypolicyviolation", (event) => console.error(`policy ${event.violatedDirective} ${event.blockedURI}`)),
    );
    if (BUILD) await showBuild(context, BUILD);
    const visitor = new Visitor(context, await context.newPage());
    visitor.#watch();
    return visitor;
  }

  /** Opens the console and logs in with the form, as people do. */
  static async logIn(browser: Browser, name: string, options: BrowserContextOptions = {}, password = PASSWORD): Promise<Visitor> {
    const visitor = await Visitor.open(browser, options);
    const { page } = visitor;
    await page.goto("/");
    await page.locator('input[autocomplete="username"]').fill(name);
    await page.locator('input[type="password"]').fill(password);
    await page.keyboard.press("Enter");
    await page.locator("nav#menu").waitFor({ state: "attached" });
    return visitor;
  }

  #watch(): void {
    const { page, faults } = this;
    page.on("pageerror", (error) => faults.push(`thrown: ${error.stack ?? error.message}`));
    page.on("console", (message) => {
      // A refused request is judged by its answer, below.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(`console: ${message.text()}`);
    });
    page.on("requestfailed", (request) => {
      const reason = request.failure()?.errorText ?? "";
      // A page that is left takes its requests with it.
      if (reason !== "net::ERR_ABORTED") faults.push(`failed: ${request.method()} ${request.url()} ${reason}`);
    });
    page.on("response", async (response) => {
      if (response.status() < 400) return;
      const body = await response.text().catch(() => "");
      const code = /"code":"(\w+)"/.exec(body)?.[1] ?? "";
      if (!isExpected(response.status(), response.request(), code)) faults.push(`${response.status()} ${code}: ${response.request().method()} ${response.url()}`);
    });
  }

  /** Goes to a page of the console by its address. */
  async go(route: string): Promise<void> {
    await this.page.evaluate((hash) => (location.hash = hash), `/${route}`);
  }

  /** States the purpose that a track is opened for, if it is asked for before `there` shows. */
  async statePurpose(purpose: string, there: Locator): Promise<void> {
    const field = this.page.locator("form#purpose input");
    await field.or(there).first().waitFor();
    if (!(await field.isVisible())) return;
    await field.fill(purpose);
    await this.page.keyboard.press("Enter");
    await field.waitFor({ state: "detached" });
  }

  /** Asks the API as this person, from within the page: same origin, same cookie. */
  ask<T>(path: string, method = "GET", body?: unknown): Promise<T> {
    return this.page.evaluate(
      async ([address, verb, sent]) => {
        const headers = { "content-type": "application/json" };
        const response = await fetch(`/api/v1/${address}`, { method: verb, headers, body: sent });
        if (!response.ok) throw new Error(`${verb} ${address}: ${await response.text()}`);
        return response.status === 204 ? null : await response.json();
      },
      [path, method, body === undefined ? undefined : JSON.stringify(body)] as const,
    ) as Promise<T>;
  }

  close(): Promise<void> {
    return this.context.close();
  }
}
