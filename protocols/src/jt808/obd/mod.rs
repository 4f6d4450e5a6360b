//! On-board diagnostics carried over JT/T 808: what makers put into vendor items and pass-through messages.
//!
//! There is no standard, only families of tables, and the same id means something else in each: a device profile
//! names the family ([`VendorItems`]). The bytes of a fix stay as they were sent; what they say is found again at any
//! time with [`readings`]. A reader of a family walks its bytes and hands each thing that it understands to the caller
//! as a [`Found`]; who calls decides what becomes of it: a column, a reading, an observation, or JSON.
//!
//! Known from: `seeworld` the maker's "4G Wireless Air Protocol" VJT.04.063, the others from traccar's decoder.

mod ascii;
mod list_80;
mod list_eb;
mod list_f3;
mod message;
mod pass_through;
mod report;
mod seeworld;
mod table;
mod trackers;

use std::borrow::Cow;

use crate::jt808::message::Item;
use crate::obd::Dtc;
use crate::profile::VendorItems;
use crate::{Alarms, Fix, Observation, Observations, Profile, Quality, Quantity, Reading, UtcMillis};

pub(crate) use message::{describe as describe_message, observe as observe_message};
pub(crate) use pass_through::{describe as describe_pass_through, observe as observe_pass_through};
pub(crate) use report::Report;

/// One thing that the bytes of a maker say.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// A value that means the same everywhere.
    Reading(Reading),
    /// An alarm that is raised now.
    Alarm(Alarms),
    /// A trouble code, in binary.
    Code(Dtc),
    /// A trouble code, as text.
    CodeText(Cow<'a, str>),
    /// There are no trouble codes.
    NoCodes,
    /// The vehicle identification number.
    Vin(&'a str),
    /// A number that only this maker has, or whose unit nobody tells.
    Number(&'static str, i64),
    /// A text that only this maker has.
    Text(&'static str, &'a [u8]),
    /// An instant of the maker's.
    Time(&'static str, UtcMillis),
    /// A latitude or longitude that is no fix, in millionths.
    Degrees(&'static str, i64),
    /// Digits of the maker's, two in each byte.
    Digits(&'static str, &'a [u8]),
    /// A number of the maker's that is bytes to everybody else.
    Hex(&'static str, &'a [u8]),
    /// Switches by name.
    Bits(&'static str, u64, &'static [&'static str]),
    /// Bytes inside of the item, or of the list of the pass-through, that nobody here can read.
    Unknown(u16, &'a [u8]),
}

/// Takes what a reader finds.
pub(crate) type Sink<'s, 'a> = dyn FnMut(Found<'a>) + 's;

/// The reader of a profile's items. One for each position report: some families change their meaning on the way.
#[derive(Debug)]
pub(crate) struct Items {
    family: VendorItems,
    /// `obd_list_80`: item 0x80 was seen.
    is_in_list: bool,
}

impl Items {
    /// The reader of a profile, or `None` when its maker's items are no OBD.
    #[inline]
    pub(crate) const fn of(profile: &Profile) -> Option<Self> {
        match profile.vendor_items {
            VendorItems::Raw | VendorItems::Gps51 | VendorItems::Obd900F0 => None,
            family => Some(Self { family, is_in_list: false }),
        }
    }

    /// Reads one item; `false` when it is not one of the family's.
    pub(crate) fn read<'a>(&mut self, id: u8, value: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
        match self.family {
            VendorItems::Seeworld => seeworld::item(id, value, found),
            VendorItems::ObdListF3 => list_f3::item(id, value, found),
            VendorItems::ListEb => list_eb::item(id, value, found),
            VendorItems::ObdAsciiE6 => id == 0xe6 && ascii::read(value, found),
            VendorItems::ObdList80 => list_80::item(&mut self.is_in_list, id, value, found),
            family => trackers::item(family, id, value, found),
        }
    }
}

/// The whole items of a fix's bytes: id and value.
fn split(extra: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = extra;
    std::iter::from_fn(move || {
        let [id, len, tail @ ..] = rest else { return None };
        let (value, after) = tail.split_at_checked(usize::from(*len))?;
        rest = after;
        Some((*id, value))
    })
}

/// Takes what the vendor items of a fix say into its columns, as far as the standard items left them empty, its alarms and
/// `out.other`. The bytes stay where they are.
pub(crate) fn enrich(mut items: Items, fix: &mut Fix, out: &mut Observations) {
    let start = fix.extra.start as usize;
    let end = start.saturating_add(fix.extra.len as usize);
    let Observations { extra, other, .. } = out;
    let at = Some(fix.fix_time).filter(|_| !fix.quality.contains(Quality::TIME_INVALID));
    let mut codes: Option<Vec<String>> = None;
    for (id, value) in split(extra.get(start..end).unwrap_or(&[])) {
        items.read(id, value, &mut |found| match found {
            Found::Reading(reading) => fill_column(fix, reading),
            Found::Alarm(alarm) => fix.alarms = fix.alarms.with(alarm),
            Found::Code(dtc) => codes.get_or_insert_default().push(dtc.to_string()),
            Found::CodeText(text) => codes.get_or_insert_default().push(text.into_owned()),
            Found::NoCodes => _ = codes.get_or_insert_default(),
            Found::Vin(vin) => other.push(Observation::Vin(vin.to_owned())),
            _ => {}
        });
    }
    if let Some(codes) = codes {
        other.push(Observation::TroubleCodes { at, codes });
    }
}

/// Puts a reading into its column, if it has one that is empty.
pub(crate) fn fill_column(fix: &mut Fix, reading: Reading) {
    match reading.quantity {
        Quantity::EngineSpeed if fix.engine_rpm.is_none() => {
            fix.engine_rpm = u16::try_from(reading.milli / 1_000).ok();
        }
        Quantity::VehicleSpeed if fix.vehicle_speed_dkmh.is_none() => {
            fix.vehicle_speed_dkmh = u16::try_from(reading.milli / 100).ok();
        }
        // A thousandth of a kilometre is a metre.
        Quantity::VehicleOdometer if fix.odometer_m.is_none() => {
            fix.odometer_m = u32::try_from(reading.milli).ok();
        }
        Quantity::Fuel if fix.fuel_dl.is_none() => fix.fuel_dl = u16::try_from(reading.milli / 100).ok(),
        _ => {}
    }
}

/// Whether a column of the fix says just this.
pub(crate) fn is_in_column(fix: &Fix, reading: Reading) -> bool {
    let column = match reading.quantity {
        Quantity::EngineSpeed => fix.engine_rpm.map(|rpm| i64::from(rpm) * 1_000),
        Quantity::VehicleSpeed => fix.vehicle_speed_dkmh.map(|speed| i64::from(speed) * 100),
        Quantity::VehicleOdometer => fix.odometer_m.map(i64::from),
        Quantity::Fuel => fix.fuel_dl.map(|fuel| i64::from(fuel) * 100),
        _ => None,
    };
    column == Some(reading.milli)
}

/// The readings in the bytes of a fix (the items that were sent, without those that have a column), those of the standard's
/// own items among them, and the fuel rate worked out from the air flow where none was sent.
pub(crate) fn readings(extra: &[u8], profile: &Profile) -> Vec<Reading> {
    let mut vendor = Items::of(profile);
    let mut readings = Vec::new();
    for (id, value) in split(extra) {
        let is_read = vendor.as_mut().is_some_and(|items| {
            items.read(id, value, &mut |found| {
                if let Found::Reading(reading) = found {
                    readings.push(reading);
                }
            })
        });
        if !is_read {
            readings.extend(Item::read(id, value, profile.vendor_items).reading());
        }
    }
    readings.extend(profile.fuel.estimate(&readings));
    readings
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tracker_tests;
