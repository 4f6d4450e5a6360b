import { onceKey } from "../api/client";

/** Runs one thing at a time: what is asked for while it runs, a second click most often, is not done at all. */
export class Busy {
  #isRunning = $state(false);

  /** Whether it runs: what would start it is disabled then. */
  get now(): boolean {
    return this.#isRunning;
  }

  async run(what: () => Promise<unknown>): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      await what();
    } finally {
      this.#isRunning = false;
    }
  }
}

/** The `Idempotency-Key` of a form: the same as long as the same is sent, so that a send that seemed lost is done once. */
export class FormKey {
  #key = "";
  #content = "";

  of(content: unknown): string {
    const text = JSON.stringify(content);
    if (!this.#key || text !== this.#content) this.#key = onceKey();
    this.#content = text;
    return this.#key;
  }
}
