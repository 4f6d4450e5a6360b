//! Logging in and out, and the link that sets a password.
//!
//! Names that do not exist are counted, hashed and answered like those that do. How attempts are counted: [`super::attempts`].

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use motorpool_protocols::UtcMillis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::ApiState;
use super::super::auth::{self, Somebody};
use super::super::data::telling;
use super::super::extract::{Body, Id};
use super::super::problem::{Code, Problem, ProblemBody};
use super::attempts::Attempt;
use super::me::Me;
use crate::accounts::chain::Deed;
use crate::accounts::password::{self, Verdict};
use crate::accounts::{Caller, secrets};
use crate::registry::accounts::{Account, LinkUse, LoggedIn, NewLogin, NewPassword, login_name};

/// Where a door is knocked at from.
pub(in super::super) struct Door {
    peer: IpAddr,
    headers: HeaderMap,
}

impl<S: Send + Sync> FromRequestParts<S> for Door {
    type Rejection = Problem;

    /// Pages of other servers can't log anybody in either: the victim would work under the attacker's name.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        if auth::is_same_site(&parts.uri, &parts.headers) == Some(false) {
            return Err(Problem::new(Code::CrossSite));
        }
        Ok(Self { peer: auth::peer_of(parts), headers: parts.headers.clone() })
    }
}

/// A name and a password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct LoginRequest {
    /// The log-in name.
    #[schema(example = "zhang")]
    name: String,
    /// The password.
    #[schema(format = Password)]
    password: String,
    /// The code of the second factor, or a recovery code, where one is in force.
    code: Option<String>,
}

/// Log in
///
/// Sets a cookie that pages of other servers don't get sent along.
#[utoipa::path(post, path = "/api/v1/login", tag = "accounts", security(()), request_body = LoginRequest, responses(
    (status = 200, body = Me, headers(("set-cookie" = String, description = "The log-in"))),
    (status = 401, body = ProblemBody, content_type = "application/problem+json", description = "`login_failed`, or `code_needed` when the password is right and the second factor is missing or wrong"),
    (status = 429, body = ProblemBody, content_type = "application/problem+json", description = "Too many failed attempts with this name from this address, or from this address at all; `Retry-After` tells when"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn log_in(
    door: Door,
    State(state): State<ApiState>,
    Body(request): Body<LoginRequest>,
) -> Result<Response, Problem> {
    let attempt = Attempt::begin(&state, &request.name, door.peer).await?;
    let account = check(&state, &door, &request).await?;
    attempt.forgive(&state).await?;
    let_in(&state, &door, account).await
}

/// The account of a name, a password and a code that are all right.
async fn check(state: &ApiState, door: &Door, request: &LoginRequest) -> Result<Account, Problem> {
    let (people, now) = (state.people(), state.now());
    let known = people.sign_in(&request.name).await?;
    // The demo's passwords are known to everybody: its accounts open nothing but a demo.
    let usable =
        known.filter(|known| !known.account.is_disabled && (!known.account.is_demo || state.is_demo()));
    let stored = usable.as_ref().and_then(|known| known.password.as_deref());
    let verdict = state.hasher().verify(&request.password, stored).await?;
    let account = match (usable.clone(), verdict) {
        (Some(known), Verdict::Right) => known.account,
        (Some(known), Verdict::RightAndRehashed(fresh)) => {
            let old = known.password.unwrap_or_default();
            people.rehash_password(known.account.id, &old, &fresh).await?;
            known.account
        }
        _ => return Err(refuse(state, door, usable.map(|known| known.account), Code::LoginFailed).await?),
    };
    if account.has_totp {
        let is_good = match &request.code {
            Some(code) => people.use_code(account.id, code, now).await?,
            None => return Err(Problem::new(Code::SecondFactor)),
        };
        if !is_good {
            return Err(refuse(state, door, Some(account), Code::SecondFactor).await?);
        }
    }
    Ok(account)
}

/// Notes a failed attempt: of an account by its number, of a name that nobody has not at all by that name, which may be a password
/// that somebody typed into the wrong field.
async fn refuse(
    state: &ApiState,
    door: &Door,
    account: Option<Account>,
    code: Code,
) -> Result<Problem, Problem> {
    state.counters().http_auth_failures.fetch_add(1, Ordering::Relaxed);
    let object = account.map_or_else(|| "no account".to_owned(), |account| format!("account {}", account.id));
    let ip = door.peer.to_string();
    let deed = Deed {
        actor: "somebody".to_owned(),
        ip,
        action: "login.failed".to_owned(),
        object,
        ..Deed::default()
    };
    state.people().note(deed, state.now()).await?;
    Ok(Problem::new(code))
}

/// Makes a log-in, sets its cookie and answers who it is.
async fn let_in(state: &ApiState, door: &Door, account: Account) -> Result<Response, Problem> {
    let secret = secrets::secret().map_err(|error| Problem::internal(&error))?;
    let now = state.now();
    let ip = door.peer.to_string();
    let agent = door.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let new = NewLogin {
        secret_sha256: &secrets::sha256(&secret),
        expires_at: UtcMillis(now.0.saturating_add(state.config().accounts.lifetime_ms())),
        ip: &ip,
        agent,
    };
    let mut grants = state.people().grants(account.id).await?;
    grants.retain(|grant| grant.holds(now));
    let deed = Deed {
        actor: format!("account {} ({})", account.id, account.display_name),
        person: Some(account.person.0),
        ip: ip.clone(),
        action: "login".to_owned(),
        detail: agent.to_owned(),
        ..Deed::default()
    };
    let login = state.people().telling(&deed, now).create_login(account.id, &new, now).await?;
    let caller = Caller::person(LoggedIn { login, account, grants }, ip);
    let mut response = Json(Me::of(state, &caller).await?).into_response();
    put_cookie(state, &mut response, &secret);
    Ok(response)
}

fn put_cookie(state: &ApiState, response: &mut Response, secret: &str) {
    if let Ok(value) = HeaderValue::from_str(&auth::set_cookie(state, secret)) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
}

fn own(caller: &Caller) -> Result<(&Account, i64), Problem> {
    let own = caller.account().zip(caller.login());
    own.ok_or_else(|| Problem::new(Code::Forbidden).detail("a token is not a log-in"))
}

/// Log out
#[utoipa::path(delete, path = "/api/v1/login", tag = "accounts", responses(
    (status = 204, description = "The log-in is over"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn log_out(
    Somebody(caller): Somebody,
    State(state): State<ApiState>,
) -> Result<Response, Problem> {
    let (account, login) = own(&caller)?;
    let (deed, now) = (telling(&caller, "logout", String::new()), state.now());
    state.people().telling(&deed, now).end_login(account.id, login, now).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    put_cookie(&state, &mut response, "");
    Ok(response)
}

/// One of the caller's log-ins.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct LoginView {
    /// Its number.
    id: i64,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMillis,
    /// When it was used last, to a minute.
    #[schema(value_type = String, format = DateTime)]
    last_used_at: UtcMillis,
    /// When it ends, used or not.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UtcMillis,
    /// From where it was made.
    ip: String,
    /// What the browser said it is.
    agent: String,
    /// Whether it is the one of this request.
    is_current: bool,
}

/// The caller's log-ins.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct LoginsView {
    /// The last used first.
    items: Vec<LoginView>,
}

/// The own log-ins
#[utoipa::path(get, path = "/api/v1/logins", tag = "accounts", responses(
    (status = 200, body = LoginsView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn list(
    Somebody(caller): Somebody,
    State(state): State<ApiState>,
) -> Result<Json<LoginsView>, Problem> {
    let (account, current) = own(&caller)?;
    let logins = state.people().logins(account.id, state.config().accounts.idle_ms(), state.now()).await?;
    let view = |login: crate::registry::accounts::Login| LoginView {
        id: login.id,
        created_at: login.created_at,
        last_used_at: login.last_used_at,
        expires_at: login.expires_at,
        ip: login.ip,
        agent: login.agent,
        is_current: login.id == current,
    };
    Ok(Json(LoginsView { items: logins.into_iter().map(view).collect() }))
}

/// End one of the own log-ins
#[utoipa::path(delete, path = "/api/v1/logins/{id}", tag = "accounts",
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 204, description = "It is over"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn end(
    Somebody(caller): Somebody,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let (account, _) = own(&caller)?;
    let login = id.parse().map_err(|_| Problem::new(Code::NotFound))?;
    let (deed, now) = (telling(&caller, "login.end", String::new()), state.now());
    if !state.people().telling(&deed, now).end_login(account.id, login, now).await? {
        return Err(Problem::new(Code::NotFound));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// A password that a link sets.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct SetupRequest {
    /// What stands behind `#/setup/`.
    link: String,
    /// The log-in name of the first account; of any other it is fixed, and may be left out.
    #[serde(default)]
    name: String,
    /// What others read; as it was when absent.
    #[serde(default)]
    display_name: String,
    /// The password: at least 12 characters.
    #[schema(format = Password, min_length = 12)]
    password: String,
}

/// Set a password with a one-time link, and log in
///
/// The link of the first start makes the first account, a security administrator.
#[utoipa::path(post, path = "/api/v1/setup", tag = "accounts", security(()), request_body = SetupRequest, responses(
    (status = 200, body = Me, headers(("set-cookie" = String, description = "The log-in"))),
    (status = 404, body = ProblemBody, content_type = "application/problem+json", description = "The link was used, is over, or never was"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn set_up(
    door: Door,
    State(state): State<ApiState>,
    Body(request): Body<SetupRequest>,
) -> Result<Response, Problem> {
    let (people, now) = (state.people(), state.now());
    let Some(link) = people.link(&request.link, now).await? else { return Err(no_link(&state, &door)) };
    let name = match &link {
        LinkUse::First => {
            login_name(&request.name).map_err(|error| Problem::field("/name", error.to_string()))?
        }
        LinkUse::Password(account) => account.name.clone(),
    };
    password::check(&request.password, &name)
        .map_err(|weak| Problem::field("/password", weak.to_string()))?;
    if let LinkUse::Password(account) = &link {
        not_as_before(&state, &account.name, &request.password).await?;
    }
    let hash = state.hasher().hash(&request.password).await?;
    let new = NewPassword { hash: &hash, name: &name, display_name: &request.display_name };
    let deed = Deed {
        actor: "whoever holds the link".to_owned(),
        ip: door.peer.to_string(),
        action: "setup".to_owned(),
        ..Deed::default()
    };
    let Some(account) = people.telling(&deed, now).use_link(&request.link, &new, now).await? else {
        return Err(no_link(&state, &door));
    };
    people.forget_failures(&account.name).await?;
    if link == LinkUse::First {
        tracing::warn!(
            "the first account is made, and the token of the first start is revoked: `motorpool token create` makes another"
        );
    }
    if account.has_totp {
        // The link stands in for the password, not for the second factor.
        return Err(
            Problem::new(Code::SecondFactor).detail("the password is set: log in with it and the code")
        );
    }
    let_in(&state, &door, account).await
}

/// A link replaces a password: the one that it replaces may be known to others.
async fn not_as_before(state: &ApiState, name: &str, password: &str) -> Result<(), Problem> {
    let known = state.people().sign_in(name).await?;
    let Some(stored) = known.and_then(|known| known.password) else { return Ok(()) };
    match state.hasher().verify(password, Some(&stored)).await? {
        Verdict::Wrong => Ok(()),
        Verdict::Right | Verdict::RightAndRehashed(_) => {
            Err(Problem::field("/password", "is the password as it was"))
        }
    }
}

/// A wrong link is a guess.
fn no_link(state: &ApiState, door: &Door) -> Problem {
    let problem = auth::failed(state, door.peer);
    if problem.is(Code::TooManyAttempts) {
        problem
    } else {
        Problem::new(Code::NotFound).detail("the link was used or is over")
    }
}
