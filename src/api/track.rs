//! `/devices/{id}/track`: the fixes of one device, streamed.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::Response;
use hyper::body::Frame;
use motorpool_protocols::UtcMillis;
use serde::Deserialize;
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::Reader;
use super::crs::Crs;
use super::export::{FixView, TrackForm, TrackWriter};
use super::extract::{Id, Params, instant, next_link, with_link};
use super::positions::accepts;
use super::problem::{Problem, ProblemBody};
use super::seams::{TrackPart, TrackQuery, TrackRow};

/// Bytes of one piece of a streamed answer.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that may wait for a slow reader.
const PIECES_MAX: usize = 8;
/// The window when `from` is absent.
const WINDOW_DEFAULT_MS: i64 = 86_400_000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct TrackParams {
    /// From this instant on; a day before `to` when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    from: Option<UtcMillis>,
    /// Up to this instant, without it; now when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "instant")]
    to: Option<UtcMillis>,
    /// Fixes of this answer, up to the configured maximum, which is the default.
    #[param(minimum = 1)]
    limit: Option<usize>,
    /// `json`, `geojson`, `csv` or `gpx`; when absent `Accept` decides.
    #[param(inline)]
    format: Option<TrackForm>,
    /// Coordinate system of the answer; `wgs84` when absent.
    #[param(inline)]
    #[serde(default)]
    crs: Crs,
}

/// The track of a device.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what the writer streams")]
pub(super) struct TrackView {
    /// Our number for the device.
    device: u32,
    /// The terminal's identity.
    terminal: String,
    /// The coordinate system of the answer.
    #[schema(example = "wgs84")]
    crs: String,
    /// The fixes in order of time, without duplicates.
    items: Vec<FixView>,
    /// `from` of the next part; absent when this is all.
    #[schema(format = DateTime)]
    next_from: Option<String>,
}

/// The track of a device
///
/// Fixes in order of time, without duplicates. When there are more than fit in one answer, `Link: rel=next` leads
/// to the rest.
#[utoipa::path(get, path = "/api/v1/devices/{id}/track", tag = "positions",
    params(("id" = String, Path, description = "Our number, or the terminal's identity"), TrackParams),
    responses(
        (status = 200, description = "The fixes", headers(
            ("x-motorpool-damaged-files" = u32, description = "Archive files that could not be read; their fixes are missing"),
        ), content(
            (TrackView = "application/json"), (Object = "application/geo+json"),
            (String = "text/csv"), (String = "application/gpx+xml"),
        )),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn track(
    Reader(token): Reader,
    State(state): State<ApiState>,
    uri: Uri,
    headers: HeaderMap,
    Id(id): Id,
    Params(params): Params<TrackParams>,
) -> Result<Response, Problem> {
    let device = state.device(&id)?;
    let rows_max = state.config().http.rows_max;
    let limit = params.limit.unwrap_or(rows_max);
    if limit == 0 || limit > rows_max {
        return Err(Problem::parameter("limit", format!("must be 1 to {rows_max}")));
    }
    // Fixes taken this very second belong to the default window.
    let to = params.to.unwrap_or_else(|| UtcMillis(state.now().0.saturating_add(1_000)));
    let from = params.from.unwrap_or_else(|| UtcMillis(to.0.saturating_sub(WINDOW_DEFAULT_MS)));
    if from >= to {
        return Err(Problem::parameter("from", "must be before `to`"));
    }
    tracing::info!(token = token.id, device = device.id.0, %from, %to, "track read");
    let form = params.format.unwrap_or_else(|| form_of(&headers));
    let query = TrackQuery { device: device.id, from, to, rows_max: limit };
    let source = state.tracks();
    let part = tokio::task::spawn_blocking(move || source.track(query));
    let part = part.await.map_err(|error| Problem::internal(&error))?;
    let (part, next_from) = cut_at_an_instant(part);
    let link = next_from.map(|next| next_link(&uri, "from", &next.to_string()));
    let damaged = part.damaged_files;
    let terminal = device.terminal.to_string();
    let writer = TrackWriter::new(form, params.crs, device.id.0, terminal.clone());
    let mut response = Response::new(stream(writer, part.rows, next_from));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    if damaged > 0 {
        headers.insert("x-motorpool-damaged-files", HeaderValue::from(damaged));
    }
    if matches!(form, TrackForm::Csv | TrackForm::Gpx) {
        let name: String = terminal.chars().filter(char::is_ascii_alphanumeric).collect();
        let disposition = format!("attachment; filename=\"track-{name}.{}\"", form.extension());
        if let Ok(value) = HeaderValue::from_str(&disposition) {
            headers.insert(header::CONTENT_DISPOSITION, value);
        }
    }
    Ok(with_link(response, link))
}

fn form_of(headers: &HeaderMap) -> TrackForm {
    [TrackForm::Geojson, TrackForm::Csv, TrackForm::Gpx]
        .into_iter()
        .find(|form| accepts(headers, form.content_type().split(';').next().unwrap_or("")))
        .unwrap_or(TrackForm::Json)
}

/// A part that was cut by the limit ends before its last instant, so that the next one can begin there and no
/// fix is missing or twice. A single instant with more fixes than the limit is given as far as it goes.
fn cut_at_an_instant(mut part: TrackPart) -> (TrackPart, Option<UtcMillis>) {
    let last = part.rows.last().map(|row| row.fix.fix_time);
    let Some(last) = last.filter(|_| part.is_truncated) else { return (part, None) };
    let end = part.rows.partition_point(|row| row.fix.fix_time < last);
    if end == 0 {
        return (part, Some(UtcMillis(last.0 + 1)));
    }
    part.rows.truncate(end);
    (part, Some(last))
}

/// Writes on a blocking thread, a few pieces ahead of the reader.
fn stream(mut writer: TrackWriter, rows: Vec<TrackRow>, next_from: Option<UtcMillis>) -> Body {
    let (pieces, received) = mpsc::channel::<Bytes>(PIECES_MAX);
    // Ends by itself: with the last row, or when the reader has gone.
    drop(tokio::task::spawn_blocking(move || {
        let mut out = Vec::with_capacity(PIECE_BYTES + 1_024);
        writer.begin(&mut out);
        for row in &rows {
            writer.row(&mut out, row);
            if out.len() >= PIECE_BYTES {
                let piece = std::mem::replace(&mut out, Vec::with_capacity(PIECE_BYTES + 1_024));
                if pieces.blocking_send(piece.into()).is_err() {
                    return;
                }
            }
        }
        writer.end(&mut out, next_from);
        if pieces.blocking_send(out.into()).is_err() {
            tracing::debug!("the reader of a track has gone");
        }
    }));
    Body::new(Pieces { received })
}

/// A body of pieces that another thread writes.
struct Pieces {
    received: mpsc::Receiver<Bytes>,
}

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.received.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use motorpool_protocols::Fix;

    use super::*;

    fn part(times: &[i64], is_truncated: bool) -> TrackPart {
        let row = |ms: &i64| TrackRow { received_at: UtcMillis(0), fix: Fix::new(UtcMillis(*ms), 0, 0) };
        TrackPart { rows: times.iter().map(row).collect(), is_truncated, damaged_files: 0 }
    }

    #[test]
    fn a_part_never_splits_an_instant() {
        let times = |part: TrackPart| part.rows.iter().map(|row| row.fix.fix_time.0).collect::<Vec<_>>();
        let (cut, next) = cut_at_an_instant(part(&[1, 2, 3, 3], true));
        assert_eq!((times(cut), next), (vec![1, 2], Some(UtcMillis(3))));
        let (whole, next) = cut_at_an_instant(part(&[1, 2, 3, 3], false));
        assert_eq!((times(whole), next), (vec![1, 2, 3, 3], None));
        let (one, next) = cut_at_an_instant(part(&[5, 5], true));
        assert_eq!((times(one), next), (vec![5, 5], Some(UtcMillis(6))));
    }
}
