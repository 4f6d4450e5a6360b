//! What a stored JT/T 809 message says: the path of folds and replay.
//!
//! Positions come from 1202 and 9202 and, marked as back-fill, from 1203 and 9203. One of 2011 shares its state and
//! alarm bits with JT/T 808; one of 2019 is the terminal's own report. Both are read by that protocol's module; items
//! of a report without a column are shown by `describe` and not kept in tracks.

use super::frame::Frame;
use super::message::vehicle::PositionView;
use super::message::{Business, Content, Link, Message};
use super::plate::platform;
use crate::jt808::decode_location;
use crate::{DecodeError, Extra, Observation, Observations, Profile, Quality};

/// Decodes the frame in `raw` and adds what it says to `out`.
///
/// # Errors
/// When the frame or its body is broken.
pub(crate) fn observe(raw: &[u8], profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    let frame = checked(raw, profile)?;
    let header = &frame.header;
    let Some(body) = frame.clear_body(profile.cipher.as_ref()) else {
        out.other.push(Observation::Other { message_id: header.message_id });
        return Ok(());
    };
    match Business::position(header.message_id, header.edition(), &body)? {
        // Not through the function of the others: the fields would be written to memory one by one and read back together.
        Some(PositionView::E2011(position)) => {
            out.fixes.push(position.fix(profile, Quality(0)));
            return Ok(());
        }
        Some(position) => return push_position(position, profile, Quality(0), false, out),
        None => {}
    }
    let (message, _) = Message::decode(header.message_id, header.edition(), &body)?;
    let observation = match &message {
        Message::Business(business) => return business_says(business, profile, out),
        Message::Link(Link::LogIn(_)) => platform(header.access_code)
            .map_or(Observation::Other { message_id: 0x1001 }, |terminal| Observation::LoggedIn { terminal }),
        Message::Link(Link::LogOut(_)) => Observation::LoggedOut,
        Message::Link(Link::KeepAlive | Link::SubKeepAlive) => Observation::Heartbeat,
        Message::Link(link) => Observation::Other { message_id: link.id() },
    };
    out.other.push(observation);
    Ok(())
}

/// The frame in `raw`, whose checksum is right or forgiven.
pub(crate) fn checked<'a>(raw: &'a [u8], profile: &Profile) -> Result<Frame<'a>, DecodeError> {
    let frame = Frame::parse(raw).map_err(|reason| DecodeError::new(0, reason.as_str()))?;
    if !frame.check_is_right && !profile.lenient_checksum {
        return Err(DecodeError::new(raw.len().saturating_sub(3), "checksum"));
    }
    Ok(frame)
}

fn business_says(business: &Business, profile: &Profile, out: &mut Observations) -> Result<(), DecodeError> {
    match &business.content {
        Content::Position(position) | Content::PositionDown(position) => {
            push_position(position.into(), profile, Quality(0), false, out)
        }
        Content::PositionBatch(batch) | Content::PositionBatchDown(batch) => {
            for position in &batch.positions {
                if push_position(position.into(), profile, Quality::BACKFILL, false, out).is_err() {
                    out.malformed_items += 1;
                }
            }
            Ok(())
        }
        content => {
            out.other
                .push(driver(content).unwrap_or_else(|| Observation::Other { message_id: content.id() }));
            Ok(())
        }
    }
}

fn driver(content: &Content) -> Option<Observation> {
    let driver = match content {
        Content::Driver(driver) => driver,
        Content::DriverReply(reply) => &reply.driver,
        _ => return None,
    };
    let (name, licence) = (driver.name.to_string(), driver.licence.to_string());
    Some(Observation::DriverCard { inserted: true, at: None, name, licence })
}

/// Adds a position as a fix. The items of a report of JT/T 808 are kept only for `describe`.
#[inline]
pub(crate) fn push_position(
    position: PositionView<'_>,
    profile: &Profile,
    quality: Quality,
    keeps_items: bool,
    out: &mut Observations,
) -> Result<(), DecodeError> {
    let (is_encrypted, location) = match position {
        PositionView::E2011(position) => {
            out.fixes.push(position.fix(profile, quality));
            return Ok(());
        }
        PositionView::E2019 { is_encrypted, location } => (is_encrypted, location),
    };
    let extra_start = out.extra.len();
    let encrypted = if is_encrypted { Quality::CRS_ENCRYPTED } else { Quality(0) };
    decode_location(location, profile, quality.with(encrypted), out)?;
    if let (Some(fix), false) = (out.fixes.last_mut(), keeps_items) {
        fix.extra = Extra::default();
        out.extra.truncate(extra_start);
    }
    Ok(())
}
