//! Who may do what: deny by default.
//!
//! The outermost layer lets nothing through without a valid bearer token, known path or not, except the short list
//! in [`is_public`]. What a token may do is asked for by each handler with [`Reader`], [`Enroller`], [`Clerk`] or
//! [`Admin`]. A wrong token costs its address an attempt; a right one always passes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{ConnectInfo, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Method, header};

use super::ApiState;
use super::problem::{Code, Problem};
use crate::registry::{Scope, Token};

/// Where a request came from; the unspecified address when the listener does not say.
pub(super) fn peer_of(request: &Request) -> IpAddr {
    let connected = request.extensions().get::<ConnectInfo<SocketAddr>>();
    connected.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip())
}

/// Whether a request needs no token: signs of life, and the console's own files, which hold no data.
pub(super) fn is_public(state: &ApiState, method: &Method, path: &str) -> bool {
    let is_read = method == Method::GET || method == Method::HEAD;
    let metrics = state.config().http.metrics_public && path == "/metrics";
    is_read && (matches!(path, "/livez" | "/readyz") || metrics || motorpool_console::file(path).is_some())
}

/// The token of a request.
pub(super) fn authenticate(state: &ApiState, request: &Request) -> Result<Arc<Token>, Problem> {
    let Some(header) = request.headers().get(header::AUTHORIZATION) else {
        return Err(Problem::new(Code::Unauthorized));
    };
    let now = state.now();
    let text = header.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    if let Some(token) = text.and_then(|text| state.registry().check_token(text, now)) {
        return Ok(token);
    }
    state.counters().http_auth_failures.fetch_add(1, Ordering::Relaxed);
    let peer = peer_of(request);
    if state.throttle().allow(peer, now) {
        Err(Problem::new(Code::Unauthorized))
    } else {
        Err(Problem::new(Code::TooManyAttempts).retry_after(60))
    }
}

fn allowed(parts: &Parts, scope: Scope) -> Result<Arc<Token>, Problem> {
    let token = parts.extensions.get::<Arc<Token>>().ok_or(Problem::new(Code::Unauthorized))?;
    if token.allows(scope) {
        Ok(Arc::clone(token))
    } else {
        Err(Problem::new(Code::Forbidden).detail(format!("the token needs the scope `{}`", scope.as_str())))
    }
}

macro_rules! needs {
    ($(#[$doc:meta])* $name:ident, $scope:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(super) struct $name(pub(super) Arc<Token>);

        impl<S: Send + Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;

            async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
                allowed(parts, Scope::$scope).map(Self)
            }
        }
    };
}

needs! {
    /// The caller may read.
    Reader, Read
}
needs! {
    /// The caller may enrol.
    Enroller, Enrol
}
needs! {
    /// The caller may write the registers.
    Clerk, WriteRegisters
}
needs! {
    /// The caller may do everything.
    Admin, Admin
}

/// Who a change is written down for.
pub(super) fn who(token: &Token) -> String {
    format!("token {}", token.id)
}
