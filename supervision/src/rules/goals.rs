//! The places that an order names.

use super::whereabouts::point_target;
use crate::UtcMillis;
use crate::finding::Missing;
use crate::judge::VehicleDay;
use crate::point::Position;
use crate::register::{Order, PlaceText, ZoneKind};
use crate::zones::{PlaceTarget, Resolved};

/// A place that an order names and that is known.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    /// The words on the paper.
    pub(super) text: String,
    place: Place,
    /// Zones are taken as they were then.
    time: UtcMillis,
}

#[derive(Clone, Debug)]
enum Place {
    /// Coordinates came with the paper.
    At(Position),
    /// The dictionary knows it.
    Known(PlaceTarget),
}

impl Goal {
    /// Metres from `at` to the place, 0 inside.
    pub(super) fn distance_m(&self, day: &VehicleDay<'_>, at: Position) -> Option<f64> {
        match &self.place {
            Place::At(place) => Some(place.distance_m(at)),
            Place::Known(target) => match target.zone() {
                Some(zone) => Some(day.world.zones().zone_at(zone, self.time)?.distance_m(at)),
                None => target.distance_m(day.world.zones(), at),
            },
        }
    }

    /// The place, as it is held against the track.
    pub(super) fn target(&self) -> PlaceTarget {
        match &self.place {
            Place::At(at) => point_target(&self.text, *at),
            Place::Known(target) => target.clone(),
        }
    }

    /// Whether it is a zone that holds `at`.
    pub(super) fn holds(&self, day: &VehicleDay<'_>, at: Position) -> bool {
        let zone = self.zone().and_then(|zone| day.world.zones().zone(zone));
        zone.is_some_and(|zone| zone.contains(at))
    }

    /// The zone that it is, if it is one.
    pub(super) const fn zone(&self) -> Option<crate::ids::ZoneId> {
        match &self.place {
            Place::At(_) => None,
            Place::Known(target) => target.zone(),
        }
    }

    /// Whether it is a whole township or district rather than a place to stop at.
    pub(super) fn is_wide(&self, day: &VehicleDay<'_>) -> bool {
        let zone = self.zone().and_then(|zone| day.world.zones().zone_at(zone, self.time));
        zone.is_some_and(|zone| matches!(zone.kind(), ZoneKind::Area | ZoneKind::ServiceArea))
    }
}

/// Each place of an order that says anything: known, or what is missing to know it.
pub(super) fn goals(day: &VehicleDay<'_>, order: &Order, places: &[PlaceText]) -> Vec<Result<Goal, Missing>> {
    let time = order.planned_out;
    let units = day.world.unit_path(order.unit, time);
    let says_something = |place: &&PlaceText| place.at.is_some() || !place.text.trim().is_empty();
    let goals = places.iter().filter(says_something).map(|place| {
        let text = place.text.clone();
        if let Some(at) = place.at {
            return Ok(Goal { text, place: Place::At(at), time });
        }
        match day.world.places().resolve_at(&text, &units, time) {
            Resolved::One(target) => Ok(Goal { text, place: Place::Known(target), time }),
            Resolved::Several(names) => Err(Missing::SeveralPlaces { names }),
            Resolved::Unknown => Err(Missing::Place { text }),
        }
    });
    goals.collect()
}
