//! The days of the stories that are a matter of management, or in order although they look odd.

use motorpool_supervision::register::ReportKind;

use super::agenda::{
    Agenda, Booking, Errand, ErrandFault, Fault, Filed, Paper, Permit, Refuel, Told, Visit, Window, Wording,
};
use super::almanac::{hm, is_workday};
use super::story::Story;
use super::violations::near;
use crate::sim::county::PlaceKind;

/// Writes day `nth` (from 0) of a story into the agenda. The ordinary errands are there already.
pub(super) fn play(day: &mut Agenda<'_>, told: Told, nth: i64) {
    match told.story {
        Story::OverrunTwoHours => overrun(day, told, hm(2, 0)),
        Story::OverrunShort => overrun(day, told, hm(0, 40)),
        Story::LateFiling => late_filing(day, told),
        Story::ForgotDepot => forgot_depot(day, told, nth),
        Story::WiringFault => wiring_fault(day, told),
        Story::MileageTyped => mileage_typed(day, told),
        Story::OtherDriver => {
            let depart_s = day.time(hm(8, 30), hm(9, 30));
            day.errands.clear();
            if let Some(errand) = duty(day, depart_s, (40, 90)) {
                day.add(errand.told(told));
                day.bookings.push(Booking::OtherCard);
            }
        }
        Story::ClonedPlate => {
            day.errands.clear();
            let at_s = day.time(hm(9, 30), hm(16, 0));
            day.bookings.push(Booking::StrayToll { at_s });
            day.told.push((told, at_s - 600, at_s + 600));
        }
        Story::FloodDuty => flood_duty(day, told, nth),
        Story::TunnelGap => tunnel_gap(day, told),
        Story::NightDrift => night_drift(day, told),
        Story::InRepair => in_repair(day, told, nth),
        Story::DutyWeekend => duty_weekend(day, told),
        Story::NightPatrol => night_patrol(day, told),
        Story::HospitalReported => hospital_reported(day, told),
        Story::AliasPlace => alias_place(day, told),
        Story::MultiDayOrder => multi_day_order(day, told, nth),
        Story::OpenedSeal => opened_seal(day, told),
        Story::DepotByHousing => day.told.push((told, hm(20, 0), hm(30, 0))),
        Story::HourlyHeartbeat | Story::SleepingTracker | Story::NoIgnitionWire | Story::MinuteTracker => {
            day.errands.clear();
            day.plan_morning();
            day.told.push((told, 0, hm(24, 0)));
        }
        _ => {}
    }
}

/// An errand to a village or, when none fits, an office.
fn duty(day: &mut Agenda<'_>, depart_s: i32, stay_min: (i32, i32)) -> Option<Errand> {
    let mut places = near(day, PlaceKind::Village, 2_000.0, 14_000.0);
    if places.is_empty() {
        places = day.stage.reachable(day.depot, PlaceKind::Office);
    }
    let place = day.rng.pick(&places).copied()?;
    let stop = day.visit(place, stay_min.0, stay_min.1);
    let purpose = day.purpose();
    Some(Errand::ordered(depart_s, vec![stop], purpose))
}

fn overrun(day: &mut Agenda<'_>, told: Told, by_s: i32) {
    day.errands.clear();
    let depart_s = day.time(hm(13, 20), hm(13, 50));
    let Some(errand) = duty(day, depart_s, (200, 225)) else { return };
    day.add(errand.with_slip(|slip| slip.window = Window::TooShort(by_s)).told(told));
}

fn late_filing(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let depart_s = day.time(hm(9, 0), hm(10, 0));
    let filed_s = day.minutes(180, 420);
    let Some(errand) = duty(day, depart_s, (40, 90)) else { return };
    day.add(errand.with_slip(|slip| slip.filed = Filed::AfterDeparture(filed_s)).told(told));
}

fn forgot_depot(day: &mut Agenda<'_>, told: Told, nth: i64) {
    let depart_s = if nth == 0 { day.time(hm(15, 40), hm(16, 20)) } else { day.time(hm(8, 0), hm(8, 40)) };
    if nth == 0 {
        day.errands.clear();
        let offices = near(day, PlaceKind::Office, 1_500.0, 25_000.0);
        let Some(office) = day.rng.pick(&offices).copied() else { return };
        let stop = Visit { place: office, dwell_s: 0 };
        let errand = Errand::ordered(depart_s, vec![stop], "参加会议");
        day.add(errand.one_way().told(Told { is_overnight: true, ..told }));
    } else {
        let at = day.at;
        let mut errand = Errand::ordered(depart_s, Vec::new(), "取回车辆");
        errand = errand.with_slip(|slip| slip.named = vec![at]);
        day.errands.push(errand.told(told));
    }
}

fn wiring_fault(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let from_s = day.time(hm(9, 30), hm(10, 30));
    let to_s = from_s + day.minutes(45, 80);
    day.faults.push(Fault::Silent { from_s, to_s });
    day.faults.push(Fault::Silent { from_s: to_s + 1_900, to_s: to_s + 4_900 });
    day.told.push((told, from_s, to_s + 4_900));
}

fn mileage_typed(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let depart_s = day.time(hm(8, 30), hm(9, 30));
    let Some(errand) = duty(day, depart_s, (40, 90)) else { return };
    day.add(errand.with_slip(|slip| slip.is_mistyped = true).told(told));
}

/// Out late in the evening, and again after midnight; the paper follows on the next day.
fn flood_duty(day: &mut Agenda<'_>, told: Told, nth: i64) {
    let depart_s = if nth == 0 { day.time(hm(20, 20), hm(20, 50)) } else { day.time(hm(0, 20), hm(0, 50)) };
    if nth == 0 {
        day.clear_afternoon();
    } else {
        day.errands.clear();
    }
    let filed_s = day.minutes(10 * 60, 14 * 60);
    let Some(mut errand) = duty(day, depart_s, (40, 75)) else { return };
    errand.refuel = Refuel::Never;
    let errand = errand.with_slip(|slip| {
        slip.filed = Filed::AfterDeparture(filed_s);
        slip.is_emergency = true;
        slip.purpose = "防汛巡查";
    });
    day.add(errand.told(told));
}

fn tunnel_gap(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let cities: Vec<usize> = day.stage.county.places_of(PlaceKind::OutOfCounty).collect();
    let Some(city) = day.rng.pick(&cities).copied() else { return };
    let stop = day.visit(city, 80, 150);
    let depart_s = day.time(hm(8, 20), hm(9, 0));
    let mut errand = Errand::ordered(depart_s, vec![stop], "外出参会").told(told);
    errand.fault = Some(ErrandFault::Tunnel);
    day.add(errand);
}

fn night_drift(day: &mut Agenda<'_>, told: Told) {
    let (from_s, to_s) = (hm(0, 40), hm(5, 40));
    day.faults.push(Fault::Drift { from_s, to_s });
    day.told.push((told, from_s, to_s));
}

fn in_repair(day: &mut Agenda<'_>, told: Told, nth: i64) {
    let shops: Vec<usize> = day.stage.county.places_of(PlaceKind::RepairShop).collect();
    match nth {
        0 => {
            day.clear_afternoon();
            let Some(shop) = day.rng.pick(&shops).copied() else { return };
            let depart_s = day.time(hm(15, 10), hm(15, 50));
            let stop = Visit { place: shop, dwell_s: 0 };
            let mut errand = Errand::ordered(depart_s, vec![stop], "车辆送修").one_way();
            errand.permit = Some(Permit::Repair);
            day.add(errand.told(Told { is_overnight: true, ..told }));
        }
        1 => day.told.push((Told { is_overnight: true, ..told }, 0, hm(30, 0))),
        _ => {
            let (shop, depart_s) = (day.at, day.time(hm(14, 0), hm(15, 30)));
            let errand = Errand::ordered(depart_s, Vec::new(), "修竣取车");
            day.errands.push(errand.with_slip(|slip| slip.named = vec![shop]).told(told));
        }
    }
}

fn duty_weekend(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let depart_s = day.time(hm(9, 0), hm(10, 30));
    let Some(errand) = duty(day, depart_s, (40, 90)) else { return };
    add_rostered(day, errand, "周末值班", told);
}

fn night_patrol(day: &mut Agenda<'_>, told: Told) {
    day.clear_afternoon();
    let depart_s = day.time(hm(20, 30), hm(21, 0));
    let Some(errand) = duty(day, depart_s, (10, 18)) else { return };
    add_rostered(day, errand, "夜间执法巡查", told);
}

/// Out under a roster; the order follows in the hours after the duty.
fn add_rostered(day: &mut Agenda<'_>, mut errand: Errand, what: &'static str, told: Told) {
    let filed_s = day.minutes(300, 720);
    errand.permit = Some(Permit::Roster(what));
    errand.refuel = Refuel::Never;
    day.add(errand.with_slip(|slip| slip.filed = Filed::AfterDeparture(filed_s)).told(told));
}

fn hospital_reported(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let depart_s = day.time(hm(13, 50), hm(14, 20));
    let Some(mut errand) = duty(day, depart_s, (25, 45)) else { return };
    let Some(village) = errand.stops.first().map(|stop| stop.place) else { return };
    let hospitals: Vec<usize> = day.stage.county.places_of(PlaceKind::Hospital).collect();
    let apart: Vec<usize> = hospitals
        .into_iter()
        .filter(|place| day.stage.apart_m(village, *place) > 1_000.0)
        .filter(|place| day.stage.is_worth_driving(*place, day.depot))
        .collect();
    let Some(hospital) = day.stage.nearest(village, apart) else { return };
    let stop = day.visit(hospital, 40, 70);
    errand.stops.push(stop);
    errand.report = Some((ReportKind::Hospital, "群众突发疾病, 送医"));
    day.add(errand.told(told));
}

fn alias_place(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    let depart_s = day.time(hm(8, 40), hm(9, 30));
    let Some(errand) = duty(day, depart_s, (40, 90)) else { return };
    day.add(errand.with_slip(|slip| slip.wording = Wording::OldName).told(told));
}

/// One order for two days in the next city.
fn multi_day_order(day: &mut Agenda<'_>, told: Told, nth: i64) {
    day.errands.clear();
    if nth == 0 {
        let cities: Vec<usize> = day.stage.county.places_of(PlaceKind::OutOfCounty).collect();
        let Some(city) = day.rng.pick(&cities).copied() else { return };
        let depart_s = day.time(hm(13, 30), hm(14, 30));
        let stop = Visit { place: city, dwell_s: 0 };
        let errand = Errand::ordered(depart_s, vec![stop], "外出培训")
            .with_slip(|slip| slip.window = Window::Fixed(hm(13, 20), hm(24 + 19, 30)));
        day.add(errand.one_way().told(Told { is_overnight: true, ..told }));
    } else {
        let depart_s = day.time(hm(14, 0), hm(15, 30));
        let mut errand = Errand::ordered(depart_s, Vec::new(), "");
        errand.paper = Paper::Earlier;
        day.errands.push(errand.told(told));
    }
}

fn opened_seal(day: &mut Agenda<'_>, told: Told) {
    day.errands.clear();
    debug_assert!(!is_workday(day.day), "seals are for holidays");
    let depart_s = day.time(hm(9, 0), hm(10, 30));
    let Some(mut errand) = duty(day, depart_s, (40, 90)) else { return };
    errand.permit = Some(Permit::OpenedSeal);
    day.add(errand.told(told));
}
