//! Plans of the weekly blind sample, with their seeds.
//!
//! A seed is made here, kept here, and given out only with the plan's own fold: whoever shows a plan decides whether it was drawn.

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::cases::{SamplePlan, Seed};
use sqlx::FromRow;

use super::case_events::day_of;
use super::db::Sql;
use super::judgements::day_number;
use super::{Error, Registry, entries, hex, random};

/// Plans that one list shows, newest first.
const PLANS_MAX: u32 = 1_000;

/// A plan as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct StoredPlan {
    /// What was published.
    pub plan: SamplePlan,
    /// What decides the draw; secret until then.
    pub seed: Seed,
    /// When it was published.
    pub created_at: UtcMillis,
    /// By whom.
    pub created_by: String,
    /// When it was drawn.
    pub drawn_at: Option<UtcMillis>,
}

#[derive(FromRow)]
struct Row {
    number: i64,
    monday: i64,
    size: i64,
    seed: String,
    created_at: i64,
    created_by: String,
    drawn_at: Option<i64>,
}

const SELECT: &str = "SELECT number, monday, size, seed, created_at, created_by, drawn_at FROM sample_plans";

impl Row {
    fn plan(self) -> Result<StoredPlan, Error> {
        let corrupt = || Error::Corrupt("a sample plan");
        let number = u32::try_from(self.number).map_err(|_| corrupt())?;
        let seed = hex::decode(&self.seed).and_then(|bytes| bytes.try_into().ok()).ok_or_else(corrupt)?;
        let seed = Seed(seed);
        let plan = SamplePlan {
            number,
            monday: day_of(self.monday).ok_or_else(corrupt)?,
            size: u32::try_from(self.size).map_err(|_| corrupt())?,
            commitment: seed.commitment(number),
        };
        let (created_at, drawn_at) = (UtcMillis(self.created_at), self.drawn_at.map(UtcMillis));
        Ok(StoredPlan { plan, seed, created_at, created_by: self.created_by, drawn_at })
    }
}

impl Registry {
    /// Makes the next plan, of `size` trips of the week that begins on `monday`, with a new seed.
    ///
    /// # Errors
    /// When the database or the source of randomness fails.
    pub async fn create_sample_plan(
        &self,
        monday: Date,
        size: u32,
        who: &str,
        now: UtcMillis,
    ) -> Result<StoredPlan, Error> {
        let seed = Seed(random::<32>()?);
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        let created_at = entries::record_time(&mut tx, now).await?;
        let number = tx.number(Sql::new("SELECT COALESCE(MAX(number), 0) + 1 FROM sample_plans")).await?;
        let number = u32::try_from(number).map_err(|_| Error::Full)?;
        let plan = SamplePlan { number, monday, size, commitment: seed.commitment(number) };
        let sql = Sql::new(
            "INSERT INTO sample_plans (number, monday, size, commitment, seed, created_at, created_by) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(number)
        .bind(day_number(monday))
        .bind(size)
        .bind(plan.commitment.to_string())
        .bind(hex::encode(&seed.0))
        .bind(created_at)
        .bind(who);
        tx.execute(sql).await?;
        tx.commit().await?;
        Ok(StoredPlan { plan, seed, created_at, created_by: who.to_owned(), drawn_at: None })
    }

    /// A plan; `None` when there is none with that number.
    ///
    /// # Errors
    /// When the database fails or a value can't be read.
    pub async fn sample_plan(&self, number: u32) -> Result<Option<StoredPlan>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push(" WHERE number = ").push_bind(number);
        let row: Option<Row> = self.db.optional(sql).await?;
        row.map(Row::plan).transpose()
    }

    /// The newest plans, at most 1,000, newest first.
    ///
    /// # Errors
    /// As [`Registry::sample_plan`].
    pub async fn sample_plans(&self) -> Result<Vec<StoredPlan>, Error> {
        let mut sql = Sql::new(SELECT);
        sql.push(" ORDER BY number DESC LIMIT ").push_bind(PLANS_MAX);
        let rows: Vec<Row> = self.db.all(sql).await?;
        rows.into_iter().map(Row::plan).collect()
    }

    /// Marks a plan as drawn; a plan that is drawn already stays as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_drawn(&self, number: u32, now: UtcMillis) -> Result<(), Error> {
        let _turn = self.writer.lock().await;
        let sql = Sql::new("UPDATE sample_plans SET drawn_at = $1 WHERE number = $2 AND drawn_at IS NULL");
        self.db.execute(sql.bind(now).bind(number)).await?;
        Ok(())
    }
}
