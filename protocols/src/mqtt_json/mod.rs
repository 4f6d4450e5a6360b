//! Positions as JSON, published over MQTT: the project's own shape, and those of EMQX's gateways.
//!
//! A payload is untrusted text of bounded length. Before anything is built from it, [`guard`] refuses what is not
//! UTF-8, what is nested deeper than [`DEPTH_MAX`], and what is longer than [`PAYLOAD_BYTES_MAX`]; so no payload
//! costs more memory than a small multiple of its length. Members that have no field in a [`Fix`] stay as they
//! are in the stored message; [`crate::describe`] shows the whole of it.
//!
//! - [`own`]: the shape that this project documents, for devices that are free to choose.
//! - [`emqx_jt808`]: topic `jt808/{clientid}/{phone}/up` of EMQX's JT/T 808 gateway.
//! - [`emqx_gb32960`]: topics `gbt32960/{clientid}/upstream/…` of its GB/T 32960 gateway.

pub mod emqx_gb32960;
pub mod emqx_jt808;
mod lines;
pub mod own;
pub mod time;

use serde_json::Value;

use crate::profile::Datum;
use crate::{DecodeError, Description, Fix, Observations, Profile, Protocol, Quality, gcj02, observe};

/// The longest payload that is looked at, bytes.
pub const PAYLOAD_BYTES_MAX: usize = 256 << 10;
/// The deepest nesting of arrays and objects; no shape here needs more than six levels.
pub const DEPTH_MAX: usize = 16;
/// Fixes in one payload: a day of one every ten seconds.
pub const FIXES_MAX: usize = 8_640;

const LATITUDE_MAX: f64 = 90.0;
const LONGITUDE_MAX: f64 = 180.0;

/// The text of a payload that is safe to parse.
///
/// # Errors
/// `too_long`, `not_utf8` or `too_deep`, with the place.
pub fn guard(raw: &[u8]) -> Result<&str, DecodeError> {
    if raw.len() > PAYLOAD_BYTES_MAX {
        return Err(DecodeError::new(PAYLOAD_BYTES_MAX, "too_long"));
    }
    let text = std::str::from_utf8(raw).map_err(|error| DecodeError::new(error.valid_up_to(), "not_utf8"))?;
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for (at, byte) in raw.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Err(DecodeError::new(at, "too_deep"));
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(text)
}

/// Reads a payload into `T`. The error names the column, which is the byte for a payload of one line.
fn parse<'a, T: serde::Deserialize<'a>>(raw: &'a [u8]) -> Result<T, DecodeError> {
    let text = guard(raw)?;
    serde_json::from_str(text).map_err(|error| DecodeError::new(error.column(), reason_of(&error)))
}

fn reason_of(error: &serde_json::Error) -> &'static str {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "truncated",
        Category::Data => "field",
        Category::Syntax | Category::Io => "not_json",
    }
}

/// A whole number of `1 / scale` units out of a decimal; `None` when it does not fit.
fn scaled<T: TryFrom<i64>>(value: f64, scale: f64) -> Option<T> {
    let product = (value * scale).round();
    // 2^53: every whole number up to it is exact.
    if product.is_nan() || product.abs() > 9_007_199_254_740_992.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53")]
    let whole = product as i64;
    T::try_from(whole).ok()
}

/// Degrees in 1e-7, clamped into their range, and whether they had to be.
fn degrees_e7(degrees: f64, max: f64) -> (i32, bool) {
    let inside = degrees.clamp(-max, max);
    (scaled(inside, 1e7).unwrap_or(0), (-max..=max).contains(&degrees))
}

/// Puts the place into a fix with what is doubtful about it, converted to WGS-84 as the profile says.
fn place(fix: &mut Fix, lat: f64, lon: f64, profile: &Profile) {
    let (lat_e7, lat_fits) = degrees_e7(lat, LATITUDE_MAX);
    let (lon_e7, lon_fits) = degrees_e7(lon, LONGITUDE_MAX);
    (fix.lat_e7, fix.lon_e7) = (lat_e7, lon_e7);
    let is_zero = lat_e7 == 0 && lon_e7 == 0;
    if !(lat_fits && lon_fits) {
        fix.quality = fix.quality.with(Quality::OUT_OF_RANGE);
    } else if is_zero {
        fix.quality = fix.quality.with(Quality::ZERO_POSITION);
    } else if profile.datum == Datum::Gcj02 {
        (fix.lat_e7, fix.lon_e7) = gcj02::to_wgs84_e7(lat_e7, lon_e7);
        fix.quality = fix.quality.with(Quality::CRS_CONVERTED);
    }
}

/// Everything a payload says, for people.
fn describe(protocol: Protocol, raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let mut observations = Observations::default();
    observe(protocol, raw, profile, &mut observations)?;
    let whole: Value = parse(raw)?;
    let (terminal, message, name) = match protocol {
        Protocol::EmqxJt808 => emqx_jt808::heading(&whole),
        Protocol::EmqxGb32960 => emqx_gb32960::heading(&whole),
        _ => (None, "report".to_owned(), "position_report"),
    };
    let attributes = vec![serde_json::Map::new(); observations.fixes.len()];
    Ok(Description {
        version: "json",
        terminal,
        message,
        name,
        serial: whole.pointer("/header/msg_sn").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()),
        observations,
        attributes,
        body: whole,
        unknown: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bombs_are_refused_before_anything_is_built() {
        let deep = "[".repeat(100_000);
        assert_eq!(guard(deep.as_bytes()), Err(DecodeError::new(DEPTH_MAX, "too_deep")));
        let long = vec![b' '; PAYLOAD_BYTES_MAX + 1];
        assert_eq!(guard(&long).map_err(|error| error.reason), Err("too_long"));
        assert_eq!(guard(b"{\"a\":\"\xff\"}"), Err(DecodeError::new(6, "not_utf8")));
        // Brackets within a text nest nothing, and an escaped quote does not end it.
        let text = format!("{{\"a\":\"\\\"{deep}\"}}");
        assert!(guard(text.as_bytes()).is_ok());
    }

    #[test]
    fn numbers_that_do_not_fit_are_not_made_to_fit() {
        assert_eq!(scaled::<u16>(6553.5, 10.0), Some(65_535));
        assert_eq!(scaled::<u16>(6553.6, 10.0), None);
        assert_eq!(scaled::<u16>(-0.1, 10.0), None);
        assert_eq!(scaled::<u32>(1e300, 1.0), None);
        assert_eq!(degrees_e7(-90.1, 90.0), (-900_000_000, false));
    }
}
