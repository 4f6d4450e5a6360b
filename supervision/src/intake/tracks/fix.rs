//! One row to one point.

use std::borrow::Cow;

use jiff::civil::Date;
use motorpool_protocols::time::Civil;

use super::super::problem::Fault;
use super::super::row_reader::fault_of;
use super::super::table::{Cell, Row};
use super::super::values::{self, Datum, LocalTime, in_range};
use super::columns::{Layout, TrackColumn};
use crate::UtcMillis;
use crate::point::{Point, Position, Signs};

/// Before this instant a clock is one that was never set, 2000-01-02.
const CLOCK_SET: UtcMillis = UtcMillis(946_771_200_000);

/// A row as text and numbers by column.
pub(super) trait Fields {
    /// The text of a column, trimmed.
    fn text(&self, column: usize) -> Cow<'_, str>;

    /// The number of a column; `Err` when something else stands there.
    fn number(&self, column: usize) -> Result<Option<f64>, ()>;

    /// The cell of a column.
    fn cell(&self, column: usize) -> Cow<'_, Cell>;
}

impl Fields for Row {
    fn text(&self, column: usize) -> Cow<'_, str> {
        Self::cell(self, column).as_text()
    }

    fn number(&self, column: usize) -> Result<Option<f64>, ()> {
        match Self::cell(self, column) {
            Cell::Empty => Ok(None),
            Cell::Number(number) => Ok(Some(*number)),
            cell => number_of(&cell.as_text()),
        }
    }

    fn cell(&self, column: usize) -> Cow<'_, Cell> {
        Cow::Borrowed(Self::cell(self, column))
    }
}

/// A number as text. Tracks are written by programs, so a lone comma is a decimal comma.
pub(super) fn number_of(text: &str) -> Result<Option<f64>, ()> {
    if values::is_nothing(text) {
        return Ok(None);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Some(number)),
        Ok(_) => Err(()),
        Err(_) => values::number(text, true).map(|(number, _)| Some(number)).ok_or(()),
    }
}

/// Why a row makes no point.
pub(super) struct Rejected {
    pub(super) column: String,
    pub(super) value: String,
    pub(super) fault: Fault,
}

/// Told of cells that can't be read beside a good position.
pub(super) type Doubt<'d> = &'d mut dyn FnMut(&TrackColumn, &str, &Fault);

/// How rows of one file are read.
pub(super) struct Reading {
    local: LocalTime,
    datum: Datum,
    /// A local day all through which one offset from UTC holds, and that offset in seconds.
    even_day: Option<((i32, u8, u8), i32)>,
}

impl Reading {
    pub(super) const fn new(local: LocalTime, datum: Datum) -> Self {
        Self { local, datum, even_day: None }
    }

    pub(super) fn point(
        &mut self,
        layout: &Layout,
        fields: &impl Fields,
        doubt: Doubt<'_>,
    ) -> Result<Point, Rejected> {
        let reject = |column: &TrackColumn, fault: Fault| Rejected {
            column: column.header.clone(),
            value: fields.text(column.index).into_owned(),
            fault,
        };
        let time = self.time(fields, layout.time.index).map_err(|fault| reject(&layout.time, fault))?;
        let at = self.position(layout, fields).map_err(|(column, fault)| reject(column, fault))?;
        let mut point = Point::new(time, at.unwrap_or_default());
        let is_located = flag(fields, layout.valid.as_ref(), located, doubt).unwrap_or(true);
        if at.is_none_or(|at| at == Position::default()) || !is_located {
            point.signs = point.signs.with(Signs::UNUSABLE);
        }
        if time < CLOCK_SET {
            point.signs = point.signs.with(Signs::CLOCK_SUSPECT);
        }
        point.speed_dkmh = scaled(fields, layout.speed.as_ref(), u16::MAX.into(), doubt);
        point.vehicle_speed_dkmh = scaled(fields, layout.vehicle_speed.as_ref(), u16::MAX.into(), doubt);
        point.engine_rpm = scaled(fields, layout.rpm.as_ref(), u16::MAX.into(), doubt);
        point.odometer_m = scaled(fields, layout.odometer.as_ref(), u32::MAX.into(), doubt);
        point.fuel_dl = scaled(fields, layout.fuel.as_ref(), u16::MAX.into(), doubt);
        point.satellites = scaled(fields, layout.satellites.as_ref(), u8::MAX.into(), doubt);
        point.ignition = flag(fields, layout.ignition.as_ref(), ignition, doubt);
        Ok(point)
    }

    fn time(&mut self, fields: &impl Fields, column: usize) -> Result<UtcMillis, Fault> {
        let text = fields.text(column);
        if text.is_empty() {
            return Err(Fault::Missing);
        }
        if let Some((civil, is_utc)) = plain_time(text.as_bytes()) {
            let offset = if is_utc { Some(0) } else { self.even_offset(civil) };
            if let Some(offset) = offset {
                let time = UtcMillis::from_civil(civil, offset).ok_or(Fault::NotATime)?;
                return in_range(time.0).map_err(fault_of);
            }
        }
        let moment = values::moment(&fields.cell(column), &self.local).map_err(fault_of)?;
        match (moment.day, &*fields.cell(column)) {
            // A workbook shows midnight as a day.
            (Some(_), Cell::Text(_)) => Err(Fault::DayOnly),
            _ => Ok(moment.at),
        }
    }

    /// The offset of a local day without a change of clocks; days come in runs.
    fn even_offset(&mut self, civil: Civil) -> Option<i32> {
        let day = (civil.year, civil.month, civil.day);
        match self.even_day {
            Some((same, offset)) if same == day => Some(offset),
            _ => {
                let year = i16::try_from(civil.year).ok()?;
                let date =
                    Date::new(year, i8::try_from(civil.month).ok()?, i8::try_from(civil.day).ok()?).ok()?;
                let offset = self.local.offset_all_through(date)?;
                self.even_day = Some((day, offset));
                Some(offset)
            }
        }
    }

    /// The position; `None` when both cells are empty, which still is word from the car.
    fn position<'l>(
        &self,
        layout: &'l Layout,
        fields: &impl Fields,
    ) -> Result<Option<Position>, (&'l TrackColumn, Fault)> {
        let degrees = |column: &'l TrackColumn, max: f64| match fields.number(column.index) {
            Err(()) => Err((column, Fault::NotANumber)),
            Ok(Some(number)) if !(-max..=max).contains(&number) => {
                Err((column, Fault::OutOfRange { range: format!("-{max}..{max} °") }))
            }
            Ok(number) => Ok(number),
        };
        match (degrees(&layout.lat, 90.0)?, degrees(&layout.lon, 180.0)?) {
            (None, None) => Ok(None),
            (Some(lat), Some(lon)) => Ok(self.datum.position(lat, lon)),
            (None, _) => Err((&layout.lat, Fault::HalfAPosition)),
            (_, None) => Err((&layout.lon, Fault::HalfAPosition)),
        }
    }
}

/// A number in the units of a point, at most `max` of them. Negative ones are how programs write "unknown".
fn scaled<T: TryFrom<i64>>(
    fields: &impl Fields,
    column: Option<&TrackColumn>,
    max: f64,
    doubt: Doubt<'_>,
) -> Option<T> {
    let column = column?;
    let fault = match fields.number(column.index) {
        Ok(None) => return None,
        Ok(Some(number)) if number < 0.0 => return None,
        Ok(Some(number)) => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a float cast saturates, and the conversion is checked"
            )]
            let value = T::try_from((number * column.factor).round() as i64);
            match value {
                Ok(value) => return Some(value),
                Err(_) => Fault::OutOfRange { range: format!("0..{}", max / column.factor) },
            }
        }
        Err(()) => Fault::NotANumber,
    };
    doubt(column, &fields.text(column.index), &fault);
    None
}

fn flag(
    fields: &impl Fields,
    column: Option<&TrackColumn>,
    read: fn(&str) -> Option<bool>,
    doubt: Doubt<'_>,
) -> Option<bool> {
    let column = column?;
    let text = fields.text(column.index);
    if text.is_empty() {
        return None;
    }
    let value = read(&text).or_else(|| values::yes_or_no(&text));
    if value.is_none() {
        doubt(column, &text, &Fault::NotYesOrNo);
    }
    value
}

/// Words for whether there was a position; `A` and `V` are NMEA's.
fn located(text: &str) -> Option<bool> {
    match text {
        "A" | "有效" | "定位" | "已定位" | "2D" | "3D" | "valid" => Some(true),
        "V" | "无效" | "未定位" | "不定位" | "invalid" => Some(false),
        _ => None,
    }
}

/// Words for the ignition.
fn ignition(text: &str) -> Option<bool> {
    match text {
        "点火" | "ACC开" | "acc开" | "启动" | "已点火" | "ON" => Some(true),
        "熄火" | "ACC关" | "acc关" | "未点火" | "OFF" => Some(false),
        _ => None,
    }
}

/// `2026-03-05T08:30:00` or with a space or slashes, with or without a fraction and `Z`: what nearly all files have. Whether it
/// is UTC goes with it. Anything else is left to the slow way.
fn plain_time(text: &[u8]) -> Option<(Civil, bool)> {
    let (&[y1, y2, y3, y4, s1, m1, m2, s2, d1, d2, t, h1, h2, c1, n1, n2, c2, x1, x2], rest) =
        text.split_first_chunk::<19>()?;
    let has_form = matches!((s1, s2), (b'-', b'-') | (b'/', b'/')) && (c1, c2) == (b':', b':');
    if !has_form || !matches!(t, b'T' | b' ') {
        return None;
    }
    let (fraction, is_utc) = match rest {
        [fraction @ .., b'Z'] => (fraction, true),
        fraction => (fraction, false),
    };
    let millisecond = match fraction {
        [] => 0,
        [b'.', a] => u16::from(digit(*a)?) * 100,
        [b'.', a, b] => u16::from(two(*a, *b)?) * 10,
        [b'.', a, b, c] => u16::from(two(*a, *b)?) * 10 + u16::from(digit(*c)?),
        _ => return None,
    };
    let civil = Civil {
        year: i32::from(two(y1, y2)?) * 100 + i32::from(two(y3, y4)?),
        month: two(m1, m2)?,
        day: two(d1, d2)?,
        hour: two(h1, h2)?,
        minute: two(n1, n2)?,
        second: two(x1, x2)?,
        millisecond,
    };
    Some((civil, is_utc))
}

fn digit(byte: u8) -> Option<u8> {
    byte.is_ascii_digit().then(|| byte - b'0')
}

fn two(tens: u8, ones: u8) -> Option<u8> {
    Some(digit(tens)? * 10 + digit(ones)?)
}
