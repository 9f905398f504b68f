//! Operation `remove`: removes files and directories.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Asks for the removal of paths.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveRequest {
    /// Files or directories; a path that does not exist is no failure.
    pub paths: Vec<PathBuf>,
}

/// The result of a removal.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct RemoveAnswer {
    /// One sentence for each path that could not be removed.
    pub failures: Vec<String>,
}
