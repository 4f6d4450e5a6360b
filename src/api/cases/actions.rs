//! What people do in a case: one event at a time under `If-Match`, many cases at once, and opening one for what somebody told.
//!
//! A request never brings an event as it is stored: hashes, times, names and the results of checks are made here.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use motorpool_supervision::cases::{
    Actor, Agreement, Audience, Basis, Case, CaseEvent, CaseKey, CasePolicy, Closing, Event, Frozen, Item,
    ItemCheck, Ladder, PersonId, Refused, Sha256Sum, Source, Stage, Subject, after_decision, allowed, submit,
    submit_opening,
};
use motorpool_supervision::evidence::Copy;
use motorpool_supervision::finding::FindingId;
use motorpool_supervision::ids::UnitId;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::auth::Acting;
use super::super::desk::Desk;
use super::super::extract::{Body, Id};
use super::super::problem::{Code, Problem, ProblemBody};
use super::{CaseView, files};
use crate::registry::{ATTACHMENT_BYTES_MAX, NewAttachment};
use crate::supervision::cases::{case_id, system_line};

/// Lines of one bulk request.
const LINES_MAX: usize = 200;

/// What somebody does in a case.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(in super::super) enum Deed {
    /// Give it to somebody, or to nobody.
    Assign {
        /// The person's number; nobody when absent.
        to: Option<i64>,
    },
    /// 核查: the check begins. The evidence is frozen: the full pack is made, kept, and its SHA-256 written into the log.
    StartChecking,
    /// 待说明: ask the unit. The clock of 3, 5 and 7 workdays begins.
    AskExplanation {
        /// What is asked.
        question: String,
        /// The unit, by number; the unit under review when absent.
        to: Option<i64>,
        /// Other workdays than 3, 5 and 7.
        #[schema(value_type = Option<Object>)]
        ladder: Option<Ladder>,
    },
    /// 已说明: answer. Each item is held against the track at once.
    FileExplanation {
        /// What is claimed, item by item.
        #[serde(default)]
        #[schema(value_type = Vec<Object>)]
        items: Vec<Item>,
        /// In words.
        #[serde(default)]
        text: String,
    },
    /// The driver's own statement.
    MakeStatement {
        /// In the driver's words.
        text: String,
    },
    /// A remark.
    Comment {
        /// `reviewers` or `everybody`.
        #[schema(value_type = String)]
        audience: Audience,
        /// In words.
        text: String,
    },
    /// Decide about an item by hand.
    CheckItem {
        /// Which, counted from 0 through all explanations of the case.
        item: u32,
        /// `agrees`, `differs` or `unverifiable`.
        #[schema(value_type = String)]
        result: Agreement,
        /// In words.
        text: String,
    },
    /// Look at late paper.
    CheckPaper {
        /// The flag it speaks to.
        #[schema(value_type = String)]
        flag: FindingId,
        /// Whether it is believed.
        is_accepted: bool,
        /// In words.
        text: String,
    },
    /// Propose an ending that takes a second person.
    ProposeClosing {
        /// It.
        #[schema(value_type = Object)]
        closing: Closing,
    },
    /// Agree, as the second person.
    ConfirmClosing {
        /// In words; may be empty.
        #[serde(default)]
        text: String,
    },
    /// Do not agree, or take it back.
    RejectClosing {
        /// Why.
        text: String,
    },
    /// Close, where one person may.
    Close {
        /// How.
        #[schema(value_type = Object)]
        closing: Closing,
    },
    /// 移送问题线索, where one person may.
    HandOver {
        /// Why.
        text: String,
    },
    /// 重开.
    Reopen {
        /// Why.
        text: String,
    },
    /// 保密核查 begins.
    MakeConfidential {
        /// Why.
        text: String,
    },
    /// 保密核查 ends.
    Release {
        /// Why.
        text: String,
    },
}

/// The events of a deed, before anybody asked whether they are allowed.
async fn event_of(desk: &Desk, actor: &Actor, case: &Case, deed: Deed) -> Result<Event, Problem> {
    Ok(match deed {
        Deed::Assign { to } => assigned(desk, to).await?,
        Deed::StartChecking => {
            // Making a pack costs seconds: whoever may not, and a case where it is not the time, are told before.
            allowed(case, actor, motorpool_supervision::cases::Action::CheckingStarted, &desk.units)?;
            if case.stage != Stage::New {
                return Err(Problem::new(Code::Conflict).detail("the check has begun already"));
            }
            let _place = desk.data().heavy_place()?;
            Event::CheckingStarted { evidence: freeze(desk, actor, case).await? }
        }
        Deed::AskExplanation { question, to, ladder } => Event::ExplanationAsked {
            to: to.map_or(case.unit, UnitId),
            question,
            delivered_at: desk.now.max(case.changed_at),
            ladder: ladder.unwrap_or_default(),
        },
        Deed::FileExplanation { items, text } => Event::ExplanationFiled { items, text },
        Deed::MakeStatement { text } => Event::StatementMade { text },
        Deed::Comment { audience, text } => Event::Commented { audience, text },
        Deed::CheckItem { item, result, text } => {
            let check = ItemCheck { result, basis: Basis::Reviewer { text }, measures: Vec::new() };
            Event::ItemChecked { item, check }
        }
        Deed::CheckPaper { flag, is_accepted, text } => Event::PaperChecked { flag, is_accepted, text },
        Deed::ProposeClosing { closing } => Event::ClosingProposed { closing },
        Deed::ConfirmClosing { text } => Event::ClosingConfirmed { text },
        Deed::RejectClosing { text } => Event::ClosingRejected { text },
        Deed::Close { closing } => Event::Closed { closing },
        Deed::HandOver { text } => Event::HandedOver { text },
        Deed::Reopen { text } => Event::Reopened { text },
        Deed::MakeConfidential { text } => Event::MadeConfidential { text },
        Deed::Release { text } => Event::Released { text },
    })
}

/// A case is given to a person with an account, or with a token of its own.
async fn assigned(desk: &Desk, to: Option<i64>) -> Result<Event, Problem> {
    let Some(number) = to else { return Ok(Event::Assigned { to: None, name: String::new() }) };
    let name = desk.person_name(number).await?;
    let name = name.ok_or_else(|| Problem::field("/to", "there is no person with this number"))?;
    Ok(Event::Assigned { to: Some(PersonId(number)), name })
}

/// Makes the full pack, keeps it with the case's files, and names it by its hash.
async fn freeze(desk: &Desk, actor: &Actor, case: &Case) -> Result<Frozen, Problem> {
    let id = case_id(case.key);
    let made = desk.pack(&id, Copy::Full, &actor.name).await.map_err(files::no_pack)?;
    let sha256 = Sha256Sum(Sha256::digest(&made.bytes).into());
    if made.bytes.len() <= ATTACHMENT_BYTES_MAX {
        let file = NewAttachment {
            name: files::pack_name(&id),
            case_id: id,
            media_type: "application/zip".to_owned(),
            bytes: made.bytes,
        };
        desk.attach(file, &actor.name).await?;
    } else {
        tracing::warn!(
            case = id,
            bytes = made.bytes.len(),
            "the frozen pack is too large to be kept: only its hash is"
        );
    }
    Ok(Frozen { sha256, registry_change: made.registry_change })
}

/// The lines that follow an event of a person at once: checks of what was claimed, and what a blind lot makes of a decision.
async fn consequences(
    desk: &Desk,
    event: &Event,
    before: &Case,
    after: &mut Case,
) -> Result<Vec<CaseEvent>, Problem> {
    let mut events = Vec::new();
    if let Event::ExplanationFiled { items, .. } = event {
        let checks = desk.check_items(before, items).await?;
        let first = u32::try_from(before.items.len()).unwrap_or(u32::MAX);
        events.extend((first..).zip(checks).map(|(item, check)| Event::ItemChecked { item, check }));
    }
    events.extend(after_decision(after));
    Ok(events.into_iter().filter_map(|event| system_line(after, event, desk.now)).collect())
}

/// Does a deed in a case that stands at `seq` as its viewer sees it.
async fn perform(desk: &Desk, id: &str, seq: Option<u32>, deed: Deed) -> Result<Case, Problem> {
    desk.actor()?;
    let (case, seen) = desk.case(id).await?;
    let actor = desk.actor_in(&case)?;
    if seq.is_some_and(|seq| seq != seen.seq) {
        return Err(Problem::new(Code::PreconditionFailed).detail(format!("the case stands at {}", seen.seq)));
    }
    let event = event_of(desk, &actor, &case, deed).await?;
    put(desk, &actor, &case, event).await
}

/// Puts an event of a person into a case, with what follows from it.
pub(super) async fn put(desk: &Desk, actor: &Actor, case: &Case, event: Event) -> Result<Case, Problem> {
    let policy = CasePolicy::default();
    let submitted = submit(case, actor, desk.now, event, &desk.units, &policy);
    let (line, mut after) = submitted.map_err(|refused| told_of(desk, case, refused))?;
    let mut lines = vec![line];
    if let Some(line) = lines.first() {
        let following = consequences(desk, &line.event, case, &mut after).await?;
        lines.extend(following);
    }
    desk.append(&after, &lines).await?;
    Ok(after)
}

/// Why an event was refused. Where the case stands since it was handed over is told to nobody who does not see that.
fn told_of(desk: &Desk, case: &Case, refused: Refused) -> Problem {
    let goes_on = |case: &Case| case.at_hand_over.is_some();
    let sees_all = desk.seen(case).is_some_and(|seen| goes_on(&seen) == goes_on(case));
    match refused {
        Refused::Misfit(_) if !sees_all => {
            Problem::new(Code::Conflict).detail("not possible where the case stands")
        }
        refused => refused.into(),
    }
}

/// The number in `If-Match`, which must be there; `None` for `*`.
fn expected(headers: &HeaderMap) -> Result<Option<u32>, Problem> {
    let value = headers.get(header::IF_MATCH).ok_or_else(|| {
        Problem::new(Code::PreconditionRequired).detail("send the ETag of the case as you have read it")
    })?;
    let text = value.to_str().unwrap_or("").trim();
    if text == "*" {
        return Ok(None);
    }
    let number =
        text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| Problem::new(Code::PreconditionFailed).detail("If-Match is no tag of a case"))
}

/// Do something in a case
///
/// The answer is the case as the caller sees it afterwards. A request that is sent twice fails the second time, because the tag has
/// changed.
#[utoipa::path(post, path = "/api/v1/cases/{id}/events", tag = "cases", request_body = Deed,
    params(
        ("id" = String, Path, description = "The case"),
        ("If-Match" = String, Header, description = "The `ETag` of the case as the caller has read it"),
    ),
    responses(
        (status = 200, body = CaseView),
        (status = 204, description = "Done; the case is hidden from the caller now"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn act(
    Acting(granted): Acting,
    State(state): State<ApiState>,
    Id(id): Id,
    headers: HeaderMap,
    Body(deed): Body<Deed>,
) -> Result<Response, Problem> {
    let desk = Desk::of(&state, &granted).await?;
    desk.actor()?;
    // Whether the case exists at all comes before the form of the request.
    desk.case(&id).await?;
    let seq = expected(&headers)?;
    let after = perform(&desk, &id, seq, deed).await?;
    tracing::info!(caller = granted.id(), case = id, seq = after.seq, "case changed");
    // Somebody may lose sight of a case by what they do, for example when it is handed over.
    match desk.seen(&after) {
        Some(seen) => Ok(CaseView::of(&desk, &after, &seen).await?.answer()),
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// The same or other things to do in several cases.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct BulkRequest {
    /// At most 200; each is done or refused on its own.
    lines: Vec<BulkLine>,
}

/// Something to do in one case.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct BulkLine {
    /// The case.
    case: String,
    /// Number of its last event as the caller has read it.
    seq: u32,
    /// What to do.
    deed: Deed,
}

/// What became of the lines, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct BulkAnswer {
    /// One entry for each line.
    items: Vec<BulkResult>,
    /// How many were refused.
    refused: usize,
}

/// What became of one line.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct BulkResult {
    /// The case.
    case: String,
    /// Number of the last event that the caller sees now; absent when the line was refused, or the case is hidden from the caller now.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u32>,
    /// Why it was refused, as the code of a problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    code: Option<&'static str>,
    /// What happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Do something in many cases
#[utoipa::path(post, path = "/api/v1/cases/bulk", tag = "cases", request_body = BulkRequest, responses(
    (status = 200, body = BulkAnswer, description = "What became of each line, in the order of the request"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn act_on_many(
    Acting(granted): Acting,
    State(state): State<ApiState>,
    Body(request): Body<BulkRequest>,
) -> Result<Json<BulkAnswer>, Problem> {
    if request.lines.len() > LINES_MAX {
        return Err(Problem::field("/lines", format!("holds more than {LINES_MAX} lines")));
    }
    let desk = Desk::of(&state, &granted).await?;
    desk.actor()?;
    let mut items = Vec::with_capacity(request.lines.len());
    for BulkLine { case, seq, deed } in request.lines {
        items.push(match perform(&desk, &case, Some(seq), deed).await {
            Ok(after) => {
                tracing::info!(caller = granted.id(), case, seq = after.seq, "case changed");
                BulkResult { case, seq: desk.seen(&after).map(|seen| seen.seq), code: None, detail: None }
            }
            Err(problem) => {
                let (code, detail) = problem.told();
                BulkResult { case, seq: None, code: Some(code), detail }
            }
        });
    }
    let refused = items.iter().filter(|item| item.code.is_some()).count();
    Ok(Json(BulkAnswer { items, refused }))
}

/// Puts what somebody told into a case that is hidden from whoever tells it, for those who work on it.
async fn pass_on(desk: &Desk, mut hidden: Case, by: &Actor, told: String) -> Result<(), Problem> {
    let text = format!("{}: {told}", by.name);
    let event = Event::Commented { audience: Audience::Reviewers, text };
    match event.check_limits().ok().and_then(|()| system_line(&mut hidden, event, desk.now)) {
        Some(line) => desk.append(&hidden, &[line]).await,
        None => Ok(()),
    }
}

/// A case for what somebody told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct OpenRequest {
    /// The vehicle, by number or plate.
    vehicle: String,
    /// The local day.
    #[schema(value_type = String, format = Date)]
    day: Date,
    /// What was told.
    text: String,
}

/// Open a case for what somebody told
#[utoipa::path(post, path = "/api/v1/cases", tag = "cases", request_body = OpenRequest, responses(
    (status = 200, body = CaseView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn open(
    Acting(granted): Acting,
    State(state): State<ApiState>,
    Body(request): Body<OpenRequest>,
) -> Result<Response, Problem> {
    let desk = Desk::of(&state, &granted).await?;
    desk.reviewer()?;
    let vehicle = desk.data().vehicle_id(&request.vehicle).await?;
    let at = desk.world.instant(request.day, 720);
    let row = desk.vehicle(vehicle, at).await?.ok_or(Problem::new(Code::VehicleNotFound))?;
    let unit = desk.world.using_unit(vehicle, at).unwrap_or(row.unit);
    let actor = desk.actor_for(unit)?;
    let told = request.text.clone();
    let key = CaseKey { subject: Subject::Vehicle(vehicle), day: request.day };
    let event = Event::Opened {
        key,
        unit,
        source: Source::Tip { text: request.text },
        flags: Vec::new(),
        parties: desk.parties_of_day(key, unit).await?,
        is_secret: row.is_secret,
    };
    let (line, case) =
        submit_opening(&actor, desk.now, event, &desk.units).map_err(|refused| match refused {
            // Cars on secret work do not exist for those without the grant.
            Refused::Denied(_) if row.is_secret => Problem::new(Code::VehicleNotFound),
            refused => refused.into(),
        })?;
    let id = case_id(case.key);
    match desk.load(&id).await? {
        None => desk.append(&case, &[line]).await?,
        Some(there) if desk.seen(&there).is_some() => {
            let why = format!("there is a case {id} already: comment on it");
            return Err(Problem::new(Code::Conflict).detail(why));
        }
        // Nobody learns of a hidden case by telling something: the answer is that of a new one.
        Some(hidden) => pass_on(&desk, hidden, &actor, told).await?,
    }
    tracing::info!(who = granted.recorded_as(), case = id, "case opened");
    Ok(CaseView::of(&desk, &case, &case).await?.answer())
}
