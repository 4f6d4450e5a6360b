//! Data handed through to and from devices behind the terminal: 0x0900, 0x8900, 0x0901.
//!
//! The content belongs to that device and is kept as bytes. Two types of the active-safety specifications,
//! 0xF7 and 0xF8, describe the devices themselves; they are read when they read exactly.

use std::io::Read;

use serde::Serialize;

use super::value::{Text, as_hex};
use super::wire::{Body, Byte, Bytes32, Dword, Reader, Rest, Text8, body};

body! {
    /// Pass-through, 0x0900 up and 0x8900 down (JT/T 808-2019 8.70, 8.71, tables 91 and 92).
    PassThrough {
        /// 0x00 GNSS detail, 0x0B transport IC card, 0x41 serial port 1, 0x42 serial port 2, 0xF0 to 0xFF set
        /// by the maker.
        pass_through_type: u8 = Byte,
        /// The content.
        #[serde(serialize_with = "as_hex")]
        content: Vec<u8> = Rest,
    }
}

body! {
    /// Compressed data, 0x0901 (JT/T 808-2019 8.72, table 93).
    CompressedData {
        /// The gzip data, as sent.
        #[serde(serialize_with = "as_hex")]
        data: Vec<u8> = Bytes32,
    }
}

/// What 0x0901 may hold; a kilobyte can pretend to hold a gigabyte.
const INFLATED_BYTES_MAX: u64 = 256 << 10;

impl CompressedData {
    /// What was compressed; `None` when it is no gzip data, or longer than 256 KiB.
    #[must_use]
    pub fn inflated(&self) -> Option<Vec<u8>> {
        let mut inflated = Vec::new();
        let mut gzip = flate2::read::MultiGzDecoder::new(self.data.as_slice()).take(INFLATED_BYTES_MAX + 1);
        let bytes = gzip.read_to_end(&mut inflated).ok()?;
        (u64::try_from(bytes).ok()? <= INFLATED_BYTES_MAX).then_some(inflated)
    }
}

body! {
    /// State of one peripheral (0x0900 type 0xF7).
    PeripheralState {
        /// 1 normal, 2 abnormal, 3 being upgraded, 4 not there.
        state: u8 = Byte,
        /// Bits: 0 camera, 1 main memory, 2 auxiliary memory, 3 infra-red light, 4 loudspeaker, 5 battery, 10
        /// communication module, 11 positioning module.
        faults: u32 = Dword,
    }
}

body! {
    /// What one peripheral is (0x0900 type 0xF8).
    PeripheralDescription {
        /// Company.
        company: Text = Text8,
        /// Product code.
        product: Text = Text8,
        /// Hardware version.
        hardware_version: Text = Text8,
        /// Software version.
        software_version: Text = Text8,
        /// Device id.
        device_id: Text = Text8,
        /// Customer code.
        customer_code: Text = Text8,
    }
}

/// The peripherals that a pass-through of type 0xF7 or 0xF8 speaks of: count BYTE, then for each an id BYTE
/// (0x64 ADAS, 0x65 DSM, 0x66 TPMS, 0x67 BSD), a length BYTE and the content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Peripherals {
    /// Type 0xF7.
    States(Vec<Peripheral<PeripheralState>>),
    /// Type 0xF8.
    Descriptions(Vec<Peripheral<PeripheralDescription>>),
}

/// One peripheral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Peripheral<T> {
    /// 0x64 ADAS, 0x65 DSM, 0x66 TPMS, 0x67 BSD.
    pub id: u8,
    /// What is said of it.
    #[serde(flatten)]
    pub content: T,
}

impl PassThrough {
    /// The peripherals, when this is type 0xF7 or 0xF8 and reads exactly as such.
    #[must_use]
    pub fn peripherals(&self) -> Option<Peripherals> {
        match self.pass_through_type {
            0xf7 => read_peripherals(&self.content).map(Peripherals::States),
            0xf8 => read_peripherals(&self.content).map(Peripherals::Descriptions),
            _ => None,
        }
    }
}

fn read_peripherals<T: Body>(content: &[u8]) -> Option<Vec<Peripheral<T>>> {
    let mut r = Reader::new(content, super::Edition::E2019);
    let count = r.u8().ok()?;
    let mut items = Vec::new();
    for _ in 0..count {
        let id = r.u8().ok()?;
        let len = usize::from(r.u8().ok()?);
        let mut inner = r.sub(len).ok()?;
        let content = T::read(&mut inner).ok()?;
        if inner.remaining() > 0 {
            return None;
        }
        items.push(Peripheral { id, content });
    }
    (r.remaining() == 0 && !items.is_empty()).then_some(items)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn packed(data: &[u8]) -> CompressedData {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(data).unwrap();
        CompressedData { data: gzip.finish().unwrap() }
    }

    #[test]
    fn compressed_data_is_inflated_up_to_a_limit() {
        assert_eq!(packed(b"made up").inflated().as_deref(), Some(&b"made up"[..]));
        let limit = usize::try_from(INFLATED_BYTES_MAX).unwrap();
        assert_eq!(packed(&vec![7; limit]).inflated().map(|all| all.len()), Some(limit));
        let bomb = packed(&vec![7; limit + 1]);
        assert!(bomb.data.len() < 1_000 && bomb.inflated().is_none());
        let mut cut = packed(b"made up");
        cut.data.truncate(12);
        assert_eq!(cut.inflated(), None);
        assert_eq!(CompressedData { data: b"no gzip".to_vec() }.inflated(), None);
    }
}
