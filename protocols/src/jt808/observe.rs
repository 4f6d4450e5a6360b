//! What a stored JT/T 808 message says: the hot path of folds and replay.
//!
//! A stored message is one frame as received, or the frames of its packets in index order. Several messages
//! one after another are read in one go as well.
//!
//! The frame is read where it lies unless it holds an escape. Positions come from 0x0200, 0x0201, 0x0500 and
//! 0x0704; the other messages that mean something to every protocol become their [`Observation`], all others
//! [`Observation::Other`].

use crate::jt808::frame::{self, Content, DELIMITER, PAYLOAD_BYTES_MAX, Piece, Splitter};
use crate::jt808::header::{Frame, Header, IdBytes, Packet, Version};
use crate::jt808::location::{BASIC_BYTES, decode_location};
use crate::jt808::message::{Edition, Message};
use crate::jt808::registration::{decode_registration, edition_of, text};
use crate::jt808::{bcd, ids, obd, short};
use crate::profile::CHINA_CLOCK_OFFSET_S;
use crate::{DecodeError, Observation, Observations, Profile, Quality, RejectReason};

/// Payloads up to this size are unescaped on the stack without clearing a kilobyte first.
const SMALL_PAYLOAD_BYTES: usize = 160;

/// Decodes the messages in `raw` and adds what they say to `out`.
///
/// # Errors
/// The first message of which nothing can be said; the messages around it are decoded all the same.
pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    // Nearly every stored message is one frame without an escape.
    if let [DELIMITER, payload @ .., DELIMITER] = raw
        && frame::is_plain(payload)
        && let Ok(frame) = Frame::parse(payload)
        && frame.is_whole()
        && frame::check_is_right(payload)
    {
        return observe_frame(&frame, profile, out);
    }
    observe_frames(raw, profile, out)
}

/// As [`observe`], for whatever is in `raw`.
fn observe_frames(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    let mut joined = Joined::default();
    for_each_frame(raw, profile, |payload| {
        let frame = checked(payload, profile)?;
        if frame.packet.is_none() {
            return observe_frame(&frame, profile, out);
        }
        match joined.add(&frame)? {
            Some(body) => observe_body(frame.message_id, &frame.id, &body, profile, out),
            None => Ok(()),
        }
    })?;
    joined.finish()
}

/// Adds what a message in one frame says.
#[inline]
fn observe_frame(frame: &Frame<'_>, profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    let result = if frame.has_byte_serial {
        short::observe(frame.body, frame.message_id == ids::SHORT_POSITION_LATE, profile, out)
    } else {
        observe_body(frame.message_id, &frame.id, frame.body, profile, out)
    };
    match result {
        Ok(()) => Ok(()),
        Err(error) => Err(DecodeError::new(error.at + frame.body_at(), error.reason)),
    }
}

/// The header of the first frame and the whole body of the one message in `raw`.
///
/// # Errors
/// As `observe`: a broken frame, a missing packet, or no frame at all.
pub fn decode_message(raw: &[u8], profile: &Profile) -> Result<(Header, Vec<u8>), DecodeError> {
    let mut joined = Joined::default();
    let mut message = None;
    let mut first = None;
    for_each_frame(raw, profile, |payload| {
        let frame = checked(payload, profile)?;
        let header = *first.get_or_insert_with(|| frame.header(profile.id_form));
        let body = match frame.packet {
            Some(_) => joined.add(&frame)?,
            None => Some(frame.body.to_vec()),
        };
        if let (None, Some(body)) = (&message, body) {
            message = Some((header, body));
        }
        Ok(())
    })?;
    joined.finish()?;
    message.ok_or_else(|| DecodeError::new(0, "truncated"))
}

/// The header and body of one frame with its delimiters, whether or not it is a packet of a longer message.
///
/// # Errors
/// As [`decode_message`], under the standard profile; also when `raw` holds more than one frame.
pub fn decode_frame(raw: &[u8]) -> Result<(Header, Vec<u8>), DecodeError> {
    let profile = Profile::default();
    let mut only = None;
    for_each_frame(raw, &profile, |payload| {
        let frame = checked(payload, &profile)?;
        match only.replace((frame.header(profile.id_form), frame.body.to_vec())) {
            None => Ok(()),
            Some(_) => Err(DecodeError::new(0, RejectReason::Packet.as_str())),
        }
    })?;
    only.ok_or_else(|| DecodeError::new(0, "truncated"))
}

/// Calls `each` with every payload in `raw` and returns the first error, of the framing or of `each`.
#[inline]
fn for_each_frame(
    raw: &[u8],
    profile: &Profile,
    mut each: impl FnMut(&[u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut splitter = Splitter::new();
    let mut at = 0;
    let mut first = None;
    // Apart from `first`, so that it need not be looked at when all is well.
    let mut failed = false;
    let mut is_empty = true;
    while let Some(piece) = splitter.next(raw, &mut at) {
        is_empty = false;
        let result = match piece {
            Piece::Frame(content) if !content.escaped => each(content.bytes),
            Piece::Frame(content) => with_unescaped(content, profile, &mut each),
            Piece::Refused { reason, at, .. } => Err(DecodeError::new(at, reason.as_str())),
        };
        if let Err(error) = result {
            first.get_or_insert(error);
            failed = true;
        }
    }
    if failed || is_empty || at < raw.len() {
        return Err(first.unwrap_or_else(|| DecodeError::new(at, "truncated")));
    }
    Ok(())
}

fn with_unescaped(
    content: Content<'_>,
    profile: &Profile,
    each: &mut impl FnMut(&[u8]) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let failed = |reason: RejectReason| DecodeError::new(0, reason.as_str());
    let repaired = frame::with_check_escaped(content.bytes).filter(|_| profile.lenient_checksum);
    if let Some(repaired) = repaired {
        let mut space = [0; PAYLOAD_BYTES_MAX];
        return each(frame::unescape(&repaired, &mut space).map_err(failed)?);
    }
    if content.bytes.len() <= SMALL_PAYLOAD_BYTES {
        let mut space = [0; SMALL_PAYLOAD_BYTES];
        each(frame::unescape(content.bytes, &mut space).map_err(failed)?)
    } else {
        let mut space = [0; PAYLOAD_BYTES_MAX];
        each(frame::unescape(content.bytes, &mut space).map_err(failed)?)
    }
}

/// The frame of a payload, with its lengths and its check byte verified as the profile wants it.
#[inline]
fn checked<'a>(payload: &'a [u8], profile: &Profile) -> Result<Frame<'a>, DecodeError> {
    let frame = match Frame::parse(payload) {
        Err(_) if profile.lenient_length && frame::check_is_right(payload) => Frame::parse_unstated(payload),
        parsed => parsed,
    };
    let frame = frame.map_err(|reason| DecodeError::new(payload.len(), reason.as_str()))?;
    if !frame::check_is_right(payload) && !profile.lenient_checksum {
        return Err(DecodeError::new(payload.len().saturating_sub(1), RejectReason::Checksum.as_str()));
    }
    if frame.encryption() != 0 {
        return Err(DecodeError::new(2, RejectReason::Encrypted.as_str()));
    }
    Ok(frame)
}

/// The body of a message sent in packets, growing.
#[derive(Debug, Default)]
struct Joined {
    message_id: u16,
    body: Vec<u8>,
    /// The packet that was added last, until the message is whole.
    last: Option<Packet>,
}

impl Joined {
    /// Adds the next packet; the whole body after the last one.
    fn add(&mut self, frame: &Frame<'_>) -> Result<Option<Vec<u8>>, DecodeError> {
        let packet = frame.packet.unwrap_or(Packet { total: 1, index: 1 });
        let expected = match self.last {
            None => packet.index == 1 && packet.total > 0,
            Some(last) => {
                last.total == packet.total
                    && last.index.checked_add(1) == Some(packet.index)
                    && self.message_id == frame.message_id
            }
        };
        if !expected {
            self.last = None;
            self.body.clear();
            return Err(DecodeError::new(0, RejectReason::Packet.as_str()));
        }
        self.message_id = frame.message_id;
        self.body.extend_from_slice(frame.body);
        self.last = (packet.index < packet.total).then_some(packet);
        Ok(self.last.is_none().then(|| std::mem::take(&mut self.body)))
    }

    /// Whether a packet is missing at the end.
    fn finish(&self) -> Result<(), DecodeError> {
        match self.last {
            None => Ok(()),
            Some(_) => Err(DecodeError::new(self.body.len(), RejectReason::Packet.as_str())),
        }
    }
}

/// Adds what one message's body says; offsets of errors are from its beginning.
#[inline]
fn observe_body(
    message_id: u16,
    id: &IdBytes,
    body: &[u8],
    profile: &Profile,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    if message_id == ids::LOCATION {
        return decode_location(body, profile, Quality(0), out);
    }
    observe_other(message_id, id, body, profile, out)
}

fn observe_other(
    message_id: u16,
    id: &IdBytes,
    body: &[u8],
    profile: &Profile,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    let truncated = || DecodeError::new(body.len(), "truncated");
    let observation = match message_id {
        ids::LOCATION_ANSWER | ids::CONTROL_ANSWER => {
            let location = body.get(2..).ok_or_else(truncated)?;
            return decode_location(location, profile, Quality(0), out)
                .map_err(|error| DecodeError::new(error.at + 2, error.reason));
        }
        ids::BATCH => return observe_batch(body, profile, out),
        ids::REGISTER => {
            let (registration, _) = decode_registration(body, id.version).ok_or_else(truncated)?;
            Observation::Registered(Box::new(registration))
        }
        ids::LOG_IN => Observation::LoggedIn { terminal: id.terminal(profile.id_form) },
        ids::HEARTBEAT => Observation::Heartbeat,
        ids::LOG_OUT => Observation::LoggedOut,
        ids::DRIVER => driver_card(body, profile).ok_or_else(truncated)?,
        ids::PASS_THROUGH if obd::observe_pass_through(body, profile, out) => return Ok(()),
        ids::CAN_DATA if !profile.can_signals.is_empty() => {
            can_readings(body, profile).ok_or_else(truncated)?
        }
        _ => obd::observe_message(message_id, body, profile).unwrap_or(Observation::Other { message_id }),
    };
    out.other.push(observation);
    Ok(())
}

/// What the profile's signals are worth in CAN data. Only the hour is told, not the day: the readings have no time.
fn can_readings(body: &[u8], profile: &Profile) -> Option<Observation> {
    let Ok(Message::CanData(data)) = Message::decode(ids::CAN_DATA, Edition::E2019, body) else {
        return None;
    };
    let readings: Vec<_> = data.signals(&profile.can_signals).map(|(_, reading)| reading).collect();
    if readings.is_empty() {
        return Some(Observation::Other { message_id: ids::CAN_DATA });
    }
    Some(Observation::Readings { at: None, readings })
}

/// A batch: count WORD, type BYTE (1 = out of a blind area), then `length WORD, position report`.
fn observe_batch(body: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    let Some((&[_, _, kind], items)) = body.split_first_chunk::<3>() else {
        return Err(DecodeError::new(body.len(), "truncated"));
    };
    let quality = if kind == 1 { Quality::BACKFILL } else { Quality(0) };
    let mut rest = items;
    while let Some((item, after)) = batch_item(rest) {
        if decode_location(item, profile, quality, out).is_err() {
            out.malformed_items += 1;
        }
        rest = after;
    }
    if !rest.is_empty() {
        out.malformed_items += 1;
    }
    Ok(())
}

/// The first position report of a batch's items and what follows it.
fn batch_item(items: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = items.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(length)))
}

/// Whether a body has the structure its message wants, as far as an answer "bad message" hangs on it: a
/// position report needs its basic part, a batch its items whole, any other message what [`Message`] needs to
/// read it. A bad additional item is no such fault: the position before it is good.
#[inline]
pub(crate) fn is_well_formed(message_id: u16, version: Version, body: &[u8]) -> bool {
    match message_id {
        ids::LOCATION => body.len() >= BASIC_BYTES,
        ids::HEARTBEAT => true,
        ids::BATCH => {
            let Some((_, items)) = body.split_first_chunk::<3>() else { return false };
            let mut rest = items;
            while let Some((item, after)) = batch_item(rest) {
                if item.len() < BASIC_BYTES {
                    return false;
                }
                rest = after;
            }
            rest.is_empty()
        }
        // All but these few kinds are rare.
        _ => can_be_read(message_id, version, body),
    }
}

#[inline(never)]
fn can_be_read(message_id: u16, version: Version, body: &[u8]) -> bool {
    Message::decode(message_id, edition_of(message_id, version, body), body).is_ok()
}

/// A driver's card.
///
/// 2013 and 2019: status BYTE (1 in, 2 out), time BCD\[6\]; when in also result BYTE (0 = read), name
/// `length BYTE, GBK`, licence BYTE\[20\] and more. 2011: name, id card BYTE\[20\], licence BYTE\[40\], issuer.
fn driver_card(body: &[u8], profile: &Profile) -> Option<Observation> {
    let short = |bytes: &[u8]| -> Option<(String, usize)> {
        let len = usize::from(*bytes.first()?);
        Some((text(bytes.get(1..1 + len)?), 1 + len))
    };
    if let Some((&[status @ (1 | 2), ref time @ ..], rest)) = body.split_first_chunk::<7>() {
        let at = bcd::decode_time(*time, profile.clock_offset_or(CHINA_CLOCK_OFFSET_S));
        let inserted = status == 1;
        let (mut name, mut licence) = (String::new(), String::new());
        if let ([0, card @ ..], true) = (rest, inserted) {
            let (holder, used) = short(card)?;
            let number = card.get(used..).unwrap_or(&[]);
            name = holder;
            licence = text(number.get(..20).unwrap_or(number));
        }
        return Some(Observation::DriverCard { inserted, at, name, licence });
    }
    let (name, used) = short(body)?;
    let licence = text(body.get(used + 20..used + 60)?);
    Some(Observation::DriverCard { inserted: true, at: None, name, licence })
}
