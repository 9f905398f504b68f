//! Settings that a request may contain.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Settings that take precedence over the environment. Each of them is optional.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overrides {
    /// Root directory of the store.
    pub store: Option<PathBuf>,
    /// Link strategy: `auto`, `reflink`, `hardlink` or `copy`.
    pub link_strategy: Option<String>,
    /// Number of parallel downloads.
    pub workers: Option<usize>,
}
