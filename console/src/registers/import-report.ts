import type { Schema } from "../api/types";

export type FileAnswer = Schema<"FileAnswer">;
export type FileProblem = Schema<"FileProblem">;

/** Everything that is wrong with one row of a file. */
export interface ProblemRow {
  /** 1 = first line of the sheet; null for the file as a whole. */
  row: number | null;
  cells: FileProblem[];
}

/** Problems by row, the file as a whole first, then from the top. */
export function byRow(problems: readonly FileProblem[]): ProblemRow[] {
  const rows = new Map<number | null, FileProblem[]>();
  for (const problem of problems) {
    const row = problem.row ?? null;
    const cells = rows.get(row);
    if (cells) cells.push(problem);
    else rows.set(row, [problem]);
  }
  return [...rows].map(([row, cells]) => ({ row, cells })).sort((a, b) => (a.row ?? 0) - (b.row ?? 0));
}

/** How often each column is wrong, most often first: one wrong column spoils a whole file. */
export function byColumn(problems: readonly FileProblem[]): { column: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { column } of problems) if (column) counts.set(column, (counts.get(column) ?? 0) + 1);
  return [...counts].map(([column, count]) => ({ column, count })).sort((a, b) => b.count - a.count || a.column.localeCompare(b.column));
}

// A cell that begins like a formula would be run by whatever opens the list.
const cell = (text: string): string => `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;

/** The list as a file for whoever mends the sheet; with a mark that makes spreadsheets read it as UTF-8. */
export function problemsCsv(problems: readonly FileProblem[], header: readonly string[], language: "zh" | "en"): string {
  const lines = problems.map(({ row, column, value, zh, en }) => [row ? String(row) : "", column, value, language === "zh" ? zh : en]);
  return `\ufeff${[header, ...lines].map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}

/** What a file is sent as: the server goes by the content, this only says what it is meant to be. */
export const mediaType = (name: string): string =>
  /\.xlsx$/i.test(name) ? "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" : "text/csv";
