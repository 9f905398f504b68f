//! Defines errors as texts for the person who runs the benchmark.

use std::path::Path;

/// A sentence that says what failed.
pub type Error = Box<dyn std::error::Error>;

/// The result of nearly every function here.
pub type Result<T> = std::result::Result<T, Error>;

/// Adds the path to an I/O error.
pub fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |error| format!("{path}: {error}").into()
}
