//! Devices: enrolling, approving, blocking, listing, and what they registered with.

use std::collections::HashMap;

use motorpool_protocols::{Protocol, Registration, TerminalId, UtcMillis};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::accounts::log::tell;
use super::db::{Sql, Tx};
use super::mqtt_secrets::hash_of;
use super::snapshot::{Device, DeviceState, fingerprint};
use super::{CHUNK_ROWS, Error, Registry, Told, Write};
use crate::ids::DeviceId;

/// Registrations written in one transaction.
const REGISTRATIONS_MAX: usize = 2_000;
/// Characters kept of a text that a terminal or a caller sent.
const TEXT_CHARS_MAX: usize = 64;

/// A device somebody wants to have.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct Enrol {
    /// The protocol it speaks.
    pub protocol: Protocol,
    /// Its identity as it will send it; leading zeros do not matter.
    pub terminal: TerminalId,
    /// A name for people, cut to 64 characters.
    pub name: Option<String>,
    /// The profile to read it with; `None` = `standard`.
    pub profile: Option<String>,
}

/// What became of an [`Enrol`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Enrolled {
    /// The device's number.
    pub device: DeviceId,
    /// `false` when it was there before; then nothing about it was changed.
    pub created: bool,
    /// Its state now.
    pub state: DeviceState,
}

/// What a terminal said about itself when it registered last, without control characters and each text cut to
/// 64 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "mirrors the message")]
pub struct Registered {
    /// Province, GB/T 2260, first two digits.
    pub province: u16,
    /// City or county, GB/T 2260, last four digits.
    pub city: u16,
    /// Maker's code.
    pub maker: String,
    /// Terminal model.
    pub model: String,
    /// Terminal id set by the maker.
    pub terminal_id: String,
    /// Plate colour, JT/T 415-2006 5.4.12; 0 = not registered, then `plate` is the VIN.
    pub plate_colour: u8,
    /// Plate, or the VIN.
    pub plate: String,
}

impl From<&Registration> for Registered {
    fn from(r: &Registration) -> Self {
        Self {
            province: r.province,
            city: r.city,
            maker: clean(&r.maker),
            model: clean(&r.model),
            terminal_id: clean(&r.terminal_id),
            plate_colour: r.plate_colour,
            plate: clean(&r.plate),
        }
    }
}

/// One row of the device list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct DeviceRecord {
    /// Our number.
    pub id: DeviceId,
    /// The protocol's name.
    pub protocol: String,
    /// The identity as first sent or enrolled.
    pub terminal: String,
    /// The name people gave it.
    pub name: Option<String>,
    /// Whether it may connect.
    pub state: DeviceState,
    /// The profile it is read with.
    pub profile: String,
    /// What it registered with last.
    pub registered: Option<Registered>,
    /// When it registered with that for the first time.
    pub registered_at: Option<UtcMillis>,
    /// When it came into the registry.
    pub created_at: UtcMillis,
    /// Who brought it in.
    pub created_by: String,
    /// When it was approved last.
    pub approved_at: UtcMillis,
    /// Who approved it last.
    pub approved_by: String,
}

/// One change of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct DeviceChange {
    /// The registry's change sequence.
    pub change: i64,
    /// Since when it holds.
    pub valid_from: UtcMillis,
    /// Since when the registry knows.
    pub recorded_at: UtcMillis,
    /// Who changed it.
    pub who: String,
    /// `enrolled`, `approved`, `blocked`, `registered` or `mqtt_secret`.
    pub what: String,
    /// The new values as a JSON object.
    pub detail: String,
}

/// How many devices the audit log names of those that were changed together.
const OBJECT_DEVICES_MAX: usize = 20;

/// What the audit log calls these devices: the first few by their numbers.
fn object_of(devices: &[Device]) -> String {
    let mut ids = devices.iter().take(OBJECT_DEVICES_MAX).map(|device| device.id.to_string());
    match (devices.len(), ids.next()) {
        (1, Some(id)) => format!("device {id}"),
        (count, first) => {
            let more = if count > OBJECT_DEVICES_MAX { ", …" } else { "" };
            let ids: Vec<String> = first.into_iter().chain(ids).collect();
            format!("{count} devices: {}{more}", ids.join(", "))
        }
    }
}

/// Which devices to list, lowest number first.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct DeviceFilter {
    /// Only devices with a higher number: the keyset cursor.
    pub after: DeviceId,
    /// At most so many.
    pub limit: u32,
    /// Only in this state.
    pub state: Option<DeviceState>,
    /// Only with this text in the terminal's identity, the name or the plate, whatever the case.
    pub text: Option<String>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    protocol: String,
    terminal: String,
    name: Option<String>,
    state: String,
    profile: String,
    code_generation: i64,
    mqtt_secret_hash: Option<String>,
    province: Option<i64>,
    city: Option<i64>,
    maker: Option<String>,
    model: Option<String>,
    terminal_id: Option<String>,
    plate_colour: Option<i64>,
    plate: Option<String>,
    registered_at: Option<i64>,
    created_at: i64,
    created_by: String,
    approved_at: i64,
    approved_by: String,
}

/// Numbers that the first migration made INTEGER are read as what every other number is.
const SELECT: &str = "SELECT CAST(id AS BIGINT) AS id, protocol, terminal, name, state, profile, \
    CAST(code_generation AS BIGINT) AS code_generation, mqtt_secret_hash, CAST(province AS BIGINT) AS province, \
    CAST(city AS BIGINT) AS city, maker, model, terminal_id, CAST(plate_colour AS BIGINT) AS plate_colour, plate, \
    registered_at, created_at, created_by, approved_at, approved_by FROM devices";

impl Row {
    fn id(&self) -> Result<DeviceId, Error> {
        u32::try_from(self.id).map(DeviceId).map_err(|_| Error::Corrupt("a device number"))
    }

    fn state(&self) -> Result<DeviceState, Error> {
        DeviceState::from_word(&self.state).ok_or(Error::Corrupt("a device state"))
    }

    fn registered(&self) -> Option<Registered> {
        self.registered_at?;
        let small = |value: Option<i64>| value.and_then(|value| u16::try_from(value).ok()).unwrap_or(0);
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Some(Registered {
            province: small(self.province),
            city: small(self.city),
            maker: text(&self.maker),
            model: text(&self.model),
            terminal_id: text(&self.terminal_id),
            plate_colour: u8::try_from(self.plate_colour.unwrap_or(0)).unwrap_or(0),
            plate: text(&self.plate),
        })
    }

    fn record(self) -> Result<DeviceRecord, Error> {
        Ok(DeviceRecord {
            id: self.id()?,
            state: self.state()?,
            registered: self.registered(),
            registered_at: self.registered_at.map(UtcMillis),
            protocol: self.protocol,
            terminal: self.terminal,
            name: self.name,
            profile: self.profile,
            created_at: UtcMillis(self.created_at),
            created_by: self.created_by,
            approved_at: UtcMillis(self.approved_at),
            approved_by: self.approved_by,
        })
    }
}

impl Registry {
    /// Enrols devices in one transaction. A terminal that is known already is returned as it is.
    ///
    /// The answer has one entry for each of `wanted`, in order.
    ///
    /// # Errors
    /// When the database fails; then nothing was changed.
    pub async fn enrol(
        &self,
        wanted: &[Enrol],
        told: impl Into<Told<'_>>,
        now: UtcMillis,
    ) -> Result<Vec<Enrolled>, Error> {
        let Told { who, deed } = told.into();
        let mut write = self.write().await?;
        let mut created: Vec<Device> = Vec::new();
        let mut new_by_key: HashMap<(Protocol, &str), usize> = HashMap::new();
        // A known device, or a place in `created`.
        let mut found: Vec<Result<Enrolled, (usize, bool)>> = Vec::with_capacity(wanted.len());
        for enrol in wanted {
            let key = (enrol.protocol, enrol.terminal.key());
            if let Some(known) = write.snapshot.find(enrol.protocol, &enrol.terminal) {
                found.push(Ok(Enrolled { device: known.id, created: false, state: known.state }));
            } else if let Some(&at) = new_by_key.get(&key) {
                found.push(Err((at, false)));
            } else {
                new_by_key.insert(key, created.len());
                found.push(Err((created.len(), true)));
                created.push(self.new_device(enrol));
            }
        }
        if !created.is_empty() {
            write.number_devices(&mut created).await?;
            insert_devices(&mut write, &created, who, now).await?;
            forget_quarantined(&mut write, &created).await?;
            let details: Vec<_> =
                created.iter().map(|device| (device.id, enrolled_detail(device), now)).collect();
            write.history("enrolled", who, now, &details).await?;
            tell(&mut write.tx, deed, object_of(&created), now).await?;
        }
        let results = found
            .into_iter()
            .map(|known| {
                known.unwrap_or_else(|(at, created_now)| Enrolled {
                    device: created[at].id,
                    created: created_now,
                    state: DeviceState::Approved,
                })
            })
            .collect();
        self.commit(write, created).await?;
        Ok(results)
    }

    fn new_device(&self, enrol: &Enrol) -> Device {
        Device {
            id: DeviceId(0),
            protocol: enrol.protocol,
            terminal: enrol.terminal,
            state: DeviceState::Approved,
            name: enrol.name.as_deref().map(clean).filter(|name| !name.is_empty()).map(Into::into),
            plate: None,
            profile: self.profiles.named(enrol.profile.as_deref().unwrap_or("standard")),
            code_generation: 1,
            mqtt_secret: None,
            registration: 0,
        }
    }

    /// Approves or blocks devices in one transaction; those already in that state, and unknown numbers, are
    /// passed over. Blocking takes the device's code away: it must register again after it was approved.
    /// Answers how many changed.
    ///
    /// # Errors
    /// When the database fails; then nothing was changed.
    pub async fn set_state(
        &self,
        devices: &[DeviceId],
        state: DeviceState,
        told: impl Into<Told<'_>>,
        now: UtcMillis,
    ) -> Result<usize, Error> {
        let write = self.write().await?;
        self.set_state_in(write, devices, state, told.into(), now).await
    }

    /// As [`Registry::set_state`] for one device, but only if `is_expected` agrees with the number of its last change.
    /// Answers whether it did. The line of the audit log that tells of it is written with it, when anything changes.
    ///
    /// # Errors
    /// When the database fails; then nothing was changed.
    pub async fn set_state_if(
        &self,
        device: DeviceId,
        is_expected: impl FnOnce(i64) -> bool,
        state: DeviceState,
        told: impl Into<Told<'_>>,
        now: UtcMillis,
    ) -> Result<bool, Error> {
        let mut write = self.write().await?;
        let last = Sql::new("SELECT COALESCE(MAX(change), 0) FROM device_history WHERE device_id = $1");
        let last = write.tx.number(last.bind(device.0)).await?;
        if !is_expected(last) {
            write.tx.rollback().await?;
            return Ok(false);
        }
        self.set_state_in(write, &[device], state, told.into(), now).await?;
        Ok(true)
    }

    async fn set_state_in(
        &self,
        mut write: Write<'_>,
        devices: &[DeviceId],
        state: DeviceState,
        Told { who, deed }: Told<'_>,
        now: UtcMillis,
    ) -> Result<usize, Error> {
        let mut changed: Vec<Device> = Vec::new();
        let mut wanted = devices.to_vec();
        wanted.sort_unstable();
        wanted.dedup();
        for id in wanted {
            if let Some(device) = write.snapshot.device(id).filter(|device| device.state != state) {
                let taken = u32::from(state == DeviceState::Blocked);
                let code_generation = device.code_generation.saturating_add(taken);
                changed.push(Device { state, code_generation, ..Device::clone(device) });
            }
        }
        for chunk in changed.chunks(CHUNK_ROWS) {
            let mut sql = Sql::new("UPDATE devices SET state = ");
            sql.push_bind(state.as_str());
            match state {
                DeviceState::Approved => {
                    sql.push(", approved_at = ").push_bind(now);
                    sql.push(", approved_by = ").push_bind(who);
                }
                DeviceState::Blocked => {
                    sql.push(", code_generation = code_generation + 1");
                }
            }
            sql.push(" WHERE id IN ").push_list(chunk.iter().map(|device| device.id.0));
            write.tx.execute(sql).await?;
        }
        let details: Vec<_> = changed.iter().map(|device| (device.id, state_detail(device), now)).collect();
        write.history(state.as_str(), who, now, &details).await?;
        let count = changed.len();
        if !changed.is_empty() {
            tell(&mut write.tx, deed, object_of(&changed), now).await?;
        }
        self.commit(write, changed).await?;
        Ok(count)
    }

    /// Writes down what devices registered with, where it is new.
    pub(super) async fn flush_registrations(&self) -> Result<(), Error> {
        let snapshot = self.snapshot();
        let mut news = self.inbox.take_registrations();
        news.retain(|(id, r, _)| {
            snapshot.device(*id).is_some_and(|device| device.registration != fingerprint(r))
        });
        // A part at a time, so that others get a turn to write while a whole fleet comes back.
        for part in news.chunks(REGISTRATIONS_MAX) {
            self.write_registrations(part).await?;
        }
        Ok(())
    }

    async fn write_registrations(&self, news: &[(DeviceId, Registered, UtcMillis)]) -> Result<(), Error> {
        let now = news.iter().map(|(_, _, at)| *at).max().unwrap_or_default();
        let mut write = self.write().await?;
        let mut changed = Vec::new();
        let mut details = Vec::new();
        for (id, r, at) in news {
            let Some(device) = write.snapshot.device(*id) else { continue };
            let mut device = Device::clone(device);
            device.registration = fingerprint(r);
            device.plate = Some(r.plate.as_str()).filter(|plate| !plate.is_empty()).map(Into::into);
            let sql = Sql::new(
                "UPDATE devices SET province = $1, city = $2, maker = $3, model = $4, terminal_id = $5, \
                 plate_colour = $6, plate = $7, registered_at = $8 WHERE id = $9",
            )
            .bind(i64::from(r.province))
            .bind(i64::from(r.city))
            .bind(&r.maker)
            .bind(&r.model)
            .bind(&r.terminal_id)
            .bind(i64::from(r.plate_colour))
            .bind(&r.plate)
            .bind(*at)
            .bind(id.0);
            write.tx.execute(sql).await?;
            details.push((*id, serde_json::to_string(r).unwrap_or_default(), *at));
            changed.push(device);
        }
        write.history("registered", "terminal", now, &details).await?;
        self.commit(write, changed).await
    }

    /// Devices, lowest number first.
    ///
    /// # Errors
    /// When the database fails or holds something impossible.
    pub async fn devices(&self, filter: &DeviceFilter) -> Result<Vec<DeviceRecord>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push(" WHERE id > ").push_bind(filter.after.0);
        if let Some(state) = filter.state {
            sql.push(" AND state = ").push_bind(state.as_str());
        }
        if let Some(text) = &filter.text {
            let pattern = like_pattern(text);
            sql.push(" AND (lower(terminal) LIKE ").push_bind(pattern.clone()).push(" ESCAPE '!'");
            sql.push(" OR lower(name) LIKE ").push_bind(pattern.clone()).push(" ESCAPE '!'");
            sql.push(" OR lower(plate) LIKE ").push_bind(pattern).push(" ESCAPE '!')");
        }
        sql.push(" ORDER BY id LIMIT ").push_bind(filter.limit);
        let rows: Vec<Row> = self.db.all(sql).await?;
        rows.into_iter().map(Row::record).collect()
    }

    /// Everything about one device.
    ///
    /// # Errors
    /// When the database fails or holds something impossible.
    pub async fn device(&self, id: DeviceId) -> Result<Option<DeviceRecord>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push(" WHERE id = ").push_bind(id.0);
        let row: Option<Row> = self.db.optional(sql).await?;
        row.map(Row::record).transpose()
    }

    /// The last `limit` changes of one device, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn device_history(&self, id: DeviceId, limit: u32) -> Result<Vec<DeviceChange>, Error> {
        let sql = Sql::new(
            "SELECT change, valid_from, recorded_at, who, what, detail FROM device_history \
             WHERE device_id = $1 ORDER BY change DESC LIMIT $2",
        );
        let rows: Vec<(i64, i64, i64, String, String, String)> =
            self.db.all(sql.bind(id.0).bind(limit)).await?;
        Ok(rows
            .into_iter()
            .map(|(change, valid_from, recorded_at, who, what, detail)| DeviceChange {
                change,
                valid_from: UtcMillis(valid_from),
                recorded_at: UtcMillis(recorded_at),
                who,
                what,
                detail,
            })
            .collect())
    }

    /// Reads every device out of the database as the snapshot keeps them.
    pub(super) async fn read_all(&self, tx: &mut Tx) -> Result<Vec<Device>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push(" ORDER BY id");
        let rows: Vec<Row> = tx.all(sql).await?;
        rows.into_iter().map(|row| self.to_device(row)).collect()
    }

    fn to_device(&self, row: Row) -> Result<Device, Error> {
        let registered = row.registered();
        let registration = registered.as_ref().map_or(0, fingerprint);
        Ok(Device {
            id: row.id()?,
            state: row.state()?,
            protocol: Protocol::from_name(&row.protocol).ok_or(Error::Corrupt("a device's protocol"))?,
            terminal: TerminalId::new(&row.terminal).ok_or(Error::Corrupt("a device's terminal"))?,
            name: row.name.map(Into::into),
            plate: registered.map(|r| r.plate).filter(|plate| !plate.is_empty()).map(Into::into),
            profile: self.profiles.named(&row.profile),
            code_generation: u32::try_from(row.code_generation)
                .map_err(|_| Error::Corrupt("a code generation"))?,
            mqtt_secret: row.mqtt_secret_hash.as_deref().map(hash_of).transpose()?,
            registration,
        })
    }
}

async fn insert_devices(
    write: &mut Write<'_>,
    devices: &[Device],
    who: &str,
    now: UtcMillis,
) -> Result<(), Error> {
    for chunk in devices.chunks(CHUNK_ROWS) {
        let mut sql = Sql::new(
            "INSERT INTO devices (id, protocol, terminal_key, terminal, name, state, profile, code_generation, \
             created_at, created_by, approved_at, approved_by) ",
        );
        sql.push_rows(chunk.iter().map(|device| {
            vec![
                device.id.0.into(),
                device.protocol.name().into(),
                device.terminal.key().into(),
                device.terminal.as_str().into(),
                device.name.as_deref().into(),
                device.state.as_str().into(),
                device.profile.name.as_str().into(),
                device.code_generation.into(),
                now.into(),
                who.into(),
                now.into(),
                who.into(),
            ]
        }));
        write.tx.execute(sql).await?;
    }
    Ok(())
}

async fn forget_quarantined(write: &mut Write<'_>, devices: &[Device]) -> Result<(), Error> {
    for protocol in Protocol::ALL {
        let keys: Vec<&str> =
            devices.iter().filter(|device| device.protocol == *protocol).map(|d| d.terminal.key()).collect();
        for chunk in keys.chunks(CHUNK_ROWS) {
            let mut sql = Sql::new("DELETE FROM quarantine WHERE protocol = ");
            sql.push_bind(protocol.name()).push(" AND terminal_key IN ").push_list(chunk.iter().copied());
            write.tx.execute(sql).await?;
        }
    }
    Ok(())
}

fn enrolled_detail(device: &Device) -> String {
    serde_json::json!({
        "terminal": device.terminal.as_str(),
        "name": device.name.as_deref(),
        "state": device.state.as_str(),
        "profile": device.profile.name,
        "code_generation": device.code_generation,
    })
    .to_string()
}

fn state_detail(device: &Device) -> String {
    serde_json::json!({ "state": device.state.as_str(), "code_generation": device.code_generation })
        .to_string()
}

/// A text from outside without control characters, trimmed and cut.
pub(super) fn clean(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect();
    kept.trim().to_owned()
}

/// A LIKE pattern that finds `text` anywhere, with `!` as the escape.
fn like_pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
