import { parseRoute, routeTo, type Query, type Route } from "./route";

// A page that was typed as a path, `/queue`, is the same page.
if (location.pathname.length > 1 && !location.pathname.endsWith(".html")) {
  history.replaceState(null, "", `/#${location.pathname}${location.search}`);
}

let current = $state.raw<Route>(parseRoute(location.hash));

/** The address of another page than this one, from which somebody came here. */
let origin = $state.raw<Route | null>(null);

addEventListener("hashchange", () => {
  const next = parseRoute(location.hash);
  if (next.page !== current.page) origin = current;
  current = next;
});

/** Where the console is. Read it in an effect or a template: it changes. */
export const router = {
  get route(): Route {
    return current;
  },
  /** The page before this one, as it was left; null for who began here. */
  get origin(): Route | null {
    return origin;
  },
  /** Goes to a page, as a new entry of the history. */
  go(page: string, id = "", query: Query = {}): void {
    location.hash = routeTo(page, id, query);
  },
  /** Goes to a page in place of where it is. */
  begin(page: string): void {
    history.replaceState(null, "", routeTo(page));
    current = parseRoute(location.hash);
  },
  /** Changes the query of this page without a new entry. */
  refine(query: Query): void {
    const address = routeTo(current.page, current.id, { ...current.query, ...query });
    history.replaceState(null, "", address);
    current = parseRoute(address);
  },
};
