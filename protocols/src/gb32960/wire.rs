//! Reading, writing and showing the fields of GB/T 32960.3 data units.
//!
//! A structure is declared once, field by field, by the `block!` macro; `Field` reads it, passes over it,
//! writes it and shows it to people from that declaration. A count is believed only as far as there are bytes.

use std::marker::PhantomData;

use serde_json::{Map, Value};

use crate::DecodeError;
use crate::octets::Octets;

/// Why a data unit could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A text, list or data unit does not fit its length field.
    #[error("longer than the {limit} that fit the field")]
    TooLong {
        /// How much fits.
        limit: usize,
    },
    /// Something that the edition does not have.
    #[error("not part of this edition of the standard")]
    OtherEdition,
}

/// Why a field holds no value: the two greatest numbers of each width say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the standard has these two")]
pub enum Missing {
    /// `0x..FE`: the value is abnormal.
    Abnormal,
    /// `0x..FF`: the value is invalid.
    Invalid,
}

impl Missing {
    /// The word used in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Abnormal => "abnormal",
            Self::Invalid => "invalid",
        }
    }
}

/// What a field says to people.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shown {
    Value(Value),
    Missing(Missing),
    List(Vec<Self>),
}

/// The fields of one structure for people: a missing value is `null`, and its reason stands under `missing`.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    values: Map<String, Value>,
    missing: Map<String, Value>,
}

impl Fields {
    pub(crate) fn put(&mut self, name: &str, shown: Shown) {
        let value = self.plain(name, shown);
        self.values.insert(name.to_owned(), value);
    }

    fn plain(&mut self, name: &str, shown: Shown) -> Value {
        match shown {
            Shown::Value(value) => value,
            Shown::Missing(why) => {
                self.missing.insert(name.to_owned(), Value::from(why.as_str()));
                Value::Null
            }
            Shown::List(items) => {
                let items = items.into_iter().enumerate();
                items.map(|(at, item)| self.plain(&format!("{name}[{at}]"), item)).collect()
            }
        }
    }

    pub(crate) fn finish(self) -> Map<String, Value> {
        let Self { mut values, missing } = self;
        if !missing.is_empty() {
            values.insert("missing".to_owned(), Value::Object(missing));
        }
        values
    }
}

/// Something with a place in a data unit.
pub(crate) trait Field: Sized {
    fn read(r: &mut Octets<'_>) -> Result<Self, DecodeError>;

    /// Moves past it without keeping anything.
    fn pass(r: &mut Octets<'_>) -> Result<(), DecodeError> {
        Self::read(r).map(drop)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    fn show(&self) -> Shown;
}

/// A width of unsigned numbers on the wire, big-endian.
pub(crate) trait Width: Copy + Default + Ord + Into<u32> + TryFrom<u32> {
    const GREATEST: u32;

    fn read(r: &mut Octets<'_>) -> Result<Self, DecodeError>;
    fn write(self, out: &mut Vec<u8>);

    /// Whether it is one of the two numbers that mean "no value".
    fn missing(self) -> Option<Missing> {
        match Self::GREATEST - self.into() {
            0 => Some(Missing::Invalid),
            1 => Some(Missing::Abnormal),
            _ => None,
        }
    }
}

macro_rules! width {
    ($($int:ty)*) => {$(
        impl Width for $int {
            const GREATEST: u32 = Self::MAX as u32;

            fn read(r: &mut Octets<'_>) -> Result<Self, DecodeError> {
                Ok(Self::from_be_bytes(r.array()?))
            }

            fn write(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }
    )*};
}

width!(u8 u16 u32);

/// Declares a public structure and all that [`Field`] asks at once: its fields, in the order of the wire, with
/// the names that people see.
macro_rules! block {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        #[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
        }

        impl $crate::gb32960::wire::Field for $name {
            fn read(r: &mut $crate::octets::Octets<'_>) -> Result<Self, $crate::DecodeError> {
                Ok(Self { $($field: $crate::gb32960::wire::Field::read(r)?,)* })
            }

            fn pass(r: &mut $crate::octets::Octets<'_>) -> Result<(), $crate::DecodeError> {
                $(<$ty as $crate::gb32960::wire::Field>::pass(r)?;)*
                Ok(())
            }

            fn write(&self, out: &mut Vec<u8>) -> Result<(), $crate::gb32960::wire::EncodeError> {
                $($crate::gb32960::wire::Field::write(&self.$field, out)?;)*
                Ok(())
            }

            fn show(&self) -> $crate::gb32960::wire::Shown {
                let mut fields = $crate::gb32960::wire::Fields::default();
                $(fields.put(stringify!($field), $crate::gb32960::wire::Field::show(&self.$field));)*
                $crate::gb32960::wire::Shown::Value(fields.finish().into())
            }
        }
    };
}
pub(crate) use block;

/// Items with their number, of width `C`, in front; or, by the count's two greatest numbers, no list at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<C, T> {
    items: Result<Vec<T>, Missing>,
    count: PhantomData<C>,
}

impl<C, T> List<C, T> {
    /// A list of these items.
    #[must_use]
    pub const fn of(items: Vec<T>) -> Self {
        Self { items: Ok(items), count: PhantomData }
    }

    /// No list, and why.
    #[must_use]
    pub const fn missing(why: Missing) -> Self {
        Self { items: Err(why), count: PhantomData }
    }

    /// The items; none when the list is missing.
    #[must_use]
    pub fn items(&self) -> &[T] {
        self.items.as_deref().unwrap_or(&[])
    }
}

impl<C, T> Default for List<C, T> {
    fn default() -> Self {
        Self::of(Vec::new())
    }
}

impl<C: Width, T: Field> Field for List<C, T> {
    fn read(r: &mut Octets<'_>) -> Result<Self, DecodeError> {
        let count = C::read(r)?;
        if let Some(why) = count.missing() {
            return Ok(Self::missing(why));
        }
        let mut items = Vec::new();
        for _ in 0..count.into() {
            items.push(T::read(r)?);
        }
        Ok(Self::of(items))
    }

    fn pass(r: &mut Octets<'_>) -> Result<(), DecodeError> {
        let count = C::read(r)?;
        if count.missing().is_none() {
            for _ in 0..count.into() {
                T::pass(r)?;
            }
        }
        Ok(())
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let limit = (C::GREATEST - 2) as usize;
        let too_long = EncodeError::TooLong { limit };
        let count = match &self.items {
            Err(Missing::Invalid) => C::GREATEST,
            Err(Missing::Abnormal) => C::GREATEST - 1,
            Ok(items) if items.len() > limit => return Err(too_long),
            Ok(items) => u32::try_from(items.len()).map_err(|_| too_long)?,
        };
        C::try_from(count).map_err(|_| too_long)?.write(out);
        self.items().iter().try_for_each(|item| item.write(out))
    }

    fn show(&self) -> Shown {
        match &self.items {
            Err(why) => Shown::Missing(*why),
            Ok(items) => Shown::List(items.iter().map(Field::show).collect()),
        }
    }
}

/// A WORD of length, then that many bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the bytes of the field")]
pub struct Bytes(pub Vec<u8>);

impl Field for Bytes {
    fn read(r: &mut Octets<'_>) -> Result<Self, DecodeError> {
        let count = <u16 as Width>::read(r)?;
        Ok(Self(r.take(usize::from(count))?.to_vec()))
    }

    fn pass(r: &mut Octets<'_>) -> Result<(), DecodeError> {
        let count = <u16 as Width>::read(r)?;
        r.take(usize::from(count)).map(drop)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let count = u16::try_from(self.0.len()).map_err(|_| EncodeError::TooLong { limit: 65_535 })?;
        Width::write(count, out);
        out.extend_from_slice(&self.0);
        Ok(())
    }

    fn show(&self) -> Shown {
        Shown::Value(crate::octets::hex(&self.0).into())
    }
}
