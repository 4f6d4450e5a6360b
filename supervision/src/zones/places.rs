//! The dictionary of places: what a name on a paper means.
//!
//! Owns how names are compared. It never guesses: a name that fits several places is several, one that fits none is unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::ZoneIndex;
use crate::UtcMillis;
use crate::calendar::held_versions;
use crate::ids::{UnitId, ZoneId};
use crate::point::Position;
use crate::register::{PlaceEntry, Span, Versioned};

/// Longest name that is looked up, characters. A longer text is unknown.
pub const NAME_CHARS_MAX: usize = 128;

/// Words that say no place. Only a dictionary can give them a meaning.
const VAGUE: &[&str] = &[
    "下乡",
    "县内",
    "县城",
    "全县",
    "县区",
    "市内",
    "市区",
    "全市",
    "本市",
    "本县",
    "区内",
    "全区",
    "省内",
    "乡镇",
    "各乡镇",
    "各镇",
    "各乡",
    "各村",
    "城区",
    "辖区",
    "辖区内",
    "外出",
    "外地",
    "周边",
    "附近",
    "基层",
    "现场",
    "单位",
    "本地",
    "其他",
];

/// Endings that name the office in a place. Left off the paper's text only: whoever goes to 某镇政府 goes to 某镇, but a paper
/// that says 某镇 does not mean the office.
const OFFICES: &[&str] = &[
    "人民政府",
    "政府",
    "办事处",
    "村民委员会",
    "村委会",
    "居民委员会",
    "居委会",
    "机关大院",
    "办公大楼",
    "办公楼",
    "大院",
];

/// Endings that name the rank of a place. Papers leave them off.
const RANKS: &[&str] = &["街道", "社区", "省", "市", "区", "县", "镇", "乡", "村"];

/// A rest shorter than this is no name: 城 of 城区.
const STEM_CHARS_MIN: usize = 2;

/// What a name means.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum Resolved {
    /// One place.
    One(PlaceTarget),
    /// Several different places; their names, sorted.
    Several(Vec<String>),
    /// No place.
    Unknown,
}

/// A place that a name means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum PlaceTarget {
    /// A zone.
    Zone {
        /// Its number.
        zone: ZoneId,
        /// Its name in the dictionary, or as a zone.
        name: Arc<str>,
    },
    /// A position and what is around it.
    Circle {
        /// The middle.
        at: Position,
        /// How far around it still is the place, metres.
        radius_m: u32,
        /// Its name in the dictionary.
        name: Arc<str>,
    },
}

impl PlaceTarget {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Zone { name, .. } | Self::Circle { name, .. } => name,
        }
    }

    /// The zone, if it is one.
    #[must_use]
    pub const fn zone(&self) -> Option<ZoneId> {
        match self {
            Self::Zone { zone, .. } => Some(*zone),
            Self::Circle { .. } => None,
        }
    }

    /// Metres from `at` to the place, 0 inside. `None` when `zones` does not have the zone: nothing can be said then.
    #[must_use]
    pub fn distance_m(&self, zones: &ZoneIndex, at: Position) -> Option<f64> {
        match self {
            Self::Zone { zone, .. } => zones.distance_m(*zone, at),
            Self::Circle { at: middle, radius_m, .. } => {
                Some((at.distance_m(*middle) - f64::from(*radius_m)).max(0.0))
            }
        }
    }

    /// Without the name: what makes two targets the same place.
    const fn place(&self) -> (Option<ZoneId>, Option<(Position, u32)>) {
        match self {
            Self::Zone { zone, .. } => (Some(*zone), None),
            Self::Circle { at, radius_m, .. } => (None, Some((*at, *radius_m))),
        }
    }
}

/// One meaning of a name: a version of an entry or of a zone.
#[derive(Clone, Debug)]
struct Meaning {
    id: i64,
    version: u32,
    valid: Span,
    target: PlaceTarget,
}

/// Meanings by unit and name.
type Names = FxHashMap<(Option<UnitId>, String), Vec<Meaning>>;

/// All names of places. The order of rows does not matter; of the versions of a row that are valid at a
/// time the newest counts.
#[derive(Clone, Debug, Default)]
pub struct Places {
    entries: Names,
    entry_stems: Names,
    zones: Names,
    zone_stems: Names,
}

impl Places {
    /// The names of these entries and of all zones.
    ///
    /// An entry whose zone is not in `zones` is where its position says; without one it means nothing.
    #[must_use]
    pub fn new(entries: &[Versioned<PlaceEntry>], zones: &ZoneIndex) -> Self {
        let mut places = Self::default();
        for (entry, valid) in held_versions(entries) {
            let Some(target) = target_of(&entry.row, zones) else { continue };
            let meaning = Meaning { id: entry.id, version: entry.version, valid, target };
            for name in std::iter::once(&entry.row.name).chain(&entry.row.aliases) {
                add(&mut places.entries, &mut places.entry_stems, entry.row.unit, name, &meaning);
            }
        }
        for zone in zones.zones() {
            let target = PlaceTarget::Zone { zone: zone.id(), name: zone.name().into() };
            let row = &zone.row;
            let meaning = Meaning { id: row.id, version: row.version, valid: row.valid, target };
            add(&mut places.zones, &mut places.zone_stems, zone.row.row.unit, zone.name(), &meaning);
        }
        places
    }

    /// What `text` on a paper means for a unit, whatever the time: a row means what its newest version with the name says. `units`: the unit and those above it, nearest first.
    ///
    /// Exact names and aliases go before names without the office (某镇政府), and those before names without the rank (某镇, 某);
    /// within each the dictionary goes before the zones, and the nearest unit before those above it and before everybody. Spaces,
    /// letter case and full width do not matter.
    #[must_use]
    pub fn resolve(&self, text: &str, units: &[UnitId]) -> Resolved {
        self.look_up(text, units, None)
    }

    /// As [`Places::resolve`], with the names that are valid at `time`.
    #[must_use]
    pub fn resolve_at(&self, text: &str, units: &[UnitId], time: UtcMillis) -> Resolved {
        self.look_up(text, units, Some(time))
    }

    /// The zones that any of `texts` could mean by a zone's own name, whichever unit asks and whenever. Without one of them a name might
    /// mean something else.
    #[must_use]
    pub fn zones_named<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> BTreeSet<ZoneId> {
        let (mut names, mut stems) = (FxHashSet::default(), FxHashSet::default());
        for name in texts.into_iter().filter_map(normalised) {
            let place = without_ending(&name, OFFICES).to_owned();
            stems.insert(without_ending(&place, RANKS).to_owned());
            names.extend([name, place]);
        }
        let asked = self.zones.iter().filter(|((_, name), _)| names.contains(name));
        let asked = asked.chain(self.zone_stems.iter().filter(|((_, stem), _)| stems.contains(stem)));
        asked.flat_map(|(_, meanings)| meanings.iter().filter_map(|meaning| meaning.target.zone())).collect()
    }

    fn look_up(&self, text: &str, units: &[UnitId], time: Option<UtcMillis>) -> Resolved {
        let Some(name) = normalised(text) else { return Resolved::Unknown };
        if VAGUE.contains(&name.as_str()) {
            return named(&self.entries, &name, units, time).unwrap_or(Resolved::Unknown);
        }
        let place = without_ending(&name, OFFICES);
        let stem = without_ending(place, RANKS);
        [
            (&self.entries, name.as_str()),
            (&self.zones, name.as_str()),
            (&self.entries, place),
            (&self.zones, place),
            (&self.entry_stems, stem),
            (&self.zone_stems, stem),
        ]
        .into_iter()
        .find_map(|(names, name)| named(names, name, units, time))
        .unwrap_or(Resolved::Unknown)
    }
}

fn target_of(entry: &PlaceEntry, zones: &ZoneIndex) -> Option<PlaceTarget> {
    let name: Arc<str> = entry.name.as_str().into();
    match entry.zone {
        Some(zone) if zones.zone(zone).is_some() => Some(PlaceTarget::Zone { zone, name }),
        _ => entry.at.map(|at| PlaceTarget::Circle { at, radius_m: entry.radius_m, name }),
    }
}

fn add(names: &mut Names, stems: &mut Names, unit: Option<UnitId>, name: &str, meaning: &Meaning) {
    let Some(name) = normalised(name) else { return };
    let stem = without_ending(&name, RANKS).to_owned();
    stems.entry((unit, stem)).or_default().push(meaning.clone());
    names.entry((unit, name)).or_default().push(meaning.clone());
}

/// What the nearest unit that knows `name` means by it.
fn named(names: &Names, name: &str, units: &[UnitId], time: Option<UtcMillis>) -> Option<Resolved> {
    let owners = units.iter().copied().map(Some).chain([None]);
    owners.filter_map(|owner| names.get(&(owner, name.to_owned()))).find_map(|meanings| {
        let is_newest =
            |one: &Meaning| !meanings.iter().any(|other| other.id == one.id && other.version > one.version);
        let now = meanings.iter().filter(|meaning| match time {
            Some(time) => meaning.valid.contains(time),
            None => is_newest(meaning),
        });
        let mut different: BTreeMap<_, &PlaceTarget> = BTreeMap::new();
        for meaning in now {
            let kept = different.entry(meaning.target.place()).or_insert(&meaning.target);
            *kept = (*kept).min(&meaning.target);
        }
        let mut targets: Vec<_> = different.into_values().collect();
        match targets.len() {
            0 => None,
            1 => targets.pop().cloned().map(Resolved::One),
            _ => {
                let mut names: Vec<_> = targets.into_iter().map(|target| target.name().to_owned()).collect();
                names.sort_unstable();
                Some(Resolved::Several(names))
            }
        }
    })
}

/// A name without spaces and punctuation at its ends, full width made half width, letters small. `None`: nothing is left, or the
/// text is too long to be a name.
fn normalised(text: &str) -> Option<String> {
    if text.chars().nth(NAME_CHARS_MAX).is_some() {
        return None;
    }
    let half: String =
        text.chars().map(half_width).filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
    let name = half.trim_matches(|c: char| {
        c.is_ascii_punctuation() && !matches!(c, '(' | ')') || matches!(c, '。' | '、')
    });
    (!name.is_empty()).then(|| name.to_owned())
}

/// Full-width ASCII and the ideographic space as their half-width counterparts.
fn half_width(c: char) -> char {
    match c {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        _ => c,
    }
}

/// `name` without the first of `endings` that it has, as long as enough is left of it.
fn without_ending<'a>(name: &'a str, endings: &[&str]) -> &'a str {
    endings
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .filter(|rest| rest.chars().count() >= STEM_CHARS_MIN)
        .unwrap_or(name)
}
