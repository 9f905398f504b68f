//! Values of Composer's configuration that only updates read.

use std::path::PathBuf;

use allegro_composer::Unfamiliar;
use allegro_composer::access::is_usable_cache;
use allegro_composer::config::Config;
use allegro_composer::json::Json;

/// Values of Composer's configuration that only updates read.
#[derive(Debug, Clone)]
pub struct UpdateConfig {
    /// The directory of Composer's cache of metadata; `None` if the cache is off.
    pub cache: Option<PathBuf>,
    /// Whether Composer's cache may be written.
    pub is_writable: bool,
    /// Versions of platform packages; `None` hides a package.
    pub platform: Vec<(String, Option<String>)>,
    /// Value of `audit`.
    pub audit: Json,
    /// Value of `policy`.
    pub policy: Json,
    /// Whether `bump-after-update` is set to anything but false.
    pub bumps: bool,
    /// Whether `update-with-minimal-changes` is on.
    pub has_minimal_changes: bool,
}

impl UpdateConfig {
    /// Reads a configuration.
    pub fn of(config: &Config<'_>) -> Result<Self, Unfamiliar> {
        let cache = config.cache_repo_dir()?;
        Ok(Self {
            cache: is_usable_cache(&cache).then(|| PathBuf::from(cache)),
            is_writable: !config.cache_read_only()?,
            platform: config.platform()?,
            audit: config.audit()?,
            policy: config.policy()?,
            bumps: !matches!(
                config.get("bump-after-update")?.to_json(),
                Json::Null | Json::Bool(false)
            ),
            has_minimal_changes: !matches!(
                config.get("update-with-minimal-changes")?.to_json(),
                Json::Null | Json::Bool(false)
            ),
        })
    }
}
