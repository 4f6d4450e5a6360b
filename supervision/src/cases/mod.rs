//! Cases: what people do about flags. The flags of one subject and local day are one case; a case is an append-only log of
//! events, and its state is their fold.
//!
//! ```text
//! findings ─▶ grouping ─▶ events ─▶ state ─▶ ranking ─▶ the queue
//!   people ─▶ policy ───────┘ ▲        └───▶ policy::seen_by ─▶ what each may see
//!                 ladder, explanation, sampling
//! ```
//!
//! Nothing here stores, sends or reads a clock. A flag is a question; nothing in this module but a person's decision ever
//! says that somebody did wrong.

mod actor;
mod clearance;
mod events;
mod explanation;
mod flags;
mod grouping;
mod ladder;
mod policy;
mod ranking;
mod record;
mod sampling;
mod state;
mod terms;
mod units;

#[cfg(test)]
mod tests;

pub use actor::{Actor, PersonId, Role};
pub use clearance::{ClearanceApproval, ClearancePreview};
pub use events::{
    Action, CaseEvent, Event, EventError, FORMAT, LimitError, MAX_ATTACHMENT_BYTES, MAX_EVENT_BYTES,
    MAX_FLAGS, MAX_ITEMS, MAX_NAME_CHARS, MAX_TEXT_CHARS,
};
pub use explanation::{
    Agreement, Basis, CheckSettings, Claim, Item, ItemCheck, Known, MAX_CLAIM_MIN, Resolved, check_item,
};
pub use flags::{CaseFlag, Flag, FlagStatus, GoneReason};
pub use grouping::{Cause, Diff, after_change, after_decision, diff, group, open, parties};
pub use ladder::{Ladder, MAX_DAYS_AHEAD, MAX_WORKDAYS, Step, overdue};
pub use policy::{
    CasePolicy, Denied, Refused, Viewer, allowed, allowed_event, seen_by, submit, submit_opening, visible_to,
};
pub use ranking::{Contribution, History, Rank, RankWeights, Reason, Signal, Tier, default_points, rank};
pub use record::{CaseItem, Clearance, Confidential, Decision, Proposal, Request, Said, Space, Stage};
pub use sampling::{
    Candidate, MAX_CANDIDATES, MissRate, SampleError, SamplePlan, Seed, controls, draw, is_miss, miss_rate,
};
pub use state::{Case, FoldError, MAX_CASE_ATTACHMENTS, MAX_CASE_FLAGS, MAX_CASE_ITEMS, MAX_EVENTS, Misfit};
pub use terms::{
    Attachment, Audience, CaseKey, Closing, Disposition, Frozen, NormalReason, Part, Party, Remedy,
    ReturnReason, Sha256Sum, Source, Subject, ViolationKind,
};
pub use units::{MAX_UNIT_DEPTH, Reviewer, Reviewers, UnitTree};
