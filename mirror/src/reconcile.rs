//! Whether a server holds as many points of each device and day as the archive does: the question in Flux, and the comparison.

use std::collections::BTreeMap;

use influxdb2_structmap::GenericMap;
use influxdb2_structmap::value::Value;
use motorpool_protocols::UtcMillis;
use motorpool_storage::ids::DeviceId;

use super::line::Measurement;

/// Points of one UTC day by device.
pub type Counts = BTreeMap<DeviceId, u64>;

/// The Flux query for the points of each device from `from` to before `to`. `lat` is in every point.
#[must_use]
pub fn count_query(bucket: &str, measurement: &Measurement, from: UtcMillis, to: UtcMillis) -> String {
    format!(
        "from(bucket: {})\n  |> range(start: {}, stop: {})\n  \
         |> filter(fn: (r) => r._measurement == {} and r._field == \"lat\")\n  \
         |> group(columns: [\"device\"])\n  |> count()",
        flux_text(bucket),
        flux_time(from),
        flux_time(to),
        flux_text(measurement.as_str()),
    )
}

/// A Flux text literal. Only backslash, quote and `${` mean something in one.
fn flux_text(text: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' | '"' => out.extend(['\\', c]),
            '$' if rest.peek() == Some(&'{') => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}

fn flux_time(instant: UtcMillis) -> String {
    let c = instant.civil(0);
    let (year, month, day, hour) = (c.year, c.month, c.day, c.hour);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{:02}:{:02}.{:03}Z", c.minute, c.second, c.millisecond)
}

/// What an answer to [`count_query`] is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer has a row without {0}")]
#[non_exhaustive]
pub struct NotCounts(pub &'static str);

/// The counts in the rows of an answer to [`count_query`].
///
/// # Errors
/// When a row is not one of such an answer: a device that is no number was not written by this program.
pub fn counts(rows: &[GenericMap]) -> Result<Counts, NotCounts> {
    let mut counts = Counts::new();
    for row in rows {
        let device = match row.get("device") {
            Some(Value::String(text)) => text.parse().ok().map(DeviceId),
            _ => None,
        };
        let count = match row.get("_value") {
            Some(Value::Long(count)) => u64::try_from(*count).ok(),
            Some(Value::UnsignedLong(count)) => Some(*count),
            _ => None,
        };
        let device = device.ok_or(NotCounts("a number as its device"))?;
        *counts.entry(device).or_default() += count.ok_or(NotCounts("a whole number as its value"))?;
    }
    Ok(counts)
}

/// A device and day of which the server holds more or less than the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Difference {
    /// The device.
    pub device: DeviceId,
    /// Fixes in the archive whose clock is believed.
    pub archive: u64,
    /// Points on the server.
    pub mirror: u64,
}

/// Where the counts differ, by device.
#[must_use]
pub fn compare(archive: &Counts, mirror: &Counts) -> Vec<Difference> {
    let mut devices: Vec<DeviceId> = archive.keys().chain(mirror.keys()).copied().collect();
    devices.sort_unstable();
    devices.dedup();
    let of = |counts: &Counts, device| counts.get(&device).copied().unwrap_or(0);
    devices
        .into_iter()
        .map(|device| Difference { device, archive: of(archive, device), mirror: of(mirror, device) })
        .filter(|difference| difference.archive != difference.mirror)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_one_day_by_device() {
        let day = UtcMillis(1_531_612_800_000);
        let query =
            count_query("cars", &Measurement::new("fix").unwrap(), day, UtcMillis(day.0 + 86_400_000));
        assert_eq!(
            query,
            "from(bucket: \"cars\")\n  \
             |> range(start: 2018-07-15T00:00:00.000Z, stop: 2018-07-16T00:00:00.000Z)\n  \
             |> filter(fn: (r) => r._measurement == \"fix\" and r._field == \"lat\")\n  \
             |> group(columns: [\"device\"])\n  |> count()"
        );
    }

    #[test]
    fn a_bucket_can_not_change_the_question() {
        assert_eq!(flux_text("a$\") |> drop(\\${x}\n"), "\"a$\\\") |> drop(\\\\\\${x}\\n\"");
    }

    #[test]
    fn what_is_missing_and_what_is_too_much_is_told() {
        let counts = |list: &[(u32, u64)]| list.iter().map(|(d, n)| (DeviceId(*d), *n)).collect::<Counts>();
        let found = compare(&counts(&[(1, 10), (2, 5), (3, 7)]), &counts(&[(1, 10), (3, 8), (4, 1)]));
        let found: Vec<_> = found.iter().map(|d| (d.device.0, d.archive, d.mirror)).collect();
        assert_eq!(found, [(2, 5, 0), (3, 7, 8), (4, 0, 1)]);
    }

    #[test]
    fn rows_of_others_are_not_counted() {
        let row = |device: &str, value: Value| {
            GenericMap::from([
                ("device".to_owned(), Value::String(device.to_owned())),
                ("_value".to_owned(), value),
            ])
        };
        assert_eq!(counts(&[row("7", Value::Long(3))]), Ok(Counts::from([(DeviceId(7), 3)])));
        assert!(counts(&[row("seven", Value::Long(3))]).is_err());
        assert!(counts(&[row("7", Value::Bool(true))]).is_err());
        assert!(counts(&[row("7", Value::Long(-3))]).is_err());
    }
}
