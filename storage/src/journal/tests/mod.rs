//! Tests of the journal as a whole.

mod basics;
mod copies;
mod files;
mod format;
mod lead;
mod model;
mod raw_blocks;
mod sim_fs;
mod stamps;

use std::path::Path;
use std::time::Duration;

use motorpool_protocols::{Protocol, UtcMillis};

use super::{Batch, Event, Gap, Journal, Reader};
use crate::config::{self, Bytes, Seconds};
use crate::ids::{DeviceId, LinkId, Lsn};

/// What a test appends and expects back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) device: u32,
    pub(super) received_at: i64,
    pub(super) messages: Vec<Vec<u8>>,
}

impl Sent {
    /// A record that differs from every other number's.
    pub(super) fn numbered(number: u64, messages: usize, len: usize) -> Self {
        let message = |index: usize| {
            let mut bytes = format!("{number}/{index}:").into_bytes();
            bytes.resize(bytes.len().max(len), b'.');
            bytes
        };
        Self {
            device: (number % 7) as u32 + 1,
            received_at: 1_700_000_000_000 + number as i64,
            messages: (0..messages).map(message).collect(),
        }
    }

    /// Hands the batch to `use_batch`.
    pub(super) fn with_batch<T>(&self, use_batch: impl FnOnce(&Batch<'_>) -> T) -> T {
        let raw = self.messages.concat();
        let mut end = 0;
        let ends: Vec<u32> = self
            .messages
            .iter()
            .map(|message| {
                end += message.len() as u32;
                end
            })
            .collect();
        use_batch(&Batch {
            device: DeviceId(self.device),
            link: LinkId(77),
            protocol: Protocol::Jt808,
            received_at: UtcMillis(self.received_at),
            ends: &ends,
            raw: &raw,
        })
    }

    fn of(batch: &Batch<'_>) -> Self {
        Self {
            device: batch.device.0,
            received_at: batch.received_at.0,
            messages: batch.messages().map(<[u8]>::to_vec).collect(),
        }
    }
}

/// Segments so small that tests cross their borders.
pub(super) fn small_config(segment_size: usize) -> config::Journal {
    config::Journal {
        segment_size: Bytes(segment_size),
        window_max: Seconds(Duration::ZERO),
        disk_reserve: Bytes(0),
        ..config::Journal::default()
    }
}

/// Reads all there is from `from` on.
pub(super) fn read_all(mut reader: Reader) -> (Vec<(Lsn, Sent)>, Vec<Gap>) {
    let (mut records, mut gaps) = (Vec::new(), Vec::new());
    loop {
        let before = reader.position();
        let chunk = reader.next_chunk(Duration::ZERO).unwrap();
        for event in chunk.events() {
            match event {
                Event::Entry(entry) => records.push((entry.lsn, Sent::of(&entry.batch))),
                Event::Gap(gap) => gaps.push(gap),
            }
        }
        if chunk.is_empty() && chunk.end() == before {
            return (records, gaps);
        }
    }
}

/// Blocks until `lsn` is durable.
pub(super) fn wait_durable(journal: &Journal, lsn: Lsn) {
    let mut reader = journal.subscribe_durable();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { reader.wait_for(|durable| *durable >= lsn).await.map(drop) }).unwrap();
}

/// Appends one record and waits for it.
pub(super) fn append_durably(journal: &Journal, sent: &Sent) -> Lsn {
    let lsn = sent.with_batch(|batch| journal.append(batch)).unwrap();
    wait_durable(journal, lsn);
    lsn
}

/// The only segment file of a data folder.
pub(super) fn segment_files(data: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(data.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .collect();
    files.sort();
    files
}
