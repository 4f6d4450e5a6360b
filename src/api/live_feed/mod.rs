//! The live map: one tick for all readers, a WebSocket for each.
//!
//! While anybody looks, one task reads the last states once per `http.live_interval` and publishes a [`board::Tick`]; each reader's task
//! takes the newest tick when its socket has room, so a slow reader skips ticks and costs nobody anything. The forms of bytes are
//! in [`record`]. A reader is let in like any request, and, when it is a browser, only from a page of this very server.
//!
//! It must never hold up the folds: it takes the lock of the last states once a tick, and copies.

pub mod board;
mod fleet;
pub mod record;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use motorpool_protocols::UtcMillis;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use super::ApiState;
use super::auth::{Granted, PositionsReader};
use super::places::{LIVE_EACH, Place, Places};
use super::problem::{Code, Problem, ProblemBody};
use crate::ids::DeviceId;
use crate::registry::{Error, Registry};
use board::{Area, Board, Reader, Sights, Tick};

pub(super) use board::Numbers;
pub(super) use fleet::{__path_fleet, Roster, fleet};

/// The largest message a reader may send, bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 10;
/// Messages that a reader may send between two frames.
const MESSAGES_MAX: u32 = 64;
/// How often a reader that says nothing is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// A reader that answered nothing for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// A reader whose socket takes nothing for so long is gone.
const SEND_MAX: Duration = Duration::from_secs(30);
/// How long names and bindings are believed when no change was noticed: orders begin and end without one.
const ROSTER_MAX_MS: i64 = 60_000;

/// A roster and what it was read for.
struct Kept {
    roster: Arc<Roster>,
    numbers: Numbers,
    change: i64,
    read_at: UtcMillis,
}

/// The feed of one server.
pub(super) struct Feed {
    ticks: watch::Sender<Option<Arc<Tick>>>,
    /// Whether the task that makes ticks runs.
    is_ticking: Mutex<bool>,
    places: Places,
    roster: tokio::sync::Mutex<Option<Kept>>,
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}

impl Feed {
    pub(super) fn new(clients_max: usize) -> Self {
        Self {
            ticks: watch::Sender::new(None),
            is_ticking: Mutex::new(false),
            places: Places::new(clients_max, LIVE_EACH, 30),
            roster: tokio::sync::Mutex::new(None),
        }
    }

    /// The cars, read again when the registry changed.
    pub(super) async fn roster(
        &self,
        registry: &Registry,
        now: UtcMillis,
    ) -> Result<(Arc<Roster>, Numbers), Error> {
        let change = registry.snapshot().change();
        let mut guard = self.roster.lock().await;
        if let Some(kept) = guard.as_ref()
            && kept.change == change
            && now.0 - kept.read_at.0 < ROSTER_MAX_MS
        {
            return Ok((Arc::clone(&kept.roster), kept.numbers.clone()));
        }
        let fresh = Roster::read(registry, now).await?;
        let (roster, numbers) = match guard.take() {
            Some(kept) if *kept.roster == fresh => (kept.roster, kept.numbers),
            before => {
                let version = before.map_or(1, |kept| kept.numbers.version + 1);
                let numbers = fresh.numbers(version);
                (Arc::new(fresh), numbers)
            }
        };
        *guard = Some(Kept { roster: Arc::clone(&roster), numbers: numbers.clone(), change, read_at: now });
        Ok((roster, numbers))
    }

    /// The ticks from now on; begins to make them when nobody did.
    fn join(&self, state: &ApiState) -> watch::Receiver<Option<Arc<Tick>>> {
        let mut is_ticking = self.is_ticking.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ticks = self.ticks.subscribe();
        if *is_ticking {
            ticks.mark_changed();
        } else {
            *is_ticking = true;
            tokio::spawn(make_ticks(state.clone()));
        }
        ticks
    }

    /// Whether nobody looks any more; then the next one to look starts the ticks again.
    fn is_deserted(&self) -> bool {
        let mut is_ticking = self.is_ticking.lock().unwrap_or_else(PoisonError::into_inner);
        let is_deserted = self.ticks.receiver_count() == 0;
        *is_ticking = !is_deserted;
        is_deserted
    }
}

/// Makes ticks until nobody looks or the server stops.
async fn make_ticks(state: ApiState) {
    let mut board = Board::default();
    let mut interval = tokio::time::interval(state.config().http.live_interval.0);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let feed = state.feed();
    while !feed.is_deserted() {
        tokio::select! {
            _ = interval.tick() => {}
            () = state.stop().cancelled() => return,
        }
        let numbers = match state.vault().roster(feed, state.now()).await {
            Ok((_, numbers)) => numbers,
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the live map waits for the registry"
                );
                continue;
            }
        };
        let live = state.vault().live_for_ticks();
        // Tens of thousands of states are worth a thread of their own.
        let made = tokio::task::spawn_blocking(move || {
            let is_listed = |device: DeviceId| numbers.list.binary_search(&device.0).is_ok();
            let states = live.positions_after(DeviceId(0), usize::MAX, is_listed);
            let tick = board.tick(&numbers, &states);
            (board, tick)
        });
        match made.await {
            Ok((kept, tick)) => {
                board = kept;
                feed.ticks.send_replace(Some(Arc::new(tick)));
            }
            Err(_) => board = Board::default(),
        }
    }
}

/// What a reader says: where it looks.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    #[serde(default)]
    bbox: Option<Area>,
    #[serde(default)]
    unit: Option<i64>,
}

/// Whether a page that asks for a socket is this server's own. Browsers send `Origin` and can't be made to leave it out; whoever
/// sends none is no browser, and must have brought its token itself.
fn is_own_page(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match text(header::ORIGIN) {
        None => !headers.contains_key(header::ORIGIN) && headers.contains_key(header::AUTHORIZATION),
        Some(origin) => {
            let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            authority.is_some_and(|own| text(header::HOST).is_some_and(|host| host.eq_ignore_ascii_case(own)))
        }
    }
}

/// Where the cars are, as they move
///
/// A WebSocket. The client may send `{"bbox": [west, south, east, north] | null, "unit": number | null}` at any time; the server sends a
/// binary frame at most once a second: a snapshot first and after each such message, then what changed. A frame is a header of 8
/// bytes (u8 version 1, u8 kind: 0 snapshot, 1 update; u16 zero, u32 count) and records of 20 bytes, little-endian: u32 n, i32
/// lon_1e7, i32 lat_1e7, u32 fix_time in seconds, u8 state (0 offline, 1 parked, 2 idle, 3 moving, 4 no position), u8 speed_kmh (255 =
/// more), u16 course (65536 to the turn). A car that leaves the bbox is sent once more, outside it. A slow client loses frames, never
/// order. From a browser only with an `Origin` of this server.
#[utoipa::path(get, path = "/api/v1/live", tag = "positions", responses(
    (status = 101, description = "The socket is open"),
    (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
    (status = 503, body = ProblemBody, content_type = "application/problem+json", description = "Too many sockets are open"),
))]
pub(super) async fn live(
    PositionsReader(granted): PositionsReader,
    State(state): State<ApiState>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let upgrade = upgrade.map_err(|error| Problem::new(Code::UpgradeRequired).detail(error.body_text()))?;
    if !is_own_page(&headers) {
        return Err(Problem::new(Code::Forbidden).detail("a page of another server may not look"));
    }
    let place = state.feed().places.take(granted.id())?;
    let upgrade =
        upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX).write_buffer_size(0);
    Ok(upgrade.on_upgrade(move |socket| serve(socket, state, granted, place)))
}

/// Why a socket is closed from this side.
type Farewell = (u16, &'static str);

/// The token or the log-in ended, or its grants changed: whoever comes again is asked again.
const NO_LONGER: Farewell = (close_code::POLICY, "the token or log-in is in force no longer");

/// One reader to its end.
async fn serve(mut socket: WebSocket, state: ApiState, granted: Granted, place: Place) {
    let farewell = tokio::select! {
        farewell = attend(&mut socket, &state, &granted) => farewell,
        () = state.stop().cancelled() => Some((close_code::AWAY, "the server stops")),
    };
    if let Some((code, reason)) = farewell {
        let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        // The other side may be gone: then there is nobody to tell.
        drop(tokio::time::timeout(SEND_MAX, socket.send(close)).await);
    }
    drop(place);
}

/// Sends ticks and hears wishes until one side has had enough.
async fn attend(socket: &mut WebSocket, state: &ApiState, granted: &Granted) -> Option<Farewell> {
    let mut ticks = state.feed().join(state);
    let mut watcher = Watcher::default();
    let mut ping = tokio::time::interval(PING_EVERY);
    let mut heard_at = Instant::now();
    loop {
        tokio::select! {
            changed = ticks.changed() => {
                changed.ok()?;
                if !state.token_holds(granted) {
                    return Some(NO_LONGER);
                }
                let tick = ticks.borrow_and_update().clone();
                let Some(tick) = tick else { continue };
                if let Some(frame) = watcher.frame(state, granted, &tick).await {
                    send(socket, Message::Binary(frame)).await?;
                }
            }
            message = socket.recv() => {
                heard_at = Instant::now();
                match message?.ok()? {
                    Message::Text(text) => match watcher.hear(text.as_str()) {
                        Ok(()) => {}
                        Err(farewell) => return Some(farewell),
                    },
                    Message::Binary(_) => return Some((close_code::UNSUPPORTED, "only text is understood")),
                    Message::Close(_) => return None,
                    Message::Ping(_) | Message::Pong(_) => {}
                }
            }
            _ = ping.tick() => {
                if heard_at.elapsed() > SILENCE_MAX {
                    return None;
                }
                if !state.still_stands(granted).await {
                    return Some(NO_LONGER);
                }
                watcher.is_scope_old = true;
                send(socket, Message::Ping(Bytes::new())).await?;
            }
        }
    }
}

/// Sends with patience; `None` when the other side takes nothing.
async fn send(socket: &mut WebSocket, message: Message) -> Option<()> {
    tokio::time::timeout(SEND_MAX, socket.send(message)).await.ok()?.ok()
}

/// A reader and what it wished since its last frame.
#[derive(Debug, Default)]
struct Watcher {
    reader: Reader,
    unit: Option<i64>,
    wish: Option<Look>,
    messages: u32,
    /// Whether what the reader sees has to be cut again: orders begin and end.
    is_scope_old: bool,
    /// When it sees which cars, by the roster; `None` = all cars at all times.
    wanted: Option<Sights>,
}

impl Watcher {
    fn hear(&mut self, text: &str) -> Result<(), Farewell> {
        self.messages += 1;
        if self.messages > MESSAGES_MAX {
            return Err((close_code::POLICY, "too many messages"));
        }
        let look =
            serde_json::from_str(text).map_err(|_| (close_code::INVALID, "not {\"bbox\", \"unit\"}"))?;
        self.wish = Some(look);
        Ok(())
    }

    /// The frame that brings the reader to this tick.
    async fn frame(&mut self, state: &ApiState, granted: &Granted, tick: &Tick) -> Option<Bytes> {
        self.messages = 0;
        let is_new_fleet = self.reader.numbers_version() != Some(tick.numbers().version);
        if self.wish.is_some() || is_new_fleet || self.is_scope_old {
            let scope = state.scope(granted).await.ok()?;
            let roster = state.vault().roster(state.feed(), state.now()).await;
            // A roster that is newer than the tick does not fit its numbers: the next tick will.
            let (roster, _) = roster.ok().filter(|(_, numbers)| numbers.version == tick.numbers().version)?;
            let has_wish = self.wish.is_some();
            let area = match self.wish.take() {
                Some(look) => {
                    self.unit = look.unit;
                    look.bbox
                }
                None => self.reader.area(),
            };
            let wanted = roster.wanted(&scope, self.unit);
            let is_refresh = std::mem::take(&mut self.is_scope_old) && !is_new_fleet && !has_wish;
            // A snapshot tells the page to read the cars again: only when something else is seen.
            if !is_refresh || self.wanted != wanted {
                self.reader.look(area, wanted.clone());
                self.wanted = wanted;
            }
        }
        self.reader.frame(tick)
    }
}
