//! Answers to commands, codecs 12 to 15: `type BYTE, length DWORD, text`, with a time and an IMEI in front where
//! the codec has them.

use serde_json::Value;

use crate::notes::Notes;
use crate::octets::{Octets, hex};
use crate::teltonika::frame::{CODEC_13, CODEC_14, CODEC_15, Data};
use crate::teltonika::observe::note_text;
use crate::{DecodeError, Observation, Observations, Profile, UtcMillis};

/// Bytes of a packed IMEI.
const NAME_BYTES: usize = 8;

pub(super) fn read<N: Notes>(
    data: &Data<'_>,
    profile: &Profile,
    out: &mut Observations,
    notes: &mut N,
) -> Result<(), DecodeError> {
    out.other.push(Observation::Other { message_id: u16::from(data.codec) });
    let mut octets = Octets::new(data.body, data.body_at);
    let kind = octets.u8()?;
    notes.of_message("type", || Value::from(kind));
    let stated = usize::try_from(octets.u32()?).unwrap_or(usize::MAX);
    // Codec 13 does not count its time, codec 15 does.
    if data.codec == CODEC_15 || (data.codec == CODEC_13 && octets.left() == stated.saturating_add(4)) {
        let seconds = i64::from(octets.u32()?) - i64::from(profile.clock_offset_or(0));
        notes.of_message("time", || Value::from(UtcMillis(seconds * 1_000).to_string()));
    }
    if matches!(data.codec, CODEC_14 | CODEC_15) {
        let name = octets.array::<NAME_BYTES>()?;
        notes.of_message("imei", || Value::from(hex(&name).trim_start_matches('0').to_owned()));
    }
    let text = octets.take(octets.left())?;
    if kind == 0x0d {
        // Pieces of a picture.
        notes.unknown(|| "picture".to_owned(), text);
    } else {
        note_text(notes, "result", text);
    }
    Ok(())
}
