//! The identity of a package's archive.

use std::fmt;

use allegro_base::redact::strip;
use serde::{Deserialize, Serialize};

/// A `dist` entry of a lock file. Its URL may contain credentials, so `Debug` hides them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Dist {
    /// Name of the package, lower case.
    pub name: String,
    /// Type of the archive: `zip` or `tar`; Composer handles other types itself.
    #[serde(rename = "type")]
    pub kind: String,
    /// The URL that Composer would request, credentials included.
    pub url: String,
    /// Commit, or another name of the exact state.
    pub reference: Option<String>,
    /// Composer's SHA-1 of the archive; often absent.
    pub shasum: Option<String>,
    /// A plugin's own cache key (`PreFileDownloadEvent::setCustomCacheKey`).
    #[serde(default)]
    pub custom_cache_key: Option<String>,
}

impl fmt::Debug for Dist {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Dist")
            .field("name", &self.name)
            .field("url", &strip(&self.url))
            .finish_non_exhaustive()
    }
}
