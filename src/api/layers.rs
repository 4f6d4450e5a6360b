//! What happens to every request: an id, a caller, a time limit, security headers, a count.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use tracing::Instrument as _;

use super::ApiState;
use super::auth;
use super::problem::{Code, Problem};

/// Scripts, workers, styles, fonts and images come from the server itself; images may also be made by the page. Nothing
/// else is loaded, framed or submitted, and nothing inline runs.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; \
    font-src 'self'; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; object-src 'none'";

const SECURITY_HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "geolocation=(), camera=(), microphone=()"),
];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer.
pub(super) async fn outermost(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let id = state.next_request_id();
    let span = tracing::debug_span!("request", id, method = %request.method(), path = request.uri().path());
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let work = guarded(state.clone(), request, next).instrument(span);
    let limit = state.config().http.request_timeout.0;
    let handled = if is_read {
        tokio::time::timeout(limit, work).await.ok()
    } else {
        // What changes something comes to its end, with its line in the audit log, even if the caller hangs up or the limit is over.
        let whole = tokio::time::timeout(limit, tokio::spawn(work)).await.ok();
        whole.map(|done| done.unwrap_or_else(|error| Problem::internal(&error).into_response()))
    };
    let mut response = handled.unwrap_or_else(|| Problem::new(Code::Timeout).retry_after(5).into_response());
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        *response.body_mut() = Body::from(problem.body(&id));
    }
    state.counters().http_answer(response.status().as_u16());
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        // A page that is made here may have a policy of its own.
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}

async fn guarded(state: ApiState, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if !auth::is_public(&state, &parts.method, parts.uri.path()) {
        match auth::authenticate(&state, &parts).await {
            Ok(caller) => {
                if !state.takes_request_of(&caller.id()) {
                    return Problem::new(Code::RateLimited).retry_after(1).into_response();
                }
                parts.extensions.insert(Arc::new(caller));
            }
            Err(problem) => return problem.into_response(),
        }
    }
    next.run(Request::from_parts(parts, body)).await
}
