//! One stored packet: its records as fixes with their readings.

use serde_json::Value;

use crate::draft::Draft;
use crate::notes::{NoNotes, Notebook, Notes, Title};
use crate::octets::Octets;
use crate::teltonika::elements::Elements;
use crate::teltonika::frame::{
    CODEC_8, CODEC_8_EXTENDED, CODEC_12, CODEC_13, CODEC_14, CODEC_15, CODEC_16, CODEC_GH, Data, Packet,
};
use crate::teltonika::records::{Head, Layout};
use crate::teltonika::{command, elements};
use crate::{Alarms, DecodeError, Description, Fix, Observation, Observations, Profile, UtcMillis};

/// The GH models count seconds from 2007-01-01T00:00:00Z.
const GH_EPOCH_S: i64 = 1_167_609_600;
/// Their two highest bits are the priority.
const GH_TIME: u32 = 0x3fff_ffff;
/// A record of panic.
const PANIC: u8 = 2;

/// Decodes one stored packet; see [`crate::observe`].
///
/// # Errors
/// When it is no packet, or its first record ends within itself.
#[inline]
pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    read(&parse(raw)?, profile, out, &mut NoNotes)
}

/// Decodes one stored packet with every field it has.
///
/// # Errors
/// As [`observe`].
pub(crate) fn describe(raw: &[u8], profile: &Profile) -> Result<Description, DecodeError> {
    let packet = parse(raw)?;
    let mut observations = Observations::default();
    let mut notes = Notebook::default();
    read(&packet, profile, &mut observations, &mut notes)?;
    let (version, name, terminal, serial) = match &packet {
        Packet::LogIn(terminal) => ("tcp", "log_in", Some(*terminal), None),
        Packet::Data(data) => {
            let head = data.datagram;
            let version = if head.is_some() { "udp" } else { "tcp" };
            (version, name_of(data.codec), head.map(|it| it.terminal), head.map(|it| u32::from(it.packet)))
        }
    };
    let message = match &packet {
        Packet::LogIn(_) => "log_in".to_owned(),
        Packet::Data(data) => format!("{:#04x}", data.codec),
    };
    Ok(notes.describe(Title { version, terminal, message, name, serial }, observations))
}

const fn name_of(codec: u8) -> &'static str {
    match codec {
        CODEC_8 => "codec_8",
        CODEC_8_EXTENDED => "codec_8_extended",
        CODEC_16 => "codec_16",
        CODEC_GH => "codec_gh",
        CODEC_12 => "codec_12",
        CODEC_13 => "codec_13",
        CODEC_14 => "codec_14",
        _ => "codec_15",
    }
}

fn parse(raw: &[u8]) -> Result<Packet<'_>, DecodeError> {
    Packet::parse(raw).map_err(|reason| DecodeError::new(0, reason.as_str()))
}

fn read<N: Notes>(
    packet: &Packet<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut N,
) -> Result<(), DecodeError> {
    let data = match packet {
        Packet::LogIn(terminal) => {
            out.other.push(Observation::LoggedIn { terminal: *terminal });
            return Ok(());
        }
        Packet::Data(data) => data,
    };
    match data.codec {
        CODEC_GH => records(data, out, notes, |octets, out, notes| gh_record(octets, profile, out, notes)),
        CODEC_12 | CODEC_13 | CODEC_14 | CODEC_15 => command::read(data, profile, out, notes),
        codec => {
            let Some(layout) = Layout::of(codec, data.count, data.body) else {
                return Err(DecodeError::new(data.body_at, "codec"));
            };
            records(data, out, notes, |octets, out, notes| record(layout, octets, profile, out, notes))
        }
    }
}

/// Reads records until they end; those before a broken one are kept.
#[inline]
fn records<'a, N: Notes>(
    data: &Data<'a>,
    out: &mut Observations,
    notes: &mut N,
    mut record: impl FnMut(&mut Octets<'a>, &mut Observations, &mut N) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut octets = Octets::new(data.body, data.body_at);
    for number in 0..data.count {
        let extra_bytes = out.extra.len();
        if let Err(error) = record(&mut octets, out, notes) {
            out.extra.truncate(extra_bytes);
            if number == 0 {
                return Err(error);
            }
            out.malformed_items = out.malformed_items.saturating_add(1);
            notes.unknown(|| format!("record_{number}"), octets.rest());
            return Ok(());
        }
    }
    if octets.left() > 0 {
        notes.unknown(|| "behind_records".to_owned(), octets.rest());
    }
    Ok(())
}

#[inline]
fn record<N: Notes>(
    layout: Layout,
    octets: &mut Octets<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut N,
) -> Result<(), DecodeError> {
    let head = Head::read(octets)?;
    let mut draft = Draft::new(out);
    draft.fix = Some(fix_of(&head, profile));
    if head.priority == PANIC {
        draft.raise(Alarms::EMERGENCY);
    }
    let mut found = Elements::default();
    let event = layout.elements(octets, |id, value| found.element(id, value, &mut draft, notes))?;
    found.finish(event, &mut draft);
    draft.finish(notes);
    Ok(())
}

#[inline]
fn fix_of(head: &Head, profile: &Profile) -> Fix {
    let offset_ms = i64::from(profile.clock_offset_or(0)) * 1_000;
    let time = i64::try_from(head.time_ms).ok().map(|ms| UtcMillis(ms.saturating_sub(offset_ms)));
    let mut fix = Fix::placed(time, i64::from(head.lat_e7), i64::from(head.lon_e7), profile.datum);
    fix.set_valid(head.satellites > 0);
    fix.altitude_m = Some(head.altitude_m);
    fix.satellites = Some(head.satellites);
    fix.speed_dkmh = head.speed_kmh.checked_mul(10);
    fix.course_deg = match head.course_deg {
        course @ 0..360 => Some(course),
        360 => Some(0),
        _ => None,
    };
    fix
}

/// A record of the GH models: time, a mask of groups, a mask of the fields of the position, elements with ids of a
/// BYTE in groups of one, two and four bytes.
fn gh_record<N: Notes>(
    octets: &mut Octets<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut N,
) -> Result<(), DecodeError> {
    let offset_s = i64::from(profile.clock_offset_or(0));
    let time = UtcMillis((i64::from(octets.u32()? & GH_TIME) + GH_EPOCH_S - offset_s) * 1_000);
    let groups = octets.u8()?;
    let mut draft = Draft::new(out);
    draft.at = Some(time);
    if groups & 1 != 0 {
        gh_position(octets, time, profile, &mut draft)?;
    }
    for (bit, width) in [(1, 1), (2, 2), (3, 4)] {
        if groups >> bit & 1 == 0 {
            continue;
        }
        for _ in 0..octets.u8()? {
            let id = octets.u8()?;
            elements::gh_element(id, octets.take(width)?, &mut draft, notes);
        }
    }
    draft.finish(notes);
    Ok(())
}

fn gh_position(
    octets: &mut Octets<'_>,
    time: UtcMillis,
    profile: &Profile,
    draft: &mut Draft<'_>,
) -> Result<(), DecodeError> {
    let mask = octets.u8()?;
    let has = |bit: u8| mask >> bit & 1 == 1;
    if has(0) {
        let lat = f32::from_be_bytes(octets.array()?);
        let lon = f32::from_be_bytes(octets.array()?);
        // A float cast saturates.
        let e7 = |degrees: f32| (f64::from(degrees) * 1e7).round() as i64;
        let mut fix = Fix::placed(Some(time), e7(lat), e7(lon), profile.datum);
        fix.set_valid(true);
        draft.fix = Some(fix);
    }
    let altitude = if has(1) { Some(octets.i16()?) } else { None };
    let angle = if has(2) { Some(octets.u8()?) } else { None };
    let speed = if has(3) { Some(octets.u8()?) } else { None };
    let satellites = if has(4) { Some(octets.u8()?) } else { None };
    if let Some(fix) = &mut draft.fix {
        fix.altitude_m = altitude;
        // A full turn has 256 steps.
        fix.course_deg = angle.map(|angle| (u16::from(angle) * 45 + 16) / 32 % 360);
        fix.speed_dkmh = speed.map(|speed| u16::from(speed) * 10);
        fix.satellites = satellites;
    }
    if has(5) {
        octets.take(4)?;
    }
    if has(6) {
        let signal = octets.u8()?;
        draft.signal(signal);
    }
    if has(7) {
        octets.take(4)?;
    }
    Ok(())
}

/// What a text of a command says, under a name.
pub(super) fn note_text<N: Notes>(notes: &mut N, name: &str, text: &[u8]) {
    notes.of_message(name, || Value::from(crate::octets::readable(text)));
}
