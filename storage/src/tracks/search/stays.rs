//! When a device was inside: stays, made of its fixes in order of time.

use motorpool_protocols::{Quality, UtcMillis};

use super::field::Field;
use super::place::{Area, Place};
use super::scan::DeviceRun;
use crate::ids::DeviceId;

/// From one fix inside to another, with none outside between them and none missing for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stay {
    /// The first fix inside.
    pub first: UtcMillis,
    /// The last one; the same when there is one only.
    pub last: UtcMillis,
    /// Fixes inside.
    pub fixes: u64,
}

/// A device that was inside.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presence {
    /// The device.
    pub device: DeviceId,
    /// Its stays, in order; at least one.
    pub stays: Vec<Stay>,
}

impl Presence {
    /// The first fix inside.
    #[must_use]
    pub fn first(&self) -> UtcMillis {
        self.stays.first().map_or(UtcMillis(0), |stay| stay.first)
    }

    /// The last fix inside.
    #[must_use]
    pub fn last(&self) -> UtcMillis {
        self.stays.last().map_or(UtcMillis(0), |stay| stay.last)
    }

    /// Fixes inside.
    #[must_use]
    pub fn fixes(&self) -> u64 {
        self.stays.iter().map(|stay| stay.fixes).sum()
    }
}

/// Makes stays of fixes that come in order of time.
#[derive(Debug)]
pub(super) struct StayBuilder {
    gap_max_ms: i64,
    stays: Vec<Stay>,
    /// Whether the last fix was inside, so that the last stay may go on.
    is_inside: bool,
}

impl StayBuilder {
    pub(super) const fn new(gap_max_ms: i64) -> Self {
        Self { gap_max_ms, stays: Vec::new(), is_inside: false }
    }

    /// Takes a fix with a valid position.
    pub(super) fn see(&mut self, time_ms: i64, is_inside: bool) {
        if is_inside {
            let gap_max_ms = self.gap_max_ms;
            let goes_on = |stay: &&mut Stay| time_ms.saturating_sub(stay.last.0) <= gap_max_ms;
            match self.stays.last_mut().filter(|_| self.is_inside).filter(goes_on) {
                Some(stay) => {
                    stay.last = UtcMillis(time_ms);
                    stay.fixes += 1;
                }
                None => {
                    let instant = UtcMillis(time_ms);
                    self.stays.push(Stay { first: instant, last: instant, fixes: 1 });
                }
            }
        }
        self.is_inside = is_inside;
    }

    /// The stays; none when the device was never inside.
    pub(super) fn finish(self, device: DeviceId) -> Option<Presence> {
        (!self.stays.is_empty()).then_some(Presence { device, stays: self.stays })
    }
}

/// The columns that [`presence`] needs.
pub(super) const FIELDS: [Field; 3] = [Field::LatE7, Field::LonE7, Field::Quality];

/// Whether the fixes of a device at an instant are shown to who asks. Those that are not do not exist for the search.
pub type IsShown<'a> = dyn Fn(DeviceId, UtcMillis) -> bool + Sync + 'a;

/// What is shown to who asks; everything when there is no test.
pub(super) type Shown<'a> = Option<&'a IsShown<'a>>;

/// When the device of `run` was in `area`.
pub(super) fn presence(
    run: &DeviceRun<'_>,
    area: &Area<'_>,
    gap_max_ms: i64,
    shown: Shown<'_>,
) -> Option<Presence> {
    let mut stays = StayBuilder::new(gap_max_ms);
    for (time_ms, place) in valid_places(run, shown) {
        stays.see(time_ms, area.contains(place));
    }
    stays.finish(run.device())
}

/// The fixes with a valid position that are shown. `run` has [`FIELDS`].
pub(super) fn valid_places<'a>(
    run: &DeviceRun<'a>,
    shown: Shown<'a>,
) -> impl Iterator<Item = (i64, Place)> + use<'a> {
    let device = run.device();
    let places = run.values(Field::LatE7).iter().zip(run.values(Field::LonE7));
    let rows = run.time_ms().iter().zip(places).zip(run.values(Field::Quality));
    let valid = rows.filter(|(_, quality)| has_place(**quality));
    let valid = valid.map(|((time_ms, (lat, lon)), _)| (*time_ms, Place::of_columns(*lat, *lon)));
    valid.filter(move |(time_ms, _)| is_shown(shown, device, *time_ms))
}

pub(super) fn is_shown(shown: Shown<'_>, device: DeviceId, time_ms: i64) -> bool {
    shown.is_none_or(|is_shown| is_shown(device, UtcMillis(time_ms)))
}

/// Whether quality bits leave the coordinates a place.
pub(super) const fn has_place(quality: i64) -> bool {
    quality & Quality::NO_PLACE.0 as i64 == 0
}
