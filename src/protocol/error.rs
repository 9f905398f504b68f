//! An operation's failure as a whole.

use serde::{Deserialize, Serialize};

/// The class of an error; it decides how the plugin reacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Composer's own code takes over; this is not a failure.
    Declined,
    /// The request makes no sense.
    Input,
    /// A server could not be reached, or did not deliver.
    Network,
    /// Bytes are not what they should be. The plugin never falls back to Composer.
    Integrity,
    /// The file system refused an operation.
    Filesystem,
    /// The user, or the process that called, asked to stop.
    Interrupted,
    /// The native part has a bug.
    Internal,
}

/// The answer to a call that failed as a whole.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// Stable word for the error.
    pub code: String,
    /// Advice for the user.
    pub hint: Option<String>,
    /// Class of the error.
    pub kind: ErrorKind,
    /// Description of the error.
    pub message: String,
}
