import { onceKey, readAll, write } from "../../api/client";
import type { Schema } from "../../api/types";
import { toaster } from "../../parts/toasts.svelte";
import { overlapping, type Order, type OrderVersion } from "./order";
import { orderWords } from "./words";

type Written = Schema<"WrittenView"> | Schema<"ProposedView">;

/** Says what became of it: written, or kept for a second person because it would clear open flags. */
function tell(answer: Written): void {
  const w = orderWords();
  if ("proposal" in answer) toaster.say(w.proposed(String(answer.would_clear ?? answer.open ?? w.someFlags)));
  else toaster.say(w.saved);
}

/** More orders of one car are not looked through before a new one is taken. */
const ORDERS_OF_CAR_MAX = 2_000;

/** Orders that have the car of a new one for some of its time. */
export async function besides(row: Parameters<typeof overlapping>[1]): Promise<OrderVersion[]> {
  const { items } = await readAll<OrderVersion>("registers/order", ORDERS_OF_CAR_MAX, { query: { vehicle: row.vehicle, limit: 1_000 } });
  return overlapping(items, row);
}

export async function addOrder(row: Partial<Order>, key: string): Promise<void> {
  tell(await write<Written>("POST", "registers/order", { row }, { headers: { "idempotency-key": key } }));
}

/** Writes a new version over the one that was read; a newer one in between is answered with 412. */
export async function changeOrder(version: OrderVersion, row: Order): Promise<void> {
  const headers = { "if-match": `"${version.version}"`, "idempotency-key": onceKey() };
  const { valid_from, valid_to } = version;
  tell(await write<Written>("PUT", `registers/order/${version.id}`, { valid_from, valid_to, row }, { headers }));
}
