//! The console's files, as they are embedded. They hold no data; it must never answer anything else.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::{Code, Problem};

/// What has its hash in its name never changes: kept for a year, as long as HTTP can say.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// What may change is kept too, but the browser asks whether it is still the same.
const ASKED_FOR: HeaderValue = HeaderValue::from_static("no-cache");

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
        (header::CACHE_CONTROL, if file.is_immutable() { KEPT } else { ASKED_FOR }),
        (header::VARY, HeaderValue::from_static("accept-encoding")),
        (header::ETAG, etag),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    match file.brotli().filter(|_| takes_brotli(request.headers())) {
        Some(brotli) => {
            (headers, [(header::CONTENT_ENCODING, HeaderValue::from_static("br"))], brotli).into_response()
        }
        None => (headers, file.bytes()).into_response(),
    }
}

/// Whether `Accept-Encoding` names Brotli and does not refuse it with a weight of zero.
fn takes_brotli(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|part| {
        let (name, weight) = part.split_once(';').unwrap_or((part, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|text| text.trim().parse::<f32>().ok());
        name.trim().eq_ignore_ascii_case("br") && weight.is_some_and(|weight| weight > 0.0)
    })
}

/// Answers a method that a path does not take.
pub(super) async fn wrong_method() -> Response {
    Problem::new(Code::MethodNotAllowed).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brotli_goes_to_those_who_ask_for_it() {
        let answers = [
            ("gzip, deflate, br", true),
            ("BR;q=0.5", true),
            ("br;q=0", false),
            ("gzip", false),
            ("brx", false),
        ];
        for (text, is_taken) in answers {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(text));
            assert_eq!(takes_brotli(&headers), is_taken, "{text}");
        }
        assert!(!takes_brotli(&HeaderMap::new()));
    }
}
