import type { Schema } from "../api/types";

export type QueuedCase = Omit<Schema<"Page_QueuedCase">["items"][number], "why"> & { why: Contribution[] };
export type Deed = Schema<"Deed">;
export type Sentences = Schema<"Sentences">;

export const STAGES = ["new", "checking", "explanation_asked", "explained", "proposed", "closed"] as const;
export type Stage = (typeof STAGES)[number];
export type Colour = "green" | "yellow" | "red" | "grey";

export interface Actor {
  name: string;
  person: number;
  roles: string[];
  unit_path: number[];
}

export type FlagStanding =
  | { status: "holds" }
  | { status: "awaits_paper_check"; order_no: string; recorded_at: string }
  | { status: "superseded"; by: string }
  | { status: "gone"; reason: unknown };

export interface CaseFlag {
  id: string;
  rule: string;
  rule_version: number;
  colour: Colour;
  nature: string;
  aspect?: string;
  from: string;
  to: string;
  unit: number;
  standing: FlagStanding;
}

export interface Said {
  seq: number;
  at: string;
  by: Actor;
  text: string;
  audience: "reviewers" | "everybody";
}

export interface ExplanationRequest {
  to: number;
  question: string;
  delivered_at: string;
  ladder: { unit_manager_workdays: number; bureau_leader_workdays: number; discipline_office_workdays: number };
  step: "unit_manager" | "bureau_leader" | "discipline_office" | null;
  is_answered: boolean;
}

export type Claim =
  | { claim: "place"; place: { text: string }; from: string; to: string }
  | { claim: "departure"; at: string }
  | { claim: "arrival"; at: string }
  | { claim: "person"; name: string }
  | { claim: "document"; no: string; attachment?: string };

export type Agreement = "agrees" | "differs" | "unverifiable";

export interface ItemCheck {
  result: Agreement;
  basis: string;
  /** Of an order, where the basis names one. */
  no?: string;
  names?: string[];
  text?: string;
  measures?: { name: string; value: number; limit?: number }[];
}

export type CaseItem = Claim & { seq: number; text?: string; checks: ItemCheck[] };

export type Closing = { text: string } & (
  | { disposition: "normal"; reason: string }
  | { disposition: "management_problem"; remedy: string }
  | { disposition: "handed_over" }
  | { disposition: "violation"; kind: string }
);

export interface Decision {
  at: string;
  space: "office" | "inspection";
  closing: Closing;
  by: Actor;
  confirmed_by: Actor | null;
}

export interface Attachment {
  sha256: string;
  name: string;
  size_bytes: number;
}

/** The state of a case as the server folds it. */
export interface CaseState {
  key: { day: string; subject: { vehicle?: number; unit?: number } };
  unit: number;
  stage: Stage;
  space: "office" | "inspection";
  source: { from: "rules" } | { from: "sample"; plan: number } | { from: "tip"; text: string };
  flags: CaseFlag[];
  parties: { part: string; name: string; person?: number }[];
  assignee: [number, string] | null;
  attachments: Attachment[];
  comments: Said[];
  statements: Said[];
  explanations: Said[];
  items: CaseItem[];
  requests: ExplanationRequest[];
  proposal: { by: Actor; closing: Closing; from: Stage } | null;
  decisions: Decision[];
  reopenings: Said[];
  returns: unknown[];
  evidence: { sha256: string; registry_change: number } | null;
  confidential: { by: Actor; text: string } | null;
  is_secret: boolean;
  lot: number | null;
  opened_at: string;
  changed_at: string;
}

export type CaseView = Omit<Schema<"CaseView">, "case"> & { case: CaseState };

/** One line of a case's log. */
export interface CaseEvent {
  seq: number;
  at: string;
  actor: Actor;
  event: { type: string } & Record<string, unknown>;
}

/** A point of a case's rank. */
export interface Contribution {
  reason: string;
  points: number;
  rule?: string;
  days?: number;
  percent?: number;
  count?: number;
  rules?: number;
  signals?: string[];
  colour?: Colour;
}

/** What somebody may do by the case's stage; the roles are the server's to say, in `allowed`. */
const POSSIBLE: Record<string, readonly Stage[]> = {
  checking_started: ["new"],
  explanation_asked: ["checking", "explained"],
  explanation_filed: ["explanation_asked", "explained"],
  statement_made: ["explanation_asked"],
  item_checked: ["new", "checking", "explanation_asked", "explained", "proposed"],
  closing_proposed: ["checking", "explanation_asked", "explained"],
  closed: ["checking", "explanation_asked", "explained"],
  handed_over: ["new", "checking", "explanation_asked", "explained", "proposed"],
  closing_confirmed: ["proposed"],
  closing_rejected: ["proposed"],
  reopened: ["closed"],
};

/** Whether a hand-over by this person is one to themselves: inspectors take up what the office had, the office gives it to them. */
export const isTakingUp = ({ roles }: Pick<Actor, "roles">): boolean => roles.some((role) => role.endsWith("inspector"));

/** Whether the case is in the person's hands: then its log and its full evidence are not hidden either. */
export const isInHands = (view: { allowed: string[] }): boolean => view.allowed.includes("assigned");

/** Of two readings of a case the later one: an answer that was asked for early may come late, and must not take a case back. */
export const laterOf = <Read extends { id: string; seq: number }>(known: Read | null, found: Read): Read =>
  known?.id === found.id && known.seq > found.seq ? known : found;

/** Whether an action makes sense now: the person may, and the case stands right. */
export function canDo(view: { allowed: string[]; case: { stage: Stage } }, action: string): boolean {
  const stages = POSSIBLE[action];
  return view.allowed.includes(action) && (!stages || stages.includes(view.case.stage));
}
