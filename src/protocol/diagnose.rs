//! Operation `diagnose`: finds out by trying what an install into a directory would use.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::store::{Method, Sharing, Usage};

/// Asks for a diagnosis.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DiagnoseRequest {
    /// The project's vendor directory; it may not exist yet.
    pub vendor_dir: PathBuf,
}

/// The diagnosis.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct DiagnoseAnswer {
    /// Version of the native part.
    pub version: String,
    /// [`VERSION`](super::VERSION) of the protocol.
    pub protocol: u32,
    /// Version of the store's layout.
    pub layout: u32,
    /// Link strategy of the current environment.
    pub strategy: String,
    /// Number of parallel downloads.
    pub workers: usize,
    /// Number of threads for files and archives.
    pub threads: usize,
    /// Root of the store.
    pub store: Place,
    /// The project's vendor directory.
    pub vendor: Place,
    /// Content of the store; `None` if the store can't be used.
    pub usage: Option<Usage>,
    /// Method by which files get into the project; `None` if the store can't be used.
    pub method: Option<Method>,
    /// Reason why files are not hard links, where those would be the next choice.
    pub sharing: Option<Sharing>,
    /// Reason why the store can't be used.
    pub problem: Option<String>,
}

/// A directory and its file system.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Place {
    /// Path of the directory, which may not exist yet.
    pub path: PathBuf,
    /// Type of the file system, as `mount` names it; `None` if it is unknown.
    pub file_system: Option<String>,
    /// Mount point of that file system.
    pub mount: Option<PathBuf>,
}
