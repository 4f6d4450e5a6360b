//! One row of a file, read field by field. Every fault goes to the list with its row and column; the reader goes on, so that
//! one pass finds them all.

use super::headers::{Columns, Field};
use super::names::{Found, Names};
use super::problem::{Fault, Problem, Problems};
use super::table::{Cell, Row};
use super::values::{self, Datum, Day, LocalTime, Measure, Moment, TimeDoubt};
use crate::UtcMillis;
use crate::ids::{DeviceId, UnitId, VehicleId, ZoneId};
use crate::point::Position;
use crate::register::{PlaceText, Span, Stamp, StampKind};

/// Characters of a text field.
const MAX_TEXT_CHARS: usize = 2_000;
/// Errors of a file that come with the nearest names.
const MAX_HINTED: usize = 200;
/// Items of a list in one cell.
const MAX_ITEMS: usize = 100;

const VEHICLE: (&str, &str) = ("车辆", "vehicle");
const UNIT: (&str, &str) = ("单位", "unit");
const ZONE: (&str, &str) = ("区域", "zone");
const DEVICE: (&str, &str) = ("设备", "device");

/// What all rows of a file are read with.
pub(super) struct Scope<'a> {
    pub(super) names: Names,
    pub(super) local: LocalTime,
    pub(super) datum: Datum,
    pub(super) has_decimal_commas: bool,
    /// The unit of rows that name none.
    pub(super) unit: Option<UnitId>,
    pub(super) devices: &'a dyn Fn(&str) -> Option<DeviceId>,
}

/// Words of a closed list, each with its meaning; the first of each is shown in messages.
pub(super) type Words<T> = &'static [(&'static [&'static str], T)];

/// Reads the cells of one row.
pub(super) struct RowReader<'a> {
    pub(super) scope: &'a Scope<'a>,
    pub(super) row: &'a Row,
    pub(super) columns: &'a Columns,
    pub(super) errors: &'a mut Problems,
    pub(super) warnings: &'a mut Problems,
}

/// Puts a value where one was given; an empty cell leaves what is there.
pub(super) fn set<T>(slot: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *slot = value;
    }
}

/// The same for what may be absent.
pub(super) fn set_some<T>(slot: &mut Option<T>, given: Option<T>) {
    if given.is_some() {
        *slot = given;
    }
}

impl RowReader<'_> {
    /// The cell of `field`; nothing when the file has no such column, or the cell says so in words.
    pub(super) fn cell(&self, field: Field) -> &Cell {
        const NOTHING: &Cell = &Cell::Empty;
        let cell = self.columns.of(field).map_or(NOTHING, |column| self.row.cell(column.index));
        match cell {
            Cell::Text(text) if values::is_nothing(text) => NOTHING,
            cell => cell,
        }
    }

    fn problem(&self, field: Field, fault: &Fault) -> Problem {
        Problem::new(Some(self.row.number), self.columns.name(field), &self.cell(field).as_text(), fault)
    }

    /// An error in the cell of `field`.
    pub(super) fn fault(&mut self, field: Field, fault: &Fault) {
        let problem = self.problem(field, fault);
        self.errors.push_with(|| problem);
    }

    /// An unknown name, with the nearest ones beside it. Those are costly to find, so only the first faults have them.
    fn unknown(
        &mut self,
        field: Field,
        what: (&'static str, &'static str),
        nearest: impl FnOnce(&Names) -> Vec<String>,
    ) {
        let has_hint = self.errors.list.len() < MAX_HINTED;
        let nearest = if has_hint { nearest(&self.scope.names) } else { Vec::new() };
        self.fault(field, &Fault::Unknown { what, nearest });
    }

    /// A warning about the cell of `field`.
    pub(super) fn warn(&mut self, field: Field, fault: &Fault) {
        let problem = self.problem(field, fault);
        self.warnings.push_with(|| problem);
    }

    /// The text of a cell.
    pub(super) fn text(&mut self, field: Field) -> Option<String> {
        let cell = self.cell(field);
        if cell.is_empty() {
            return None;
        }
        let text = cell.as_text();
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if clean.chars().count() > MAX_TEXT_CHARS {
            self.fault(field, &Fault::TooLong { max_chars: MAX_TEXT_CHARS });
            return None;
        }
        Some(clean)
    }

    /// The items of a list in a cell.
    pub(super) fn items(&mut self, field: Field) -> Option<Vec<String>> {
        let cell = self.cell(field);
        if cell.is_empty() {
            return None;
        }
        let items: Vec<String> =
            values::items(&cell.as_text()).take(MAX_ITEMS + 1).map(str::to_owned).collect();
        if items.len() > MAX_ITEMS {
            self.fault(field, &Fault::OutOfRange { range: format!("1..={MAX_ITEMS}") });
            return None;
        }
        Some(items)
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, field: Field) -> Option<bool> {
        let given = match self.cell_or_word(field) {
            Cell::Empty => return None,
            Cell::Truth(truth) => Some(*truth),
            cell => values::yes_or_no(&cell.as_text()),
        };
        if given.is_none() {
            self.fault(field, &Fault::NotYesOrNo);
        }
        given
    }

    /// The cell itself: 无 is a "no" where yes or no is asked.
    fn cell_or_word(&self, field: Field) -> &Cell {
        match self.columns.of(field).map(|column| self.row.cell(column.index)) {
            Some(cell) if cell.as_text() == "无" => cell,
            _ => self.cell(field),
        }
    }

    /// One of a closed list of words.
    pub(super) fn word<T: Copy>(&mut self, field: Field, words: Words<T>) -> Option<T> {
        let cell = self.cell(field);
        if cell.is_empty() {
            return None;
        }
        let given = super::names::key(&cell.as_text());
        let found = find_word(&given, words);
        if found.is_none() {
            let first = words.iter().filter_map(|(names, _)| names.first().copied());
            let words = first.collect::<Vec<_>>().join("、");
            self.fault(field, &Fault::NotOneOf { words });
        }
        found
    }

    /// A time or a day.
    pub(super) fn moment(&mut self, field: Field) -> Option<Moment> {
        let cell = self.cell(field);
        if cell.is_empty() {
            return None;
        }
        match values::moment(cell, &self.local_of(field)) {
            Ok(moment) => Some(moment),
            Err(doubt) => {
                self.fault(field, &fault_of(doubt));
                None
            }
        }
    }

    /// Where the times of a column are local: its header may say so.
    fn local_of(&self, field: Field) -> LocalTime {
        match self.columns.of(field).and_then(|column| column.measure) {
            Some(Measure::Utc) => LocalTime::utc(),
            Some(Measure::BeijingTime) => LocalTime::beijing(),
            _ => self.scope.local.clone(),
        }
    }

    /// An instant. A day alone counts as its beginning, with a warning.
    pub(super) fn time(&mut self, field: Field) -> Option<UtcMillis> {
        let moment = self.moment(field)?;
        if moment.day.is_some() {
            self.warn(field, &Fault::DayOnly);
        }
        Some(moment.at)
    }

    /// The end of something. A day alone counts as its end: "until 5 March" includes that day.
    pub(super) fn end(&mut self, field: Field) -> Option<UtcMillis> {
        let moment = self.moment(field)?;
        match moment.day.map(|day: Day| self.local_of(field).end_of(day)) {
            None => Some(moment.at),
            Some(Ok(end)) => Some(end),
            Some(Err(doubt)) => {
                self.fault(field, &fault_of(doubt));
                None
            }
        }
    }

    /// A time of validity from [`Field::From`] and [`Field::To`]; an empty cell leaves that end as it is.
    pub(super) fn span(&mut self, span: &mut Span) {
        let (from, to) = (self.moment(Field::From).map(|moment| moment.at), self.end(Field::To));
        set(&mut span.from, from);
        set_some(&mut span.to, to);
        if span.to.is_some_and(|to| to <= span.from) {
            self.fault(Field::To, &Fault::EndsBeforeBegin);
        }
    }

    /// When something was booked: [`Field::At`], or [`Field::PostedAt`] when only that is known.
    pub(super) fn stamp(&mut self) -> Option<Stamp> {
        let (own, posted) = (self.moment(Field::At), self.moment(Field::PostedAt));
        let (moment, kind) = match (own, posted) {
            (Some(own), _) => (own, StampKind::Transaction),
            (None, Some(posted)) => (posted, StampKind::Posting),
            (None, None) => {
                if self.cell(Field::At).is_empty() && self.cell(Field::PostedAt).is_empty() {
                    self.fault(Field::At, &Fault::Missing);
                }
                return None;
            }
        };
        Some(stamp_of(moment, kind))
    }

    /// One time of a form, as good as it is written.
    pub(super) fn stamp_at(&mut self, field: Field) -> Option<Stamp> {
        self.moment(field).map(|moment| stamp_of(moment, StampKind::Transaction))
    }

    /// The same for an end: a day alone counts as its end.
    pub(super) fn end_stamp(&mut self, field: Field) -> Option<Stamp> {
        let kind = self.stamp_at(field)?.kind;
        self.end(field).map(|at| Stamp { at, kind })
    }

    /// A number in `to`, where a bare number counts `bare`, times `scale`, rounded; within `0..=max`.
    pub(super) fn scaled<T: TryFrom<i64>>(
        &mut self,
        field: Field,
        bare: Measure,
        to: Measure,
        scale: f64,
        max: f64,
    ) -> Option<T> {
        let cell = self.cell(field);
        if cell.is_empty() {
            return None;
        }
        let parsed = match cell {
            Cell::Number(number) => Some((*number, None)),
            cell => values::number(&cell.as_text(), self.scope.has_decimal_commas),
        };
        let Some((number, written)) = parsed else {
            self.fault(field, &Fault::NotANumber);
            return None;
        };
        let of_header = self.columns.of(field).and_then(|column| column.measure);
        let measure = written.or(of_header).unwrap_or(bare);
        let Some(factor) = measure.factor(to) else {
            self.fault(field, &Fault::WrongMeasure { measure: measure.name().to_owned() });
            return None;
        };
        let value = number * factor;
        let fits = (0.0..=max).contains(&value);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float cast saturates, and the conversion is checked"
        )]
        let given = fits.then(|| (value * scale).round() as i64).and_then(|value| T::try_from(value).ok());
        if given.is_none() {
            self.fault(
                field,
                &Fault::OutOfRange { range: format!("0..{max} {}", to.name()).trim().to_owned() },
            );
        }
        given
    }

    /// A distance in metres; bare numbers are kilometres, as forms have them.
    pub(super) fn metres(&mut self, field: Field) -> Option<u32> {
        self.scaled(field, Measure::Kilometres, Measure::Metres, 1.0, MAX_ODOMETER_M)
    }

    /// A small distance in metres; bare numbers are metres.
    pub(super) fn short_metres<T: TryFrom<i64>>(&mut self, field: Field, max_m: f64) -> Option<T> {
        self.scaled(field, Measure::Metres, Measure::Metres, 1.0, max_m)
    }

    /// Money in 0.01 yuan; bare numbers are yuan.
    pub(super) fn fen(&mut self, field: Field) -> Option<i64> {
        self.scaled(field, Measure::Yuan, Measure::Fen, 1.0, MAX_AMOUNT_FEN)
    }

    /// A count.
    pub(super) fn count<T: TryFrom<i64>>(&mut self, field: Field, max: f64) -> Option<T> {
        self.scaled(field, Measure::Count, Measure::Count, 1.0, max)
    }

    /// The car whose plate stands in the cell.
    pub(super) fn vehicle(&mut self, field: Field) -> Option<VehicleId> {
        let written = self.name_in(field)?;
        match self.scope.names.vehicle(&written) {
            Found::One(id) => Some(id),
            _ => {
                self.unknown(field, VEHICLE, |names| names.nearest_plates(&written));
                None
            }
        }
    }

    /// The car whose plate stands in the cell, if it is one of ours.
    pub(super) fn known_vehicle(&self, field: Field) -> Option<VehicleId> {
        match self.scope.names.vehicle(&self.name_in(field)?) {
            Found::One(id) => Some(id),
            _ => None,
        }
    }

    /// The unit in the cell.
    pub(super) fn unit(&mut self, field: Field) -> Option<UnitId> {
        let written = self.name_in(field)?;
        self.unit_named(field, &written)
    }

    fn unit_named(&mut self, field: Field, written: &str) -> Option<UnitId> {
        match self.scope.names.unit(written) {
            Found::One(id) => return Some(id),
            Found::Several(candidates) => self.fault(field, &Fault::Ambiguous { what: UNIT, candidates }),
            Found::None => self.unknown(field, UNIT, |names| names.nearest_units(written)),
        }
        None
    }

    /// The unit in the cell, or the file's own unit; one of them must be there.
    pub(super) fn unit_or_own(&mut self, field: Field, before: UnitId) -> UnitId {
        if !self.cell(field).is_empty() {
            return self.unit(field).unwrap_or(before);
        }
        if before != UnitId::default() {
            return before;
        }
        self.scope.unit.unwrap_or_else(|| {
            self.fault(field, &Fault::Missing);
            before
        })
    }

    /// The units listed in the cell.
    pub(super) fn units(&mut self, field: Field) -> Option<Vec<UnitId>> {
        let items = self.items(field)?;
        Some(items.iter().filter_map(|item| self.unit_named(field, item)).collect())
    }

    /// The zone in the cell, one of `unit`'s before everybody's.
    pub(super) fn zone(&mut self, field: Field, unit: Option<UnitId>) -> Option<ZoneId> {
        let written = self.name_in(field)?;
        match self.scope.names.zone(&written, unit) {
            Found::One(id) => return Some(id),
            Found::Several(candidates) => self.fault(field, &Fault::Ambiguous { what: ZONE, candidates }),
            Found::None => self.unknown(field, ZONE, |names| names.nearest_zones(&written)),
        }
        None
    }

    /// The device whose terminal number stands in the cell.
    pub(super) fn device(&mut self, field: Field) -> Option<DeviceId> {
        let written = self.name_in(field)?;
        let found = (self.scope.devices)(&written);
        if found.is_none() {
            self.fault(field, &Fault::Unknown { what: DEVICE, nearest: Vec::new() });
        }
        found
    }

    fn name_in(&self, field: Field) -> Option<String> {
        let cell = self.cell(field);
        (!cell.is_empty()).then(|| cell.as_text().into_owned())
    }

    /// A position from two cells in degrees, in the datum of the file.
    pub(super) fn position(&mut self, lat: Field, lon: Field) -> Option<Position> {
        if self.cell(lat).is_empty() && self.cell(lon).is_empty() {
            return None;
        }
        for (field, other) in [(lat, lon), (lon, lat)] {
            if self.cell(field).is_empty() && !self.cell(other).is_empty() {
                self.fault(field, &Fault::HalfAPosition);
                return None;
            }
        }
        let (north, east) = (self.degrees(lat, 90.0), self.degrees(lon, 180.0));
        self.scope.datum.position(north?, east?)
    }

    fn degrees(&mut self, field: Field, max: f64) -> Option<f64> {
        let cell = self.cell(field);
        let number = match cell {
            Cell::Number(number) => Some(*number),
            // A comma in a coordinate is a decimal comma: no degrees come in thousands.
            cell => values::number(cell.as_text().trim_end_matches('°'), true).map(|(number, _)| number),
        };
        match number {
            None => self.fault(field, &Fault::NotANumber),
            Some(number) if !(-max..=max).contains(&number) => {
                self.fault(field, &Fault::OutOfRange { range: format!("-{max}..{max} °") });
            }
            number => return number,
        }
        None
    }

    /// Words for a place, with the coordinates beside them if any.
    pub(super) fn place(&mut self, field: Field, lat: Field, lon: Field) -> Option<PlaceText> {
        let (text, at) = (self.text(field), self.position(lat, lon));
        (text.is_some() || at.is_some()).then(|| PlaceText { text: text.unwrap_or_default(), at })
    }
}

/// Metres that an odometer may show: four million kilometres, which a `u32` holds.
const MAX_ODOMETER_M: f64 = 4_000_000_000.0;
/// 0.01 yuan of one booking: a hundred million yuan.
const MAX_AMOUNT_FEN: f64 = 1e10;

const fn stamp_of(moment: Moment, kind: StampKind) -> Stamp {
    Stamp { at: moment.at, kind: if moment.day.is_some() { StampKind::DayOnly } else { kind } }
}

/// The meaning of a word of a closed list.
pub(super) fn find_word<T: Copy>(given: &str, words: Words<T>) -> Option<T> {
    words.iter().find(|(names, _)| names.contains(&given)).map(|&(_, value)| value)
}

/// A doubt about a time as a fault of its cell.
pub(super) const fn fault_of(doubt: TimeDoubt) -> Fault {
    match doubt {
        TimeDoubt::NotATime => Fault::NotATime,
        TimeDoubt::Skipped => Fault::TimeSkipped,
        TimeDoubt::Twice => Fault::TimeTwice,
        TimeDoubt::OutOfRange => Fault::TimeOutOfRange,
    }
}
