//! The journal alone: appends, acknowledgement times, reading and recovery, with the disk's own sync time beside.
//!
//! Plain harness: prints one line a measurement. `BENCH_DIR` names the folder to measure in (default: the temporary
//! folder), `BENCH_SECONDS` how long each part runs (default 3).

use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use motorpool::config;
use motorpool::ids::{DeviceId, LinkId, Lsn};
use motorpool::journal::{AppendError, Batch, Event, Journal};
use motorpool_protocols::{Protocol, UtcMillis};

const FRAME_LEN: usize = 64;

fn main() {
    let seconds = std::env::var("BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let run = Duration::from_secs(seconds);
    let root = std::env::var_os("BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(root).expect("the bench folder can be created");
    let sync = sync_times(dir.path(), 400);
    println!("fdatasync of 4 KiB            p50 {:.3} ms, p99 {:.3} ms", ms(sync.0), ms(sync.1));
    append(dir.path(), "single-frame batches", 1, run);
    append(dir.path(), "1,000-frame batches", 1_000, run);
    let sync = sync_times(dir.path(), 400);
    println!("fdatasync of 4 KiB            p50 {:.3} ms, p99 {:.3} ms", ms(sync.0), ms(sync.1));
    for rate in [1_000, 15_000, 100_000] {
        paced(dir.path(), rate, run);
    }
    recovery(dir.path());
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn percentiles(times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    (at(0.5), at(0.99))
}

/// What one sync of a page of a prepared file takes on this disk: p50, p99.
fn sync_times(dir: &Path, count: u64) -> (Duration, Duration) {
    let path = dir.join("sync");
    let file = fs::File::create(&path).expect("the file can be created");
    file.write_all_at(&vec![0; 4_096 * count as usize], 0).expect("the disk has space");
    file.sync_all().expect("the disk syncs");
    let mut times: Vec<Duration> = (0..count)
        .map(|n| {
            file.write_all_at(&[1; 4_096], n * 4_096).expect("the disk has space");
            let begun = Instant::now();
            file.sync_data().expect("the disk syncs");
            begun.elapsed()
        })
        .collect();
    fs::remove_file(path).expect("the file is there");
    percentiles(&mut times)
}

/// Seconds of processor time that this process has used.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

struct Frames {
    raw: Vec<u8>,
    ends: Vec<u32>,
}

impl Frames {
    fn new(count: usize) -> Self {
        let raw = (0..count * FRAME_LEN).map(|at| (at * 31 % 251) as u8).collect();
        Self { raw, ends: (1..=count).map(|n| (n * FRAME_LEN) as u32).collect() }
    }

    fn batch(&self, n: u64) -> Batch<'_> {
        Batch {
            device: DeviceId((n % 15_000) as u32 + 1),
            link: LinkId(n % 15_000),
            protocol: Protocol::Jt808,
            received_at: UtcMillis(1_700_000_000_000 + n as i64 / 1_000),
            ends: &self.ends,
            raw: &self.raw,
        }
    }
}

fn fresh(dir: &Path) -> (std::path::PathBuf, Journal) {
    let data = dir.join("data");
    if data.exists() {
        fs::remove_dir_all(&data).expect("the folder is ours");
    }
    let (journal, _) = Journal::open(&data, &config::Journal::default()).expect("a new journal opens");
    (data, journal)
}

/// Appends as fast as the journal takes it, one thread.
fn append(dir: &Path, name: &str, frames: usize, run: Duration) {
    let (_, journal) = fresh(dir);
    let content = Frames::new(frames);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let (begun, cpu, mut appended) = (Instant::now(), cpu_seconds(), 0_u64);
    let mut appending = Duration::ZERO;
    while begun.elapsed() < run {
        let part = Instant::now();
        let mut full = false;
        for _ in 0..256 {
            match journal.append(&content.batch(appended)) {
                Ok(_) => appended += 1,
                Err(AppendError::Full) => {
                    full = true;
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
        appending += part.elapsed();
        if full {
            runtime.block_on(journal.wait_space());
        }
    }
    journal.close();
    let (took, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let stats = journal.stats();
    println!(
        "{name:<29} {:.0} k appends/s, {:.2} M frames/s, {:.0} MB/s, {:.0} ns an append in the caller, \
         {:.2} cores, {} syncs",
        appended as f64 / took / 1e3,
        appended as f64 * frames as f64 / took / 1e6,
        stats.bytes as f64 / took / 1e6,
        appending.as_secs_f64() * 1e9 / appended as f64,
        cpu / took,
        stats.sync_seconds.count,
    );
}

/// Single frames at a fixed rate: time from append to durable.
fn paced(dir: &Path, rate: u64, run: Duration) {
    let (_, journal) = fresh(dir);
    let waiting = Arc::new(Mutex::new(VecDeque::<(Lsn, Instant)>::new()));
    let mut durable = journal.subscribe_durable();
    let times = {
        let waiting = Arc::clone(&waiting);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let mut times = Vec::new();
            while runtime.block_on(durable.changed()).is_ok() {
                let (mark, now) = (*durable.borrow_and_update(), Instant::now());
                let mut waiting = waiting.lock().expect("nobody panicked");
                while let Some((_, since)) = waiting.pop_front_if(|(lsn, _)| *lsn <= mark) {
                    times.push(now - since);
                }
            }
            times
        })
    };
    let syncs = Arc::new(Mutex::new(Vec::new()));
    let observed = Arc::clone(&syncs);
    journal.observe_syncs(move |took| observed.lock().expect("nobody panicked").push(took));
    let content = Frames::new(1);
    let (begun, cpu, mut appended) = (Instant::now(), cpu_seconds(), 0);
    while begun.elapsed() < run {
        let due = (begun.elapsed().as_secs_f64() * rate as f64) as u64;
        while appended < due {
            let now = Instant::now();
            let push = |lsn| waiting.lock().expect("nobody panicked").push_back((lsn, now));
            journal.append_with(&content.batch(appended), push).expect("there is room");
            appended += 1;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let cpu = cpu_seconds() - cpu;
    journal.close();
    let groups = journal.stats().groups;
    drop(journal);
    let (p50, p99) = percentiles(&mut times.join().expect("nobody panicked"));
    let sync = percentiles(&mut syncs.lock().expect("nobody panicked"));
    println!(
        "{:<29} durable p50 {:.2} ms, p99 {:.2} ms; its syncs p50 {:.2} ms, p99 {:.2} ms; {:.1} frames a group; \
         {:.2} cores with the load",
        format!("{rate} single frames/s"),
        ms(p50),
        ms(p99),
        ms(sync.0),
        ms(sync.1),
        appended as f64 / groups as f64,
        cpu / run.as_secs_f64(),
    );
}

/// 1 GB of journal: reading all of it, and opening it as a kill leaves it.
fn recovery(dir: &Path) {
    let (data, journal) = fresh(dir);
    let content = Frames::new(8);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut appended = 0;
    while journal.stats().bytes < 1_000_000_000 {
        for _ in 0..1_000 {
            while journal.append(&content.batch(appended)).is_err() {
                runtime.block_on(journal.wait_space());
            }
            appended += 1;
        }
    }
    journal.close();
    drop(journal);
    fs::remove_file(data.join("journal/clean")).expect("it was closed in order");
    let (journal, recovery) = Journal::open(&data, &config::Journal::default()).expect("the journal opens");
    println!(
        "recovery of {:.2} GB            {:.3} s, {} segments, {} M messages",
        recovery.durable.0 as f64 / 1e9,
        recovery.seconds,
        recovery.segments,
        recovery.messages / 1_000_000,
    );
    let mut reader = journal.reader(Lsn(0));
    let (begun, mut records, mut bytes) = (Instant::now(), 0_u64, 0_u64);
    while reader.position() < recovery.durable {
        let chunk = reader.next_chunk(Duration::ZERO).expect("the journal can be read");
        for event in chunk.events() {
            if let Event::Entry(entry) = event {
                records += 1;
                bytes += entry.batch.raw.len() as u64;
            }
        }
    }
    let took = begun.elapsed().as_secs_f64();
    println!(
        "reading it                    {:.2} M records/s, {:.2} M frames/s, {:.0} MB/s of frames",
        records as f64 / took / 1e6,
        records as f64 * 8.0 / took / 1e6,
        bytes as f64 / took / 1e6,
    );
}
