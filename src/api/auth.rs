//! Who may do what: deny by default.
//!
//! The outermost layer lets nothing through without a valid bearer token or the cookie of a log-in, known path or not, except the
//! short list in [`is_public`]. What a caller may do is asked for by each handler with an extractor for a [`Permission`]; what it sees
//! then follows from the [`Granted`] that the extractor gives, see [`super::data`]. A wrong token costs its address an attempt; a right
//! one always passes.
//!
//! A cookie goes along with requests that other pages make a browser send. `SameSite=Strict` keeps it from doing so; besides, whatever
//! changes something (and a WebSocket) must come from a page of this server, by `Sec-Fetch-Site` or `Origin`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri, header};

use super::ApiState;
use super::problem::{Code, Problem};
use crate::accounts::{Caller, Permission, secrets};
use crate::config::CookieMode;

/// The cookie over TLS: browsers take it only with `Secure`, `Path=/` and no `Domain`.
const SECURE_COOKIE: &str = "__Host-motorpool";
/// The cookie over plain HTTP.
const PLAIN_COOKIE: &str = "motorpool";
/// Where log-ins begin: without a caller.
const DOORS: [(&Method, &str); 3] = [
    (&Method::POST, "/api/v1/login"),
    (&Method::POST, "/api/v1/setup"),
    (&Method::GET, "/api/v1/demo/accounts"),
];

/// Where a request came from; the unspecified address when the listener does not say.
pub(super) fn peer_of(parts: &Parts) -> IpAddr {
    let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    connected.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip())
}

/// Whether a request needs nobody to be known: signs of life, the doors, and the console's own files, which hold no data.
pub(super) fn is_public(state: &ApiState, method: &Method, path: &str) -> bool {
    if DOORS.contains(&(method, path)) {
        return true;
    }
    let is_read = method == Method::GET || method == Method::HEAD;
    let metrics = state.config().http.metrics_public && path == "/metrics";
    is_read && (matches!(path, "/livez" | "/readyz") || metrics || motorpool_console::file(path).is_some())
}

/// Who calls: by the token, else by the cookie.
pub(super) async fn authenticate(state: &ApiState, parts: &Parts) -> Result<Caller, Problem> {
    let peer = peer_of(parts);
    let headers = &parts.headers;
    if let Some(header) = headers.get(header::AUTHORIZATION) {
        let text = header.to_str().ok().and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        return match text.and_then(|text| state.vault().check_token(text, state.now())) {
            Some(token) => Ok(Caller::token(token, peer.to_string())),
            None => Err(failed(state, peer)),
        };
    }
    let Some(secret) = cookie(state, headers) else { return Err(Problem::new(Code::Unauthorized)) };
    let idle_ms = state.config().accounts.idle_ms();
    let logged_in = state.people().logged_in(&secrets::sha256(secret), idle_ms, state.now()).await?;
    // A log-in that is over is no guess.
    let logged_in = logged_in.ok_or(Problem::new(Code::Unauthorized))?;
    if !is_from_here(&parts.method, &parts.uri, headers) {
        return Err(Problem::new(Code::CrossSite));
    }
    Ok(Caller::person(logged_in, peer.to_string()))
}

/// Notes a wrong attempt of an address.
pub(super) fn failed(state: &ApiState, peer: IpAddr) -> Problem {
    state.counters().http_auth_failures.fetch_add(1, Ordering::Relaxed);
    if state.throttle().allow(peer, state.now()) {
        Problem::new(Code::Unauthorized)
    } else {
        Problem::new(Code::TooManyAttempts).retry_after(60)
    }
}

/// Whether a request with a cookie, if it changes something or opens a WebSocket, was made by a page of this server.
fn is_from_here(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let is_read = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if is_read && !headers.contains_key(header::UPGRADE) {
        return true;
    }
    is_same_site(uri, headers).unwrap_or(false)
}

/// Whether a browser says that its page is of this server; `None` when it says nothing.
pub(super) fn is_same_site(uri: &Uri, headers: &HeaderMap) -> Option<bool> {
    let text = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.to_str().unwrap_or(""));
    if let Some(site) = text(axum::http::HeaderName::from_static("sec-fetch-site")) {
        return Some(site == "same-origin");
    }
    let origin = text(header::ORIGIN)?;
    let host = text(header::HOST).or_else(|| uri.authority().map(axum::http::uri::Authority::as_str));
    let (_, authority) = origin.split_once("://").unwrap_or(("", ""));
    Some(!authority.is_empty() && host.is_some_and(|host| host.eq_ignore_ascii_case(authority)))
}

/// Whether the cookie is for TLS only.
fn is_secure(state: &ApiState) -> bool {
    match state.config().accounts.cookie {
        CookieMode::Secure => true,
        CookieMode::Plain => false,
        CookieMode::Auto => {
            let http = &state.config().http;
            !http.tls_cert.as_os_str().is_empty() || !http.listen.ip().is_loopback()
        }
    }
}

fn cookie_name(state: &ApiState) -> &'static str {
    if is_secure(state) { SECURE_COOKIE } else { PLAIN_COOKIE }
}

/// The secret in the cookie of a request. Two cookies of the name are none: one of them was planted.
fn cookie<'h>(state: &ApiState, headers: &'h HeaderMap) -> Option<&'h str> {
    let name = cookie_name(state);
    let values = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut found = values
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, secret)| secret);
    let secret = found.next()?;
    found.next().is_none().then_some(secret)
}

/// The header that sets the cookie, or with an empty secret takes it away.
pub(super) fn set_cookie(state: &ApiState, secret: &str) -> String {
    let age = if secret.is_empty() { 0 } else { state.config().accounts.lifetime_ms() / 1_000 };
    let secure = if is_secure(state) { "; Secure" } else { "" };
    format!("{}={secret}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}", cookie_name(state))
}

/// A caller with a permission that was checked: what data is handed out for.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    caller: Arc<Caller>,
    permission: Permission,
}

impl Granted {
    fn check(parts: &Parts, permission: Permission) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Arc<Caller>>().ok_or(Problem::new(Code::Unauthorized))?;
        Self::of(caller, permission)
    }

    fn of(caller: &Arc<Caller>, permission: Permission) -> Result<Self, Problem> {
        if !caller.may(permission) {
            let must_change = caller.account().is_some_and(|account| account.must_change_password);
            if must_change {
                return Err(Problem::new(Code::Forbidden).detail("the password must be changed first"));
            }
            let detail = format!("that takes the permission `{}`", permission.as_str());
            return Err(Problem::new(Code::Forbidden).detail(detail));
        }
        Ok(Self { caller: Arc::clone(caller), permission })
    }

    /// The same caller with another permission, which is checked.
    pub(super) fn also(&self, permission: Permission) -> Result<Self, Problem> {
        Self::of(&self.caller, permission)
    }

    /// What was checked.
    pub(super) const fn permission(&self) -> Permission {
        self.permission
    }
}

impl Deref for Granted {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// Somebody, whatever they may.
#[derive(Debug)]
pub(super) struct Somebody(pub(super) Arc<Caller>);

impl<S: Send + Sync> FromRequestParts<S> for Somebody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Arc<Caller>>()
            .map(|caller| Self(Arc::clone(caller)))
            .ok_or(Problem::new(Code::Unauthorized))
    }
}

macro_rules! needs {
    ($(#[$doc:meta])* $name:ident, $($permission:ident)|+) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name(pub(super) Granted);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
                let mut refused = Problem::new(Code::Forbidden);
                for permission in [$(Permission::$permission),+] {
                    match Granted::check(parts, permission) {
                        Ok(granted) => return Ok(Self(granted)),
                        Err(problem) => refused = problem,
                    }
                }
                Err(refused)
            }
        }
    };
}

needs! {
    /// The caller may read last positions.
    PositionsReader, PositionsRead
}
needs! {
    /// The caller may read tracks.
    TracksReader, TracksRead
}
needs! {
    /// The caller may read trips.
    TripsReader, TripsRead
}
needs! {
    /// The caller may read devices.
    DevicesReader, DevicesRead
}
needs! {
    /// The caller may enrol.
    Enroller, DevicesEnrol
}
needs! {
    /// The caller may approve and block devices.
    DevicesWriter, DevicesWrite
}
needs! {
    /// The caller may read flags and cases; what it may do to a case its roles say.
    Supervising, CasesRead
}
needs! {
    /// The caller may act in cases.
    Acting, CasesAct
}
needs! {
    /// The caller may read some registers; of which kind the handler asks.
    RegistersReader, RegistersRead | OrdersRead
}
needs! {
    /// The caller may write some registers; of which kind the handler asks.
    Clerk, RegistersWrite | UnitsWrite | OrdersWrite | OrdersDecide | LedgersWrite | ZonesWrite | RulesWrite | TripsReport
}
needs! {
    /// The caller may approve what others propose.
    Approver, OrdersApprove
}
needs! {
    /// The caller may read how the server is doing.
    HealthReader, HealthRead
}
needs! {
    /// The caller may hear what happens; of what the handler asks.
    Listener, PositionsRead | CasesRead
}
needs! {
    /// The caller may read reports.
    ReportsReader, ReportsRead
}
needs! {
    /// The caller may make and change webhooks.
    WebhooksWriter, WebhooksWrite
}
needs! {
    /// The caller may see which webhooks there are: who makes them, and who lets them tell of cases.
    WebhooksReader, WebhooksWrite | CasesRead
}
needs! {
    /// The caller may see, place and lift holds.
    HoldsWriter, HoldsWrite
}
needs! {
    /// The caller may read who has an account.
    AccountsReader, AccountsRead
}
needs! {
    /// The caller may make accounts and give grants.
    AccountsWriter, AccountsWrite
}
needs! {
    /// The caller may read the audit log.
    Auditor, AuditRead
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn from_here(method: &Method, pairs: &[(&'static str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        is_from_here(method, &Uri::from_static("/api/v1/login"), &headers)
    }

    #[test]
    fn what_changes_something_comes_from_a_page_of_this_server() {
        let host = ("host", "cars.example:8443");
        assert!(from_here(&Method::GET, &[]), "reading changes nothing");
        assert!(!from_here(&Method::GET, &[("upgrade", "websocket")]));
        assert!(from_here(
            &Method::GET,
            &[("upgrade", "websocket"), host, ("origin", "https://cars.example:8443")]
        ));
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert!(!from_here(&method, &[host]), "a browser always says where from");
            assert!(from_here(&method, &[host, ("sec-fetch-site", "same-origin")]));
            for site in ["cross-site", "same-site", "none", ""] {
                assert!(!from_here(
                    &method,
                    &[host, ("sec-fetch-site", site), ("origin", "https://cars.example:8443")]
                ));
            }
            assert!(from_here(&method, &[host, ("origin", "https://Cars.example:8443")]));
            for origin in
                ["https://evil.example", "https://cars.example", "null", "", "https://cars.example:8443.evil"]
            {
                assert!(!from_here(&method, &[host, ("origin", origin)]), "{origin}");
            }
        }
    }
}
