//! What happened to cases and flags since it was told last.
//!
//! A case is news while it has more events than were told, a flag while it took more turns. What was told is written in one
//! transaction with the deliveries that it came to: a crash tells again, and the queue takes nothing twice.

use motorpool_protocols::UtcMillis;

use super::db::Sql;
use super::webhooks::{NewDelivery, enqueue};
use super::{Error, Registry};

/// Cases, and flags, that are told at once.
const NEWS_AT_ONCE: u32 = 500;

/// Something that may be news.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct News {
    /// The case or flag.
    pub id: String,
    /// Events or turns that were told.
    pub told: i64,
    /// Events or turns that there are.
    pub seq: i64,
    /// When the last of them was recorded.
    pub at: UtcMillis,
}

/// The kind of thing that is news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the table's own list")]
pub enum Topic {
    /// A case.
    Case,
    /// A flag.
    Flag,
}

impl Topic {
    const fn word(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Flag => "flag",
        }
    }
}

impl Registry {
    /// Cases or flags with something new since `since`, which is when the last news were recorded; oldest first, some at once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn news(&self, topic: Topic, since: UtcMillis) -> Result<Vec<News>, Error> {
        let sql = match topic {
            Topic::Case => Sql::new(
                "SELECT cases.case_id, COALESCE(told.seq, 0), cases.seq, cases.updated_at FROM cases \
                 LEFT JOIN told ON told.kind = 'case' AND told.id = cases.case_id \
                 WHERE cases.updated_at >= $1 AND cases.seq > COALESCE(told.seq, 0) \
                 ORDER BY cases.updated_at LIMIT $2",
            ),
            Topic::Flag => Sql::new(
                "SELECT flags.id, COALESCE(told.seq, 0), flags.step, flags.state_at FROM flags \
                 LEFT JOIN told ON told.kind = 'flag' AND told.id = flags.id \
                 WHERE flags.state_at >= $1 AND flags.step > COALESCE(told.seq, 0) \
                 ORDER BY flags.state_at LIMIT $2",
            ),
        };
        let rows: Vec<(String, i64, i64, i64)> = self.db.all(sql.bind(since).bind(NEWS_AT_ONCE)).await?;
        let news = |(id, told, seq, at)| News { id, told, seq, at: UtcMillis(at) };
        Ok(rows.into_iter().map(news).collect())
    }

    /// Writes down what was told, with the deliveries that it came to.
    ///
    /// # Errors
    /// When the database fails; then nothing was told.
    pub async fn tell(
        &self,
        told: &[(Topic, News)],
        deliveries: &[NewDelivery],
        now: UtcMillis,
    ) -> Result<(), Error> {
        let _turn = self.writer.lock().await;
        let mut tx = self.db.begin_write().await?;
        for (topic, news) in told {
            let sql = Sql::new(
                "INSERT INTO told (kind, id, seq) VALUES ($1, $2, $3) \
                 ON CONFLICT (kind, id) DO UPDATE SET seq = excluded.seq",
            );
            tx.execute(sql.bind(topic.word()).bind(&news.id).bind(news.seq)).await?;
        }
        enqueue(&mut tx, deliveries, now).await?;
        tx.commit().await
    }
}
