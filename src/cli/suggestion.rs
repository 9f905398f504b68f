//! Suggests the command that the user may have meant.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::definition;
use crate::delegate;

/// Returns the command whose name is near an unknown word. It returns `None` where the word may be
/// a command of Composer, of a plugin, or a script of the project.
pub fn near(word: &str, directory: &Path) -> Option<String> {
    let is_beginning = delegate::names().any(|name| name.starts_with(word));
    if delegate::is_known(word) || is_beginning || word.contains([':', '/']) {
        return None;
    }
    let scripts = scripts(directory);
    if scripts.iter().any(|script| script == word) {
        return None;
    }
    definition::own_names()
        .chain(delegate::names().map(str::to_owned))
        .chain(scripts)
        .map(|name| (strsim::osa_distance(word, &name), name))
        .filter(|(distance, _)| *distance <= 2 && distance * 3 <= word.len())
        .min()
        .map(|(_, name)| name)
}

fn scripts(directory: &Path) -> Vec<String> {
    fs::read(directory.join("composer.json"))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .and_then(|manifest| {
            let scripts = manifest.get("scripts")?.as_object()?;
            Some(scripts.keys().cloned().collect())
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_words_are_suggested() {
        let dir = tempfile::tempdir().expect("it works");
        fs::write(
            dir.path().join("composer.json"),
            r#"{"scripts": {"analyse": "x", "instal": "y"}}"#,
        )
        .expect("it works");
        let cases = [
            ("isntall", Some("install")),
            ("updtae", Some("update")),
            ("verfy", Some("verify")),
            ("analyze", Some("analyse")),
            // These are a script, a beginning of a name, and a command of a plugin.
            ("instal", None),
            ("valid", None),
            ("acme:build", None),
            ("normalize", None),
            ("xy", None),
        ];
        for (word, expected) in cases {
            assert_eq!(near(word, dir.path()).as_deref(), expected, "{word}");
        }
    }
}
