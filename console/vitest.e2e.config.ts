import { defineConfig } from "vitest/config";

/** The proof in a real browser: one living demonstration, one file after the other, so that figures on two cores hold still. */
export default defineConfig({
  test: {
    include: ["e2e/**/*.e2e.ts"],
    globalSetup: "e2e/demo.ts",
    fileParallelism: false,
    testTimeout: 40_000,
    hookTimeout: 40_000,
    bail: 0,
  },
});
