//! Writes that may be sent twice: a request with an `Idempotency-Key` is done once, and its answer given again.

use std::future::Future;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ApiState;
use super::problem::{Code, Problem};
use crate::accounts::Caller;
use crate::registry::Claim;

/// A write as it was sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    method: Method,
    uri: Uri,
}

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let (method, uri, headers) = (parts.method.clone(), parts.uri.clone(), parts.headers.clone());
        let request = Request::from_parts(parts, body);
        let body = Bytes::from_request(request, state).await.map_err(|_| Problem::new(Code::BodyTooLarge))?;
        Ok(Self { headers, body, method, uri })
    }
}

impl Sent {
    /// A write whose body is of up to `max` bytes, whatever the limit of other bodies.
    pub(super) async fn large(request: Request, max: usize) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, max).await.map_err(|_| Problem::new(Code::BodyTooLarge))?;
        Ok(Self { headers: parts.headers, body, method: parts.method, uri: parts.uri })
    }

    /// The body as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let is_json = self.headers.get(header::CONTENT_TYPE).is_some_and(|value| {
            let essence = value.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
            essence.eq_ignore_ascii_case("application/json")
        });
        if !is_json {
            return Err(Problem::new(Code::UnsupportedMediaType));
        }
        Ok(axum::Json::<T>::from_bytes(&self.body)?.0)
    }

    /// Every byte that means something: a key is for one such request.
    fn meaning(&self) -> Vec<u8> {
        let mut bytes = format!("{} {}\n", self.method, self.uri).into_bytes();
        for name in [header::IF_MATCH, header::CONTENT_TYPE] {
            for value in self.headers.get_all(name) {
                bytes.extend_from_slice(value.as_bytes());
            }
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(&self.body);
        bytes
    }

    fn key(&self) -> Result<Option<&str>, Problem> {
        let Some(value) = self.headers.get("idempotency-key") else { return Ok(None) };
        let wrong = || {
            Problem::new(Code::InvalidParameter)
                .detail("the Idempotency-Key must be 1 to 128 characters of ASCII")
        };
        value.to_str().map(Some).map_err(|_| wrong())
    }

    /// Does `work` unless the same request with the same key was answered before.
    pub(super) async fn once(
        &self,
        state: &ApiState,
        caller: &Caller,
        work: impl Future<Output = Result<Answer, Problem>>,
    ) -> Result<Response, Problem> {
        let Some(key) = self.key()? else { return Ok(work.await?.into_response()) };
        let vault = state.vault();
        match vault.claim_key(caller, key, &self.meaning(), state.now()).await? {
            Claim::New => {}
            Claim::OtherRequest => return Err(Problem::new(Code::IdempotencyKeyReused)),
            Claim::Running => {
                let text = "the same request is being answered right now";
                return Err(Problem::new(Code::Conflict).detail(text).retry_after(1));
            }
            Claim::Answered { status, body } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
                return Ok(Answer { status, tag: None, body }.into_response());
            }
        }
        // Also when the caller goes away and this is dropped half-way.
        let _running = vault.running_claim(caller, key);
        match work.await {
            Ok(answer) => {
                vault.complete_key(caller, key, answer.status.as_u16(), &answer.body).await?;
                Ok(answer.into_response())
            }
            Err(problem) => {
                vault.release_key(caller, key).await?;
                Err(problem)
            }
        }
    }
}

/// A good answer, which can be kept.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    tag: Option<String>,
    body: String,
}

impl Answer {
    /// An answer of this value.
    pub(super) fn new<T: Serialize>(status: StatusCode, value: &T) -> Result<Self, Problem> {
        let body = serde_json::to_string(value).map_err(|error| Problem::internal(&error))?;
        Ok(Self { status, tag: None, body })
    }

    /// With an `etag`.
    pub(super) fn tagged(mut self, tag: String) -> Self {
        self.tag = Some(tag);
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, Body::from(self.body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(tag) = self.tag.and_then(|tag| HeaderValue::from_str(&tag).ok()) {
            headers.insert(header::ETAG, tag);
        }
        response
    }
}
