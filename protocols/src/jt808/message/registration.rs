//! Registration, authentication, attributes and upgrades: what a terminal says about itself.
//!
//! The widths of maker, model and terminal id changed with every edition. The session decides who is let in;
//! nothing here does.

use super::value::{Text, as_hex};
use super::wire::{Body, Byte, Bytes32, Fixed, Reader, Rest, Text8, Wire, Word, Writer, body};
use super::{Edition, EncodeError};
use crate::DecodeError;
use crate::jt808::Version;
use crate::jt808::registration::decode_registration;

/// Terminal registration, 0x0100 (JT/T 808-2019 8.8, table 8).
///
/// | field | 2011 | 2013 | 2019 |
/// | --- | --- | --- | --- |
/// | province, GB/T 2260 | WORD | WORD | WORD |
/// | city or county, GB/T 2260 | WORD | WORD | WORD |
/// | maker | BYTE\[5\] | BYTE\[5\] | BYTE\[11\] |
/// | model | BYTE\[8\] | BYTE\[20\] | BYTE\[30\] |
/// | terminal id | BYTE\[7\] | BYTE\[7\] | BYTE\[30\] |
/// | plate colour | BYTE | BYTE | BYTE |
/// | plate, or VIN with colour 0 | STRING | STRING | STRING |
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Registration {
    /// Province: first two digits of GB/T 2260, 0 = the platform's default.
    pub province: u16,
    /// City or county: last four digits of GB/T 2260, 0 = the platform's default.
    pub city: u16,
    /// Maker's code.
    pub maker: Text,
    /// Model, set by the maker.
    pub model: Text,
    /// Terminal id, set by the maker.
    pub terminal_id: Text,
    /// Plate colour; 0 = no plate yet.
    pub plate_colour: u8,
    /// Plate, or the VIN when there is no plate.
    pub plate: Text,
}

impl Registration {
    /// The edition that a registration body proves, knowing whether the header had the 2019 version flag.
    #[must_use]
    pub fn edition(body: &[u8], has_version_flag: bool) -> Edition {
        let shape = if has_version_flag { Version::V2019 { revision: 1 } } else { Version::V2013 };
        decode_registration(body, shape).map_or(Edition::E2013, |(_, edition)| edition)
    }

    fn layout(&self, edition: Edition) -> [(&Text, usize); 3] {
        let [maker, model, id] = widths(edition);
        [(&self.maker, maker), (&self.model, model), (&self.terminal_id, id)]
    }
}

/// Widths of maker, model and terminal id.
const fn widths(edition: Edition) -> [usize; 3] {
    match edition {
        Edition::E2011 => [5, 8, 7],
        Edition::E2013 => [5, 20, 7],
        Edition::E2019 => [11, 30, 30],
    }
}

/// Fixed-width text whose width depends on the edition.
fn read_padded(r: &mut Reader<'_>, width: usize) -> Result<Text, DecodeError> {
    let bytes = r.bytes(width)?;
    let len = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    Ok(Text::from_bytes(bytes.iter().take(len).copied().collect()))
}

fn write_padded(w: &mut Writer<'_>, text: &Text, width: usize) -> Result<(), EncodeError> {
    let bytes = text.as_bytes();
    if bytes.len() > width {
        return Err(EncodeError::TooLong { limit: width });
    }
    w.bytes(bytes);
    (bytes.len()..width).for_each(|_| w.u8(0));
    Ok(())
}

impl Body for Registration {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let edition = match r.edition() {
            Edition::E2011 => Edition::E2011,
            edition => Self::edition(r.rest(), edition == Edition::E2019),
        };
        let [maker, model, id] = widths(edition);
        Ok(Self {
            province: r.u16()?,
            city: r.u16()?,
            maker: read_padded(r, maker)?,
            model: read_padded(r, model)?,
            terminal_id: read_padded(r, id)?,
            plate_colour: r.u8()?,
            plate: Rest::read(r)?,
        })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.province);
        w.u16(self.city);
        self.layout(w.edition()).into_iter().try_for_each(|(text, width)| write_padded(w, text, width))?;
        w.u8(self.plate_colour);
        Rest::write(&self.plate, w)
    }
}

/// Registration reply, 0x8100 (JT/T 808-2019 8.9, table 9): serial WORD, result BYTE, code STRING.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct RegistrationReply {
    /// Serial number of the registration.
    pub answered_serial: u16,
    /// 0 ok, 1 vehicle already registered, 2 no such vehicle, 3 terminal already registered, 4 no such
    /// terminal.
    pub result: u8,
    /// Authentication code; only sent when `result` is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<Text>,
}

impl Body for RegistrationReply {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let answered_serial = r.u16()?;
        let result = r.u8()?;
        let code = (result == 0).then(|| Text::from_bytes(r.all().to_vec()));
        Ok(Self { answered_serial, result, code })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.u16(self.answered_serial);
        w.u8(self.result);
        match &self.code {
            Some(code) if self.result == 0 => Rest::write(code, w),
            _ => Ok(()),
        }
    }
}

/// Authentication, 0x0102 (JT/T 808-2019 8.11, table 10).
///
/// 2011 and 2013: the code is the whole body. 2019: length BYTE, code, IMEI BYTE\[15\], software version
/// BYTE\[20\].
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Authentication {
    /// The code that the registration reply gave.
    pub code: Text,
    /// IMEI, 15 digits (2019).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imei: Option<Text>,
    /// Software version, set by the maker (2019).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<Text>,
}

impl Body for Authentication {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let is_2019 = r.edition() == Edition::E2019
            && r.rest().first().is_some_and(|len| r.remaining() >= 1 + usize::from(*len) + 35);
        if !is_2019 {
            return Ok(Self { code: Rest::read(r)?, imei: None, software_version: None });
        }
        Ok(Self {
            code: Text8::read(r)?,
            imei: Some(Fixed::<15>::read(r)?),
            software_version: Some(Fixed::<20>::read(r)?),
        })
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        match (w.edition(), &self.imei, &self.software_version) {
            (Edition::E2019, Some(imei), Some(software_version)) => {
                Text8::write(&self.code, w)?;
                Fixed::<15>::write(imei, w)?;
                Fixed::<20>::write(software_version, w)
            }
            _ => Rest::write(&self.code, w),
        }
    }
}

/// Attributes reply, 0x0107 (JT/T 808-2019 8.16, table 20).
///
/// | field | 2013 | 2019 |
/// | --- | --- | --- |
/// | terminal type | WORD | WORD |
/// | maker | BYTE\[5\] | BYTE\[5\]; some write BYTE\[11\] |
/// | model | BYTE\[20\] | BYTE\[30\] |
/// | terminal id | BYTE\[7\] | BYTE\[30\] |
/// | ICCID | BCD\[10\] | BCD\[10\] |
/// | hardware version | BYTE + STRING | BYTE + STRING |
/// | firmware version | BYTE + STRING | BYTE + STRING |
/// | GNSS module | BYTE | BYTE |
/// | communication module | BYTE | BYTE |
///
/// Which widths were used shows in the length: only one of them ends with the body.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Attributes {
    /// Bits: 0 passenger, 1 dangerous goods, 2 freight, 3 taxi, 6 disk video, 7 split unit, 8 trailer (2019).
    pub terminal_type: u16,
    /// Maker's code.
    pub maker: Text,
    /// Model, set by the maker.
    pub model: Text,
    /// Terminal id, set by the maker.
    pub terminal_id: Text,
    /// ICCID of the SIM card, 20 digits.
    #[serde(serialize_with = "as_hex")]
    pub iccid: [u8; 10],
    /// Hardware version.
    pub hardware_version: Text,
    /// Firmware version.
    pub firmware_version: Text,
    /// Bits: 0 GPS, 1 BeiDou, 2 GLONASS, 3 Galileo.
    pub gnss: u8,
    /// Bits: 0 GPRS, 1 CDMA, 2 TD-SCDMA, 3 WCDMA, 4 CDMA2000, 5 TD-LTE, 7 other.
    pub communication: u8,
}

impl Attributes {
    fn read_with(r: &mut Reader<'_>, [maker, model, id]: [usize; 3]) -> Result<Self, DecodeError> {
        Ok(Self {
            terminal_type: r.u16()?,
            maker: read_padded(r, maker)?,
            model: read_padded(r, model)?,
            terminal_id: read_padded(r, id)?,
            iccid: r.field::<super::wire::Array, [u8; 10]>()?,
            hardware_version: Text8::read(r)?,
            firmware_version: Text8::read(r)?,
            gnss: r.u8()?,
            communication: r.u8()?,
        })
    }
}

const ATTRIBUTE_WIDTHS_2013: [usize; 3] = [5, 20, 7];
const ATTRIBUTE_WIDTHS_2019: [usize; 3] = [5, 30, 30];
const ATTRIBUTE_WIDTHS_2019_LONG: [usize; 3] = [11, 30, 30];

impl Body for Attributes {
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let candidates = if r.edition() == Edition::E2019 {
            [ATTRIBUTE_WIDTHS_2019, ATTRIBUTE_WIDTHS_2019_LONG, ATTRIBUTE_WIDTHS_2013]
        } else {
            [ATTRIBUTE_WIDTHS_2013, ATTRIBUTE_WIDTHS_2019, ATTRIBUTE_WIDTHS_2019_LONG]
        };
        for widths in candidates {
            let mut attempt = r.clone();
            if let Ok(attributes) = Self::read_with(&mut attempt, widths)
                && attempt.remaining() == 0
            {
                *r = attempt;
                return Ok(attributes);
            }
        }
        let [usual, ..] = candidates;
        Self::read_with(r, usual)
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let [maker, model, id] = match w.edition() {
            Edition::E2019 if self.maker.as_bytes().len() > 5 => ATTRIBUTE_WIDTHS_2019_LONG,
            Edition::E2019 => ATTRIBUTE_WIDTHS_2019,
            _ => ATTRIBUTE_WIDTHS_2013,
        };
        w.u16(self.terminal_type);
        write_padded(w, &self.maker, maker)?;
        write_padded(w, &self.model, model)?;
        write_padded(w, &self.terminal_id, id)?;
        w.bytes(&self.iccid);
        Text8::write(&self.hardware_version, w)?;
        Text8::write(&self.firmware_version, w)?;
        w.u8(self.gnss);
        w.u8(self.communication);
        Ok(())
    }
}

body! {
    /// Upgrade package, 0x8108 (JT/T 808-2019 8.17, table 22).
    UpgradePackage {
        /// 0 terminal, 12 transport IC card reader, 52 BeiDou module.
        upgrade_type: u8 = Byte,
        /// Maker's code, BYTE\[5\].
        maker: Text = Fixed<5>,
        /// Edition of the package.
        package_version: Text = Text8,
        /// The package.
        #[serde(serialize_with = "as_hex")]
        package: Vec<u8> = Bytes32,
    }
}

body! {
    /// Upgrade result, 0x0108 (JT/T 808-2019 8.18, table 23).
    UpgradeResult {
        /// As in [`UpgradePackage::upgrade_type`].
        upgrade_type: u8 = Byte,
        /// 0 done, 1 failed, 2 cancelled.
        result: u8 = Byte,
    }
}

body! {
    /// Upgrade progress, 0x1FC4, an extension of the Guangdong active-safety specification.
    UpgradeProgress {
        /// Serial number of the upgrade command.
        answered_serial: u16 = Word,
        /// As in [`UpgradePackage::upgrade_type`].
        upgrade_type: u8 = Byte,
        /// 1 the firmware is being downloaded, further values as the specification says.
        status: u8 = Byte,
        /// Progress, percent.
        progress_percent: u8 = Byte,
        /// 0 none, otherwise the maker's error code.
        error_code: u8 = Byte,
    }
}
