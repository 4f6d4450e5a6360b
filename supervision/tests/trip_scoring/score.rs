//! Scores cuts against the truth: starts and ends within three minutes, one to one.
//!
//! Don't-care, in favour of nobody: true trips with an inner silence of more than half an hour, and detections that lie mostly
//! outside of every label or inside such a trip. The distance of a day holds everything that was found on it; beside it stands
//! the distance without what lies mostly outside of every label, where a drive that nobody labelled is no error.

use std::collections::BTreeMap;
use std::fmt;

use motorpool_supervision::UtcMillis;
use motorpool_supervision::point::Point;
use motorpool_supervision::trips::{Segment, TripKind, TripSettings, cut};

use super::data::{Device, Span, day_of};

const MATCH_MS: i64 = 180_000;
const MIN_TRIP_M: f64 = 300.0;
const INNER_SILENCE_MS: i64 = 1_800_000;

/// The trips that the cutter finds.
pub fn cutter(points: &[Point], settings: &TripSettings) -> Vec<Span> {
    cut(points, settings)
        .into_iter()
        .filter_map(|segment| match segment {
            Segment::Trip(trip) if trip.kind == TripKind::Trip => {
                Some(Span { start: trip.start, end: trip.end, distance_m: f64::from(trip.distance_m) })
            }
            _ => None,
        })
        .collect()
}

/// The one-line split at silences of more than `gap_s`: the floor that a cutter has to beat.
pub fn split_at_gaps(points: &[Point], gap_s: i64) -> Vec<Span> {
    points
        .chunk_by(|a, b| b.time.0 - a.time.0 <= gap_s * 1_000)
        .map(|piece| Span {
            start: piece[0].time,
            end: piece[piece.len() - 1].time,
            distance_m: piece.windows(2).map(|leg| leg[0].at.distance_m(leg[1].at)).sum(),
        })
        .filter(|span| span.distance_m >= MIN_TRIP_M)
        .collect()
}

/// Sums of a score over devices.
#[derive(Clone, Debug, Default)]
pub struct Score {
    pub matched: u32,
    pub wrong: u32,
    pub missed: u32,
    /// Relative errors of the distance of a day of a device.
    pub day_errors: Vec<f64>,
    /// The same without detections mostly outside of every label.
    pub labelled_day_errors: Vec<f64>,
    /// The same days, with what the labels say and the fixes do not.
    pub days: Vec<Day>,
}

/// A device's day with a true trip, in metres.
#[derive(Clone, Debug, Default)]
pub struct Day {
    pub device: String,
    pub day: i64,
    pub true_m: f64,
    pub found_m: f64,
    /// Found outside of every true trip: driven, but labelled as nothing, or as a bus, a train or a walk.
    pub unlabelled_m: f64,
    /// The straight line across silences of more than half an hour within a true trip, which a label counts as driven.
    pub silent_m: f64,
    /// Steps faster than any car within a true trip: the receiver jumped.
    pub jumped_m: f64,
}

impl Day {
    /// The relative error of the distance.
    pub fn error(&self) -> f64 {
        (self.found_m - self.true_m).abs() / self.true_m
    }

    /// The same for the part on which labels and fixes are about the same thing.
    pub fn error_where_both_tell(&self) -> f64 {
        let told_m = self.true_m - self.silent_m - self.jumped_m;
        (self.found_m - self.unlabelled_m - told_m).abs() / self.true_m
    }
}

impl Score {
    /// Adds one device.
    pub fn add(&mut self, device: &Device, found: &[Span]) {
        let (doubtful, scored): (Vec<Span>, Vec<Span>) =
            device.trips.iter().partition(|trip| has_inner_silence(&device.points, **trip));
        let pairs = pairs(&scored, found);
        let care = |span: &Span| {
            2 * covered_ms(*span, &device.labels) >= span_ms(*span)
                && !doubtful.iter().any(|trip| 2 * covered_ms(*span, &[*trip]) > span_ms(*span))
        };
        let wrong = found
            .iter()
            .enumerate()
            .filter(|(at, span)| !pairs.iter().any(|p| p.1 == *at) && care(span))
            .count();
        self.matched += count(pairs.len());
        self.missed += count(scored.len() - pairs.len());
        self.wrong += count(wrong);
        self.day_errors.extend(day_errors(&device.trips, found));
        self.days.extend(days(device, found));
        let is_labelled = |span: &&Span| 2 * covered_ms(**span, &device.labels) >= span_ms(**span);
        let labelled: Vec<Span> = found.iter().filter(is_labelled).copied().collect();
        self.labelled_day_errors.extend(day_errors(&device.trips, &labelled));
    }

    /// Adds the score of other devices.
    pub fn merge(&mut self, other: &Self) {
        self.matched += other.matched;
        self.wrong += other.wrong;
        self.missed += other.missed;
        self.day_errors.extend(&other.day_errors);
        self.labelled_day_errors.extend(&other.labelled_day_errors);
        self.days.extend(other.days.iter().cloned());
    }

    pub fn f1(&self) -> f64 {
        2.0 * f64::from(self.matched) / f64::from(2 * self.matched + self.wrong + self.missed)
    }

    /// (found and scored) / true - 1.
    pub fn count_error(&self) -> f64 {
        f64::from(self.matched + self.wrong) / f64::from(self.matched + self.missed) - 1.0
    }

    /// The error of a day's distance that this part of the days does not exceed.
    pub fn day_error(&self, percent: usize) -> f64 {
        percentile(&self.day_errors, percent)
    }

    /// The same for the part of each day on which labels and fixes are about the same thing.
    pub fn day_error_where_both_tell(&self, percent: usize) -> f64 {
        let errors: Vec<f64> = self.days.iter().map(Day::error_where_both_tell).collect();
        percentile(&errors, percent)
    }

    /// The same without detections mostly outside of every label.
    pub fn labelled_day_error(&self, percent: usize) -> f64 {
        percentile(&self.labelled_day_errors, percent)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} day {}: {:.2} %, where both tell {:.2} %; true {:.0} m, found {:.0} m, unlabelled {:.0} m, silent {:.0} m, \
             jumped {:.0} m",
            self.device,
            self.day,
            100.0 * self.error(),
            100.0 * self.error_where_both_tell(),
            self.true_m,
            self.found_m,
            self.unlabelled_m,
            self.silent_m,
            self.jumped_m,
        )
    }
}

/// The days on which a true trip starts, with what was found on them.
fn days(device: &Device, found: &[Span]) -> Vec<Day> {
    const FASTEST_M_PER_S: f64 = 200.0 / 3.6;
    let mut days = BTreeMap::<i64, Day>::new();
    for trip in &device.trips {
        days.entry(day_of(trip.start)).or_default().true_m += trip.distance_m;
    }
    for span in found {
        let Some(day) = days.get_mut(&day_of(span.start)) else { continue };
        day.found_m += span.distance_m;
    }
    for leg in device.points.windows(2) {
        let (begin, end) = (leg[0].time, leg[1].time);
        let within = |spans: &[Span]| spans.iter().find(|s| s.start <= begin && end <= s.end).copied();
        let metres = leg[0].at.distance_m(leg[1].at);
        let (trip, span) = (within(&device.trips), within(found));
        let Some(day) = trip.or(span).and_then(|owner| days.get_mut(&day_of(owner.start))) else { continue };
        let ms = i32::try_from(end.0 - begin.0).unwrap_or(i32::MAX);
        match (trip, span) {
            (None, Some(_)) => day.unlabelled_m += metres,
            (Some(_), _) if i64::from(ms) > INNER_SILENCE_MS => day.silent_m += metres,
            (Some(_), _) if metres > FASTEST_M_PER_S * f64::from(ms.max(1_000)) / 1_000.0 => {
                day.jumped_m += metres;
            }
            _ => {}
        }
    }
    days.into_iter().map(|(day, sums)| Day { device: device.name.clone(), day, ..sums }).collect()
}

fn percentile(errors: &[f64], percent: usize) -> f64 {
    let mut errors = errors.to_vec();
    errors.sort_by(f64::total_cmp);
    errors.get(errors.len() * percent / 100).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "F1 {:.3} (matched {}, wrong {}, missed {}), count {:+.1} %, day distance p50 {:.2} % p90 {:.2} %, \
             where labelled p50 {:.2} % p90 {:.2} %, where both tell p50 {:.2} % p90 {:.2} %",
            self.f1(),
            self.matched,
            self.wrong,
            self.missed,
            100.0 * self.count_error(),
            100.0 * self.day_error(50),
            100.0 * self.day_error(90),
            100.0 * self.labelled_day_error(50),
            100.0 * self.labelled_day_error(90),
            100.0 * self.day_error_where_both_tell(50),
            100.0 * self.day_error_where_both_tell(90),
        )
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).expect("few trips")
}

fn span_ms(span: Span) -> i64 {
    (span.end.0 - span.start.0).max(1)
}

fn has_inner_silence(points: &[Point], trip: Span) -> bool {
    points
        .iter()
        .filter(|point| (trip.start..=trip.end).contains(&point.time))
        .collect::<Vec<_>>()
        .windows(2)
        .any(|pair| pair[1].time.0 - pair[0].time.0 > INNER_SILENCE_MS)
}

/// Pairs of (true, found), the closest first.
fn pairs(truth: &[Span], found: &[Span]) -> Vec<(usize, usize)> {
    let mut candidates = Vec::new();
    for (t, trip) in truth.iter().enumerate() {
        for (d, span) in found.iter().enumerate() {
            let (start_ms, end_ms) = ((trip.start.0 - span.start.0).abs(), (trip.end.0 - span.end.0).abs());
            if start_ms <= MATCH_MS && end_ms <= MATCH_MS {
                candidates.push((start_ms + end_ms, t, d));
            }
        }
    }
    candidates.sort_unstable();
    let mut pairs = Vec::<(usize, usize)>::new();
    for (_, t, d) in candidates {
        if !pairs.iter().any(|pair| pair.0 == t || pair.1 == d) {
            pairs.push((t, d));
        }
    }
    pairs
}

/// How much of a span the others cover together.
fn covered_ms(span: Span, others: &[Span]) -> i64 {
    let mut inside: Vec<(UtcMillis, UtcMillis)> = others
        .iter()
        .map(|other| (other.start.max(span.start), other.end.min(span.end)))
        .filter(|(start, end)| start < end)
        .collect();
    inside.sort_unstable();
    let mut covered_ms = 0;
    let mut up_to = span.start;
    for (start, end) in inside {
        let start = start.max(up_to);
        if end > start {
            covered_ms += end.0 - start.0;
            up_to = end;
        }
    }
    covered_ms
}

/// |sum found - sum true| / sum true for every Beijing day on which a true trip starts.
fn day_errors(truth: &[Span], found: &[Span]) -> Vec<f64> {
    let by_day = |spans: &[Span]| {
        let mut days = BTreeMap::<i64, f64>::new();
        for span in spans {
            *days.entry(day_of(span.start)).or_default() += span.distance_m;
        }
        days
    };
    let found = by_day(found);
    by_day(truth)
        .into_iter()
        .map(|(day, true_m)| (found.get(&day).copied().unwrap_or(0.0) - true_m).abs() / true_m)
        .collect()
}
