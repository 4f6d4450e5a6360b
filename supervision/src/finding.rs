//! What a rule found: a question with everything needed to ask it again.
//!
//! A finding is a value. Its identity is the hash of its content, so judging the same inputs twice gives the same findings.
//! It never says that somebody did wrong; people decide that in a case.

use std::borrow::Cow;
use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::UtcMillis;
use crate::hex;
use crate::ids::{OrderId, UnitId, VehicleId, ZoneId};
use crate::point::Position;
use crate::register::Feed;

macro_rules! rules {
    ($($name:ident = $version:literal, $zh:literal, $en:literal;)*) => {
        /// A rule of the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each has its Chinese and English name, `Rule::zh` and `Rule::en`")]
        #[expect(clippy::exhaustive_enums, reason = "callers must handle every rule")]
        pub enum Rule { $($name),* }

        impl Rule {
            /// All rules, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its code, for example `R01`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }

            /// Its Chinese name.
            #[must_use]
            pub const fn zh(self) -> &'static str {
                match self { $(Self::$name => $zh),* }
            }

            /// Its English name.
            #[must_use]
            pub const fn en(self) -> &'static str {
                match self { $(Self::$name => $en),* }
            }

            /// Version of its code. It grows with every change that can change a result.
            #[must_use]
            pub const fn version(self) -> u16 {
                match self { $(Self::$name => $version),* }
            }
        }
    };
}

rules! {
    R01 = 1, "无单出车", "trip without an order";
    R02 = 1, "超时用车", "outside the order's time";
    R03 = 1, "超范围用车", "outside the permitted area";
    R04 = 1, "目的地不符", "destination or route differs from the order";
    R05 = 1, "非工作时间用车", "off-hours use";
    R06 = 1, "节假日用车", "use on a rest day";
    R07 = 1, "夜间未归库", "not in its depot at night";
    R08 = 2, "敏感场所停留", "stop at a sensitive place";
    R09 = 1, "超速", "speeding";
    R10 = 2, "断电拔线", "terminal silent or without power";
    R11 = 1, "定位缺失", "moving without a position";
    R12 = 2, "里程不符", "mileage differs";
    R13 = 1, "油耗异常", "fuel use differs";
    R14 = 1, "加油与轨迹不符", "fuel bought where the car was not";
    R15 = 1, "通行停车与轨迹不符", "toll or parking where the car was not";
    R16 = 1, "维修与轨迹不符", "repair where the car was not";
    R17 = 1, "驾驶员不符", "another driver";
    R18 = 1, "固定用车", "same private pattern";
    R19 = 2, "长期闲置", "hardly used";
    R20 = 1, "非法位移", "moved with the ignition off";
    R21 = 1, "补贴区域内用车", "trip inside the allowance area";
    R22 = 1, "派单异常", "odd orders";
    R23 = 1, "套牌换装", "cloned plate or moved device";
    R24 = 1, "借用占用", "kept by another unit";
    R25 = 1, "以租代购", "hired for too long";
    R26 = 1, "接送子女", "school runs";
    R27 = 1, "聚集", "several units at one leisure place";
    R28 = 1, "里程回拨", "odometer turned back";
}

impl Rule {
    /// The rule with this code, in any case.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.code().eq_ignore_ascii_case(code.trim()))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every outcome")]
pub enum Outcome {
    /// It asks.
    Flag,
    /// It lacks what it needs to say anything.
    Undecidable,
}

/// The four colours of a vehicle-day and of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "the workflow's own list")]
pub enum Colour {
    /// 未见异常.
    Green,
    /// 数据不足无法判断.
    Grey,
    /// 提醒.
    Yellow,
    /// 疑点.
    Red,
}

/// What kind of question a finding is: it decides who gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "callers must handle every kind")]
pub enum Nature {
    /// How the car was used.
    Conduct,
    /// Paper that is missing or late (待补单, 补单待核).
    Paperwork,
    /// A device work order (设备工单), not a suspicion of a person.
    Equipment,
    /// A figure for reports.
    Statistic,
}

/// A number that a rule compared. The unit is in the name, for example `distance_m`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Measure {
    /// What was measured, with its unit.
    pub name: Cow<'static, str>,
    /// What it came to.
    pub value: i64,
    /// The threshold it was held against, if any; `value - limit` is the distance to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<i64>,
}

impl Measure {
    /// A measure held against a threshold.
    #[must_use]
    pub const fn against(name: &'static str, value: i64, limit: i64) -> Self {
        Self { name: Cow::Borrowed(name), value, limit: Some(limit) }
    }

    /// A measure that only informs.
    #[must_use]
    pub const fn of(name: &'static str, value: i64) -> Self {
        Self { name: Cow::Borrowed(name), value, limit: None }
    }
}

/// An order that was considered, and why it does not cover the trip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct OrderConsidered {
    /// The order.
    pub id: OrderId,
    /// Its version.
    pub version: u32,
    /// Its number.
    pub no: String,
    /// Every reason; empty = it covers.
    pub why_not: Vec<WhyNot>,
}

/// Why an order does not cover a trip.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
#[non_exhaustive]
pub enum WhyNot {
    /// It was not approved.
    NotApproved,
    /// It was cancelled or refused.
    Cancelled,
    /// It is for another car.
    OtherVehicle,
    /// The trip began before it.
    StartsBefore {
        /// By how much, seconds.
        by_s: i64,
    },
    /// The trip ended after it.
    EndsAfter {
        /// By how much, seconds.
        by_s: i64,
    },
    /// It ends before it begins.
    EndsBeforeItBegins,
    /// They share no time.
    NoOverlap,
    /// It was recorded after the departure.
    RecordedLate {
        /// By how much, seconds.
        by_s: i64,
    },
    /// None of its trips came near its destination.
    DestinationMissed {
        /// Nearest, metres.
        nearest_m: i64,
    },
    /// Another order fits the trip better.
    OtherFitsBetter,
}

/// A version of a zone that a rule used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct ZoneUsed {
    /// The zone.
    pub id: ZoneId,
    /// Its version.
    pub version: u32,
    /// Its name.
    pub name: String,
}

/// What was lacking.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "missing", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missing {
    /// The feed is not complete for that time.
    Feed {
        /// Which.
        feed: Feed,
    },
    /// A place on the paper is not in the dictionary.
    Place {
        /// The words on the paper.
        text: String,
    },
    /// Several places fit.
    SeveralPlaces {
        /// Their names.
        names: Vec<String>,
    },
    /// Only weekends of that year are known.
    Calendar,
    /// No fix, or none recent enough.
    Fixes,
    /// The booked time is not the time of the transaction.
    Time,
    /// A field of the register is empty.
    Field {
        /// Which, for example `vehicle.depot`.
        name: Cow<'static, str>,
    },
}

/// What speaks for the person (对当事人有利的情况).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Excuse {
    /// An order covers part of it.
    OrderNear {
        /// Its number.
        no: String,
    },
    /// A duty roster holds.
    OnDuty {
        /// What duty.
        what: String,
    },
    /// A declared emergency holds.
    InEmergency {
        /// Its document.
        document: String,
    },
    /// The driver reported it.
    Reported {
        /// When.
        at: UtcMillis,
        /// What.
        text: String,
    },
    /// The value is close to its limit.
    NearLimit,
    /// The track has gaps or marked fixes there.
    PoorTrack,
    /// The car was booked into a repair shop.
    InRepair {
        /// The shop.
        shop: String,
    },
    /// The class of the car is one that is often out at such times.
    ClassOnCall,
    /// The paper names a place near by.
    PlaceNear {
        /// Its name.
        name: String,
        /// How far, metres.
        distance_m: i64,
    },
}

/// The fixes that a finding rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct FixesUsed {
    /// How many.
    pub fixes: u32,
    /// How many more were marked and not used.
    pub marked: u32,
    /// Time without fixes, seconds.
    pub gap_s: u32,
    /// Confidence of the trip's cut, 0 to 100.
    pub confidence_pct: u8,
}

/// The versions of everything that took part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Versions {
    /// Rule sets laid over the defaults, nearest unit last: name and version.
    pub rule_sets: Vec<(String, u32)>,
    /// Edition of the calendar.
    pub calendar: String,
    /// Zones.
    pub zones: Vec<ZoneUsed>,
}

/// What a rule found about one vehicle on one local day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "a plain record")]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Version of its code.
    pub rule_version: u16,
    /// Which of the rule's several questions, snake case, for example `late_return`; empty when it has one.
    pub aspect: Cow<'static, str>,
    /// Flag or undecidable.
    pub outcome: Outcome,
    /// Yellow or red, grey when undecidable.
    pub colour: Colour,
    /// What kind of question.
    pub nature: Nature,
    /// Whether the rule set is on trial: kept, not shown.
    pub is_trial: bool,
    /// The vehicle; 0 for findings about a unit's orders.
    pub vehicle: VehicleId,
    /// The unit that had the vehicle then.
    pub unit: UnitId,
    /// Local day it belongs to: that of the trip's start.
    pub day: Date,
    /// First instant it speaks of.
    pub from: UtcMillis,
    /// Last instant it speaks of.
    pub to: UtcMillis,
    /// Where, if anywhere.
    pub at: Option<Position>,
    /// Starts of the trips it speaks of.
    pub trips: Vec<UtcMillis>,
    /// What was measured.
    pub measures: Vec<Measure>,
    /// Orders considered.
    pub orders: Vec<OrderConsidered>,
    /// What was lacking.
    pub missing: Vec<Missing>,
    /// What speaks for the person.
    pub excuses: Vec<Excuse>,
    /// The fixes it rests on.
    pub fixes: FixesUsed,
    /// The rule's parameters as used.
    pub params: serde_json::Value,
    /// Versions of what took part.
    pub versions: Versions,
    /// Names and words for the reader, for example the zone's name. Key, value.
    pub words: Vec<(Cow<'static, str>, String)>,
}

/// Identity of a finding: the first 16 bytes of the SHA-256 of its content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a hash")]
pub struct FindingId(pub [u8; 16]);

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for FindingId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FindingId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        hex::parse(&text).map(Self).ok_or_else(|| serde::de::Error::custom("not 32 hexadecimal digits"))
    }
}

impl Finding {
    /// Its identity: a hash of all its content, the rule's version among it.
    #[must_use]
    pub fn id(&self) -> FindingId {
        content_hash(self)
    }

    /// The value of the measure with this name.
    #[must_use]
    pub fn measure(&self, name: &str) -> Option<i64> {
        self.measures.iter().find(|measure| measure.name == name).map(|measure| measure.value)
    }
}

/// The first 16 bytes of the SHA-256 of `value` as JSON. Fields are in the order of their declaration, maps are sorted.
pub fn content_hash<T: Serialize>(value: &T) -> FindingId {
    struct Hashing(Sha256);
    impl std::io::Write for Hashing {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut hashing = Hashing(Sha256::new());
    // Values of this crate have string keys and finite numbers only, so writing them can't fail; if it did, what was written
    // until then is hashed, the same for the same value.
    let written = serde_json::to_writer(&mut hashing, value);
    debug_assert!(written.is_ok(), "a value of this crate is JSON");
    let digest = hashing.0.finalize();
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    FindingId(id)
}
