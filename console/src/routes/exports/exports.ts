import type { Schema } from "../../api/types";
import type { Fleet } from "../../fleet/fleet";
import { addDays, instantOf } from "../../time/zone";

export type Export = Schema<"ExportView">;
export type Format = Schema<"ExportFormat">;

/** The formats, those that most people want first. */
export const FORMATS: readonly Format[] = ["xlsx", "csv", "geojson", "gpx", "kml", "parquet", "geoparquet"];

/** Cars that one export names at most. */
const PLATES_MAX = 1_000;

/** A new export as it is being filled in. */
export interface Draft {
  whose: "unit" | "cars";
  /** The unit's number; empty for none. */
  unit: string;
  /** Plates as they were typed. */
  plates: string;
  /** The first and the last day. */
  from: string;
  to: string;
  format: Format;
  purpose: string;
}

/** Plates as people type them: anything but letters, digits and the dot between them stands between two. */
export const platesOf = (text: string): string[] => [...new Set(text.split(/[\s,，;；、]+/).filter(Boolean))].slice(0, PLATES_MAX);

/** The plates that no car in sight has. */
export const unknownPlates = (text: string, fleet: Fleet): string[] => platesOf(text).filter((plate) => !fleet.withPlate(plate));

/** Whether everything is there that the server asks for. */
export function isWhole(draft: Draft, fleet: Fleet): boolean {
  const whose = draft.whose === "unit" ? Boolean(draft.unit) : platesOf(draft.plates).length > 0 && unknownPlates(draft.plates, fleet).length === 0;
  return whose && Boolean(draft.from && draft.to) && draft.from <= draft.to && draft.purpose.trim().length >= 2;
}

/** What the server is asked for: whole days of the fleet's time zone. */
export function requestOf(draft: Draft, fleet: Fleet): Schema<"ExportBody"> {
  const whose =
    draft.whose === "unit" ? { unit: draft.unit } : { vehicles: platesOf(draft.plates).map((plate) => String(fleet.withPlate(plate)?.id ?? plate)) };
  return {
    ...whose,
    format: draft.format,
    from: new Date(instantOf(draft.from)).toISOString(),
    to: new Date(instantOf(addDays(draft.to, 1))).toISOString(),
    purpose: draft.purpose.trim(),
  };
}

/** Whether it waits or is being written. */
export const isOpen = ({ state }: Pick<Export, "state">): boolean => state === "queued" || state === "running";

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** A size as people say it: `1.4 MB`. */
export function sizeText(bytes: number, locale: string): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1_000 && unit < UNITS.length - 1) [value, unit] = [value / 1_000, unit + 1];
  const digits = unit && value < 10 ? 1 : 0;
  return `${value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${UNITS[unit]}`;
}
