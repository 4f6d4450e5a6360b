//! Item 0xEB of small trackers: a list of `length WORD, id WORD, value`, where the length covers id and value; or a text,
//! which is the terminal's time zone. Known from traccar's decoder.

use super::table::{self, Row, number, value};
use super::{Found, Sink};
use crate::scale::Scale;
use crate::text::fixed;
use crate::{Alarms, Quantity, Reading};

const LIST: u8 = 0xeb;
/// The length covers the id.
const ID_BYTES: usize = 2;
/// Of a number in thousandths.
const DECIMALS: u32 = 3;
/// State words: an alarm is raised by a bit that is clear.
const TAKEN_OFF: u32 = 1 << 12;
const SHAKEN: u32 = 1 << 6;
/// Two bits: 0 moving, 1 still.
const MOTION_SHIFT: u32 = 23;

const TABLE: &[Row] = &[
    value(0x002d, 2, Quantity::Battery, Scale::milli(1, 0)), // mV
    value(0x00a8, 1, Quantity::BatteryPercent, Scale::ONE),  // %
    number(0x00c6, 1, "battery_alarm"),
    value(0x00ce, 2, Quantity::Supply, Scale::milli(10, 0)), // 0.01 V
    value(0x00e1, 1, Quantity::BatteryPercent, Scale::ONE),  // %
];

/// Reads one item; `false` when it is neither list nor text.
pub(super) fn item<'a>(id: u8, content: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    if id != LIST {
        return false;
    }
    if !content.is_empty() && content.iter().all(|byte| byte.is_ascii_graphic()) {
        found(Found::Text("time_zone", content));
        return true;
    }
    let mut rest = content;
    while let Some((entry, after)) = split_entry(rest) {
        if let [high, low, value @ ..] = entry {
            let id = u16::from_be_bytes([*high, *low]);
            if !read(id, value, found) {
                found(Found::Unknown(id, value));
            }
        }
        rest = after;
    }
    if let [_, _, high, low, tail @ ..] = rest {
        found(Found::Unknown(u16::from_be_bytes([*high, *low]), tail));
    }
    true
}

/// The first entry without its length, and what follows it.
fn split_entry(list: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = list.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len))).filter(|(entry, _)| entry.len() >= ID_BYTES)
}

fn read<'a>(id: u16, value: &'a [u8], found: &mut Sink<'_, 'a>) -> bool {
    let word = || value.try_into().map(u32::from_be_bytes).ok();
    let mut reading = |quantity, milli| found(Found::Reading(Reading::new(quantity, milli)));
    match id {
        // Millivolts of the supply in four bytes, of the battery in two.
        0x002d if value.len() == 4 => {
            let Some(milli) = word() else { return false };
            reading(Quantity::Supply, i64::from(milli));
        }
        // Decimal text.
        0x0023 => {
            let Some(milli) = fixed(value, DECIMALS) else { return false };
            found(Found::Number("fuel_2_thousandths", milli));
        }
        0x0089 => {
            let Some(state) = word() else { return false };
            found(Found::Number("state_89", i64::from(state)));
            if state & TAKEN_OFF == 0 {
                found(Found::Alarm(Alarms::TAMPER));
            }
        }
        0x00c5 => {
            let Some(state) = word() else { return false };
            let motion = state >> MOTION_SHIFT & 0b11;
            if motion <= 1 {
                reading(Quantity::Motion, i64::from(1 - motion) * 1_000);
            }
            found(Found::Number("state_c5", i64::from(state)));
            if state & SHAKEN == 0 {
                found(Found::Alarm(Alarms::VIBRATION));
            }
        }
        0x00b2 if value.len() == 10 => found(Found::Digits("iccid", value)),
        _ => return table::read(TABLE, id, value, found),
    }
    true
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_table_is_sorted() {
        assert!(super::TABLE.is_sorted_by_key(|row| row.id));
    }
}
