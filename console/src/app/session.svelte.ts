import { read, token, useHooks, write, type Subject } from "../api/client";
import { Refused } from "../api/problem";
import type { Me, Schema } from "../api/types";
import { drafts } from "../parts/drafts";

export type Stage = "asking" | "out" | "in";

/** A purpose that the server wants, and who waits for it. */
interface PurposeAsked {
  subject: Subject;
  settle(text: string | null): void;
}

let stage = $state<Stage>("asking");
let me = $state.raw<Me | null>(null);
let isDemo = $state(false);
let hasEnded = $state(false);
let asked = $state.raw<PurposeAsked | null>(null);
let asking: { key: string; answer: Promise<boolean> } | null = null;

// A server without accounts answers to tokens only, and what a token may do it says when asked.
const isUnknownRoute = (error: unknown): boolean => error instanceof Refused && error.status === 404;

async function identify(): Promise<void> {
  try {
    me = await read<Me>("me");
    isDemo = me.is_demo;
    drafts.belongTo(me.name);
  } catch (error) {
    if (!isUnknownRoute(error)) throw error;
    isDemo = (await read<Schema<"StatusView">>("status")).demo;
    me = null;
  }
  stage = "in";
  hasEnded = false;
}

export const session = {
  get stage(): Stage {
    return stage;
  },
  /** Who is logged in; null for a token on a server without accounts. */
  get me(): Me | null {
    return me;
  },
  get isDemo(): boolean {
    return isDemo;
  },
  /** Whether a log-in ended under the person's hands. */
  get hasEnded(): boolean {
    return hasEnded;
  },
  get purposeAsked(): PurposeAsked | null {
    return asked;
  },
  /** Whether something may be tried; the server decides. */
  may(permission: string): boolean {
    return me === null || me.permissions.includes(permission);
  },
  /** Finds out whether there is a log-in already. */
  async begin(): Promise<void> {
    // `#token=…` as the server prints it: kept for this tab, taken out of the address at once.
    const given = new URLSearchParams(location.hash.slice(1)).get("token");
    if (given) {
      token.set(given);
      history.replaceState(null, "", "/");
    }
    await identify().catch(() => {
      token.set(null);
      stage = "out";
    });
    hasEnded = false;
  },
  async logIn(name: string, password: string, code?: string): Promise<void> {
    token.set(null);
    await write<Me>("POST", "login", { name, password, ...(code ? { code } : {}) });
    await identify();
  },
  async useToken(text: string): Promise<void> {
    token.set(text);
    try {
      await identify();
    } catch (error) {
      token.set(null);
      throw error;
    }
  },
  /** Asks again who is logged in, after something about it changed. */
  refresh: identify,
  async logOut(): Promise<void> {
    if (!token.get()) await read("login", { method: "DELETE" }).catch(() => undefined);
    token.set(null);
    drafts.clear();
    me = null;
    stage = "out";
    hasEnded = false;
  },
};

async function askPurpose(subject: Subject): Promise<boolean> {
  const text = await new Promise<string | null>((settle) => {
    asked = { subject, settle };
  });
  asked = null;
  if (!text) return false;
  await write("POST", "purposes", { ...subject, text });
  return true;
}

useHooks({
  signedOut() {
    if (stage === "in") hasEnded = true;
    token.set(null);
    me = null;
    stage = "out";
  },
  async purpose(subject) {
    const key = JSON.stringify(subject);
    // Requests about the same thing share one question; about another, they wait for their turn.
    while (asking && asking.key !== key) await asking.answer.catch(() => undefined);
    asking ??= { key, answer: askPurpose(subject).finally(() => (asking = null)) };
    return asking.answer;
  },
});
