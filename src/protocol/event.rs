//! Progress of an operation, told while it runs.

use serde::{Deserialize, Serialize};

/// An event of a running operation. Identifiers are those of the request's packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A package is ready in staging, or has failed.
    Settled {
        /// Identifier of the package.
        id: usize,
    },
    /// A download has begun, and its size is known.
    Sized {
        /// Identifier of the package.
        id: usize,
        /// Size of the archive in bytes.
        bytes: u64,
    },
    /// A part of a download has arrived.
    Received {
        /// Identifier of the package.
        id: usize,
        /// Number of bytes since the previous event of this package.
        bytes: u64,
    },
    /// A download starts again. The bytes that have arrived are void.
    Retrying {
        /// Identifier of the package.
        id: usize,
        /// Reason of the retry, without secrets.
        reason: String,
        /// Milliseconds until the next attempt.
        wait_ms: u64,
    },
    /// Metadata files have been answered.
    Metadata {
        /// Number of answered files.
        done: usize,
        /// Number of files that were requested so far; their content may lead to further requests.
        total: usize,
    },
    /// A message for the user. A run has a few of them at most.
    Notice {
        /// The message, a sentence.
        message: String,
    },
}
