//! The position in a message, wherever the command lets it begin.

use crate::{Fix, Profile, TerminalId, UtcMillis, text};

/// A position and what stands behind it.
pub(super) struct Found<'a> {
    pub(super) fix: Fix,
    pub(super) state: Option<&'a [u8]>,
    pub(super) temperature_milli: Option<i64>,
}

/// The last position in a body.
pub(super) fn find<'a>(body: &'a [u8], profile: &Profile) -> Option<Found<'a>> {
    let letters = body.iter().enumerate().filter(|(_, byte)| matches!(byte, b'A' | b'V'));
    letters.rev().find_map(|(at, _)| {
        let (before, rest) = body.split_at_checked(at)?;
        at_letter(before, rest, profile)
    })
}

/// The position whose `A` or `V` begins `rest`; its date ends `before`.
fn at_letter<'a>(before: &[u8], rest: &'a [u8], profile: &Profile) -> Option<Found<'a>> {
    let has_commas = before.ends_with(b",");
    let before = before.strip_suffix(b",").unwrap_or(before);
    let (_, date) = before.split_last_chunk::<6>()?;
    if !date.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut scan = Scan { rest };
    let is_valid = scan.letter(b"AV")? == b'A';
    let lat = scan.number();
    let lat_side = scan.letter(b"NS")?;
    let lon = scan.number();
    let lon_side = scan.letter(b"EW")?;
    let lat_e7 = text::on_side(text::degrees_minutes_e7(lat)?, &[lat_side]);
    let lon_e7 = text::on_side(text::degrees_minutes_e7(lon)?, &[lon_side]);
    let speed_dkmh = text::kmh_to_dkmh(scan.speed(has_commas));
    let clock = scan.take(6)?;
    let offset_s = profile.clock_offset_or(0);
    let time = if has_commas {
        text::instant_dmy(date, clock, offset_s)
    } else {
        text::instant_ymd(date, clock, offset_s)
    };
    let mut found = Found {
        fix: Fix { speed_dkmh, ..Fix::placed(time, lat_e7, lon_e7, profile.datum) },
        state: None,
        temperature_milli: None,
    };
    found.fix.set_valid(is_valid);
    read_tail(scan.rest, has_commas, &mut found);
    Some(found)
}

/// Course, and what the two forms have behind it.
fn read_tail<'a>(tail: &'a [u8], has_commas: bool, found: &mut Found<'a>) {
    let tail = tail.strip_prefix(b",").unwrap_or(tail);
    let (tail, odometer) = match memchr::memchr(b'L', tail) {
        Some(at) => (tail.get(..at).unwrap_or(&[]), tail.get(at + 1..).unwrap_or(&[])),
        None => (tail, &[][..]),
    };
    let hex_bytes = odometer.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (metres, celsius) = odometer.split_at_checked(hex_bytes).unwrap_or((odometer, &[]));
    found.fix.odometer_m = text::hex(metres).and_then(|metres| u32::try_from(metres).ok());
    found.temperature_milli = text::fixed(celsius, 3);
    if has_commas {
        let mut fields = tail.split(|byte| *byte == b',');
        found.fix.course_deg = fields.next().and_then(text::course_deg);
        let second = fields.next().unwrap_or(&[]);
        if is_state(second) {
            read_state(second, found);
        } else {
            found.fix.altitude_m = text::metres(second);
            let satellites = fields.next().and_then(text::digits);
            found.fix.satellites = satellites.and_then(|count| u8::try_from(count).ok());
        }
        return;
    }
    // The course takes what the eight of the state leave; BP02 has a number behind a comma instead.
    let joined = tail.split(|byte| *byte == b',').next().unwrap_or(&[]);
    match joined.split_last_chunk::<8>().filter(|(_, state)| is_state(*state)) {
        Some((course, state)) => {
            found.fix.course_deg = text::course_deg(course);
            read_state(state, found);
        }
        None => found.fix.course_deg = text::course_deg(joined),
    }
}

fn is_state(field: &[u8]) -> bool {
    field.len() == 8
        && field.iter().all(u8::is_ascii_hexdigit)
        && matches!(field, [b'0' | b'1', b'0' | b'1', ..])
}

fn read_state<'a>(state: &'a [u8], found: &mut Found<'a>) {
    found.state = Some(state);
    found.fix.set_ignition(state.get(1) == Some(&b'1'));
}

/// What is still to be read of a position.
struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    /// One of these letters, with the comma around it.
    fn letter(&mut self, letters: &[u8]) -> Option<u8> {
        self.comma();
        let (letter, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.comma();
        letters.contains(letter).then_some(*letter)
    }

    fn comma(&mut self) {
        self.rest = self.rest.strip_prefix(b",").unwrap_or(self.rest);
    }

    /// Digits with a point, and the blanks that some write for leading zeros.
    fn number(&mut self) -> &'a [u8] {
        let is_of_number = |byte: &&u8| byte.is_ascii_digit() || matches!(byte, b'.' | b' ');
        let bytes = self.rest.iter().take_while(is_of_number).count();
        self.take(bytes).unwrap_or(&[])
    }

    /// A speed: up to the comma, or with one decimal because the time follows at once.
    fn speed(&mut self, has_commas: bool) -> &'a [u8] {
        if has_commas {
            let number = self.number();
            self.comma();
            return number;
        }
        let point = memchr::memchr(b'.', self.rest).unwrap_or(0);
        self.take(point + 2).unwrap_or(&[])
    }

    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(taken)
    }
}

/// Appends a position (BR00) with the fields that a fix has.
pub fn encode_position(terminal: &TerminalId, fix: &Fix, out: &mut Vec<u8>) {
    let time = fix.fix_time.civil(0);
    let sentence = crate::nmea::rmc_text(&Fix { fix_time: UtcMillis(0), ..*fix });
    let part = |number: usize| sentence.split(',').nth(number).unwrap_or("");
    let speed_dkmh = fix.speed_dkmh.unwrap_or(0);
    let ignition = u8::from(fix.status.contains(crate::Status::IGNITION));
    let frame = format!(
        "({terminal}BR00{:02}{:02}{:02}{}{}{}{}{}{:03}.{}{:02}{:02}{:02}{:03}.000{ignition}000000L{:08X})",
        time.year.rem_euclid(100),
        time.month,
        time.day,
        part(1),
        part(2),
        part(3),
        part(4),
        part(5),
        speed_dkmh / 10,
        speed_dkmh % 10,
        time.hour,
        time.minute,
        time.second,
        fix.course_deg.unwrap_or(0),
        fix.odometer_m.unwrap_or(0),
    );
    out.extend_from_slice(frame.as_bytes());
}
