/** People whom the demonstration lacks: made by the security administrator, with a password of their own. */

import type { Browser } from "playwright-core";
import { Visitor } from "./browser";

export const OWN_PASSWORD = "a-password-of-my-own";

export interface Post {
  /** The log-in name. */
  name: string;
  /** The unit that the person belongs to and works for. */
  unit: number;
  roles: readonly string[];
}

/** Makes an account for a post; the person sets the password with the one-time link. */
export async function employ(browser: Browser, { name, unit, roles }: Post): Promise<void> {
  const security = await Visitor.logIn(browser, "security");
  const { id } = await security.ask<{ id: number }>("accounts", "POST", { name, display_name: "孙主任", unit });
  for (const role of roles) await security.ask(`accounts/${id}/grants`, "POST", { role, unit });
  const { link } = await security.ask<{ link: string }>(`accounts/${id}/reset`, "POST");
  await security.close();

  const visitor = await Visitor.open(browser);
  const { page } = visitor;
  await page.goto(`/#/setup/${link}`);
  const fields = page.locator('input[autocomplete="new-password"]');
  await fields.first().waitFor();
  for (const field of await fields.all()) await field.fill(OWN_PASSWORD);
  await page.keyboard.press("Enter");
  await page.locator("nav#menu").waitFor({ state: "attached" });
  await visitor.close();
}
