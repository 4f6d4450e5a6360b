//! Rows of ledgers for tests of rules.

use crate::UtcMillis;
use crate::judge::testing::{CAR, Scene, at};
use crate::point::Position;
use crate::register::{FuelFill, Passage, PlaceText, Repair, Report, Stamp, StampKind, Versioned};

/// A place on a paper with its coordinates.
pub(super) fn written(text: &str, place: Position) -> PlaceText {
    PlaceText { text: text.to_owned(), at: Some(place) }
}

/// The time of a transaction.
pub(super) fn stamp(local: &str) -> Stamp {
    Stamp { at: at(local), kind: StampKind::Transaction }
}

impl Scene {
    /// Fuel booked for the car, litres.
    pub(super) fn fill(&mut self, local: &str, litres: u32, station: Position) -> &mut FuelFill {
        let id = i64::try_from(self.register.fuel_fills.len()).unwrap() + 1;
        let fill = FuelFill {
            vehicle: CAR,
            stamp: stamp(local),
            station: written("城东加油站", station),
            quantity_cl: litres * 100,
            ..FuelFill::default()
        };
        self.register.fuel_fills.push(Versioned::first(id, UtcMillis(0), fill));
        &mut self.register.fuel_fills.last_mut().unwrap().row
    }

    /// A toll booked for the car.
    pub(super) fn passage(&mut self, local: &str, station: Position) -> &mut Passage {
        let id = i64::try_from(self.register.passages.len()).unwrap() + 1;
        let place = written("某收费站", station);
        let passage = Passage { vehicle: CAR, stamp: stamp(local), place, ..Passage::default() };
        self.register.passages.push(Versioned::first(id, UtcMillis(0), passage));
        &mut self.register.passages.last_mut().unwrap().row
    }

    /// A repair booked for the car.
    pub(super) fn repair(&mut self, from: &str, to: &str, shop: Position) -> &mut Repair {
        let id = i64::try_from(self.register.repairs.len()).unwrap() + 1;
        let shop = written("某修理厂", shop);
        let repair =
            Repair { vehicle: CAR, shop, from: stamp(from), to: Some(stamp(to)), ..Repair::default() };
        self.register.repairs.push(Versioned::first(id, UtcMillis(0), repair));
        &mut self.register.repairs.last_mut().unwrap().row
    }

    /// A driver's own report.
    pub(super) fn report(&mut self, local: &str) {
        let report = Report { vehicle: CAR, at: at(local), text: "改道".to_owned(), ..Report::default() };
        self.register.reports.push(Versioned::first(1, UtcMillis(0), report));
    }
}
