/** An order that is written after the trip: it is seen for what it is, and clears nothing. */

import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clock, dayOf } from "../src/time/zone";
import { openBrowser, Visitor } from "./browser";
import { employ, OWN_PASSWORD } from "./people";

interface Flag {
  rule: string;
  aspect?: string;
  from: string;
  to: string;
  standing: { status: string };
}
interface CaseRow {
  id: string;
  unit: number;
  plate: string;
  rules: string[];
}

const NO = "补20260001";
const MINUTE_MS = 60_000;
const JUDGED_MOST_MS = 60_000;

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser.close());

/** An instant as a `datetime-local` field takes it, where the fleet is. */
const toLocal = (instant: number): string => `${dayOf(instant)}T${clock(instant)}`;

/** A case that asks about nothing but trips without any order: what clears other questions needs a second person first. */
async function withoutOrder(office: Visitor): Promise<{ row: CaseRow; trip: Flag }> {
  const { items } = await office.ask<{ items: CaseRow[] }>("cases?limit=200&state=new");
  for (const row of items.filter(({ rules }) => rules.join() === "R01")) {
    await office.ask("purposes", "POST", { case: row.id, text: "核查补单" });
    const found = await office.ask<{ case: { flags: Flag[] } }>(`cases/${row.id}`);
    const trip = found.case.flags.find(({ rule, aspect, standing }) => rule === "R01" && !aspect && standing.status === "holds");
    if (trip) return { row, trip };
  }
  throw new Error("the demonstration has no trip without an order");
}

describe("a back-dated order", () => {
  it("is marked as 补单待核 and clears nothing", async () => {
    const office = await Visitor.logIn(browser, "office");
    const { row, trip } = await withoutOrder(office);
    await employ(browser, { name: "late", unit: row.unit, roles: ["dispatcher", "approver"] });

    const dispatcher = await Visitor.logIn(browser, "late", {}, OWN_PASSWORD);
    const { page } = dispatcher;
    await dispatcher.go("orders");
    await page.getByRole("button", { name: "录入派车单" }).click();
    await page.locator("#order-unit").selectOption(String(row.unit));
    const fields = {
      ...{ no: NO, plate: row.plate, user: "演用001", driver: "演驾001", dispatcher: "孙主任", approver: "孙主任" },
      ...{ departure: "单位车库", destinations: "县城", purpose: "外勤" },
      out: toLocal(Date.parse(trip.from) - 10 * MINUTE_MS),
      back: toLocal(Date.parse(trip.to) + 10 * MINUTE_MS),
    };
    for (const [field, value] of Object.entries(fields)) await page.locator(`#order-${field}`).fill(value);
    await page.getByLabel("审批人已签字同意").check();
    await page.getByText("此单将记为补单").waitFor();
    await page.getByRole("button", { name: "保存", exact: true }).click();
    // The car may have another order at the edge of that time: then it is asked once whether this is a double.
    const still = page.getByRole("button", { name: "确认不是重复，仍然保存" });
    const open = page.locator("dialog[open]");
    const saved = async (): Promise<boolean> => {
      if (await still.isEnabled({ timeout: 500 }).catch(() => false)) await still.click();
      return (await open.count()) === 0;
    };
    await expect.poll(saved).toBe(true);
    await page.getByPlaceholder(/车牌、单号或事由/).fill(NO);
    await page.locator('tr[aria-rowindex="2"]', { hasText: NO }).getByText("补单", { exact: true }).waitFor();
    await dispatcher.close();

    await office.go(`case/${row.id}`);
    await office.page.getByText(`补单待核：派车单 ${NO}`).first().waitFor({ timeout: JUDGED_MOST_MS });
    await office.page.locator('ol.stages li[aria-current="step"]', { hasText: "预警" }).waitFor();
    const { items } = await office.ask<{ items: CaseRow[] }>("cases?limit=200&state=new");
    expect(items.find(({ id }) => id === row.id)?.rules, "the question stays").toContain("R01");
    await office.close();
    expect([...office.faults, ...dispatcher.faults]).toEqual([]);
  });
});
