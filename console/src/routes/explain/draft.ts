import type { Claim } from "../../cases/types";
import { drafts } from "../../parts/drafts";
import { addDays, instantOf } from "../../time/zone";

/** An answer as it is being written: empty rows are left out when it is sent. */
export interface Draft {
  places: { text: string; from: string; to: string }[];
  people: { name: string }[];
  documents: { no: string; attachment?: string; file?: string }[];
  text: string;
}

export const emptyDraft = (): Draft => ({
  places: [{ text: "", from: "", to: "" }],
  people: [{ name: "" }],
  documents: [{ no: "" }],
  text: "",
});

const keyOf = (id: string): string => `${id}.explanation`;

/** The draft that this tab keeps of a case, for the person who writes it. */
export function keptDraft(id: string): Draft {
  try {
    const value: unknown = JSON.parse(drafts.of(keyOf(id)) || "null");
    const isDraft = typeof value === "object" && value !== null && ["places", "people", "documents"].every((part) => Array.isArray((value as Record<string, unknown>)[part]));
    return isDraft ? { ...emptyDraft(), ...(value as Draft) } : emptyDraft();
  } catch {
    return emptyDraft();
  }
}

/** Keeps a draft; one without content is forgotten. */
export function keepDraft(id: string, draft: Draft): void {
  const text = JSON.stringify(draft);
  drafts.keep(keyOf(id), text === JSON.stringify(emptyDraft()) ? "" : text);
}

/** Whether a stay ends the day after: no stay ends before it begins. */
export const isNextDay = ({ from, to }: { from: string; to: string }): boolean => Boolean(from && to) && to < from;

/** What the draft claims, on the local day of the case. */
export function claimsOf(draft: Draft, day: string): Claim[] {
  const places = draft.places
    .filter(({ text, from, to }) => text.trim() && from && to)
    .map(({ text, from, to }): Claim => {
      const begins = instantOf(day, from);
      const ends = isNextDay({ from, to }) ? instantOf(addDays(day, 1), to) : instantOf(day, to);
      return { claim: "place", place: { text: text.trim() }, from: new Date(begins).toISOString(), to: new Date(ends).toISOString() };
    });
  const people = draft.people.filter(({ name }) => name.trim()).map(({ name }): Claim => ({ claim: "person", name: name.trim() }));
  const documents = draft.documents
    .filter(({ no, attachment }) => no.trim() || attachment)
    .map(({ no, attachment, file }): Claim => ({ claim: "document", no: no.trim() || (file ?? ""), ...(attachment ? { attachment } : {}) }));
  return [...places, ...people, ...documents];
}
