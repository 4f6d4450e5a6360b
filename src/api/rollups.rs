//! `/reports/daily`: what each car did on each day; `/reports/iot/{question}`: the twelve questions of the IoT suite.
//!
//! Both are sums over ten minutes that are kept, so that a month of a city is answered without reading a fix. They count what the caller
//! may see: a car at the times at which it is seen.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use axum::Json;
use axum::extract::State;
use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_rollups::iot::{Answer, CarId, Driving, Fleet, Question, UnitRef, Window, answer};
use motorpool_rollups::{Entry, Part};
use motorpool_supervision::rollups::{SLOT_MS, Slot, Sums};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::auth::{Granted, ReportsReader};
use super::data::Data;
use super::data::desk::Desk;
use super::extract::{Id, Params, instant};
use super::problem::{Code, Problem, ProblemBody};
use crate::accounts::Permission;
use crate::rollups::{AskError, Needs};

/// Days of one answer.
const DAYS_MAX: i32 = 92;
/// Rows of one answer. A time with more is refused rather than cut.
const ROWS_MAX: usize = 50_000;
/// Days that are asked about unless it is said, where the suite asks about everything.
const DAYS_USUAL: i64 = 7;
const DAY_MS: i64 = 86_400_000;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DailyParams {
    /// First local day, for example `2026-10-01`.
    #[param(value_type = String, format = Date)]
    from: Date,
    /// Last local day.
    #[param(value_type = String, format = Date)]
    to: Date,
    /// A unit with those below it, by number or code; all when absent.
    unit: Option<String>,
}

/// What a car did on a day.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(super) struct CarDay {
    /// The local day.
    #[schema(value_type = String, format = Date)]
    day: Date,
    /// The car.
    #[serde(flatten)]
    car: CarId,
    /// The unit that has it now.
    #[serde(flatten)]
    unit: UnitRef,
    /// Its part of the distances of trips and moves, metres.
    distance_m: u32,
    /// Its part of their time in motion, seconds.
    moving_s: u32,
    /// Standing with the engine on, seconds.
    idle_s: u32,
    /// Trips that begin.
    trips: u32,
    /// Fixes.
    fixes: u32,
    /// Time of the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    first_fix: Option<UtcMillis>,
    /// Time of the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_fix: Option<UtcMillis>,
    /// Highest reported speed, km/h.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_kmh: Option<f64>,
    /// First fuel in the tank, litres.
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel_first_l: Option<f64>,
    /// Last fuel in the tank, litres.
    #[serde(skip_serializing_if = "Option::is_none")]
    fuel_last_l: Option<f64>,
}

impl CarDay {
    fn new(day: Date, car: CarId, unit: UnitRef, sums: &Sums) -> Self {
        let tenth = |value: u16| f64::from(value) / 10.0;
        Self {
            day,
            car,
            unit,
            distance_m: sums.distance_m,
            moving_s: sums.moving_s,
            idle_s: sums.idle_s,
            trips: sums.trips,
            fixes: sums.fixes,
            first_fix: sums.seen.map(|(first, _)| first),
            last_fix: sums.seen.map(|(_, last)| last),
            max_kmh: sums.speed_max_dkmh.map(tenth),
            fuel_first_l: sums.fuel_dl.map(|(first, _)| tenth(first)),
            fuel_last_l: sums.fuel_dl.map(|(_, last)| tenth(last)),
        }
    }
}

/// Days of cars.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CarDays {
    /// By day, then vehicle; a car that was not heard of on a day has no row.
    items: Vec<CarDay>,
}

/// What each car did on each day
///
/// Distances are those of trips and moves: a day's is the sum of its own to the metre, and a trip over midnight is shared out by time.
#[utoipa::path(get, path = "/api/v1/reports/daily", tag = "reports", params(DailyParams), responses(
    (status = 200, body = CarDays),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
))]
pub(super) async fn daily(
    ReportsReader(granted): ReportsReader,
    State(state): State<ApiState>,
    Params(params): Params<DailyParams>,
) -> Result<Json<CarDays>, Problem> {
    let _place = state.heavy_place(&granted)?;
    let dates = params.from..=params.to;
    let days = (params.to - params.from).get_days();
    if !(0..DAYS_MAX).contains(&days) {
        return Err(Problem::parameter("to", format!("from 1 to {DAYS_MAX} days can be asked for")));
    }
    let desk = Desk::of(&state, &granted).await?;
    let top = params.unit.as_deref().map(|text| unit(&desk, text)).transpose()?;
    let data = desk.data();
    let (fleet, _) = data.rolled_up(&desk, top).await?;
    let rows = usize::try_from(days + 1).unwrap_or(0).saturating_mul(fleet.stays.len());
    if rows > ROWS_MAX {
        return Err(Problem::parameter(
            "to",
            format!("more than {ROWS_MAX} rows: ask for fewer days, or for one unit"),
        ));
    }
    let sums = car_days(data, &fleet, dates).await?;
    let row = |((day, at), sums): ((Date, usize), Sums)| {
        let car = fleet.cars.get(at)?;
        Some(CarDay::new(day, car.id.clone(), car.unit.clone(), &sums))
    };
    let mut items: Vec<CarDay> = sums.into_iter().filter_map(row).collect();
    items.sort_by_key(|row| (row.day, row.car.vehicle));
    Ok(Json(CarDays { items }))
}

fn unit(desk: &Desk, text: &str) -> Result<motorpool_supervision::ids::UnitId, Problem> {
    desk.unit(text).ok_or_else(|| Problem::parameter("unit", "is no unit's number or code"))
}

/// The sums of each car and day. A device that told of one car all day has them ready; one that changed cars is summed by slots.
async fn car_days(
    data: &Data,
    fleet: &Fleet,
    dates: RangeInclusive<Date>,
) -> Result<BTreeMap<(Date, usize), Sums>, Problem> {
    let rollups = data.rollups();
    let devices = fleet.stays.keys().copied().collect();
    let mut sums: BTreeMap<(Date, usize), Sums> = BTreeMap::new();
    for (date, part) in rollups.days(dates, &devices).await.map_err(problem)? {
        let day = rollups.zone().slots(date);
        let is_all_day = |slots: &Range<Slot>| slots.start <= day.start && day.end <= slots.end;
        for Entry { device, sums: of_device, .. } in entries(part).await? {
            let stays = fleet.stays.get(&device).map(Vec::as_slice).unwrap_or_default();
            if let [stay] = stays
                && is_all_day(&stay.slots)
            {
                sums.entry((date, stay.car)).or_default().merge(&of_device);
                continue;
            }
            let device = [device].into();
            for part in rollups.slots(day.clone(), &device, Needs::Trips).await.map_err(problem)? {
                for entry in entries(part).await?.iter().filter(|entry| device.contains(&entry.device)) {
                    let mine = stays.iter().find(|stay| stay.slots.contains(&Slot(entry.at)));
                    if let Some(stay) = mine.filter(|_| day.contains(&Slot(entry.at))) {
                        sums.entry((date, stay.car)).or_default().merge(&entry.sums);
                    }
                }
            }
        }
    }
    Ok(sums)
}

/// The rows of a part that count.
async fn entries(part: Part) -> Result<Vec<Entry>, Problem> {
    let read = tokio::task::spawn_blocking(move || {
        let mut entries = part.table.entries()?;
        entries.retain(|entry| !part.without.contains(&entry.device));
        Ok::<_, motorpool_rollups::RollupsError>(entries)
    });
    let entries = read.await.map_err(|error| Problem::internal(&error))?;
    entries.map_err(|error| Problem::internal(&error))
}

fn problem(error: AskError) -> Problem {
    match error {
        AskError::NotYet(_) => Problem::new(Code::Unavailable).detail(error.to_string()),
        other => Problem::internal(&other),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct IotParams {
    /// A unit with those below it, by number or code; all when absent.
    unit: Option<String>,
    /// From here on, RFC 3339, a multiple of ten minutes. Absent: as far back as the suite asks (10 minutes, 4 hours, a day), else 7 days.
    #[serde(default, deserialize_with = "instant")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<UtcMillis>,
    /// Before this, RFC 3339, a multiple of ten minutes. Absent: the last ten minutes that are over.
    #[serde(default, deserialize_with = "instant")]
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<UtcMillis>,
    /// Threshold in percent: `low-fuel` (10), `high-load` (90), `breakdown-frequency` (50).
    percent: Option<f64>,
    /// Mean speed of driving, km/h: 1, and 5 for `avg-daily-driving-session`.
    speed_kmh: Option<f64>,
    /// Minutes of rest an hour: `long-driving-sessions` (5), `long-daily-sessions` (35).
    rest_min_per_hour: Option<u32>,
    /// Mean gravity of faults below which a car is active: `daily-activity` (1).
    level: Option<f64>,
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct IotView {
    /// The question.
    question: String,
    /// First instant.
    #[schema(value_type = String, format = DateTime)]
    from: UtcMillis,
    /// First instant after.
    #[schema(value_type = String, format = DateTime)]
    to: UtcMillis,
    /// The answer; what its rows hold, the question says.
    items: Answer,
}

/// One of the twelve questions of the Time Series Benchmark Suite's IoT use case
///
/// `last-loc`, `low-fuel`, `high-load`, `stationary-trucks`, `long-driving-sessions`, `long-daily-sessions`,
/// `avg-vs-projected-fuel-consumption`, `avg-daily-driving-duration`, `avg-daily-driving-session`, `avg-load`, `daily-activity`,
/// `breakdown-frequency`. `last-loc` tells places and needs the permission for them as well.
#[utoipa::path(get, path = "/api/v1/reports/iot/{question}", tag = "reports",
    params(("question" = String, Path, description = "The question"), IotParams),
    responses(
        (status = 200, body = IotView),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub(super) async fn iot(
    ReportsReader(granted): ReportsReader,
    State(state): State<ApiState>,
    Id(name): Id,
    Params(params): Params<IotParams>,
) -> Result<Json<IotView>, Problem> {
    let _place = state.heavy_place(&granted)?;
    let question = question(&name, &params)?;
    let granted: Granted = match question {
        Question::LastLoc => granted.also(Permission::PositionsRead)?,
        _ => granted,
    };
    let slots = slots(&question, &params, state.now())?;
    let desk = Desk::of(&state, &granted).await?;
    let top = params.unit.as_deref().map(|text| unit(&desk, text)).transpose()?;
    let (fleet, devices) = desk.data().rolled_up(&desk, top).await?;
    let rollups = desk.data().rollups();
    // What the questions look at are speeds and readings.
    let parts = rollups.slots(slots.clone(), &devices, Needs::Samples).await.map_err(problem)?;
    let window = slots.clone();
    let task = tokio::task::spawn_blocking(move || {
        answer(&question, &fleet, &Window { parts: &parts, slots: window, zone: rollups.zone() })
    });
    let items = task.await.map_err(|error| Problem::internal(&error))?;
    let items = items.map_err(|error| Problem::internal(&error))?;
    Ok(Json(IotView { question: name, from: slots.start.start(), to: slots.end.start(), items }))
}

/// The question with the thresholds that were given.
fn question(name: &str, params: &IotParams) -> Result<Question, Problem> {
    let mut question = Question::named(name).ok_or(Problem::new(Code::NotFound))?;
    let percent = within("percent", params.percent, 100.0)?;
    let speed = within("speed_kmh", params.speed_kmh, 500.0)?;
    let level = within("level", params.level, 1e6)?;
    let drive = |driving: &mut Driving| {
        driving.above_kmh = speed.unwrap_or(driving.above_kmh);
        driving.rest_min_per_hour = params.rest_min_per_hour.unwrap_or(driving.rest_min_per_hour).min(60);
    };
    match &mut question {
        Question::LowFuel { below_percent: limit }
        | Question::HighLoad { above_percent: limit }
        | Question::BreakdownFrequency { from_percent: limit } => *limit = percent.unwrap_or(*limit),
        Question::StationaryTrucks { below_kmh: limit }
        | Question::AvgDailyDrivingDuration { above_kmh: limit }
        | Question::AvgDailyDrivingSession { above_kmh: limit } => *limit = speed.unwrap_or(*limit),
        Question::LongDrivingSessions(driving) | Question::LongDailySessions(driving) => drive(driving),
        Question::DailyActivity { below_level: limit } => *limit = level.unwrap_or(*limit),
        Question::LastLoc | Question::AvgVsProjectedFuelConsumption | Question::AvgLoad => {}
    }
    Ok(question)
}

fn within(name: &str, value: Option<f64>, most: f64) -> Result<Option<f64>, Problem> {
    match value {
        Some(value) if !(0.0..=most).contains(&value) => {
            Err(Problem::parameter(name, format!("must be from 0 to {most}")))
        }
        other => Ok(other),
    }
}

/// The slots that are asked about.
fn slots(question: &Question, params: &IotParams, now: UtcMillis) -> Result<Range<Slot>, Problem> {
    let whole = |name: &str, at: UtcMillis| {
        let is_whole = at.0.rem_euclid(SLOT_MS) == 0 && at.0 >= 0;
        let wrong = || Problem::parameter(name, "must be a multiple of ten minutes");
        is_whole.then(|| Slot::of(at)).ok_or_else(wrong)
    };
    let end = params.to.map_or_else(|| Ok(Slot::of(now)), |to| whole("to", to))?;
    let usual = question.usual_slots().map_or(DAYS_USUAL * DAY_MS, |slots| i64::from(slots) * SLOT_MS);
    let back = Slot::of(UtcMillis(end.start().0.saturating_sub(usual).max(0)));
    let start = params.from.map_or(Ok(back), |from| whole("from", from))?;
    let most = DAYS_MAX.saturating_mul(motorpool_supervision::rollups::SLOTS_A_DAY);
    if start < end && end.0.saturating_sub(start.0) <= most {
        Ok(start..end)
    } else {
        Err(Problem::parameter("from", format!("must lie before `to` by {DAYS_MAX} days at most")))
    }
}
