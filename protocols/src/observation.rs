//! What a message says, in terms common to every protocol.
//!
//! A [`Fix`] is one GNSS solution in WGS-84 and UTC, in scaled integers with the unit in the name. A field a
//! source did not send is `None`, never a guess. Items that have no field here stay as bytes in
//! [`Observations::extra`].

use std::borrow::Cow;

use crate::profile::Datum;
use crate::{TerminalId, UtcMillis, gcj02};

const LAT_E7_MAX: i32 = 900_000_000;
const LON_E7_MAX: i32 = 1_800_000_000;

/// One GNSS solution.
///
/// Invalid solutions are fixes too: they carry [`Quality::NOT_POSITIONED`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "built field by field by every decoder and by the simulator")]
pub struct Fix {
    /// When the terminal says the position was taken. `UtcMillis(0)` with [`Quality::TIME_INVALID`] when the
    /// message held no possible time.
    pub fix_time: UtcMillis,
    /// Latitude, 1e-7 degrees, north positive, -900,000,000 to 900,000,000.
    pub lat_e7: i32,
    /// Longitude, 1e-7 degrees, east positive, -1,800,000,000 to 1,800,000,000.
    pub lon_e7: i32,
    /// Height above mean sea level, metres.
    pub altitude_m: Option<i16>,
    /// Speed over ground by GNSS, 0.1 km/h.
    pub speed_dkmh: Option<u16>,
    /// Course over ground, degrees clockwise from true north, 0 to 359.
    pub course_deg: Option<u16>,
    /// State bits.
    pub status: Status,
    /// Alarm bits.
    pub alarms: Alarms,
    /// What is known to be doubtful about this fix.
    pub quality: Quality,
    /// Satellites used.
    pub satellites: Option<u8>,
    /// Radio signal strength as sent, 0 to 255, no unit.
    pub signal: Option<u8>,
    /// Distance counter of the terminal or the dashboard, metres.
    pub odometer_m: Option<u32>,
    /// Fuel in the tank, 0.1 litres.
    pub fuel_dl: Option<u16>,
    /// Speed by the vehicle's own sensor (driving recorder, CAN, OBD), 0.1 km/h.
    pub vehicle_speed_dkmh: Option<u16>,
    /// Engine speed, revolutions per minute.
    pub engine_rpm: Option<u16>,
    /// The bytes of items that have no field here, in [`Observations::extra`].
    pub extra: Extra,
}

impl Fix {
    /// A fix with nothing but time and place, all else unknown.
    #[must_use]
    pub const fn new(fix_time: UtcMillis, lat_e7: i32, lon_e7: i32) -> Self {
        Self {
            fix_time,
            lat_e7,
            lon_e7,
            altitude_m: None,
            speed_dkmh: None,
            course_deg: None,
            status: Status(0),
            alarms: Alarms(0),
            quality: Quality(0),
            satellites: None,
            signal: None,
            odometer_m: None,
            fuel_dl: None,
            vehicle_speed_dkmh: None,
            engine_rpm: None,
            extra: Extra { start: 0, len: 0 },
        }
    }

    /// A fix of a source that tells nothing of its ignition, with what is doubtful about its time and place.
    ///
    /// The place is in 1e-7 degrees of `datum` and may be any number: outside the globe it is clamped, in GCJ-02
    /// it is converted.
    #[inline]
    #[must_use]
    pub(crate) fn placed(fix_time: Option<UtcMillis>, lat_e7: i64, lon_e7: i64, datum: Datum) -> Self {
        let mut quality = Quality::IGNITION_UNKNOWN;
        if fix_time.is_none() {
            quality = quality.with(Quality::TIME_INVALID);
        }
        let within = |value: i64, max: i32| {
            i32::try_from(value).unwrap_or(if value < 0 { -max } else { max }).clamp(-max, max)
        };
        let mut place = (within(lat_e7, LAT_E7_MAX), within(lon_e7, LON_E7_MAX));
        let is_outside = (i64::from(place.0), i64::from(place.1)) != (lat_e7, lon_e7);
        if is_outside {
            quality = quality.with(Quality::OUT_OF_RANGE);
        }
        if place == (0, 0) {
            quality = quality.with(Quality::ZERO_POSITION);
        } else if datum == Datum::Gcj02 && !is_outside {
            quality = quality.with(Quality::CRS_CONVERTED);
            place = gcj02::to_wgs84_e7(place.0, place.1);
        }
        let south = if place.0 < 0 { Status::SOUTH } else { Status(0) };
        let west = if place.1 < 0 { Status::WEST } else { Status(0) };
        Self {
            status: south.with(west),
            quality,
            ..Self::new(fix_time.unwrap_or_default(), place.0, place.1)
        }
    }

    /// Notes whether the source called the solution valid.
    pub(crate) const fn set_valid(&mut self, is_valid: bool) {
        let (status, quality) = (Status::POSITIONED.0, Quality::NOT_POSITIONED.0);
        if is_valid {
            self.status.0 |= status;
            self.quality.0 &= !quality;
        } else {
            self.status.0 &= !status;
            self.quality.0 |= quality;
        }
    }

    /// Notes that the source knows whether the ignition is on.
    pub(crate) const fn set_ignition(&mut self, is_on: bool) {
        self.quality.0 &= !Quality::IGNITION_UNKNOWN.0;
        self.status.0 &= !Status::IGNITION.0;
        if is_on {
            self.status.0 |= Status::IGNITION.0;
        }
    }

    /// Whether the terminal called the solution valid.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        !self.quality.contains(Quality::NOT_POSITIONED)
    }

    /// Whether the coordinates are a place where the vehicle was: see [`Quality::NO_PLACE`].
    #[must_use]
    pub const fn has_place(&self) -> bool {
        self.quality.0 & Quality::NO_PLACE.0 == 0
    }
}

impl Quality {
    /// With any of these the coordinates are no place on a map: there was no solution, they are both zero, were clamped, or
    /// are encrypted. Who searches, measures or draws leaves such fixes out; who shows what was sent shows them.
    pub const NO_PLACE: Self =
        Self::NOT_POSITIONED.with(Self::ZERO_POSITION).with(Self::OUT_OF_RANGE).with(Self::CRS_ENCRYPTED);
}

/// A range of [`Observations::extra`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a range")]
pub struct Extra {
    /// First byte.
    pub start: u32,
    /// Number of bytes; 0 = none.
    pub len: u32,
}

macro_rules! bits {
    ($(#[$doc:meta])* $name:ident($int:ty) { $($(#[$flag_doc:meta])* $flag:ident = $bit:expr, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[expect(clippy::exhaustive_structs, reason = "a set of bits")]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$flag_doc])* pub const $flag: Self = Self(1 << $bit);)*

            /// The bits that have a name, lowest first, with the name used in JSON.
            pub const NAMED: &'static [(Self, &'static str)] = &[$((Self::$flag, $text),)*];

            /// Whether every bit of `other` is set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Both sets together.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The names of the bits that are set, lowest first; bits without a name are left out.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::NAMED.iter().filter(move |(bit, _)| self.contains(*bit)).map(|(_, name)| *name)
            }

            /// As [`Self::names`], but no bit is left out: one without a name is its number, `bit_31`.
            pub fn labels(self) -> impl Iterator<Item = Cow<'static, str>> {
                (0..<$int>::BITS).filter(move |bit| self.0 >> bit & 1 == 1).map(|bit| {
                    match Self::NAMED.iter().find(|(named, _)| named.0 >> bit & 1 == 1) {
                        Some((_, name)) => Cow::Borrowed(*name),
                        None => Cow::Owned(format!("bit_{bit}")),
                    }
                })
            }
        }
    };
}

bits! {
    /// State bits, laid out as in JT/T 808-2019 table 24 (status); other protocols map onto them.
    ///
    /// Reserved bits of a JT/T 808 source are kept as sent.
    Status(u32) {
        /// ACC (ignition) on. Only meaningful without [`Quality::IGNITION_UNKNOWN`].
        IGNITION = 0, "ignition";
        /// The solution is valid.
        POSITIONED = 1, "positioned";
        /// South latitude.
        SOUTH = 2, "south";
        /// West longitude.
        WEST = 3, "west";
        /// Out of service.
        OUT_OF_SERVICE = 4, "out_of_service";
        /// Coordinates encrypted by the state plug-in.
        ENCRYPTED = 5, "encrypted";
        /// Forward-collision warning of the emergency braking system (2019).
        FORWARD_COLLISION = 6, "forward_collision_warning";
        /// Lane-departure warning (2019).
        LANE_DEPARTURE = 7, "lane_departure_warning";
        /// Low bit of the load: 00 empty, 01 half, 10 reserved, 11 full.
        LOAD_LOW = 8, "load_low";
        /// High bit of the load.
        LOAD_HIGH = 9, "load_high";
        /// Fuel line cut.
        FUEL_CUT = 10, "fuel_line_cut";
        /// Electric circuit cut.
        CIRCUIT_CUT = 11, "circuit_cut";
        /// Doors locked.
        DOORS_LOCKED = 12, "doors_locked";
        /// Door 1 (front) open.
        DOOR_1_OPEN = 13, "door_1_open";
        /// Door 2 (middle) open.
        DOOR_2_OPEN = 14, "door_2_open";
        /// Door 3 (rear) open.
        DOOR_3_OPEN = 15, "door_3_open";
        /// Door 4 (driver) open.
        DOOR_4_OPEN = 16, "door_4_open";
        /// Door 5 (custom) open.
        DOOR_5_OPEN = 17, "door_5_open";
        /// GPS used.
        GPS = 18, "gps";
        /// BeiDou used.
        BEIDOU = 19, "beidou";
        /// GLONASS used.
        GLONASS = 20, "glonass";
        /// Galileo used.
        GALILEO = 21, "galileo";
        /// The vehicle is moving (2019).
        MOVING = 22, "moving";
    }
}

bits! {
    /// Alarm bits; 0 to 31 laid out as in JT/T 808-2019 table 25 (alarm flags), 32 and up for other protocols.
    Alarms(u64) {
        /// Emergency button; cleared after the platform's answer.
        EMERGENCY = 0, "emergency";
        /// Overspeed.
        OVERSPEED = 1, "overspeed";
        /// Fatigue driving.
        FATIGUE = 2, "fatigue";
        /// Danger warning; cleared after the platform's answer.
        DANGER = 3, "danger_warning";
        /// GNSS module fault.
        GNSS_FAULT = 4, "gnss_fault";
        /// GNSS antenna open or cut.
        ANTENNA_OPEN = 5, "gnss_antenna_open";
        /// GNSS antenna short.
        ANTENNA_SHORT = 6, "gnss_antenna_short";
        /// Main power undervoltage.
        UNDERVOLTAGE = 7, "main_power_undervoltage";
        /// Main power lost.
        POWER_LOST = 8, "main_power_lost";
        /// Display fault.
        DISPLAY_FAULT = 9, "display_fault";
        /// Text-to-speech fault.
        TTS_FAULT = 10, "tts_fault";
        /// Camera fault.
        CAMERA_FAULT = 11, "camera_fault";
        /// Transport IC card module fault.
        IC_CARD_FAULT = 12, "ic_card_fault";
        /// Overspeed pre-warning.
        OVERSPEED_WARNING = 13, "overspeed_warning";
        /// Fatigue pre-warning.
        FATIGUE_WARNING = 14, "fatigue_warning";
        /// Driving in a forbidden period (2019).
        FORBIDDEN_PERIOD = 15, "forbidden_period";
        /// Tyre pressure (2019).
        TYRE_PRESSURE = 16, "tyre_pressure";
        /// Right-turn blind zone (2019).
        BLIND_ZONE = 17, "right_turn_blind_zone";
        /// The day's driving time is exceeded.
        DAY_DRIVING_EXCEEDED = 18, "day_driving_exceeded";
        /// Parked too long.
        PARKED_TOO_LONG = 19, "parked_too_long";
        /// In or out of an area; cleared after the platform's answer.
        AREA = 20, "area";
        /// In or out of a route; cleared after the platform's answer.
        ROUTE = 21, "route";
        /// Section driven too fast or too slowly; cleared after the platform's answer.
        SECTION_TIME = 22, "section_time";
        /// Off route.
        OFF_ROUTE = 23, "off_route";
        /// Vehicle speed sensor fault.
        VSS_FAULT = 24, "vss_fault";
        /// Abnormal fuel.
        FUEL_ABNORMAL = 25, "fuel_abnormal";
        /// Stolen.
        STOLEN = 26, "stolen";
        /// Illegal ignition; cleared after the platform's answer.
        ILLEGAL_IGNITION = 27, "illegal_ignition";
        /// Illegal displacement; cleared after the platform's answer.
        ILLEGAL_DISPLACEMENT = 28, "illegal_displacement";
        /// Collision (2019: collision or rollover).
        COLLISION = 29, "collision";
        /// Rollover pre-warning.
        ROLLOVER_WARNING = 30, "rollover_warning";
        /// Illegal door opening (reserved in 2019).
        ILLEGAL_DOOR = 31, "illegal_door_opening";
        /// Harsh acceleration.
        HARSH_ACCELERATION = 32, "harsh_acceleration";
        /// Harsh braking.
        HARSH_BRAKING = 33, "harsh_braking";
        /// Harsh turn.
        HARSH_TURN = 34, "harsh_turn";
        /// Moved without ignition.
        TOWING = 35, "towing";
        /// The tracker's own battery is low.
        LOW_BATTERY = 36, "low_battery";
        /// The radio or the satellites are jammed.
        JAMMING = 37, "jamming";
        /// Idling for too long.
        IDLING = 38, "idling";
        /// A temperature outside its bounds.
        TEMPERATURE = 39, "temperature";
        /// The housing was opened or the tracker taken off.
        TAMPER = 40, "tamper";
        /// Shaken while parked.
        VIBRATION = 41, "vibration";
        /// The traction battery raised an alarm (GB/T 32960.3 general alarm flags).
        TRACTION_BATTERY = 42, "traction_battery";
        /// Thermal event of the traction battery (GB/T 32960.3-2025).
        THERMAL_EVENT = 43, "thermal_event";
        /// Insulation of the high-voltage system.
        INSULATION = 44, "insulation";
        /// Brake system of an electric vehicle.
        BRAKE_SYSTEM = 45, "brake_system";
        /// Drive motor or its controller.
        DRIVE_MOTOR = 46, "drive_motor";
        /// Fuel taken out of the tank.
        FUEL_THEFT = 47, "fuel_theft";
        /// Driving with too little speed or standing where that is not allowed, or any other that only the
        /// maker names.
        OTHER = 48, "other";
    }
}

bits! {
    /// What is doubtful about a fix. A fix is marked, never dropped.
    Quality(u16) {
        /// The terminal said that it had no solution.
        NOT_POSITIONED = 0, "not_positioned";
        /// The message held no possible time.
        TIME_INVALID = 1, "time_invalid";
        /// `fix_time` is later than a day after it was received, or before 2000-01-02 (set by the server).
        CLOCK_SUSPECT = 2, "clock_suspect";
        /// Latitude and longitude are both exactly zero.
        ZERO_POSITION = 3, "zero_position";
        /// Latitude or longitude was out of range and was clamped.
        OUT_OF_RANGE = 4, "out_of_range";
        /// The coordinates are encrypted (JT/T 808 status bit 5); they are not WGS-84.
        CRS_ENCRYPTED = 5, "crs_encrypted";
        /// The source does not say whether the ignition is on.
        IGNITION_UNKNOWN = 6, "ignition_unknown";
        /// Sent late, out of a terminal's memory (blind-area batch).
        BACKFILL = 7, "backfill";
        /// An additional item was malformed; the position was kept.
        ITEM_MALFORMED = 8, "item_malformed";
        /// The datum was GCJ-02 and was converted by the device profile.
        CRS_CONVERTED = 9, "crs_converted";
        /// The source says that its datum is neither WGS-84 nor GCJ-02; the coordinates are kept as sent.
        CRS_UNKNOWN = 10, "crs_unknown";
    }
}

/// What one message said, in reusable buffers.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "an output buffer, read field by field")]
pub struct Observations {
    /// GNSS solutions in the order of the message.
    pub fixes: Vec<Fix>,
    /// Bytes of items without a field, one after another; [`Fix::extra`] points in here: readings as
    /// [`crate::reading`] writes them, and for JT/T 808 its `id BYTE, length BYTE, value` items as sent.
    pub extra: Vec<u8>,
    /// Everything that is not a position.
    pub other: Vec<Observation>,
    /// Items that broke their own format and were passed over.
    pub malformed_items: u32,
}

impl Observations {
    /// Empties the buffers and keeps their memory.
    pub fn clear(&mut self) {
        self.fixes.clear();
        self.extra.clear();
        self.other.clear();
        self.malformed_items = 0;
    }

    /// Adds a fix whose items without a field are all bytes of [`Self::extra`] from `extra_start` on.
    pub(crate) fn push_fix(&mut self, mut fix: Fix, extra_start: usize) {
        let len = self.extra.len().saturating_sub(extra_start);
        // More than 4 GiB can't be: the buffer is cleared for each batch of messages.
        if let (Ok(start), Ok(len @ 1..)) = (u32::try_from(extra_start), u32::try_from(len)) {
            fix.extra = Extra { start, len };
        }
        self.fixes.push(fix);
    }

    /// The terminal that logged in, if one did.
    pub(crate) fn logged_in(&self) -> Option<TerminalId> {
        self.other.iter().find_map(|each| match each {
            Observation::LoggedIn { terminal } => Some(*terminal),
            _ => None,
        })
    }

    /// The bytes of `fix`'s items that have no field.
    #[must_use]
    pub fn extra_of(&self, fix: &Fix) -> &[u8] {
        let start = fix.extra.start as usize;
        self.extra.get(start..start.saturating_add(fix.extra.len as usize)).unwrap_or(&[])
    }
}

/// Something a message said that is not a position.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observation {
    /// The terminal registered (JT/T 808 0x0100).
    Registered(Box<crate::Registration>),
    /// The terminal logged in.
    LoggedIn {
        /// The terminal's identity.
        terminal: TerminalId,
    },
    /// The terminal logged out or cancelled its registration.
    LoggedOut,
    /// A sign of life without content.
    Heartbeat,
    /// A driver's card was put in or taken out (JT/T 808 0x0702).
    DriverCard {
        /// `true` when put in.
        inserted: bool,
        /// When, by the terminal's clock.
        at: Option<UtcMillis>,
        /// Name on the card; empty when the read failed or the card was taken out.
        name: String,
        /// Number of the qualification certificate.
        licence: String,
    },
    /// Measured without a position.
    Readings {
        /// When, by the terminal's clock.
        at: Option<UtcMillis>,
        /// What.
        readings: Vec<crate::Reading>,
    },
    /// Trouble codes of the vehicle (SAE J2012), `P0D14` each; empty when it said that there are none.
    TroubleCodes {
        /// When, by the terminal's clock.
        at: Option<UtcMillis>,
        /// The codes.
        codes: Vec<String>,
    },
    /// The vehicle identification number (ISO 3779), as the vehicle or the terminal tells it.
    Vin(String),
    /// A message kept for its content but without a common meaning.
    Other {
        /// The protocol's message number.
        message_id: u16,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_outside_the_globe_is_clamped_and_marked() {
        let fix = Fix::placed(None, -900_000_001, i64::MAX, Datum::Gcj02);
        assert_eq!((fix.lat_e7, fix.lon_e7), (-900_000_000, 1_800_000_000));
        assert_eq!(
            fix.quality,
            Quality::OUT_OF_RANGE.with(Quality::TIME_INVALID).with(Quality::IGNITION_UNKNOWN)
        );
        assert_eq!(fix.status, Status::SOUTH);
    }

    #[test]
    fn gcj_02_is_converted_and_nothing_else_is_touched() {
        let time = Some(UtcMillis(1_531_620_610_000));
        let sent = Fix::placed(time, 399_000_000, 1_163_000_000, Datum::Wgs84);
        assert_eq!(
            (sent.lat_e7, sent.lon_e7, sent.quality),
            (399_000_000, 1_163_000_000, Quality::IGNITION_UNKNOWN)
        );
        let converted = Fix::placed(time, 399_000_000, 1_163_000_000, Datum::Gcj02);
        assert_eq!((converted.lat_e7, converted.lon_e7), gcj02::to_wgs84_e7(399_000_000, 1_163_000_000));
        assert!(converted.quality.contains(Quality::CRS_CONVERTED));
        let zero = Fix::placed(time, 0, 0, Datum::Gcj02);
        assert_eq!(zero.quality, Quality::IGNITION_UNKNOWN.with(Quality::ZERO_POSITION));
    }

    #[test]
    fn what_the_source_says_of_ignition_and_validity_is_kept() {
        let mut fix = Fix::placed(Some(UtcMillis(0)), 1, 1, Datum::Wgs84);
        fix.set_ignition(true);
        fix.set_valid(true);
        assert_eq!((fix.status, fix.quality), (Status::IGNITION.with(Status::POSITIONED), Quality(0)));
        fix.set_ignition(false);
        fix.set_valid(false);
        assert_eq!((fix.status, fix.quality), (Status(0), Quality::NOT_POSITIONED));
    }
}
