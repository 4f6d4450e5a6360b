/** What axe-core says about a page. */

import axe from "axe-core";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

const GRAVE = new Set(["serious", "critical"]);

/** What may differ between the themes. */
const OF_A_THEME = { runOnly: ["color-contrast"] };

/** The grave faults of accessibility, each in one line. */
async function graveFaults(page: Page, options: object): Promise<string[]> {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  const { violations } = await page.evaluate(
    (how) => (window as unknown as { axe: { run(what: Document, how: object): Promise<AxeResults> } }).axe.run(document, how),
    { resultTypes: ["violations"], ...options },
  );
  return violations.filter(({ impact }) => GRAVE.has(impact ?? "")).map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html.slice(0, 160)} ${any[0]?.message ?? ""}`).slice(0, 4).join(" | ")}`);
}

/** The same in both themes, for somebody who follows the system: all in the light, and what the dark may change. */
export async function graveFaultsByDayAndNight(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ["dark", "light"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.locator(`html[data-theme="${colorScheme}"]`).waitFor();
    found.push(...(await graveFaults(page, colorScheme === "dark" ? OF_A_THEME : {})).map((fault) => `${colorScheme} ${fault}`));
  }
  return found;
}
