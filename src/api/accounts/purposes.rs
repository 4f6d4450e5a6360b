//! What for: a purpose opens what a person did, for one log-in, one car or case, one day.

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::auth::TripsReader;
use super::super::data::desk::Desk;
use super::super::data::{Data, deed_of};
use super::super::extract::Body;
use super::super::problem::{Code, Problem, ProblemBody};
use crate::accounts::Permission;
use crate::accounts::chain::Deed;
use crate::registry::accounts::NewPurpose;

/// Characters of a purpose.
const TEXT_CHARS: std::ops::RangeInclusive<usize> = 2..=500;

/// A vehicle by number or plate.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum VehicleName {
    Number(i64),
    Plate(String),
}

impl std::fmt::Display for VehicleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Plate(plate) => plate.fmt(f),
        }
    }
}

/// What for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct PurposeRequest {
    /// The vehicle, by number or plate.
    #[schema(value_type = Option<String>)]
    vehicle: Option<VehicleName>,
    /// The case; it opens the tracks of its vehicle too.
    case: Option<String>,
    /// In words, 2 to 500 characters.
    #[schema(example = "核查 3 月 4 日夜间行驶")]
    text: String,
}

/// A purpose that holds.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct PurposeView {
    /// Its number.
    id: i64,
    /// The vehicle it holds for.
    vehicle: Option<i64>,
    /// The case it holds for.
    case: Option<String>,
    /// The local day on which it holds.
    #[schema(value_type = String, format = Date)]
    day: Date,
}

/// Say what for, before opening a person's track, the trips of one vehicle, or the evidence of a case
#[utoipa::path(post, path = "/api/v1/purposes", tag = "accounts", request_body = PurposeRequest, responses(
    (status = 200, body = PurposeView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn state_purpose(
    TripsReader(granted): TripsReader,
    State(state): State<ApiState>,
    Body(request): Body<PurposeRequest>,
) -> Result<Json<PurposeView>, Problem> {
    let login = granted.login().zip(granted.account().map(|account| account.id));
    let (login, account) =
        login.ok_or_else(|| Problem::new(Code::Forbidden).detail("a token states no purpose"))?;
    let text = request.text.trim();
    if !TEXT_CHARS.contains(&text.chars().count()) {
        return Err(Problem::field("/text", "must have 2 to 500 characters"));
    }
    let data: Data = state.data(&granted).await?;
    let vehicle = match &request.vehicle {
        Some(name) => Some(data.vehicle_id(&name.to_string()).await?),
        None => None,
    };
    if let Some(case) = &request.case {
        Desk::of(&state, &granted.also(Permission::CasesRead)?).await?.case(case).await?;
    }
    if vehicle.is_none() && request.case.is_none() {
        return Err(Problem::field("/vehicle", "a vehicle or a case must be given"));
    }
    let day = state.today()?;
    let case_id = request.case.as_deref();
    let deed = Deed {
        action: "purpose".to_owned(),
        vehicle: vehicle.map(|vehicle| vehicle.0),
        case_id: request.case.clone(),
        detail: text.to_owned(),
        ..deed_of(&granted)
    };
    let (new, now) = (NewPurpose { login, account, vehicle, case_id, day, text }, state.now());
    let id = state.people().telling(&deed, now).state_purpose(&new, now).await?;
    Ok(Json(PurposeView { id, vehicle: vehicle.map(|vehicle| vehicle.0), case: request.case, day }))
}
