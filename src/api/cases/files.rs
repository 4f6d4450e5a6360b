//! Files of a case: what people attach, and the evidence pack.
//!
//! Whatever somebody uploaded goes out as bytes to be saved, never as something that a browser shows.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use motorpool_supervision::cases::{self, Action, Event, Sha256Sum, allowed};
use motorpool_supervision::evidence::{Copy, PackError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::ApiState;
use super::super::auth::Supervising;
use super::super::desk::Desk;
use super::super::extract::{Id, Params};
use super::super::problem::{Code, Problem, ProblemBody};
use super::{actions, is_in_hands};
use crate::registry::{ATTACHMENT_BYTES_MAX, NewAttachment, hex};
use crate::supervision::NoPack;

/// How long until a case that is being judged again may hold still, seconds.
const RETRY_S: u64 = 10;

/// The name under which a pack is saved.
pub(super) fn pack_name(case: &str) -> String {
    format!("{case}.zip")
}

/// Why there is no pack, for the caller.
pub(super) fn no_pack(error: NoPack) -> Problem {
    match error {
        NoPack::Unknown(_) => Problem::new(Code::CaseNotFound),
        NoPack::Case(error) => error.into(),
        // The registry changed, and the day has not been judged again yet.
        NoPack::Pack(error @ PackError::Judged(_)) => {
            Problem::new(Code::Conflict).detail(error.to_string()).retry_after(RETRY_S)
        }
        NoPack::Pack(error) => Problem::internal(&error),
        NoPack::Read(error) => Problem::unreadable(&error),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct UploadParams {
    /// The file's name, up to 200 characters.
    name: String,
}

/// A file of a case.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct AttachmentView {
    /// SHA-256 of its bytes: its name in addresses.
    sha256: String,
    /// Its name.
    name: String,
    /// Bytes.
    size_bytes: i64,
    /// Number of the last event of the case that the caller sees now.
    seq: u32,
}

/// Attach a file to a case
///
/// The body is the file, at most 10 MiB. The same bytes again are the same file.
#[utoipa::path(post, path = "/api/v1/cases/{id}/attachments", tag = "cases",
    params(("id" = String, Path, description = "The case"), UploadParams),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, body = AttachmentView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn upload(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    Id(id): Id,
    Params(params): Params<UploadParams>,
    request: Request,
) -> Result<Json<AttachmentView>, Problem> {
    let desk = Desk::of(&state, &granted).await?;
    desk.actor()?;
    let (case, seen) = desk.case(&id).await?;
    let actor = desk.actor_in(&case)?;
    allowed(&case, &actor, Action::Attached, &desk.units)?;
    let declared = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = declared.unwrap_or("application/octet-stream").to_owned();
    let bytes = axum::body::to_bytes(request.into_body(), ATTACHMENT_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| Problem::new(Code::BodyTooLarge).detail("a file has 10 MiB at most"))?;
    if bytes.is_empty() {
        return Err(Problem::new(Code::InvalidBody).detail("the file is empty"));
    }
    let new = NewAttachment { case_id: id.clone(), name: params.name, media_type, bytes: bytes.to_vec() };
    let file = desk.attach(new, &actor.name).await?;
    let sum: Option<[u8; 32]> = hex::decode(&file.sha256).and_then(|bytes| bytes.try_into().ok());
    let sha256 = Sha256Sum(sum.ok_or(Problem::new(Code::Internal))?);
    let view = |seq| AttachmentView {
        sha256: file.sha256.clone(),
        name: file.name.clone(),
        size_bytes: file.size,
        seq,
    };
    // What was attached out of the uploader's sight is not told of.
    if seen.attachments.iter().any(|known| known.sha256 == sha256) {
        return Ok(Json(view(seen.seq)));
    }
    let size_bytes = u64::try_from(file.size).unwrap_or(0);
    let attachment = cases::Attachment { sha256, name: file.name.clone(), size_bytes };
    let after = actions::put(&desk, &actor, &case, Event::Attached { attachment }).await?;
    tracing::info!(caller = granted.id(), case = id, sha256 = file.sha256, "file attached");
    let seq = desk.seen(&after).map_or(seen.seq, |seen| seen.seq);
    Ok(Json(view(seq)))
}

/// The case and the file of a path.
pub(in super::super) struct FilePath {
    case: String,
    sha256: String,
}

impl<S: Send + Sync> FromRequestParts<S> for FilePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, state: &S) -> Result<Self, Problem> {
        let Path((case, sha256)) = Path::from_request_parts(parts, state).await?;
        Ok(Self { case, sha256 })
    }
}

/// A file of a case
#[utoipa::path(get, path = "/api/v1/cases/{id}/attachments/{sha256}", tag = "cases",
    params(
        ("id" = String, Path, description = "The case"),
        ("sha256" = String, Path, description = "SHA-256 of the file, hex"),
    ),
    responses(
        (status = 200, description = "The file, to be saved", content_type = "application/octet-stream", body = Vec<u8>),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn download(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    FilePath { case: id, sha256 }: FilePath,
) -> Result<Response, Problem> {
    let desk = Desk::of(&state, &granted).await?;
    let (_, seen) = desk.case(&id).await?;
    // Outside the reviewers only somebody of the unit reads what was attached; a token without roles does not.
    desk.actor()?;
    // Only what the viewer's case names: the frozen pack, for one, is no attachment.
    let known = seen.attachments.iter().any(|file| file.sha256.to_string() == sha256);
    if !known {
        return Err(Problem::new(Code::NotFound));
    }
    desk.open_case("evidence.read", &id, &sha256).await?;
    tracing::info!(caller = granted.id(), case = id, sha256, "file read");
    let (name, bytes) = desk.kept(&id, &sha256).await?.ok_or(Problem::new(Code::NotFound))?;
    Ok(saved(&name, "application/octet-stream", bytes))
}

/// Bytes that a browser saves and never shows.
fn saved(name: &str, media_type: &'static str, bytes: Vec<u8>) -> Response {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    let encoded: String = name
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-_.".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    let disposition = format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}");
    let mut response = Body::from(bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    let disposition = HeaderValue::from_str(&disposition);
    headers
        .insert(header::CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
    response
}

/// Which copy of a pack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum CopyWord {
    /// Everything, made now; for whoever reviews the case.
    #[default]
    Full,
    /// Without names, telephones, vehicle numbers and raw frames; for the unit.
    Masked,
    /// The very pack that was made when the check began; for whoever reviews the case.
    Frozen,
}

impl CopyWord {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Masked => "masked",
            Self::Frozen => "frozen",
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct EvidenceParams {
    /// Which copy.
    #[serde(default)]
    #[param(inline)]
    copy: CopyWord,
}

/// The evidence of a case as one ZIP
///
/// `motorpool evidence verify` checks it offline. While a change of the registry is still being judged there is no pack: 409 with
/// `Retry-After`.
#[utoipa::path(get, path = "/api/v1/cases/{id}/evidence", tag = "cases",
    params(("id" = String, Path, description = "The case"), EvidenceParams),
    responses(
        (status = 200, description = "The pack", content_type = "application/zip", body = Vec<u8>),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn evidence(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    Id(id): Id,
    Params(params): Params<EvidenceParams>,
) -> Result<Response, Problem> {
    let _place = state.heavy_place(&granted)?;
    let desk = Desk::of(&state, &granted).await?;
    let (case, seen) = desk.case(&id).await?;
    let actor = desk.actor_in(&case)?;
    let in_hands = is_in_hands(&desk, &case);
    // The unit gets its copy when it was asked; what a blind lot hides is in no copy.
    let may = match params.copy {
        CopyWord::Full | CopyWord::Frozen => in_hands,
        CopyWord::Masked => in_hands || (!seen.requests.is_empty() && !case.is_blind()),
    };
    if !may {
        return Err(Problem::new(Code::Forbidden).detail(
            "the full pack is for whoever reviews the case, the masked one for the unit that was asked",
        ));
    }
    desk.open_case("evidence.read", &id, params.copy.as_str()).await?;
    tracing::info!(caller = granted.id(), case = id, copy = ?params.copy, "evidence read");
    if params.copy == CopyWord::Frozen {
        let frozen = case.evidence.ok_or(Problem::new(Code::NotFound))?;
        let kept = desk.kept(&id, &frozen.sha256.to_string()).await?;
        let (name, bytes) = kept.ok_or(Problem::new(Code::NotFound))?;
        return Ok(saved(&name, "application/zip", bytes));
    }
    let copy = if params.copy == CopyWord::Full { Copy::Full } else { Copy::Masked };
    let made = desk.pack(&id, copy, &actor.name).await.map_err(no_pack)?;
    Ok(saved(&pack_name(&id), "application/zip", made.bytes))
}
