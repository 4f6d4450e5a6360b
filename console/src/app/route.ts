/** Where the console is, as the address after `#` says: `#/queue?state=new`, `#/case/v12-2026-03-04`. */
export interface Route {
  /** The page's name, the first part. */
  page: string;
  /** What the page shows, the second part; empty when there is none. */
  id: string;
  /** What narrows it down. */
  query: Readonly<Record<string, string>>;
}

export const HOME = "queue";

const part = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // A broken escape is no page.
  }
};

/** Reads what follows the address's `#`. */
export function parseRoute(hash: string): Route {
  const text = hash.replace(/^#?\/?/, "");
  const at = text.indexOf("?");
  const path = at < 0 ? text : text.slice(0, at);
  const [page = "", ...rest] = path.split("/");
  const query = Object.fromEntries(new URLSearchParams(at < 0 ? "" : text.slice(at + 1)));
  return { page: part(page) || HOME, id: part(rest.join("/")), query };
}

export type Query = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** The query's text, without what is empty. */
export function formatQuery(query: Query): string {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return text && `?${text}`;
}

/** An address for links: `href="{routeTo('case', id)}"`. */
export function routeTo(page: string, id = "", query: Query = {}): string {
  return `#/${encodeURIComponent(page)}${id ? `/${encodeURIComponent(id)}` : ""}${formatQuery(query)}`;
}
