//! Operation `info`: facts about the native part. It has no request.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Facts about the native part.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct InfoAnswer {
    /// Version of the native part.
    pub version: String,
    /// [`VERSION`](super::VERSION) of the protocol.
    pub protocol: u32,
    /// Root of the store in the current environment; `None` if neither HOME nor a setting tells it.
    pub store: Option<PathBuf>,
    /// Link strategy of the current environment.
    pub strategy: String,
}
