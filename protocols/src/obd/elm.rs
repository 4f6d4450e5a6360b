//! The text of ELM327 adapters and their clones: hexadecimal lines among noise.
//!
//! Lines end with CR, the prompt is `>`. What is understood, with and without blanks:
//!
//! | line | |
//! |---|---|
//! | `41 0C 1A F8` | a message, headers off |
//! | `7E8 04 41 0C 1A F8`, `18 DA F1 10 04 41 0C 1A F8` | one CAN frame with its header and length (ISO 15765-2) |
//! | `48 6B 10 41 0C 1A F8 C3`, `84 F1 10 41 0C 1A F8 C4` | J1850 or ISO 9141, and KWP 2000, with header and checksum |
//! | `014`, `0: 49 02 01 31 44 34`, `1: ...` | a message in several frames, headers off: its length, then its parts |
//! | `10 14 49 02 ...`, `21 ...` | the same as raw frames |
//!
//! Echoes of commands, `SEARCHING...` and `BUS INIT: ...OK` are passed over; a reply may follow them on the same line.
//! Errors of the adapter are told in [`Elm::errors`]. Several control units may answer: with headers on their frames are
//! kept apart, with headers off each message stands alone.

use crate::obd::{Diagnosis, Fuel};

/// Text that is read at one time; what is behind it is left out, and said.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// Control units whose messages may be unfinished at one time.
const ECUS_MAX: usize = 16;
/// First bytes of answers: the service with this bit.
const ANSWER: u8 = 0x40;

/// What the adapter complains of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ElmError {
    /// `NO DATA`: the vehicle did not answer.
    NoData,
    /// `UNABLE TO CONNECT`: no bus was found.
    UnableToConnect,
    /// `STOPPED`: the adapter was interrupted.
    Stopped,
    /// `CAN ERROR`.
    CanError,
    /// `BUS ERROR`, `BUS BUSY`, `BUS INIT: ...ERROR`, `FB ERROR`: the bus is not usable.
    BusError,
    /// `DATA ERROR`, `<DATA ERROR`, `<RX ERROR`: the line was damaged.
    DataError,
    /// `BUFFER FULL`: the adapter lost data.
    BufferFull,
    /// `?`: the adapter did not understand the command.
    NotUnderstood,
    /// `ERR94` and the like, `LV RESET`, `ACT ALERT`, `LP ALERT`: the adapter itself is in trouble.
    Adapter,
    /// Frames of a message are missing.
    Incomplete,
    /// A line that nobody here can read.
    Unreadable,
    /// More text than [`TEXT_BYTES_MAX`], or more control units than can be kept apart.
    TooMuch,
}

/// Beginnings of lines, longest first where one begins another.
const ERRORS: &[(&str, ElmError)] = &[
    ("NO DATA", ElmError::NoData),
    ("NODATA", ElmError::NoData),
    ("UNABLE TO CONNECT", ElmError::UnableToConnect),
    ("UNABLETOCONNECT", ElmError::UnableToConnect),
    ("STOPPED", ElmError::Stopped),
    ("CAN ERROR", ElmError::CanError),
    ("CANERROR", ElmError::CanError),
    ("BUS ERROR", ElmError::BusError),
    ("BUSERROR", ElmError::BusError),
    ("BUS BUSY", ElmError::BusError),
    ("BUSBUSY", ElmError::BusError),
    ("FB ERROR", ElmError::BusError),
    ("ERROR", ElmError::BusError),
    ("DATA ERROR", ElmError::DataError),
    ("<DATA ERROR", ElmError::DataError),
    ("<RX ERROR", ElmError::DataError),
    ("BUFFER FULL", ElmError::BufferFull),
    ("?", ElmError::NotUnderstood),
    ("ERR", ElmError::Adapter),
    ("LV RESET", ElmError::Adapter),
    ("ACT ALERT", ElmError::Adapter),
    ("LP ALERT", ElmError::Adapter),
];
/// What the adapter says while it looks for the bus; an answer may follow.
const PROGRESS: &[&str] = &["SEARCHING", "BUS INIT:", "BUSINIT:", "OK"];
/// Beginnings of lines that say nothing: commands to the adapter, and its name.
const CHATTER: &[&str] = &["AT", "ST", "ELM327", "OBDLINK"];

/// One message of a control unit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct EcuMessage {
    /// The address of the control unit; `None` with headers off.
    pub ecu: Option<u32>,
    /// The message, without headers, lengths and checksums.
    pub bytes: Vec<u8>,
}

/// What a text holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Elm {
    /// The messages, in the order in which they became whole.
    pub messages: Vec<EcuMessage>,
    /// The complaints, in order.
    pub errors: Vec<ElmError>,
}

/// A message of which frames are missing.
#[derive(Debug)]
struct Unfinished {
    ecu: Option<u32>,
    /// As stated; `None` where no line stated it.
    wanted: Option<usize>,
    /// The number that the next frame must have.
    next: u8,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Parser {
    out: Elm,
    unfinished: Vec<Unfinished>,
    /// What a line of three digits said, until the part `0:` comes.
    stated: Option<usize>,
}

/// The messages and complaints in a text.
#[must_use]
pub fn parse(text: &str) -> Elm {
    let mut parser = Parser::default();
    let mut left = TEXT_BYTES_MAX;
    for line in text.split(['\r', '\n', '>', '\0']) {
        if line.len() > left {
            parser.out.errors.push(ElmError::TooMuch);
            break;
        }
        left -= line.len();
        parser.line(line);
    }
    parser.finish()
}

/// What the vehicle says in a text, the fuel rate estimated where it does not tell it, and the complaints of the adapter.
#[must_use]
pub fn diagnose(text: &str, fuel: Fuel) -> (Diagnosis, Vec<ElmError>) {
    let elm = parse(text);
    let mut diagnosis = Diagnosis::default();
    elm.messages.iter().for_each(|message| diagnosis.read(&message.bytes));
    diagnosis.estimate_fuel(fuel);
    (diagnosis, elm.errors)
}

impl Parser {
    fn line(&mut self, line: &str) {
        let upper = line.trim().to_ascii_uppercase();
        let mut line = upper.as_str();
        while let Some(rest) = PROGRESS.iter().find_map(|word| line.strip_prefix(word)) {
            line = rest.trim_start_matches(['.', ' ']);
        }
        if let Some((_, error)) = ERRORS.iter().find(|(word, _)| line.starts_with(word)) {
            return self.out.errors.push(*error);
        }
        if line.is_empty() || CHATTER.iter().any(|word| line.starts_with(word)) {
            return;
        }
        // A damaged line has its complaint at the end.
        let (line, complaint) = match line.split_once('<') {
            Some((line, _)) => (line.trim(), true),
            None => (line, false),
        };
        let is_read = !complaint && self.hexadecimal(line);
        if !is_read {
            self.out.errors.push(if complaint { ElmError::DataError } else { ElmError::Unreadable });
        }
    }

    /// Takes a line of digits; `false` when it is none.
    fn hexadecimal(&mut self, line: &str) -> bool {
        if let Some((index, part)) = line.split_once(':') {
            return match (u8::from_str_radix(index.trim(), 16), digits(part)) {
                (Ok(index), Some((part, true))) => self.part(index, &part),
                _ => false,
            };
        }
        let Some((bytes, is_even)) = digits(line) else { return false };
        if is_even {
            self.message(&bytes);
            return true;
        }
        // An odd number of digits begins with a CAN identifier of eleven bits, or is a length alone.
        let compact: String = line.chars().filter(|c| *c != ' ').collect();
        let Some((head, data)) = compact.split_at_checked(3) else { return false };
        let (Ok(head), Some((data, true))) = (u32::from_str_radix(head, 16), digits(data)) else {
            return false;
        };
        match head {
            _ if data.is_empty() => self.stated = usize::try_from(head).ok(),
            // The echo of a request with the number of answers that are waited for: `010C1`.
            0..=0x0ff => {}
            _ => self.can_frame(Some(head), &data),
        }
        true
    }

    /// A line of whole bytes: with a header of another bus, as a raw frame, or a message alone.
    fn message(&mut self, bytes: &[u8]) {
        match bytes {
            // An echo of a request: a mode, a parameter of it, several parameters, or one of UDS.
            [0x01..=0x0f] | [0x01 | 0x02 | 0x05 | 0x06 | 0x08 | 0x09, _] | [0x19, 0x02, _] => {}
            [0x01 | 0x02 | 0x05 | 0x06 | 0x08 | 0x09, 0x00..=0x3f, ..] => {}
            [0x22, _, _] if self.unfinished.iter().all(|open| open.ecu.is_some()) => {}
            [0x18, 0xda, 0xf1, ecu, frame @ ..] => self.can_frame(Some(u32::from(*ecu)), frame),
            // ISO 9141-2 and J1850, with a checksum at the end.
            [0x48 | 0x41, 0x6b, ecu, message @ .., _] if is_answer(message) => {
                self.whole(Some(u32::from(*ecu)), message);
            }
            // KWP 2000: the low six bits are the length.
            [format @ 0x80..=0xff, 0xf1, ecu, message @ .., _]
                if is_answer(message) && usize::from(format & 0x3f) == message.len() =>
            {
                self.whole(Some(u32::from(*ecu)), message);
            }
            [0x10..=0x1f, _, service, ..] if service & ANSWER != 0 => self.can_frame(None, bytes),
            [0x20..=0x2f, ..] if self.unfinished.iter().any(|open| open.ecu.is_none()) => {
                self.can_frame(None, bytes);
            }
            [len @ 0x02..=0x07, message @ ..] if is_answer(message) && message.len() >= usize::from(*len) => {
                self.can_frame(None, bytes);
            }
            _ if is_answer(bytes) => self.whole(None, bytes),
            _ => self.out.errors.push(ElmError::Unreadable),
        }
    }

    /// A frame of ISO 15765-2: its first four bits say whether it is a whole message, the first part, a further part, or
    /// flow control.
    fn can_frame(&mut self, ecu: Option<u32>, frame: &[u8]) {
        match frame {
            [len @ 0x00..=0x07, message @ ..] => match message.get(..usize::from(*len)) {
                Some(message) if !message.is_empty() => self.whole(ecu, message),
                _ => self.out.errors.push(ElmError::Incomplete),
            },
            [high @ 0x10..=0x1f, low, first @ ..] => {
                let wanted = usize::from(high & 0x0f) << 8 | usize::from(*low);
                self.begin(Unfinished { ecu, wanted: Some(wanted), next: 1, bytes: first.to_vec() });
            }
            [number @ 0x20..=0x2f, part @ ..] => self.further(ecu, number & 0x0f, part),
            [0x30..=0x3f, ..] => {}
            _ => self.out.errors.push(ElmError::Unreadable),
        }
    }

    /// A part `0: ...` of a message, headers off.
    fn part(&mut self, index: u8, part: &[u8]) -> bool {
        // After fifteen parts the numbers begin again with 0.
        if index == 0 && !self.unfinished.iter().any(|open| open.ecu.is_none() && open.next == 0) {
            let wanted = self.stated.take();
            self.begin(Unfinished { ecu: None, wanted, next: 1, bytes: part.to_vec() });
        } else {
            self.further(None, index & 0x0f, part);
        }
        true
    }

    fn begin(&mut self, message: Unfinished) {
        self.give_up(message.ecu);
        if self.unfinished.len() >= ECUS_MAX {
            return self.out.errors.push(ElmError::TooMuch);
        }
        self.unfinished.push(message);
    }

    fn further(&mut self, ecu: Option<u32>, number: u8, part: &[u8]) {
        let Some(at) = self.unfinished.iter().position(|open| open.ecu == ecu) else {
            return self.out.errors.push(ElmError::Incomplete);
        };
        let Some(open) = self.unfinished.get_mut(at) else { return };
        if open.next != number {
            self.unfinished.remove(at);
            return self.out.errors.push(ElmError::Incomplete);
        }
        open.next = (number + 1) & 0x0f;
        open.bytes.extend_from_slice(part);
        if open.wanted.is_some_and(|wanted| open.bytes.len() >= wanted) {
            let open = self.unfinished.remove(at);
            self.close(open);
        }
    }

    /// Ends the message of a control unit that begins another one.
    fn give_up(&mut self, ecu: Option<u32>) {
        if let Some(at) = self.unfinished.iter().position(|open| open.ecu == ecu) {
            let open = self.unfinished.remove(at);
            self.close(open);
        }
    }

    fn close(&mut self, mut open: Unfinished) {
        match open.wanted {
            Some(wanted) if open.bytes.len() < wanted => return self.out.errors.push(ElmError::Incomplete),
            Some(wanted) => open.bytes.truncate(wanted),
            None => {}
        }
        self.whole(open.ecu, &open.bytes);
    }

    fn whole(&mut self, ecu: Option<u32>, message: &[u8]) {
        self.out.messages.push(EcuMessage { ecu, bytes: message.to_vec() });
    }

    fn finish(mut self) -> Elm {
        for open in std::mem::take(&mut self.unfinished) {
            self.close(open);
        }
        self.out
    }
}

/// Whether it begins as answers do: the service with bit 6, or a refusal.
fn is_answer(message: &[u8]) -> bool {
    matches!(message, [0x41..=0x4a | 0x50..=0x7f, ..])
}

/// The bytes that hexadecimal digits, with or without blanks, stand for, and whether there is an even number of digits; the
/// last one of an odd number is left out.
fn digits(text: &str) -> Option<(Vec<u8>, bool)> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    Some((pairs.iter().map(|[high, low]| high << 4 | low).collect(), rest.is_empty()))
}

/// A message as an adapter prints it, headers on: one line for each CAN frame of the control unit with that
/// identifier.
#[must_use]
pub fn encode(ecu: u16, message: &[u8]) -> String {
    let ecu = ecu & 0x07ff;
    let mut out = String::new();
    let mut frame = |bytes: &[u8]| {
        let hex: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        out.push_str(&format!("{ecu:03X} {}\r", hex.join(" ")));
    };
    match u8::try_from(message.len()) {
        Ok(len @ 0..=7) => frame(&[&[len], message].concat()),
        _ => {
            let [high, low] = u16::try_from(message.len()).unwrap_or(0x0fff).min(0x0fff).to_be_bytes();
            let message = message.get(..0x0fff).unwrap_or(message);
            let (first, rest) = message.split_at_checked(6).unwrap_or((message, &[]));
            frame(&[&[0x10 | high, low], first].concat());
            for (number, part) in (1..=15_u8).chain(0..=0).cycle().zip(rest.chunks(7)) {
                frame(&[&[0x20 | number], part].concat());
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::obd::Dtc;
    use crate::{Quantity, Reading};

    fn messages(text: &str) -> Vec<Vec<u8>> {
        parse(text).messages.into_iter().map(|message| message.bytes).collect()
    }

    const RPM: [u8; 4] = [0x41, 0x0c, 0x1a, 0xf8];

    #[test]
    fn a_reply_is_found_among_the_noise() {
        for text in [
            "010C\r41 0C 1A F8 \r\r>",
            "41 0c 1a f8",
            "0144\r010C0D\r22F190\r1902FF\r>41 0C 1A F8",
            "010C1\r410C1AF8\r>",
            "SEARCHING...\r41 0C 1A F8\r\r>",
            "SEARCHING...41 0C 1A F8\r\r>",
            "BUS INIT: ...OK\r41 0C 1A F8\r\r>",
            "BUS INIT: OK 41 0C 1A F8\r\r>",
            "ATZ\r\r\rELM327 v1.5\r\r>ATE0\rOK\r\r>41 0C 1A F8\r\r>",
            "7E8 04 41 0C 1A F8\r",
            "7E804410C1AF8\r",
            "7E8 04 41 0C 1A F8 AA AA AA\r",
            "18 DA F1 10 04 41 0C 1A F8\r",
            "18DAF11004410C1AF8\r",
            "48 6B 10 41 0C 1A F8 C3\r",
            "84 F1 10 41 0C 1A F8 C4\r",
            "04 41 0C 1A F8 00 00 00\r",
        ] {
            assert_eq!(messages(text), [RPM], "{text:?}: {:?}", parse(text));
        }
    }

    #[test]
    fn complaints_are_told() {
        for (text, error) in [
            ("NO DATA\r\r>", ElmError::NoData),
            ("SEARCHING...\rUNABLE TO CONNECT\r\r>", ElmError::UnableToConnect),
            ("SEARCHING...UNABLE TO CONNECT\r", ElmError::UnableToConnect),
            ("STOPPED\r", ElmError::Stopped),
            ("CAN ERROR\r", ElmError::CanError),
            ("BUS INIT: ...ERROR\r", ElmError::BusError),
            ("41 0C 1A <DATA ERROR\r", ElmError::DataError),
            ("BUFFER FULL\r", ElmError::BufferFull),
            ("?\r", ElmError::NotUnderstood),
            ("ERR94\r", ElmError::Adapter),
            ("41 0C 1A F8 garbage", ElmError::Unreadable),
            ("7E8 10 14 49 02 01 4C 53 56", ElmError::Incomplete),
            ("22 01 02 03", ElmError::Unreadable),
        ] {
            let elm = parse(text);
            assert_eq!((elm.errors, elm.messages.len()), (vec![error], 0), "{text:?}");
        }
    }

    #[test]
    fn several_units_answer() {
        let elm = parse("7E8 06 41 00 BE 3E A8 13\r7E9 06 41 00 80 00 00 01\r\r>");
        assert_eq!(
            elm.messages.iter().map(|message| message.ecu).collect::<Vec<_>>(),
            [Some(0x7e8), Some(0x7e9)]
        );
        assert_eq!(messages("41 00 BE 3E A8 13\r41 00 80 00 00 01\r").len(), 2);
    }

    const VIN: &str = "1D4GP00R55B123456";

    #[test]
    fn a_message_in_several_frames_is_put_together() {
        // The example of the ELM327 data sheet, in every form.
        for text in [
            "014 \r0: 49 02 01 31 44 34 \r1: 47 50 30 30 52 35 35 \r2: 42 31 32 33 34 35 36 \r\r>",
            "014\r0:490201314434\r1:47503030523535\r2:42313233343536\r>",
            "0: 49 02 01 31 44 34\r1: 47 50 30 30 52 35 35\r2: 42 31 32 33 34 35 36\r",
            "10 14 49 02 01 31 44 34\r21 47 50 30 30 52 35 35\r22 42 31 32 33 34 35 36\r",
            "7E8 10 14 49 02 01 31 44 34\r7E8 21 47 50 30 30 52 35 35\r7E8 22 42 31 32 33 34 35 36\r",
            "7E81014490201314434\r7E82147503030523535\r7E82242313233343536\r",
            "49 02 01 00 00 00 31\r49 02 02 44 34 47 50\r49 02 03 30 30 52 35\r49 02 04 35 42 31 32\r49 02 05 33 34 35 36\r",
        ] {
            let (diagnosis, errors) = diagnose(text, Fuel::Petrol);
            assert_eq!((diagnosis.vin.as_deref(), errors), (Some(VIN), Vec::new()), "{text:?}");
        }
    }

    #[test]
    fn frames_of_two_units_may_alternate() {
        let text = "7E8 10 08 43 03 01 33 0D 14\r7E9 10 08 43 03 C1 00 C1 21\r7E8 21 01 01\r7E9 21 C1 55\r";
        let (diagnosis, errors) = diagnose(text, Fuel::Petrol);
        let codes: Vec<_> = diagnosis.stored.iter().flatten().map(Dtc::to_string).collect();
        assert_eq!(codes, ["P0133", "P0D14", "P0101", "U0100", "U0121", "U0155"]);
        assert!(errors.is_empty());
    }

    #[test]
    fn a_frame_out_of_turn_ends_its_message() {
        let elm = parse("7E8 10 14 49 02 01 31 44 34\r7E8 22 42 31 32 33 34 35 36\r");
        assert_eq!((elm.messages.len(), elm.errors), (0, vec![ElmError::Incomplete]));
    }

    #[test]
    fn too_much_text_is_left_out() {
        let elm = parse(&"0".repeat(TEXT_BYTES_MAX + 1));
        assert_eq!(elm.errors, [ElmError::TooMuch]);
    }

    #[test]
    fn the_fuel_rate_is_estimated() {
        let (diagnosis, _) = diagnose("41 10 03 E8\r", Fuel::Petrol);
        assert_eq!(
            diagnosis.readings,
            [Reading::new(Quantity::AirFlow, 10_000), Reading::new(Quantity::FuelRateEstimated, 3_309)]
        );
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read(ecu in 0x700_u16..0x800, rest in prop::collection::vec(any::<u8>(), 0..300), blanks: bool) {
            let message = [&[0x41][..], &rest].concat();
            let text = encode(ecu, &message);
            let text = if blanks { text } else { text.replace(' ', "") };
            let elm = parse(&text);
            prop_assert_eq!(elm.errors, []);
            prop_assert_eq!(elm.messages, [EcuMessage { ecu: Some(u32::from(ecu)), bytes: message }]);
        }

        #[test]
        fn no_text_panics(text in "[0-9A-F :<>?.\r\nSEARCHINGOK]{0,200}", any in ".{0,60}") {
            let _both = (diagnose(&text, Fuel::Petrol), diagnose(&any, Fuel::E85));
        }
    }
}
