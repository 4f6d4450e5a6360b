//! Who may see a case in a list, decided from its row alone.
//!
//! A row keeps what [`seen_by`] asks of a case besides its unit: without it a list or a count would have to fold every log.

use motorpool_supervision::cases::{
    Actor, Case, CaseEvent, CaseKey, Confidential, Event, FORMAT, Ladder, Party, PersonId, Request, Source,
    Stage, Subject, UnitTree, Viewer, seen_by,
};
use motorpool_supervision::ids::UnitId;
use serde::{Deserialize, Serialize};

use super::cases::word;
use crate::registry::CaseRow;

/// The key of a [`Sight`] in a row's summary.
pub(super) const SIGHT: &str = "sight";

/// Every stage, for reading a row's word.
const STAGES: [Stage; 6] =
    [Stage::New, Stage::Checking, Stage::ExplanationAsked, Stage::Explained, Stage::Proposed, Stage::Closed];

/// What decides who sees a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sight {
    is_secret: bool,
    is_blind: bool,
    /// Who keeps it confidential.
    confidential_by: Option<Actor>,
    /// The units that were asked.
    asked: Vec<UnitId>,
    parties: Vec<Party>,
    /// Where it stood when it was handed over.
    earlier: Option<String>,
}

impl Sight {
    pub(super) fn of(case: &Case) -> Self {
        Self {
            is_secret: case.is_secret,
            is_blind: case.is_blind(),
            confidential_by: case.confidential.as_ref().map(|kept| kept.by.clone()),
            asked: case.requests.iter().map(|request| request.to).collect(),
            parties: case.parties.clone(),
            earlier: case.at_hand_over.as_ref().map(|earlier| word(&earlier.stage)),
        }
    }

    /// A case that is seen by the same viewers in the same stage.
    fn outline(self, row: &CaseRow) -> Option<Case> {
        let opened = Event::Opened {
            key: CaseKey { subject: Subject::Vehicle(row.vehicle), day: row.day },
            unit: row.unit,
            source: Source::Rules,
            flags: Vec::new(),
            parties: self.parties,
            is_secret: self.is_secret,
        };
        let line = CaseEvent { v: FORMAT, seq: 1, at: row.updated_at, actor: Actor::system(), event: opened };
        let mut case = Case::open(&line).ok()?;
        case.stage = stage_of(&row.state)?;
        case.lot = self.is_blind.then_some(0);
        case.confidential = self.confidential_by.map(|by| Confidential { by, text: String::new() });
        case.requests = self
            .asked
            .into_iter()
            .map(|to| Request {
                to,
                question: String::new(),
                delivered_at: row.updated_at,
                ladder: Ladder::default(),
                step: None,
                is_answered: false,
            })
            .collect();
        if let Some(stage) = self.earlier.as_deref().and_then(stage_of) {
            case.at_hand_over = Some(Box::new(Case { stage, at_hand_over: None, ..case.clone() }));
        }
        Some(case)
    }
}

fn stage_of(state: &str) -> Option<Stage> {
    STAGES.into_iter().find(|stage| word(stage) == state)
}

/// The stage in which this viewer sees the case of a row; `None` when it does not exist for the viewer.
#[must_use]
pub fn stage_seen(row: &CaseRow, viewer: Viewer<'_>, units: &UnitTree) -> Option<Stage> {
    seen_by(&sight_of(row)?.outline(row)?, viewer, units).map(|seen| seen.stage)
}

fn sight_of(row: &CaseRow) -> Option<Sight> {
    serde_json::from_value(row.summary.get(SIGHT)?.clone()).ok()
}

/// The units that were asked in the case of a row.
#[must_use]
pub fn units_asked(row: &CaseRow) -> Vec<UnitId> {
    sight_of(row).map(|sight| sight.asked).unwrap_or_default()
}

/// Who is named in the case of a row.
pub(super) fn parties_of(row: &CaseRow) -> Vec<Party> {
    sight_of(row).map(|sight| sight.parties).unwrap_or_default()
}

/// Whether a case concerns somebody with this scope: the unit under review or one that was asked lies in it, or the person is named on
/// the paper. [`stage_seen`] decides whether it is seen then.
#[must_use]
pub fn row_reaches(row: &CaseRow, in_scope: impl Fn(UnitId) -> bool, person: Option<PersonId>) -> bool {
    if in_scope(row.unit) {
        return true;
    }
    let sight = sight_of(row);
    let is_party = |party: &Party| party.person.is_some() && party.person == person;
    sight.is_some_and(|sight| sight.asked.into_iter().any(in_scope) || sight.parties.iter().any(is_party))
}
