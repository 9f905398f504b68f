//! `pestphp/pest-plugin`: lists the plugins of Pest in `vendor/pest-plugins.json`
//! (`DumpCommand::execute`, pestphp/pest-plugin 3.0.0).

use std::fmt::Write as _;

use allegro_base::error::Result;
use allegro_composer::Unfamiliar;
use allegro_composer::json::Json;

use super::{Deed, Effect, Scene};
use crate::install::files::write_if_modified;

/// Decides on the plugin.
pub fn plan(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    let packages = scene.repository.canonical_packages();
    let extras = packages.iter().map(|package| package.entry.get("extra"));
    let mut names = Vec::new();
    for extra in extras.chain([Some(&scene.project.root.extra)]) {
        let listed = extra
            .and_then(|extra| extra.get("pest"))
            .and_then(|pest| pest.get("plugins"));
        match listed {
            None | Some(Json::Null) => {}
            Some(Json::Array(list)) if list.iter().all(|name| name.as_str().is_some()) => {
                names.extend(list.iter().filter_map(Json::as_str).map(str::to_owned));
            }
            Some(_) => return Err(Unfamiliar("extra.pest.plugins is no list".to_owned())),
        }
    }
    Ok(Box::new(List(encoded(&names))))
}

#[derive(Debug)]
struct List(String);

impl Effect for List {
    fn told(&self) -> String {
        "only writes pest-plugins.json, which is done without PHP".to_owned()
    }

    fn act(&self, _: &str, scene: &Scene<'_>) -> Result<Deed> {
        let path = scene.project.settings.vendor_dir.join("pest-plugins.json");
        let text = self.0.clone().into_bytes();
        write_if_modified(&path, &text)?;
        Ok(Deed {
            written: vec![(path, text)],
            ..Deed::default()
        })
    }
}

/// Returns strings as `json_encode` writes them with `JSON_PRETTY_PRINT`.
pub(super) fn encoded(texts: &[String]) -> String {
    if texts.is_empty() {
        return "[]".to_owned();
    }
    let mut out = String::from("[\n");
    for (at, text) in texts.iter().enumerate() {
        out.push_str(if at == 0 { "    \"" } else { ",\n    \"" });
        for unit in text.encode_utf16() {
            match u8::try_from(unit) {
                Ok(b'"') => out.push_str("\\\""),
                Ok(b'\\') => out.push_str("\\\\"),
                Ok(b'/') => out.push_str("\\/"),
                Ok(8) => out.push_str("\\b"),
                Ok(12) => out.push_str("\\f"),
                Ok(b'\n') => out.push_str("\\n"),
                Ok(b'\r') => out.push_str("\\r"),
                Ok(b'\t') => out.push_str("\\t"),
                Ok(byte @ b' '..=0x7f) => out.push(char::from(byte)),
                _ => {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
        out.push('"');
    }
    out.push_str("\n]");
    out
}
