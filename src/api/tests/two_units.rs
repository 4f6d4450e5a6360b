//! A device that moved from a car of one unit into a car of another: what each unit sees of it, whatever its clock says.

use axum::http::StatusCode;
use motorpool_protocols::{Fix, UtcMillis};
use motorpool_supervision::ids::{DeviceId, UnitId, VehicleId};
use motorpool_supervision::register::{Binding, Span, Unit, Vehicle};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::app::TestApp;
use super::cases::add;
use super::people::Person;
use crate::accounts::Role;
use crate::clock::wall_now;
use crate::config::{Bytes, Config};
use crate::ids::DeviceId as Known;
use crate::registry::{Change, NewCommand};

/// 2024-05-01T00:00:00Z, when the device moved.
const MOVED: UtcMillis = UtcMillis(1_714_521_600_000);
const HOUR_MS: i64 = 3_600_000;
const TRACK: &str = "/api/v1/devices/1/track";
/// Any time that a clock can name.
const EVER: &str = "from=1990-01-01T00:00:00Z&to=2040-01-01T00:00:00Z";

fn at(hour: i64) -> UtcMillis {
    UtcMillis(MOVED.0 + hour * HOUR_MS)
}

/// Units 2 and 3 with a car each; the device sat in the one's, and sits in the other's.
struct Fleet {
    app: TestApp,
    before: Person,
    after: Person,
}

impl Fleet {
    async fn new() -> Self {
        let app = TestApp::with(|config: &mut Config| config.exports.disk_reserve = Bytes(0)).await;
        app.enrol(2).await;
        for (name, parent) in [("演示县", None), ("县林业局", Some(1)), ("县水利局", Some(1))] {
            add(&app, Unit { name: name.to_owned(), parent: parent.map(UnitId), ..Unit::default() }).await;
        }
        for (plate, unit) in [("演A00001", 2), ("演A00002", 3)] {
            add(&app, Vehicle { plate: plate.to_owned(), unit: UnitId(unit), ..Vehicle::default() }).await;
        }
        let spans = [Span::new(UtcMillis(0), MOVED), Span { from: MOVED, to: None }];
        for (vehicle, valid) in (1..).map(VehicleId).zip(spans) {
            let row = Binding { device: DeviceId(1), vehicle, is_primary: true, ..Binding::default() };
            let change = Change::Add { id: None, valid, row };
            app.registry.write_rows(&[change], "test", wall_now()).await.unwrap();
        }
        let before = app.person("before", Role::FleetManager, Some(2), Some(2)).await;
        let after = app.person("after", Role::FleetManager, Some(3), Some(3)).await;
        for (person, vehicle) in [(&before, 1), (&after, 2)] {
            let purpose = json!({ "vehicle": vehicle, "text": "核对里程" });
            app.call_as(person, "POST", "/api/v1/purposes", Some(&purpose)).await.good();
        }
        Self { app, before, after }
    }

    /// A fix with this clock, received an hour before the move (latitude 1) and an hour after it (latitude 2).
    fn store_on_both_sides(&self, clock: UtcMillis) {
        for (lat, hour) in [(1, -1), (2, 1)] {
            self.app.store_received(1, at(hour), [Fix::new(clock, lat * 10_000_000, 1_000_000_000)]);
        }
    }

    async fn latitudes(&self, person: &Person, query: &str) -> Vec<f64> {
        let track = self.app.call_as(person, "GET", &format!("{TRACK}?{query}"), None).await.good();
        track["items"].as_array().unwrap().iter().map(|item| item["lat"].as_f64().unwrap()).collect()
    }

    /// The lines of an export of what was received within a week around the move.
    async fn exported(&self, person: &Person) -> Vec<String> {
        let body = json!({ "format": "csv", "devices": [1], "include_suspect": true, "purpose": "核对里程",
            "from": "2024-04-28T00:00:00Z", "to": "2024-05-05T00:00:00Z" });
        let queued = self.app.call_as(person, "POST", "/api/v1/exports", Some(&body)).await;
        assert_eq!(queued.status, StatusCode::CREATED, "{}", queued.text());
        assert!(self.app.exports.pass(&CancellationToken::new()).await.unwrap());
        let path = format!("/api/v1/exports/{}/file", queued.json()["id"]);
        let file = self.app.call_as(person, "GET", &path, None).await;
        assert_eq!(file.status, StatusCode::OK, "{}", file.text());
        file.text().lines().skip(1).map(str::to_owned).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_a_fix_with_a_wrong_clock_is_goes_by_its_receipt() {
    let fleet = Fleet::new().await;
    // 2000-01-01T00:00:00Z, when the first car had the device, and 2030-01-01T00:00:00Z, when the second has it.
    for clock in [946_684_800_000, 1_893_456_000_000].map(UtcMillis) {
        fleet.store_on_both_sides(clock);
    }
    let query = format!("{EVER}&suspect=include");
    assert_eq!(fleet.latitudes(&fleet.before, &query).await, [1.0, 1.0]);
    assert_eq!(fleet.latitudes(&fleet.after, &query).await, [2.0, 2.0]);
    assert_eq!(fleet.latitudes(&fleet.before, EVER).await, [0.0; 0], "only when asked for");

    for (person, lat, plate) in
        [(&fleet.before, ",1.0000000,", ",演A00001"), (&fleet.after, ",2.0000000,", ",演A00002")]
    {
        let lines = fleet.exported(person).await;
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines.iter().all(|line| line.contains(lat) && line.ends_with(plate)), "{lines:?}");
    }
}

#[tokio::test]
async fn whoever_asks_for_wrong_clocks_says_what_for_for_each_car() {
    let fleet = Fleet::new().await;
    fleet.store_on_both_sides(UtcMillis(946_684_800_000));
    let office = fleet.app.person("office", Role::OfficeSupervisor, Some(1), Some(1)).await;
    let path = format!("{TRACK}?from=1999-01-01T00:00:00Z&to=2001-01-01T00:00:00Z&suspect=include");
    let state = async |vehicle: i64| {
        let purpose = json!({ "vehicle": vehicle, "text": "核对里程" });
        fleet.app.call_as(&office, "POST", "/api/v1/purposes", Some(&purpose)).await.good();
    };
    state(1).await;
    assert_eq!(fleet.app.call_as(&office, "GET", &path, None).await.problem(), "purpose_needed");
    state(2).await;
    let track = fleet.app.call_as(&office, "GET", &path, None).await.good();
    assert_eq!(track["items"].as_array().unwrap().len(), 2, "{track}");
    let seen = fleet.app.call_as(&fleet.after, "GET", "/api/v1/vehicles/2/accesses", None).await.good();
    assert_eq!(seen["items"][0]["action"], "track.read", "{seen}");
}

#[tokio::test]
async fn a_track_does_not_tell_when_there_is_more_of_others() {
    let fleet = Fleet::new().await;
    let fix = |hour: i64| Fix::new(at(hour), 10_000_000, 1_000_000_000);
    fleet.app.store(1, [-3, -2, -1, 1, 2, 3].map(fix));
    let part = async |limit: u32| {
        let path = format!("{TRACK}?{EVER}&limit={limit}");
        fleet.app.call_as(&fleet.before, "GET", &path, None).await
    };
    let all = part(3).await;
    assert_eq!(all.good()["items"].as_array().unwrap().len(), 3);
    assert_eq!((all.good().get("next_from"), all.next()), (None, None), "what follows is of another unit");
    assert_eq!(part(2).await.good()["next_from"], "2024-04-30T23:00:00Z");
    let path = format!("{TRACK}?{EVER}&limit=1");
    let after = fleet.app.call_as(&fleet.after, "GET", &path, None).await.good();
    assert_eq!(after["items"][0]["fix_time"], "2024-05-01T01:00:00Z", "{after}");
}

#[tokio::test]
async fn commands_come_page_by_page_past_those_of_others() {
    let fleet = Fleet::new().await;
    let registry = &fleet.app.registry;
    let now = wall_now();
    let later = |hours: i64| UtcMillis(now.0 + hours * HOUR_MS);
    // The other device sits in the car of unit 3, and moves in an hour.
    let spans = [(2, Span::new(UtcMillis(0), later(1))), (1, Span { from: later(1), to: None })];
    for (vehicle, valid) in spans {
        let row = Binding { device: DeviceId(2), vehicle: VehicleId(vehicle), ..Binding::default() };
        registry.write_rows(&[Change::Add { id: None, valid, row }], "test", now).await.unwrap();
    }
    for hours in [0, 0, 0, 2, 2, 2] {
        let new = NewCommand {
            device: Known(2),
            command: json!({ "command": "ask_position" }).to_string(),
            is_harmless: true,
            expires_at: later(24),
        };
        registry.queue_command(&new, ("test", None), later(hours)).await.unwrap();
    }
    let mut path = Some("/api/v1/devices/2/commands?limit=2".to_owned());
    let mut pages: Vec<Vec<Value>> = Vec::new();
    while let Some(next) = path {
        let answer = fleet.app.call_as(&fleet.after, "GET", &next, None).await;
        pages
            .push(answer.good()["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect());
        path = answer.next();
    }
    assert_eq!(json!(pages), json!([[3, 2], [1]]));
}
