//! A car's day before it is driven: its errands, with the paper each has, and the ordinary ones of a workday.

use motorpool_supervision::register::ReportKind;

use super::almanac::{DayKind, hm, kind_of};
use super::stage::Stage;
use super::story::Story;
use crate::sim::county::{Car, CarClass, PlaceKind};
use crate::sim::rng::Rng;

/// No errand is planned to end later than this, by a careful estimate.
const LATEST_S: i32 = hm(23, 40);
/// Ordinary duties are back by then, by a careful estimate.
const EVENING_S: i32 = hm(19, 0);

/// A way out of the depot and, mostly, back.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    /// Not before this second of the day.
    pub(super) depart_s: i32,
    /// Where it goes, in order.
    pub(super) stops: Vec<Visit>,
    /// Whether the car comes back to its depot, or stays where it went.
    pub(super) is_return: bool,
    pub(super) paper: Paper,
    pub(super) is_private: bool,
    pub(super) refuel: Refuel,
    /// What else there is to show for it.
    pub(super) permit: Option<Permit>,
    pub(super) fault: Option<ErrandFault>,
    /// The driver's report when arriving at the last stop.
    pub(super) report: Option<(ReportKind, &'static str)>,
    /// The story it belongs to: number of the event, story, and whether the night after it belongs to it too.
    pub(super) told: Option<Told>,
}

/// Where an errand stops, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    pub(super) place: usize,
    pub(super) dwell_s: i32,
}

/// The story that a piece of a day belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) event: u32,
    pub(super) story: Story,
    pub(super) is_overnight: bool,
}

/// What is on paper about an errand.
#[derive(Clone, Debug)]
pub(super) enum Paper {
    /// Nothing.
    None,
    /// One order.
    Order(Slip),
    /// The order of an earlier day covers it.
    Earlier,
    /// Three orders in a row for one journey.
    Split(Slip),
}

/// What a slip says.
#[derive(Clone, Debug)]
pub(super) struct Slip {
    /// The places on it: indexes into the county's.
    pub(super) named: Vec<usize>,
    pub(super) wording: Wording,
    pub(super) filed: Filed,
    pub(super) window: Window,
    pub(super) purpose: &'static str,
    /// The kilometres are typed with a digit too many.
    pub(super) is_mistyped: bool,
    pub(super) is_emergency: bool,
}

/// How places are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wording {
    Name,
    ShortName,
    /// Only the township.
    Township,
    OldName,
    /// 下乡.
    Vague,
}

/// When the order came into the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filed {
    Before,
    /// So many seconds after the departure.
    AfterDeparture(i32),
}

/// The planned time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    /// With the slack that people leave.
    Roomy,
    /// The return is planned so many seconds too early.
    TooShort(i32),
    /// As written, seconds of the day; beyond the day = the next one.
    Fixed(i32, i32),
}

/// Whether the tank is filled on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refuel {
    Never,
    IfLow,
    Always,
}

/// What besides an order lets a car out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    /// A duty roster.
    Roster(&'static str),
    /// A permission to open the seal (启封).
    OpenedSeal,
    /// A repair that was booked.
    Repair,
}

/// What the tracker suffers while an errand lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrandFault {
    /// No power, until after the return or only until the way back.
    Unplugged { until_return: bool },
    /// No position.
    Jammed,
    /// Silent in the tunnel and after it.
    Tunnel,
}

/// What the tracker suffers at a given time, seconds of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// No power: one report says so, then none.
    Silent { from_s: i32, to_s: i32 },
    /// Reports without a position.
    Jammed { from_s: i32, to_s: i32 },
    /// Positions wander while the car stands.
    Drift { from_s: i32, to_s: i32 },
    /// Silent from the first report without satellites until so long after the last.
    Tunnel { from_s: i32, to_s: i32, recovery_s: i32 },
}

/// A row of a ledger that belongs to a day, made out when the drives are known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Booking {
    /// An order without a trip.
    GhostOrder { out_s: i32, in_s: i32, place: usize },
    /// The litres of the day's fill as booked, 0.01 l.
    Litres { quantity_cl: u32 },
    /// A second fill with the card, so long after the first, at a station far away from the car.
    SecondFill { after_s: i32, quantity_cl: u32, away_from: usize },
    /// A repair on paper only.
    FalseRepair { from_s: i32, to_s: i32 },
    /// A toll on the plate of the car, which is in its depot.
    StrayToll { at_s: i32 },
    /// The driver's card of the day is that of a colleague.
    OtherCard,
}

/// A day that is being planned.
#[derive(Debug)]
pub(super) struct Agenda<'a> {
    pub(super) stage: &'a Stage,
    pub(super) car: usize,
    pub(super) of: &'a Car,
    pub(super) day: i64,
    /// Where the car stands in the morning.
    pub(super) at: usize,
    pub(super) depot: usize,
    pub(super) rng: Rng,
    pub(super) errands: Vec<Errand>,
    pub(super) faults: Vec<Fault>,
    pub(super) bookings: Vec<Booking>,
    /// Labels of times in which nothing is driven: from, to, seconds of the day.
    pub(super) told: Vec<(Told, i32, i32)>,
}

impl Errand {
    /// Without any paper, back to the depot.
    pub(super) const fn private(depart_s: i32, stops: Vec<Visit>) -> Self {
        Self {
            depart_s,
            stops,
            is_return: true,
            paper: Paper::None,
            is_private: true,
            refuel: Refuel::Never,
            permit: None,
            fault: None,
            report: None,
            told: None,
        }
    }

    /// Under an order that says what is done.
    pub(super) fn ordered(depart_s: i32, stops: Vec<Visit>, purpose: &'static str) -> Self {
        let named = stops.iter().map(|stop| stop.place).collect();
        let paper = Paper::Order(Slip::new(named, purpose));
        Self { paper, is_private: false, refuel: Refuel::IfLow, ..Self::private(depart_s, stops) }
    }

    /// The same with another slip.
    pub(super) fn with_slip(mut self, change: impl FnOnce(&mut Slip)) -> Self {
        if let Paper::Order(slip) | Paper::Split(slip) = &mut self.paper {
            change(slip);
        }
        self
    }

    /// The same as part of a story.
    pub(super) const fn told(mut self, told: Told) -> Self {
        self.told = Some(told);
        self
    }

    /// The same, but the car stays where it went.
    pub(super) const fn one_way(mut self) -> Self {
        self.is_return = false;
        self
    }
}

impl Slip {
    /// To these places, filed before, with the usual slack.
    pub(super) fn new(named: Vec<usize>, purpose: &'static str) -> Self {
        Self {
            named,
            wording: Wording::Name,
            filed: Filed::Before,
            window: Window::Roomy,
            purpose,
            is_mistyped: false,
            is_emergency: false,
        }
    }
}

impl Agenda<'_> {
    /// A moment between two times of the day.
    pub(super) fn time(&mut self, from_s: i32, to_s: i32) -> i32 {
        self.rng.between(f64::from(from_s), f64::from(to_s)) as i32
    }

    /// Seconds between two numbers of minutes.
    pub(super) fn minutes(&mut self, from: i32, to: i32) -> i32 {
        self.time(from * 60, to * 60)
    }

    /// A stop of so many minutes.
    pub(super) fn visit(&mut self, place: usize, from: i32, to: i32) -> Visit {
        Visit { place, dwell_s: self.minutes(from, to) }
    }

    /// When an errand is over, by a careful estimate.
    pub(super) fn end_s(&self, errand: &Errand) -> i32 {
        let (mut at, mut now_s) = (self.depot, errand.depart_s);
        for stop in &errand.stops {
            now_s += self.stage.way(at, stop.place).map_or(0, |(_, _, careful_s)| careful_s) + stop.dwell_s;
            at = stop.place;
        }
        if errand.is_return {
            now_s += self.stage.way(at, self.depot).map_or(0, |(_, _, careful_s)| careful_s);
        }
        now_s
    }

    /// Adds an errand when it can be over before midnight.
    pub(super) fn add(&mut self, errand: Errand) {
        if self.end_s(&errand) < LATEST_S {
            self.errands.push(errand);
        }
    }

    /// Drops what was planned from noon on, so that the evening is free.
    pub(super) fn clear_afternoon(&mut self) {
        self.errands.retain(|errand| errand.depart_s < hm(11, 0));
    }

    /// The ordinary errands of the day.
    pub(super) fn plan_ordinary(&mut self) {
        if self.at != self.depot {
            return;
        }
        match kind_of(self.day) {
            DayKind::Workday => self.plan_workday(),
            DayKind::Weekend => self.plan_rest_day(1.0),
            DayKind::Holiday if !is_sealed_class(self.of.class) => self.plan_rest_day(0.5),
            DayKind::Holiday => {}
        }
    }

    fn plan_workday(&mut self) {
        let is_patrol = self.of.class == CarClass::Enforcement;
        if !self.rng.chance(if is_patrol { 0.88 } else { 0.72 }) {
            return;
        }
        self.plan_morning();
        if self.rng.chance(if is_patrol { 0.75 } else { 0.5 }) {
            let depart_s = self.time(hm(14, 5), hm(15, 10));
            let errand = self.round(depart_s);
            self.add_duty(errand);
        }
        if is_patrol && self.rng.chance(0.05) {
            let depart_s = self.time(hm(19, 40), hm(20, 20));
            let mut errand = self.round(depart_s);
            errand.permit = Some(Permit::Roster("夜间巡查值班"));
            self.add(errand);
        }
    }

    /// A duty in the morning, back before noon or soon after.
    pub(super) fn plan_morning(&mut self) {
        let depart_s = self.time(hm(8, 20), hm(9, 30));
        let errand = self.round(depart_s);
        self.add_duty(errand);
    }

    fn plan_rest_day(&mut self, share: f64) {
        let duty = match self.of.class {
            CarClass::Enforcement => 0.25,
            CarClass::Emergency => 0.08,
            _ => 0.015,
        };
        if self.rng.chance(duty * share) {
            let depart_s = self.time(hm(8, 40), hm(10, 20));
            let mut errand = self.round(depart_s);
            errand.permit = Some(Permit::Roster("节假日值班"));
            self.add_duty(errand);
        }
    }

    /// Adds a duty if it leaves the evening free and the duty before it time to come back.
    fn add_duty(&mut self, errand: Errand) {
        let is_free = self.errands.last().is_none_or(|last| self.end_s(last) + 1_800 < errand.depart_s);
        if is_free && !errand.stops.is_empty() && self.end_s(&errand) < EVENING_S {
            self.errands.push(errand);
        }
    }

    /// An ordinary duty: to one or more places and back.
    pub(super) fn round(&mut self, depart_s: i32) -> Errand {
        let is_patrol = self.of.class == CarClass::Enforcement;
        let count = if is_patrol { 2 + self.rng.below(2) } else { 1 + self.rng.below(2) };
        let (mut at, mut stops) = (self.depot, Vec::new());
        if self.of.class == CarClass::Other && depart_s < hm(10, 0) && self.rng.chance(0.03) {
            stops.extend(self.pick_near(at, PlaceKind::OutOfCounty));
        }
        while stops.len() < count {
            let kind = self.destination();
            let Some(place) = self.pick_near(at, kind).filter(|place| !stops.contains(place)) else { break };
            stops.push(place);
            at = place;
        }
        // The way home must be worth driving too.
        if stops.last().is_some_and(|last| !self.stage.is_worth_driving(*last, self.depot)) {
            stops.truncate(1);
        }
        let visits = stops
            .into_iter()
            .map(|place| if is_patrol { self.visit(place, 6, 18) } else { self.visit(place, 18, 75) })
            .collect();
        let purpose = self.purpose();
        let wording = match self.rng.below(100) {
            0..3 => Wording::Vague,
            3..8 => Wording::Township,
            8..30 => Wording::ShortName,
            _ => Wording::Name,
        };
        Errand::ordered(depart_s, visits, purpose).with_slip(|slip| slip.wording = wording)
    }

    /// The nearer of two places of a kind that are worth driving to.
    pub(super) fn pick_near(&mut self, from: usize, kind: PlaceKind) -> Option<usize> {
        let all = self.stage.reachable(from, kind);
        let two = [self.rng.pick(&all).copied()?, self.rng.pick(&all).copied()?];
        self.stage.nearest(from, two)
    }

    /// What kind of place this class of car is usually sent to.
    fn destination(&mut self) -> PlaceKind {
        use PlaceKind::{Hospital, Market, Office, School, Village};
        let usual: &[PlaceKind] = match self.of.class {
            CarClass::Confidential => &[Office],
            CarClass::Emergency => &[Village, Village, Office, Hospital, Market],
            CarClass::Enforcement => &[Village, Market, Office, School, Village],
            CarClass::Technical => &[Village, Village, Village, Office],
            CarClass::Other => &[Office, Office, Village, Village, Hospital],
        };
        self.rng.pick(usual).copied().unwrap_or(Office)
    }

    pub(super) fn purpose(&mut self) -> &'static str {
        let usual: &[&'static str] = match self.of.class {
            CarClass::Confidential => &["送机要文件", "取机要文件"],
            CarClass::Emergency => &["应急检查", "防汛检查", "接访处置", "送物资"],
            CarClass::Enforcement => &["执法巡查", "现场检查", "案件调查", "联合执法"],
            CarClass::Technical => &["现场勘测", "设备检修", "采样监测"],
            CarClass::Other => &["下乡调研", "参加会议", "项目检查", "公务接待", "送文件"],
        };
        self.rng.pick(usual).copied().unwrap_or("公务")
    }
}

/// Cars that are sealed on holidays: those that keep no service going.
pub(super) const fn is_sealed_class(class: CarClass) -> bool {
    !matches!(class, CarClass::Enforcement | CarClass::Emergency)
}
