//! Reading and writing the data types of JT/T 808 table 1: BYTE, WORD, DWORD, BYTE\[n\], BCD\[n\], STRING.
//!
//! A message body is declared once, field by field with the wire form of each field, by the `body!` macro;
//! reading and writing both follow that declaration. [`Reader`] never reads past the body and says at which
//! byte it stopped; a count is believed only as far as there are bytes. [`Writer`] refuses what does not fit
//! the length field in front of it.

use nom::IResult;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16, be_u32};

use super::value::{BcdDate, BcdTime, Text};
use super::{Edition, EncodeError};
use crate::DecodeError;

/// A cursor over one complete body.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
    edition: Edition,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(body: &'a [u8], edition: Edition) -> Self {
        Self { rest: body, at: 0, edition }
    }

    /// The edition the body is written in.
    pub(crate) const fn edition(&self) -> Edition {
        self.edition
    }

    /// What has not been read.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes have not been read.
    pub(crate) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// An error at the present place.
    pub(crate) const fn error(&self, reason: &'static str) -> DecodeError {
        DecodeError::new(self.at, reason)
    }

    fn parse<T>(
        &mut self,
        mut parser: impl FnMut(&'a [u8]) -> IResult<&'a [u8], T, ()>,
    ) -> Result<T, DecodeError> {
        let Ok((rest, value)) = parser(self.rest) else { return Err(self.error("truncated")) };
        self.at += self.rest.len() - rest.len();
        self.rest = rest;
        Ok(value)
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.parse(be_u8)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.parse(be_u16)
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.parse(be_u32)
    }

    #[inline]
    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        self.parse(take(count))
    }

    /// Everything that is left.
    pub(crate) fn all(&mut self) -> &'a [u8] {
        self.at += self.rest.len();
        std::mem::take(&mut self.rest)
    }

    /// A reader of the next `count` bytes, which this one passes over.
    #[inline]
    pub(crate) fn sub(&mut self, count: usize) -> Result<Self, DecodeError> {
        let at = self.at;
        Ok(Self { rest: self.bytes(count)?, at, edition: self.edition })
    }

    pub(crate) fn field<C: Wire<T>, T>(&mut self) -> Result<T, DecodeError> {
        C::read(self)
    }

    /// `count` fields one after another.
    pub(crate) fn list<C: Wire<T>, T>(&mut self, count: usize) -> Result<Vec<T>, DecodeError> {
        let mut items = Vec::with_capacity(count.min(self.remaining()).min(1_024));
        for _ in 0..count {
            items.push(C::read(self)?);
        }
        Ok(items)
    }
}

/// Appends one body.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    edition: Edition,
}

impl<'a> Writer<'a> {
    pub(crate) const fn new(out: &'a mut Vec<u8>, edition: Edition) -> Self {
        Self { out, edition }
    }

    /// The edition to write.
    pub(crate) const fn edition(&self) -> Edition {
        self.edition
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.out.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn field<C: Wire<T>, T>(&mut self, value: &T) -> Result<(), EncodeError> {
        C::write(value, self)
    }

    /// A number of items or bytes as BYTE.
    pub(crate) fn count8(&mut self, count: usize) -> Result<(), EncodeError> {
        self.u8(u8::try_from(count).map_err(|_| EncodeError::TooLong { limit: 255 })?);
        Ok(())
    }

    /// A number of items or bytes as WORD.
    pub(crate) fn count16(&mut self, count: usize) -> Result<(), EncodeError> {
        self.u16(u16::try_from(count).map_err(|_| EncodeError::TooLong { limit: 65_535 })?);
        Ok(())
    }

    /// A number of items or bytes as DWORD.
    pub(crate) fn count32(&mut self, count: usize) -> Result<(), EncodeError> {
        self.u32(u32::try_from(count).map_err(|_| EncodeError::TooLong { limit: u32::MAX as usize })?);
        Ok(())
    }
}

/// A wire form of `T`.
pub(crate) trait Wire<T> {
    fn read(r: &mut Reader<'_>) -> Result<T, DecodeError>;
    fn write(value: &T, w: &mut Writer<'_>) -> Result<(), EncodeError>;
}

/// A structure that is a whole body, or a repeated part of one.
pub(crate) trait Body: Sized {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError>;
    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError>;
}

/// Declares a public structure and its wire form at once: `field: Type = WireForm`.
macro_rules! body {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $ty:ty = $wire:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
        #[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
        }

        impl $crate::jt808::message::wire::Body for $name {
            fn read(
                r: &mut $crate::jt808::message::wire::Reader<'_>,
            ) -> Result<Self, $crate::DecodeError> {
                Ok(Self { $($field: r.field::<$wire, $ty>()?,)* })
            }

            fn write(
                &self,
                w: &mut $crate::jt808::message::wire::Writer<'_>,
            ) -> Result<(), $crate::jt808::message::EncodeError> {
                $(w.field::<$wire, $ty>(&self.$field)?;)*
                Ok(())
            }
        }
    };
}
pub(crate) use body;

macro_rules! integer {
    ($form:ident, $int:ty, $read:ident) => {
        #[doc = concat!("A big-endian `", stringify!($int), "`.")]
        pub(crate) struct $form;

        impl Wire<$int> for $form {
            fn read(r: &mut Reader<'_>) -> Result<$int, DecodeError> {
                r.$read()
            }

            fn write(value: &$int, w: &mut Writer<'_>) -> Result<(), EncodeError> {
                w.$read(*value);
                Ok(())
            }
        }
    };
}

integer!(Byte, u8, u8);
integer!(Word, u16, u16);
integer!(Dword, u32, u32);

/// BYTE[N] of text, filled up with zero bytes at the end.
pub(crate) struct Fixed<const N: usize>;

impl<const N: usize> Wire<Text> for Fixed<N> {
    fn read(r: &mut Reader<'_>) -> Result<Text, DecodeError> {
        let bytes = r.bytes(N)?;
        let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Ok(Text::from_bytes(bytes.iter().take(len).copied().collect()))
    }

    fn write(value: &Text, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let bytes = value.as_bytes();
        let Some(padding) = N.checked_sub(bytes.len()) else { return Err(EncodeError::TooLong { limit: N }) };
        w.bytes(bytes);
        w.out.extend(std::iter::repeat_n(0, padding));
        Ok(())
    }
}

/// Text with a BYTE of length in front.
pub(crate) struct Text8;

impl Wire<Text> for Text8 {
    fn read(r: &mut Reader<'_>) -> Result<Text, DecodeError> {
        let count = usize::from(r.u8()?);
        Ok(Text::from_bytes(r.bytes(count)?.to_vec()))
    }

    fn write(value: &Text, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.count8(value.as_bytes().len())?;
        w.bytes(value.as_bytes());
        Ok(())
    }
}

/// Text with a WORD of length in front.
pub(crate) struct Text16;

impl Wire<Text> for Text16 {
    fn read(r: &mut Reader<'_>) -> Result<Text, DecodeError> {
        let count = usize::from(r.u16()?);
        Ok(Text::from_bytes(r.bytes(count)?.to_vec()))
    }

    fn write(value: &Text, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.count16(value.as_bytes().len())?;
        w.bytes(value.as_bytes());
        Ok(())
    }
}

/// Everything to the end of the body.
pub(crate) struct Rest;

impl Wire<Text> for Rest {
    fn read(r: &mut Reader<'_>) -> Result<Text, DecodeError> {
        Ok(Text::from_bytes(r.all().to_vec()))
    }

    fn write(value: &Text, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.bytes(value.as_bytes());
        Ok(())
    }
}

impl Wire<Vec<u8>> for Rest {
    fn read(r: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
        Ok(r.all().to_vec())
    }

    fn write(value: &Vec<u8>, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.bytes(value);
        Ok(())
    }
}

/// Bytes with a DWORD of length in front.
pub(crate) struct Bytes32;

impl Wire<Vec<u8>> for Bytes32 {
    fn read(r: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
        let count = r.u32()? as usize;
        Ok(r.bytes(count)?.to_vec())
    }

    fn write(value: &Vec<u8>, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.count32(value.len())?;
        w.bytes(value);
        Ok(())
    }
}

/// BYTE[N] or BCD[N] as it is.
pub(crate) struct Array;

impl<const N: usize> Wire<[u8; N]> for Array {
    fn read(r: &mut Reader<'_>) -> Result<[u8; N], DecodeError> {
        let bytes = r.bytes(N)?;
        bytes.try_into().map_err(|_| r.error("truncated"))
    }

    fn write(value: &[u8; N], w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.bytes(value);
        Ok(())
    }
}

/// BYTE[N] of data, filled up with zero bytes at the end.
pub(crate) struct FixedBytes<const N: usize>;

impl<const N: usize> Wire<Vec<u8>> for FixedBytes<N> {
    fn read(r: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
        Ok(r.bytes(N)?.to_vec())
    }

    fn write(value: &Vec<u8>, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let Some(padding) = N.checked_sub(value.len()) else { return Err(EncodeError::TooLong { limit: N }) };
        w.bytes(value);
        w.out.extend(std::iter::repeat_n(0, padding));
        Ok(())
    }
}

/// BCD\[6\] yyMMddHHmmss.
pub(crate) struct Time;

impl Wire<BcdTime> for Time {
    fn read(r: &mut Reader<'_>) -> Result<BcdTime, DecodeError> {
        Ok(BcdTime(r.field::<Array, [u8; 6]>()?))
    }

    fn write(value: &BcdTime, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.bytes(&value.0);
        Ok(())
    }
}

/// BCD\[4\] yyyyMMdd.
pub(crate) struct Date;

impl Wire<BcdDate> for Date {
    fn read(r: &mut Reader<'_>) -> Result<BcdDate, DecodeError> {
        Ok(BcdDate(r.field::<Array, [u8; 4]>()?))
    }

    fn write(value: &BcdDate, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.bytes(&value.0);
        Ok(())
    }
}

/// A structure of its own.
pub(crate) struct Nested;

impl<T: Body> Wire<T> for Nested {
    fn read(r: &mut Reader<'_>) -> Result<T, DecodeError> {
        T::read(r)
    }

    fn write(value: &T, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        value.write(w)
    }
}

macro_rules! counted_list {
    ($form:ident, $read:ident, $write:ident, $word:literal) => {
        #[doc = concat!("A ", $word, " count, then that many items.")]
        pub(crate) struct $form<C>(std::marker::PhantomData<C>);

        impl<T, C: Wire<T>> Wire<Vec<T>> for $form<C> {
            fn read(r: &mut Reader<'_>) -> Result<Vec<T>, DecodeError> {
                let count = r.$read()? as usize;
                r.list::<C, T>(count)
            }

            fn write(value: &Vec<T>, w: &mut Writer<'_>) -> Result<(), EncodeError> {
                w.$write(value.len())?;
                value.iter().try_for_each(|item| C::write(item, w))
            }
        }
    };
}

counted_list!(List8, u8, count8, "BYTE");
counted_list!(List16, u16, count16, "WORD");
counted_list!(List32, u32, count32, "DWORD");

/// Items to the end of the body.
pub(crate) struct ListRest<C>(std::marker::PhantomData<C>);

impl<T, C: Wire<T>> Wire<Vec<T>> for ListRest<C> {
    fn read(r: &mut Reader<'_>) -> Result<Vec<T>, DecodeError> {
        let mut items = Vec::new();
        while r.remaining() > 0 {
            items.push(C::read(r)?);
        }
        Ok(items)
    }

    fn write(value: &Vec<T>, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        value.iter().try_for_each(|item| C::write(item, w))
    }
}
