import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

const COMPRESSIBLE = /\.(js|mjs|css|html|svg|json)$/;

/** Writes `FILE.br` beside every text file, and puts back the file that keeps the folder in the repository. */
function precompressed(): Plugin {
  let out = "";
  return {
    name: "precompressed",
    apply: "build",
    configResolved(config) {
      out = join(config.root, config.build.outDir);
    },
    closeBundle() {
      writeFileSync(join(out, ".gitignore"), "*\n!.gitignore\n");
      for (const name of readdirSync(out, { recursive: true, encoding: "utf8" })) {
        if (!COMPRESSIBLE.test(name)) continue;
        const file = join(out, name);
        const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
        writeFileSync(`${file}.br`, brotliCompressSync(readFileSync(file), { params }));
      }
    },
  };
}

const server = process.env.MOTORPOOL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [svelte(), precompressed()],
  build: {
    // Small fonts and images as `data:` addresses would need a weaker content security policy.
    assetsInlineLimit: 0,
    manifest: true,
    target: "es2022",
    reportCompressedSize: false,
  },
  worker: { format: "es" },
  server: {
    proxy: { "/api": { target: server, ws: true, changeOrigin: true, rewriteWsOrigin: true } },
  },
});
