//! A structured explanation (情况说明) held against the track and the papers, item by item: 相符, 不符, 无法核实, each with what
//! was measured.
//!
//! An item differs only when the track rules it out: time without fixes in which it could have been so makes it
//! unverifiable. What a track can't show, a person or a paper, is never said to differ for lack of a row.

use serde::{Deserialize, Serialize};

use super::events::{LimitError, MAX_NAME_CHARS, MAX_TEXT_CHARS, maybe_written, name, within};
use super::terms::Sha256Sum;
use crate::UtcMillis;
use crate::finding::Measure;
use crate::ids::VehicleId;
use crate::point::{Point, Position};
use crate::register::{Order, PlaceText, Versioned};
use crate::trips::{Gap, Stop, Trip, TripKind};

/// Longest time that one item may claim, minutes.
pub const MAX_CLAIM_MIN: u64 = 31 * 24 * 60;

/// One thing that an explanation claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Item {
    /// What is claimed.
    #[serde(flatten)]
    pub claim: Claim,
    /// Further words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

/// What is claimed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "claim", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every claim")]
pub enum Claim {
    /// The car was at a place.
    Place {
        /// Where.
        place: PlaceText,
        /// From.
        from: UtcMillis,
        /// To.
        to: UtcMillis,
    },
    /// The car left.
    Departure {
        /// When.
        at: UtcMillis,
    },
    /// The car came to a stand.
    Arrival {
        /// When.
        at: UtcMillis,
    },
    /// Somebody was with it, sent it or met it.
    Person {
        /// Who.
        name: String,
    },
    /// There is a paper.
    Document {
        /// Its number, for example an order's.
        no: String,
        /// A file of the case.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attachment: Option<Sha256Sum>,
    },
}

impl Item {
    pub(super) fn check_limits(&self) -> Result<(), LimitError> {
        maybe_written(&self.text)?;
        match &self.claim {
            Claim::Place { place, from, to } => {
                name(&place.text)?;
                // An interval that ends before it begins comes out as too long.
                let minutes = u64::try_from(to.0.saturating_sub(from.0)).map_or(u64::MAX, |ms| ms / 60_000);
                within("claimed time, minutes", minutes, 0, MAX_CLAIM_MIN)
            }
            Claim::Person { name: text } | Claim::Document { no: text, .. } => name(text),
            Claim::Departure { .. } | Claim::Arrival { .. } => Ok(()),
        }
    }
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the workflow's own list")]
pub enum Agreement {
    /// 相符.
    Agrees,
    /// 不符.
    Differs,
    /// 无法核实.
    Unverifiable,
}

/// What the result rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "basis", rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every basis")]
pub enum Basis {
    /// The track was near, for long enough.
    TrackNear,
    /// The track never came near.
    TrackElsewhere,
    /// The track was near, but not for long enough.
    StayTooShort,
    /// There is too much time without fixes.
    TrackMissing,
    /// The place is not in the dictionary.
    PlaceUnknown,
    /// Several places fit the words.
    PlaceAmbiguous {
        /// Their names.
        names: Vec<String>,
    },
    /// A trip began or ended then.
    TripThen,
    /// None did.
    NoTripThen,
    /// An order of this car and time has this number, or names this person.
    OnOrder {
        /// The order's number.
        no: String,
    },
    /// The order of this number covers nothing: another time, refused or cancelled.
    OrderDoesNotCover {
        /// The order's number.
        no: String,
    },
    /// There is a file; a person has to read it.
    AttachmentToRead,
    /// Nothing here can show it.
    NothingToHoldAgainst,
    /// A reviewer decided.
    Reviewer {
        /// In words.
        text: String,
    },
}

/// One item held against what is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct ItemCheck {
    /// What came out.
    pub result: Agreement,
    /// What it rests on.
    #[serde(flatten)]
    pub basis: Basis,
    /// What was measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measures: Vec<Measure>,
}

impl ItemCheck {
    const fn new(result: Agreement, basis: Basis, measures: Vec<Measure>) -> Self {
        Self { result, basis, measures }
    }

    const fn unverifiable(basis: Basis) -> Self {
        Self::new(Agreement::Unverifiable, basis, Vec::new())
    }

    pub(super) fn check_limits(&self) -> Result<(), LimitError> {
        let length = |text: &str| u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        match &self.basis {
            Basis::Reviewer { text } => {
                within("text, characters", length(text), 1, u64::try_from(MAX_TEXT_CHARS).unwrap_or(u64::MAX))
            }
            Basis::PlaceAmbiguous { names } => names.iter().try_for_each(|name| {
                within("name, characters", length(name), 0, u64::try_from(MAX_NAME_CHARS).unwrap_or(u64::MAX))
            }),
            _ => Ok(()),
        }
    }
}

/// What words of a paper stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum Resolved {
    /// One place.
    One {
        /// Its middle.
        at: Position,
        /// How far around the middle it still is the place, metres.
        radius_m: u32,
    },
    /// Several places fit.
    Several(Vec<String>),
    /// No place fits.
    Unknown,
}

/// How an item is held against the track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::exhaustive_structs, reason = "settings")]
pub struct CheckSettings {
    /// How far outside a place still counts as near: parking and GNSS error, metres.
    pub near_margin_m: u32,
    /// Part of the claimed time that must have been spent near, percent.
    pub least_stay_pct: u8,
    /// How far times that people name may be off, seconds.
    pub time_tolerance_s: u32,
    /// Fixes further apart than this leave the time between them unknown, seconds.
    pub longest_step_s: u32,
}

impl Default for CheckSettings {
    fn default() -> Self {
        Self { near_margin_m: 200, least_stay_pct: 50, time_tolerance_s: 15 * 60, longest_step_s: 300 }
    }
}

/// What is known of the car in and around the time of the case. Order does not matter.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "built by the caller")]
pub struct Known<'a> {
    /// The car.
    pub vehicle: VehicleId,
    /// First instant of the case.
    pub from: UtcMillis,
    /// Last instant of the case.
    pub to: UtcMillis,
    /// The times that are asked about, those of the flags. The whole of the case when there are none.
    pub asked: &'a [(UtcMillis, UtcMillis)],
    /// Fixes.
    pub points: &'a [Point],
    /// Stops.
    pub stops: &'a [Stop],
    /// Silences.
    pub gaps: &'a [Gap],
    /// Trips and moves.
    pub trips: &'a [Trip],
    /// Orders, current versions.
    pub orders: &'a [Versioned<Order>],
}

/// Holds one item against what is known; `resolve` finds the place that words stand for.
pub fn check_item(
    item: &Item,
    known: &Known<'_>,
    settings: &CheckSettings,
    resolve: impl Fn(&PlaceText) -> Resolved,
) -> ItemCheck {
    match &item.claim {
        Claim::Place { place, from, to } => match resolve(place) {
            Resolved::One { at, radius_m } => {
                let reach_m = radius_m.saturating_add(settings.near_margin_m);
                check_place(known, settings, at, reach_m, *from, *to)
            }
            Resolved::Several(names) => ItemCheck::unverifiable(Basis::PlaceAmbiguous { names }),
            Resolved::Unknown => ItemCheck::unverifiable(Basis::PlaceUnknown),
        },
        Claim::Departure { at } => check_time(known, settings, *at, |trip| trip.start),
        Claim::Arrival { at } => check_time(known, settings, *at, |trip| trip.end),
        Claim::Person { name } => check_person(known, name),
        Claim::Document { no, attachment } => check_document(known, no, attachment.is_some()),
    }
}

fn check_place(
    known: &Known<'_>,
    settings: &CheckSettings,
    place: Position,
    reach_m: u32,
    from: UtcMillis,
    to: UtcMillis,
) -> ItemCheck {
    let window = Window::around(from, to, settings);
    let is_near = |at: Position| at.distance_m(place) <= f64::from(reach_m);
    let unknown_s = window.length_s() - window.seconds_of(known, settings, |_| true);
    let stay_s = window.seconds_of(known, settings, is_near);
    let least_stay_s =
        (to.0.saturating_sub(from.0).max(0) / 1_000).saturating_mul(i64::from(settings.least_stay_pct)) / 100;
    let nearest_m = window.positions(known).map(|at| at.distance_m(place)).min_by(f64::total_cmp);
    let mut measures = vec![
        Measure::against("stay_s", stay_s, least_stay_s),
        Measure::of("unknown_s", unknown_s),
        Measure::of("tolerance_s", i64::from(settings.time_tolerance_s)),
    ];
    let Some(nearest_m) = nearest_m else {
        return ItemCheck::new(Agreement::Unverifiable, Basis::TrackMissing, measures);
    };
    #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
    measures.insert(0, Measure::against("nearest_m", nearest_m.round() as i64, i64::from(reach_m)));
    let was_near = nearest_m <= f64::from(reach_m);
    let may_be_hidden = unknown_s > i64::from(settings.longest_step_s) && stay_s + unknown_s >= least_stay_s;
    let (result, basis) = if was_near && stay_s >= least_stay_s {
        (Agreement::Agrees, Basis::TrackNear)
    } else if may_be_hidden {
        (Agreement::Unverifiable, Basis::TrackMissing)
    } else if was_near {
        (Agreement::Differs, Basis::StayTooShort)
    } else {
        (Agreement::Differs, Basis::TrackElsewhere)
    };
    ItemCheck::new(result, basis, measures)
}

fn check_time(
    known: &Known<'_>,
    settings: &CheckSettings,
    at: UtcMillis,
    instant: impl Fn(&Trip) -> UtcMillis,
) -> ItemCheck {
    let tolerance_s = i64::from(settings.time_tolerance_s);
    let trips = known.trips.iter().filter(|trip| trip.kind == TripKind::Trip);
    let offset_s = trips
        .map(|trip| instant(trip).0.saturating_sub(at.0) / 1_000)
        .min_by_key(|offset| (offset.saturating_abs(), *offset));
    let measures = Vec::from_iter(offset_s.map(|offset| Measure::against("offset_s", offset, tolerance_s)));
    if offset_s.is_some_and(|offset| offset.saturating_abs() <= tolerance_s) {
        return ItemCheck::new(Agreement::Agrees, Basis::TripThen, measures);
    }
    let window = Window::around(at, at, settings);
    let unknown_s = window.length_s() - window.seconds_of(known, settings, |_| true);
    if unknown_s > i64::from(settings.longest_step_s) {
        return ItemCheck::new(Agreement::Unverifiable, Basis::TrackMissing, measures);
    }
    ItemCheck::new(Agreement::Differs, Basis::NoTripThen, measures)
}

fn check_person(known: &Known<'_>, person: &str) -> ItemCheck {
    let person = person.trim();
    let names = |order: &Order| {
        [&order.user, &order.applicant, &order.driver, &order.dispatcher]
            .into_iter()
            .any(|name| name.trim() == person)
            || order.approvals.iter().any(|approval| approval.by.trim() == person)
    };
    let order = covering_orders(known)
        .filter(|order| !person.is_empty() && names(order))
        .map(|order| &order.no)
        .min();
    match order {
        Some(no) => ItemCheck::new(Agreement::Agrees, Basis::OnOrder { no: no.clone() }, Vec::new()),
        None => ItemCheck::unverifiable(Basis::NothingToHoldAgainst),
    }
}

fn check_document(known: &Known<'_>, no: &str, has_attachment: bool) -> ItemCheck {
    let no = no.trim();
    let has_number = |order: &Order| !no.is_empty() && order.no.trim() == no;
    if covering_orders(known).any(has_number) {
        return ItemCheck::new(Agreement::Agrees, Basis::OnOrder { no: no.to_owned() }, Vec::new());
    }
    if known.orders.iter().any(|order| order.row.vehicle == known.vehicle && has_number(&order.row)) {
        return ItemCheck::new(
            Agreement::Differs,
            Basis::OrderDoesNotCover { no: no.to_owned() },
            Vec::new(),
        );
    }
    let basis = if has_attachment { Basis::AttachmentToRead } else { Basis::NothingToHoldAgainst };
    ItemCheck::unverifiable(basis)
}

/// Orders of the car that can cover and share time with what is asked about. One of the same morning explains no evening.
fn covering_orders<'a>(known: &Known<'a>) -> impl Iterator<Item = &'a Order> {
    let Known { vehicle, from, to, asked, orders, .. } = *known;
    let whole = asked.is_empty().then_some((from, to));
    let shares_time = move |order: &Order| {
        let mut times = asked.iter().copied().chain(whole);
        times.any(|(from, to)| order.planned_out <= to && from <= order.planned_in)
    };
    let of_car = orders.iter().map(|order| &order.row).filter(move |order| order.vehicle == vehicle);
    of_car.filter(move |order| order.state.can_cover() && shares_time(order))
}

/// The claimed time with the tolerance on both sides, milliseconds.
#[derive(Clone, Copy)]
struct Window {
    from: i64,
    to: i64,
}

impl Window {
    fn around(from: UtcMillis, to: UtcMillis, settings: &CheckSettings) -> Self {
        let tolerance = i64::from(settings.time_tolerance_s) * 1_000;
        Self { from: from.0.saturating_sub(tolerance), to: to.0.saturating_add(tolerance) }
    }

    const fn length_s(self) -> i64 {
        self.to.saturating_sub(self.from) / 1_000
    }

    /// Where the car is known to have been.
    fn positions<'a>(self, known: &Known<'a>) -> impl Iterator<Item = Position> + use<'a> {
        let in_window =
            move |point: &&Point| point.is_usable() && (self.from..=self.to).contains(&point.time.0);
        let points = known.points.iter().filter(in_window).map(|point| point.at);
        let stops = known.stops.iter().filter(move |stop| stop.start.0 <= self.to && self.from <= stop.end.0);
        points.chain(stops.map(|stop| stop.at))
    }

    /// Time in which the car is known to have been where `is_there` holds: in a stop there, but for silences in it that may
    /// hide a drive, or between two fixes there that follow closely.
    fn seconds_of(
        self,
        known: &Known<'_>,
        settings: &CheckSettings,
        is_there: impl Fn(Position) -> bool,
    ) -> i64 {
        let longest_step = i64::from(settings.longest_step_s) * 1_000;
        let stops = known.stops.iter().filter(|stop| is_there(stop.at));
        let mut parts: Vec<(i64, i64)> = stops.flat_map(|stop| stood_for_sure(stop, known.gaps)).collect();
        let mut points: Vec<&Point> = known.points.iter().filter(|point| point.is_usable()).collect();
        points.sort_by_key(|point| point.time);
        for (one, next) in points.iter().zip(points.iter().skip(1)) {
            if next.time.0.saturating_sub(one.time.0) <= longest_step && is_there(one.at) && is_there(next.at)
            {
                parts.push((one.time.0, next.time.0));
            }
        }
        parts.sort_unstable();
        let mut total = 0_i64;
        let mut done = self.from;
        for (from, to) in parts {
            let (from, to) = (from.max(done), to.min(self.to));
            if from < to {
                total = total.saturating_add(to.saturating_sub(from));
                done = to;
            }
        }
        total / 1_000
    }
}

/// The parts of a stop that hold no silence in which the car may have driven, milliseconds.
fn stood_for_sure(stop: &Stop, gaps: &[Gap]) -> Vec<(i64, i64)> {
    let mut hiding: Vec<&Gap> = gaps.iter().filter(|gap| gap.may_hide_a_drive()).collect();
    hiding.sort_by_key(|gap| gap.start);
    let mut parts = Vec::new();
    let mut from = stop.start.0;
    for gap in hiding {
        parts.push((from, gap.start.0.clamp(from, stop.end.0.max(from))));
        from = from.max(gap.end.0);
    }
    parts.push((from, stop.end.0));
    parts.retain(|(from, to)| from < to);
    parts
}
