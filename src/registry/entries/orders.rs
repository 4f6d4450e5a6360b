//! Since when the registry knows what an order says.
//!
//! An order is written again and again: applied for, approved, settled with the odometer. Judgement asks whether the paper was
//! there before the car left, so what counts is not when its newest version was recorded but since when it says what it says about the car,
//! the times and the places, and covers trips at all. A paper that only got its odometer afterwards is not late; one whose time
//! was stretched afterwards is.

use std::collections::BTreeMap;

use motorpool_protocols::UtcMillis;
use motorpool_supervision::register::{Order, Row as _, Versioned};

use super::super::CHUNK_ROWS;
use super::super::db::{Sql, Tx};
use super::{Error, Record, SELECT};

/// Fills in [`Order::entered_at`] of orders that were written more than once. A time that the paper brings itself stays, unless the paper
/// said something else when it was first written: then it can't be older than the version that first says it.
pub(super) async fn fill_entered(tx: &mut Tx, orders: &mut [Versioned<Order>]) -> Result<(), Error> {
    let again = |order: &&mut Versioned<Order>| order.version > 1;
    let ids: Vec<i64> = orders.iter_mut().filter(again).map(|order| order.id).collect();
    let mut versions: BTreeMap<i64, Vec<Versioned<Order>>> = BTreeMap::new();
    for chunk in ids.chunks(CHUNK_ROWS) {
        let mut sql = Sql::new(SELECT);
        sql.push(" WHERE kind = ")
            .push_bind(Order::KIND)
            .push(" AND id IN ")
            .push_list(chunk.iter().copied());
        sql.push(" ORDER BY id, version");
        for record in tx.all::<Record>(sql).await? {
            versions.entry(record.id).or_default().push(record.versioned()?);
        }
    }
    for order in orders.iter_mut().filter(again) {
        let versions = versions.get(&order.id).map_or(&[][..], Vec::as_slice);
        let is_changed = versions.iter().any(|version| !version.row.covers_the_same_as(&order.row));
        order.row.entered_at = match order.row.entered_at {
            Some(own) if is_changed => Some(own.max(recorded_since(order, versions))),
            Some(own) => Some(own),
            None => Some(since(order, versions)).filter(|at| *at != order.recorded_at),
        };
    }
    Ok(())
}

/// Since when the registry knows what `order` says, given the order's versions in order of their numbers. A time that the paper brought
/// itself counts only when it has said so from the first: else it is that of what the paper said before.
fn since(order: &Versioned<Order>, versions: &[Versioned<Order>]) -> UtcMillis {
    let first = versions.first().map(|version| version.version);
    first_same(order, versions).map_or(order.recorded_at, |version| {
        let own = version.row.entered_at.filter(|_| Some(version.version) == first);
        own.unwrap_or(version.recorded_at)
    })
}

/// When the version was recorded from which on the paper says what `order` says.
fn recorded_since(order: &Versioned<Order>, versions: &[Versioned<Order>]) -> UtcMillis {
    first_same(order, versions).map_or(order.recorded_at, |version| version.recorded_at)
}

/// The earlier version from which on the paper says without a break what `order` says.
fn first_same<'a>(
    order: &Versioned<Order>,
    versions: &'a [Versioned<Order>],
) -> Option<&'a Versioned<Order>> {
    let earlier = versions.iter().rev().filter(|version| version.version < order.version);
    earlier.take_while(|version| version.row.covers_the_same_as(&order.row)).last()
}
