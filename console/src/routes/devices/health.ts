import type { Schema } from "../../api/types";
import type { Position } from "../../fleet/bindings";

// Devices and proposals have different states under one name in the API document; this one's are words of devices.
export type Device = Omit<Schema<"Page_DeviceView">["items"][number], "state"> & { state: string };
export type Quarantined = Schema<"QuarantinedView">;
export type Status = Schema<"StatusView">;

/** Alarms of the device itself that point at its wiring, its antenna or its supply. */
export const WIRING_ALARMS: ReadonlySet<string> = new Set([
  "gnss_fault",
  "gnss_antenna_open",
  "gnss_antenna_short",
  "main_power_undervoltage",
  "main_power_lost",
]);

/** Receivers are right to the second, and our own clock may be off by a little. */
export const AHEAD_MAX_S = 60;

/** Marks of the server on a fix whose time can't be. */
const CLOCK_MARKS: ReadonlySet<string> = new Set(["time_invalid", "clock_suspect"]);

export type Fault = "offline" | "no_fix" | "clock" | "wiring";
export const FAULTS: readonly Fault[] = ["offline", "no_fix", "clock", "wiring"];

export interface Health {
  device: Device;
  isOnline: boolean;
  /** Whether there is a report of it to judge by: without one it is neither well nor ill. */
  isKnown: boolean;
  /** Whether its last report had a place; null when there is none. */
  hasFix: boolean | null;
  /** How far its clock runs ahead of the server's at least, seconds. A clock that is behind looks like an old report. */
  aheadS: number;
  alarms: string[];
  receivedAt: number | null;
  faults: Fault[];
}

// A parked car reports rarely, and what was stored comes late: only a time in the future tells of a wrong clock.
function aheadOf(position: Position | undefined): number {
  if (!position?.fix_time || !position.received_at) return 0;
  return Math.max(0, (Date.parse(position.fix_time) - Date.parse(position.received_at)) / 1000);
}

/** What can be told about a device from its link and its last report. */
export function healthOf(device: Device, position: Position | undefined): Health {
  const isOnline = device.links > 0;
  const hasFix = position?.fix_time ? Boolean(position.valid) : null;
  const aheadS = aheadOf(position);
  const alarms = (position?.alarms ?? []).filter((alarm) => WIRING_ALARMS.has(alarm));
  const faults: Fault[] = [];
  if (!isOnline) faults.push("offline");
  if (hasFix === false) faults.push("no_fix");
  if (aheadS > AHEAD_MAX_S || position?.quality.some((mark) => CLOCK_MARKS.has(mark))) faults.push("clock");
  if (alarms.length) faults.push("wiring");
  return { device, isOnline, isKnown: position?.received_at != null, hasFix, aheadS, alarms, receivedAt: position?.received_at ? Date.parse(position.received_at) : null, faults };
}

export interface Summary {
  devices: number;
  online: number;
  /** Devices whose last report says whether it had a place. */
  reporting: number;
  fixed: number;
  /** Devices of which no report is known. */
  unknown: number;
  counts: Record<Fault, number>;
}

export function summaryOf(all: readonly Health[]): Summary {
  const counts: Record<Fault, number> = { offline: 0, no_fix: 0, clock: 0, wiring: 0 };
  for (const { faults } of all) for (const fault of faults) counts[fault] += 1;
  return {
    devices: all.length,
    online: all.filter(({ isOnline }) => isOnline).length,
    reporting: all.filter(({ hasFix }) => hasFix !== null).length,
    fixed: all.filter(({ hasFix }) => hasFix).length,
    unknown: all.filter(({ isKnown }) => !isKnown).length,
    counts,
  };
}

/** Whether a text is the form of a vehicle identification number: 17 signs without I, O and Q (ISO 3779). */
export const isVin = (text: string): boolean => /^[A-HJ-NPR-Z0-9]{17}$/.test(text.trim().toUpperCase());
