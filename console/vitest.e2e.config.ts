import { defineConfig } from "vitest/config";

/** The proof in a real browser: one living demonstration, one file after the other, so that figures on two cores hold still. */
export default defineConfig({
  test: {
    include: ["e2e/**/*.e2e.ts"],
    globalSetup: "e2e/demo.ts",
    fileParallelism: false,
    // They end what hangs; how quick a page is on a machine that builds and tests beside it is no matter of theirs.
    testTimeout: 150_000,
    hookTimeout: 150_000,
    expect: { poll: { timeout: 45_000 } },
    bail: 0,
  },
});
