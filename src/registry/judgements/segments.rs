//! Versions of trips, moves, stops and gaps.

use std::collections::BTreeMap;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::finding::content_hash;
use motorpool_supervision::ids::DeviceId;
use motorpool_supervision::trips::{Segment, TripKind};
use sqlx::FromRow;

use super::super::CHUNK_ROWS;
use super::super::db::{Sql, Tx};
use super::{Error, Judgement, Registry, json, lsn_of, lsn_value, read};
use crate::ids::Lsn;

/// A new version of a piece of a track.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewSegment {
    /// Hash of device and content.
    pub id: String,
    /// The device.
    pub device: DeviceId,
    /// What it is.
    pub segment: Segment,
    /// The first version of its line: its own id when it has no predecessor.
    pub lineage: String,
    /// The version that it overlaps most of those it takes the place of.
    pub predecessor: Option<String>,
}

/// A version as it is stored.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct StoredSegment {
    /// Hash of device and content.
    pub id: String,
    /// The device.
    pub device: DeviceId,
    /// What it is.
    pub segment: Segment,
    /// The first version of its line.
    pub lineage: String,
    /// The version that it took the place of.
    pub predecessor: Option<String>,
    /// When it was recorded first.
    pub recorded_at: UtcMillis,
    /// How far the journal was read then.
    pub lsn: Lsn,
    /// When it was superseded; `None` = it is current.
    pub superseded_at: Option<UtcMillis>,
    /// By which version, if by one.
    pub superseded_by: Option<String>,
}

/// The id of a piece of a device's track.
pub(super) fn id_of(device: DeviceId, segment: &Segment) -> String {
    content_hash(&(device, segment)).to_string()
}

/// First and last instant of a piece.
pub(super) const fn times(segment: &Segment) -> (UtcMillis, UtcMillis) {
    match segment {
        Segment::Trip(trip) => (trip.start, trip.end),
        Segment::Stop(stop) => (stop.start, stop.end),
        Segment::Gap(gap) => (gap.start, gap.end),
    }
}

/// The word for what it is: a trip may become a move and keep its lineage, so both are `trip` to [`super::revise_segments`].
pub(super) const fn sort(segment: &Segment) -> &'static str {
    match segment {
        Segment::Trip(_) => "trip",
        Segment::Stop(_) => "stop",
        Segment::Gap(_) => "gap",
    }
}

const fn kind(segment: &Segment) -> &'static str {
    match segment {
        Segment::Trip(trip) => match trip.kind {
            TripKind::Trip => "trip",
            TripKind::Move => "move",
        },
        Segment::Stop(_) => "stop",
        Segment::Gap(_) => "gap",
    }
}

/// Writes the segments of a judgement.
pub(super) async fn write(tx: &mut Tx, judgement: &Judgement, at: UtcMillis) -> Result<(), Error> {
    for gone in &judgement.gone_segments {
        let sql = Sql::new(
            "UPDATE trip_versions SET superseded_at = $1, superseded_by = $2 WHERE id = $3 AND superseded_at IS NULL",
        );
        tx.execute(sql.bind(at).bind(gone.by.as_deref()).bind(&gone.id)).await?;
    }
    for chunk in judgement.segments.chunks(CHUNK_ROWS) {
        let mut rows = Vec::with_capacity(chunk.len());
        for new in chunk {
            let (start, end) = times(&new.segment);
            rows.push(vec![
                new.id.as_str().into(),
                new.device.0.into(),
                kind(&new.segment).into(),
                start.into(),
                end.into(),
                json("a piece of a track", &new.segment)?.into(),
                new.lineage.as_str().into(),
                new.predecessor.as_deref().into(),
                at.into(),
                lsn_value(judgement.checkpoint.lsn).into(),
            ]);
        }
        let mut sql = Sql::new(
            "INSERT INTO trip_versions (id, device, kind, starts, ends, body, lineage, predecessor, recorded_at, lsn) ",
        );
        // The same content again: what was superseded once is current again.
        sql.push_rows(rows)
            .push(" ON CONFLICT (id) DO UPDATE SET superseded_at = NULL, superseded_by = NULL");
        tx.execute(sql).await?;
    }
    Ok(())
}

#[derive(FromRow)]
struct Record {
    id: String,
    device: i64,
    body: String,
    lineage: String,
    predecessor: Option<String>,
    recorded_at: i64,
    lsn: i64,
    superseded_at: Option<i64>,
    superseded_by: Option<String>,
}

/// Devices in one question: each is a term of its condition.
const DEVICES_ASKED_AT_ONCE: usize = 64;

const SELECT: &str = "SELECT id, device, body, lineage, predecessor, recorded_at, lsn, superseded_at, superseded_by \
    FROM trip_versions WHERE ";

impl Record {
    fn stored(self) -> Result<StoredSegment, Error> {
        Ok(StoredSegment {
            segment: read("piece of a track", &self.body)?,
            id: self.id,
            device: DeviceId(self.device),
            lineage: self.lineage,
            predecessor: self.predecessor,
            recorded_at: UtcMillis(self.recorded_at),
            lsn: lsn_of(self.lsn)?,
            superseded_at: self.superseded_at.map(UtcMillis),
            superseded_by: self.superseded_by,
        })
    }
}

impl Registry {
    /// The current trips, moves, stops and gaps of a device that share an instant with `from` to `to` (both included), by start.
    ///
    /// # Errors
    /// When the database fails or a value can't be read.
    pub async fn segments(
        &self,
        device: DeviceId,
        from: UtcMillis,
        to: UtcMillis,
    ) -> Result<Vec<StoredSegment>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push("superseded_at IS NULL AND device = ").push_bind(device.0);
        sql.push(" AND ends >= ").push_bind(from).push(" AND starts <= ").push_bind(to);
        self.read_segments(sql).await
    }

    /// The same of several devices, by device and start. Devices without any are left out.
    ///
    /// # Errors
    /// As [`Registry::segments`].
    pub async fn segments_of(
        &self,
        devices: &[DeviceId],
        from: UtcMillis,
        to: UtcMillis,
    ) -> Result<BTreeMap<DeviceId, Vec<StoredSegment>>, Error> {
        let mut by_device: BTreeMap<DeviceId, Vec<StoredSegment>> = BTreeMap::new();
        for part in devices.chunks(DEVICES_ASKED_AT_ONCE) {
            let mut sql = Sql::new(SELECT);
            sql.push("superseded_at IS NULL AND ends >= ").push_bind(from);
            sql.push(" AND starts <= ").push_bind(to);
            sql.push(" AND device IN ").push_list(part.iter().map(|device| device.0));
            for segment in self.read_segments(sql).await? {
                by_device.entry(segment.device).or_default().push(segment);
            }
        }
        Ok(by_device)
    }

    /// The current pieces of the tracks of several devices that end at or after an instant of each, by device and start: one question
    /// where a pass would ask thousands. Devices without any are left out.
    ///
    /// # Errors
    /// As [`Registry::segments`].
    pub async fn segments_since(
        &self,
        since: &[(DeviceId, UtcMillis)],
    ) -> Result<BTreeMap<DeviceId, Vec<StoredSegment>>, Error> {
        let mut by_device: BTreeMap<DeviceId, Vec<StoredSegment>> = BTreeMap::new();
        for part in since.chunks(DEVICES_ASKED_AT_ONCE) {
            let mut sql = Sql::new(SELECT);
            sql.push("superseded_at IS NULL AND (");
            for (at, (device, from)) in part.iter().enumerate() {
                sql.push(if at == 0 { "(device = " } else { " OR (device = " }).push_bind(device.0);
                sql.push(" AND ends >= ").push_bind(*from).push(")");
            }
            sql.push(")");
            for segment in self.read_segments(sql).await? {
                by_device.entry(segment.device).or_default().push(segment);
            }
        }
        Ok(by_device)
    }

    /// The first and the last start of a device's current segments; `None` when it has none.
    ///
    /// # Errors
    /// As [`Registry::segments`].
    pub async fn segment_bounds(&self, device: DeviceId) -> Result<Option<(UtcMillis, UtcMillis)>, Error> {
        let sql = Sql::new(
            "SELECT MIN(starts), MAX(CASE WHEN kind <> 'gap' THEN starts END) FROM trip_versions \
             WHERE superseded_at IS NULL AND device = $1",
        );
        let row: Option<(Option<i64>, Option<i64>)> = self.db.optional(sql.bind(device.0)).await?;
        Ok(row.and_then(|(first, last)| {
            let first = UtcMillis(first?);
            Some((first, last.map_or(first, UtcMillis)))
        }))
    }

    /// Every version of one line of trips (or stops, or gaps), oldest first.
    ///
    /// # Errors
    /// As [`Registry::segments`].
    pub async fn segment_lineage(&self, lineage: &str) -> Result<Vec<StoredSegment>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push("lineage = ").push_bind(lineage);
        let mut versions = self.read_segments(sql).await?;
        versions.sort_by(|a, b| (a.recorded_at, a.lsn.0, &a.id).cmp(&(b.recorded_at, b.lsn.0, &b.id)));
        Ok(versions)
    }

    async fn read_segments(&self, sql: Sql) -> Result<Vec<StoredSegment>, Error> {
        let records: Vec<Record> = self.db.all(sql).await?;
        let mut segments: Vec<StoredSegment> =
            records.into_iter().map(Record::stored).collect::<Result<_, _>>()?;
        segments.sort_by(|a, b| (times(&a.segment), &a.id).cmp(&(times(&b.segment), &b.id)));
        Ok(segments)
    }
}
