//! Who plays which story when: events are spread over cars and days before anything is driven.

use std::collections::BTreeMap;

use super::almanac::{DayKind, Holiday, is_workday, kind_of};
use super::stage::{Stage, UNITS_BY_HOUSING};
use super::story::{Kind, Story};
use super::{Period, Rate};
use crate::sim::county::CarClass;
use crate::sim::rng::Rng;
use crate::sim::schedule::weekday;

/// Events of one car are at least so many days apart.
const APART_DAYS: i64 = 3;
/// By then every car has been driven, days.
const HEARD_OF_DAYS: i64 = 7;
/// Events of each story in an enriched quarter.
const ENRICHED_EVENTS: usize = 5;
/// Events of each story in a quarter that is to be shown.
const DEMO_EVENTS: usize = 2;
/// What goes on for longer is seen after so many days.
const SEEN_AFTER_DAYS: i64 = 9;
/// A quarter of 253 cars as Funing counted it: 43 clues, of which 4 violations and 9 management problems.
const REAL_VIOLATIONS: usize = 4;
const REAL_MANAGEMENT: usize = 9;
const REAL_NORMAL: usize = 30;

/// A story of a car on some days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// From 1.
    pub(super) number: u32,
    pub(super) story: Story,
    pub(super) car: usize,
    pub(super) first_day: i64,
}

impl Event {
    const fn last_day(&self) -> i64 {
        self.first_day + self.story.days() - 1
    }
}

/// All events of a quarter.
#[derive(Clone, Debug, Default)]
pub(super) struct Cast {
    events: Vec<Event>,
    by_car: BTreeMap<usize, Vec<usize>>,
}

impl Cast {
    pub(super) fn new(stage: &Stage, period: &Period, cars: usize, rate: Rate, seed: u64) -> Self {
        let mut rng = Rng::keyed(&[seed, 32]);
        let mut cast = Self::default();
        for story in stories(rate, &mut rng) {
            cast.place(story, stage, period, cars, &mut rng);
        }
        cast
    }

    /// The events of a car.
    pub(super) fn of(&self, car: usize) -> impl Iterator<Item = &Event> {
        self.by_car.get(&car).into_iter().flatten().filter_map(|at| self.events.get(*at))
    }

    /// The event of a car on a day, and the how-manieth of its days that is, from 0.
    pub(super) fn on(&self, car: usize, day: i64) -> Option<(Event, i64)> {
        self.of(car)
            .find(|event| (event.first_day..=event.last_day()).contains(&day))
            .map(|event| (*event, day - event.first_day))
    }

    /// Gives a story to a car that has few, on days that suit; drops it when nobody can play it.
    fn place(&mut self, story: Story, stage: &Stage, period: &Period, cars: usize, rng: &mut Rng) {
        let number = self.events.last().map_or(1, |event| event.number + 1);
        let days = days(story, number, period);
        for car in self.candidates(story, stage, cars, rng) {
            let free: Vec<i64> = days.iter().copied().filter(|day| self.is_free(car, story, *day)).collect();
            let Some(first_day) = rng.pick(&free).copied() else { continue };
            let event = Event { number, story, car, first_day };
            if story == Story::Gathering {
                let Some(other) = self.partner(&event, stage, cars, rng) else { continue };
                self.give(Event { car: other, ..event });
            }
            self.give(event);
            return;
        }
    }

    fn give(&mut self, event: Event) {
        self.by_car.entry(event.car).or_default().push(self.events.len());
        self.events.push(event);
    }

    /// Cars that can play a story, those with the fewest events first.
    fn candidates(&self, story: Story, stage: &Stage, cars: usize, rng: &mut Rng) -> Vec<usize> {
        let mut candidates: Vec<(usize, u64, usize)> = (0..cars)
            .filter(|car| is_fit(story, stage, *car))
            .map(|car| (self.of(car).count(), rng.bits(), car))
            .collect();
        candidates.sort_unstable();
        candidates.into_iter().map(|(_, _, car)| car).collect()
    }

    /// A car of another unit that is free on the same day.
    fn partner(&self, event: &Event, stage: &Stage, cars: usize, rng: &mut Rng) -> Option<usize> {
        let unit = |car: usize| stage.county.cars.get(car).map(|of| of.unit);
        self.candidates(event.story, stage, cars, rng)
            .into_iter()
            .filter(|car| unit(*car) != unit(event.car))
            .find(|car| self.is_free(*car, event.story, event.first_day))
    }

    /// Whether a story that begins on a day stays clear of the other events of a car.
    fn is_free(&self, car: usize, story: Story, day: i64) -> bool {
        self.of(car).all(|event| {
            day + story.days() - 1 + APART_DAYS < event.first_day || event.last_day() + APART_DAYS < day
        })
    }
}

/// The days on which a story can begin. Before a show, one of two events of each story and all long ones are told already.
fn days(story: Story, number: u32, period: &Period) -> Vec<i64> {
    let all: Vec<i64> = (period.first..=period.last).filter(|day| suits(story, *day, period)).collect();
    let Some(show) = period.shown.filter(|_| number % 2 == 1 || story.days() > SEEN_AFTER_DAYS) else {
        return all;
    };
    let seen_after = story.days().min(SEEN_AFTER_DAYS);
    let before: Vec<i64> = all.iter().copied().filter(|day| day + seen_after < show).collect();
    if before.is_empty() { all } else { before }
}

/// The stories of a quarter, those with the narrowest choice of days first.
fn stories(rate: Rate, rng: &mut Rng) -> Vec<Story> {
    let each = |times: usize| (0..times).flat_map(|_| Story::ALL.iter().copied()).collect();
    let mut list: Vec<Story> = match rate {
        Rate::Enriched => each(ENRICHED_EVENTS),
        // Side by side: what differs from one event to the next differs between the two.
        Rate::Demo => Story::ALL.iter().flat_map(|story| std::iter::repeat_n(*story, DEMO_EVENTS)).collect(),
        Rate::Real => {
            let mut take = |kind: Kind, count: usize| {
                let mut all: Vec<(u64, Story)> = Story::of(kind).map(|story| (rng.bits(), story)).collect();
                all.sort_unstable();
                all.into_iter().map(|(_, story)| story).cycle().take(count).collect::<Vec<Story>>()
            };
            let mut list = take(Kind::Violation, REAL_VIOLATIONS);
            list.extend(take(Kind::Management, REAL_MANAGEMENT));
            list.extend(take(Kind::Normal, REAL_NORMAL));
            list
        }
    };
    let is_narrow =
        |story: &Story| matches!(story, Story::SealedMoved | Story::OpenedSeal | Story::FloodDuty);
    list.sort_by_key(|story| (!is_narrow(story), std::cmp::Reverse(story.days())));
    list
}

/// Whether a car can play a story at all.
fn is_fit(story: Story, stage: &Stage, car: usize) -> bool {
    let Some(of) = stage.county.cars.get(car) else { return false };
    let is_township = stage.county.units.get(of.unit).is_some_and(|unit| unit.is_township);
    let is_underground = stage.county.places.get(stage.depot(car)).is_some_and(|depot| depot.is_underground);
    match story {
        Story::Unplugged | Story::WiringFault | Story::NightDrift => !is_underground,
        Story::FuelCardElsewhere => of.tank_l >= 64.0,
        Story::DepotByHousing => UNITS_BY_HOUSING.contains(&of.unit),
        Story::NightPatrol => of.class == CarClass::Enforcement,
        Story::FloodDuty => of.class == CarClass::Emergency || of.class == CarClass::Enforcement,
        Story::SealedMoved | Story::OpenedSeal => super::agenda::is_sealed_class(of.class),
        // The evening there and back must fit, and the estate is in the seat.
        Story::OffHoursErrand | Story::SchoolRun | Story::CommutingHome | Story::Gathering => !is_township,
        // Cars that are not exempt.
        Story::AllowanceTrip => !matches!(of.class, CarClass::Confidential | CarClass::Enforcement),
        _ => true,
    }
}

/// Whether a story can begin on a day.
fn suits(story: Story, day: i64, period: &Period) -> bool {
    // A day of margin on both sides for paper that is written before or after.
    if day <= period.first || day + story.days() >= period.last {
        return false;
    }
    let span = day..day + story.days();
    let is_plain = |days: std::ops::Range<i64>| days.into_iter().all(|day| kind_of(day) != DayKind::Holiday);
    match story {
        Story::WeekendScenic | Story::DutyWeekend => kind_of(day) == DayKind::Weekend,
        Story::SealedMoved | Story::OpenedSeal => {
            period.holidays.iter().any(|Holiday { first, last, .. }| (*first..=*last).contains(&day))
        }
        Story::FloodDuty => (period.flood.0..period.flood.1).contains(&day),
        Story::SchoolRun | Story::CommutingHome | Story::OvernightAtHome | Story::Borrowed => {
            weekday(day) == 0 && is_workday(day) && is_plain(span)
        }
        Story::InRepair | Story::MultiDayOrder | Story::ForgotDepot => span.into_iter().all(is_workday),
        // A declared emergency, which ends at noon of the day after its last, permits such a trip: it would be no violation.
        Story::AllowanceTrip => is_workday(day) && !(period.flood.0..=period.flood.1 + 1).contains(&day),
        // A car must have been heard of before anybody can say that it did not leave.
        Story::FalseOrder => is_workday(day) && day >= period.first + HEARD_OF_DAYS,
        _ => is_workday(day),
    }
}
