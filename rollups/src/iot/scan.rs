//! The slots of each car in order of time, out of tables that are in order of devices.

use std::ops::Range;
use std::sync::Arc;

use motorpool_supervision::rollups::Slot;

use super::{Car, Fleet, Window};
use crate::{Column, Part, RollupsError};

/// Rows of one car in a piece: consecutive slots of one device, and the columns that were asked for.
pub(super) struct Piece<'a, const N: usize> {
    slots: &'a [i64],
    columns: [&'a [i64]; N],
}

impl<'a, const N: usize> Piece<'a, N> {
    /// Slot by slot, the values of the columns.
    pub(super) fn rows(&self) -> impl DoubleEndedIterator<Item = (Slot, [i64; N])> + use<'_, 'a, N> {
        let value = |column: &[i64], row: usize| column.get(row).copied().unwrap_or(0);
        self.slots.iter().enumerate().map(move |(row, slot)| {
            (Slot(i32::try_from(*slot).unwrap_or(i32::MAX)), self.columns.map(|column| value(column, row)))
        })
    }
}

/// Where rows of a car are.
struct Place {
    car: usize,
    first: i64,
    part: usize,
    rows: Range<usize>,
}

/// The columns of a part.
struct Loaded<const N: usize> {
    slots: Arc<Vec<i64>>,
    columns: [Arc<Vec<i64>>; N],
}

impl<const N: usize> Loaded<N> {
    fn of(part: &Part, columns: [Column; N]) -> Result<Self, RollupsError> {
        let mut loaded = [const { None }; N];
        for (place, column) in loaded.iter_mut().zip(columns) {
            *place = Some(part.table.column(column)?);
        }
        Ok(Self { slots: part.table.column(Column::Slot)?, columns: loaded.map(Option::unwrap_or_default) })
    }

    fn piece(&self, rows: &Range<usize>) -> Piece<'_, N> {
        let cut = |column: &'_ Arc<Vec<i64>>| -> Range<usize> {
            rows.start.min(column.len())..rows.end.min(column.len())
        };
        Piece {
            slots: self.slots.get(cut(&self.slots)).unwrap_or_default(),
            columns: self.columns.each_ref().map(|column| column.get(cut(column)).unwrap_or_default()),
        }
    }
}

/// Gives each car that has rows, with its pieces in order of time.
pub(super) fn each_car<'f, const N: usize>(
    fleet: &'f Fleet,
    window: &Window<'_>,
    columns: [Column; N],
    mut each: impl FnMut(&'f Car, &[Piece<'_, N>]),
) -> Result<(), RollupsError> {
    let loaded = window.parts.iter().map(|part| Loaded::of(part, columns)).collect::<Result<Vec<_>, _>>()?;
    let places = places(fleet, window)?;
    for of_car in places.chunk_by(|a, b| a.car == b.car) {
        let pieces: Vec<_> =
            of_car.iter().filter_map(|place| Some(loaded.get(place.part)?.piece(&place.rows))).collect();
        if let Some(car) = of_car.first().and_then(|place| fleet.cars.get(place.car)) {
            each(car, &pieces);
        }
    }
    Ok(())
}

/// Where the rows of every car are, by car and time.
fn places(fleet: &Fleet, window: &Window<'_>) -> Result<Vec<Place>, RollupsError> {
    let mut places = Vec::new();
    for (part, Part { table, without }) in window.parts.iter().enumerate() {
        let (runs, slots) = (table.runs()?, table.column(Column::Slot)?);
        for run in runs.iter() {
            let Some(stays) = fleet.stays.get(&run.device).filter(|_| !without.contains(&run.device)) else {
                continue;
            };
            let of_run = slots.get(run.rows.clone()).unwrap_or_default();
            for stay in stays {
                let from = stay.slots.start.max(window.slots.start);
                let to = stay.slots.end.min(window.slots.end);
                let begin = of_run.partition_point(|slot| *slot < i64::from(from.0));
                let end = of_run.partition_point(|slot| *slot < i64::from(to.0));
                if begin < end {
                    let rows = run.rows.start + begin..run.rows.start + end;
                    let first = of_run.get(begin).copied().unwrap_or(0);
                    places.push(Place { car: stay.car, first, part, rows });
                }
            }
        }
    }
    places.sort_unstable_by_key(|place| (place.car, place.first));
    Ok(places)
}
