//! Errors as RFC 9457 problems with a `code` that stays.
//!
//! A handler returns a [`Problem`]; the outermost layer writes the body, because only it knows the id of the
//! request. What went wrong inside stays in the log under that id.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use motorpool_supervision::cases::{Denied, Refused};
use serde::Serialize;
use utoipa::ToSchema;

use crate::registry;
use crate::supervision::cases::CaseError;

/// Every kind of problem: the code is part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// No token, or one that is unknown or expired.
    Unauthorized,
    /// The token may not do this.
    Forbidden,
    /// The name or the password is wrong.
    LoginFailed,
    /// The password is right, and the second factor is missing or wrong.
    SecondFactor,
    /// A request with a cookie that no page of this server made.
    CrossSite,
    /// What a person did is opened only by who says what for.
    PurposeNeeded,
    /// There is no such account.
    AccountNotFound,
    /// Too many wrong tokens from this address.
    TooManyAttempts,
    /// There is no such path.
    NotFound,
    /// There is no such device.
    DeviceNotFound,
    /// There is no such case, or it does not exist for the caller.
    CaseNotFound,
    /// There is no such flag, or it does not exist for the caller.
    FlagNotFound,
    /// There is no such vehicle.
    VehicleNotFound,
    /// `If-Match` does not name the present state.
    PreconditionFailed,
    /// The request must say with `If-Match` what it was made for.
    PreconditionRequired,
    /// What was named can be several things.
    Ambiguous,
    /// It stands against what is there.
    Conflict,
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused,
    /// The path does not take this method.
    MethodNotAllowed,
    /// The path speaks another protocol than plain HTTP.
    UpgradeRequired,
    /// More requests than the caller may make in this time.
    RateLimited,
    /// There is no such webhook, or no such delivery of it.
    WebhookNotFound,
    /// There is no such hold.
    HoldNotFound,
    /// There is no such base map, or no such tile of it.
    TileNotFound,
    /// Somebody else's server did not answer as it should.
    BadGateway,
    /// A parameter is unknown or wrong.
    InvalidParameter,
    /// The body is not what it should be.
    InvalidBody,
    /// The body is larger than `http.body_max`.
    BodyTooLarge,
    /// The body is not JSON.
    UnsupportedMediaType,
    /// The answer took longer than `http.request_timeout`.
    Timeout,
    /// Not now; the same request may work a moment later.
    Unavailable,
    /// Something failed inside; the log has it under the trace id.
    Internal,
}

impl Code {
    #[cfg(test)]
    const ALL: &'static [Self] = &[
        Self::Unauthorized,
        Self::Forbidden,
        Self::LoginFailed,
        Self::SecondFactor,
        Self::CrossSite,
        Self::PurposeNeeded,
        Self::AccountNotFound,
        Self::TooManyAttempts,
        Self::NotFound,
        Self::DeviceNotFound,
        Self::CaseNotFound,
        Self::FlagNotFound,
        Self::VehicleNotFound,
        Self::PreconditionFailed,
        Self::PreconditionRequired,
        Self::Ambiguous,
        Self::Conflict,
        Self::IdempotencyKeyReused,
        Self::MethodNotAllowed,
        Self::UpgradeRequired,
        Self::RateLimited,
        Self::WebhookNotFound,
        Self::HoldNotFound,
        Self::TileNotFound,
        Self::BadGateway,
        Self::InvalidParameter,
        Self::InvalidBody,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::Timeout,
        Self::Unavailable,
        Self::Internal,
    ];

    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Unauthorized => {
                (StatusCode::UNAUTHORIZED, "unauthorized", "A log-in or a valid token is needed")
            }
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "The caller may not do that"),
            Self::LoginFailed => {
                (StatusCode::UNAUTHORIZED, "login_failed", "The name or the password is wrong")
            }
            Self::SecondFactor => {
                (StatusCode::UNAUTHORIZED, "code_needed", "The code of the second factor is needed")
            }
            Self::CrossSite => {
                (StatusCode::FORBIDDEN, "cross_site", "A page of another server may not do that")
            }
            Self::PurposeNeeded => {
                (StatusCode::FORBIDDEN, "purpose_needed", "Say first what for: POST /api/v1/purposes")
            }
            Self::AccountNotFound => (StatusCode::NOT_FOUND, "account_not_found", "There is no such account"),
            Self::TooManyAttempts => {
                (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", "Too many wrong attempts")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "There is nothing here"),
            Self::DeviceNotFound => (StatusCode::NOT_FOUND, "device_not_found", "There is no such device"),
            Self::CaseNotFound => (StatusCode::NOT_FOUND, "case_not_found", "There is no such case"),
            Self::FlagNotFound => (StatusCode::NOT_FOUND, "flag_not_found", "There is no such flag"),
            Self::VehicleNotFound => (StatusCode::NOT_FOUND, "vehicle_not_found", "There is no such vehicle"),
            Self::PreconditionRequired => (
                StatusCode::PRECONDITION_REQUIRED,
                "precondition_required",
                "The request must carry If-Match",
            ),
            Self::PreconditionFailed => {
                (StatusCode::PRECONDITION_FAILED, "precondition_failed", "It is not what it was")
            }
            Self::Ambiguous => (StatusCode::CONFLICT, "ambiguous", "What was named can be several things"),
            Self::Conflict => (StatusCode::CONFLICT, "conflict", "It stands against what is there"),
            Self::IdempotencyKeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "The Idempotency-Key was used for another request",
            ),
            Self::MethodNotAllowed => {
                (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This path does not take that method")
            }
            Self::UpgradeRequired => {
                (StatusCode::UPGRADE_REQUIRED, "upgrade_required", "This path is a WebSocket")
            }
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limited", "Too many requests"),
            Self::WebhookNotFound => (StatusCode::NOT_FOUND, "webhook_not_found", "There is no such webhook"),
            Self::HoldNotFound => (StatusCode::NOT_FOUND, "hold_not_found", "There is no such hold"),
            Self::TileNotFound => (StatusCode::NOT_FOUND, "tile_not_found", "There is no such tile"),
            Self::BadGateway => {
                (StatusCode::BAD_GATEWAY, "bad_gateway", "Another server did not answer as it should")
            }
            Self::InvalidParameter => (StatusCode::BAD_REQUEST, "invalid_parameter", "A parameter is wrong"),
            Self::InvalidBody => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_body", "The body is wrong"),
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large"),
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body must be application/json",
            ),
            Self::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout", "The answer took too long"),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not possible at the moment")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something failed inside"),
        }
    }

    /// The word in the body.
    #[cfg(test)]
    pub(super) const fn as_str(self) -> &'static str {
        self.row().1
    }

    /// The status of the answer.
    pub(super) const fn status(self) -> StatusCode {
        self.row().0
    }
}

/// A problem on its way out.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    code: Code,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after_s: Option<u64>,
}

/// What is wrong with one field or parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct FieldError {
    /// The place in the body as a JSON pointer, for example `/devices/3/terminal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
    /// The name of the query or path parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// What is wrong with it.
    message: String,
}

/// An error as RFC 9457 says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    #[schema(value_type = String)]
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// The kind as a word that stays.
    #[schema(value_type = String)]
    code: &'static str,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// What is wrong with which field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// The id of the request, as in the header `x-request-id` and in the log.
    trace_id: String,
}

impl Problem {
    /// A problem of this kind.
    pub(super) const fn new(code: Code) -> Self {
        Self { code, detail: None, errors: Vec::new(), retry_after_s: None }
    }

    /// With what happened this time.
    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With when to try again.
    pub(super) const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// A wrong query or path parameter.
    pub(super) fn parameter(name: &str, message: impl Into<String>) -> Self {
        let mut problem = Self::new(Code::InvalidParameter);
        problem.errors.push(FieldError {
            pointer: None,
            parameter: Some(name.to_owned()),
            message: message.into(),
        });
        problem
    }

    /// A wrong place in the body, as a JSON pointer.
    pub(super) fn field(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        let mut problem = Self::new(Code::InvalidBody);
        problem.errors.push(FieldError {
            pointer: Some(pointer.into()),
            parameter: None,
            message: message.into(),
        });
        problem
    }

    /// Another wrong place in the body.
    pub(super) fn and_field(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError {
            pointer: Some(pointer.into()),
            parameter: None,
            message: message.into(),
        });
        self
    }

    /// Whether it is of this kind.
    pub(super) fn is(&self, code: Code) -> bool {
        self.code == code
    }

    /// Something failed inside: the cause goes to the log, not to the caller.
    pub(super) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error, "request failed");
        Self::new(Code::Internal)
    }

    /// The kind as a word, and what happened this time.
    pub(super) fn told(self) -> (&'static str, Option<String>) {
        let message = self.errors.into_iter().next().map(|error| error.message);
        (self.code.row().1, self.detail.or(message))
    }

    /// Something could not be read: the cause goes to the log, not to the caller.
    pub(super) fn unreadable(error: &anyhow::Error) -> Self {
        tracing::error!(error = format!("{error:#}"), "request failed");
        Self::new(Code::Internal)
    }

    /// The body with the id of the request.
    pub(super) fn body(self, trace_id: &str) -> Vec<u8> {
        let (status, code, title) = self.code.row();
        let body = ProblemBody {
            kind: format!("urn:motorpool:problem:{code}"),
            title,
            status: status.as_u16(),
            code,
            detail: self.detail,
            errors: self.errors,
            trace_id: trace_id.to_owned(),
        };
        serde_json::to_vec(&body).expect("texts and numbers always make JSON")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"motorpool\""));
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<registry::Error> for Problem {
    fn from(error: registry::Error) -> Self {
        if error.is_retryable() {
            tracing::warn!(error = &error as &dyn std::error::Error, "registry is busy");
            return Self::new(Code::Unavailable).retry_after(1);
        }
        match &error {
            registry::Error::Conflict { .. } | registry::Error::Taken { .. } => {
                Self::new(Code::Conflict).detail(error.to_string())
            }
            registry::Error::Unknown { .. } => Self::new(Code::NotFound).detail(error.to_string()),
            registry::Error::Refused(_) => Self::new(Code::InvalidBody).detail(error.to_string()),
            _ => Self::internal(&error),
        }
    }
}

impl From<CaseError> for Problem {
    fn from(error: CaseError) -> Self {
        match error {
            CaseError::Registry(registry::Error::Conflict { .. }) => {
                Self::new(Code::PreconditionFailed).detail("somebody else was faster: read the case again")
            }
            CaseError::Registry(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NotVisible => Self::new(Code::CaseNotFound),
            denied => Self::new(Code::Forbidden).detail(format!("{} ({})", denied.zh(), denied.en())),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Denied(denied) => denied.into(),
            Refused::Limit(limit) => Self::new(Code::InvalidBody).detail(limit.to_string()),
            refused => Self::new(Code::Conflict).detail(refused.to_string()),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        let text =
            std::error::Error::source(&rejection).map_or_else(|| rejection.to_string(), ToString::to_string);
        // "limit: invalid digit found in string" names the parameter; others speak for themselves.
        match text.split_once(": ") {
            Some((name, message)) if name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
                Self::parameter(name, message)
            }
            _ => Self::new(Code::InvalidParameter).detail(text),
        }
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::new(Code::InvalidParameter).detail(rejection.body_text())
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match &rejection {
            JsonRejection::MissingJsonContentType(_) => Self::new(Code::UnsupportedMediaType),
            JsonRejection::BytesRejection(_) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(Code::BodyTooLarge)
            }
            JsonRejection::JsonDataError(error) => {
                let text =
                    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
                match text.split_once(": ") {
                    Some((path, message)) => Self::field(pointer(path), message),
                    None => Self::new(Code::InvalidBody).detail(text),
                }
            }
            _ => Self::new(Code::InvalidBody).detail(rejection.body_text()),
        }
    }
}

/// `devices[3].terminal` as a JSON pointer.
fn pointer(path: &str) -> String {
    let mut pointer = String::from("/");
    for c in path.chars() {
        match c {
            '.' | '[' => pointer.push('/'),
            ']' => {}
            c => pointer.push(c),
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_body_is_a_json_pointer() {
        assert_eq!(pointer("devices[3].terminal"), "/devices/3/terminal");
        assert_eq!(pointer("all"), "/all");
    }

    #[test]
    fn codes_are_unique() {
        for (at, code) in Code::ALL.iter().enumerate() {
            assert!(Code::ALL.iter().skip(at + 1).all(|other| other.as_str() != code.as_str()), "{code:?}");
        }
    }
}
