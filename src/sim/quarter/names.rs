//! Names of people and of places as papers write them. None of them can be a real one.

use motorpool_supervision::ids::DriverId;

use super::agenda::Wording;
use super::stage::Stage;
use super::vehicle_id;

/// One of the eight people of a unit who use cars.
pub(super) fn user(unit: usize, number: usize) -> String {
    format!("演用{:02}{}", unit + 1, number + 1)
}

/// Who approves in a unit.
pub(super) fn approver(unit: usize) -> String {
    format!("演批{:02}", unit + 1)
}

/// Who dispatches in a unit.
pub(super) fn dispatcher(unit: usize) -> String {
    format!("演调{:02}", unit + 1)
}

/// Who drives a car.
pub(super) fn driver(car: usize) -> String {
    format!("演驾{:03}", car + 1)
}

/// The number of that driver.
pub(super) fn driver_id(car: usize) -> DriverId {
    DriverId(vehicle_id(car).0)
}

/// The card of that driver.
pub(super) fn driver_card(car: usize) -> String {
    format!("YS{:06}", car + 1)
}

/// The fuel card of a car.
pub(super) fn fuel_card(car: usize) -> String {
    format!("YK{:06}", car + 1)
}

/// A telephone number of a unit, in a range that is never given out.
pub(super) fn phone(unit: usize) -> String {
    format!("000-0000{:04}", unit + 1)
}

/// A place as somebody writes it.
pub(super) fn written(stage: &Stage, place: usize, wording: Wording) -> String {
    match wording {
        Wording::Name => stage.name(place).to_owned(),
        Wording::ShortName => short(stage.name(place)),
        Wording::Township => township(stage.name(place)),
        Wording::OldName => old(place),
        Wording::Vague => "下乡".to_owned(),
    }
}

/// How people shorten a name: without the county, without 演 and 第.
pub(super) fn short(name: &str) -> String {
    let rest = name.strip_prefix("演示县").or_else(|| name.strip_prefix('演')).unwrap_or(name);
    rest.replace("人民政府", "政府").replace('第', "")
}

/// The township that a place is named after; the place itself when it is in the seat.
pub(super) fn township(name: &str) -> String {
    match name.split_once('镇') {
        Some((town, _)) if town.chars().count() == 2 => format!("{town}镇"),
        _ => name.to_owned(),
    }
}

/// What the old call a place.
pub(super) fn old(place: usize) -> String {
    format!("老演堡{}号", place + 1)
}
