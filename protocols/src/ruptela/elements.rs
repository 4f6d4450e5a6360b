//! What the ids of elements mean, as far as Ruptela publishes them.

use crate::draft::Draft;
use crate::notes::Notes;
use crate::octets::{be, be_signed, hex, readable};
use crate::{Alarms, Observation, Quantity};

/// What of a record is known only when all its elements are.
#[derive(Clone, Debug, Default)]
pub(super) struct Elements {
    inputs: Option<u8>,
    /// The vehicle's number comes in three pieces.
    vin: [[u8; 8]; 3],
    /// A driver's card comes in two.
    card: [u64; 2],
}

impl Elements {
    /// Reads one element into the report.
    #[inline]
    pub(super) fn element<N: Notes>(&mut self, id: u16, value: &[u8], draft: &mut Draft<'_>, notes: &mut N) {
        let number = be(value);
        match id {
            2..=5 => {
                let inputs = self.inputs.get_or_insert(0);
                *inputs |= u8::from(number > 0) << (id - 2);
            }
            27 => draft.signal(u8::try_from(number).unwrap_or(u8::MAX)),
            65 => draft.odometer_m(number),
            251 | 409 => draft.ignition(number > 0),
            94 => draft.engine_rpm(number / 4),
            166 | 197 => draft.engine_rpm(number / 8),
            95 => draft.vehicle_speed_dkmh(number.saturating_mul(10)),
            165 => draft.vehicle_speed_dkmh(number.saturating_mul(10) / 256),
            88 | 134 | 136 | 410 | 411 | 415 | 758 => alarm(id, number, draft),
            104..=106 => {
                let piece = self.vin.get_mut(usize::from(id - 104)).zip(value.first_chunk::<8>());
                if let Some((kept, piece)) = piece {
                    *kept = *piece;
                }
            }
            126 | 155 => self.card[0] = number,
            127 | 156 => self.card[1] = number,
            34 => {
                if number != 0 {
                    draft.note(notes, "driver_id", || hex(value).into());
                }
            }
            150 => draft.note(notes, "operator", || number.into()),
            _ => match measured(id) {
                Some((quantity, Scale::Unsigned(each))) => draft.scaled(quantity, number, each),
                Some((quantity, Scale::Signed(each))) => {
                    draft.reading(quantity, be_signed(value).saturating_mul(each));
                }
                Some((quantity, Scale::Share)) if number <= 255 => {
                    draft.scaled(quantity, number * 100_000 / 255, 1)
                }
                _ => notes.unknown(|| id.to_string(), value),
            },
        }
    }

    /// Ends the record.
    #[inline]
    pub(super) fn finish<N: Notes>(self, draft: &mut Draft<'_>, notes: &mut N) {
        if let Some(inputs) = self.inputs {
            draft.whole(Quantity::Inputs, inputs);
        }
        if self.card != [0, 0] {
            let bytes = self.card.map(u64::to_be_bytes).concat();
            draft.note(notes, "driver_id", || readable(&bytes).trim_matches('\0').into());
        }
        if self.vin != [[0; 8]; 3] {
            let text: Vec<u8> = self.vin.concat().into_iter().filter(|byte| *byte != 0).collect();
            draft.tell(Observation::Vin(readable(&text)));
        }
    }
}

#[cold]
fn alarm(id: u16, number: u64, draft: &mut Draft<'_>) {
    draft.raise(match (id, number) {
        // The antenna is told by the absence of it.
        (415, 0) => Alarms::ANTENNA_OPEN,
        (415, _) | (_, 0) => return,
        (88, _) => Alarms::JAMMING,
        (134, _) => Alarms::HARSH_BRAKING,
        (136, _) => Alarms::HARSH_ACCELERATION,
        (410, _) => Alarms::TOWING,
        (411, _) => Alarms::COLLISION,
        _ => Alarms::TAMPER,
    });
}

/// How a value is scaled.
#[derive(Clone, Copy)]
enum Scale {
    /// So many thousandths each.
    Unsigned(i64),
    /// Signed, so many thousandths each.
    Signed(i64),
    /// Percent, 255 is all.
    Share,
}

/// The elements that are measured values.
const fn measured(id: u16) -> Option<(Quantity, Scale)> {
    use Scale::{Share, Signed, Unsigned};
    Some(match id {
        13 | 173 => (Quantity::Motion, Unsigned(1_000)),
        22 => (Quantity::Analog1, Unsigned(1)),
        23 => (Quantity::Analog2, Unsigned(1)),
        20 => (Quantity::Analog3, Unsigned(1)),
        21 => (Quantity::Analog4, Unsigned(1)),
        29 => (Quantity::Supply, Unsigned(1)),
        30 => (Quantity::Battery, Unsigned(1)),
        32 => (Quantity::TrackerTemperature, Signed(1_000)),
        74 => (Quantity::Temperature3, Signed(100)),
        78 => (Quantity::Temperature1, Signed(100)),
        79 => (Quantity::Temperature2, Signed(100)),
        80 => (Quantity::Temperature4, Signed(100)),
        98 => (Quantity::FuelLevel, Share),
        100 => (Quantity::FuelRate, Unsigned(50)),
        // Five metres each, in a quantity of kilometres.
        163 => (Quantity::VehicleOdometer, Unsigned(5)),
        164 => (Quantity::TripDistance, Unsigned(5)),
        170 => (Quantity::Charging, Unsigned(1_000)),
        207 => (Quantity::FuelLevel, Unsigned(400)),
        208 => (Quantity::FuelUsed, Unsigned(500)),
        645 => (Quantity::VehicleOdometer, Unsigned(1_000)),
        _ => return None,
    })
}
