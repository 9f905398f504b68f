//! Operation `lock_diff`: describes the differences between two states of a lock.

use serde::{Deserialize, Serialize};

/// Asks for the changes of a lock.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LockDiffRequest {
    /// Entries of the former lock; empty if there was none.
    pub before: Vec<LockEntry>,
    /// Entries of the new lock.
    pub after: Vec<LockEntry>,
    /// Hosts of GitLab that the project names (`gitlab-domains`).
    pub gitlab_domains: Vec<String>,
    /// Format of the answer.
    pub format: LockDiffFormat,
}

/// The fields of a lock entry that a comparison needs.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LockEntry {
    /// Name of the package.
    pub name: String,
    /// Version as the lock writes it.
    pub version: String,
    /// Whether the entry stands in `packages-dev`.
    pub is_dev: bool,
    /// URL of the source repository.
    pub url: Option<String>,
    /// Commit of the source repository.
    pub source_reference: Option<String>,
    /// Reference of the dist.
    pub dist_reference: Option<String>,
}

/// The format in which changes are described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LockDiffFormat {
    /// Lines for people.
    Text,
    /// A Markdown table.
    Md,
    /// JSON, for programs.
    Json,
}

/// The changes of a lock.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct LockDiffAnswer {
    /// Description of the changes, without a newline at the end.
    pub text: String,
}
