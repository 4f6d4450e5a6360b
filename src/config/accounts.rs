//! `[accounts]`: log-ins of people, and the audit log.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Seconds;

/// `[accounts]`: log-ins of people, and the heads of the audit log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Accounts {
    /// A log-in that is not used for so long is over.
    pub idle_timeout: Seconds,
    /// A log-in is over after so long, used or not.
    pub login_lifetime: Seconds,
    /// The cookie of log-ins.
    pub cookie: CookieMode,
    /// Where signed heads of the audit log are appended, in each hour in which something was written to it; in the data folder when it is
    /// empty. It belongs where whoever runs the server can't change it.
    pub audit_heads: PathBuf,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            idle_timeout: Seconds(Duration::from_secs(30 * 60)),
            login_lifetime: Seconds(Duration::from_secs(12 * 3_600)),
            cookie: CookieMode::Auto,
            audit_heads: PathBuf::new(),
        }
    }
}

impl Accounts {
    /// [`Accounts::idle_timeout`] in milliseconds.
    #[must_use]
    pub fn idle_ms(&self) -> i64 {
        i64::try_from(self.idle_timeout.0.as_millis()).unwrap_or(i64::MAX)
    }

    /// [`Accounts::login_lifetime`] in milliseconds.
    #[must_use]
    pub fn lifetime_ms(&self) -> i64 {
        i64::try_from(self.login_lifetime.0.as_millis()).unwrap_or(i64::MAX)
    }
}

/// What browsers are told about the cookie of a log-in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CookieMode {
    /// Over TLS only where the server speaks TLS itself or listens beyond a loopback address, else over plain HTTP too.
    #[default]
    Auto,
    /// Over TLS only, for example behind a proxy on the same machine.
    Secure,
    /// Over plain HTTP too: whoever listens on the network can take a log-in over.
    Plain,
}
