//! What people wanted to know when they opened what somebody did.

use jiff::civil::Date;
use motorpool_protocols::UtcMillis;
use motorpool_supervision::ids::VehicleId;
use sqlx::FromRow;

use super::super::db::Sql;
use super::super::judgements::day_number;
use super::{Error, People, next};

/// Purposes that are looked at for one log-in and day.
const PURPOSES_MAX: u32 = 1_000;

/// A purpose to be kept.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a request, built field by field")]
pub struct NewPurpose<'a> {
    /// The log-in for which it holds.
    pub login: i64,
    /// Whose.
    pub account: i64,
    /// The vehicle it holds for.
    pub vehicle: Option<VehicleId>,
    /// The case it holds for.
    pub case_id: Option<&'a str>,
    /// The local day on which it holds.
    pub day: Date,
    /// In words.
    pub text: &'a str,
}

/// A purpose that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a result, read field by field")]
pub struct Purpose {
    /// Its number.
    pub id: i64,
    /// The vehicle it holds for.
    pub vehicle: Option<VehicleId>,
    /// The case it holds for.
    pub case_id: Option<String>,
    /// In words.
    pub text: String,
}

#[derive(Debug, FromRow)]
struct Row {
    id: i64,
    vehicle: Option<i64>,
    case_id: Option<String>,
    text: String,
}

impl People<'_> {
    /// Keeps a purpose. Answers its number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn state_purpose(&self, new: &NewPurpose<'_>, now: UtcMillis) -> Result<i64, Error> {
        let _turn = self.registry.writer.lock().await;
        let mut tx = self.registry.db.begin_write().await?;
        let id = next(&mut tx, "purpose").await?;
        let sql = Sql::new(
            "INSERT INTO purposes (id, login, account, vehicle, case_id, day, text, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        );
        let sql = sql.bind(id).bind(new.login).bind(new.account).bind(new.vehicle.map(|vehicle| vehicle.0));
        tx.execute(sql.bind(new.case_id).bind(day_number(new.day)).bind(new.text).bind(now)).await?;
        self.end(tx, format!("purpose {id}")).await?;
        Ok(id)
    }

    /// What was stated under a log-in on a local day, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn purposes(&self, login: i64, day: Date) -> Result<Vec<Purpose>, Error> {
        let sql = Sql::new(
            "SELECT id, vehicle, case_id, text FROM purposes WHERE login = $1 AND day = $2 ORDER BY id DESC LIMIT $3",
        );
        let rows: Vec<Row> =
            self.registry.db.all(sql.bind(login).bind(day_number(day)).bind(PURPOSES_MAX)).await?;
        let purpose = |row: Row| Purpose {
            id: row.id,
            vehicle: row.vehicle.map(VehicleId),
            case_id: row.case_id,
            text: row.text,
        };
        Ok(rows.into_iter().map(purpose).collect())
    }
}
