import { ask, read } from "../api/client";
import type { Schema } from "../api/types";
import { refusalInWords } from "../parts/problem-text";
import { toaster, UNDO_MS } from "../parts/toasts.svelte";
import type { CaseView, Closing, Deed, Stage } from "./types";

/** A case and the number of the last event that was read of it. */
export interface CaseRef {
  id: string;
  seq: number;
  stage: Stage;
}

export interface Outcome {
  done: number;
  refused: { id: string; text: string }[];
}

/** Lines that the server takes at once. */
const LINES_MAX = 200;

async function bulk(refs: readonly CaseRef[], deed: Deed): Promise<{ kept: CaseRef[]; outcome: Outcome }> {
  const outcome: Outcome = { done: 0, refused: [] };
  const kept: CaseRef[] = [];
  for (let at = 0; at < refs.length; at += LINES_MAX) {
    const lines = refs.slice(at, at + LINES_MAX).map(({ id, seq }) => ({ case: id, seq, deed }));
    const answer: Schema<"BulkAnswer"> = await read("cases/bulk", { method: "POST", body: { lines }, keepalive: true });
    for (const item of answer.items) {
      const ref = refs.find(({ id }) => id === item.case);
      // A case that is hidden from here on has no number any more.
      if (!item.code && ref) kept.push({ ...ref, seq: item.seq ?? ref.seq });
      else outcome.refused.push({ id: item.case, text: refusalInWords(item.code ?? undefined, item.detail ?? undefined) });
    }
  }
  outcome.done = kept.length;
  return { kept, outcome };
}

/** Deeds that a new case only takes once its check has begun. */
const NEEDS_CHECK = new Set<Deed["type"]>(["ask_explanation", "close", "propose_closing", "hand_over"]);

/** Does something in several cases. New ones are taken into check first where the deed needs that. */
export async function doInCases(refs: readonly CaseRef[], deed: Deed): Promise<Outcome> {
  const fresh = NEEDS_CHECK.has(deed.type) ? refs.filter((ref) => ref.stage === "new") : [];
  const others = refs.filter((ref) => !fresh.includes(ref));
  const begun = fresh.length ? await bulk(fresh, { type: "start_checking" }) : { kept: [], outcome: { done: 0, refused: [] } };
  const result = await bulk([...begun.kept, ...others], deed);
  return { done: result.outcome.done, refused: [...begun.outcome.refused, ...result.outcome.refused] };
}

/** Does something in one case that was read; the case as it is afterwards, or null when it is hidden from now on. */
export async function doInCase(view: CaseView, deed: Deed): Promise<CaseView | null> {
  const response = await ask(`cases/${encodeURIComponent(view.id)}/events`, {
    method: "POST",
    body: deed,
    headers: { "if-match": `"${view.seq}"` },
    keepalive: true,
    subject: { case: view.id },
  });
  return response.status === 204 ? null : ((await response.json()) as CaseView);
}

/** How an ending is sent: by one person, or for a second one to agree. */
export const closingDeed = (closing: Closing, needsTwo: boolean): Deed =>
  needsTwo ? { type: "propose_closing", closing: { ...closing } } : { type: "close", closing: { ...closing } };

interface Waiting {
  ids: readonly string[];
  timer: ReturnType<typeof setTimeout>;
  send: () => Promise<unknown>;
}

let waiting = $state.raw<readonly Waiting[]>([]);

/** What was decided but is not sent yet: the log of a case is never edited, so taking back happens before. */
export const pending = {
  has: (id: string): boolean => waiting.some((one) => one.ids.includes(id)),
  /** Sends after the time in which it can be undone; at once when the page is left. */
  defer(ids: readonly string[], text: string, perform: () => Promise<unknown>, undone?: () => void): void {
    const drop = (): void => {
      waiting = waiting.filter((one) => one !== entry);
      clearTimeout(entry.timer);
      toaster.drop(toast);
    };
    const send = (): Promise<unknown> => {
      drop();
      return perform();
    };
    const entry: Waiting = { ids, send, timer: setTimeout(() => void send(), UNDO_MS) };
    waiting = [...waiting, entry];
    const toast = toaster.say(text, {
      undo: () => {
        drop();
        undone?.();
      },
    });
  },
  /** Sends now what waits, before something else is done; done once it has been answered. */
  async flush(): Promise<void> {
    await Promise.all(waiting.map((entry) => entry.send()));
  },
};

addEventListener("pagehide", () => void pending.flush());
addEventListener("beforeunload", (event) => {
  if (waiting.length) event.preventDefault();
});
