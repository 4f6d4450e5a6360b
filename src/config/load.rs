//! Reading the configuration: defaults, then the file, then `MOTORPOOL__…` variables, then checks.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Config;
use crate::journal::RECORD_BYTES_MAX;

/// The prefix of environment variables; sections and keys follow, separated by `__`.
const ENV_PREFIX: &str = "MOTORPOOL__";

/// Files the process must be able to open besides links: segments, archive files, sockets of the API.
pub const FILES_RESERVED: usize = 1_000;

/// Of these, files of journal, archive and registry.
const FILES_OF_STORES: usize = 200;

/// Threads that serve links: more than any machine has processors for.
const WORKERS_MAX: usize = 1_024;

/// Why a configuration can't be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read.
    #[error("can't read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The text is not what it should be; the message has line and column.
    #[error("{origin}: {message}")]
    Syntax {
        /// The file or variable.
        origin: String,
        /// What is wrong, with its place.
        message: String,
    },
    /// Values that do not go together, all of them.
    #[error("{}", .0.join("\n"))]
    Values(Vec<String>),
}

/// The configuration from `file` (defaults alone when `None`) and the environment.
///
/// # Errors
/// When the file can't be read, a key is unknown or a value is wrong.
pub fn load(file: Option<&Path>) -> Result<Config, ConfigError> {
    load_with(file, std::env::vars())
}

fn load_with(
    file: Option<&Path>,
    variables: impl Iterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut table = match file {
        None => toml::Table::new(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
            let syntax =
                |message: String| ConfigError::Syntax { origin: path.display().to_string(), message };
            // Once with the text, so that a wrong key is reported with its line.
            toml::from_str::<Config>(&text).map_err(|error| syntax(error.to_string()))?;
            text.parse().map_err(|error: toml::de::Error| syntax(error.to_string()))?
        }
    };
    for (name, value) in variables {
        if let Some(keys) = name.strip_prefix(ENV_PREFIX) {
            set(&mut table, &keys.to_lowercase(), &value)
                .map_err(|message| ConfigError::Syntax { origin: name.clone(), message })?;
        }
    }
    let config: Config = table.try_into().map_err(|error: toml::de::Error| ConfigError::Syntax {
        origin: "configuration".to_owned(),
        message: error.to_string(),
    })?;
    check(&config)?;
    Ok(config)
}

/// Sets `section__key` to a value written as in the file; a bare word is text.
fn set(table: &mut toml::Table, keys: &str, value: &str) -> Result<(), String> {
    let (sections, key) = match keys.rsplit_once("__") {
        Some((sections, key)) => (sections.split("__").collect(), key),
        None => (Vec::new(), keys),
    };
    let mut place = table;
    for section in sections {
        place = place
            .entry(section)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(|| format!("`{section}` is not a section"))?;
    }
    let parsed = format!("value = {value}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut one| one.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    place.insert(key.to_owned(), parsed);
    Ok(())
}

/// Checks that reach across keys; all mistakes are reported together.
fn check(config: &Config) -> Result<(), ConfigError> {
    let mut mistakes = Vec::new();
    let mut expect = |holds: bool, message: String| {
        if !holds {
            mistakes.push(message);
        }
    };
    let journal = &config.journal;
    let trackers = &config.trackers;
    expect(
        journal.segment_size.0 >= 4 << 20 && journal.segment_size.0.is_multiple_of(4_096),
        format!(
            "journal.segment_size = \"{}\" must be at least 4MiB and a multiple of 4KiB",
            journal.segment_size
        ),
    );
    expect(
        journal.queue_max.0 >= 2 * trackers.read_buffer_max.0,
        format!(
            "journal.queue_max = \"{}\" must hold two reads of trackers.read_buffer_max = \"{}\"",
            journal.queue_max, trackers.read_buffer_max
        ),
    );
    expect(
        journal.queue_max.0 < journal.segment_size.0,
        format!(
            "journal.queue_max = \"{}\" must be smaller than journal.segment_size = \"{}\"",
            journal.queue_max, journal.segment_size
        ),
    );
    expect(
        (1..=FILES_RESERVED - FILES_OF_STORES).contains(&config.http.connections_max),
        format!(
            "http.connections_max = {} must be between 1 and {}",
            config.http.connections_max,
            FILES_RESERVED - FILES_OF_STORES
        ),
    );
    expect(
        config.sessions.partial_bytes_max.0 <= RECORD_BYTES_MAX / 2,
        format!(
            "sessions.partial_bytes_max = \"{}\" must fit into a journal record: at most 512KiB",
            config.sessions.partial_bytes_max
        ),
    );
    let supervision = &config.supervision;
    expect(
        jiff::tz::TimeZone::get(&supervision.time_zone).is_ok(),
        format!("supervision.time_zone = \"{}\" is no time zone", supervision.time_zone),
    );
    expect(
        supervision.calendar.is_empty()
            || motorpool_supervision::calendar::builtin(&supervision.calendar).is_some(),
        format!("supervision.calendar = \"{}\" is no shipped calendar", supervision.calendar),
    );
    expect(
        supervision.interval.0 >= std::time::Duration::from_millis(100),
        format!("supervision.interval = \"{}\" must be at least 100ms", supervision.interval),
    );
    if let Err(error) = supervision.trips.validate() {
        expect(false, format!("supervision.trips: {error}"));
    }
    expect(trackers.links_max > 0, "trackers.links_max must be at least 1".to_owned());
    expect(
        trackers.workers <= WORKERS_MAX,
        format!("trackers.workers = {} must be at most {WORKERS_MAX}", trackers.workers),
    );
    expect(
        trackers.read_buffer_max.0 >= 8 << 10,
        format!("trackers.read_buffer_max = \"{}\" must be at least 8KiB", trackers.read_buffer_max),
    );
    expect(config.tracks.memory_rows_max >= 1_000, "tracks.memory_rows_max must be at least 1000".to_owned());
    expect(
        (64..=65_536).contains(&config.tracks.page_rows),
        format!("tracks.page_rows = {} must be between 64 and 65536", config.tracks.page_rows),
    );
    expect(config.tracks.compact_files_min >= 2, "tracks.compact_files_min must be at least 2".to_owned());
    let is_enough = config.tracks.compact_bytes_per_s.0 >= 1 << 16;
    expect(is_enough, "tracks.compact_bytes_per_s must be at least 64KiB".to_owned());
    expect(
        (1..=8).contains(&config.exports.running_max),
        format!("exports.running_max = {} must be between 1 and 8", config.exports.running_max),
    );
    for (at, map) in config.map.basemap.iter().enumerate() {
        let fault = map.fault();
        expect(fault.is_none(), fault.unwrap_or_default());
        let is_only_one = config.map.basemap.iter().skip(at + 1).all(|other| other.id != map.id);
        expect(is_only_one, format!("map.basemap id = \"{}\" is there twice", map.id));
    }
    for fault in config.retention.faults(config) {
        expect(false, fault);
    }
    for fault in [config.mqtt.fault(), config.broker.fault(), config.jt809.fault(), config.mirror.fault()] {
        expect(fault.is_none(), fault.unwrap_or_default());
    }
    for (section, certificate, key) in [
        ("trackers", &trackers.tls_cert, &trackers.tls_key),
        ("http", &config.http.tls_cert, &config.http.tls_key),
    ] {
        expect(
            certificate.as_os_str().is_empty() == key.as_os_str().is_empty(),
            format!("{section}.tls_cert and {section}.tls_key go together"),
        );
    }
    expect(
        trackers.tls_listen.0.is_none() || !trackers.tls_cert.as_os_str().is_empty(),
        "trackers.tls_listen needs trackers.tls_cert".to_owned(),
    );
    expect(
        config.http.live_interval.0 >= std::time::Duration::from_millis(100),
        format!("http.live_interval = \"{}\" must be at least 100ms", config.http.live_interval),
    );
    let url = config.registry.url.expose();
    expect(
        url.is_empty() || url.starts_with("postgres://") || url.starts_with("postgresql://"),
        "registry.url must be empty or begin with postgres://".to_owned(),
    );
    if mistakes.is_empty() { Ok(()) } else { Err(ConfigError::Values(mistakes)) }
}

#[cfg(test)]
mod tests {
    use motorpool_protocols::Profile;

    use super::*;

    fn variables(list: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
        list.iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("motorpool.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn defaults_alone_are_a_configuration() {
        assert_eq!(load_with(None, variables(&[])).unwrap(), Config::default());
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let (_folder, path) = file("[trackers]\nlisten = \"127.0.0.1:1\"\nlinks_max = 7\n");
        let set = variables(&[("MOTORPOOL__TRACKERS__LISTEN", "127.0.0.1:2"), ("OTHER", "x")]);
        let config = load_with(Some(&path), set).unwrap();
        assert_eq!(config.trackers.listen.port(), 2);
        assert_eq!(config.trackers.links_max, 7);
    }

    #[test]
    fn a_wrong_key_is_named_with_its_line() {
        let (_folder, path) = file("[journal]\nsegmnt_size = \"64MiB\"\n");
        let message = load_with(Some(&path), variables(&[])).unwrap_err().to_string();
        assert!(message.contains("line 2") && message.contains("segmnt_size"), "{message}");
    }

    #[test]
    fn all_mistakes_are_reported_together() {
        let (_folder, path) = file("[journal]\nsegment_size = \"3MiB\"\n[tracks]\npage_rows = 1\n");
        let message = load_with(Some(&path), variables(&[])).unwrap_err().to_string();
        assert!(message.contains("queue_max") && message.contains("page_rows"), "{message}");
    }

    #[test]
    fn mistakes_of_the_edges_are_reported() {
        let (_folder, path) = file(
            "[http]\ntls_cert = \"a.pem\"\n[trackers]\ntls_listen = \"127.0.0.1:1\"\n\
             [[map.basemap]]\nid = \"a b\"\n[[map.basemap]]\nid = \"x\"\ntiles = [\"https://x/{z}\"]\n",
        );
        let message = load_with(Some(&path), variables(&[])).unwrap_err().to_string();
        for part in ["http.tls_key", "tls_listen needs", "\"a b\"", "lacks {z}, {x} or {y}"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn the_shipped_file_shows_every_key_with_its_default() {
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/config/motorpool.toml");
        let text = std::fs::read_to_string(shipped).unwrap();
        let shown: toml::Table = text.parse().unwrap();
        let defaults = toml::Table::try_from(Config::default()).unwrap();
        assert_eq!(shown, defaults);

        // The example of a base map, without its comment signs, must be one.
        let (_, example) = text.split_once("#   [[map.basemap]]").unwrap();
        let lines: Vec<_> = example.lines().skip(1).map_while(|line| line.strip_prefix("#   ")).collect();
        let map: crate::basemaps::Basemap = toml::from_str(&lines.join("\n")).unwrap();
        assert_eq!((map.fault(), map.min_zoom), (None, 1));

        // The examples of lower platforms show every key that the table leaves out when it is not set.
        let (_, jt809) = text.split_once("\n[jt809]\n").unwrap();
        let (numbers, platforms) = jt809.split_once("#   [[jt809.platforms]]").unwrap();
        let example = |text: &str| -> String {
            let lines = text.lines().filter_map(|line| line.strip_prefix("#   "));
            lines.collect::<Vec<_>>().join("\n")
        };
        let lower = format!(
            "{}\n[[platforms]]\n{}",
            example(numbers),
            example(platforms.split("#\n#").next().unwrap())
        );
        let lower: crate::config::Jt809 = toml::from_str(&lower).unwrap();
        assert!(lower.cipher.is_some());
        assert_eq!((lower.platforms.len(), lower.fault()), (1, None));

        // The example of a superior platform shows every key.
        let (_, example) = text.split_once("#   [[jt809.superiors]]").unwrap();
        let lines: Vec<_> = example.lines().skip(1).map_while(|line| line.strip_prefix("#   ")).collect();
        let shown: toml::Table = lines.join("\n").parse().unwrap();
        let superior: crate::config::SuperiorPlatform = toml::from_str(&lines.join("\n")).unwrap();
        let keys = toml::Table::try_from(&superior).unwrap();
        assert!(shown.keys().eq(keys.keys()));
        let jt809 = crate::config::Jt809 { superiors: vec![superior], ..Config::default().jt809 };
        assert_eq!(jt809.fault(), None);

        // The example of a profile, without its comment signs: every key but the name, which is the section's.
        let (_, example) = text.split_once("#   [profiles.acme]").unwrap();
        let lines: Vec<_> = example.lines().skip(1).map_while(|line| line.strip_prefix("#   ")).collect();
        let profile: Profile = toml::from_str(&lines.join("\n")).unwrap();
        let shown: toml::Table = lines.join("\n").parse().unwrap();
        let mut keys = toml::Table::try_from(&profile).unwrap();
        keys.remove("name");
        assert_eq!(shown, keys);
        for name in Profile::BUILT_IN.iter().skip(4) {
            assert!(text.contains(&format!("\n#   {name} ")), "vendor_items {name}");
        }
    }
}
