import { formatQuery, type Query } from "../app/route";
import { Refused, Unreachable } from "./problem";

const API = "/api/v1";
const TOKEN = "motorpool.token";
const KEEPALIVE_CHARS_MAX = 20_000;

/** What is looked at, for the server's log of who looked and why. */
export interface Subject {
  case?: string;
  vehicle?: number;
}

export interface Options {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: Query;
  /** Sent as JSON; a `Blob` as it is. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Whether it goes on when the page is left. */
  keepalive?: boolean;
  /** Whose data it is, when a purpose may be asked for. */
  subject?: Subject;
}

interface Hooks {
  /** The log-in is over. */
  signedOut(): void;
  /** Asks the person for a purpose and tells it the server; false when nothing was said. */
  purpose(subject: Subject): Promise<boolean>;
}

let hooks: Hooks = { signedOut() {}, purpose: async () => false };

/** Says who looks after what the client can't do itself. */
export function useHooks(given: Hooks): void {
  hooks = given;
}

/** A bearer token for this tab, where there is no log-in. */
export const token = {
  get: (): string | null => sessionStorage.getItem(TOKEN),
  set(text: string | null): void {
    if (text) sessionStorage.setItem(TOKEN, text);
    else sessionStorage.removeItem(TOKEN);
  },
};

async function once(path: string, options: Options): Promise<Response> {
  const headers = new Headers({ accept: "application/json", ...options.headers });
  const bearer = token.get();
  if (bearer) headers.set("authorization", `Bearer ${bearer}`);
  let body: BodyInit | undefined;
  if (options.body instanceof Blob) body = options.body;
  else if (options.body !== undefined) {
    headers.set("content-type", "application/json");
    body = JSON.stringify(options.body);
  }
  const address = `${API}/${path}${formatQuery(options.query ?? {})}`;
  // A request that outlives its page may be 64 KiB long; Chinese takes three bytes a character.
  const keepalive = Boolean(options.keepalive) && typeof body === "string" && body.length < KEEPALIVE_CHARS_MAX;
  const init = { method: options.method ?? "GET", headers, body, signal: options.signal, cache: "no-store", keepalive } as const;
  let response: Response;
  try {
    response = await fetch(address, init);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Unreachable(String(error));
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const wait = Number(response.headers.get("retry-after")) || undefined;
  throw new Refused(response.status, problem.code ?? "unknown", problem, wait);
}

/** Asks the server; a purpose that it wants first is asked for once. */
export async function ask(path: string, options: Options = {}): Promise<Response> {
  try {
    return await once(path, options);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.code === "purpose_needed" && options.subject && (await hooks.purpose(options.subject))) {
      return once(path, options);
    }
    if (error.status === 401 && error.code === "unauthorized") hooks.signedOut();
    throw error;
  }
}

/** Reads JSON. */
export async function read<T>(path: string, options: Options = {}): Promise<T> {
  const response = await ask(path, options);
  return response.status === 204 ? (undefined as T) : ((await response.json()) as T);
}

/** Writes JSON and reads the answer. */
export const write = <T>(method: Options["method"], path: string, body?: unknown, options: Options = {}): Promise<T> =>
  read<T>(path, { ...options, method, body });

/** A key under which the server does the same thing once. Works without HTTPS too, where `randomUUID` is missing. */
export const onceKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** One page of a list. */
export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

/** Reads every page of a list up to a number of rows; says by `more` whether there are others. */
export async function readAll<T>(path: string, max: number, options: Options = {}): Promise<{ items: T[]; more: boolean }> {
  const items: T[] = [];
  let cursor: string | null | undefined;
  do {
    const page: Page<T> = await read<Page<T>>(path, { ...options, query: { ...options.query, cursor } });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < max);
  return { items, more: Boolean(cursor) };
}

/** Fetches a file and hands it to the browser to keep. */
export async function download(path: string, name: string, options: Options = {}): Promise<void> {
  const response = await ask(path, { ...options, headers: { accept: "*/*" } });
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
