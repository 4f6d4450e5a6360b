/** A car of the tests' own: entered into the registers and driven over the trackers' socket, so that it moves at any hour of any day. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inject } from "vitest";

const TERMINAL = "013911110001";
export const PLATE = "演T00001";
const FIXES = 90;
const SPEED_KMH = 36;
const FROM = { lat: 40.2, lon: 102 };
/** Eastwards, so far in a second at that speed. */
const STEP_DEG = 0.000_117;

async function post<T>(path: string, body: unknown): Promise<T> {
  const headers = { authorization: `Bearer ${inject("token")}`, "content-type": "application/json" };
  const response = await fetch(`${inject("address")}/api/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return (await response.json()) as T;
}

/** A fix each second from now on. */
function trackFrom(begin: number): string {
  const rows = Array.from({ length: FIXES }, (_, second) => {
    const time = new Date(begin + second * 1_000).toISOString();
    return [TERMINAL, time, FROM.lat, (FROM.lon + second * STEP_DEG).toFixed(7), SPEED_KMH, 90].join(",");
  });
  return ["device,time_utc,lat,lon,speed_kmh,heading", ...rows].join("\n");
}

export interface DrivenCar {
  /** Its number in the live feed. */
  device: number;
  stop(): Promise<void>;
}

/** Gives the unit a car, and drives it eastwards as fast as time passes until it is stopped. */
export async function driveCar(unit: number): Promise<DrivenCar> {
  const { items } = await post<{ items: { device: number }[] }>("devices", { devices: [{ protocol: "jt808", terminal: TERMINAL }] });
  const device = items[0]?.device;
  if (device === undefined) throw new Error("the terminal is not enrolled");
  const { id } = await post<{ id: number }>("registers/vehicle", { row: { plate: PLATE, unit, class: "other" } });
  await post("registers/binding", { row: { device, vehicle: id, is_primary: true } });

  const folder = await mkdtemp(join(tmpdir(), "motorpool-car-"));
  const file = join(folder, "track.csv");
  await writeFile(file, trackFrom(Date.now()));
  const replay: ChildProcess = spawn(inject("program"), ["replay", file, "--to", inject("trackers"), "--speed", "1"], { stdio: "ignore" });
  const stop = async (): Promise<void> => {
    replay.kill("SIGTERM");
    await rm(folder, { recursive: true, force: true });
  };
  return { device, stop };
}
