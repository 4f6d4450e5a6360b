import type { components } from "./schema";

export type Problem = components["schemas"]["Problem"];

/** An answer that is no success: RFC 9457 with a code that stays. */
export class Refused extends Error {
  override name = "Refused";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly problem: Partial<Problem>,
    /** Seconds to wait, when the server says. */
    readonly retryAfter?: number,
  ) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`);
  }
}

/** The server could not be reached. */
export class Unreachable extends Error {
  override name = "Unreachable";
}

export const isAborted = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";
