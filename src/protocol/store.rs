//! Facts about the store and its links.

use serde::{Deserialize, Serialize};

/// The method by which a file was put into the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A new inode shares its blocks with the stored file.
    Reflink,
    /// A new name for the stored file's inode.
    Hardlink,
    /// A new inode with blocks of its own.
    Copy,
}

/// The content of the store in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Number of packages.
    pub manifests: u64,
    /// Number of files: one per content where files can share blocks, else one per content, mode
    /// and time.
    pub blobs: u64,
    /// Number of bytes in all files.
    pub bytes: u64,
    /// Number of files that were changed in place and are kept for inspection.
    pub quarantined: u64,
    /// Number of bytes in those.
    pub quarantined_bytes: u64,
}

/// The reason why files of the project are not hard links into the store.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Sharing {
    /// The reason, as the end of a sentence.
    pub reason: String,
    /// Advice for the user.
    pub advice: String,
}
