//! The tables that `motorpool audit` writes. Their columns are a contract: add at the end, never rename.

use std::io::Write;

use jiff::tz::TimeZone;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::finding::{Colour, Finding, Outcome};
use motorpool_supervision::formula;
use motorpool_supervision::rules::{Lang, describe};
use motorpool_supervision::trips::{Gap, Segment, Stop, Trip};
use serde::Serialize;

use super::Device;

/// The word that stands for a value of a closed list in files: its serde name.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Whole seconds with `Z`.
fn instant(at: UtcMillis) -> String {
    UtcMillis(at.0.div_euclid(1_000) * 1_000).to_string()
}

fn degrees(value: f64) -> String {
    format!("{value:.7}")
}

fn optional<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Text that others chose, as a cell.
fn guarded(text: &str) -> String {
    formula::guarded(text).into_owned()
}

const TRIPS: [&str; 16] = [
    "device",
    "start_utc",
    "end_utc",
    "start_lat",
    "start_lon",
    "end_lat",
    "end_lon",
    "distance_m",
    "distance_source",
    "moving_s",
    "idle_s",
    "max_speed_kmh",
    "fixes",
    "confidence",
    "reason",
    "kind",
];

fn trip_row(device: &str, trip: &Trip) -> [String; 16] {
    [
        guarded(device),
        instant(trip.start),
        instant(trip.end),
        degrees(trip.start_at.lat()),
        degrees(trip.start_at.lon()),
        degrees(trip.end_at.lat()),
        degrees(trip.end_at.lon()),
        trip.distance_m.to_string(),
        word(&trip.distance_source),
        trip.moving_s.to_string(),
        trip.idle_s.to_string(),
        optional(trip.max_speed_dkmh.map(|speed| format!("{}.{}", speed / 10, speed % 10))),
        trip.fixes.to_string(),
        format!("{:.2}", f64::from(trip.confidence_pct) / 100.0),
        word(&trip.end_reason),
        word(&trip.kind),
    ]
}

const STOPS: [&str; 9] =
    ["device", "start_utc", "end_utc", "lat", "lon", "duration_s", "ignition_on_s", "fixes", "open"];

fn stop_row(device: &str, stop: &Stop) -> [String; 9] {
    [
        guarded(device),
        instant(stop.start),
        instant(stop.end),
        degrees(stop.at.lat()),
        degrees(stop.at.lon()),
        ((stop.end.0 - stop.start.0) / 1_000).to_string(),
        optional(stop.ignition_on_s),
        stop.fixes.to_string(),
        stop.is_open.to_string(),
    ]
}

const GAPS: [&str; 12] = [
    "device",
    "start_utc",
    "end_utc",
    "from_lat",
    "from_lon",
    "to_lat",
    "to_lon",
    "displacement_m",
    "odometer_m",
    "place",
    "ignition_before",
    "power_lost",
];

fn gap_row(device: &str, gap: &Gap) -> [String; 12] {
    [
        guarded(device),
        instant(gap.start),
        instant(gap.end),
        degrees(gap.from.lat()),
        degrees(gap.from.lon()),
        degrees(gap.to.lat()),
        degrees(gap.to.lon()),
        gap.displacement_m.to_string(),
        optional(gap.odometer_m),
        word(&gap.place),
        optional(gap.ignition_before),
        gap.power_lost.to_string(),
    ]
}

/// Writes the rows that `row` makes of the devices' segments, in order of device and start.
fn write_segments<const N: usize>(
    out: impl Write,
    header: [&str; N],
    devices: &[Device],
    row: impl Fn(&str, &Segment) -> Option<[String; N]>,
) -> csv::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(header)?;
    for device in devices {
        for segment in &device.segments {
            if let Some(row) = row(&device.name, segment) {
                writer.write_record(row)?;
            }
        }
    }
    Ok(writer.flush()?)
}

/// `trips.csv`.
pub(super) fn trips(out: impl Write, devices: &[Device]) -> csv::Result<()> {
    write_segments(out, TRIPS, devices, |device, segment| match segment {
        Segment::Trip(trip) => Some(trip_row(device, trip)),
        _ => None,
    })
}

/// `stops.csv`.
pub(super) fn stops(out: impl Write, devices: &[Device]) -> csv::Result<()> {
    write_segments(out, STOPS, devices, |device, segment| match segment {
        Segment::Stop(stop) => Some(stop_row(device, stop)),
        _ => None,
    })
}

/// `gaps.csv`.
pub(super) fn gaps(out: impl Write, devices: &[Device]) -> csv::Result<()> {
    write_segments(out, GAPS, devices, |device, segment| match segment {
        Segment::Gap(gap) => Some(gap_row(device, gap)),
        _ => None,
    })
}

/// The order a finding is about: the one that covers, else the only one considered.
fn order_no(finding: &Finding) -> &str {
    let covering = finding.orders.iter().find(|order| order.why_not.is_empty());
    let only = match finding.orders.as_slice() {
        [order] => Some(order),
        _ => None,
    };
    covering.or(only).map_or("", |order| order.no.as_str())
}

/// `flags.csv`: findings with the name of the device whose vehicle they are about.
pub(super) fn flags<'a>(
    out: impl Write,
    findings: impl IntoIterator<Item = (&'a str, &'a Finding)>,
    lang: Lang,
    zone: &TimeZone,
) -> csv::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record([
        "device",
        "rule",
        "outcome",
        "severity",
        "start_utc",
        "end_utc",
        "lat",
        "lon",
        "order_no",
        "detail",
    ])?;
    for (device, finding) in findings {
        writer.write_record([
            guarded(device),
            finding.rule.code().to_owned(),
            word(&finding.outcome),
            word(&finding.colour),
            instant(finding.from),
            instant(finding.to),
            finding.at.map(|at| degrees(at.lat())).unwrap_or_default(),
            finding.at.map(|at| degrees(at.lon())).unwrap_or_default(),
            guarded(order_no(finding)),
            guarded(&describe(finding, lang, zone).text),
        ])?;
    }
    Ok(writer.flush()?)
}

/// How many findings of each rule, outcome and colour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counted {
    /// Flags.
    pub(super) flags: u32,
    /// Of them red.
    pub(super) red: u32,
    /// Undecidable.
    pub(super) undecidable: u32,
}

impl Counted {
    pub(super) fn add(&mut self, finding: &Finding) {
        match finding.outcome {
            Outcome::Flag => self.flags += 1,
            Outcome::Undecidable => self.undecidable += 1,
        }
        self.red += u32::from(finding.colour == Colour::Red);
    }
}
