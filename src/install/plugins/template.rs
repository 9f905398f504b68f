//! Reads the text of a generated file from the code of a plugin, and fills it in.

use std::fs;
use std::path::Path;

use allegro_base::error::{Error, Result, at};

/// The beginning of a literal text in PHP.
const BEGIN: &str = "<<<'PHP'\n";

/// The end of it.
const END: &str = "\nPHP;";

/// Returns the literal text in the class of a plugin, with each `%s` replaced by the next value
/// (`sprintf`).
pub fn filled(class: &Path, values: &[&str]) -> Result<String> {
    let code = fs::read_to_string(class).map_err(at("reading", class))?;
    let text = code
        .split_once(BEGIN)
        .and_then(|(_, rest)| rest.split_once(END))
        .map(|(text, _)| text);
    let parts: Vec<&str> = text.unwrap_or_default().split("%s").collect();
    if text.is_none() || parts.len() != values.len() + 1 {
        let path = class.display();
        return Err(Error::Internal(format!(
            "the template in {path} is unusual"
        )));
    }
    let mut filled = parts[0].to_owned();
    for (value, part) in values.iter().zip(&parts[1..]) {
        filled.push_str(value);
        filled.push_str(part);
    }
    Ok(filled)
}
