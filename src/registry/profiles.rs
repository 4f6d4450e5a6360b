//! The profiles by which devices are read, and the file in the data folder that tells them to offline commands.
//!
//! `profiles.json` holds the configured profiles by name, as the server that ran last in this folder knew them. The server
//! writes it at its start, before anything is decoded; commands that decode the journal beside it or after it read
//! it, so that both read every message alike. Nobody edits it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use motorpool_protocols::Profile;

use super::Error;
use crate::config::Config;

/// The file in the data folder.
pub const PROFILES_FILE: &str = "profiles.json";

/// Writes the configured profiles into the data folder, in place of those of the run before.
///
/// # Errors
/// When the file can't be written.
pub fn write_profiles(data_dir: &Path, config: &Config) -> Result<(), Error> {
    let path = data_dir.join(PROFILES_FILE);
    let fresh = data_dir.join("profiles.json.tmp");
    serde_json::to_vec_pretty(&config.profiles)
        .map_err(io::Error::from)
        .and_then(|json| fs::write(&fresh, json))
        .and_then(|()| fs::rename(&fresh, &path))
        .map_err(|source| Error::Io { path, source })
}

/// The profiles that the server which ran last in this folder knew besides the built-in ones; none when it never ran.
///
/// # Errors
/// When the file can't be read or is not what [`write_profiles`] writes.
pub fn read_profiles(data_dir: &Path) -> Result<BTreeMap<String, Profile>, Error> {
    let path = data_dir.join(PROFILES_FILE);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        other => other,
    };
    text.and_then(|text| serde_json::from_slice(&text).map_err(Into::into))
        .map_err(|source| Error::Io { path, source })
}

/// The profiles that devices can be given: those built in, and those of the configuration, which win.
#[derive(Debug)]
pub(super) struct Profiles {
    by_name: BTreeMap<String, Arc<Profile>>,
}

impl Profiles {
    pub(super) fn new(config: &Config) -> Self {
        let built_in = Profile::BUILT_IN.iter().filter_map(|name| Profile::built_in(name));
        let configured =
            config.profiles.iter().map(|(name, profile)| Profile { name: name.clone(), ..profile.clone() });
        let by_name =
            built_in.chain(configured).map(|profile| (profile.name.clone(), Arc::new(profile))).collect();
        Self { by_name }
    }

    /// Whether devices can be given that profile.
    pub(super) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The profile of that name. An unknown one reads by the standard and keeps its name, so that it can be told.
    pub(super) fn named(&self, name: &str) -> Arc<Profile> {
        match self.by_name.get(name) {
            Some(profile) => Arc::clone(profile),
            None => Arc::new(Profile { name: name.to_owned(), ..Profile::default() }),
        }
    }

    /// Says in the log which profiles are named by devices and not configured.
    pub(super) fn warn_of_unknown<'a>(&self, named: impl Iterator<Item = &'a str>) {
        let unknown: BTreeSet<&str> = named.filter(|name| !self.has(name)).collect();
        for profile in unknown {
            tracing::error!(
                profile,
                "devices name a profile that is not configured; they are read by the standard, and what they \
                 say may be stored wrong"
            );
        }
    }
}
