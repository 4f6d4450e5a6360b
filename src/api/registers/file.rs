//! Files of rows.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use motorpool_supervision::intake::{self, Datum};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::super::ApiState;
use super::super::auth::{Clerk, Granted};
use super::super::data::permission_to_write;
use super::super::extract::Params;
use super::super::once::{Answer, Sent};
use super::super::problem::{Problem, ProblemBody};
use super::write::ProposedView;
use super::{Kind, KindOf};
use crate::registers::{ImportError, ImportFile, Imported, Submitted};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ImportParams {
    /// Whether to look only; `true` when absent.
    dry_run: Option<bool>,
    /// The sheet of a workbook; its first when absent.
    sheet: Option<String>,
    /// What coordinates are in: `wgs84`, `cgcs2000`, `gcj02` or `bd09`; `wgs84` when absent.
    datum: Option<String>,
    /// Where times without an offset are local; that of the configuration when absent.
    #[param(example = "Asia/Shanghai")]
    timezone: Option<String>,
    /// The unit of rows that name none: its number, code or name.
    unit: Option<String>,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in super::super) enum FileOutcome {
    /// It was looked at and nothing written.
    Checked,
    /// There are errors: nothing was written.
    Refused,
    /// All of it is written.
    Taken,
    /// It would clear open questions and waits for a second person: nothing was written.
    Proposed,
}

/// What there is to say about a file.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct FileAnswer {
    /// What became of it.
    outcome: FileOutcome,
    /// Rows below the header that are not empty.
    rows: usize,
    /// Rows that are new.
    added: usize,
    /// Rows that are new versions of rows that are known.
    changed: usize,
    /// Rows that are known just so.
    unchanged: usize,
    /// What must be mended before anything is taken, up to 1,000 of them.
    errors: Vec<FileProblem>,
    /// How many more errors there are.
    more_errors: u64,
    /// What should be looked at, up to 1,000 of them.
    warnings: Vec<FileProblem>,
    /// How many more warnings there are.
    more_warnings: u64,
    /// The proposal that was made.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    proposed: Option<ProposedView>,
}

/// What is wrong with one cell, row or file.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct FileProblem {
    /// Row, 1 = first line of the sheet; absent when it is about the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    row: Option<u32>,
    /// The header of the column.
    column: String,
    /// What stands in the cell, shortened.
    value: String,
    /// What is wrong, as a word that stays.
    #[schema(value_type = String)]
    code: &'static str,
    /// What is wrong, in Chinese.
    zh: String,
    /// What is wrong, in English.
    en: String,
}

impl From<intake::Problem> for FileProblem {
    fn from(problem: intake::Problem) -> Self {
        let intake::Problem { row, column, value, code, zh, en } = problem;
        Self { row, column, value, code, zh, en }
    }
}

impl FileAnswer {
    fn of(outcome: FileOutcome, report: intake::Report, proposed: Option<ProposedView>) -> Self {
        let told = |problems: Vec<intake::Problem>| problems.into_iter().map(Into::into).collect();
        Self {
            outcome,
            rows: report.rows,
            added: report.added,
            changed: report.changed,
            unchanged: report.unchanged,
            errors: told(report.errors.list),
            more_errors: report.errors.more,
            warnings: told(report.warnings.list),
            more_warnings: report.warnings.more,
            proposed,
        }
    }
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        let text = error.to_string();
        match error {
            ImportError::Registry(error) => error.into(),
            ImportError::TimeZone(_) => Self::parameter("timezone", text),
            ImportError::Unit(_) => Self::parameter("unit", text),
            ImportError::NoFiles => Self::new(super::super::problem::Code::NotFound).detail(text),
            ImportError::Stopped => Self::internal(&error),
        }
    }
}

/// Import a file of rows
///
/// CSV (UTF-8 or GBK, gzipped or not), XLSX, for zones also GeoJSON; headers in Chinese or English. All rows are taken or none, as
/// one change. Rows that are known already become new versions, or stay as they are.
#[utoipa::path(post, path = "/api/v1/registers/{kind}/import", tag = "registers",
    request_body(content = String, content_type = "application/octet-stream", description = "The file, up to `http.import_max`"),
    params(
        ("kind" = String, Path, description = "One of the kinds of `/api/v1/registers` that have files"),
        ImportParams,
        ("Idempotency-Key" = Option<String>, Header, description = "The same file with the same key is taken once and answered again, for a day"),
    ),
    responses(
        (status = 200, body = FileAnswer, description = "What there is to say about it, by row and column; `outcome` tells whether it was taken"),
        (status = 202, body = FileAnswer, description = "Not written: it would clear open questions and waits for a second person"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(in super::super) async fn import(
    Clerk(granted): Clerk,
    State(state): State<ApiState>,
    KindOf(kind): KindOf,
    Params(params): Params<ImportParams>,
    request: Request,
) -> Result<Response, Problem> {
    let granted = granted.also(permission_to_write(kind))?;
    let _place = state.heavy_place(&granted)?;
    let max = state.config().http.import_max.0;
    let sent = Sent::large(request, max).await?;
    sent.once(&state, &granted, take(&state, kind, params, sent.body.to_vec(), &granted)).await
}

async fn take(
    state: &ApiState,
    kind: &'static Kind,
    params: ImportParams,
    bytes: Vec<u8>,
    granted: &Granted,
) -> Result<Answer, Problem> {
    let is_dry_run = params.dry_run.unwrap_or(true);
    let wrong_datum = || Problem::parameter("datum", "must be wgs84, cgcs2000, gcj02 or bd09");
    let datum = params.datum.as_deref().unwrap_or("wgs84");
    let file = ImportFile {
        bytes,
        sheet: params.sheet,
        datum: Datum::from_name(datum).ok_or_else(wrong_datum)?,
        time_zone: params.timezone.unwrap_or_else(|| state.config().supervision.time_zone.clone()),
        unit: params.unit,
        who: granted.recorded_as(),
    };
    let data = state.data(granted).await?;
    let Imported { report, changes } = data.read_file(kind, file, is_dry_run).await?;
    if !report.errors.is_empty() {
        return Answer::new(StatusCode::OK, &FileAnswer::of(FileOutcome::Refused, report, None));
    }
    if is_dry_run {
        return Answer::new(StatusCode::OK, &FileAnswer::of(FileOutcome::Checked, report, None));
    }
    match data.submit(kind, changes).await? {
        Submitted::Written(_) => {
            Answer::new(StatusCode::OK, &FileAnswer::of(FileOutcome::Taken, report, None))
        }
        Submitted::Proposed { id, clearance } => {
            let shown = data.questions().await?.shown(&clearance).await?;
            let proposed = ProposedView { proposal: id, clearance: (&shown).into() };
            let answer = FileAnswer::of(FileOutcome::Proposed, report, Some(proposed));
            Answer::new(StatusCode::ACCEPTED, &answer)
        }
    }
}
