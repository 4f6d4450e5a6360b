//! The console's files, as they are embedded.

use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::{Code, Problem};

/// Answers what no route took: a file of the console, or nothing.
pub(super) async fn fallback(request: Request) -> Response {
    let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
    let Some(file) = motorpool_console::file(request.uri().path()).filter(|_| is_read) else {
        return Problem::new(Code::NotFound).into_response();
    };
    let etag = HeaderValue::from_str(&file.etag()).unwrap_or(HeaderValue::from_static("\"0\""));
    let known = request.headers().get(header::IF_NONE_MATCH).is_some_and(|value| *value == etag);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(file.content_type())),
        // A browser may keep it, and asks whether it is still the same.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::ETAG, etag),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, file.bytes()).into_response()
}

/// Answers a method that a path does not take.
pub(super) async fn wrong_method() -> Response {
    Problem::new(Code::MethodNotAllowed).into_response()
}
