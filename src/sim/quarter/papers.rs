//! What people and other systems write about a day that was driven: orders, rosters, fuel, tolls, readings, and the truth.

use std::ops::Range;

use motorpool_supervision::UtcMillis;
use motorpool_supervision::ids::{UnitId, VehicleId, ZoneId};
use motorpool_supervision::register::{
    Approval, DriverLogin, Duty, FuelFill, Mileage, Order, OrderState, Passage, PassageKind, PlaceText,
    Repair, Report, Seal, SealKind, Span, Stamp, StampKind, Versioned,
};

use super::agenda::{Agenda, Booking, Errand, Filed, Paper, Permit, Slip, Told, Window, Wording};
use super::almanac::{date_of, hm, instant};
use super::device::Profile;
use super::names;
use super::register::{TOLL_NAME, TOLL_SPOT, ZONE_REGION};
use super::stage::{Stage, position};
use super::story::Label;
use super::{unit_id, vehicle_id};
use crate::sim::car::Sample;
use crate::sim::county::PlaceKind;
use crate::sim::rng::Rng;
use crate::sim::schedule::{State, weekday};

/// Of a roomy order people come back later than planned in this share.
const LATE_SHARE: f64 = 0.05;
/// Price of a litre, 0.01 yuan.
const FEN_PER_LITRE: i64 = 768;

/// An errand with its true times, seconds of the day.
#[derive(Clone, Debug)]
pub(super) struct DrivenErrand<'a> {
    pub(super) errand: &'a Errand,
    /// Its drives in the plan of the day.
    pub(super) legs: Range<usize>,
    pub(super) begin_s: i32,
    pub(super) end_s: i32,
    /// Arrival at the last stop before the way back.
    pub(super) last_arrival_s: i32,
    /// Begin and end of the last drive.
    pub(super) way_back_s: (i32, i32),
    /// When the next errand of the day begins.
    pub(super) next_begin_s: Option<i32>,
    pub(super) odometer_out_m: f64,
    pub(super) odometer_in_m: f64,
    /// A fill and when the car arrived for it.
    pub(super) fill: Option<(Fill, i32)>,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) is_out_of_county: bool,
}

/// Fuel taken on the way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill {
    /// The drive that led there.
    pub(super) leg: usize,
    pub(super) station: usize,
    pub(super) quantity_cl: u32,
    pub(super) odometer_m: f64,
}

/// Rows while they are collected; their numbers are given at the end.
#[derive(Debug, Default)]
pub(super) struct Papers {
    pub(super) orders: Vec<Versioned<Order>>,
    pub(super) duties: Vec<Versioned<Duty>>,
    pub(super) seals: Vec<Versioned<Seal>>,
    pub(super) reports: Vec<Versioned<Report>>,
    pub(super) fills: Vec<Versioned<FuelFill>>,
    pub(super) passages: Vec<Versioned<Passage>>,
    pub(super) repairs: Vec<Versioned<Repair>>,
    pub(super) logins: Vec<Versioned<DriverLogin>>,
    pub(super) mileages: Vec<Versioned<Mileage>>,
    pub(super) labels: Vec<Label>,
}

impl Papers {
    /// Writes up a day of a car.
    pub(super) fn day(
        &mut self,
        stage: &Stage,
        agenda: &Agenda<'_>,
        profile: Profile,
        errands: &[DrivenErrand<'_>],
        rng: &mut Rng,
    ) {
        let mut clerk = Clerk { papers: self, stage, agenda, rng, taken_until_s: 0 };
        for driven in errands {
            clerk.order(driven);
            clerk.permit(driven);
            clerk.fuel(driven);
            clerk.report(driven);
            if profile.has_card_reader && !driven.errand.is_private {
                clerk.logins(driven);
            }
            if let Some(told) = driven.errand.told {
                let to_s = if told.is_overnight { hm(30, 0) } else { driven.end_s };
                clerk.label(told, driven.begin_s, to_s);
            }
        }
        clerk.booked();
        for (told, from_s, to_s) in &agenda.told {
            clerk.label(*told, *from_s, *to_s);
        }
    }

    /// The weekly reading of the odometer, Monday before the car leaves.
    pub(super) fn reading(
        &mut self,
        stage: &Stage,
        car: usize,
        day: i64,
        state: &State,
        depart_s: Option<i32>,
    ) {
        let at_s = hm(6, 50);
        if weekday(day) != 0 || depart_s.is_some_and(|depart_s| depart_s < at_s + 600) {
            return;
        }
        let at = instant(day, at_s);
        let row = Mileage {
            vehicle: vehicle_id(car),
            at,
            odometer_m: whole_km(state.odometer_m),
            place: Some(stage.position(state.at)),
        };
        self.mileages.push(Versioned::first(0, instant(day, hm(9, 0)), row));
    }

    /// The toll station on the way to the next city and back.
    pub(super) fn toll(&mut self, car: usize, samples: &[Sample], rng: &mut Rng) {
        const NEAR_M: f64 = 600.0;
        let mut nearest: Option<(f64, UtcMillis)> = None;
        let mut passed = Vec::new();
        for sample in samples {
            let off_m = sample.truth.distance(TOLL_SPOT);
            if off_m < NEAR_M {
                if nearest.is_none_or(|(least_m, _)| off_m < least_m) {
                    nearest = Some((off_m, sample.fix.fix_time));
                }
            } else {
                passed.extend(nearest.take());
            }
        }
        for (_, at) in passed {
            self.passage(car, UtcMillis(at.0 + rng.between(-15_000.0, 25_000.0) as i64));
        }
    }

    fn passage(&mut self, car: usize, at: UtcMillis) {
        let row = Passage {
            vehicle: vehicle_id(car),
            stamp: Stamp { at, kind: StampKind::Transaction },
            kind: PassageKind::Toll,
            place: PlaceText { text: TOLL_NAME.to_owned(), at: Some(position(TOLL_SPOT)) },
            amount_fen: 2_500,
            voucher: voucher('T', at),
        };
        self.passages.push(Versioned::first(0, UtcMillis(at.0 + 86_400_000), row));
    }
}

/// Writes the papers of one day.
struct Clerk<'a, 'b> {
    papers: &'a mut Papers,
    stage: &'a Stage,
    agenda: &'a Agenda<'b>,
    rng: &'a mut Rng,
    /// Until when the orders of the day so far hold.
    taken_until_s: i32,
}

impl Clerk<'_, '_> {
    fn at(&self, second: i32) -> UtcMillis {
        instant(self.agenda.day, second)
    }

    fn unit(&self) -> UnitId {
        unit_id(self.agenda.of.unit)
    }

    fn vehicle(&self) -> VehicleId {
        vehicle_id(self.agenda.car)
    }

    fn between(&mut self, low: i32, high: i32) -> i32 {
        self.rng.between(f64::from(low), f64::from(high)) as i32
    }

    fn order(&mut self, driven: &DrivenErrand<'_>) {
        match &driven.errand.paper {
            Paper::None | Paper::Earlier => {}
            Paper::Order(slip) => {
                let (out_s, in_s) = self.window(slip, driven);
                self.taken_until_s = in_s;
                let recorded = self.recorded(slip, driven.begin_s, out_s);
                let mut order = self.slip(slip, driven.is_out_of_county, (out_s, in_s), recorded);
                self.settle(&mut order, slip, driven);
                self.file(order, recorded);
            }
            Paper::Split(slip) => {
                let parts = [(hm(7, 50), hm(11, 50)), (hm(12, 0), hm(15, 50)), (hm(16, 0), hm(19, 30))];
                let recorded = self.recorded(slip, driven.begin_s, hm(7, 50));
                let user = names::user(self.agenda.of.unit, self.rng.below(8));
                for part in parts {
                    let mut order = self.slip(slip, driven.is_out_of_county, part, recorded);
                    // It is one journey of one person.
                    (order.user, order.applicant) = (user.clone(), user.clone());
                    order.remarks = "半日内, 本单位审批".to_owned();
                    self.file(order, recorded);
                }
            }
        }
    }

    /// Planned departure and return as people write them.
    fn window(&mut self, slip: &Slip, driven: &DrivenErrand<'_>) -> (i32, i32) {
        let down = |second: i32, step: i32| second - second.rem_euclid(step);
        let lead_s = self.between(0, 20 * 60);
        let mut out_s = down(driven.begin_s - lead_s, 600).max(self.taken_until_s).min(driven.begin_s);
        let slack_s = self.between(5 * 60, 50 * 60);
        let in_s = match slip.window {
            Window::Roomy if driven.end_s - driven.begin_s > 5_400 && self.rng.chance(LATE_SHARE) => {
                down(driven.end_s - self.between(300, 1_500), 300)
            }
            Window::Roomy => down(driven.end_s + slack_s, 600).max(driven.end_s + 60),
            Window::TooShort(by_s) => down(driven.end_s - by_s, 60),
            Window::Fixed(begin_s, end_s) => {
                out_s = begin_s.min(driven.begin_s);
                end_s.max(driven.end_s)
            }
        };
        let in_s = driven.next_begin_s.map_or(in_s, |next_s| in_s.min(next_s));
        (out_s, in_s.max(out_s + 600))
    }

    /// When the order came into the system.
    fn recorded(&mut self, slip: &Slip, begin_s: i32, out_s: i32) -> i32 {
        match slip.filed {
            Filed::AfterDeparture(by_s) => begin_s + by_s,
            Filed::Before if self.rng.chance(0.3) => out_s.min(begin_s) - self.between(hm(14, 0), hm(20, 0)),
            Filed::Before => out_s.min(begin_s) - self.between(hm(0, 12), hm(4, 0)),
        }
    }

    fn slip(
        &mut self,
        slip: &Slip,
        is_out_of_county: bool,
        (out_s, in_s): (i32, i32),
        recorded_s: i32,
    ) -> Order {
        let (unit, car) = (self.agenda.of.unit, self.agenda.car);
        let user = names::user(unit, self.rng.below(8));
        let places = slip
            .named
            .iter()
            .map(|place| PlaceText { text: names::written(self.stage, *place, slip.wording), at: None });
        let number = self.papers.orders.len() + 1;
        Order {
            no: format!("PC{:06}", number),
            unit: unit_id(unit),
            vehicle: vehicle_id(car),
            applicant: user.clone(),
            user,
            phone: names::phone(unit),
            driver: names::driver(car),
            driver_id: Some(names::driver_id(car)),
            dispatcher: names::dispatcher(unit),
            approvals: vec![Approval {
                by: names::approver(unit),
                at: Some(self.at(recorded_s - 240)),
                opinion: "同意".to_owned(),
            }],
            passengers: Some(1 + self.rng.below(4) as u16),
            purpose: slip.purpose.to_owned(),
            departure: PlaceText { text: self.stage.name(self.agenda.depot).to_owned(), at: None },
            destinations: places.collect(),
            area: is_out_of_county.then_some(ZoneId(ZONE_REGION)),
            planned_out: self.at(out_s),
            planned_in: self.at(in_s),
            applied_at: Some(self.at(recorded_s - 900)),
            entered_at: Some(self.at(recorded_s)),
            state: OrderState::Approved,
            is_emergency: slip.is_emergency,
            ..Order::default()
        }
    }

    /// What is written on the slip after the return.
    fn settle(&self, order: &mut Order, slip: &Slip, driven: &DrivenErrand<'_>) {
        let minutes = |second: i32| second - second.rem_euclid(300);
        order.actual_out = Some(self.at(minutes(driven.begin_s)));
        order.odometer_out_m = Some(whole_km(driven.odometer_out_m));
        if order.planned_in >= self.at(hm(24, 0)) {
            // A journey of days is settled when it is over, and that is another day's paper.
            return;
        }
        let (out_m, in_m) = (whole_km(driven.odometer_out_m), whole_km(driven.odometer_in_m));
        let in_m = if slip.is_mistyped { in_m + 100_000 } else { in_m };
        order.state = OrderState::Settled;
        order.odometer_in_m = Some(in_m);
        order.distance_m = Some(in_m.saturating_sub(out_m));
        order.actual_in = Some(self.at(minutes(driven.end_s + 299)));
        if let Some((fill, _)) = driven.fill {
            let text = names::written(self.stage, fill.station, Wording::Name);
            order.via.push(PlaceText { text, at: None });
            "途中加油".clone_into(&mut order.remarks);
        }
    }

    fn file(&mut self, order: Order, recorded_s: i32) {
        let by = names::dispatcher(self.agenda.of.unit);
        let mut row = Versioned::first(0, self.at(recorded_s), order);
        row.recorded_by = by;
        self.papers.orders.push(row);
    }

    /// What was booked although nothing was driven for it.
    fn booked(&mut self) {
        for booking in &self.agenda.bookings {
            match *booking {
                Booking::GhostOrder { out_s, in_s, place } => {
                    let slip = Slip::new(vec![place], "下乡调研");
                    let recorded = self.recorded(&slip, out_s, out_s);
                    let order = self.slip(&slip, false, (out_s, in_s), recorded);
                    self.file(order, recorded);
                }
                Booking::FalseRepair { from_s, to_s } => self.false_repair(from_s, to_s),
                Booking::StrayToll { at_s } => self.papers.passage(self.agenda.car, self.at(at_s)),
                Booking::Litres { .. } | Booking::SecondFill { .. } | Booking::OtherCard => {}
            }
        }
    }

    fn false_repair(&mut self, from_s: i32, to_s: i32) {
        let Some(shop) = self.stage.county.places_of(PlaceKind::RepairShop).next() else { return };
        let (from, to) = (self.at(from_s), self.at(to_s));
        let row = Repair {
            to: Some(Stamp { at: to, kind: StampKind::Transaction }),
            odometer_m: None,
            ..self.repair_row(shop, from)
        };
        self.papers.repairs.push(Versioned::first(0, to, row).during(Span::new(from, to)));
    }

    fn permit(&mut self, driven: &DrivenErrand<'_>) {
        let span = Span::new(self.at(driven.begin_s - 2_400), self.at(driven.end_s + 3_600));
        let before = self.at(driven.begin_s - hm(18, 0));
        match driven.errand.permit {
            None => {}
            Some(Permit::Roster(what)) => {
                let row = Duty {
                    unit: self.unit(),
                    vehicle: Some(self.vehicle()),
                    person: names::driver(self.agenda.car),
                    what: what.to_owned(),
                };
                self.papers.duties.push(Versioned::first(0, before, row).during(span));
            }
            Some(Permit::OpenedSeal) => {
                let row = Seal {
                    vehicle: self.vehicle(),
                    kind: SealKind::Opened,
                    place: None,
                    key_keeper: names::dispatcher(self.agenda.of.unit),
                    approved_by: names::approver(self.agenda.of.unit),
                    approval_no: format!("启封{:04}", self.papers.seals.len() + 1),
                    reason: "节日期间紧急公务".to_owned(),
                };
                self.papers.seals.push(Versioned::first(0, before, row).during(span));
            }
            Some(Permit::Repair) => self.repair(driven),
        }
        self.fetch(driven);
    }

    fn repair(&mut self, driven: &DrivenErrand<'_>) {
        let from = self.at(driven.end_s + 300);
        let odometer_m = Some(whole_km(driven.odometer_in_m));
        let row = Repair { odometer_m, ..self.repair_row(driven.to, from) };
        let span = Span { from, to: None };
        self.papers.repairs.push(Versioned::first(0, from, row).during(span));
    }

    fn repair_row(&self, shop: usize, from: UtcMillis) -> Repair {
        Repair {
            vehicle: self.vehicle(),
            shop: PlaceText { text: self.stage.name(shop).to_owned(), at: None },
            from: Stamp { at: from, kind: StampKind::Transaction },
            what: "更换制动片, 保养".to_owned(),
            amount_fen: 128_000,
            no: format!("WX{:04}", self.papers.repairs.len() + 1),
            ..Repair::default()
        }
    }

    /// Fetched from the shop: the open repair ends.
    fn fetch(&mut self, driven: &DrivenErrand<'_>) {
        let from = self.stage.county.places.get(driven.from);
        if from.is_none_or(|place| place.kind != PlaceKind::RepairShop) {
            return;
        }
        let (vehicle, at) = (self.vehicle(), self.at(driven.begin_s - 300));
        if let Some(open) = self
            .papers
            .repairs
            .iter_mut()
            .rev()
            .find(|row| row.row.vehicle == vehicle && row.row.to.is_none())
        {
            open.row.to = Some(Stamp { at, kind: StampKind::Transaction });
            open.valid.to = Some(at);
        }
    }

    fn fuel(&mut self, driven: &DrivenErrand<'_>) {
        let Some((fill, arrived_s)) = driven.fill else { return };
        let at_s = arrived_s + self.between(110, 230);
        // Not every tank is filled to the same brim.
        let full_cl = self.agenda.of.tank_l * 98.0;
        let mut quantity_cl =
            (f64::from(fill.quantity_cl) * self.rng.between(0.96, 1.03)).min(full_cl) as u32;
        for booking in &self.agenda.bookings {
            if let Booking::Litres { quantity_cl: booked } = booking {
                quantity_cl = *booked;
            }
        }
        self.book_fill(at_s, fill.station, quantity_cl, Some(whole_km(fill.odometer_m)));
        for booking in &self.agenda.bookings {
            let Booking::SecondFill { after_s, quantity_cl, away_from } = *booking else { continue };
            let stations = self.stage.county.places_of(PlaceKind::FuelStation);
            let far = |station: &usize| {
                let off = |place: usize| self.stage.apart_m(*station, place);
                off(away_from).min(off(self.agenda.depot))
            };
            let farthest = stations.max_by(|a, b| far(a).total_cmp(&far(b)));
            if let Some(station) = farthest {
                self.book_fill(at_s + after_s, station, quantity_cl, None);
            }
        }
    }

    fn book_fill(&mut self, at_s: i32, station: usize, quantity_cl: u32, odometer_m: Option<u32>) {
        let at = self.at(at_s);
        let row = FuelFill {
            vehicle: self.vehicle(),
            stamp: Stamp { at, kind: StampKind::Transaction },
            card_vehicle: None,
            card: names::fuel_card(self.agenda.car),
            station: PlaceText { text: self.stage.name(station).to_owned(), at: None },
            quantity_cl,
            grade: "92".to_owned(),
            amount_fen: i64::from(quantity_cl) * FEN_PER_LITRE / 100,
            odometer_m,
            voucher: voucher('F', at),
        };
        self.papers.fills.push(Versioned::first(0, UtcMillis(at.0 + 3_600_000), row));
    }

    fn report(&mut self, driven: &DrivenErrand<'_>) {
        let Some((kind, text)) = driven.errand.report else { return };
        let at = self.at(driven.last_arrival_s + 300);
        let place = driven.errand.stops.last().map(|stop| self.stage.position(stop.place));
        let driver = names::driver(self.agenda.car);
        let row = Report { vehicle: self.vehicle(), driver, kind, at, place, text: text.to_owned() };
        self.papers.reports.push(Versioned::first(0, at, row));
    }

    fn logins(&mut self, driven: &DrivenErrand<'_>) {
        // The colleague is the driver of the car before; the first car has the second's.
        let is_other = self.agenda.bookings.iter().any(|booking| matches!(booking, Booking::OtherCard));
        let car = self.agenda.car;
        let whose = if is_other { car.checked_sub(1).unwrap_or(1) } else { car };
        for (second, is_in) in [(driven.begin_s - 45, true), (driven.end_s + 40, false)] {
            let at = self.at(second);
            let row = DriverLogin {
                vehicle: self.vehicle(),
                at,
                is_in,
                card: names::driver_card(whose),
                name: names::driver(whose),
            };
            self.papers.logins.push(Versioned::first(0, at, row));
        }
    }

    /// Adds to the label of the day and event, or begins it.
    fn label(&mut self, told: Told, from_s: i32, to_s: i32) {
        let (vehicle, day) = (self.vehicle(), date_of(self.agenda.day));
        let (from, to) = (self.at(from_s), self.at(to_s));
        let same =
            |label: &&mut Label| label.vehicle == vehicle && label.day == day && label.event == told.event;
        if let Some(label) = self.papers.labels.iter_mut().rev().take(4).find(same) {
            label.from = label.from.min(from);
            label.to = label.to.max(to);
            return;
        }
        self.papers.labels.push(Label {
            vehicle,
            day,
            event: told.event,
            kind: told.story.kind(),
            story: told.story,
            rules_expected: told.story.rules_expected().to_vec(),
            from,
            to,
        });
    }
}

/// Number of a voucher, from the time at which it was printed.
fn voucher(letter: char, at: UtcMillis) -> String {
    format!("{letter}{:010}", at.0 / 1_000 % 10_000_000_000)
}

/// An odometer as people read it: whole kilometres, in metres.
fn whole_km(odometer_m: f64) -> u32 {
    (odometer_m / 1_000.0).floor() as u32 * 1_000
}
