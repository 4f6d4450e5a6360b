//! Makes the evidence pack of a case from registers, archive and raw messages.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{Case, Subject};
use motorpool_supervision::evidence::{
    Copy, ExcerptOf, Judgement, OtherVehicle, PROGRAM, PackError, PackInputs, RawFrame, build, excerpt,
};
use motorpool_supervision::finding::{Finding, Rule};
use motorpool_supervision::ids::VehicleId;
use motorpool_supervision::trips::Segment;
use motorpool_supervision::world::World;
use rustc_hash::FxHashSet;

use super::cases::{CaseError, load, load_events};
use super::judging::{self, Detail, OwnedHistory, Sources, archived, open_flags, window};
use crate::ids::{DeviceId, Lsn};
use crate::journal::verify::{each_event, raw_dir};
use crate::journal::{Entry, Event, raw};
use crate::registry::{Known, Registry, RowScope};
use crate::tracks::{Row, TrackOptions, Tracks};

/// Raw messages in one pack, at most; a day of one report a second is 86,400.
const FRAMES_MAX: usize = 200_000;

/// Other vehicles of one pack, at most.
const OTHERS_MAX: usize = 200;

/// What packs are made from.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "built by the composition root")]
pub struct PackSources {
    /// Registers and cases.
    pub registry: Arc<Registry>,
    /// The archive.
    pub tracks: Tracks,
    /// The data folder, for raw messages.
    pub data: PathBuf,
    /// Time zone of local days.
    pub time_zone: String,
}

/// Who asks for what.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a request")]
pub struct PackRequest {
    /// The case.
    pub case: String,
    /// Full or masked.
    pub copy: Copy,
    /// Who asks.
    pub by: String,
    /// When.
    pub at: UtcMillis,
}

/// Why there is no pack.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoPack {
    /// There is no such case.
    #[error("there is no case {0}")]
    Unknown(String),
    /// It can't be loaded.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// It would not hold, for example because the registry changed and the case is just being judged again.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// Something can't be read.
    #[error("{0:#}")]
    Read(anyhow::Error),
}

/// A pack, made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result")]
pub struct Pack {
    /// The ZIP.
    pub bytes: Vec<u8>,
    /// The change of the registry that it was made at.
    pub registry_change: i64,
}

/// Makes a pack.
///
/// # Errors
/// [`NoPack`] says why not.
pub async fn pack(sources: &PackSources, request: &PackRequest) -> Result<Pack, NoPack> {
    let registry = &sources.registry;
    let case = load(registry, &request.case).await?.ok_or_else(|| NoPack::Unknown(request.case.clone()))?;
    let events = load_events(registry, &request.case).await?;
    let inputs = inputs(sources, request, &case).await.map_err(NoPack::Read)?;
    let inputs = PackInputs { case: serde_json::to_value(events).map_err(CaseError::from)?, ..inputs };
    let registry_change = inputs.judgement.registry_change;
    let copy = request.copy;
    let built = tokio::task::spawn_blocking(move || build(&inputs, copy)).await;
    let bytes = built.map_err(|error| NoPack::Read(error.into()))??;
    Ok(Pack { bytes, registry_change })
}

async fn inputs(sources: &PackSources, request: &PackRequest, case: &Case) -> anyhow::Result<PackInputs> {
    let day = case.key.day;
    let (vehicle, unit) = match case.key.subject {
        Subject::Vehicle(vehicle) => (vehicle, None),
        Subject::Unit(unit) => (VehicleId::default(), Some(unit)),
    };
    let scope = RowScope::All;
    let (world, change) =
        judging::world(&sources.registry, &scope, &sources.time_zone, (day, day), Known::Now).await?;
    let rests = sources.registry.rests().await?.into_iter().collect();
    let fresh = std::collections::BTreeMap::new();
    let reader =
        Sources { registry: &sources.registry, tracks: &sources.tracks, rests: &rests, fresh: &fresh };
    let span = window(&world, vehicle, &(day..=day));
    let history = reader.history(&world, vehicle, &(day..=day), Detail::Points).await?;
    let flags = open_flags(&sources.registry, Some(vehicle), &(day..=day)).await?;
    // Orders without a vehicle are those of all units; the case is about one.
    let is_of_case = |finding: &Finding| unit.is_none_or(|unit| finding.unit == unit);
    let findings: Vec<Finding> = flags.into_iter().map(|flag| flag.finding).filter(is_of_case).collect();
    let mut others = Vec::new();
    for other in other_vehicles(&sources.registry, &world, &findings, vehicle, case).await? {
        let OwnedHistory { segments, .. } =
            reader.history(&world, other, &(day..=day), Detail::Segments).await?;
        others.push(OtherVehicle { vehicle: other, segments });
    }
    let vehicles: BTreeSet<VehicleId> = others.iter().map(|other| other.vehicle).chain([vehicle]).collect();
    let places = history
        .points
        .iter()
        .map(|point| point.at)
        .chain(history.segments.iter().chain(others.iter().flat_map(|other| &other.segments)).map(place));
    let of = ExcerptOf { vehicles: &vehicles, unit, from: span.0, to: span.1 };
    let register = excerpt(&world, of, places);
    let (frames, clock_offset_s) = frames(sources, &world, vehicle, day)?;
    Ok(PackInputs {
        judgement: Judgement {
            vehicle,
            first_day: day,
            last_day: day,
            time_zone: sources.time_zone.clone(),
            known_to: request.at,
            registry_change: change,
            unit,
            clock_offset_s,
        },
        register,
        segments: history.segments,
        points: history.points,
        others,
        findings,
        frames,
        made_at: request.at,
        made_by: request.by.clone(),
        program: PROGRAM.to_owned(),
        ..PackInputs::default()
    })
}

const fn place(segment: &Segment) -> motorpool_supervision::point::Position {
    match segment {
        Segment::Trip(trip) => trip.end_at,
        Segment::Stop(stop) => stop.at,
        Segment::Gap(gap) => gap.to,
    }
}

/// The vehicles without which the findings of the fleet can't be found again: those met, and those of the same unit.
async fn other_vehicles(
    registry: &Registry,
    world: &World,
    findings: &[Finding],
    vehicle: VehicleId,
    case: &Case,
) -> anyhow::Result<BTreeSet<VehicleId>> {
    let has = |rule: Rule| findings.iter().any(|finding| finding.rule == rule);
    let mut others = BTreeSet::new();
    if has(Rule::R27) {
        let flags = open_flags(registry, None, &(case.key.day..=case.key.day)).await?;
        let met = flags.iter().filter(|flag| flag.finding.rule == Rule::R27);
        others.extend(met.map(|flag| flag.finding.vehicle));
    }
    if has(Rule::R22) || has(Rule::R25) || vehicle == VehicleId::default() {
        let at = world.instant(case.key.day, 0);
        others.extend(world.vehicle_ids().filter(|other| world.using_unit(*other, at) == Some(case.unit)));
    }
    others.remove(&vehicle);
    Ok(others.into_iter().take(OTHERS_MAX).collect())
}

/// The raw messages of the vehicle's device that its fixes of the day came in, however late, with everything else that was received
/// on the day; and the clock offset of the fixes that came live: median of when the terminal says a fix was taken less when it was
/// received.
fn frames(
    sources: &PackSources,
    world: &World,
    vehicle: VehicleId,
    day: jiff::civil::Date,
) -> anyhow::Result<(Vec<RawFrame>, Option<i64>)> {
    let (from, to) = (world.instant(day, 0), world.instant(day, 1_440));
    let Some(device) = world.primary_device(vehicle, from).or_else(|| world.primary_device(vehicle, to))
    else {
        return Ok((Vec::new(), None));
    };
    let device = archived(device);
    let rows = sources.tracks.track(device, from, to, TrackOptions::default()).rows;
    let arrivals = Arrivals::of(&rows, from, to);
    let read = tokio::task::block_in_place(|| raw_messages(&sources.data, device, &arrivals))?;
    let live = rows.iter().filter(|row| !row.fix.quality.contains(motorpool_protocols::Quality::BACKFILL));
    let mut offsets: Vec<i64> = live.map(|row| (row.fix.fix_time.0 - row.received_at.0) / 1_000).collect();
    offsets.sort_unstable();
    Ok((read, offsets.get(offsets.len() / 2).copied()))
}

/// When what belongs to a day was received: on the day itself, and in the seconds in which its fixes arrived.
struct Arrivals {
    day: Range<UtcMillis>,
    seconds: FxHashSet<i64>,
    /// From the first of them to the last.
    whole: RangeInclusive<UtcMillis>,
}

impl Arrivals {
    fn of(rows: &[Row], from: UtcMillis, to: UtcMillis) -> Self {
        let seconds: FxHashSet<i64> = rows.iter().map(|row| row.received_at.0.div_euclid(1_000)).collect();
        let first = seconds.iter().min().map_or(from, |second| UtcMillis(second * 1_000).min(from));
        let last = seconds.iter().max().map_or(to, |second| UtcMillis(second * 1_000 + 999).max(to));
        Self { day: from..to, seconds, whole: first..=last }
    }

    fn has(&self, received_at: UtcMillis) -> bool {
        self.day.contains(&received_at) || self.seconds.contains(&received_at.0.div_euclid(1_000))
    }
}

fn raw_messages(data: &Path, device: DeviceId, arrivals: &Arrivals) -> anyhow::Result<Vec<RawFrame>> {
    let journal = |take: Take<'_>| -> anyhow::Result<()> {
        each_event(data, Lsn(0), &mut |event| {
            if let Event::Entry(entry) = &event
                && entry.batch.device == device
            {
                take(entry);
            }
            ControlFlow::Continue(())
        })?;
        Ok(())
    };
    let blocks = |take: Take<'_>| -> anyhow::Result<()> {
        let read =
            raw::read(&raw_dir(data)?, Some(device), arrivals.whole.clone(), &mut |entry| take(&entry))?;
        for damage in &read.damaged {
            let raw::Damage { path, offset, reason, .. } = damage;
            tracing::error!(path = %path.display(), offset, reason, "messages are missing in an evidence pack");
        }
        Ok(())
    };
    gather(arrivals, journal, blocks)
}

/// Who is given each record.
type Take<'a> = &'a mut dyn FnMut(&Entry<'_>);

/// The messages that belong to a day, from the journal and from raw blocks, in which it ends up. The journal is read first: what leaves it in between
/// is in the blocks by then, and what is in both is taken once.
fn gather(
    arrivals: &Arrivals,
    journal: impl FnOnce(Take<'_>) -> anyhow::Result<()>,
    blocks: impl FnOnce(Take<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<RawFrame>> {
    let mut frames = Vec::new();
    let mut seen: FxHashSet<Lsn> = FxHashSet::default();
    let mut left_out = 0_usize;
    let mut take = |entry: &Entry<'_>| {
        if !arrivals.has(entry.batch.received_at) || !seen.insert(entry.lsn) {
            return;
        }
        for message in entry.batch.messages() {
            if frames.len() >= FRAMES_MAX {
                left_out += 1;
                continue;
            }
            let frame = RawFrame {
                received_at: entry.batch.received_at,
                protocol: entry.batch.protocol.name().to_owned(),
                bytes: message.to_vec(),
            };
            frames.push((entry.lsn, frame));
        }
    };
    journal(&mut take)?;
    blocks(&mut take)?;
    if left_out > 0 {
        tracing::error!(left_out, "messages are missing in an evidence pack: there are more than it holds");
    }
    frames.sort_by_key(|(lsn, frame)| (frame.received_at, *lsn));
    Ok(frames.into_iter().map(|(_, frame)| frame).collect())
}

#[cfg(test)]
mod tests {
    use motorpool_protocols::Fix;

    use super::*;

    const DAY_MS: i64 = 86_400_000;
    const DAY: i64 = 1_772_582_400_000;

    fn row(fix_time: i64, received_at: i64) -> Row {
        Row::new(DeviceId(1), UtcMillis(received_at), &Fix::new(UtcMillis(fix_time), 1, 2), b"")
    }

    #[test]
    fn a_message_that_leaves_the_journal_meanwhile_is_in_the_pack_once() {
        use std::cell::Cell;

        use motorpool_protocols::Protocol;

        use crate::ids::LinkId;
        use crate::journal::Batch;

        let arrivals = Arrivals::of(&[], UtcMillis(DAY), UtcMillis(DAY + DAY_MS));
        let record = |lsn: u64| Entry {
            lsn: Lsn(lsn),
            end: Lsn(lsn + 8),
            batch: Batch {
                device: DeviceId(1),
                link: LinkId(1),
                protocol: Protocol::Jt808,
                received_at: UtcMillis(DAY + 1),
                ends: &[1],
                raw: &[7],
            },
        };
        // The first record was archived long ago and lies in both still; the second moves as soon as either was read.
        let has_moved = Cell::new(false);
        let journal = |take: Take<'_>| {
            take(&record(8));
            if !has_moved.replace(true) {
                take(&record(16));
            }
            Ok(())
        };
        let blocks = |take: Take<'_>| {
            take(&record(8));
            if has_moved.replace(true) {
                take(&record(16));
            }
            Ok(())
        };
        assert_eq!(gather(&arrivals, journal, blocks).unwrap().len(), 2);
    }

    #[test]
    fn raw_messages_are_looked_for_where_the_fixes_of_the_day_arrived() {
        let (from, to) = (UtcMillis(DAY), UtcMillis(DAY + DAY_MS));
        let weeks_later = DAY + 21 * DAY_MS + 5_250;
        let rows = [row(DAY + 1_000, DAY + 2_000), row(DAY + 9_000, weeks_later)];
        let arrivals = Arrivals::of(&rows, from, to);
        assert_eq!(*arrivals.whole.start(), from);
        assert!(*arrivals.whole.end() >= UtcMillis(weeks_later));
        // The archive keeps whole seconds of when a fix was received, the journal milliseconds.
        for (at, is_of_the_day) in [
            (DAY - 1, false),
            (DAY, true),
            (DAY + DAY_MS - 1, true),
            (DAY + DAY_MS, false),
            (weeks_later, true),
            (weeks_later + 700, true),
            (weeks_later + 1_000, false),
        ] {
            assert_eq!(arrivals.has(UtcMillis(at)), is_of_the_day, "{at}");
        }
    }
}
