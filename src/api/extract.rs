//! Parameters, bodies and pages, with every mistake as a problem.

use std::str::FromStr;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use motorpool_protocols::UtcMillis;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::registry::hex;

/// Rows of a page when the request does not say.
pub(super) const LIMIT_DEFAULT: u32 = 100;
/// Rows of a page at most.
pub(super) const LIMIT_MAX: u32 = 1_000;

/// Query parameters.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(value) = Query::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// The `{id}` of a path.
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(value) = Path::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Json(value) = Json::from_request(request, state).await?;
        Ok(Self(value))
    }
}

/// The instant of an RFC 3339 text in a query parameter.
pub(super) fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<UtcMillis>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let instant: jiff::Timestamp = text.parse().map_err(|_| {
        de::Error::custom(format!(
            "`{text}` is not an RFC 3339 time with an offset, for example 2024-05-01T08:00:00Z"
        ))
    })?;
    Ok(Some(UtcMillis(instant.as_millisecond())))
}

/// A list of words with commas between them in a query parameter; empty when absent.
pub(super) fn words(text: Option<&str>) -> impl Iterator<Item = &str> {
    text.unwrap_or("").split(',').map(str::trim).filter(|word| !word.is_empty())
}

/// The value with this name in JSON: a word of a closed list in a query parameter.
pub(super) fn word_of<T: DeserializeOwned>(parameter: &str, word: &str) -> Result<T, Problem> {
    serde_json::from_value(serde_json::Value::String(word.to_owned()))
        .map_err(|error| Problem::parameter(parameter, error.to_string()))
}

/// A page's `limit`, within bounds.
pub(super) fn limit_of(limit: Option<u32>) -> Result<u32, Problem> {
    match limit {
        None => Ok(LIMIT_DEFAULT),
        Some(limit @ 1..=LIMIT_MAX) => Ok(limit),
        Some(_) => Err(Problem::parameter("limit", format!("must be 1 to {LIMIT_MAX}"))),
    }
}

/// An opaque cursor of its parts.
pub(super) fn cursor(parts: &[&str]) -> String {
    hex::encode(parts.join("\n").as_bytes())
}

/// The parts of a cursor, as many as there should be.
pub(super) fn cursor_parts<const N: usize>(cursor: &str) -> Result<[String; N], Problem> {
    let wrong = || Problem::parameter("cursor", "is not a cursor of this list");
    let text = hex::decode(cursor).and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)?;
    let parts: Vec<String> = text.split('\n').map(str::to_owned).collect();
    parts.try_into().map_err(|_| wrong())
}

/// The number of a cursor that is one; `None` on the first page.
pub(super) fn cursor_number<T: FromStr>(cursor: Option<&str>) -> Result<Option<T>, Problem> {
    let Some([number]) = cursor.map(cursor_parts::<1>).transpose()? else { return Ok(None) };
    let wrong = |_| Problem::parameter("cursor", "is not a cursor of this list");
    number.parse().map(Some).map_err(wrong)
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The rows.
    pub(super) items: Vec<T>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of up to `limit` rows out of one row more, which only proves that there is a next page.
    pub(super) fn cut(mut items: Vec<T>, limit: u32, cursor_of: impl Fn(&T) -> String) -> Self {
        let limit = limit as usize;
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| has_more).map(cursor_of);
        Self { items, next_cursor }
    }
}

impl<T: Serialize> Page<T> {
    /// The page as an answer to a request for `uri`, with a `Link` to the next page.
    pub(super) fn answer(self, uri: &Uri) -> Response {
        let link = self.next_cursor.as_ref().map(|next| next_link(uri, "cursor", next));
        with_link(Json(self).into_response(), link)
    }
}

/// The value of a `Link` header to the same request with one parameter changed.
pub(super) fn next_link(uri: &Uri, parameter: &str, value: &str) -> String {
    let others = uri.query().unwrap_or("").split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or("");
        !pair.is_empty() && name != parameter
    });
    let query: Vec<String> = others.map(str::to_owned).chain([format!("{parameter}={value}")]).collect();
    format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"))
}

pub(super) fn with_link(mut response: Response, link: Option<String>) -> Response {
    if let Some(link) = link.and_then(|link| HeaderValue::from_str(&link).ok()) {
        response.headers_mut().insert(header::LINK, link);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_round_trips_and_strangers_are_refused() {
        assert_eq!(cursor_parts(&cursor(&["jt808", "139"])).unwrap(), ["jt808", "139"]);
        for wrong in ["x", "00f", "ff", &cursor(&["one"])] {
            assert!(cursor_parts::<2>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cursor_of_a_number_is_a_number() {
        assert_eq!(cursor_number::<u32>(None).unwrap(), None);
        assert_eq!(cursor_number::<u32>(Some(&cursor(&["7"]))).unwrap(), Some(7));
        for wrong in [cursor(&["-1"]), cursor(&["7", "8"]), cursor(&["x"]), "7".to_owned()] {
            assert!(cursor_number::<u32>(Some(&wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_next_page_keeps_the_other_parameters() {
        let uri: Uri = "/api/v1/devices?limit=5&cursor=aa&q=x".parse().unwrap();
        assert_eq!(next_link(&uri, "cursor", "bb"), "</api/v1/devices?limit=5&q=x&cursor=bb>; rel=\"next\"");
    }
}
