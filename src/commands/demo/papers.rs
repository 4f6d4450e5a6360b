//! The county's paper: written into the registry as people write it.
//!
//! What was written by now is there from the start, in one batch. What is written later comes when its time comes: the order of
//! tomorrow in the evening or the morning before, the kilometres on it when the car is back, the order that somebody forgot
//! hours after the trip. After a restart it goes on where it was: rows of a kind are written in one order, so their number
//! says which is next.

use std::collections::BTreeMap;
use std::sync::Arc;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::register::{
    Binding, Driver, DriverLogin, Duty, Emergency, Exemption, FuelFill, Mileage, Order, OrderState, Passage,
    PlaceEntry, Register, Repair, Report, Row, RuleSet, Seal, Unit, Vehicle, Versioned, Watermark, Zone,
};

use super::numbers::{Numbers, Refers};
use crate::ids::DeviceId;
use crate::registry::{Batch, Change, Error, Known, Registry, Stored};

/// Who recorded what is made up.
pub(super) const CLERK: &str = "demo";

/// What happens to each kind of row that the script has; the kinds that others name come first.
macro_rules! for_each_kind {
    ($then:ident, $($argument:expr),*) => {
        $then!(
            ($($argument),*)
            Unit, Zone, Driver, Vehicle, Binding, Order, Duty, Emergency, Seal, PlaceEntry, RuleSet, Exemption,
            Watermark, Report, FuelFill, Passage, Repair, DriverLogin, Mileage
        )
    };
}

/// The paper of a script and how far it is written.
#[derive(Debug)]
pub(super) struct Papers {
    registry: Arc<Registry>,
    register: Register,
    numbers: Numbers,
    /// Rows written, by kind.
    written: BTreeMap<&'static str, usize>,
    /// Orders whose cars are out: the number in the registry, and what the order says in the end.
    out: Vec<(i64, Order)>,
}

impl Papers {
    /// Finds out what is written already; nothing in a new registry. `devices` are those of the script's cars, in order.
    ///
    /// # Errors
    /// When the registry fails.
    pub(super) async fn open(
        registry: Arc<Registry>,
        mut register: Register,
        devices: Vec<DeviceId>,
    ) -> Result<Self, Error> {
        macro_rules! sort {
            (($register:expr) $($row:ty),*) => {
                $(<$row>::rows_mut($register).sort_by_key(|row| (row.recorded_at, row.id));)*
            };
        }
        for_each_kind!(sort, &mut register);
        let numbers = Numbers {
            units: shift(&registry, &register.units).await?,
            zones: shift(&registry, &register.zones).await?,
            drivers: shift(&registry, &register.drivers).await?,
            vehicles: shift(&registry, &register.vehicles).await?,
            devices,
        };
        let mut papers = Self { registry, register, numbers, written: BTreeMap::new(), out: Vec::new() };
        macro_rules! count {
            (($papers:expr) $($row:ty),*) => {
                $(let rows = own_rows::<$row>(&$papers.registry).await?;
                $papers.written.insert(<$row>::KIND, rows.len());)*
            };
        }
        for_each_kind!(count, papers);
        papers.find_cars_out().await?;
        Ok(papers)
    }

    /// Orders that were written and not settled when the former run ended.
    async fn find_cars_out(&mut self) -> Result<(), Error> {
        let written = own_rows::<Order>(&self.registry).await?;
        for (known, last) in written.iter().zip(&self.register.orders) {
            if known.row.state == OrderState::Approved && last.row.state == OrderState::Settled {
                let mut order = last.row.clone();
                order.renumber(&self.numbers);
                self.out.push((known.id, order));
            }
        }
        Ok(())
    }

    /// Writes what people have written by `now`. Answers the number of rows.
    ///
    /// # Errors
    /// When the registry refuses or fails; then nothing was written.
    pub(super) async fn write_due(&mut self, now: UtcMillis) -> Result<usize, Error> {
        let mut batch = Batch::default();
        let back = self.settle(&mut batch, now)?;
        let mut written = self.written.clone();
        let mut out = Vec::new();
        macro_rules! push {
            (($papers:expr, $batch:expr, $written:expr, $out:expr) $($row:ty),*) => {
                $($papers.push::<$row>($batch, $written, $out, now)?;)*
            };
        }
        for_each_kind!(push, self, &mut batch, &mut written, &mut out);
        let done = self.registry.write_batch(&batch, CLERK, now).await?;
        self.written = written;
        self.out.retain(|(id, _)| !back.contains(id));
        self.out.extend(out.into_iter().filter_map(|(place, order)| Some((done.get(place)?.id, order))));
        Ok(done.len())
    }

    /// Completes the orders whose cars are back. Answers their numbers.
    fn settle(&self, batch: &mut Batch, now: UtcMillis) -> Result<Vec<i64>, Error> {
        let is_back = |order: &Order| order.actual_in.is_none_or(|back| back <= now);
        let back = self.out.iter().filter(|(_, order)| is_back(order));
        back.map(|(id, order)| {
            let valid = motorpool_supervision::register::Span::ALWAYS;
            batch.push(Change::Correct { id: *id, expected: None, valid, row: order.clone() })?;
            Ok(*id)
        })
        .collect()
    }

    /// Adds the rows of one kind that are due. Orders of cars that are out are noted in `out` with their place in the batch.
    fn push<T: Stored + Refers + Paper>(
        &self,
        batch: &mut Batch,
        written: &mut BTreeMap<&'static str, usize>,
        out: &mut Vec<(usize, Order)>,
        now: UtcMillis,
    ) -> Result<(), Error> {
        let count = written.entry(T::KIND).or_default();
        let due = T::rows(&self.register).iter().skip(*count).take_while(|row| row.recorded_at <= now);
        for row in due {
            *count += 1;
            let mut last = row.row.clone();
            last.renumber(&self.numbers);
            let (row_now, unsettled) = last.at(now);
            out.extend(unsettled.map(|order| (batch.len(), order)));
            let id = T::shift(&self.numbers).map(|shift| row.id + shift);
            batch.push(Change::Add { id, valid: row.valid, row: row_now })?;
        }
        Ok(())
    }
}

/// A kind of paper.
trait Paper: Sized {
    /// For kinds that others name: what to add to a number of the script.
    fn shift(_: &Numbers) -> Option<i64> {
        None
    }

    /// What is on it at a moment, and for an order whose car is out what will be on it in the end.
    fn at(self, _: UtcMillis) -> (Self, Option<Order>) {
        (self, None)
    }
}

macro_rules! papers {
    (named $($row:ty: $field:ident),*; plain $($plain:ty),*) => {
        $(impl Paper for $row {
            fn shift(numbers: &Numbers) -> Option<i64> {
                Some(numbers.$field)
            }
        })*
        $(impl Paper for $plain {})*
    };
}

papers! {
    named Unit: units, Zone: zones, Driver: drivers, Vehicle: vehicles;
    plain Binding, Duty, Emergency, Seal, PlaceEntry, RuleSet, Exemption, Watermark, Report, FuelFill, Passage, Repair,
    DriverLogin, Mileage
}

impl Paper for Order {
    fn at(self, now: UtcMillis) -> (Self, Option<Order>) {
        if self.actual_in.is_none_or(|back| back <= now) {
            return (self, None);
        }
        let open = Self {
            state: OrderState::Approved,
            odometer_out_m: None,
            odometer_in_m: None,
            distance_m: None,
            actual_out: None,
            actual_in: None,
            ..self.clone()
        };
        (open, Some(self))
    }
}

/// The rows of a kind that the demonstration wrote, by number.
async fn own_rows<T: Stored>(registry: &Registry) -> Result<Vec<Versioned<T>>, Error> {
    let mut rows = registry.rows::<T>(Known::Now).await?;
    rows.retain(|row| row.recorded_by == CLERK);
    rows.dedup_by_key(|row| row.id);
    Ok(rows)
}

/// What to add to the numbers of a kind: from what is written already, else from numbers reserved now.
async fn shift<T: Stored>(registry: &Registry, rows: &[Versioned<T>]) -> Result<i64, Error> {
    let (Some(first), Some(last)) =
        (rows.iter().map(|row| row.id).min(), rows.iter().map(|row| row.id).max())
    else {
        return Ok(0);
    };
    if let Some(known) = own_rows::<T>(registry).await?.first() {
        return Ok(known.id - first);
    }
    Ok(registry.reserve::<T>(u32::try_from(last).unwrap_or(u32::MAX)).await? - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::registry::RowScope;
    use crate::sim::demo::{Script, ScriptOptions};

    const CARS: usize = 12;

    fn script() -> Script {
        Script::new(ScriptOptions { seed: 1, from: jiff::civil::date(2026, 4, 1), cars: CARS })
    }

    async fn registry(dir: &std::path::Path) -> Arc<Registry> {
        Arc::new(Registry::open(dir, &Config { data: dir.to_owned(), ..Config::default() }).await.unwrap())
    }

    fn devices() -> Vec<DeviceId> {
        (0..CARS).map(|car| DeviceId(500 + u32::try_from(car).unwrap())).collect()
    }

    async fn known(registry: &Registry) -> Register {
        let (from, to) = (UtcMillis(0), UtcMillis(i64::MAX / 4));
        registry.register(&RowScope::All, from, to, Known::Now).await.unwrap().0
    }

    /// 2026-04-22T04:00:00Z, noon in Shanghai.
    const NOON: UtcMillis = UtcMillis(1_776_830_400_000);

    #[tokio::test]
    async fn paper_comes_when_it_is_written_also_after_a_restart() {
        let script = script();
        let dir = tempfile::tempdir().unwrap();
        let registry = registry(dir.path()).await;
        // Numbers that are gone already must not matter.
        registry.reserve::<Unit>(1_000).await.unwrap();
        let open = || Papers::open(Arc::clone(&registry), script.register().clone(), devices());
        open().await.unwrap().write_due(NOON).await.unwrap();
        let at_noon = known(&registry).await;
        let entered = |register: &Register| register.orders.iter().filter_map(|row| row.row.entered_at).max();
        assert!(entered(&at_noon) <= Some(NOON));
        assert!(at_noon.orders.iter().all(|row| row.row.actual_in <= Some(NOON)));
        let unit = at_noon.vehicles[0].row.unit;
        assert!(unit.0 > 1_000 && at_noon.units.iter().any(|row| row.id == unit.0));
        assert_eq!(at_noon.bindings[0].row.device.0, 500);
        // Nothing is due twice.
        assert_eq!(open().await.unwrap().write_due(NOON).await.unwrap(), 0);

        let end = UtcMillis(NOON.0 + 60 * 86_400_000);
        open().await.unwrap().write_due(end).await.unwrap();
        let last = known(&registry).await;
        let says = |rows: &[Versioned<Order>]| {
            let mut rows: Vec<_> = rows
                .iter()
                .map(|row| (row.row.no.clone(), row.row.planned_out, row.row.state, row.row.odometer_in_m))
                .collect();
            rows.sort();
            rows
        };
        assert_eq!(says(&last.orders), says(&script.register().orders));
        assert_eq!(last.mileages.len(), script.register().mileages.len());
        assert!(at_noon.orders.len() < last.orders.len());
    }
}
