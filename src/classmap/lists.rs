//! The classes of a package's files, kept in the store beside its manifest: a project that gets the package for the
//! first time need not read what another one has read.
//!
//! On disk: `classes-v1/<dialect>/ab/<62 hex of the manifest's key>`: [`Contents`], sealed (see [`crate::sealed`]).
//!
//! A list is believed for a file only while it is the one that was linked: see [`Placed`].

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::identity::Moment;
use super::parser::Dialect;
use super::records::PARSER;
use super::walk::Found;
use crate::composer::ManifestKey;
use crate::error::{Result, in_store};
use crate::fs::write_atomically_below;
use crate::sealed;
use crate::store::{ItemKind, Store};

const MAGIC: &[u8; 8] = b"ALCLAS01";
const BUCKET: &str = "classes-v1";

/// Classes by the number of the item in the manifest, separated by NUL.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    items: Vec<(u32, Vec<u8>)>,
}

/// A package that was put in place in this run, and when its files were made.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Its directory, without links.
    pub directory: String,
    /// Its content.
    pub key: ManifestKey,
    /// Its files were made no earlier than this …
    pub from: Moment,
    /// … and before this: a file changed later isn't the one that was linked.
    pub until: Moment,
}

/// A placed package with what the store knows of it.
struct Package {
    from: Moment,
    until: Moment,
    key: ManifestKey,
    /// Read when the first of its files is met: a plain dump looks into few packages. `None` if it can't be.
    content: OnceLock<Option<Content>>,
    /// What was read in this run and isn't in the store yet.
    learnt: Mutex<Vec<(u32, Vec<u8>)>>,
}

/// What the store knows of a package.
struct Content {
    files: HashMap<String, Linked>,
    /// Classes by the file's number.
    known: HashMap<u32, Vec<u8>>,
}

/// A file as it was linked.
struct Linked {
    /// Of the manifest's item.
    number: u32,
    /// In bytes.
    size: u64,
    /// In whole seconds.
    modified: i64,
}

impl Content {
    fn read(store: &Store, dialect: Dialect, key: &ManifestKey) -> Option<Self> {
        let manifest = store.read_manifest(key).ok().flatten()?;
        let files = manifest
            .items
            .into_iter()
            .zip(0_u32..)
            .filter_map(|(item, number)| match item.kind {
                ItemKind::File { digest, size } if super::walk::is_php(&item.path) => {
                    let modified = digest.mtime();
                    let linked = Linked {
                        number,
                        size,
                        modified,
                    };
                    Some((item.path, linked))
                }
                _ => None,
            })
            .collect();
        let known = read(store, dialect, key)
            .map(|contents| contents.items.into_iter().collect())
            .unwrap_or_default();
        Some(Self { files, known })
    }
}

/// What the store knows of the classes of placed packages.
#[derive(Default)]
pub struct Lists<'s> {
    source: Option<(&'s Store, Dialect)>,
    packages: HashMap<String, Package>,
}

impl<'s> Lists<'s> {
    /// The lists of these packages. What can't be read isn't known.
    pub fn of(store: &'s Store, dialect: Dialect, placed: &[Placed]) -> Self {
        let packages = placed
            .iter()
            .map(|placed| {
                let package = Package {
                    from: placed.from,
                    until: placed.until,
                    key: placed.key,
                    content: OnceLock::new(),
                    learnt: Mutex::default(),
                };
                (placed.directory.clone(), package)
            })
            .collect();
        Self {
            source: Some((store, dialect)),
            packages,
        }
    }

    /// The package and item that a file is, if it is still what was linked.
    fn pristine(&self, found: &Found) -> Option<(&Package, &Content, u32)> {
        let (store, dialect) = self.source?;
        let real = found.real();
        // Packages may lie within each other (custom installers): the innermost has put the file there.
        let (package, relative) = real.rmatch_indices('/').find_map(|(slash, _)| {
            let package = self.packages.get(&real[..slash])?;
            Some((package, &real[slash + 1..]))
        })?;
        let identity = &found.identity;
        if identity.changed < package.from || package.until <= identity.changed {
            return None;
        }
        let content = package
            .content
            .get_or_init(|| Content::read(store, dialect, &package.key))
            .as_ref()?;
        let linked = content.files.get(relative)?;
        (identity.size == linked.size
            && identity.modified.seconds == linked.modified
            && identity.modified.nanos == 0)
            .then_some((package, content, linked.number))
    }

    /// The classes of a file, if it is pristine and they are known.
    pub fn recall(&self, found: &Found) -> Option<&[u8]> {
        let (_, content, number) = self.pristine(found)?;
        content.known.get(&number).map(Vec::as_slice)
    }

    /// Notes what was read from a file, for other projects.
    pub fn learn(&self, found: &Found, classes: &[u8]) {
        if let Some((package, content, number)) = self.pristine(found)
            && !content.known.contains_key(&number)
        {
            package.learnt.lock().push((number, classes.to_vec()));
        }
    }

    /// Writes what was learnt. Failures cost the next project some time, nothing else.
    pub fn save(&self) {
        use rayon::prelude::*;
        let Some((store, dialect)) = self.source else {
            return;
        };
        self.packages.par_iter().for_each(|(_, package)| {
            let learnt = std::mem::take(&mut *package.learnt.lock());
            let Some(Some(content)) = package.content.get() else {
                return;
            };
            if learnt.is_empty() {
                return;
            }
            let mut items: Vec<(u32, Vec<u8>)> =
                content.known.clone().into_iter().chain(learnt).collect();
            items.sort_unstable();
            items.dedup_by_key(|item| item.0);
            let _ = write(store, dialect, &package.key, &Contents { items });
        });
    }
}

/// The place of a list. PHP's lexer differs between minor versions only.
fn path(store: &Store, dialect: Dialect, key: &ManifestKey) -> PathBuf {
    let hex = key.hex();
    let (shard, rest) = hex.split_at(2);
    store
        .root()
        .join(BUCKET)
        .join(format!(
            "{PARSER}-{}-{}{}",
            dialect.php / 100,
            u8::from(dialect.short_open_tag),
            u8::from(dialect.backslash_guards)
        ))
        .join(shard)
        .join(rest)
}

fn read(store: &Store, dialect: Dialect, key: &ManifestKey) -> Option<Contents> {
    let bytes = fs::read(path(store, dialect, key)).ok()?;
    sealed::decode(MAGIC, &bytes)
}

fn write(store: &Store, dialect: Dialect, key: &ManifestKey, contents: &Contents) -> Result<()> {
    let path = path(store, dialect, key);
    let bytes = sealed::encode(MAGIC, contents);
    write_atomically_below(&path, &bytes).map_err(in_store("writing", &path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Mode;
    use crate::classmap::identity::Identity;
    use crate::composer::Dist;
    use crate::store::{Digest, Item, Manifest};
    use rustix::fs::{AtFlags, CWD, lstat, utimensat};
    use std::path::Path;

    fn found(path: &Path) -> Found {
        Found {
            path: path.to_str().expect("UTF-8").into(),
            real: None,
            identity: Identity::from(&lstat(path).expect("stat")),
        }
    }

    /// A package of one file, put in place as the linker does.
    fn placed(store: &Store, directory: &Path) -> (Placed, PathBuf) {
        let digest = Digest([7; 32]);
        let dist = Dist {
            kind: "zip".into(),
            url: "https://example.org/1.zip".into(),
            reference: None,
            shasum: None,
            custom_cache_key: None,
        };
        let manifest = Manifest {
            name: "a/b".into(),
            version: "1".into(),
            url: String::new(),
            reference: None,
            archive_bytes: 0,
            root_mode: Mode::Default,
            items: vec![Item {
                path: "src/A.php".into(),
                mode: Mode::Default,
                kind: ItemKind::File { digest, size: 5 },
            }],
        };
        store
            .write_manifest(&dist.key(), &manifest)
            .expect("written");
        let from = Moment::now();
        let file = directory.join("src/A.php");
        fs::create_dir_all(file.parent().expect("a parent")).expect("directories");
        fs::write(&file, "<?php").expect("a file");
        utimensat(CWD, &file, &digest.timestamps(), AtFlags::empty()).expect("sealed");
        std::thread::sleep(std::time::Duration::from_millis(20));
        let placed = Placed {
            directory: directory.to_str().expect("UTF-8").to_owned(),
            key: dist.key(),
            from,
            until: Moment::now(),
        };
        (placed, file)
    }

    #[test]
    fn what_one_project_has_read_another_need_not() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let (first, file) = placed(&store, &dir.path().join("one/vendor/a/b"));
        let lists = Lists::of(&store, Dialect::PHP_8_2, &[first]);
        assert_eq!(lists.recall(&found(&file)), None);
        lists.learn(&found(&file), b"A\0B");
        lists.save();

        let (second, file) = placed(&store, &dir.path().join("two/vendor/a/b"));
        let lists = Lists::of(&store, Dialect::PHP_8_2, std::slice::from_ref(&second));
        assert_eq!(lists.recall(&found(&file)), Some(&b"A\0B"[..]));
        // Another dialect may read it in another way.
        let other = Dialect {
            backslash_guards: true,
            ..Dialect::PHP_8_2
        };
        let lists = Lists::of(&store, other, std::slice::from_ref(&second));
        assert_eq!(lists.recall(&found(&file)), None);
    }

    #[test]
    fn only_packages_whose_files_are_met_are_read() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let vendor = dir.path().join("vendor");
        let (met, file) = placed(&store, &vendor.join("a/met"));
        let (other, _) = placed(&store, &vendor.join("a/other"));
        let lists = Lists::of(&store, Dialect::PHP_8_2, &[met.clone(), other.clone()]);
        lists.learn(&found(&file), b"A");
        let is_read = |directory: &str| lists.packages[directory].content.get().is_some();
        assert!(is_read(&met.directory));
        assert!(!is_read(&other.directory));
    }

    #[test]
    fn a_file_that_was_touched_since_is_not_the_one_that_was_linked() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let (placed, file) = placed(&store, &dir.path().join("vendor/a/b"));
        let lists = Lists::of(&store, Dialect::PHP_8_2, std::slice::from_ref(&placed));
        lists.learn(&found(&file), b"A");
        lists.save();
        let lists = Lists::of(&store, Dialect::PHP_8_2, std::slice::from_ref(&placed));
        assert!(lists.recall(&found(&file)).is_some());
        // Same size, and the time put back.
        fs::write(&file, "<?PHP").expect("edited");
        utimensat(CWD, &file, &Digest([7; 32]).timestamps(), AtFlags::empty()).expect("time");
        assert_eq!(lists.recall(&found(&file)), None);
        lists.learn(&found(&file), b"B");
        lists.save();
        let lists = Lists::of(&store, Dialect::PHP_8_2, &[placed]);
        assert_eq!(lists.recall(&found(&file)), None);
    }
}
