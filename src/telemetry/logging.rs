//! The log: `tracing` to standard error, as text or JSON, and the masking of personal data.
//!
//! `MOTORPOOL_LOG` sets what is written, in the form of `tracing_subscriber`'s `EnvFilter`; the default is `info`.

use std::io::IsTerminal;
use std::net::IpAddr;

use tracing_subscriber::EnvFilter;

/// The environment variable with the filter.
pub const LOG_VARIABLE: &str = "MOTORPOOL_LOG";

/// Starts the log of the process. A second call does nothing.
pub fn init(json: bool) {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    // Only a second start fails, and then there is a log already.
    drop(started);
}

/// An address without the part that tells hosts apart: `192.0.2.*`, `2001:db8:1::*`.
#[must_use]
pub fn masked_ip(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.*")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}::*")
        }
    }
}

/// All but the last four characters replaced by `*`: plates, names, telephone numbers.
#[must_use]
pub fn masked(text: &str) -> String {
    let shown = text.chars().count().saturating_sub(4);
    text.chars().enumerate().map(|(at, c)| if at < shown { '*' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_names_are_masked() {
        assert_eq!(masked_ip("192.0.2.77".parse().unwrap()), "192.0.2.*");
        assert_eq!(masked_ip("::ffff:192.0.2.77".parse().unwrap()), "192.0.2.*");
        assert_eq!(masked_ip("2001:db8:1:2::3".parse().unwrap()), "2001:db8:1::*");
        assert_eq!(masked("演A12345"), "***2345");
        assert_eq!(masked("123"), "123");
    }
}
