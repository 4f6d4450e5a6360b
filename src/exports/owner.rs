//! Who an export is for, asked again: what goes on after the request must know whether its owner still may.

use std::sync::Arc;

use motorpool_protocols::UtcMillis;

use crate::accounts::scope::OwnTimes;
use crate::accounts::{Caller, FleetCache, Permission, Scope};
use crate::registry::accounts::LoggedIn;
use crate::registry::{Error, Registry, StoredExport};

/// No log-in: an export goes on when its owner has logged out.
const NO_LOGIN: i64 = 0;

/// What the owner of an export sees of tracks now; `None` when that is nothing any more.
///
/// Drivers see no tracks, so what is somebody's own has no place here.
pub(super) async fn scope_of(
    registry: &Registry,
    fleet: &FleetCache,
    export: &StoredExport,
    now: UtcMillis,
) -> Result<Option<Scope>, Error> {
    let Some(caller) = caller_of(registry, export, now).await? else { return Ok(None) };
    if !caller.may(Permission::TracksRead) {
        return Ok(None);
    }
    let fleet = fleet.at(now).await?;
    Ok(Some(Scope::of(&caller, Permission::TracksRead, fleet, OwnTimes::new(), now)))
}

async fn caller_of(
    registry: &Registry,
    export: &StoredExport,
    now: UtcMillis,
) -> Result<Option<Caller>, Error> {
    let Some(id) = export.account else {
        let tokens = registry.tokens();
        let token = tokens.iter().find(|token| token.id == export.owner);
        let token = token.filter(|token| registry.is_in_force(token, now)).map(Arc::clone);
        return Ok(token.map(|token| Caller::token(token, export.ip.clone())));
    };
    let people = registry.people();
    let Some(account) = people.account(id).await?.filter(|account| !account.is_disabled) else {
        return Ok(None);
    };
    let mut grants = people.grants(id).await?;
    grants.retain(|grant| grant.holds(now));
    Ok(Some(Caller::person(LoggedIn { login: NO_LOGIN, account, grants }, export.ip.clone())))
}
