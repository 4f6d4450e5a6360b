//! Messages between platforms: duty checks, texts, requests to send again (1300, 9300).

use serde::Serialize;

use super::Text;
use crate::DecodeError;
use crate::jt808::message::EncodeError;
use crate::jt808::message::wire::{Body, Byte, Dword, Fixed, Reader, Word, Writer, body};
use crate::jt809::wire::{In2011, In2019, Text32, Utc, UtcSeconds, Widths, is_2019};

body! {
    /// Answer to a duty check.
    DutyCheckReply {
        /// Who was asked: 0 one platform, 1 this platform, 2 one company, 3 all companies, and more.
        object_type: u8 = Byte,
        /// Who answers (2019).
        responder: Option<Text> = In2019<Fixed<16>>,
        /// His telephone (2019).
        responder_telephone: Option<Text> = In2019<Fixed<20>>,
        /// Number of who was asked.
        object: Text = Widths<12, 20>,
        /// Number of the question (2011).
        info: Option<u32> = In2011<Dword>,
        /// The sub-type of the question (2019).
        answered_type: Option<u16> = In2019<Word>,
        /// The serial number of the question (2019).
        answered_serial: Option<u32> = In2019<Dword>,
        /// The answer.
        content: Text = Text32,
    }
}

body! {
    /// A text has arrived.
    MessageReply {
        /// Number of the text (2011).
        info: Option<u32> = In2011<Dword>,
        /// The sub-type of the text (2019).
        answered_type: Option<u16> = In2019<Word>,
        /// The serial number of the text (2019).
        answered_serial: Option<u32> = In2019<Dword>,
    }
}

body! {
    /// Request to send messages again (2019): by their serial numbers or from a time on, the other being zero.
    ResendRequest {
        /// The first.
        first_serial: u32 = Dword,
        /// The last.
        last_serial: u32 = Dword,
        /// From when on.
        from: UtcSeconds = Utc,
    }
}

body! {
    /// A text to platforms.
    PlatformMessage {
        /// Whom it is for: 0 one platform, 1 this platform, 2 one company, 3 all companies, and more.
        object_type: u8 = Byte,
        /// Number of whom it is for.
        object: Text = Widths<12, 20>,
        /// Number of the text.
        info: u32 = Dword,
        /// The text.
        content: Text = Text32,
    }
}

/// A duty check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct DutyCheck {
    /// Who is asked; some platforms of 2011 leave it out.
    pub asked: Option<Asked>,
    /// Number of the question.
    pub info: u32,
    /// The question.
    pub content: Text,
}

/// Who is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Asked {
    /// 0 one platform, 1 this platform, 2 one company, 3 all companies, and more.
    pub object_type: u8,
    /// Its number.
    pub object: Text,
    /// How long an answer may take, as sent (2019).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_limit: Option<u8>,
}

impl DutyCheck {
    fn read_asked(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let object_type = r.u8()?;
        let object = r.field::<Widths<12, 20>, Text>()?;
        let answer_limit = r.field::<In2019<Byte>, Option<u8>>()?;
        let asked = Some(Asked { object_type, object, answer_limit });
        Ok(Self { asked, info: r.u32()?, content: r.field::<Text32, Text>()? })
    }
}

impl Body for DutyCheck {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut whole = r.clone();
        let check = Self::read_asked(&mut whole);
        let fits = |rest: &Reader<'_>| rest.remaining() == 0;
        if check.is_ok() && fits(&whole) || is_2019(r.edition()) {
            *r = whole;
            return check;
        }
        let mut short = r.clone();
        let bare = Self { asked: None, info: short.u32()?, content: short.field::<Text32, Text>()? };
        if check.is_ok() && !fits(&short) {
            *r = whole;
            return check;
        }
        *r = short;
        Ok(bare)
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        match &self.asked {
            Some(asked) => {
                w.u8(asked.object_type);
                w.field::<Widths<12, 20>, Text>(&asked.object)?;
                w.field::<In2019<Byte>, Option<u8>>(&asked.answer_limit)?;
            }
            None if is_2019(w.edition()) => return Err(EncodeError::Missing),
            None => {}
        }
        w.u32(self.info);
        w.field::<Text32, Text>(&self.content)
    }
}
