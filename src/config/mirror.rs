//! `[mirror]`: the InfluxDB, or an engine that takes its lines, that fixes are mirrored to.

use std::time::Duration;

use motorpool_mirror::influx::check_url;
use motorpool_mirror::line::Measurement;
use serde::{Deserialize, Serialize};

use super::{Bytes, Seconds, Secret};

/// Lines in a batch, at most: halving a batch to isolate a bad line stays cheap.
const BATCH_ROWS_MAX: usize = 100_000;
/// Bytes in a batch, at most.
const BATCH_BYTES_MAX: usize = 64 << 20;
/// The journal waits for the mirror at least as far as this.
const LAG_BYTES_MIN: usize = 1 << 20;

/// What is sent again, at most.
const OVERLAP_MAX: Duration = Duration::from_secs(3_600);

/// `[mirror]`: where fixes are mirrored to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mirror {
    /// The server's address; empty = there is no mirror.
    pub url: String,
    /// The organisation.
    pub org: String,
    /// The bucket.
    pub bucket: String,
    /// The token.
    pub token: Secret,
    /// The measurement of the points.
    pub measurement: String,
    /// Lines in one write.
    pub batch_rows: usize,
    /// Bytes in one write, before compression.
    pub batch_bytes: Bytes,
    /// Whether writes are compressed.
    pub gzip: bool,
    /// How long one write may take.
    pub timeout: Seconds,
    /// The wait after the first failure; it doubles.
    pub retry_min: Seconds,
    /// The longest wait.
    pub retry_max: Seconds,
    /// Lines of one write that may be refused before the server is asked about others, and the configuration suspected.
    pub rejects_max: usize,
    /// Size of the files of refused lines.
    pub rejects_bytes: Bytes,
    /// How much of the journal may wait for the mirror.
    pub lag_max: Bytes,
    /// What is sent again after the server was away, or this one restarted.
    pub overlap: Seconds,
}

impl Default for Mirror {
    fn default() -> Self {
        Self {
            url: String::new(),
            org: String::new(),
            bucket: String::new(),
            token: Secret::default(),
            measurement: "fix".to_owned(),
            batch_rows: 5_000,
            batch_bytes: Bytes(2 << 20),
            gzip: true,
            timeout: Seconds(Duration::from_secs(30)),
            retry_min: Seconds(Duration::from_millis(500)),
            retry_max: Seconds(Duration::from_secs(60)),
            rejects_max: 100,
            rejects_bytes: Bytes(16 << 20),
            lag_max: Bytes(4 << 30),
            overlap: Seconds(Duration::from_secs(30)),
        }
    }
}

impl Mirror {
    /// Whether there is one.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !self.url.is_empty()
    }

    /// What is wrong with it, if something is.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        if self.is_on()
            && let Err(error) = check_url(&self.url)
        {
            return Some(format!("mirror.url: {error}"));
        }
        let is_header = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let mistakes = [
            (self.is_on() && self.bucket.is_empty(), "mirror.bucket is empty"),
            (!is_header(self.token.expose()), "mirror.token has characters that are in no token"),
            (
                Measurement::new(&self.measurement).is_none(),
                "mirror.measurement must be letters, digits and underscores",
            ),
            (
                !(1..=BATCH_ROWS_MAX).contains(&self.batch_rows),
                "mirror.batch_rows must be between 1 and 100000",
            ),
            (
                !(1 << 10..=BATCH_BYTES_MAX).contains(&self.batch_bytes.0),
                "mirror.batch_bytes must be between 1KiB and 64MiB",
            ),
            (self.timeout.0 < Duration::from_millis(100), "mirror.timeout must be at least 100ms"),
            (self.retry_min.0.is_zero(), "mirror.retry_min must be more than 0"),
            (self.retry_max.0 < self.retry_min.0, "mirror.retry_max must be at least mirror.retry_min"),
            (self.rejects_bytes.0 < 64 << 10, "mirror.rejects_bytes must be at least 64KiB"),
            (self.overlap.0 > OVERLAP_MAX, "mirror.overlap must be at most 1h"),
            (self.lag_max.0 < LAG_BYTES_MIN, "mirror.lag_max must be at least 1MiB"),
        ];
        mistakes.into_iter().find_map(|(is_wrong, message)| is_wrong.then(|| message.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        assert_eq!(Mirror::default().fault(), None);
        let on = Mirror {
            url: "http://127.0.0.1:8086".to_owned(),
            bucket: "cars".to_owned(),
            ..Mirror::default()
        };
        assert_eq!(on.fault(), None);
        for (wrong, word) in [
            (Mirror { url: "influx:8086".to_owned(), ..on.clone() }, "mirror.url"),
            (Mirror { url: "http://influx/below".to_owned(), ..on.clone() }, "path"),
            (Mirror { bucket: String::new(), ..on.clone() }, "bucket"),
            (Mirror { token: Secret::new("a\nb"), ..on.clone() }, "token"),
            (Mirror { measurement: "a b".to_owned(), ..on.clone() }, "measurement"),
            (Mirror { retry_max: Seconds(Duration::from_millis(1)), ..on.clone() }, "retry_max"),
            (Mirror { lag_max: Bytes(1), ..on }, "lag_max"),
        ] {
            let fault = wrong.fault().unwrap();
            assert!(fault.contains(word), "{word}: {fault}");
        }
    }
}
