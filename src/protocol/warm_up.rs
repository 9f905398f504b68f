//! Operation `warm_up`: prepares the process for a resolution. The answer is an empty object.

use serde::{Deserialize, Serialize};

/// Announces a resolution.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUpRequest {
    /// Number of packages that the project requires.
    pub requirements: usize,
}

/// The answer, which says nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct WarmUpAnswer {}
