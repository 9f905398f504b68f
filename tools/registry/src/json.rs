//! Reads JSON documents, and names them in errors.

use std::path::Path;

pub use allegro_composer::json::Json;

use crate::error::{Error, Result};

/// Parses a text. `what` names it in the error.
pub fn parse(text: &str, what: &str) -> Result<Json> {
    Json::parse(text).map_err(|source| Error::Json {
        what: what.to_owned(),
        source,
    })
}

/// Reads and parses a file.
pub fn read(path: &Path) -> Result<Json> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
    parse(&text, &path.display().to_string())
}
