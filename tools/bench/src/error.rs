//! What can go wrong, as text for whoever runs the benchmark.

use std::path::Path;

/// A sentence that says what failed.
pub type Error = Box<dyn std::error::Error>;

/// What nearly everything here returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Adds the path to an I/O error.
pub fn at(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |error| format!("{path}: {error}").into()
}
