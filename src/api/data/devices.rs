//! Devices, their last positions, their tracks and links, as a caller sees them. What a device sent is seen for the times at which it
//! sat in a car that the caller sees.

use std::ops::Range;
use std::sync::Arc;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::{DeviceId as SupervisedDevice, VehicleId};
use motorpool_supervision::register::{Binding, Row as _, Span, Zone};
use motorpool_supervision::trips::Segment;

use super::Data;
use crate::accounts::chain::Deed;
use crate::api::problem::{Code, Problem};
use crate::ids::DeviceId;
use crate::live::LastState;
use crate::registers::kind;
use crate::registry::{
    Device, DeviceChange, DeviceFilter, DeviceRecord, DeviceState, Enrol, Enrolled, Known, NewCommand,
    QuarantineFilter, Quarantined, Snapshot, StoredCommand, StoredSegment, Told, Unresolved,
};
use crate::sources::LinkState;
use crate::tracks::{Track, TrackOptions};

/// Rows read at once while a page is filled.
const ROWS_AT_ONCE: u32 = 1_000;

impl Data {
    /// The devices in memory; ask [`Data::sees_device`] for each.
    pub(in super::super) fn devices_in_memory(&self) -> Arc<Snapshot> {
        self.registry().snapshot()
    }

    /// The device of a path, if it is seen now or was seen once.
    pub(in super::super) fn device(&self, id: &str) -> Result<Arc<Device>, Problem> {
        let snapshot = self.registry().snapshot();
        // Of devices that the caller never sees nothing may be told, not even that one shares an identity.
        let device = snapshot.resolve_among(id, |device| !self.device_times(device.id).is_empty());
        device.map(Arc::clone).map_err(|error| match error {
            Unresolved::Unknown => Problem::new(Code::DeviceNotFound),
            Unresolved::Ambiguous => Problem::new(Code::Ambiguous).detail(error.to_string()),
        })
    }

    /// The device of a path that is seen now: for what it is, and for changing it.
    pub(in super::super) fn present_device(&self, id: &str) -> Result<Arc<Device>, Problem> {
        let device = self.device(id)?;
        if self.sees_device(device.id) { Ok(device) } else { Err(Problem::new(Code::DeviceNotFound)) }
    }

    /// Devices, lowest number first.
    pub(in super::super) async fn devices(
        &self,
        mut filter: DeviceFilter,
    ) -> Result<Vec<DeviceRecord>, Problem> {
        let wanted = filter.limit as usize;
        let mut seen = Vec::new();
        if !self.is_everything() {
            filter.limit = filter.limit.max(ROWS_AT_ONCE);
        }
        loop {
            let rows = self.registry().devices(&filter).await?;
            let is_last = rows.len() < filter.limit as usize;
            filter.after = rows.last().map_or(filter.after, |row| row.id);
            seen.extend(rows.into_iter().filter(|row| self.sees_device(row.id)));
            if is_last || seen.len() >= wanted {
                seen.truncate(wanted);
                return Ok(seen);
            }
        }
    }

    /// What is stored of a device that was looked up here.
    pub(in super::super) async fn device_record(&self, device: &Device) -> Result<DeviceRecord, Problem> {
        self.registry().device(device.id).await?.ok_or(Problem::new(Code::DeviceNotFound))
    }

    /// The last changes of a device that was looked up here.
    pub(in super::super) async fn device_history(
        &self,
        device: &Device,
        limit: u32,
    ) -> Result<Vec<DeviceChange>, Problem> {
        Ok(self.registry().device_history(device.id, limit).await?)
    }

    /// Lets a device in or shuts it out, if its last change is the expected one.
    pub(in super::super) async fn set_device_state(
        &self,
        device: &Device,
        is_expected: impl Fn(i64) -> bool,
        state: DeviceState,
    ) -> Result<bool, Problem> {
        let (who, deed) = self.told_as("device.write", state.as_str());
        let told = Told { who: &who, deed: Some(&deed) };
        Ok(self.registry().set_state_if(device.id, is_expected, state, told, self.now).await?)
    }

    /// Commands to a device that was looked up here, newest first, behind number `before`.
    pub(in super::super) async fn commands_of(
        &self,
        device: &Device,
        mut before: i64,
        limit: u32,
    ) -> Result<Vec<StoredCommand>, Problem> {
        let wanted = limit as usize;
        let at_once = if self.is_everything() { limit } else { limit.max(ROWS_AT_ONCE) };
        // What was said to it while it sat in a car of others is theirs.
        let times = self.device_times(device.id);
        let is_seen = |command: &StoredCommand| times.iter().any(|span| span.contains(command.created_at));
        let mut seen = Vec::new();
        loop {
            let rows = self.registry().commands_of(device.id, before, at_once).await?;
            let is_last = rows.len() < at_once as usize;
            before = rows.last().map_or(before, |row| row.id);
            seen.extend(rows.into_iter().filter(is_seen));
            if is_last || seen.len() >= wanted {
                seen.truncate(wanted);
                return Ok(seen);
            }
        }
    }

    /// Queues a command for a device that was looked up here.
    pub(in super::super) async fn queue_command(
        &self,
        new: &NewCommand,
        detail: String,
    ) -> Result<StoredCommand, Problem> {
        let who = self.granted.recorded_as();
        let deed = super::telling(&self.granted, "device.command", detail);
        let id = self.registry().queue_command(new, (who.as_str(), Some(&deed)), self.now).await?;
        self.vault().links.letter_written();
        let stored = self.registry().commands_of(new.device, id.saturating_add(1), 1).await?;
        stored.into_iter().next().ok_or(Problem::new(Code::Internal))
    }

    /// A zone that is seen.
    pub(in super::super) async fn zone(&self, id: i64) -> Result<Zone, Problem> {
        let unknown = || Problem::field("/zone/id", "there is no such zone".to_owned());
        let kind = kind(Zone::KIND).ok_or_else(unknown)?;
        let rows = self.row_known(kind, id).await?;
        let present = rows.into_iter().find(|row| row.valid.contains(self.now)).ok_or_else(unknown)?;
        serde_json::from_value(present.row).map_err(|error| Problem::internal(&error))
    }

    /// Makes a new secret for MQTT for a device that was looked up here.
    pub(in super::super) async fn make_mqtt_secret(&self, device: &Device) -> Result<String, Problem> {
        let (who, deed) = self.told_as("device.write", "mqtt_secret");
        let told = Told { who: &who, deed: Some(&deed) };
        Ok(self.registry().make_mqtt_secret(device.id, told, self.now).await?)
    }

    /// Makes devices known; they sit in no car yet.
    pub(in super::super) async fn enrol(&self, wanted: &[Enrol]) -> Result<Vec<Enrolled>, Problem> {
        self.everything()?;
        let (who, deed) = self.told_as("device.enrol", "");
        let told = Told { who: &who, deed: Some(&deed) };
        Ok(self.registry().enrol(wanted, told, self.now).await?)
    }

    /// Who does it, and what the audit log is told of it.
    fn told_as(&self, action: &str, detail: &str) -> (String, Deed) {
        (self.granted.recorded_as(), super::telling(&self.granted, action, detail.to_owned()))
    }

    /// Terminals that nobody approved: they belong to no unit.
    pub(in super::super) async fn quarantine(
        &self,
        filter: &QuarantineFilter,
    ) -> Result<Vec<Quarantined>, Problem> {
        if !self.is_everything() {
            return Ok(Vec::new());
        }
        Ok(self.registry().quarantine(filter).await?)
    }

    /// Approves everything in quarantine.
    pub(in super::super) async fn approve_all_quarantined(&self) -> Result<Vec<(String, Enrolled)>, Problem> {
        self.everything()?;
        let (who, deed) = self.told_as("device.enrol", "");
        let told = Told { who: &who, deed: Some(&deed) };
        let done = self.registry().approve_all_quarantined(told, self.now).await?;
        Ok(done.into_iter().map(|(asked, result)| (asked.terminal.to_string(), result)).collect())
    }

    /// Approves terminals by name.
    pub(in super::super) async fn approve_terminals(
        &self,
        terminals: &[(motorpool_protocols::Protocol, motorpool_protocols::TerminalId)],
        profile: Option<&str>,
    ) -> Result<Vec<Enrolled>, Problem> {
        self.everything()?;
        let (who, deed) = self.told_as("device.enrol", "");
        let told = Told { who: &who, deed: Some(&deed) };
        Ok(self.registry().approve_terminals(terminals, profile, told, self.now).await?)
    }

    /// How a device is connected.
    pub(in super::super) fn connection(&self, device: DeviceId) -> Option<LastState> {
        self.vault().live.position(device)
    }

    /// What was heard of a device last: its place only if it was taken while the device sat in a car that is seen.
    pub(in super::super) fn last_state(&self, device: DeviceId) -> Option<LastState> {
        self.vault().live.position(device).map(|last| self.without_foreign(last))
    }

    /// What was heard last of devices behind one, lowest number first.
    pub(in super::super) fn last_states(
        &self,
        after: DeviceId,
        limit: usize,
        wanted: impl Fn(DeviceId) -> bool,
    ) -> Vec<LastState> {
        let seen = |device| wanted(device) && self.sees_device(device);
        let states = self.vault().live.positions_after(after, limit, seen);
        states.into_iter().map(|last| self.without_foreign(last)).collect()
    }

    fn without_foreign(&self, mut last: LastState) -> LastState {
        let times = self.device_times(last.device);
        let is_seen = |at: UtcMillis| times.iter().any(|span| span.contains(at));
        last.place = last.place.filter(|place| is_seen(place.fix_time));
        last.fix = last.fix.filter(|fix| is_seen(fix.fix_time));
        last
    }

    /// Whether a device is connected.
    pub(in super::super) fn is_online(&self, device: DeviceId) -> bool {
        self.vault().live.is_online(device)
    }

    /// Open links: those of devices that are seen, and those of nobody yet for who sees everything.
    pub(in super::super) fn links(&self) -> Vec<LinkState> {
        let mut open = self.vault().links.all();
        open.retain(|link| {
            link.device.map_or_else(|| self.is_everything(), |device| self.sees_device(device))
        });
        open
    }

    /// The fixes of a device at the times at which it is seen. Of a fix whose clock is not believed that is the time at which it was
    /// received: what the clock says may be the time of another car.
    pub(in super::super) async fn track(
        &self,
        device: DeviceId,
        from: UtcMillis,
        to: UtcMillis,
        options: TrackOptions,
    ) -> Result<Track, Problem> {
        if options.include_suspect {
            self.open_device_of_any_time("track.read", device, from, to).await?;
        } else {
            self.open_device("track.read", device, from, to).await?;
        }
        let tracks = self.vault().tracks.clone();
        let range = |span: Span| span.from..span.to.unwrap_or(UtcMillis(i64::MAX));
        let times: Vec<Range<UtcMillis>> = self.device_times(device).into_iter().map(range).collect();
        let read = tokio::task::spawn_blocking(move || tracks.track_at(device, from..to, &times, options));
        read.await.map_err(|error| Problem::internal(&error))
    }

    /// Trips, moves, stops and gaps of a device that begin while it is seen.
    pub(in super::super) async fn segments_of_device(
        &self,
        device: DeviceId,
        from: UtcMillis,
        to: UtcMillis,
    ) -> Result<Vec<StoredSegment>, Problem> {
        self.open_device("trips.read", device, from, to).await?;
        let times = self.device_times(device);
        let mut found = self.registry().segments(SupervisedDevice(i64::from(device.0)), from, to).await?;
        found.retain(|stored| begins_in(stored, &times));
        Ok(found)
    }

    /// Trips, moves, stops and gaps of a vehicle: those of the primary device that was fitted at their start.
    pub(in super::super) async fn segments_of_vehicle(
        &self,
        vehicle: VehicleId,
        from: UtcMillis,
        to: UtcMillis,
    ) -> Result<Vec<StoredSegment>, Problem> {
        let (object, detail) = (format!("vehicle {vehicle}"), format!("{from} to {to}"));
        let opening = super::purposes::Opening {
            action: "trips.read",
            object: &object,
            vehicle: Some(vehicle),
            case: None,
            detail: &detail,
        };
        self.open(opening).await?;
        let bindings = self.registry().rows::<Binding>(Known::Now).await?;
        let fitted = bindings.iter().filter(|binding| {
            binding.row.vehicle == vehicle && binding.row.is_primary && binding.valid.overlaps(from, to)
        });
        let times = self.vehicle_times(vehicle);
        let mut found = Vec::new();
        for binding in fitted {
            let segments = self.registry().segments(binding.row.device, from, to).await?;
            let is_seen =
                |stored: &StoredSegment| begins_in(stored, &[binding.valid]) && begins_in(stored, &times);
            found.extend(segments.into_iter().filter(is_seen));
        }
        Ok(found)
    }

    /// Every version of a trip that is seen, oldest first.
    pub(in super::super) async fn segment_versions(
        &self,
        lineage: &str,
    ) -> Result<Vec<StoredSegment>, Problem> {
        let mut found = self.registry().segment_lineage(lineage).await?;
        found.retain(|stored| {
            let device = u32::try_from(stored.device.0).map(DeviceId);
            device.is_ok_and(|device| begins_in(stored, &self.device_times(device)))
        });
        let first = found.first().ok_or(Problem::new(Code::NotFound))?;
        let device = DeviceId(u32::try_from(first.device.0).unwrap_or(0));
        let begin = begin_of(first);
        self.open_device("trips.read", device, begin, begin).await?;
        Ok(found)
    }
}

const fn begin_of(stored: &StoredSegment) -> UtcMillis {
    match &stored.segment {
        Segment::Trip(trip) => trip.start,
        Segment::Stop(stop) => stop.start,
        Segment::Gap(gap) => gap.start,
    }
}

fn begins_in(stored: &StoredSegment, times: &[Span]) -> bool {
    let begin = begin_of(stored);
    times.iter().any(|span| span.contains(begin))
}
