//! Device profiles: what a make of terminal does differently from its standard.

use serde::{Deserialize, Serialize};

use crate::jt809::Cipher;

/// How to read one make of terminal. [`Profile::default`] is the standard to the letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a bag of settings, built by name with a default")]
pub struct Profile {
    /// The name under which the configuration and the registry know it.
    pub name: String,
    /// Accept frames whose checksum is wrong, and count them. Default `false`.
    pub lenient_checksum: bool,
    /// Datum of the coordinates as sent.
    pub datum: Datum,
    /// Seconds east of UTC of the terminal's clock, when it is not what the protocol says (GMT+8, 28,800, for the
    /// Chinese standards; UTC for most others).
    pub clock_offset_s: Option<i32>,
    /// How the identity field of the header is to be read.
    pub id_form: IdForm,
    /// Whether the altitude WORD is signed (real places lie below sea level). Default `true`.
    pub signed_altitude: bool,
    /// Whose additional items 0xE1 to 0xFF (and other vendor items) these are. Default: kept as bytes.
    pub vendor_items: VendorItems,
    /// Whether the terminal may report without registration and authentication. Default `false`.
    pub skips_authentication: bool,
    /// The numbers that a lower platform of JT/T 809 encrypts with. Default: it does not.
    pub cipher: Option<Cipher>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            name: "standard".to_owned(),
            lenient_checksum: false,
            datum: Datum::Wgs84,
            clock_offset_s: None,
            id_form: IdForm::AsSent,
            signed_altitude: true,
            vendor_items: VendorItems::Raw,
            skips_authentication: false,
            cipher: None,
        }
    }
}

/// The clock of the Chinese standards: GMT+8, seconds east of UTC.
pub const CHINA_CLOCK_OFFSET_S: i32 = 28_800;

impl Profile {
    /// Seconds east of UTC of the terminal's clock, where the protocol says `standard`.
    #[must_use]
    pub fn clock_offset_or(&self, standard: i32) -> i32 {
        self.clock_offset_s.unwrap_or(standard)
    }

    /// The names that [`Profile::built_in`] knows.
    pub const BUILT_IN: &'static [&'static str] = &["standard", "lenient", "gcj02", "gps51"];

    /// The profile with this name among those that need no configuration: `standard`, `lenient` (wrong
    /// checksums are accepted), `gcj02` (coordinates are GCJ-02), `gps51` (GPS51's items).
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let mut profile = Self { name: name.to_owned(), ..Self::default() };
        match name {
            "standard" => {}
            "lenient" => profile.lenient_checksum = true,
            "gcj02" => profile.datum = Datum::Gcj02,
            "gps51" => profile.vendor_items = VendorItems::Gps51,
            _ => return None,
        }
        Some(profile)
    }
}

/// The datum in which a terminal sends its coordinates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Datum {
    /// WGS-84 (and CGCS2000, equal within decimetres).
    #[default]
    Wgs84,
    /// GCJ-02, the offset datum of Chinese internet maps.
    Gcj02,
}

/// How the header's identity field is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IdForm {
    /// The digits as sent, BCD or not.
    #[default]
    AsSent,
    /// A 15-digit IMEI packed as a 48-bit number.
    PackedImei,
}

/// Whose vendor items a terminal sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VendorItems {
    /// Unknown: kept as bytes.
    #[default]
    Raw,
    /// GPS51: items 0x51, 0x52, 0x54, 0x61, 0xE1, 0xE2, 0xF6, 0xFA and 0xFB.
    Gps51,
}
