//! Loads a configuration from all its sources in Composer's order.

use super::{Config, Directories, Environment, Release, is_true};
use crate::json::{Json, PhpJson};
use crate::unfamiliar::Unfamiliar;

/// The contents of the files that a configuration is made of. A file that is absent is `None`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files<'f> {
    /// `config.json` in Composer's home.
    pub home_config: Option<&'f Json>,
    /// `auth.json` in Composer's home.
    pub home_auth: Option<&'f Json>,
    /// The project's `composer.json`.
    pub manifest: Option<&'f Json>,
    /// Path of the manifest, as [`manifest_path`] gives it. It names a source.
    pub manifest_path: &'f str,
    /// `auth.json` beside the manifest.
    pub auth: Option<&'f Json>,
    /// Path of that `auth.json`: the real path of the manifest's directory, and the name.
    pub auth_path: &'f str,
}

impl<'e> Config<'e> {
    /// Loads the configuration of a project, or of Composer's home if there is no manifest
    /// (`Factory::createConfig` and `Factory::createComposer`, composer 2.10.2).
    ///
    /// The home's files lie in the directory that [`Self::home`] tells before anything is merged.
    pub fn load(
        release: Release,
        environment: Environment<'e>,
        base_dir: &str,
        directories: &Directories,
        files: &Files,
    ) -> Result<Self, Unfamiliar> {
        let mut config = Self::new(release, environment, base_dir, directories);
        let home = config.home()?;
        if let Some(json) = files.home_config {
            config.merge(json, &format!("{home}/config.json"))?;
        }
        if let Some(json) = files.home_auth {
            config.merge_auth(json, &format!("{home}/auth.json"))?;
        }
        config.merge_variable()?;
        let Some(manifest) = files.manifest else {
            return Ok(config);
        };
        config.merge(manifest, files.manifest_path)?;
        if let Some(json) = files.auth {
            config.merge_auth(json, files.auth_path)?;
        }
        if release.repeats_variable() {
            config.merge_variable()?;
        }
        Ok(config)
    }

    /// Merges COMPOSER_AUTH.
    fn merge_variable(&mut self) -> Result<(), Unfamiliar> {
        const NAME: &str = "COMPOSER_AUTH";
        let Some(text) = self.variable(NAME).filter(|text| !text.is_empty()) else {
            return Ok(());
        };
        let malformed = || Unfamiliar(format!("{NAME} is malformed"));
        let text = PhpJson::of(text).map_err(|_| malformed())?;
        let json = Json::parse(text.as_str()).map_err(|_| malformed())?;
        self.merge_auth(&json, NAME)
    }
}

/// Returns the path of the manifest, which COMPOSER may set (`Factory::getComposerFile`, composer
/// 2.10.2).
pub fn manifest_path(environment: Environment) -> String {
    // PHP's `trim` takes away these bytes.
    let blank = [' ', '\t', '\n', '\r', '\0', '\u{b}'];
    let path = environment("COMPOSER").map(|path| path.trim_matches(blank).to_owned());
    path.filter(|path| is_true(path))
        .unwrap_or_else(|| "./composer.json".to_owned())
}

/// Returns the path of the lock that belongs to a manifest (`Factory::getLockFile`, composer
/// 2.10.2).
pub fn lock_path(manifest: &str) -> String {
    match manifest.strip_suffix(".json") {
        Some(stem) => format!("{stem}.lock"),
        None => format!("{manifest}.lock"),
    }
}
