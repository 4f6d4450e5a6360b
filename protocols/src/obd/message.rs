//! The answers of the diagnostic services: one complete message of one control unit, without headers.
//!
//! | first byte | answer to |
//! |---|---|
//! | 41 | mode 01: `parameter, data`, over CAN several of them |
//! | 42 | mode 02: `parameter, frame, data`: the freeze frame of a trouble code |
//! | 43, 47, 4A | modes 03, 07, 0A: stored, pending, permanent codes; over CAN with their number in front |
//! | 49 02 | mode 09: the vehicle identification number, over CAN in one message, before that in five |
//! | 59 02 | UDS 19 02: codes of three bytes with a status byte |
//! | 62 F1 90 | UDS 22 F190: the vehicle identification number |
//! | 7F | a refusal: service, reason |
//!
//! What cannot be read is kept in [`Diagnosis::unknown`].

use crate::obd::{Dtc, Fuel, pid, vin};
use crate::{Quantity, Reading};

/// Messages that are kept because they cannot be read.
const UNKNOWN_MAX: usize = 64;
/// Parts of an identification number before CAN: four bytes each, the first one with three bytes of padding.
const VIN_PARTS: usize = 5;

/// What the control units of a vehicle said, put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Values of mode 01, in the order in which they came.
    pub readings: Vec<Reading>,
    /// Parameters that a control unit says it supports.
    pub supported: Vec<u8>,
    /// Freeze frames (mode 02).
    pub freeze_frames: Vec<FreezeFrame>,
    /// Stored codes (mode 03, and UDS); `Some` and empty when there are none.
    pub stored: Option<Vec<Dtc>>,
    /// Pending codes (mode 07).
    pub pending: Option<Vec<Dtc>>,
    /// Permanent codes (mode 0A).
    pub permanent: Option<Vec<Dtc>>,
    /// The vehicle identification number.
    pub vin: Option<String>,
    /// Services that were refused, each with the reason.
    pub refusals: Vec<(u8, u8)>,
    /// Messages that cannot be read.
    pub unknown: Vec<Vec<u8>>,
    vin_parts: [Option<[u8; 4]>; VIN_PARTS],
}

/// What was measured when a trouble code was stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct FreezeFrame {
    /// Its number.
    pub number: u8,
    /// The code that caused it.
    pub code: Option<Dtc>,
    /// The values.
    pub readings: Vec<Reading>,
}

impl Diagnosis {
    /// Adds what one message says.
    pub fn read(&mut self, message: &[u8]) {
        let is_read = match message {
            [0x41, values @ ..] => self.values(values),
            [0x42, values @ ..] => self.freeze_frame(values),
            [0x43, codes @ ..] => add_codes(&mut self.stored, codes),
            [0x47, codes @ ..] => add_codes(&mut self.pending, codes),
            [0x4a, codes @ ..] => add_codes(&mut self.permanent, codes),
            [0x49, 0x02, part @ ..] => self.vin_part(part),
            [0x59, 0x02, _, records @ ..] => add_records(&mut self.stored, records),
            [0x62, 0xf1, 0x90, number @ ..] => self.found_vin(number),
            [0x7f, service, reason, ..] => {
                self.refusals.push((*service, *reason));
                true
            }
            _ => false,
        };
        if !is_read && self.unknown.len() < UNKNOWN_MAX {
            self.unknown.push(message.to_vec());
        }
    }

    /// Adds the fuel rate worked out from the air flow where the vehicle did not tell it.
    pub fn estimate_fuel(&mut self, fuel: Fuel) {
        if let Some(estimate) = fuel.estimate(&self.readings) {
            self.readings.push(estimate);
        }
    }

    /// The value of a quantity that came first.
    #[must_use]
    pub fn milli(&self, quantity: Quantity) -> Option<i64> {
        self.readings.iter().find(|reading| reading.quantity == quantity).map(|reading| reading.milli)
    }

    fn values(&mut self, values: &[u8]) -> bool {
        let mut rest = values;
        while let [number, after @ ..] = rest {
            let Some((data, after)) = take_data(*number, after) else { return false };
            match data.try_into() {
                Ok(bits) if pid::is_support(*number) => {
                    self.supported.extend(pid::supported(*number, bits));
                }
                // One that is not in the table is passed over: its length is known.
                _ => _ = pid::decode(*number, data, &mut self.readings),
            }
            rest = after;
        }
        !values.is_empty()
    }

    fn freeze_frame(&mut self, values: &[u8]) -> bool {
        let mut rest = values;
        while let [parameter, frame, after @ ..] = rest {
            let Some((data, after)) = take_data(*parameter, after) else { return false };
            let frame = self.frame(*frame);
            match (*parameter, data) {
                (pid::FREEZE_CODE, &[high, low]) => frame.code = Dtc::from_two([high, low]),
                _ => _ = pid::decode(*parameter, data, &mut frame.readings),
            }
            rest = after;
        }
        !values.is_empty() && rest.is_empty()
    }

    fn frame(&mut self, number: u8) -> &mut FreezeFrame {
        let at = match self.freeze_frames.iter().position(|frame| frame.number == number) {
            Some(at) => at,
            None => {
                self.freeze_frames.push(FreezeFrame { number, ..FreezeFrame::default() });
                self.freeze_frames.len() - 1
            }
        };
        // It was found or put there just now.
        &mut self.freeze_frames[at]
    }

    fn vin_part(&mut self, part: &[u8]) -> bool {
        let Some((&index, bytes)) = part.split_first() else { return false };
        let Ok(four) = <[u8; 4]>::try_from(bytes) else { return self.found_vin(bytes) };
        let Some(place) = usize::from(index).checked_sub(1).and_then(|at| self.vin_parts.get_mut(at)) else {
            return false;
        };
        *place = Some(four);
        if self.vin_parts.iter().all(Option::is_some) {
            let whole = self.vin_parts.iter().flatten().flatten().copied().collect::<Vec<_>>();
            return self.found_vin(&whole);
        }
        true
    }

    fn found_vin(&mut self, bytes: &[u8]) -> bool {
        let found = vin(bytes);
        if let Some(number) = found {
            self.vin.get_or_insert_with(|| number.to_owned());
        }
        found.is_some()
    }
}

/// The data of a parameter and what follows them. Where nobody knows how long they are, they are the rest.
fn take_data(number: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    match pid::data_bytes(number) {
        Some(count) => bytes.split_at_checked(count),
        None => Some((bytes, &[])),
    }
}

/// Codes of two bytes: over CAN (an odd number of bytes) with their number in front, else three in each message, filled up
/// with zeros.
fn add_codes(list: &mut Option<Vec<Dtc>>, bytes: &[u8]) -> bool {
    let codes = match bytes.split_first() {
        Some((&count, codes)) if codes.len().is_multiple_of(2) => {
            let Some(codes) = codes.get(..2 * usize::from(count)) else { return false };
            codes
        }
        _ => bytes,
    };
    let list = list.get_or_insert_default();
    list.extend(codes.as_chunks::<2>().0.iter().filter_map(|pair| Dtc::from_two(*pair)));
    true
}

/// Codes of three bytes, each with its status.
fn add_records(list: &mut Option<Vec<Dtc>>, records: &[u8]) -> bool {
    let (records, rest) = records.as_chunks::<4>();
    let codes = records.iter().filter_map(|[high, low, failure, _]| Dtc::from_three([*high, *low, *failure]));
    list.get_or_insert_default().extend(codes);
    rest.is_empty()
}

/// The answer of mode 01 with these readings: what [`Diagnosis::read`] reads. Readings without a parameter are left out.
#[must_use]
pub fn encode_values(readings: &[Reading]) -> Vec<u8> {
    let mut message = vec![0x41];
    for (number, data) in readings.iter().filter_map(|reading| pid::encode(*reading)) {
        message.push(number);
        message.extend_from_slice(&data);
    }
    message
}

/// The answer of mode 03, 07 or 0A over CAN with at most 255 codes.
#[must_use]
pub fn encode_codes(mode: u8, codes: &[Dtc]) -> Vec<u8> {
    let codes = codes.get(..255).unwrap_or(codes);
    let mut message = vec![mode | 0x40, u8::try_from(codes.len()).unwrap_or(u8::MAX)];
    message.extend(codes.iter().flat_map(|dtc| dtc.code.to_be_bytes()));
    message
}

/// The answer of UDS 19 02 with these codes, each with the status "confirmed".
#[must_use]
pub fn encode_records(codes: &[Dtc]) -> Vec<u8> {
    let mut message = vec![0x59, 0x02, 0xff];
    for dtc in codes {
        message.extend_from_slice(&dtc.to_three());
        message.push(0x08);
    }
    message
}

/// The answer of mode 09 with an identification number, over CAN.
#[must_use]
pub fn encode_vin(number: &str) -> Vec<u8> {
    [&[0x49, 0x02, 0x01], number.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(messages: &[&[u8]]) -> Diagnosis {
        let mut diagnosis = Diagnosis::default();
        messages.iter().for_each(|message| diagnosis.read(message));
        diagnosis
    }

    fn texts(codes: &Option<Vec<Dtc>>) -> Vec<String> {
        codes.iter().flatten().map(Dtc::to_string).collect()
    }

    #[test]
    fn several_parameters_come_in_one_message() {
        let seen = read(&[&[0x41, 0x0c, 0x13, 0x24, 0x0d, 0x14, 0x05, 0x7b]]);
        assert_eq!(
            seen.readings,
            [
                Reading::new(Quantity::EngineSpeed, 1_225_000),
                Reading::new(Quantity::VehicleSpeed, 20_000),
                Reading::new(Quantity::Coolant, 83_000),
            ]
        );
        assert!(seen.unknown.is_empty());
    }

    #[test]
    fn a_parameter_that_is_cut_short_is_kept_as_bytes() {
        let seen = read(&[&[0x41, 0x0d, 0x14, 0x0c, 0x13]]);
        assert_eq!(seen.readings, [Reading::new(Quantity::VehicleSpeed, 20_000)]);
        assert_eq!(seen.unknown.len(), 1);
    }

    #[test]
    fn codes_come_with_their_number_over_can_and_filled_up_before() {
        assert_eq!(texts(&read(&[&[0x43, 2, 0x01, 0x33, 0x0d, 0x14]]).stored), ["P0133", "P0D14"]);
        assert_eq!(texts(&read(&[&[0x47, 0x01, 0x33, 0, 0, 0, 0]]).pending), ["P0133"]);
        assert_eq!(read(&[&[0x4a, 0]]).permanent, Some(Vec::new()));
        assert_eq!(read(&[&[0x43, 9, 0x01, 0x33]]).stored, None, "nine are stated and one is there");
        // Padding of the last CAN frame is no code.
        assert_eq!(texts(&read(&[&[0x43, 1, 0x01, 0x33, 0xaa, 0xaa]]).stored), ["P0133"]);
    }

    #[test]
    fn uds_codes_have_a_failure_type() {
        let seen = read(&[&[0x59, 0x02, 0xff, 0x0d, 0x14, 0x1a, 0x2f, 0xc1, 0x00, 0x00, 0x08]]);
        assert_eq!(texts(&seen.stored), ["P0D14-1A", "U0100"]);
    }

    #[test]
    fn a_freeze_frame_names_its_code() {
        let seen = read(&[&[0x42, 0x02, 0x00, 0x01, 0x33], &[0x42, 0x0c, 0x00, 0x1a, 0xf8]]);
        let frame = &seen.freeze_frames[0];
        assert_eq!(frame.code.map(|dtc| dtc.to_string()).as_deref(), Some("P0133"));
        assert_eq!(frame.readings, [Reading::new(Quantity::EngineSpeed, 1_726_000)]);
        assert_eq!(seen.freeze_frames.len(), 1);
    }

    #[test]
    fn an_identification_number_comes_in_one_message_or_in_five() {
        let over_can = read(&[&encode_vin("LSVAA4182E2184847")]);
        assert_eq!(over_can.vin.as_deref(), Some("LSVAA4182E2184847"));
        let parts = ["\0\0\0L", "SVAA", "4182", "E218", "4847"];
        let messages: Vec<_> =
            (1..).zip(parts).map(|(index, part)| [&[0x49, 0x02, index], part.as_bytes()].concat()).collect();
        let before: Vec<_> = messages.iter().map(Vec::as_slice).collect();
        assert_eq!(read(&before).vin.as_deref(), Some("LSVAA4182E2184847"));
        assert_eq!(read(&before[1..]).vin, None);
        let uds = [&[0x62, 0xf1, 0x90], b"LSVAA4182E2184847".as_slice()].concat();
        assert_eq!(read(&[&uds]).vin.as_deref(), Some("LSVAA4182E2184847"));
    }

    #[test]
    fn support_and_refusals_are_told() {
        let seen = read(&[&[0x41, 0x00, 0xbe, 0x1f, 0xa8, 0x13], &[0x7f, 0x0a, 0x11]]);
        assert_eq!(seen.supported.len(), 17);
        assert_eq!(seen.refusals, [(0x0a, 0x11)]);
    }

    #[test]
    fn the_fuel_rate_is_estimated_only_where_it_is_not_told() {
        let mut seen = read(&[&[0x41, 0x10, 0x03, 0xe8]]);
        seen.estimate_fuel(Fuel::Petrol);
        assert_eq!(seen.milli(Quantity::FuelRateEstimated), Some(3_309));
        let mut told = read(&[&[0x41, 0x10, 0x03, 0xe8, 0x5e, 0x00, 0x40]]);
        told.estimate_fuel(Fuel::Petrol);
        assert_eq!(told.milli(Quantity::FuelRateEstimated), None);
        assert_eq!(told.milli(Quantity::FuelRate), Some(3_200));
    }

    proptest! {
        #[test]
        fn codes_round_trip(codes in prop::collection::vec((1_u16.., any::<u8>()), 0..40)) {
            let codes: Vec<_> = codes
                .into_iter()
                .map(|(code, failure)| Dtc { code, failure: Some(failure).filter(|byte| *byte != 0) })
                .collect();
            let plain: Vec<_> = codes.iter().map(|dtc| Dtc { failure: None, ..*dtc }).collect();
            prop_assert_eq!(read(&[&encode_codes(3, &plain)]).stored, Some(plain));
            prop_assert_eq!(read(&[&encode_records(&codes)]).stored, Some(codes));
        }

        #[test]
        fn values_round_trip(picks in prop::collection::vec((0..pid::TABLE.len(), any::<u8>()), 1..12)) {
            let readings: Vec<_> = picks
                .iter()
                .map(|(at, raw)| Reading::new(pid::TABLE[*at].quantity, pid::TABLE[*at].scale.apply(i64::from(*raw))))
                .collect();
            prop_assert_eq!(read(&[&encode_values(&readings)]).readings, readings);
        }

        #[test]
        fn no_bytes_panic(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let messages: Vec<_> = messages.iter().map(Vec::as_slice).collect();
            read(&messages).estimate_fuel(Fuel::Petrol);
        }
    }
}
