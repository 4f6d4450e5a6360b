//! One attempt at a password: who may make it, and when. Nothing is hashed before [`Attempt::begin`] lets it.
//!
//! An attempt is counted before the password is looked at, and taken back when it was right: guesses sent at once don't get more tries
//! than guesses one after the other.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;

use super::super::ApiState;
use super::super::problem::{Code, Problem};
use super::super::throttle::network_of;
use crate::registry::accounts::Admission;

/// Seconds after which a network that has tried too often may try again.
const NETWORK_WAIT_S: u64 = 60;

/// An attempt that counts as a failure until it was right.
pub(super) struct Attempt {
    name: String,
    network: IpAddr,
}

impl Attempt {
    /// Begins one: refused when the network has tried too often or the name is shut for it, late when the name is guessed at from
    /// everywhere.
    pub(super) async fn begin(state: &ApiState, name: &str, peer: IpAddr) -> Result<Self, Problem> {
        let (network, now) = (network_of(peer), state.now());
        let too_many = |wait_s| {
            state.counters().http_auth_failures.fetch_add(1, Ordering::Relaxed);
            Problem::new(Code::TooManyAttempts).retry_after(wait_s)
        };
        if !state.guesses().allow(network, now) {
            return Err(too_many(NETWORK_WAIT_S));
        }
        match state.people().begin_attempt(name, &network.to_string(), now).await? {
            Admission::Shut(until) => {
                let wait_s = u64::try_from(until.0.saturating_sub(now.0)).unwrap_or(0).div_ceil(1_000);
                Err(too_many(wait_s.max(1)))
            }
            Admission::Open(delay) => {
                tokio::time::sleep(delay).await;
                Ok(Self { name: name.to_owned(), network })
            }
        }
    }

    /// The same of somebody who is logged in: a browser left open is no way around the limits.
    pub(super) async fn begin_at(state: &ApiState, name: &str, ip: &str) -> Result<Self, Problem> {
        Self::begin(state, name, ip.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))).await
    }

    /// It was right.
    pub(super) async fn forgive(self, state: &ApiState) -> Result<(), Problem> {
        state.guesses().give_back(&self.network);
        Ok(state.people().forgive_attempt(&self.name, &self.network.to_string()).await?)
    }
}
