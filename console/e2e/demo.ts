/** Starts one demonstration for all tests: the program itself, on ports of the system's choice, in a folder that goes afterwards. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  export interface ProvidedContext {
    /** Where the demonstration's console answers, without a slash at the end. */
    address: string;
    /** Where trackers report to, HOST:PORT. */
    trackers: string;
    /** The token of programs. */
    token: string;
    /** The program, for its other commands. */
    program: string;
  }
}

const CARS = 60;
const START_MOST_MS = 150_000;
/** It steps back for everything else, also for the tests beside. */
const JUDGE_MOST_MS = 480_000;
const JUDGING_LOOK_MS = 1_500;
const CONFIG = '[trackers]\nlisten = "127.0.0.1:0"\n[mqtt]\nlisten = "127.0.0.1:0"\n[http]\nlisten = "127.0.0.1:0"\n';
/** What the demonstration says once its three weeks of history have arrived and its cars drive. */
const READY = "the cars drive live";

/** Resolves when the program says that it is ready; what it said before is in the error when it never does. */
function readiness(demo: ChildProcess): Promise<void> {
  return new Promise((settle, fail) => {
    let said = "";
    const timer = setTimeout(() => fail(new Error(`The demonstration does not start:\n${said}`)), START_MOST_MS);
    const note = (chunk: Buffer): void => {
      said += chunk.toString();
      if (!said.includes(READY)) return;
      clearTimeout(timer);
      settle();
    };
    demo.stdout?.on("data", note);
    demo.stderr?.on("data", note);
    demo.once("error", fail);
    demo.once("exit", (code) => fail(new Error(`The demonstration ended with ${code}:\n${said}`)));
  });
}

/** Waits until the history is judged: no day waits, and the count of cases stands still. What comes later would be news in a case
 * that somebody decides on. */
async function judged(address: string, token: string): Promise<void> {
  const headers = { authorization: `Bearer ${token}` };
  const deadline = Date.now() + JUDGE_MOST_MS;
  let before = "";
  while (Date.now() < deadline) {
    const answer = await fetch(`${address}/api/v1/cases?limit=1`, { headers });
    const { items, counts } = (await answer.json()) as { items: unknown[]; counts: unknown };
    const metrics = await (await fetch(`${address}/metrics`, { headers })).text();
    const waiting = Number(/^motorpool_supervision_waiting_days (\d+)$/m.exec(metrics)?.[1]);
    const now = JSON.stringify({ waiting, counts });
    if (items.length && waiting === 0 && now === before) return;
    before = now;
    await wait(JUDGING_LOOK_MS);
  }
  throw new Error(`The history is not judged: ${before}`);
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const program = resolve(process.env.MOTORPOOL_BIN ?? "../target/debug/motorpool");
  const folder = await mkdtemp(join(tmpdir(), "motorpool-e2e-"));
  const data = join(folder, "data");
  const config = join(folder, "motorpool.toml");
  await writeFile(config, CONFIG);
  const demo = spawn(program, ["demo", "--data", data, "--cars", String(CARS), "--config", config], { stdio: ["ignore", "pipe", "pipe"] });
  const stop = async (): Promise<void> => {
    if (demo.exitCode === null && demo.pid !== undefined) {
      demo.kill("SIGTERM");
      await once(demo, "exit");
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await readiness(demo);
    const { http, trackers } = JSON.parse(await readFile(join(data, "addresses.json"), "utf8")) as { http: string; trackers: string };
    const address = `http://${http}`;
    const token = (await readFile(join(data, "api-token"), "utf8")).trim();
    await judged(address, token);
    project.provide("address", address);
    project.provide("trackers", trackers);
    project.provide("token", token);
    project.provide("program", program);
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}
