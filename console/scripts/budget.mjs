// Fails when the build is larger than promised: the first route, the chunk of the map, the whole folder.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const KB = 1000;
const FIRST_ROUTE_MAX = 120 * KB;
const MAP_MAX = 480 * KB;
const DRAWING_MAX = 40 * KB;
const WHOLE_MAX = 2_500 * KB;

const dist = join(dirname(fileURLToPath(import.meta.url)), "..", "dist");
const manifest = JSON.parse(readFileSync(join(dist, ".vite", "manifest.json"), "utf8"));

/** The files that the browser fetches before a chunk runs, itself included. */
function closure(key, found = new Set()) {
  const chunk = manifest[key];
  if (!chunk || found.has(chunk.file)) return found;
  found.add(chunk.file);
  for (const css of chunk.css ?? []) found.add(css);
  for (const next of chunk.imports ?? []) closure(next, found);
  return found;
}

const gzipped = (files) => [...files].reduce((sum, file) => sum + gzipSync(readFileSync(join(dist, file)), { level: 9 }).length, 0);

const shell = closure("index.html");
const queue = new Set([...shell, ...closure("src/routes/queue/Page.svelte"), "index.html"]);
const names = readdirSync(dist, { recursive: true, encoding: "utf8" }).map((name) => name.split("\\").join(posix.sep));
const embedded = names.filter((name) => !name.startsWith(".") && !name.endsWith(".br") && !name.endsWith(".woff2") && statSync(join(dist, name)).isFile());
const whole = embedded.reduce((sum, name) => sum + statSync(join(dist, name)).size, 0);

// What the map adds: its own chunks, and the workers, which no manifest lists as imports. Drawing zones is fetched when it is begun.
const onlyMap = [...closure("src/routes/map/Page.svelte")].filter((file) => !shell.has(file));
const drawing = [...closure("src/map/zone-drawing.ts")].filter((file) => !shell.has(file) && !onlyMap.includes(file));
const workers = names.filter((name) => /worker.*\.m?js$/.test(name));

const lines = [
  ["first route (gzip)", gzipped(queue), FIRST_ROUTE_MAX],
  ["map (gzip)", gzipped(new Set([...onlyMap, ...workers])), MAP_MAX],
  ["drawing zones (gzip)", gzipped(drawing), DRAWING_MAX],
  ["whole build without fonts", whole, WHOLE_MAX],
];
for (const [name, size, max] of lines) {
  console.log(`${size > max ? "TOO LARGE" : "ok       "} ${name.padEnd(28)} ${(size / KB).toFixed(1).padStart(8)} kB of ${max / KB}`);
}
process.exitCode = lines.some(([, size, max]) => size > max) ? 1 : 0;
