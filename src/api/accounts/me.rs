//! Who the caller is, and the own password and second factor.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::auth::Somebody;
use super::super::data::telling;
use super::super::extract::Body;
use super::super::problem::{Code, Problem, ProblemBody};
use super::GrantView;
use super::attempts::Attempt;
use crate::accounts::password::{self, Verdict};
use crate::accounts::{Caller, secrets, totp};
use crate::registry::accounts::Account;

/// Recovery codes of a second factor.
const RECOVERY_CODES: usize = 10;

/// Who the caller is.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct Me {
    /// The account; null of a token.
    account: Option<i64>,
    /// The log-in name, or that of the token.
    name: String,
    /// What others read.
    display_name: String,
    /// The person's number, as cases know it.
    person: Option<i64>,
    /// The unit the person belongs to.
    unit: Option<i64>,
    /// Its name.
    unit_name: Option<String>,
    /// The roles that hold.
    grants: Vec<GrantView>,
    /// What they allow somewhere.
    #[schema(value_type = Vec<String>, example = json!(["positions:read", "cases:read"]))]
    permissions: Vec<&'static str>,
    /// Whether the password must be changed before anything else.
    must_change_password: bool,
    /// Whether a second factor is in force.
    has_totp: bool,
    /// Whether everything is made up.
    is_demo: bool,
}

impl Me {
    pub(super) async fn of(state: &ApiState, caller: &Caller) -> Result<Self, Problem> {
        let account = caller.account();
        let stands_for = caller.stands_for();
        let unit = stands_for.and_then(|(_, _, unit)| unit);
        let unit_name = match unit {
            Some(unit) => state.unit_name(unit).await?,
            None => None,
        };
        Ok(Self {
            account: account.map(|account| account.id),
            name: account.map_or_else(|| caller.name().to_owned(), |account| account.name.clone()),
            display_name: caller.name().to_owned(),
            person: stands_for.map(|(person, ..)| person.0),
            unit: unit.map(|unit| unit.0),
            unit_name,
            grants: GrantView::all(state, caller.grants()).await?,
            permissions: caller.permissions().iter().map(|permission| permission.as_str()).collect(),
            must_change_password: account.is_some_and(|account| account.must_change_password),
            has_totp: account.is_some_and(|account| account.has_totp),
            is_demo: state.is_demo(),
        })
    }
}

/// Who the caller is and what it may do
#[utoipa::path(get, path = "/api/v1/me", tag = "accounts", responses(
    (status = 200, body = Me),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn me(
    Somebody(caller): Somebody,
    State(state): State<ApiState>,
) -> Result<Json<Me>, Problem> {
    Ok(Json(Me::of(&state, &caller).await?))
}

fn own(caller: &Caller) -> Result<&Account, Problem> {
    caller.account().ok_or_else(|| Problem::new(Code::Forbidden).detail("a token has no account"))
}

/// Whether this is the caller's password. Guesses count as those at the log-in do: a browser left open is no way around them.
async fn check_password(
    state: &ApiState,
    caller: &Caller,
    given: &str,
    pointer: &'static str,
) -> Result<(), Problem> {
    let account = own(caller)?;
    let attempt = Attempt::begin_at(state, &account.name, caller.ip()).await?;
    let stored = state.people().sign_in(&account.name).await?.and_then(|known| known.password);
    if state.hasher().verify(given, stored.as_deref()).await? == Verdict::Wrong {
        return Err(Problem::field(pointer, "is not the password"));
    }
    attempt.forgive(state).await
}

/// An old and a new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct PasswordRequest {
    /// The password as it is.
    #[schema(format = Password)]
    old: String,
    /// The password as it is to be: at least 12 characters.
    #[schema(format = Password, min_length = 12)]
    new: String,
}

/// Change the own password
///
/// Every other log-in of the account ends.
#[utoipa::path(post, path = "/api/v1/me/password", tag = "accounts", request_body = PasswordRequest, responses(
    (status = 204, description = "Changed"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn change_password(
    Somebody(caller): Somebody,
    State(state): State<ApiState>,
    Body(request): Body<PasswordRequest>,
) -> Result<StatusCode, Problem> {
    let account = own(&caller)?;
    password::check(&request.new, &account.name).map_err(|weak| Problem::field("/new", weak.to_string()))?;
    check_password(&state, &caller, &request.old, "/old").await?;
    if request.new == request.old {
        return Err(Problem::field("/new", "is the password as it was"));
    }
    let hash = state.hasher().hash(&request.new).await?;
    let (deed, now) = (telling(&caller, "password.change", String::new()), state.now());
    state.people().telling(&deed, now).set_password(account.id, &hash, caller.login(), now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A second factor that is not in force yet.
#[derive(Serialize, ToSchema)]
pub(in super::super) struct TotpView {
    /// The secret, Base32.
    secret: String,
    /// The address for a QR code.
    #[schema(example = "otpauth://totp/Motorpool:zhang?secret=…")]
    uri: String,
}

/// Make a second factor; it is in force once a code of it is confirmed
///
/// It takes the place of one that was not confirmed.
#[utoipa::path(post, path = "/api/v1/me/totp", tag = "accounts", request_body = OwnPassword, responses(
    (status = 200, body = TotpView),
    (status = 409, body = ProblemBody, content_type = "application/problem+json", description = "One is in force"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn propose_totp(
    Somebody(caller): Somebody,
    State(state): State<ApiState>,
    Body(request): Body<OwnPassword>,
) -> Result<Json<TotpView>, Problem> {
    let account = own(&caller)?;
    check_password(&state, &caller, &request.password, "/password").await?;
    let secret = secrets::random::<{ totp::SECRET_BYTES }>().map_err(|error| Problem::internal(&error))?;
    if !state.people().propose_totp(account.id, &secret).await? {
        return Err(Problem::new(Code::Conflict).detail("a second factor is in force: take it away first"));
    }
    Ok(Json(TotpView { secret: totp::base32(&secret), uri: totp::uri(&account.name, &secret) }))
}

/// A code of the second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct CodeRequest {
    /// Six digits.
    #[schema(example = "123456")]
    code: String,
}

/// What opens the account once each when the second factor is lost.
#[derive(Serialize, ToSchema)]
pub(in super::super) struct RecoveryCodes {
    /// To be kept on paper; nobody can read them again.
    recovery_codes: Vec<String>,
}

/// Put the second factor in force
#[utoipa::path(post, path = "/api/v1/me/totp/confirm", tag = "accounts", request_body = CodeRequest, responses(
    (status = 200, body = RecoveryCodes),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn confirm_totp(
    Somebody(caller): Somebody,
    State(state): State<ApiState>,
    Body(request): Body<CodeRequest>,
) -> Result<Json<RecoveryCodes>, Problem> {
    let account = own(&caller)?;
    let codes: Result<Vec<String>, _> = (0..RECOVERY_CODES).map(|_| secrets::recovery_code()).collect();
    let codes = codes.map_err(|error| Problem::internal(&error))?;
    let (deed, now) = (telling(&caller, "totp.confirm", String::new()), state.now());
    let people = state.people().telling(&deed, now);
    if !people.confirm_totp(account.id, request.code.trim(), &codes, now).await? {
        return Err(Problem::field("/code", "is not the code of a second factor that waits to be confirmed"));
    }
    Ok(Json(RecoveryCodes { recovery_codes: codes }))
}

/// The own password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct OwnPassword {
    /// The password.
    #[schema(format = Password)]
    password: String,
}

/// Take the own second factor away
#[utoipa::path(delete, path = "/api/v1/me/totp", tag = "accounts", request_body = OwnPassword, responses(
    (status = 204, description = "It is gone"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn remove_totp(
    Somebody(caller): Somebody,
    State(state): State<ApiState>,
    Body(request): Body<OwnPassword>,
) -> Result<StatusCode, Problem> {
    let account = own(&caller)?;
    check_password(&state, &caller, &request.password, "/password").await?;
    let deed = telling(&caller, "totp.remove", String::new());
    state.people().telling(&deed, state.now()).remove_totp(account.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
