//! The wire forms that JT/T 809 has besides those of JT/T 808: fields of one edition, widths that differ between the
//! editions, UTC seconds.

use serde::{Serialize, Serializer};

use crate::jt808::message::EncodeError;
use crate::jt808::message::Text;
use crate::jt808::message::wire::{Body, Fixed, Reader, Wire, Writer};
use crate::jt808::registration::Edition as Edition808;
use crate::octets::hex;
use crate::{DecodeError, UtcMillis};

/// How the structures of JT/T 808, which are shared, are told the edition.
pub(crate) const fn edition_808(edition: super::Edition) -> Edition808 {
    match edition {
        super::Edition::E2011 => Edition808::E2011,
        super::Edition::E2019 => Edition808::E2019,
    }
}

pub(crate) fn is_2019(edition: Edition808) -> bool {
    edition == Edition808::E2019
}

macro_rules! of_one_edition {
    ($form:ident, $doc:literal, $holds:expr) => {
        #[doc = $doc]
        pub(crate) struct $form<C>(std::marker::PhantomData<C>);

        impl<T, C: Wire<T>> Wire<Option<T>> for $form<C> {
            fn read(r: &mut Reader<'_>) -> Result<Option<T>, DecodeError> {
                let holds: fn(Edition808) -> bool = $holds;
                if holds(r.edition()) { C::read(r).map(Some) } else { Ok(None) }
            }

            fn write(value: &Option<T>, w: &mut Writer<'_>) -> Result<(), EncodeError> {
                let holds: fn(Edition808) -> bool = $holds;
                match value {
                    Some(value) if holds(w.edition()) => C::write(value, w),
                    None if holds(w.edition()) => Err(EncodeError::Missing),
                    _ => Ok(()),
                }
            }
        }
    };
}

of_one_edition!(In2019, "A field that only 2019 has.", is_2019);
of_one_edition!(In2011, "A field that only 2011 has.", |edition| !is_2019(edition));

/// A text of one width in 2011 and of another in 2019.
pub(crate) struct Widths<const OLD: usize, const NEW: usize>;

impl<const OLD: usize, const NEW: usize> Wire<Text> for Widths<OLD, NEW> {
    fn read(r: &mut Reader<'_>) -> Result<Text, DecodeError> {
        if is_2019(r.edition()) { Fixed::<NEW>::read(r) } else { Fixed::<OLD>::read(r) }
    }

    fn write(value: &Text, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        if is_2019(w.edition()) { Fixed::<NEW>::write(value, w) } else { Fixed::<OLD>::write(value, w) }
    }
}

/// Text with a DWORD of length in front.
pub(crate) struct Text32;

impl Wire<Text> for Text32 {
    fn read(r: &mut Reader<'_>) -> Result<Text, DecodeError> {
        let count = r.u32()? as usize;
        Ok(Text::from_bytes(r.bytes(count)?.to_vec()))
    }

    fn write(value: &Text, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.count32(value.as_bytes().len())?;
        w.bytes(value.as_bytes());
        Ok(())
    }
}

/// Eight bytes of UTC seconds.
pub(crate) struct Utc;

impl Wire<UtcSeconds> for Utc {
    fn read(r: &mut Reader<'_>) -> Result<UtcSeconds, DecodeError> {
        let (high, low) = (r.u32()?, r.u32()?);
        Ok(UtcSeconds(u64::from(high) << 32 | u64::from(low)))
    }

    fn write(value: &UtcSeconds, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.bytes(&value.0.to_be_bytes());
        Ok(())
    }
}

/// UTC seconds since 1970, as sent. It serialises as RFC 3339, or as the number when it is no time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the number as sent")]
pub struct UtcSeconds(pub u64);

/// 10000-01-01.
const TOO_LATE_S: u64 = 253_402_300_800;

impl UtcSeconds {
    /// The second that holds an instant.
    #[must_use]
    pub fn of(instant: UtcMillis) -> Self {
        Self(u64::try_from(instant.0.div_euclid(1_000)).unwrap_or(0))
    }

    /// The instant; `None` when it is not before the year 10000.
    #[must_use]
    pub fn instant(self) -> Option<UtcMillis> {
        let seconds = i64::try_from(self.0).ok().filter(|_| self.0 < TOO_LATE_S)?;
        Some(UtcMillis(seconds * 1_000))
    }
}

impl Serialize for UtcSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.instant() {
            Some(instant) => serializer.collect_str(&instant),
            None => serializer.serialize_u64(self.0),
        }
    }
}

/// Bytes of a [`PlatformNumber`].
pub(crate) const PLATFORM_BYTES: usize = 11;

/// The number of a platform, 11 bytes: digits as text, or (seen in the field) one big number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the bytes of the field")]
pub struct PlatformNumber(pub [u8; PLATFORM_BYTES]);

impl Serialize for PlatformNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let len = self.0.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = self.0.get(..len).unwrap_or(&[]);
        match (std::str::from_utf8(text), self.0) {
            (Ok(text), _) if text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                serializer.serialize_str(text)
            }
            (_, [0, 0, 0, number @ ..]) => serializer.collect_str(&u64::from_be_bytes(number)),
            _ => serializer.serialize_str(&hex(&self.0)),
        }
    }
}

/// A [`PlatformNumber`].
pub(crate) struct Platform;

impl Wire<PlatformNumber> for Platform {
    fn read(r: &mut Reader<'_>) -> Result<PlatformNumber, DecodeError> {
        let bytes = r.bytes(PLATFORM_BYTES)?;
        bytes.try_into().map(PlatformNumber).map_err(|_| r.error("truncated"))
    }

    fn write(value: &PlatformNumber, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.bytes(&value.0);
        Ok(())
    }
}

/// A DWORD of length, then a structure of that length.
pub(crate) struct Sized32;

impl<T: Body> Wire<T> for Sized32 {
    fn read(r: &mut Reader<'_>) -> Result<T, DecodeError> {
        let count = r.u32()? as usize;
        let mut part = r.sub(count)?;
        let body = T::read(&mut part)?;
        if part.remaining() > 0 { Err(part.error("length")) } else { Ok(body) }
    }

    fn write(value: &T, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let mut bytes = Vec::new();
        value.write(&mut Writer::new(&mut bytes, w.edition()))?;
        w.count32(bytes.len())?;
        w.bytes(&bytes);
        Ok(())
    }
}

/// A password: read and written as text, shown as stars.
pub(crate) fn as_secret<S: Serializer>(text: &Text, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if text.as_bytes().is_empty() { "" } else { "***" })
}
