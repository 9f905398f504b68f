//! Composer's configuration, merged from its sources.
//!
//! [`Directories`] chooses Composer's home, [`Config`] merges the sources and answers what
//! `Config::get` answers. Both read nothing themselves: contents of files, variables of the
//! environment and facts about directories come in as parameters. What Composer rejects, warns of,
//! or treats in a way of its own, is [`Unfamiliar`](crate::Unfamiliar).

mod defaults;
mod get;
mod home;
mod load;
mod merge;
mod release;
mod shape;
mod typed;
mod value;

use std::collections::HashMap;

pub use home::{Directories, Probes};
pub use load::{Files, lock_path, manifest_path};
pub use release::Release;
pub use typed::{AllowPlugins, BinCompat, DiscardChanges, PlatformCheck, PreferredInstall};
pub use value::{Array, Key, Value};

use crate::json::Json;
pub(crate) use value::is_true;

/// The value of each variable of the environment. A variable that PHP itself sets in `$_SERVER`,
/// such as `argv`, must not be among them.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Composer's configuration (`Config`, composer 2.10.2).
#[derive(Clone)]
pub struct Config<'e> {
    release: Release,
    environment: Environment<'e>,
    base_dir: String,
    values: Array,
    repositories: Array,
    sources: HashMap<String, String>,
}

impl<'e> Config<'e> {
    /// Returns the configuration before any file, as `Factory::createConfig` begins it.
    ///
    /// The base directory is the working directory, to which paths are relative.
    pub fn new(
        release: Release,
        environment: Environment<'e>,
        base_dir: &str,
        directories: &Directories,
    ) -> Self {
        let mut config = Self {
            release,
            environment,
            base_dir: base_dir.to_owned(),
            values: defaults::values(release),
            repositories: defaults::repositories(),
            sources: HashMap::new(),
        };
        for (key, value) in config.values.clone().entries() {
            config.set_source(value, &key.text(), "default");
        }
        for (key, value) in config.repositories.clone().entries() {
            config.set_source(value, &format!("repositories.{}", key.text()), "default");
        }
        for (key, directory) in [
            ("home", &directories.home),
            ("cache-dir", &directories.cache),
            ("data-dir", &directories.data),
        ] {
            let value = Value::str(directory);
            config.set_source(&value, key, "default");
            config.values.put(key, value);
        }
        config
    }

    /// Returns the release of Composer whose configuration this is.
    pub fn release(&self) -> Release {
        self.release
    }

    /// Returns the names of all settings, in Composer's order.
    pub fn keys(&self) -> impl Iterator<Item = String> {
        self.values.entries().iter().map(|(key, _)| key.text())
    }

    /// Returns the repositories with their names or indexes, in Composer's order.
    pub fn repositories(&self) -> &Array {
        &self.repositories
    }

    /// Returns the repositories as JSON.
    pub fn repositories_json(&self) -> Json {
        self.repositories.to_json()
    }

    fn raw(&self, key: &str) -> &Value {
        self.values.at(key).unwrap_or(&Value::Null)
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }
}

impl std::fmt::Debug for Config<'_> {
    /// Shows no values, because credentials are among them.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Config")
            .field("release", &self.release)
            .field("base_dir", &self.base_dir)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
