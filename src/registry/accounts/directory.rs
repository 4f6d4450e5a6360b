//! Every account in force with its grants, read at once: for telling whom a name on paper means.

use std::collections::BTreeMap;

use motorpool_protocols::UtcMillis;

use super::{Account, AccountRow, Error, Grant, GrantRow, People, SELECT_ACCOUNT, SELECT_GRANT};
use crate::registry::db::Sql;

impl People<'_> {
    /// The accounts that are not shut, by number, each with the grants that hold at `now`, oldest first.
    ///
    /// # Errors
    /// When the database fails or a role is unknown.
    pub async fn in_force(&self, now: UtcMillis) -> Result<Vec<(Account, Vec<Grant>)>, Error> {
        let mut sql = Sql::new(SELECT_ACCOUNT);
        sql.push(" WHERE is_disabled = 0 ORDER BY id");
        let accounts: Vec<AccountRow> = self.registry.db.all(sql).await?;
        let mut sql = Sql::new(SELECT_GRANT);
        sql.push(" ORDER BY id");
        let rows: Vec<GrantRow> = self.registry.db.all(sql).await?;
        let mut grants: BTreeMap<i64, Vec<Grant>> = BTreeMap::new();
        for row in rows {
            let grant = row.grant()?;
            if grant.holds(now) {
                grants.entry(grant.account).or_default().push(grant);
            }
        }
        let with_grants = |row: AccountRow| {
            let given = grants.remove(&row.id).unwrap_or_default();
            (Account::from(row), given)
        };
        Ok(accounts.into_iter().map(with_grants).collect())
    }
}
