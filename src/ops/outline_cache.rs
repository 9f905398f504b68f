//! Keeps the outlines that earlier resolutions read, so that unchanged files of Composer's cache
//! needn't be read again.
//!
//! On disk, each directory of Composer's cache has an indexed record (see [`Record::Metadata`]).
//! Its index is [`Index`], and its parts are outlines. They are read one by one, because a run
//! needs few of those that all projects together have.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use allegro_base::identity::Identity;
use allegro_resolver::outline::{FORMAT, Outline};
use allegro_store::{
    Bucket, Indexed, Part, Parts, Record, Store, directory_name, forget_unwritten, read_indexed,
    write_indexed,
};

/// The size in bytes above which only the outlines of the last run are kept. All of Packagist would
/// be some 400 MiB. A machine that has met 30,000 files has 60 MiB.
const MOST_KEPT: u64 = 64 << 20;

#[derive(Default, Serialize, Deserialize)]
struct Index {
    /// [`FORMAT`], and our own version, because the next version may derive outlines better.
    format: (u32, String),
    files: Vec<Entry>,
    /// Files that the repository doesn't have.
    missing: Vec<String>,
}

/// A metadata file and its outline.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    /// Name by which a provider is asked for the file.
    file: String,
    /// Identity of the file in Composer's cache.
    identity: Identity,
    /// Validator of the file.
    last_modified: String,
    /// Outline of the file, as a part of the record.
    outline: Part,
}

/// An outline, and the file that it describes.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownOutline<'a> {
    pub file: &'a str,
    pub identity: Identity,
    pub last_modified: &'a str,
    pub outline: &'a Outline,
}

fn format() -> (u32, String) {
    (FORMAT, env!("CARGO_PKG_VERSION").to_owned())
}

/// The outlines of one repository's files.
#[derive(Debug, Default)]
pub(super) struct Outlines {
    /// The store's directory.
    root: PathBuf,
    /// Path of the record below the store's root.
    place: String,
    /// Open record. `None` if there are no outlines yet, or none that can be read.
    record: Option<Indexed>,
    index: HashMap<String, Entry>,
    missing: HashSet<String>,
}

impl Outlines {
    /// Opens the outlines of a directory of Composer's cache.
    pub fn open(store: &Store, cache_dir: &Path) -> Self {
        let place = Record::Metadata.place(&directory_name(cache_dir));
        let read: Option<(Indexed, Index)> = read_indexed(store.root(), Record::Metadata, &place);
        let mut outlines = Self {
            root: store.root().to_owned(),
            place,
            ..Self::default()
        };
        if let Some((record, index)) = read.filter(|(_, index)| index.format == format()) {
            let files = index.files.into_iter();
            outlines.record = Some(record);
            outlines.index = files.map(|entry| (entry.file.clone(), entry)).collect();
            outlines.missing = index.missing.into_iter().collect();
        }
        outlines
    }

    /// Returns whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty() && self.missing.is_empty()
    }

    /// Returns whether the repository didn't have a file when it was last asked.
    pub fn is_missing(&self, file: &str) -> bool {
        self.missing.contains(file)
    }

    /// Returns the outline of a file and the file's validator, if the file's identity is unchanged.
    pub fn get(&self, file: &str, identity: &Identity) -> Option<(Outline, &str)> {
        let entry = self.index.get(file)?;
        if entry.identity != *identity {
            return None;
        }
        let outline: Outline = postcard::from_bytes(&self.bytes(entry.outline)?).ok()?;
        outline
            .is_whole()
            .then_some((outline, &entry.last_modified))
    }

    fn bytes(&self, outline: Part) -> Option<Vec<u8>> {
        self.record.as_ref()?.read(outline)
    }

    /// Writes these outlines, the names of missing files, and the outlines of other files. A
    /// failure only costs the next run its advantage.
    pub fn keep(&self, known: &[KnownOutline<'_>], missing: &[&str]) {
        let mut entries = Vec::with_capacity(known.len());
        let mut outlines = Parts::default();
        for one in known {
            let Some(outline) = outlines.add(one.outline) else {
                return;
            };
            entries.push(Entry {
                file: one.file.to_owned(),
                identity: one.identity,
                last_modified: one.last_modified.to_owned(),
                outline,
            });
        }
        let own: HashSet<&str> = known.iter().map(|one| one.file).collect();
        let mut gone: HashSet<&str> = missing.iter().copied().collect();
        gone.extend(self.missing.iter().map(String::as_str));
        gone.retain(|file| !own.contains(file));
        let others = || {
            let entries = self.index.values();
            entries.filter(|entry| {
                let file = entry.file.as_str();
                !own.contains(file) && !gone.contains(file)
            })
        };
        let more: u64 = others()
            .map(|entry| u64::from(entry.outline.length()))
            .sum();
        if outlines.length() as u64 + more <= MOST_KEPT {
            for entry in others() {
                let kept = self
                    .bytes(entry.outline)
                    .and_then(|bytes| outlines.add_bytes(&bytes));
                if let Some(outline) = kept {
                    entries.push(Entry {
                        outline,
                        ..entry.clone()
                    });
                }
            }
        }
        let index = Index {
            format: format(),
            files: entries,
            missing: gone.into_iter().map(str::to_owned).collect(),
        };
        if self.record.is_none() {
            // A new cache may have taken another one's place, so records that nobody writes
            // any more are removed.
            forget_unwritten(&self.root, Bucket::Metadata);
        }
        let _ = write_indexed(&self.root, Record::Metadata, &self.place, &index, &outlines);
    }
}

/// The record's decoder, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub(crate) const FUZZED: allegro_base::testing::records::RecordKind =
    allegro_base::testing::records::RecordKind {
        magic: *Record::Metadata.magic(),
        again: |bytes| {
            allegro_base::testing::records::again::<Index>(*Record::Metadata.magic(), bytes)
        },
    };

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    use serde_json::json;

    use super::*;
    use allegro_composer::json::PhpJson;
    use allegro_resolver::metadata_text::Versions;

    fn outline(version: &str) -> Outline {
        let text =
            json!({ "packages": { "a/a": [{ "version": version, "require": { "b/b": "*" } }] } });
        let text = PhpJson::of(text.to_string()).expect("JSON");
        let versions = Versions::read(text, "a/a").expect("read");
        Outline::of(&versions.expect("known")).expect("an outline")
    }

    fn identity(dir: &Path, content: &str) -> Identity {
        let path = dir.join("file");
        fs::write(&path, content).expect("written");
        Identity::from(&rustix::fs::stat(&path).expect("stat"))
    }

    #[test]
    fn what_was_kept_is_known_again() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let open = || Outlines::open(&store, Path::new("/cache"));
        let (one, other) = (identity(dir.path(), "1"), identity(dir.path(), "22"));
        let (first, second) = (outline("1.0"), outline("2.0"));
        let known = |file, identity, outline| KnownOutline {
            file,
            identity,
            last_modified: "then",
            outline,
        };
        assert!(open().is_empty());
        open().keep(
            &[known("a/a", one, &first), known("b/b", one, &first)],
            &["d/d"],
        );
        assert_eq!(open().get("a/a", &one), Some((first.clone(), "then")));
        assert_eq!(open().get("a/a", &other), None);
        assert_eq!(open().get("c/c", &one), None);
        assert!(Outlines::open(&store, Path::new("/other")).is_empty());
        // An outline that isn't written again stays.
        open().keep(&[known("b/b", other, &second)], &["e/e"]);
        assert!(open().is_missing("d/d") && open().is_missing("e/e"));
        assert!(!open().is_missing("b/b"));
        assert_eq!(open().get("a/a", &one), Some((first.clone(), "then")));
        assert_eq!(open().get("b/b", &one), None);
        assert_eq!(open().get("b/b", &other), Some((second.clone(), "then")));
        // One file is new, and another is missing now.
        open().keep(&[known("d/d", one, &first)], &["b/b"]);
        assert!(open().get("d/d", &one).is_some() && !open().is_missing("d/d"));
        assert!(open().get("b/b", &other).is_none() && open().is_missing("b/b"));
        // A damaged record counts as absent.
        let path = store.root().join(open().place);
        let whole = fs::read(&path).expect("read");
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            fs::write(&path, bytes).expect("written");
            let found = open().get("a/a", &one).map(|found| found.0);
            assert!(found.is_none_or(|found| found == first), "{at}");
        }
        fs::write(&path, &whole[..whole.len() / 2]).expect("written");
        assert!(open().is_empty());
        // A record that nobody has written for long goes with the first of another.
        let year = Duration::from_secs(365 * 24 * 60 * 60);
        let file = File::options().append(true).open(&path).expect("opened");
        file.set_modified(SystemTime::now() - year)
            .expect("made old");
        Outlines::open(&store, Path::new("/other")).keep(&[known("a/a", one, &first)], &[]);
        assert!(!path.exists());
        assert!(
            Outlines::open(&store, Path::new("/other"))
                .get("a/a", &one)
                .is_some()
        );
    }
}
