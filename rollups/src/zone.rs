//! Local days as ranges of slots.

use std::ops::Range;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::rollups::Slot;

use crate::RollupsError;

/// A time zone.
#[derive(Clone, Debug)]
pub struct Zone {
    zone: TimeZone,
    name: String,
}

impl Zone {
    /// The zone of that IANA name.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(name: &str) -> Result<Self, RollupsError> {
        let zone = TimeZone::get(name).map_err(|_| RollupsError::NoZone(name.to_owned()))?;
        Ok(Self { zone, name: name.to_owned() })
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The slots that begin on a local day.
    #[must_use]
    pub fn slots(&self, date: Date) -> Range<Slot> {
        let midnight = |date: Date| {
            let zoned = date.to_zoned(self.zone.clone());
            Slot::from(UtcMillis(zoned.map_or(0, |zoned| zoned.timestamp().as_millisecond())))
        };
        let next = date.tomorrow().unwrap_or(date);
        midnight(date)..midnight(next)
    }

    /// The local day on which a slot begins.
    #[must_use]
    pub fn date(&self, slot: Slot) -> Date {
        let instant = jiff::Timestamp::from_millisecond(slot.start().0);
        instant.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_zoned(self.zone.clone()).date()
    }

    /// The days of UTC that hold slots of a range.
    #[must_use]
    pub fn utc_days(slots: &Range<Slot>) -> Range<i32> {
        slots.start.day()..Slot(slots.end.0.saturating_sub(1)).day().saturating_add(1)
    }
}

/// A date as a day counted from 1970, which is how columns have it.
#[must_use]
pub fn day_number(date: Date) -> i32 {
    const EPOCH: Date = jiff::civil::date(1970, 1, 1);
    (date - EPOCH).get_days()
}

/// The date of a day counted from 1970.
#[must_use]
pub fn date_of(day: i32) -> Date {
    let days = jiff::Span::new().try_days(i64::from(day)).unwrap_or_default();
    jiff::civil::date(1970, 1, 1).saturating_add(days)
}
