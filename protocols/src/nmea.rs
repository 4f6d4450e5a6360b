//! The sentence RMC (NMEA 0183, recommended minimum), which several protocols carry whole.

use crate::{Fix, Profile, text};

/// Fields of the sentence without its name, as far as they are read.
pub(crate) const RMC_FIELDS: usize = 9;

/// The fix of the fields behind the name: time, `A` or `V`, latitude and its side, longitude and its side, knots,
/// course, date. `None` when they hold no place.
///
/// A side that was left out is north or east.
pub(crate) fn rmc(fields: &[&[u8]], profile: &Profile) -> Option<Fix> {
    let &[time, status, lat, lat_side, lon, lon_side, knots, course, date] =
        fields.first_chunk::<RMC_FIELDS>()?;
    let lat_e7 = text::on_side(text::degrees_minutes_e7(lat)?, lat_side);
    let lon_e7 = text::on_side(text::degrees_minutes_e7(lon)?, lon_side);
    let time = text::instant_dmy(date, time, profile.clock_offset_or(0));
    let mut fix = Fix {
        speed_dkmh: text::knots_to_dkmh(knots),
        course_deg: text::course_deg(course),
        ..Fix::placed(time, lat_e7, lon_e7, profile.datum)
    };
    fix.set_valid(status == b"A");
    Some(fix)
}

/// The fields of a sentence that says a fix: what the simulator and tests send.
pub(crate) fn rmc_text(fix: &Fix) -> String {
    let time = fix.fix_time.civil(0);
    let minutes = |value_e7: i32, width: usize| {
        let magnitude = value_e7.unsigned_abs();
        // 1e-7 degrees are 6e-6 minutes.
        let minutes_e6 = u64::from(magnitude % 10_000_000) * 6;
        format!(
            "{:0width$}{:02}.{:06}",
            magnitude / 10_000_000,
            minutes_e6 / 1_000_000,
            minutes_e6 % 1_000_000
        )
    };
    let knots = fix.speed_dkmh.map(|dkmh| {
        let knots_e4 = (u64::from(dkmh) * 1_000_000 + 926) / 1_852;
        format!("{}.{:04}", knots_e4 / 10_000, knots_e4 % 10_000)
    });
    format!(
        "{:02}{:02}{:02}.{:03},{},{},{},{},{},{},{},{:02}{:02}{:02}",
        time.hour,
        time.minute,
        time.second,
        time.millisecond,
        if fix.is_valid() { 'A' } else { 'V' },
        minutes(fix.lat_e7, 2),
        if fix.lat_e7 < 0 { 'S' } else { 'N' },
        minutes(fix.lon_e7, 3),
        if fix.lon_e7 < 0 { 'W' } else { 'E' },
        knots.unwrap_or_default(),
        fix.course_deg.map(|course| course.to_string()).unwrap_or_default(),
        time.day,
        time.month,
        time.year.rem_euclid(100),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UtcMillis;
    use crate::profile::Datum;

    #[test]
    fn a_sentence_is_a_fix() {
        let sentence = b"021010.250,A,1220.74068,S,09830.0000,,19.73,271.6,150718";
        let fields: Vec<_> = sentence.split(|byte| *byte == b',').collect();
        let fix = rmc(&fields, &Profile::default()).unwrap();
        assert_eq!((fix.lat_e7, fix.lon_e7, fix.fix_time.0), (-123_456_780, 985_000_000, 1_531_620_610_250));
        assert_eq!((fix.speed_dkmh, fix.course_deg, fix.is_valid()), (Some(365), Some(272), true));
        assert_eq!(rmc(&fields[..8], &Profile::default()), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let place =
            Fix::placed(Some(UtcMillis(1_531_620_610_250)), -899_999_999, 1_799_999_999, Datum::Wgs84);
        let mut sent = Fix { speed_dkmh: Some(u16::MAX), course_deg: Some(359), ..place };
        sent.set_valid(true);
        let written = rmc_text(&sent);
        let fields: Vec<_> = written.as_bytes().split(|byte| *byte == b',').collect();
        assert_eq!(rmc(&fields, &Profile::default()), Some(sent));
    }
}
