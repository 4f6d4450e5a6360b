//! The value types of message fields: GBK text, BCD times and dates.
//!
//! Each keeps the bytes as they were sent, so that what was decoded can be encoded again byte for byte, and
//! each prints and serialises as what it means. None of them reads a clock or a zone database: BCD times are
//! GMT+8 as JT/T 808 says, but for the server's time (`as_utc`).

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::UtcMillis;
use crate::jt808::bcd;

/// Seconds east of UTC of every BCD time of the standard (JT/T 808-2019 table 1).
const GMT_PLUS_8_S: i32 = 28_800;

/// A STRING of the standard: GBK (read and written as its superset GB18030), as sent, without the zero bytes
/// that fill up a field of fixed width. Chinese in UTF-8, which some terminals send, is read as such.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Text(Vec<u8>);

impl Text {
    /// The text with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes as sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The pieces between semicolons (JT/T 808 separates the parameters of 0x8105 with them).
    pub(crate) fn split_semicolons(&self) -> Vec<Self> {
        self.0.split(|byte| *byte == b';').map(|piece| Self(piece.to_vec())).collect()
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(encoding_rs::GB18030.encode(text).0.into_owned())
    }
}

/// The text in Unicode, without zero bytes at either end; bytes that are not GBK become U+FFFD.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match chinese_in_utf8(&self.0) {
            Some(text) => Cow::Borrowed(text),
            None => encoding_rs::GB18030.decode_without_bom_handling(&self.0).0,
        };
        f.write_str(text.trim_matches('\0'))
    }
}

/// Characters of Chinese text in UTF-8 that chance does not make of GBK: nine half characters in a row would have to fit.
const CHINESE_MIN: usize = 2;

/// The text when it is UTF-8 with nothing but ASCII and two or more Chinese characters.
pub(crate) fn chinese_in_utf8(bytes: &[u8]) -> Option<&str> {
    if bytes.is_ascii() {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let is_chinese =
        |c: &char| matches!(c, '\u{3000}'..='\u{303f}' | '\u{4e00}'..='\u{9fff}' | '\u{ff00}'..='\u{ffef}');
    let wide = text.chars().filter(|c| !c.is_ascii());
    let chinese = wide.clone().filter(is_chinese).count();
    (chinese >= CHINESE_MIN && chinese == wide.count()).then_some(text)
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A BCD\[6\] time `yyMMddHHmmss` in GMT+8, as sent.
///
/// It serialises as RFC 3339 in UTC, as `HH:MM:SS` (GMT+8) when year, month and day are zero, which means
/// every day in areas and routes, and as its twelve digits when it is no time at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the bytes of the field")]
pub struct BcdTime(pub [u8; 6]);

impl BcdTime {
    /// The field for an instant; `None` outside 2000 to 2099.
    #[must_use]
    pub fn from_utc(instant: UtcMillis) -> Option<Self> {
        let digits = bcd::encode_time(instant, GMT_PLUS_8_S);
        (digits != [0; 6]).then_some(Self(digits))
    }

    /// The instant, or `None` when the digits are no time.
    #[must_use]
    pub fn utc(self) -> Option<UtcMillis> {
        bcd::decode_time(self.0, GMT_PLUS_8_S)
    }

    /// Hour, minute and second in GMT+8 when year, month and day are zero: every day at this time.
    #[must_use]
    pub fn daily(self) -> Option<(u8, u8, u8)> {
        let [year, month, day, hour, minute, second] = decimal(self.0)?;
        let is_daily = year == 0 && month == 0 && day == 0 && hour < 24 && minute < 60 && second < 60;
        is_daily.then_some((hour, minute, second))
    }
}

impl fmt::Display for BcdTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(instant) = self.utc() {
            return instant.fmt(f);
        }
        if let Some((hour, minute, second)) = self.daily() {
            return write!(f, "{hour:02}:{minute:02}:{second:02}");
        }
        f.write_str(&bcd::digits(&self.0))
    }
}

impl Serialize for BcdTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A BCD\[4\] date `yyyyMMdd`, as sent. It serialises as `yyyy-MM-dd`, or as its digits when it is no date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the bytes of the field")]
pub struct BcdDate(pub [u8; 4]);

impl fmt::Display for BcdDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some([century, year, month, day]) = decimal(self.0)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
        {
            return write!(f, "{century:02}{year:02}-{month:02}-{day:02}");
        }
        f.write_str(&bcd::digits(&self.0))
    }
}

impl Serialize for BcdDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The value of each BCD byte, or `None` when one of them is not decimal.
fn decimal<const N: usize>(bcd: [u8; N]) -> Option<[u8; N]> {
    let is_decimal = bcd.iter().all(|byte| byte >> 4 < 10 && byte & 15 < 10);
    is_decimal.then(|| bcd.map(|byte| (byte >> 4) * 10 + (byte & 15)))
}

/// For `#[serde(serialize_with)]`: a time that is in UTC, not in GMT+8; its digits when it is no time.
pub(crate) fn as_utc<S: Serializer>(time: &BcdTime, serializer: S) -> Result<S::Ok, S::Error> {
    match bcd::decode_time(time.0, 0) {
        Some(instant) => serializer.collect_str(&instant),
        None => as_hex(&time.0, serializer),
    }
}

/// For `#[serde(serialize_with)]`: bytes as lower-case hex.
pub(crate) fn as_hex<B: AsRef<[u8]>, S: Serializer>(bytes: &B, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&bcd::digits(bytes.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn gbk_text_prints_as_unicode_and_keeps_its_bytes() {
        let plate = Text::from("粤A12345");
        assert_eq!(plate.as_bytes(), [0xd4, 0xc1, b'A', b'1', b'2', b'3', b'4', b'5']);
        assert_eq!(plate.to_string(), "粤A12345");
        assert_eq!(Text::from_bytes(vec![0, 0, b'4', b'5']).to_string(), "45");
    }

    #[test]
    fn chinese_in_utf8_is_read_as_such_and_gbk_never_taken_for_it() {
        for text in ["王小明", "王小明（北京）A1"] {
            let sent = Text::from_bytes(text.as_bytes().to_vec());
            assert_eq!((sent.to_string(), sent.as_bytes()), (text.to_owned(), text.as_bytes()));
            assert_eq!(Text::from(text).to_string(), text);
        }
        // One character alone may be half of two, and Latin letters with accents are GBK's.
        assert_ne!(Text::from_bytes("京A12345".as_bytes().to_vec()).to_string(), "京A12345");
        assert_eq!(chinese_in_utf8("éé".as_bytes()), None);
        assert_eq!(chinese_in_utf8(b"plain"), None);
    }

    #[test]
    fn the_server_time_is_utc() {
        use crate::jt808::message::{Edition, Message};
        let body = [0x25, 0x10, 0x09, 0x08, 0x53, 0x20];
        let printed =
            |body| serde_json::to_value(Message::decode(0x8004, Edition::E2013, body).unwrap()).unwrap();
        assert_eq!(printed(&body), serde_json::json!({"time": "2025-10-09T08:53:20Z"}));
        assert_eq!(printed(&[0; 6]), serde_json::json!({"time": "000000000000"}));
    }

    #[test]
    fn bcd_times_are_gmt_plus_8() {
        let time = BcdTime([0x18, 0x07, 0x15, 0x10, 0x10, 0x10]);
        assert_eq!(time.to_string(), "2018-07-15T02:10:10Z");
        assert_eq!(BcdTime([0, 0, 0, 0x08, 0x30, 0]).to_string(), "08:30:00");
        assert_eq!(BcdTime([0x18, 0x13, 0x15, 0x10, 0x10, 0x10]).to_string(), "181315101010");
        assert_eq!(BcdTime([0x1a, 0x01, 0x17, 0x11, 0x05, 0x13]).to_string(), "1a0117110513");
        assert_eq!(BcdDate([0x20, 0x18, 0x08, 0x16]).to_string(), "2018-08-16");
        assert_eq!(BcdDate([0x28, 0x12, 0x31, 0x00]).to_string(), "28123100");
    }

    proptest! {
        #[test]
        fn times_round_trip(seconds in 946_684_800_i64..4_070_880_000) {
            let instant = UtcMillis(seconds * 1_000);
            let Some(time) = BcdTime::from_utc(instant) else { return Ok(()) };
            prop_assert_eq!(time.utc(), Some(instant));
        }

        #[test]
        fn any_bytes_print(bytes: Vec<u8>, time: [u8; 6], date: [u8; 4]) {
            let _text = (Text::from_bytes(bytes).to_string(), BcdTime(time).to_string(), BcdDate(date).to_string());
        }
    }
}
