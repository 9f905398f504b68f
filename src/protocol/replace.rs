//! Operation `replace`: renames a new file over an old one and keeps the old one's owner, group,
//! mode and ACL.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Asks for the replacement of a file.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReplaceRequest {
    /// The new file, in the directory of the old one.
    pub temporary: PathBuf,
    /// The old file.
    pub path: PathBuf,
}

/// The result of a replacement.
#[derive(Debug, Clone, Default, Serialize, Deserialize, PartialEq, Eq)]
pub struct ReplaceAnswer {
    /// Whether the file was replaced; if not, the new file is still where it was written.
    pub replaced: bool,
}
