//! Seeds of the fuzz targets, made with our own encoders when a target starts.
//!
//! Frames of other projects are added when they lie in the folder that `MOTORPOOL_FUZZ_VECTORS` names. Nothing
//! is written unless `MOTORPOOL_FUZZ_SEEDS` names a folder.

use std::path::{Path, PathBuf};

use motorpool_protocols::jt808::{Header, Packet, Version, encode_frame, encode_location};
use motorpool_protocols::{Fix, Profile, Protocol, Status, TerminalId, UtcMillis};

/// The code that logs a terminal in.
pub const CODE: &[u8] = b"secret";

/// Writes the seeds that `wrap` makes of each stream of frames and each message.
pub fn plant(wrap: impl Fn(&[u8]) -> Vec<Vec<u8>>) {
    let Some(folder) = seeds_folder() else { return };
    let mut streams = own_streams();
    if let Some(vectors) = std::env::var_os("MOTORPOOL_FUZZ_VECTORS") {
        for name in ["jt808.jsonl", "traccar-jt808.jsonl"] {
            let text = std::fs::read_to_string(Path::new(&vectors).join(name)).unwrap_or_default();
            streams.extend(text.lines().filter_map(hex_of));
        }
    }
    write(&folder, streams.iter().flat_map(|stream| wrap(stream)));
}

/// Writes a seed for each row of vectors of each protocol that has a head: the head, then the row's bytes.
pub fn plant_rows(head: impl Fn(Protocol) -> Option<[u8; 2]>) {
    let Some((folder, vectors)) = seeds_folder().zip(std::env::var_os("MOTORPOOL_FUZZ_VECTORS")) else { return };
    let mut seeds = Vec::new();
    for protocol in Protocol::ALL {
        let Some(head) = head(*protocol) else { continue };
        for name in [format!("{protocol}.jsonl"), format!("traccar-{protocol}.jsonl")] {
            let text = std::fs::read_to_string(Path::new(&vectors).join(name)).unwrap_or_default();
            let rows = text.lines().filter_map(|line| bytes_of(line, *protocol));
            seeds.extend(rows.map(|bytes| [&head, &bytes[..]].concat()));
        }
    }
    write(&folder, seeds.into_iter());
}

fn seeds_folder() -> Option<PathBuf> {
    let folder = PathBuf::from(std::env::var_os("MOTORPOOL_FUZZ_SEEDS")?);
    std::fs::create_dir_all(&folder).expect("the folder of seeds can be made");
    Some(folder)
}

fn write(folder: &Path, seeds: impl Iterator<Item = Vec<u8>>) {
    for (number, seed) in seeds.enumerate() {
        std::fs::write(folder.join(format!("seed-{number}")), seed).expect("a seed can be written");
    }
}

/// The bytes of one row of vectors: its hex, or its text with what ends a message.
fn bytes_of(line: &str, protocol: Protocol) -> Option<Vec<u8>> {
    let row: serde_json::Value = serde_json::from_str(line).ok()?;
    match (row["hex"].as_str(), row["text"].as_str()) {
        (Some(hex), _) => unhex(hex),
        (None, text) => Some([text?.as_bytes(), protocol.terminator()].concat()),
    }
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// The frame of one line of vectors: the value of its first `"hex"` that is a frame.
fn hex_of(line: &str) -> Option<Vec<u8>> {
    let start = line.find("\"7e")? + 1;
    let hex = line.get(start..)?.split('"').next()?;
    unhex(hex)
}

fn own_streams() -> Vec<Vec<u8>> {
    let terminal = TerminalId::new("13812345678").expect("printable and short");
    let profile = Profile::default();
    let mut fix = Fix::new(UtcMillis(1_760_000_000_000), 399_000_000, 1_164_000_000);
    fix.status = Status::IGNITION.with(Status::POSITIONED);
    fix.odometer_m = Some(12_345_600);
    fix.fuel_dl = Some(401);
    fix.satellites = Some(12);
    let mut report = Vec::new();
    encode_location(&fix, &[0x25, 4, 0, 0, 0, 1, 0xe1, 2, 0x7d, 0x7e], &profile, &mut report);
    let mut batch = vec![0, 2, 1];
    for _ in 0..2 {
        batch.extend_from_slice(&u16::try_from(report.len()).expect("short").to_be_bytes());
        batch.extend_from_slice(&report);
    }
    let answer = [&[0, 1], &report[..]].concat();
    let card = [&[1, 0x25, 0x10, 0x09, 0x16, 0x53, 0x20, 0, 2, 0xd5, 0xc5][..], &[b'1'; 20], &[0; 5]].concat();
    let registration = |maker: usize, model: usize, id: usize| {
        [&[0, 11, 0, 105][..], &vec![b'M'; maker], &vec![b'T'; model], &vec![b'I'; id], b"\x02\xbe\xa9A12345"]
            .concat()
    };
    let mut streams = Vec::new();
    for (version, log_in, register) in [
        (Version::V2013, CODE.to_vec(), registration(5, 20, 7)),
        (Version::V2013, CODE.to_vec(), registration(5, 8, 7)),
        (Version::V2019 { revision: 1 }, [&[6], CODE].concat(), registration(11, 30, 30)),
    ] {
        let bodies = [
            (0x0100, register),
            (0x0102, log_in),
            (0x0200, report.clone()),
            (0x0704, batch.clone()),
            (0x0201, answer.clone()),
            (0x0702, card.clone()),
            (0x0801, [&[0, 0, 0, 9, 0, 0, 0, 0][..], &report].concat()),
            (0x0005, vec![0, 1, 1, 0, 1]),
            (0x0004, vec![]),
            (0x0003, vec![]),
        ];
        let mut all = Vec::new();
        for (serial, (message_id, body)) in (0..).zip(&bodies) {
            let header = Header::new(*message_id, version, terminal, serial);
            let mut one = Vec::new();
            encode_frame(&header, body, &mut one);
            all.extend_from_slice(&one);
            streams.push(one);
            let (first, second) = body.split_at(body.len() / 2);
            for (index, half) in [(2, second), (1, first)] {
                let packet = Some(Packet { total: 2, index });
                encode_frame(&Header { packet, serial: 99 + index, ..header }, half, &mut all);
            }
        }
        streams.push(all);
    }
    streams
}
