//! Operation `unchanged`: compares the project with its last autoloader dump.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Asks whether a dump would generate the files that exist already.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct UnchangedRequest {
    /// The project's vendor directory.
    pub vendor_dir: PathBuf,
    /// Digest of everything that a dump depends on, except PHP files.
    pub fingerprint: String,
}

/// The result of the comparison.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct UnchangedAnswer {
    /// Whether a dump would generate the files that exist already.
    pub unchanged: bool,
    /// Output of the last dump, as the plugin passed it in
    /// [`DumpedRequest::said`](super::dumped::DumpedRequest::said).
    pub said: String,
    /// Number of classes in the class map.
    pub classes: u64,
}
