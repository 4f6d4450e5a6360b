//! Device profiles: what a make of terminal does differently from its standard.

use serde::{Deserialize, Serialize};

use crate::can_signal::{self, CanSignal};
use crate::jt809::Cipher;
use crate::obd::Fuel;

/// How to read one make of terminal. [`Profile::default`] is the standard to the letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::exhaustive_structs, reason = "a bag of settings, built by name with a default")]
pub struct Profile {
    /// The name under which the configuration and the registry know it.
    pub name: String,
    /// Accept frames whose checksum is wrong, or not written as it must be, and count them. Default `false`.
    pub lenient_checksum: bool,
    /// Accept JT/T 808 frames whose stated body length is wrong while their check byte is right, and count them. Default
    /// `false`.
    pub lenient_length: bool,
    /// Refuse to read a JT/T 808 position with an item that breaks its own format, instead of keeping the position and
    /// counting the item: to find out what is wrong with a terminal. Default `false`.
    pub strict_items: bool,
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
    /// The password that a terminal wants in front of every command (Queclink). Default: it is not known, so that such
    /// a terminal can't be told anything.
    pub command_password: Option<String>,
    /// What the engine burns, for the fuel rate that is worked out from the air flow. Default: petrol.
    pub fuel: Fuel,
    /// What lies where in the CAN frames that the terminal passes on (JT/T 808 0x0705). Default: nothing is known.
    #[serde(deserialize_with = "can_signal::bounded")]
    pub can_signals: Vec<CanSignal>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            name: "standard".to_owned(),
            lenient_checksum: false,
            lenient_length: false,
            strict_items: false,
            datum: Datum::Wgs84,
            clock_offset_s: None,
            id_form: IdForm::AsSent,
            signed_altitude: true,
            vendor_items: VendorItems::Raw,
            skips_authentication: false,
            cipher: None,
            command_password: None,
            fuel: Fuel::Petrol,
            can_signals: Vec::new(),
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
    pub const BUILT_IN: &'static [&'static str] = &[
        "standard",
        "lenient",
        "strict",
        "gcj02",
        "gps51",
        "seeworld",
        "obd_list_f3",
        "obd_ascii_e6",
        "obd_list_80",
        "obd_900_f0",
        "list_eb",
        "aovx",
        "jointech",
        "tracker_d4",
        "tracker_e1",
        "tracker_e4",
        "tracker_56",
        "driver_bc",
    ];

    /// The profile with this name among those that need no configuration: `standard`, `lenient` (wrong
    /// checksums or lengths are accepted), `strict` (bad items are not), `gcj02` (coordinates are GCJ-02), and one of the same name for each of
    /// [`VendorItems`].
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let mut profile = Self { name: name.to_owned(), ..Self::default() };
        match name {
            "standard" => {}
            "lenient" => (profile.lenient_checksum, profile.lenient_length) = (true, true),
            "strict" => profile.strict_items = true,
            "gcj02" => profile.datum = Datum::Gcj02,
            "gps51" => profile.vendor_items = VendorItems::Gps51,
            "seeworld" => profile.vendor_items = VendorItems::Seeworld,
            "obd_list_f3" => profile.vendor_items = VendorItems::ObdListF3,
            "obd_ascii_e6" => profile.vendor_items = VendorItems::ObdAsciiE6,
            "obd_list_80" => profile.vendor_items = VendorItems::ObdList80,
            "obd_900_f0" => profile.vendor_items = VendorItems::Obd900F0,
            "list_eb" => profile.vendor_items = VendorItems::ListEb,
            "aovx" => profile.vendor_items = VendorItems::Aovx,
            "jointech" => profile.vendor_items = VendorItems::Jointech,
            "tracker_d4" => profile.vendor_items = VendorItems::TrackerD4,
            "tracker_e1" => profile.vendor_items = VendorItems::TrackerE1,
            "tracker_e4" => profile.vendor_items = VendorItems::TrackerE4,
            "tracker_56" => profile.vendor_items = VendorItems::Tracker56,
            "driver_bc" => profile.vendor_items = VendorItems::DriverBc,
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

/// Whose vendor items a terminal sends. The same byte means different things to different makers, so that none of these
/// is ever guessed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VendorItems {
    /// Unknown: kept as bytes.
    #[default]
    Raw,
    /// GPS51: items 0x51, 0x52, 0x54, 0x61, 0xE1, 0xE2, 0xF6, 0xFA and 0xFB.
    Gps51,
    /// SEEWORLD ("VJT"): OBD in items 0xEA to 0xEE and 0xFA, trips, trouble codes and collisions in 0x0900 types 0xF1,
    /// 0xF2 and 0xF7, text in 0x6006.
    Seeworld,
    /// OBD as a list in item 0xF3.
    #[serde(rename = "obd_list_f3")]
    ObdListF3,
    /// OBD as text `$OBD-RT,...` in item 0xE6 and in 0x0900 type 0x41.
    #[serde(rename = "obd_ascii_e6")]
    ObdAsciiE6,
    /// OBD as a list in and behind item 0x80, and as a fixed record in item 0x91.
    #[serde(rename = "obd_list_80")]
    ObdList80,
    /// OBD in 0x0900 type 0xF0: values, trouble codes, alarms, trips, identification number.
    #[serde(rename = "obd_900_f0")]
    Obd900F0,
    /// Battery, supply and state of small trackers as a list in item 0xEB.
    ListEb,
    /// AOVX tags: firmware, sensors, battery and SIM card in items 0xF2 and 0xF6 to 0xF8.
    Aovx,
    /// Jointech locks and seals: items 0x60, 0x63, 0x69, 0x6C and 0x71.
    Jointech,
    /// Charge and battery in items 0xD4 and 0xD5.
    TrackerD4,
    /// Charge or supply in item 0xE1, alarms in 0xFE, what was felt in 0x2070.
    TrackerE1,
    /// Charge in item 0xE4 and 0x0210, steps in item 0xF8.
    TrackerE4,
    /// Charge and alarms in items 0x56 and 0x57.
    #[serde(rename = "tracker_56")]
    Tracker56,
    /// The driver's card in items 0xBC and 0xBD.
    DriverBc,
}

impl VendorItems {
    /// Whether what the items tell is of the tracker itself, and not of a vehicle.
    pub(crate) const fn is_of_the_tracker(self) -> bool {
        matches!(
            self,
            Self::ListEb
                | Self::Aovx
                | Self::Jointech
                | Self::TrackerD4
                | Self::TrackerE1
                | Self::TrackerE4
                | Self::Tracker56
                | Self::DriverBc
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_is_there_under_its_name() {
        for name in Profile::BUILT_IN {
            assert_eq!(Profile::built_in(name).unwrap().name, *name);
        }
        assert_eq!(Profile::built_in("nobody"), None);
    }

    #[test]
    fn vendor_items_have_the_names_of_their_profiles() {
        for name in Profile::BUILT_IN.iter().skip(4) {
            let items = Profile::built_in(name).unwrap().vendor_items;
            assert_eq!(serde_json::to_value(items).unwrap(), *name);
        }
    }
}
