//! `GET /events`: what happens to cases, flags and devices, as it happens.
//!
//! Server-sent events. A client that comes back with `Last-Event-ID` gets what it missed as long as the ring has it; else it is told to
//! ask for everything anew. For each event and each client it is decided anew what may be seen.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use motorpool_supervision::cases::Case;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::ApiState;
use super::auth::{Granted, Listener};
use super::data::desk::Desk;
use super::places::Place;
use super::problem::{Problem, ProblemBody};
use crate::accounts::{Permission, Scope};
use crate::ids::DeviceId;
use crate::notify::ring::{Ring, Told, What};
use crate::registry::Flag;
use crate::supervision::cases::case_id;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How long a client waits before it comes back.
const RETRY: Duration = Duration::from_secs(3);

/// One client's stream.
struct Client {
    state: ApiState,
    granted: Granted,
    ring: Arc<Ring>,
    news: watch::Receiver<u64>,
    /// The last event it was given or passed over.
    last: u64,
    ready: VecDeque<Event>,
    /// How often it is asked whether the caller may still hear.
    heartbeat: Duration,
    _place: Place,
}

/// The number in an id of this run of the server; `None` for one of another run.
fn number_of(run: &str, id: &str) -> Option<u64> {
    let (of, number) = id.split_once('-')?;
    number.parse().ok().filter(|_| of == run)
}

/// The part of an id that tells runs of the server apart.
fn run(state: &ApiState) -> String {
    format!("{:x}", state.started_at().0)
}

/// What happens, as it happens
///
/// A stream of server-sent events: `case` with `{"case", "state", "seq"}`, `flag` with `{"flag", "rule", "vehicle", "day", "state"}`,
/// `device` with `{"device", "online"}`, and `reset` when events were lost and everything must be asked for anew. Only what the
/// caller may see; cases and flags take the permission `cases:read`, devices `positions:read`. `Last-Event-ID` goes on where a client stopped. A comment comes while
/// nothing happens, every 15 seconds by default. Browsers allow few connections for each server: share one stream among tabs.
#[utoipa::path(get, path = "/api/v1/events", tag = "cases",
    params(("last-event-id" = Option<String>, Header, description = "The `id` of the last event that was received")),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = "4XX", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, body = ProblemBody, content_type = "application/problem+json", description = "Too many streams are open"),
    ))]
pub(super) async fn events(
    Listener(granted): Listener,
    State(state): State<ApiState>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let place = state.event_places().take(granted.id())?;
    let ring = Arc::clone(state.ring());
    let news = ring.subscribe();
    let asked = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let known = asked.map(|id| number_of(&run(&state), id));
    let now = *news.borrow();
    let mut ready = VecDeque::from([Event::default().retry(RETRY).comment("hello")]);
    let last = match known {
        // Of another run, or beyond what there is: nobody knows what was missed.
        Some(None) => {
            ready.push_back(reset(&state, now));
            now
        }
        Some(Some(number)) => number,
        None => now,
    };
    let heartbeat = state.config().http.event_heartbeat.0;
    let client = Client { state, granted, ring, news, last, ready, heartbeat, _place: place };
    let events = stream::unfold(client, |mut client| async move {
        let event = client.next().await?;
        Some((Ok::<_, Infallible>(event), client))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(heartbeat)).into_response())
}

fn reset(state: &ApiState, last: u64) -> Event {
    Event::default().event("reset").id(format!("{}-{last}", run(state))).data("{}")
}

impl Client {
    /// The next event; `None` when the server stops or the caller may hear no longer.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let read = self.ring.after(self.last);
            if read.has_gap {
                self.last = *self.news.borrow_and_update();
                self.ready.push_back(reset(&self.state, self.last));
                continue;
            }
            if read.events.is_empty() {
                tokio::select! {
                    changed = self.news.changed() => changed.ok()?,
                    () = self.state.stop().cancelled() => return None,
                    // Whoever hears nothing must be let go too.
                    () = tokio::time::sleep(self.heartbeat) => {
                        if !self.state.still_stands(&self.granted).await {
                            return None;
                        }
                    }
                }
                continue;
            }
            if !self.state.still_stands(&self.granted).await {
                return None;
            }
            self.last = read.events.last().map_or(self.last, |told| told.number);
            self.take(read.events).await;
        }
    }

    /// Turns what this client may see into events. When the registry fails, it is told to ask anew.
    async fn take(&mut self, told: Vec<Told>) {
        let Ok(sight) = Sight::of(&self.state, &self.granted).await else {
            self.ready.push_back(reset(&self.state, self.last));
            return;
        };
        for one in told {
            let (name, seen) = match &one.what {
                What::Case { case, told } => ("case", sight.case(case, *told)),
                What::Flag(flag) => ("flag", sight.flag(flag).await),
                What::Device { device, is_online } => {
                    let seen = sight.shows(DeviceId(device.0));
                    ("device", seen.then(|| json!({ "device": device.0, "online": is_online })))
                }
            };
            if let Some(data) = seen {
                let id = format!("{}-{}", run(&self.state), one.number);
                self.ready.push_back(Event::default().event(name).id(id).data(data.to_string()));
            }
        }
    }
}

/// What a client sees at a moment.
struct Sight {
    /// Of cases and flags.
    desk: Option<Desk>,
    /// Of devices.
    scope: Option<Arc<Scope>>,
}

impl Sight {
    async fn of(state: &ApiState, granted: &Granted) -> Result<Self, Problem> {
        let desk = match granted.also(Permission::CasesRead) {
            Ok(granted) => Some(Desk::of(state, &granted).await?),
            Err(_) => None,
        };
        let scope = match granted.also(Permission::PositionsRead) {
            Ok(granted) => Some(state.scope(&granted).await?),
            Err(_) => None,
        };
        Ok(Self { desk, scope })
    }

    /// A case of which the client sees something new. For the office and the unit a case stands still once it was handed over: what
    /// the inspectors do with it then is nothing that happens.
    fn case(&self, case: &Case, told: i64) -> Option<Value> {
        let seen = self.desk.as_ref()?.seen(case).filter(|seen| i64::from(seen.seq) > told)?;
        Some(json!({ "case": case_id(seen.key), "state": seen.stage, "seq": seen.seq }))
    }

    async fn flag(&self, flag: &Flag) -> Option<Value> {
        if !self.desk.as_ref()?.sees_flag(&flag.finding).await.ok()? {
            return None;
        }
        let vehicle = Some(flag.finding.vehicle.0).filter(|id| *id != 0);
        let (rule, day, state) = (flag.finding.rule.code(), flag.finding.day, flag.state.as_str());
        Some(json!({ "flag": flag.id, "rule": rule, "vehicle": vehicle, "day": day, "state": state }))
    }

    fn shows(&self, device: DeviceId) -> bool {
        self.scope.as_ref().is_some_and(|scope| scope.sees_device(device))
    }
}
