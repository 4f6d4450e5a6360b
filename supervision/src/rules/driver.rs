//! R17 驾驶员不符: the card in the car is not that of the order's driver.

use super::asking::{SecondSigns, about_trip};
use super::hours::Hours;
use crate::UtcMillis;
use crate::finding::{Finding, Measure, Nature, Rule};
use crate::judge::{LOOK_BACK_DAYS, Matched, VehicleDay};
use crate::register::{Driver, DriverLogin, Order, Versioned};

/// So many trips with a strange card within the days looked back are a second sign.
const REPEATED: usize = 3;

pub(super) fn judge(day: &VehicleDay<'_>, out: &mut Vec<Finding>) {
    let params = &day.settings.params.r17;
    for matched in day.real_trips() {
        let Some((login, order)) = strange_card(day, matched) else { continue };
        let trip = matched.trip;
        let repeated = times(day, matched);
        let off_s = i64::from(day.settings.params.r05.min_s);
        let signs = SecondSigns {
            is_off_hours: Hours::of(day, trip.start, trip.end).is_off(off_s),
            is_without_order: false,
        };
        let is_conduct = signs.any() || repeated >= REPEATED;
        let draft = about_trip(Rule::R17, day, matched, params)
            .nature(if is_conduct { Nature::Conduct } else { Nature::Equipment })
            .measure(Measure::against(
                "times",
                i64::try_from(repeated).unwrap_or(i64::MAX),
                i64::try_from(REPEATED).unwrap_or(i64::MAX),
            ))
            .word("driver", order.driver.clone())
            .word("card_name", login.name.clone())
            .word("card", login.card.clone())
            .word("order_no", order.no.clone());
        out.push(signs.note(draft).finish());
    }
}

/// The card that was in the car on a trip, and the order that names another driver.
fn strange_card<'a>(day: &VehicleDay<'a>, matched: &Matched<'a>) -> Option<(&'a DriverLogin, &'a Order)> {
    let order = &matched.order?.row;
    let login = card_of(day, matched)?;
    is_other(day, login, order, matched.trip.start).then_some((login, order))
}

/// The last card put in from shortly before the departure to the arrival.
fn card_of<'a>(day: &VehicleDay<'a>, matched: &Matched<'a>) -> Option<&'a DriverLogin> {
    let before_ms = day.settings.params.r17.card_before_s.max(0).saturating_mul(1_000);
    let from = UtcMillis(matched.trip.start.0.saturating_sub(before_ms));
    let logins = day.world.driver_logins(day.id()).filter(|login| login.row.is_in);
    let mut within = logins.filter(|login| from <= login.row.at && login.row.at <= matched.trip.end);
    within.next_back().map(|login| &login.row)
}

/// Whether a card is somebody else's. By its number where the register has the driver's, else by the name on it; what neither tells is
/// nobody else's.
fn is_other(day: &VehicleDay<'_>, login: &DriverLogin, order: &Order, at: UtcMillis) -> bool {
    let of_order = |driver: &&Versioned<Driver>| {
        driver.valid.contains(at)
            && match order.driver_id {
                Some(id) => driver.id == id.0,
                None => !order.driver.is_empty() && driver.row.name.trim() == order.driver.trim(),
            }
    };
    let drivers = &day.world.register().drivers;
    let mut cards = drivers
        .iter()
        .filter(of_order)
        .map(|driver| driver.row.card.trim())
        .filter(|card| !card.is_empty())
        .peekable();
    if !login.card.trim().is_empty() && cards.peek().is_some() {
        return cards.all(|card| card != login.card.trim());
    }
    let (name, driver) = (login.name.trim(), order.driver.trim());
    !name.is_empty() && !driver.is_empty() && name != driver
}

/// How many trips up to this one had a strange card.
fn times(day: &VehicleDay<'_>, matched: &Matched<'_>) -> usize {
    let first = matched.trip.start.0.saturating_sub(LOOK_BACK_DAYS * 86_400_000);
    let recent = |past: &&Matched<'_>| first <= past.trip.start.0 && past.trip.start <= matched.trip.start;
    day.past.iter().filter(recent).filter(|past| strange_card(day, past).is_some()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::DriverId;
    use crate::judge::testing::*;

    const DAY: &str = "2026-04-08";

    fn with_card(card: &str, name: &str, time: &str) -> Scene {
        let mut scene = Scene::new();
        let order = scene.order("甲1", "2026-04-08 09:00", "2026-04-08 15:00", place(5_000.0, 0.0));
        order.row.driver = "张三".to_owned();
        scene.drive("2026-04-08 09:00", "2026-04-08 09:30", place(5_000.0, 0.0));
        let login = DriverLogin {
            vehicle: CAR,
            at: at(time),
            is_in: true,
            card: card.to_owned(),
            name: name.to_owned(),
        };
        scene.register.driver_logins.push(Versioned::first(1, at(time), login));
        scene
    }

    #[test]
    fn another_name_is_a_device_work_order_and_the_own_is_clear() {
        with_card("", "张三", "2026-04-08 08:55").clear(Rule::R17, DAY);
        let found = with_card("", "李四", "2026-04-08 08:55").flag(Rule::R17, DAY);
        assert_eq!((found.nature, found.words[1].1.as_str()), (Nature::Equipment, "李四"));
        with_card("", "", "2026-04-08 08:55").clear(Rule::R17, DAY);
    }

    #[test]
    fn a_card_read_too_long_before_does_not_count() {
        let _ = with_card("", "李四", "2026-04-08 08:45").flag(Rule::R17, DAY);
        with_card("", "李四", "2026-04-08 08:44:59").clear(Rule::R17, DAY);
    }

    #[test]
    fn the_number_of_the_card_goes_before_the_name() {
        let mut scene = with_card("C1", "", "2026-04-08 08:55");
        let driver = Driver { name: "张三".to_owned(), card: "C1".to_owned(), ..Driver::default() };
        scene.register.drivers.push(Versioned::first(4, at("2026-01-01 00:00"), driver));
        scene.register.orders[0].row.driver_id = Some(DriverId(4));
        scene.clear(Rule::R17, DAY);
        scene.register.driver_logins[0].row.card = "C2".to_owned();
        let _ = scene.flag(Rule::R17, DAY);
    }
}
