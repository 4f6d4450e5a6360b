//! Sends recorded tracks as JT/T 808: one link for each device, every acknowledgement checked.
//!
//! Fixes that lie in the past go as blind-area batches (0x0704 type 1) with as many positions as fit into one
//! frame, unless they are wanted singly (0x0200). Several messages are open at one time. A device's fixes are sent
//! in the order of its track; what was not acknowledged when a link broke is sent again.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use motorpool_protocols::{Fix, UtcMillis};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::enrol::replayed_phone;
use super::ledger::{Event, Ledger, Place, put_line};
use super::link::Link;
use super::terminal::{Counts, Frames, Options, Terminal};
use super::tracks_file::DeviceTrack;
use super::wire::{self, BODY_MAX, Phone};

/// Links that log in at one time.
const LOGINS_MAX: usize = 256;
/// Bytes that may wait for the socket before more is encoded.
const QUEUED_BYTES_MAX: usize = 64 << 10;
/// Count WORD and type BYTE of a batch.
const BATCH_HEAD_LEN: usize = 3;

/// How fast to send.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between fast and timed")]
pub enum Pace {
    /// As fast as the acknowledgements come.
    Max,
    /// Each device's fixes at their own pace, this many times faster, singly.
    Times(f64),
}

/// What to do.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "settings, built by name with a default")]
pub struct Replay {
    /// The server.
    pub to: SocketAddr,
    /// Never use batches.
    pub singly: bool,
    /// How fast.
    pub pace: Pace,
    /// Unacknowledged messages of one device.
    pub pipeline: usize,
    /// Fixes before this time may go in batches: the time now, when there is no reason for another.
    pub past: UtcMillis,
    /// Give a device up when nothing of it was acknowledged for so long.
    pub patience: Duration,
}

/// A device of the file and the terminal that speaks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Mapped {
    /// The name in the file.
    pub device: String,
    /// 12 digits.
    pub terminal: String,
}

/// Two names of one file have the same terminal number.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{first}` and `{second}` would both be terminal {terminal}: rename one of them")]
#[expect(clippy::exhaustive_structs, reason = "an error with its facts")]
pub struct Collision {
    /// The name that came first.
    pub first: String,
    /// The other.
    pub second: String,
    /// Their number.
    pub terminal: Phone,
}

/// The terminal numbers of some device names, in their order.
///
/// # Errors
/// When two different names get one number.
pub fn phones<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<Phone>, Collision> {
    let mut taken: HashMap<Phone, &str> = HashMap::new();
    names
        .map(|name| {
            let terminal = replayed_phone(name);
            match taken.insert(terminal, name) {
                Some(first) if first != name => {
                    Err(Collision { first: first.to_owned(), second: name.to_owned(), terminal })
                }
                _ => Ok(terminal),
            }
        })
        .collect()
}

/// What happened.
#[derive(Clone, Copy, Debug, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an output record")]
pub struct Report {
    /// Devices.
    pub devices: usize,
    /// Fixes in the file.
    pub rows: u64,
    /// Fixes handed to a socket.
    pub sent: u64,
    /// Fixes acknowledged, each once.
    pub acked: u64,
    /// Fixes not acknowledged in the end, sent or not.
    pub lost: u64,
    /// Messages sent, each once.
    pub messages: u64,
    /// Messages sent again.
    pub resent: u64,
    /// Messages answered with a failure.
    pub refused: u64,
    /// Log-ins after the first.
    pub reconnects: u64,
    /// How long it took.
    pub seconds: f64,
    /// Acknowledged fixes a second.
    pub rows_per_s: f64,
}

/// Fixes sent and acknowledged so far, for a progress bar.
#[derive(Debug, Default)]
pub struct Progress {
    sent: AtomicU64,
    acked: AtomicU64,
}

impl Progress {
    /// Fixes handed to a socket.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Fixes acknowledged.
    #[must_use]
    pub fn acked(&self) -> u64 {
        self.acked.load(Ordering::Relaxed)
    }
}

/// Sends all tracks and waits for their acknowledgements. Needs a tokio runtime.
///
/// # Errors
/// When two devices would be one terminal. Everything else is in the report.
pub async fn run(
    replay: &Replay,
    tracks: Vec<DeviceTrack>,
    ledger: Option<Ledger>,
    progress: Arc<Progress>,
) -> Result<Report, Collision> {
    let phones = phones(tracks.iter().map(|track| track.device.as_str()))?;
    let devices = tracks.len();
    let rows = tracks.iter().map(|track| track.fixes.len() as u64).sum();
    let begun = Instant::now();
    let first =
        tracks.iter().flat_map(|track| &track.fixes).map(|fix| fix.fix_time).min().unwrap_or_default();
    let logins = Arc::new(Semaphore::new(LOGINS_MAX));
    let mut links = JoinSet::new();
    for (track, phone) in tracks.into_iter().zip(phones) {
        let (replay, ledger) = (*replay, ledger.clone());
        let (progress, logins) = (Arc::clone(&progress), Arc::clone(&logins));
        links.spawn(async move {
            let mut player = Player::new(&replay, phone, track.fixes, ledger, progress);
            player.play(first, &logins).await;
            *player.terminal.counts()
        });
    }
    let mut counts = Counts::default();
    while let Some(result) = links.join_next().await {
        if let Ok(more) = result {
            counts.add(&more);
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let acked = progress.acked();
    Ok(Report {
        devices,
        rows,
        sent: progress.sent(),
        acked,
        lost: rows - acked,
        messages: counts.sent,
        resent: counts.resent,
        refused: counts.refused,
        reconnects: counts.logins.saturating_sub(devices as u64),
        seconds: (seconds * 1e3).round() / 1e3,
        rows_per_s: (acked as f64 / seconds.max(1e-3)).round(),
    })
}

/// Consecutive fixes of a track in one message.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a range")]
pub struct Part {
    /// The first fix.
    pub start: usize,
    /// How many, 1 at least.
    pub len: usize,
    /// As a blind-area batch.
    pub is_batch: bool,
}

/// Builds messages from a track.
#[derive(Debug, Default)]
pub struct TrackFrames {
    fixes: Vec<Fix>,
    body: Vec<u8>,
    positions: Vec<u8>,
    ends: Vec<usize>,
}

impl TrackFrames {
    /// The messages of these fixes.
    #[must_use]
    pub fn new(fixes: Vec<Fix>) -> Self {
        Self { fixes, ..Self::default() }
    }

    /// Adds fixes at the end.
    pub fn extend(&mut self, fixes: impl IntoIterator<Item = Fix>) {
        self.fixes.extend(fixes);
    }

    /// The fixes of a part.
    #[must_use]
    pub fn part(&self, part: &Part) -> &[Fix] {
        self.fixes.get(part.start..part.start + part.len).unwrap_or(&[])
    }

    /// The next message from fix `start` on: a batch of what is before `past` and fits into one frame, else
    /// one position. `None` after the last fix.
    #[must_use]
    pub fn next_part(&self, start: usize, past: Option<UtcMillis>) -> Option<Part> {
        let rest = self.fixes.get(start..).filter(|rest| !rest.is_empty())?;
        let mut room = BODY_MAX - BATCH_HEAD_LEN;
        let mut len = 0;
        for fix in rest {
            let needed = 2 + position_len(fix);
            if past.is_none_or(|past| fix.fix_time >= past) || needed > room {
                break;
            }
            room -= needed;
            len += 1;
        }
        Some(Part { start, len: len.max(1), is_batch: len > 0 })
    }
}

/// Length of the body that [`wire::put_position`] makes.
fn position_len(fix: &Fix) -> usize {
    let item = |there: bool, len: usize| if there { 2 + len } else { 0 };
    28 + item(fix.odometer_m.is_some(), 4)
        + item(fix.fuel_dl.is_some(), 2)
        + item(fix.vehicle_speed_dkmh.is_some(), 2)
        + item(fix.signal.is_some(), 1)
        + item(fix.satellites.is_some(), 1)
}

impl Frames for TrackFrames {
    type Tag = Part;

    fn message_id(&self, part: &Part) -> u16 {
        if part.is_batch { wire::POSITION_BATCH } else { wire::POSITION }
    }

    fn encode(&mut self, part: &Part, phone: Phone, serial: u16, out: &mut Vec<u8>) {
        let fixes = self.fixes.get(part.start..part.start + part.len).unwrap_or(&[]);
        self.body.clear();
        if part.is_batch {
            self.positions.clear();
            self.ends.clear();
            for fix in fixes {
                wire::put_position(&mut self.positions, fix);
                self.ends.push(self.positions.len());
            }
            let starts = std::iter::once(&0).chain(&self.ends);
            let bodies: Vec<&[u8]> =
                starts.zip(&self.ends).filter_map(|(start, end)| self.positions.get(*start..*end)).collect();
            wire::put_blind_area_batch(&mut self.body, bodies.into_iter());
        } else if let Some(fix) = fixes.first() {
            wire::put_position(&mut self.body, fix);
        }
        wire::put_frame(out, self.message_id(part), phone, serial, &self.body);
    }
}

/// Plays one device's track.
struct Player {
    replay: Replay,
    terminal: Terminal<TrackFrames>,
    ledger: Option<Ledger>,
    progress: Arc<Progress>,
    lines: String,
    last_progress: Instant,
}

impl Player {
    fn new(
        replay: &Replay,
        phone: Phone,
        fixes: Vec<Fix>,
        ledger: Option<Ledger>,
        progress: Arc<Progress>,
    ) -> Self {
        let options = Options { pipeline: replay.pipeline, ..Options::default() };
        let terminal = Terminal::new(phone, replay.to, TrackFrames::new(fixes), options);
        Self {
            replay: *replay,
            terminal,
            ledger,
            progress,
            lines: String::new(),
            last_progress: Instant::now(),
        }
    }

    /// Sends everything; `first` is the earliest fix time of all tracks, from which a timed replay counts.
    async fn play(&mut self, first: UtcMillis, logins: &Semaphore) {
        let begun = Instant::now();
        let past = (!self.replay.singly && self.replay.pace == Pace::Max).then_some(self.replay.past);
        let mut at = 0;
        loop {
            let next = self.terminal.source().next_part(at, past);
            if next.is_none() && self.terminal.waiting() == 0 {
                return;
            }
            let due = next.and_then(|part| self.due(&part, first, begun)).unwrap_or_else(Instant::now);
            let free = self.terminal.room() > 0 && self.terminal.queued_bytes() < QUEUED_BYTES_MAX;
            if let Some(part) = next.filter(|_| free && due <= Instant::now() && self.terminal.is_connected())
            {
                self.push(part);
                at += part.len;
                continue;
            }
            if !self.turn(next.filter(|_| free).map(|_| due), logins).await {
                return;
            }
        }
    }

    /// When a part is to be sent, in a timed replay.
    fn due(&self, part: &Part, first: UtcMillis, begun: Instant) -> Option<Instant> {
        let Pace::Times(times) = self.replay.pace else { return None };
        let time = self.terminal.source().part(part).first()?.fix_time;
        let after = Duration::try_from_secs_f64((time.0 - first.0) as f64 / 1e3 / times).ok()?;
        begun.checked_add(after)
    }

    fn push(&mut self, part: Part) {
        let serial = self.terminal.push(part, self.terminal.now_ns());
        self.progress.sent.fetch_add(part.len as u64, Ordering::Relaxed);
        self.write_down(Event::Sent, serial, &part);
    }

    fn write_down(&mut self, event: Event, serial: u16, part: &Part) {
        let Some(ledger) = &self.ledger else { return };
        for fix in self.terminal.source().part(part) {
            put_line(&mut self.lines, event, self.terminal.phone(), serial, &place_of(fix));
        }
        ledger.append(&mut self.lines);
    }

    /// One round of sending and receiving, at most until `due`; `false` to give up.
    async fn turn(&mut self, due: Option<Instant>, logins: &Semaphore) -> bool {
        let mut give_up = self.last_progress + self.replay.patience;
        if self.terminal.waiting() == 0 {
            // Nothing to be impatient about but the next fix.
            give_up = due.map_or(give_up, |due| give_up.max(due + self.replay.patience));
        }
        let result = if self.terminal.is_connected() {
            self.terminal.turn(due.map_or(give_up, |due| due.min(give_up))).await
        } else {
            self.terminal.reconnect(give_up, logins).await.inspect_err(|error| {
                tracing::warn!(terminal = %self.terminal.phone(), %error, "given up");
            })
        };
        let acked: Vec<_> = self.terminal.take_acked().collect();
        for ack in &acked {
            self.progress.acked.fetch_add(ack.tag.len as u64, Ordering::Relaxed);
            self.write_down(Event::Acked, ack.serial, &ack.tag);
            self.last_progress = Instant::now();
        }
        match result {
            // Without a link after `reconnect` there will be none.
            Err(_) if !self.terminal.is_connected() && Instant::now() >= give_up => false,
            Err(super::terminal::TerminalError::Refused { .. }) => false,
            Err(error) => {
                tracing::debug!(terminal = %self.terminal.phone(), %error, "link lost");
                true
            }
            Ok(()) => Instant::now() < give_up || self.terminal.waiting() == 0,
        }
    }
}

/// A fix as the ledger names it: what is on the wire.
fn place_of(fix: &Fix) -> Place {
    let e6 = |e7: i32| (e7.abs() + 5) / 10 * e7.signum();
    Place {
        time: UtcMillis(fix.fix_time.0 - fix.fix_time.0.rem_euclid(1_000)),
        lat_e6: e6(fix.lat_e7),
        lon_e6: e6(fix.lon_e7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::fake_server::{Answer, FakeServer};
    use motorpool_protocols::jt808::decode_location;
    use motorpool_protocols::{Observations, Profile, Quality, Status};

    fn track(device: &str, n: i32) -> DeviceTrack {
        let fix = |at: i32| Fix {
            altitude_m: Some(40),
            speed_dkmh: Some(at as u16 % 700),
            course_deg: Some(at as u16 % 360),
            odometer_m: (at % 3 == 0).then_some(at as u32 * 100),
            vehicle_speed_dkmh: (at % 7 == 0).then_some(11),
            status: Status::POSITIONED.with(Status::WEST),
            ..Fix::new(
                UtcMillis(1_200_000_000_000 + i64::from(at) * 5_000),
                399_000_000 + at * 10,
                -1_160_000_000,
            )
        };
        DeviceTrack { device: device.to_owned(), fixes: (0..n).map(fix).collect() }
    }

    fn replay(to: SocketAddr) -> Replay {
        Replay {
            to,
            singly: false,
            pace: Pace::Max,
            pipeline: 8,
            past: UtcMillis(1_700_000_000_000),
            patience: Duration::from_secs(5),
        }
    }

    async fn play(replay: &Replay, tracks: Vec<DeviceTrack>) -> Report {
        run(replay, tracks, None, Arc::default()).await.unwrap()
    }

    /// The fixes in all received messages of one terminal, in order of arrival.
    fn fixes_at(server: &FakeServer, phone: Phone) -> Vec<Fix> {
        let mut out = Observations::default();
        for (terminal, id, _, body) in server.received() {
            if terminal != phone.to_string() {
                continue;
            }
            let mut items = Vec::new();
            match id {
                0x0200 => items.push(body.as_slice()),
                _ => {
                    assert_eq!((id, body[2]), (0x0704, 1));
                    let mut rest = &body[3..];
                    while let [a, b, tail @ ..] = rest {
                        let (item, more) = tail.split_at(usize::from(u16::from_be_bytes([*a, *b])));
                        items.push(item);
                        rest = more;
                    }
                    assert_eq!(items.len(), usize::from(u16::from_be_bytes([body[0], body[1]])));
                }
            }
            for item in items {
                decode_location(item, &Profile::default(), Quality(0), &mut out).unwrap();
            }
        }
        out.fixes
    }

    #[tokio::test]
    async fn a_track_arrives_as_it_is_in_batches_and_singly() {
        for singly in [false, true] {
            let server = FakeServer::start(|_| Answer::Ack);
            let tracks = vec![track("a", 500), track("b", 1), track("empty", 0)];
            let report = play(&Replay { singly, ..replay(server.address()) }, tracks.clone()).await;
            assert_eq!(
                (report.rows, report.sent, report.acked, report.lost),
                (501, 501, 501, 0),
                "{report:?}"
            );
            assert_eq!(report.messages < 40, !singly);
            assert!(fixes_at(&server, replayed_phone("a")) == tracks[0].fixes, "a track of 500");
            assert!(fixes_at(&server, replayed_phone("b")) == tracks[1].fixes, "a track of one");
        }
    }

    #[tokio::test]
    async fn what_is_not_past_goes_singly() {
        let server = FakeServer::start(|_| Answer::Ack);
        let tracks = vec![track("a", 100)];
        let past = tracks[0].fixes[60].fix_time;
        let report = play(&Replay { past, ..replay(server.address()) }, tracks).await;
        assert_eq!((report.acked, report.lost), (100, 0));
        assert_eq!(server.positions().len(), 40);
    }

    #[tokio::test]
    async fn broken_links_lose_nothing() {
        let server = FakeServer::start(|nth| match nth % 5 {
            1 => Answer::Close,
            3 => Answer::Twice,
            _ => Answer::Ack,
        });
        let report = play(&replay(server.address()), vec![track("a", 600), track("b", 600)]).await;
        assert_eq!((report.acked, report.lost), (1_200, 0), "{report:?}");
        assert!(report.resent > 0 && report.reconnects > 0);
        let distinct: std::collections::HashSet<_> =
            fixes_at(&server, replayed_phone("b")).into_iter().map(|fix| fix.fix_time).collect();
        assert_eq!(distinct.len(), 600);
    }

    #[tokio::test]
    async fn a_refused_message_and_a_refused_device_are_counted_as_lost() {
        let server = FakeServer::start(|nth| if nth == 0 { Answer::Refuse } else { Answer::Ack });
        let report = play(&Replay { singly: true, ..replay(server.address()) }, vec![track("a", 10)]).await;
        assert_eq!((report.sent, report.acked, report.lost, report.refused), (10, 9, 1, 1));
        let server = FakeServer::refusing_registration(4);
        let report = play(&replay(server.address()), vec![track("a", 10)]).await;
        assert_eq!((report.sent, report.acked, report.lost), (0, 0, 10));
    }

    #[tokio::test]
    async fn a_timed_replay_keeps_the_order_and_takes_its_time() {
        let server = FakeServer::start(|_| Answer::Ack);
        let tracks = vec![track("a", 20)];
        // 95 s of track in 95 ms.
        let report =
            play(&Replay { pace: Pace::Times(1_000.0), ..replay(server.address()) }, tracks.clone()).await;
        assert!(fixes_at(&server, replayed_phone("a")) == tracks[0].fixes);
        assert!(report.seconds >= 0.095 && report.acked == 20, "{report:?}");
    }

    #[test]
    fn two_names_with_one_number_are_an_error() {
        // 11 digits and the same with a zero in front are one number.
        let error = phones(["13912345678", "x", "013912345678"].into_iter()).unwrap_err();
        assert_eq!((error.first.as_str(), error.second.as_str()), ("13912345678", "013912345678"));
        assert!(error.to_string().contains("terminal 013912345678"));
        assert_eq!(phones(["x", "x"].into_iter()).unwrap().len(), 2);
    }

    #[test]
    fn the_length_of_a_position_is_known_before_it_is_encoded() {
        for at in 0..32_u8 {
            let set = |bit: u8| at & (1 << bit) != 0;
            let fix = Fix {
                odometer_m: set(0).then_some(1),
                fuel_dl: set(1).then_some(1),
                vehicle_speed_dkmh: set(2).then_some(1),
                signal: set(3).then_some(1),
                satellites: set(4).then_some(1),
                ..Fix::new(UtcMillis(0), 0, 0)
            };
            let mut body = Vec::new();
            wire::put_position(&mut body, &fix);
            assert_eq!(position_len(&fix), body.len());
        }
    }
}
