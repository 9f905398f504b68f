//! Fuzz targets for the readers of metadata and outlines.

use std::sync::Arc;

use allegro_composer::json::PhpJson;
use allegro_semver::constraint::Terms;
use allegro_semver::version::Dialect;

use crate::metadata::Metadata;
use crate::metadata_text::Versions;
use crate::outline::{LinkKind, Outline};

/// Decodes an outline as the store would.
pub fn outline(data: &[u8]) {
    let Ok(outline) = postcard::from_bytes::<Outline>(data) else {
        return;
    };
    if outline.is_whole() {
        walk(outline);
    }
}

/// Reads everything that an outline refers to.
fn walk(outline: Outline) {
    let bytes = postcard::to_stdvec(&outline).expect("an outline can be encoded");
    assert_eq!(
        postcard::from_bytes::<Outline>(&bytes).as_ref(),
        Ok(&outline)
    );
    let outline = Arc::new(outline);
    for (at, version) in outline.versions.iter().enumerate() {
        outline.text(version.pretty);
        outline.needs(at);
        for kind in [
            LinkKind::Require,
            LinkKind::Conflict,
            LinkKind::Replace,
            LinkKind::Provide,
        ] {
            if let Ok(links) = outline.links(version.group, kind) {
                links.count();
            }
        }
    }
    let mut terms = Terms::new(Dialect::default());
    let Ok(read) = Metadata::of(&mut terms, outline, "a/a") else {
        return;
    };
    for entry in 0..read.entries.len() {
        read.kind(entry);
        read.written(entry, LinkKind::Require, read.pretty(entry));
        let _ = read.links(&mut terms, entry);
    }
}

/// Reads a metadata file as a repository would serve it, and checks its outline.
pub fn metadata(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(json) = PhpJson::of(text.to_owned()) else {
        return;
    };
    let Ok(Some(versions)) = Versions::read(json, "a/a") else {
        return;
    };
    let Ok(outline) = Outline::of(&versions) else {
        return;
    };
    assert!(outline.is_whole());
    assert_eq!(outline.versions.len(), versions.len());
    for version in 0..versions.len() {
        let needed = &text[..outline.needs(version)];
        let told = outline.whole(version, needed);
        assert_eq!(told.is_ok(), outline.whole(version, text).is_ok());
        if let Ok(told) = told {
            serde_json::from_str::<serde::de::IgnoredAny>(&told).expect("a version is JSON");
        }
    }
    walk(outline);
}

#[cfg(test)]
mod tests {
    use allegro_base::testing::{seeds, smoke, write_seeds};
    use allegro_composer::json::PhpJson;

    use crate::metadata_text::Versions;
    use crate::outline::Outline;

    #[test]
    fn an_outline_is_whole_or_not() {
        smoke("outline", super::outline);
    }

    #[test]
    fn metadata_is_read_or_unclear() {
        smoke("metadata", super::metadata);
    }

    #[test]
    #[ignore = "writes into the checkout"]
    fn made_seeds_are_written() {
        write_seeds("outline", outlines());
    }

    /// Returns encoded outlines of the metadata seeds.
    fn outlines() -> Vec<Vec<u8>> {
        seeds("metadata")
            .into_iter()
            .filter_map(|text| {
                let text = String::from_utf8(text).ok()?;
                let versions = Versions::read(PhpJson::of(text).ok()?, "a/a").ok()??;
                postcard::to_stdvec(&Outline::of(&versions).ok()?).ok()
            })
            .collect()
    }
}
