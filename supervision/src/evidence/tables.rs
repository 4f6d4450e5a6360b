//! The tables of a pack: fixes, frames, orders, rules.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::json;

use super::PackInputs;
use super::build::PackError;
use crate::finding::Rule;
use crate::formula::guarded_cell;
use crate::point::Signs;
use crate::rules::RuleParams;
use crate::trips::Segment;

/// Spreadsheets open UTF-8 as such only with this in front.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Writes rows as CSV for spreadsheets.
fn csv_bytes<const N: usize>(
    what: &'static str,
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<Vec<u8>, PackError> {
    let failed = |error: csv::Error| PackError::Write { what, reason: error.to_string() };
    let mut writer = csv::Writer::from_writer(BYTE_ORDER_MARK.to_vec());
    writer.write_record(header).map_err(failed)?;
    for row in rows {
        writer.write_record(row.iter().map(|cell| guarded_cell(cell).into_owned())).map_err(failed)?;
    }
    writer.into_inner().map_err(|error| PackError::Write { what, reason: error.to_string() })
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn tenths(value: Option<u16>) -> String {
    value.map(|value| format!("{}.{}", value / 10, value % 10)).unwrap_or_default()
}

pub(super) fn track_csv(inputs: &PackInputs) -> Result<Vec<u8>, PackError> {
    let header = [
        "time_utc",
        "lat",
        "lon",
        "speed_kmh",
        "vehicle_speed_kmh",
        "ignition",
        "odometer_m",
        "usable",
        "backfill",
        "power_lost",
        "antenna_fault",
    ];
    let rows = inputs.points.iter().map(|point| {
        let has = |sign: Signs| point.signs.contains(sign).to_string();
        [
            point.time.to_string(),
            format!("{:.7}", point.at.lat()),
            format!("{:.7}", point.at.lon()),
            tenths(point.speed_dkmh),
            tenths(point.vehicle_speed_dkmh),
            text(point.ignition),
            text(point.odometer_m),
            point.is_usable().to_string(),
            has(Signs::BACKFILL),
            has(Signs::POWER_LOST),
            has(Signs::ANTENNA_FAULT),
        ]
    });
    csv_bytes("track.csv", header, rows)
}

pub(super) fn frames_csv(inputs: &PackInputs) -> Result<Vec<u8>, PackError> {
    let rows = inputs.frames.iter().map(|frame| {
        let hex = frame.bytes.iter().fold(String::with_capacity(frame.bytes.len() * 2), |mut hex, byte| {
            // Writing to a string can't fail.
            let _infallible = write!(hex, "{byte:02x}");
            hex
        });
        [frame.received_at.to_string(), frame.protocol.clone(), hex]
    });
    csv_bytes("frames.csv", ["received_utc", "protocol", "hex"], rows)
}

pub(super) fn orders_csv(inputs: &PackInputs) -> Result<Vec<u8>, PackError> {
    let header = [
        "order_no",
        "version",
        "state",
        "planned_out_utc",
        "planned_in_utc",
        "recorded_utc",
        "user",
        "approver",
        "dispatcher",
        "driver",
        "purpose",
        "departure",
        "destination",
    ];
    let rows = inputs.register.orders.iter().filter(|order| order.row.vehicle == inputs.judgement.vehicle);
    let rows = rows.map(|order| {
        let row = &order.row;
        let list = |items: Vec<&str>| items.join("; ");
        [
            row.no.clone(),
            order.version.to_string(),
            format!("{:?}", row.state).to_lowercase(),
            row.planned_out.to_string(),
            row.planned_in.to_string(),
            row.entered_at.unwrap_or(order.recorded_at).to_string(),
            row.user.clone(),
            list(row.approvals.iter().map(|approval| approval.by.as_str()).collect()),
            row.dispatcher.clone(),
            row.driver.clone(),
            row.purpose.clone(),
            row.departure.text.clone(),
            list(row.destinations.iter().map(|place| place.text.as_str()).collect()),
        ]
    });
    csv_bytes("orders.csv", header, rows)
}

/// The rules that found something: names, version, parameters as used; and the defaults.
pub(super) fn rules(inputs: &PackInputs) -> serde_json::Value {
    let mut rules: BTreeMap<Rule, serde_json::Value> = BTreeMap::new();
    for finding in &inputs.findings {
        rules.entry(finding.rule).or_insert_with(|| {
            json!({
                "rule": finding.rule.code(),
                "zh": finding.rule.zh(),
                "en": finding.rule.en(),
                "version": finding.rule_version,
                "parameters": finding.params,
                "rule_sets": finding.versions.rule_sets,
            })
        });
    }
    json!({"rules": rules.into_values().collect::<Vec<_>>(), "defaults": RuleParams::default()})
}

/// The trips as lines, the stops as points, in WGS-84.
pub(super) fn track_geojson(inputs: &PackInputs) -> serde_json::Value {
    let lines = inputs.segments.iter().filter_map(|segment| match segment {
        Segment::Trip(trip) => {
            let within = |time| trip.start <= time && time <= trip.end;
            let points = inputs.points.iter().filter(|point| point.is_usable() && within(point.time));
            let line: Vec<_> = points.map(|point| json!([point.at.lon(), point.at.lat()])).collect();
            (line.len() > 1).then(|| {
                json!({
                    "type": "Feature",
                    "geometry": {"type": "LineString", "coordinates": line},
                    "properties": trip,
                })
            })
        }
        Segment::Stop(stop) => Some(json!({
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [stop.at.lon(), stop.at.lat()]},
            "properties": stop,
        })),
        Segment::Gap(_) => None,
    });
    json!({"type": "FeatureCollection", "features": lines.collect::<Vec<_>>()})
}
