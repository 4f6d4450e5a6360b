//! The driver's card and the electronic waybill: 0x0702 and 0x0701.

use super::value::{BcdDate, BcdTime, Text, as_hex};
use super::wire::{Body, Bytes32, Date, Fixed, Reader, Text8, Time, Wire, Writer, body};
use super::{Edition, EncodeError};
use crate::DecodeError;

body! {
    /// Electronic waybill, 0x0701 (JT/T 808-2019 8.51, table 66). The form of the content is not standardised.
    Waybill {
        /// The waybill.
        #[serde(serialize_with = "as_hex")]
        content: Vec<u8> = Bytes32,
    }
}

/// Driver identity, 0x0702 (JT/T 808-2019 8.52, table 67).
///
/// | field | 2011 | 2013 | 2019 |
/// | --- | --- | --- | --- |
/// | status | - | BYTE | BYTE |
/// | time | - | BCD\[6\] | BCD\[6\] |
/// | read result | - | BYTE | BYTE |
/// | name | BYTE + STRING | BYTE + STRING | BYTE + STRING |
/// | identity card | STRING\[20\] | - | see below |
/// | licence | STRING\[40\] | STRING\[20\] | STRING\[20\] |
/// | issuer | BYTE + STRING | BYTE + STRING | BYTE + STRING |
/// | expiry | - | BCD\[4\] | BCD\[4\] |
/// | identity card | - | - | STRING\[20\] |
///
/// When the card was taken out only status and time follow; some terminals send the rest all the same.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum DriverIdentity {
    /// 2011.
    Driver2011(Driver2011),
    /// 2013 and 2019.
    Card(DriverCard),
}

impl Default for DriverIdentity {
    fn default() -> Self {
        Self::Card(DriverCard::default())
    }
}

body! {
    /// Driver identity in the edition of 2011.
    Driver2011 {
        /// Name.
        name: Text = Text8,
        /// Identity card number.
        id_card: Text = Fixed<20>,
        /// Number of the qualification certificate.
        licence: Text = Fixed<40>,
        /// Issuing authority.
        issuer: Text = Text8,
    }
}

/// A card put in or taken out (2013, 2019).
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct DriverCard {
    /// 1 put in, 2 taken out.
    pub status: u8,
    /// When.
    pub time: BcdTime,
    /// 0 read, 1 to 4 not read: wrong key, removed, checksum, other. Absent when nothing more was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_result: Option<u8>,
    /// What the card said, when it could be read.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    pub card: Option<CardContent>,
}

/// What a driver's card says.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct CardContent {
    /// Name.
    pub name: Text,
    /// Number of the qualification certificate.
    pub licence: Text,
    /// Issuing authority.
    pub issuer: Text,
    /// Expiry of the certificate.
    pub expiry: BcdDate,
    /// Identity card number (2019).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_card: Option<Text>,
}

impl Body for DriverIdentity {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        if r.edition() == Edition::E2011 {
            return Driver2011::read(r).map(Self::Driver2011);
        }
        // The header does not tell 2011 from 2013: a name is never one or two bytes long, a status never more.
        let mut attempt = r.clone();
        if !matches!(r.rest(), [1 | 2, ..])
            && let Ok(driver) = Driver2011::read(&mut attempt)
            && attempt.remaining() == 0
        {
            *r = attempt;
            return Ok(Self::Driver2011(driver));
        }
        let (status, time) = (r.u8()?, Time::read(r)?);
        let read_result = if r.remaining() > 0 { Some(r.u8()?) } else { None };
        let card = if r.remaining() > 0 { Some(CardContent::read(r)?) } else { None };
        Ok(Self::Card(DriverCard { status, time, read_result, card }))
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Driver2011(driver) => driver.write(w),
            Self::Card(card) => {
                w.u8(card.status);
                Time::write(&card.time, w)?;
                let Some(read_result) = card.read_result else { return Ok(()) };
                w.u8(read_result);
                card.card.as_ref().map_or(Ok(()), |content| content.write(w))
            }
        }
    }
}

impl Body for CardContent {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            name: Text8::read(r)?,
            licence: Fixed::<20>::read(r)?,
            issuer: Text8::read(r)?,
            expiry: Date::read(r)?,
            id_card: if r.edition() == Edition::E2019 && r.remaining() >= 20 {
                Some(Fixed::<20>::read(r)?)
            } else {
                None
            },
        })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        Text8::write(&self.name, w)?;
        Fixed::<20>::write(&self.licence, w)?;
        Text8::write(&self.issuer, w)?;
        Date::write(&self.expiry, w)?;
        match &self.id_card {
            Some(id_card) if w.edition() == Edition::E2019 => Fixed::<20>::write(id_card, w),
            _ => Ok(()),
        }
    }
}
