//! Accounts and grants, for security administrators. Nobody changes the own ones.
//!
//! An administrator of one unit sees the accounts of that unit and those below it, and gives grants there; accounts that belong to no
//! unit are for administrators of everything.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DriverId, UnitId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::ApiState;
use super::super::auth::{AccountsReader, AccountsWriter, Granted, Somebody};
use super::super::data::telling;
use super::super::extract::{Body, Id, Page, Params, cursor, cursor_number, instant, limit_of};
use super::super::problem::{Code, Problem, ProblemBody};
use super::GrantView;
use crate::accounts::{Role, Scope};
use crate::registry::accounts::{Account, AccountChange, Grant, NewAccount, NewGrant};

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct AccountView {
    /// Its number.
    id: i64,
    /// The person's number, as cases know it.
    person: i64,
    /// The log-in name.
    name: String,
    /// What others read.
    display_name: String,
    /// The unit the person belongs to.
    unit: Option<i64>,
    /// The row of the register of drivers that the person is.
    driver: Option<i64>,
    /// Whether it is shut.
    is_disabled: bool,
    /// Whether a password was set.
    has_password: bool,
    /// Whether the password must be changed before anything else.
    must_change_password: bool,
    /// Whether a second factor is in force.
    has_totp: bool,
    /// Its roles, those that are over included.
    grants: Vec<GrantView>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMillis,
    /// By whom.
    created_by: String,
    /// What stands behind `#/setup/` in the link that sets the first password; in the answer to making it only.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl AccountView {
    async fn of(state: &ApiState, account: Account) -> Result<Self, Problem> {
        let grants = state.people().grants(account.id).await?;
        Ok(Self {
            id: account.id,
            person: account.person.0,
            name: account.name,
            display_name: account.display_name,
            unit: account.unit.map(|unit| unit.0),
            driver: account.driver.map(|driver| driver.0),
            is_disabled: account.is_disabled,
            has_password: account.has_password,
            must_change_password: account.must_change_password,
            has_totp: account.has_totp,
            grants: GrantView::all(state, &grants).await?,
            created_at: account.created_at,
            created_by: account.created_by,
            link: None,
        })
    }
}

/// Whether something of this unit, or of none, is in scope.
fn is_in(scope: &Scope, unit: Option<UnitId>) -> bool {
    unit.map_or_else(|| scope.is_everything(), |unit| scope.sees_unit(unit))
}

/// The account of a path, if it is in scope.
async fn account(state: &ApiState, granted: &Granted, id: &str) -> Result<Account, Problem> {
    let missing = || Problem::new(Code::AccountNotFound);
    let id = id.parse().map_err(|_| missing())?;
    let scope = state.scope(granted).await?;
    let found = state.people().account(id).await?.filter(|account| is_in(&scope, account.unit));
    found.ok_or_else(missing)
}

/// As [`account`], for changing it: never the own one.
async fn anothers(state: &ApiState, granted: &Granted, id: &str) -> Result<Account, Problem> {
    let account = account(state, granted, id).await?;
    if granted.account().is_some_and(|own| own.id == account.id) {
        return Err(Problem::new(Code::Forbidden).detail("nobody changes the own account or grants"));
    }
    Ok(account)
}

/// As [`anothers`], for what gives power over the account itself: every grant that it holds must be the administrator's to give, and
/// another administrator's account is for administrators of everything.
async fn subordinate(state: &ApiState, granted: &Granted, id: &str) -> Result<Account, Problem> {
    let account = anothers(state, granted, id).await?;
    let (scope, now) = (state.scope(granted).await?, state.now());
    let held = state.people().grants(account.id).await?;
    let is_above =
        |grant: &Grant| !is_in(&scope, grant.unit) || (grant.role.is_admin() && !scope.is_everything());
    if held.iter().any(|grant| grant.holds(now) && is_above(grant)) {
        let why = "the account holds a role that is not yours to give";
        return Err(Problem::new(Code::Forbidden).detail(why));
    }
    Ok(account)
}

/// The driver of a request, whose unit must be in scope.
async fn driver_in(
    state: &ApiState,
    scope: &Scope,
    driver: Option<i64>,
) -> Result<Option<DriverId>, Problem> {
    let Some(driver) = driver.map(DriverId) else { return Ok(None) };
    match state.unit_of_driver(driver).await? {
        Some(unit) if scope.sees_unit(unit) => Ok(Some(driver)),
        _ => Err(Problem::field("/driver", "is no driver that you look after")),
    }
}

/// The unit of a request, which must be in scope.
fn unit_in(scope: &Scope, unit: Option<i64>) -> Result<Option<UnitId>, Problem> {
    let unit = unit.map(UnitId);
    let exists = unit.is_none_or(|unit| scope.fleet().units().contains_key(&unit));
    if exists && is_in(scope, unit) {
        return Ok(unit);
    }
    Err(Problem::field("/unit", "is no unit that you look after"))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ListParams {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Rows of this page, 1 to 1,000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Accounts, by number
#[utoipa::path(get, path = "/api/v1/accounts", tag = "accounts", params(ListParams), responses(
    (status = 200, body = Page<AccountView>, description = "One page; `Link: rel=next` leads to the next"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn list(
    AccountsReader(granted): AccountsReader,
    State(state): State<ApiState>,
    uri: Uri,
    Params(params): Params<ListParams>,
) -> Result<Response, Problem> {
    let limit = limit_of(params.limit)?;
    let mut after = cursor_number(params.cursor.as_deref())?.unwrap_or(0);
    let scope = state.scope(&granted).await?;
    let mut views = Vec::new();
    while views.len() <= limit as usize {
        let accounts = state.people().accounts(after, limit + 1).await?;
        let is_last = accounts.len() <= limit as usize;
        after = accounts.last().map_or(after, |account| account.id);
        for account in accounts.into_iter().filter(|account| is_in(&scope, account.unit)) {
            views.push(AccountView::of(&state, account).await?);
        }
        if is_last {
            break;
        }
    }
    views.truncate(limit as usize + 1);
    Ok(Page::cut(views, limit, |view: &AccountView| cursor(&[&view.id.to_string()])).answer(&uri))
}

/// An account to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct AccountRequest {
    /// The log-in name: letters, digits, `-`, `_`, `.`, `@`.
    #[schema(example = "zhang")]
    name: String,
    /// What others read; the log-in name when absent.
    #[serde(default)]
    display_name: String,
    /// The unit the person belongs to.
    unit: Option<i64>,
    /// The row of the register of drivers that the person is.
    driver: Option<i64>,
}

/// Make an account; its link sets the first password
#[utoipa::path(post, path = "/api/v1/accounts", tag = "accounts", request_body = AccountRequest, responses(
    (status = 200, body = AccountView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn create(
    AccountsWriter(granted): AccountsWriter,
    State(state): State<ApiState>,
    Body(request): Body<AccountRequest>,
) -> Result<Json<AccountView>, Problem> {
    let scope = state.scope(&granted).await?;
    let new = NewAccount {
        name: request.name,
        display_name: request.display_name,
        unit: unit_in(&scope, request.unit)?,
        driver: driver_in(&state, &scope, request.driver).await?,
        is_demo: false,
    };
    let (people, now, who) = (state.people(), state.now(), granted.recorded_as());
    let deed = telling(&granted, "account.create", new.name.clone());
    let account = people.telling(&deed, now).create_account(&new, &who, now).await?;
    let link = people.create_link(Some(account.id), &who, now).await?;
    let mut view = AccountView::of(&state, account).await?;
    view.link = Some(link);
    Ok(Json(view))
}

/// One account
#[utoipa::path(get, path = "/api/v1/accounts/{id}", tag = "accounts",
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 200, body = AccountView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn detail(
    AccountsReader(granted): AccountsReader,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<AccountView>, Problem> {
    let account = account(&state, &granted, &id).await?;
    Ok(Json(AccountView::of(&state, account).await?))
}

/// What changes about an account; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ChangeRequest {
    /// What others read.
    display_name: Option<String>,
    /// The unit the person belongs to.
    unit: Option<i64>,
    /// The row of the register of drivers that the person is.
    driver: Option<i64>,
    /// Whether it is shut; shutting ends its log-ins.
    is_disabled: Option<bool>,
    /// Whether the password must be changed before anything else.
    must_change_password: Option<bool>,
    /// `false` takes the second factor away, for somebody who has lost it.
    has_totp: Option<bool>,
}

/// Change an account
#[utoipa::path(patch, path = "/api/v1/accounts/{id}", tag = "accounts", request_body = ChangeRequest,
    params(("id" = i64, Path, description = "Its number")),
    responses(
        (status = 200, body = AccountView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn change(
    AccountsWriter(granted): AccountsWriter,
    State(state): State<ApiState>,
    Id(id): Id,
    Body(request): Body<ChangeRequest>,
) -> Result<Json<AccountView>, Problem> {
    let account = subordinate(&state, &granted, &id).await?;
    if request.has_totp == Some(true) {
        return Err(Problem::field("/has_totp", "can only be taken away: the person puts it in force"));
    }
    let scope = state.scope(&granted).await?;
    let unit = match request.unit {
        Some(unit) => Some(unit_in(&scope, Some(unit))?),
        None => None,
    };
    let driver = driver_in(&state, &scope, request.driver).await?.map(Some);
    let change = AccountChange {
        display_name: request.display_name,
        unit,
        driver,
        is_disabled: request.is_disabled,
        must_change_password: request.must_change_password,
        has_totp: request.has_totp,
    };
    let (deed, now) = (telling(&granted, "account.change", format!("{change:?}")), state.now());
    let changed = state.people().telling(&deed, now).change_account(account.id, &change, now).await?;
    state.link_to_cases(account.id).await;
    Ok(Json(AccountView::of(&state, changed.ok_or(Problem::new(Code::AccountNotFound))?).await?))
}

/// A grant to be given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct GrantRequest {
    /// One of `/api/v1/roles`.
    #[schema(example = "dispatcher")]
    role: String,
    /// The unit, with all below it; absent = everything.
    unit: Option<i64>,
    /// Whether for cars on secret work too.
    #[serde(default)]
    secret: bool,
    /// Until when; absent = until it is taken away.
    #[serde(default, deserialize_with = "instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<UtcMillis>,
}

/// Give an account a role
#[utoipa::path(post, path = "/api/v1/accounts/{id}/grants", tag = "accounts", request_body = GrantRequest,
    params(("id" = i64, Path, description = "The account")),
    responses(
        (status = 200, body = GrantView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn grant(
    AccountsWriter(granted): AccountsWriter,
    State(state): State<ApiState>,
    Id(id): Id,
    Body(request): Body<GrantRequest>,
) -> Result<Json<GrantView>, Problem> {
    let account = anothers(&state, &granted, &id).await?;
    let role = Role::from_word(&request.role).ok_or_else(|| Problem::field("/role", "is no role"))?;
    let unit = unit_in(&*state.scope(&granted).await?, request.unit)?;
    if request.until.is_some_and(|until| until <= state.now()) {
        return Err(Problem::field("/until", "must be in the future"));
    }
    let new = NewGrant { role, unit, is_secret: request.secret, until: request.until };
    let (deed, now) = (telling(&granted, "grant.give", format!("{new:?}")), state.now());
    let people = state.people().telling(&deed, now);
    let grant = people.grant(account.id, new, &granted.recorded_as(), now).await?;
    state.link_to_cases(account.id).await;
    Ok(Json(GrantView::of(&state, &grant).await?))
}

/// The account and the grant of a path.
pub(in super::super) struct GrantPath(String, i64);

impl<S: Send + Sync> FromRequestParts<S> for GrantPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((account, grant)) = Path::<(String, String)>::from_request_parts(parts, state).await?;
        Ok(Self(account, grant.parse().map_err(|_| Problem::new(Code::NotFound))?))
    }
}

/// Take a grant away; it is gone with the next request
#[utoipa::path(delete, path = "/api/v1/accounts/{id}/grants/{grant}", tag = "accounts",
    params(
        ("id" = i64, Path, description = "The account"),
        ("grant" = i64, Path, description = "The grant"),
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn revoke(
    AccountsWriter(granted): AccountsWriter,
    State(state): State<ApiState>,
    GrantPath(id, grant): GrantPath,
) -> Result<StatusCode, Problem> {
    let account = anothers(&state, &granted, &id).await?;
    let scope = state.scope(&granted).await?;
    let held = state.people().grants(account.id).await?;
    // A grant that reaches beyond the administrator's part of the tree is not the administrator's to take away.
    if !held.iter().any(|held| held.id == grant && is_in(&scope, held.unit)) {
        return Err(Problem::new(Code::NotFound));
    }
    let (deed, now) = (telling(&granted, "grant.revoke", String::new()), state.now());
    let people = state.people().telling(&deed, now);
    people.revoke_grant(account.id, grant, &granted.recorded_as(), now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A link that sets a password once.
#[derive(Serialize, ToSchema)]
pub(in super::super) struct LinkView {
    /// What stands behind `#/setup/`; worth nothing after 72 hours, and when it was used or another one was made.
    link: String,
}

/// Make a link that sets a new password, and end the account's log-ins
#[utoipa::path(post, path = "/api/v1/accounts/{id}/reset", tag = "accounts",
    params(("id" = i64, Path, description = "The account")),
    responses(
        (status = 200, body = LinkView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn reset(
    AccountsWriter(granted): AccountsWriter,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<LinkView>, Problem> {
    let account = subordinate(&state, &granted, &id).await?;
    let (deed, now) = (telling(&granted, "account.reset", String::new()), state.now());
    let people = state.people().telling(&deed, now);
    let link = people.reset_account(account.id, &granted.recorded_as(), now).await?;
    Ok(Json(LinkView { link }))
}

/// A role.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct RoleView {
    /// Its word.
    #[schema(value_type = String)]
    role: &'static str,
    /// What it is called in Chinese.
    #[schema(value_type = String)]
    zh: &'static str,
    /// What it may do.
    #[schema(value_type = Vec<String>)]
    permissions: Vec<&'static str>,
    /// Whether an account that holds it holds no other.
    is_exclusive: bool,
}

/// Every role.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct RolesView {
    /// The roles.
    items: Vec<RoleView>,
}

/// Roles and what they may do
#[utoipa::path(get, path = "/api/v1/roles", tag = "accounts", responses(
    (status = 200, body = RolesView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(in super::super) async fn roles(_: Somebody) -> Json<RolesView> {
    let view = |role: &Role| RoleView {
        role: role.as_str(),
        zh: role.zh(),
        permissions: role.permissions().iter().map(|permission| permission.as_str()).collect(),
        is_exclusive: role.is_admin(),
    };
    Json(RolesView { items: Role::ALL.iter().map(view).collect() })
}
