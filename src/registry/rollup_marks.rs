//! Device-days that have to be folded again, kept for the next start.

use super::db::{Sql, Tx};
use super::{Error, Registry};
use crate::ids::DeviceId;

/// Rows written or removed by one transaction.
const ROWS_AT_ONCE: usize = 500;

/// A device-day that has to be folded again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a row")]
pub struct RollupMark {
    /// UTC day, counted from 1970.
    pub day: i32,
    /// The device; 0 = all.
    pub device: DeviceId,
    /// Grows with every mark.
    pub seq: i64,
}

impl Registry {
    /// All marks, by day and device.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rollup_marks(&self) -> Result<Vec<RollupMark>, Error> {
        let sql = Sql::new("SELECT day, device, seq FROM rollup_marks ORDER BY day, device");
        let rows: Vec<(i64, i64, i64)> = self.db.all(sql).await?;
        let mark = |(day, device, seq)| {
            let corrupt = || Error::Corrupt("a rollup mark out of range");
            let day = i32::try_from(day).map_err(|_| corrupt())?;
            let device = DeviceId(u32::try_from(device).map_err(|_| corrupt())?);
            Ok(RollupMark { day, device, seq })
        };
        rows.into_iter().map(mark).collect()
    }

    /// Writes marks by themselves.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_rollup_marks(&self, marks: &[RollupMark]) -> Result<(), Error> {
        for marks in marks.chunks(ROWS_AT_ONCE) {
            let _turn = self.writer.lock().await;
            let mut tx = self.db.begin_write().await?;
            write(&mut tx, marks).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Removes marks that are done, unless they were made again meanwhile.
    ///
    /// # Errors
    /// When the database fails; then none or some are removed, which costs a fold.
    pub async fn remove_rollup_marks(&self, done: &[RollupMark]) -> Result<(), Error> {
        for marks in done.chunks(ROWS_AT_ONCE) {
            let _turn = self.writer.lock().await;
            let mut tx = self.db.begin_write().await?;
            for RollupMark { day, device, seq } in marks {
                let sql = Sql::new("DELETE FROM rollup_marks WHERE day = $1 AND device = $2 AND seq <= $3");
                tx.execute(sql.bind(i64::from(*day)).bind(i64::from(device.0)).bind(*seq)).await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Writes marks in the transaction that makes them necessary.
pub(super) async fn write(tx: &mut Tx, marks: &[RollupMark]) -> Result<(), Error> {
    for RollupMark { day, device, seq } in marks {
        let sql = Sql::new(
            "INSERT INTO rollup_marks (day, device, seq) VALUES ($1, $2, $3) \
             ON CONFLICT (day, device) DO UPDATE SET seq = excluded.seq",
        );
        tx.execute(sql.bind(i64::from(*day)).bind(i64::from(device.0)).bind(*seq)).await?;
    }
    Ok(())
}
