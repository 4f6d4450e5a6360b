//! `/reports/month`: the month of a unit; `/cases/{id}/notice`: the printed 核查通知 of a case.
//!
//! Both show what the caller may see and no more: a report must not tell by a number what a list hides.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{Case, Subject};
use motorpool_supervision::finding::Finding;
use motorpool_supervision::ids::{UnitId, VehicleId};
use motorpool_supervision::register::Span;
use motorpool_supervision::trips::Segment;
use motorpool_supervision::world::World;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::{ReportsReader, Supervising};
use super::data::Data;
use super::data::desk::Desk;
use super::extract::{Id, Params};
use super::problem::{Code, Problem, ProblemBody};
use crate::accounts::Permission;
use crate::registry::{CaseFilter, FlagFilter};
use crate::reports::month::{DataQuality, Funnel, Month, MonthInputs, UnitMonth, Use, fold, had_by};

/// Rows read at once.
const ROWS_AT_ONCE: u32 = 1_000;
/// Flags, and cases, of one report. A month with more is refused rather than half counted.
const ROWS_MAX: usize = 50_000;
/// Styles are in the page; nothing is loaded and nothing runs.
const NOTICE_POLICY: &str = "default-src 'none'; style-src 'sha256-STYLE'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct MonthParams {
    /// The month, for example `2026-10`.
    month: String,
    /// A unit with those below it, by number or code; all when absent.
    unit: Option<String>,
}

/// Parts of a whole, 0 to 1; absent when there is no whole.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Shares {
    /// Cars that made a trip, of the cars had at any time of the month.
    #[serde(skip_serializing_if = "Option::is_none")]
    cars_used: Option<f64>,
    /// Time of trips in off-hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    off_hours: Option<f64>,
    /// Time standing, of the time moving and standing within trips.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle: Option<f64>,
    /// Trips under an order.
    #[serde(skip_serializing_if = "Option::is_none")]
    with_order: Option<f64>,
    /// Cars heard of, of those with a device.
    #[serde(skip_serializing_if = "Option::is_none")]
    online: Option<f64>,
}

/// Two counts as a share, in thousandths.
#[expect(clippy::cast_precision_loss, reason = "counts of a month are far below 2^53")]
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64 * 1e3).round() / 1e3)
}

impl Shares {
    fn of(total: &Use, quality: &DataQuality) -> Self {
        Self {
            cars_used: share(total.cars_used.into(), total.cars_had.into()),
            off_hours: share(total.off_hours_s, total.trip_s),
            idle: share(total.idle_s, total.idle_s + total.moving_s),
            with_order: share(total.trips_with_order.into(), total.trips.into()),
            online: share(quality.cars_heard.into(), quality.cars_with_device.into()),
        }
    }
}

/// The month of a unit.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MonthView {
    /// The month.
    month: String,
    /// The unit asked for; null = all.
    unit: Option<i64>,
    /// First instant.
    #[schema(value_type = String, format = DateTime)]
    from: UtcMillis,
    /// First instant after.
    #[schema(value_type = String, format = DateTime)]
    to: UtcMillis,
    /// When the report was made: numbers of a month change while late data comes.
    #[schema(value_type = String, format = DateTime)]
    made_at: UtcMillis,
    /// All cars together.
    total: Use,
    /// The same as shares.
    shares: Shares,
    /// By unit, most distance first.
    by_unit: Vec<UnitMonth>,
    /// What became of questions; null for a caller that may not see cases. 线索不等于结论.
    funnel: Option<Funnel>,
    /// What the numbers rest on.
    data_quality: DataQuality,
}

/// The month of a unit (单位月报)
///
/// Trips count when they begin and for the unit that used the car then, so that the trips of all units are those of the whole. The funnel counts the cases of the month's days that the caller may see.
#[utoipa::path(get, path = "/api/v1/reports/month", tag = "reports", params(MonthParams), responses(
    (status = 200, body = MonthView),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn month(
    ReportsReader(granted): ReportsReader,
    State(state): State<ApiState>,
    Params(params): Params<MonthParams>,
) -> Result<Json<MonthView>, Problem> {
    let _place = state.heavy_place(&granted)?;
    let wrong = || Problem::parameter("month", "is no month like 2026-10");
    let month = Month::parse(&params.month).ok_or_else(wrong)?;
    let desk = Desk::of(&state, &granted).await?;
    let data = desk.data();
    let top = match &params.unit {
        Some(text) => {
            let unknown = || Problem::parameter("unit", "is no unit's number or code");
            Some(desk.unit(text).ok_or_else(unknown)?)
        }
        None => None,
    };
    let (from, to) = month.times(&desk.world);
    let world = data.world(from, to).await?;
    let cars = cars(&world, &desk, top, month);
    let segments = segments(data, &world, &cars, (from, to)).await?;
    let supervises = granted.also(Permission::CasesRead);
    let may_see_cases = supervises.is_ok();
    let (findings, cases) = match supervises {
        Ok(granted) => questions(&Desk::of(&state, &granted).await?, month, top).await?,
        Err(_) => (Vec::new(), Vec::new()),
    };
    let tree = desk.units.clone();
    let report = tokio::task::spawn_blocking(move || {
        let inputs = MonthInputs {
            month,
            world: &world,
            top: top.map(|top| (&tree, top)),
            cars: &cars,
            segments: &segments,
            findings: &findings,
            cases: &cases,
        };
        fold(&inputs)
    });
    let report = report.await.map_err(|error| Problem::internal(&error))?;
    Ok(Json(MonthView {
        month: params.month,
        unit: top.map(|unit| unit.0),
        from,
        to,
        made_at: state.now(),
        shares: Shares::of(&report.total, &report.quality),
        total: report.total,
        by_unit: report.by_unit,
        funnel: may_see_cases.then_some(report.funnel),
        data_quality: report.quality,
    }))
}

/// The cars that the units had in the month, with the times at which they are seen.
fn cars(world: &World, desk: &Desk, top: Option<UnitId>, month: Month) -> BTreeMap<VehicleId, Vec<Span>> {
    let is_theirs = |unit: &UnitId| top.is_none_or(|top| desk.units.is_within(*unit, top));
    let present = |vehicle: VehicleId| -> Option<(VehicleId, Vec<Span>)> {
        let seen = desk.data().vehicle_times(vehicle);
        let units = had_by(world, month, vehicle, &seen);
        units.iter().any(is_theirs).then_some((vehicle, seen))
    };
    world.vehicle_ids().filter_map(present).collect()
}

/// Pieces of the tracks of the devices that were the primary ones of these cars.
async fn segments(
    data: &Data,
    world: &World,
    cars: &BTreeMap<VehicleId, Vec<Span>>,
    times: (UtcMillis, UtcMillis),
) -> Result<Vec<(VehicleId, Segment)>, Problem> {
    let mut list = Vec::new();
    for vehicle in cars.keys() {
        let segments = data.primary_segments(world, *vehicle, times).await?;
        list.extend(segments.into_iter().map(|segment| (*vehicle, segment)));
    }
    Ok(list)
}

/// Findings and cases of the month as the caller sees them.
async fn questions(
    desk: &Desk,
    month: Month,
    top: Option<UnitId>,
) -> Result<(Vec<Finding>, Vec<Case>), Problem> {
    let is_theirs = |unit: UnitId| top.is_none_or(|top| desk.units.is_within(unit, top));
    let (first, last) = month.days();
    let too_many = || Problem::parameter("unit", format!("more than {ROWS_MAX} rows: ask for one unit"));
    let mut cases = Vec::new();
    let mut filter =
        CaseFilter { limit: ROWS_AT_ONCE, from: Some(first), to: Some(last), ..CaseFilter::default() };
    loop {
        let rows = desk.case_rows(&filter).await?;
        filter.after = rows.last().map(|row| (row.rank, row.case_id.clone()));
        for row in rows.iter().filter(|row| is_theirs(row.unit)) {
            if desk.stage_of(row).is_some() {
                cases.extend(desk.case_of(row).await?);
            }
        }
        if cases.len() > ROWS_MAX {
            return Err(too_many());
        }
        if rows.len() < ROWS_AT_ONCE as usize {
            break;
        }
    }
    // A flag is counted when its case shows it: so a hidden check hides its flags, too.
    let shown: BTreeSet<String> =
        cases.iter().flat_map(|case| case.live_flags().map(|live| live.flag.id.to_string())).collect();
    let mut findings = Vec::new();
    let mut filter =
        FlagFilter { limit: ROWS_AT_ONCE, from: Some(first), to: Some(last), ..FlagFilter::default() };
    loop {
        let flags = desk.flag_rows(&filter).await?;
        filter.after = flags.last().map(|flag| (flag.finding.day, flag.id.clone()));
        let is_last = flags.len() < ROWS_AT_ONCE as usize;
        findings.extend(flags.into_iter().filter(|flag| shown.contains(&flag.id)).map(|flag| flag.finding));
        if findings.len() > ROWS_MAX {
            return Err(too_many());
        }
        if is_last {
            return Ok((findings, cases));
        }
    }
}

/// The printed 核查通知 of a case
///
/// A page to be printed and stamped: to whom, which car, which day, what is asked, by when. It asks a question and finds nothing. Names
/// of persons are not on it. No script runs and nothing is loaded.
#[utoipa::path(get, path = "/api/v1/cases/{id}/notice", tag = "reports",
    params(("id" = String, Path, description = "The case")),
    responses(
        (status = 200, body = String, content_type = "text/html"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn notice(
    Supervising(granted): Supervising,
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Response, Problem> {
    let desk = Desk::of(&state, &granted).await?;
    let (_, seen) = desk.case(&id).await?;
    // Whoever is nobody sees that a case is there; a notice is for those who work on it or have to answer it.
    desk.actor()?;
    let request = seen.requests.last();
    let request = request.ok_or_else(|| {
        Problem::new(Code::Conflict).detail("the unit was not asked yet: there is nothing to give notice of")
    })?;
    let plate = match seen.key.subject {
        Subject::Vehicle(vehicle) => {
            desk.vehicle(vehicle, seen.opened_at).await?.map(|row| row.plate).unwrap_or_default()
        }
        Subject::Unit(_) => String::new(),
    };
    let day_of = |at: UtcMillis| desk.world.local(at).0.to_string();
    let page = Notice {
        number: &id,
        unit: &desk.unit_name(request.to, request.delivered_at),
        plate: &plate,
        day: &seen.key.day.to_string(),
        question: &request.question,
        delivered: &day_of(request.delivered_at),
        due: &desk.due(&seen).map(|due| due.to_string()).unwrap_or_default(),
        printed: &day_of(desk.now),
        is_demo: state.is_demo(),
    };
    Ok(html(page.write()))
}

fn html(page: String) -> Response {
    use base64::Engine as _;
    use sha2::{Digest as _, Sha256};
    let style = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(STYLE));
    let policy = HeaderValue::from_str(&NOTICE_POLICY.replace("STYLE", &style));
    let mut response = page.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// GB/T 9704 asks for FangSong and A4; a browser takes the nearest it has.
const STYLE: &str = "@page{size:A4;margin:37mm 26mm 35mm 28mm}body{font:16pt/1.75 FangSong,STFangsong,'Noto Serif CJK SC',serif;\
    max-width:156mm;margin:0 auto}h1{font-size:22pt;text-align:center;font-weight:normal}table{border-collapse:collapse;width:100%}\
    th,td{border:1px solid;padding:4pt 8pt;text-align:left;font-weight:normal;vertical-align:top}th{width:7em;white-space:nowrap}\
    footer{text-align:right;margin-top:24pt}small{font-size:10.5pt}.demo{text-align:center;border:2px solid}";

/// What a notice says.
struct Notice<'a> {
    number: &'a str,
    unit: &'a str,
    plate: &'a str,
    day: &'a str,
    question: &'a str,
    delivered: &'a str,
    due: &'a str,
    printed: &'a str,
    is_demo: bool,
}

impl Notice<'_> {
    fn write(&self) -> String {
        let mut page = String::from(
            "<!doctype html><html lang=\"zh-CN\"><head><meta charset=\"utf-8\"><title>核查通知</title><style>",
        );
        page.push_str(STYLE);
        page.push_str("</style></head><body>");
        if self.is_demo {
            page.push_str("<p class=\"demo\">演示数据</p>");
        }
        page.push_str("<h1>公务用车使用情况核查通知</h1><p>");
        escape(&mut page, self.unit);
        page.push_str("：</p><p>请就下列公务用车使用情况作出书面说明。本通知是询问，不是结论。</p><table>");
        for (name, value) in [
            ("编号", self.number),
            ("车牌号", self.plate),
            ("用车日期", self.day),
            ("询问事项", self.question),
            ("送达日期", self.delivered),
            ("答复期限", self.due),
        ] {
            row(&mut page, name, value);
        }
        page.push_str("</table><footer><p>（盖章）</p><p>");
        escape(&mut page, self.printed);
        page.push_str("</p></footer><p><small>线索不等于结论。对本通知有异议的，可以在答复中说明。</small></p></body></html>");
        page
    }
}

/// A line of the table, unless it says nothing.
fn row(page: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        page.push_str("<tr><th>");
        page.push_str(name);
        page.push_str("</th><td>");
        escape(page, value);
        page.push_str("</td></tr>");
    }
}

/// Text as HTML shows it.
fn escape(page: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' | '\'' => {
                page.push_str("&#");
                page.push_str(&u32::from(character).to_string());
                page.push(';');
            }
            _ => page.push(character),
        }
    }
}
