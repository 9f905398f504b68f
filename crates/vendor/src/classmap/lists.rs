//! The classes of a package's files, kept in the store beside its manifest: a project that gets the package for the
//! first time need not read what another one has read.
//!
//! On disk: [`Contents`], sealed (see [`Record::PackageClasses`]).
//!
//! A list is believed for a file only while it is the one that was linked: see [`Placed`].

use std::collections::HashMap;
use std::sync::OnceLock;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::parser::Dialect;
use super::records::PARSER;
use super::walk::Found;
use allegro_archive::{FileTime, Unpacking, Zone};
use allegro_base::error::Result;
use allegro_base::identity::Moment;
use allegro_composer::ManifestKey;
use allegro_store::{ItemKind, Record, Store};

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
    /// Composer would have unpacked it with PHP's ZipArchive.
    pub by_zip_archive: bool,
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
    by_zip_archive: bool,
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
    /// Modification time; a file that has the time of its installation is told by its change time alone.
    modified: FileTime,
}

impl Content {
    fn read(
        store: &Store,
        dialect: Dialect,
        key: &ManifestKey,
        unpacking: Unpacking<'_>,
    ) -> Option<Self> {
        let manifest = store.read_manifest(key).ok().flatten()?;
        let times: Vec<FileTime> = manifest
            .times
            .iter()
            .map(|&time| unpacking.file_time(time).ok())
            .collect::<Option<_>>()?;
        let files = manifest
            .items
            .into_iter()
            .zip(0_u32..)
            .filter_map(|(item, number)| match item.kind {
                ItemKind::File { size, .. } if super::walk::is_php(&item.path) => {
                    let modified = times[item.time as usize];
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
    source: Option<(&'s Store, Dialect, &'s Zone)>,
    packages: HashMap<String, Package>,
}

impl<'s> Lists<'s> {
    /// The lists of these packages. What can't be read isn't known.
    pub fn of(store: &'s Store, dialect: Dialect, zone: &'s Zone, placed: &[Placed]) -> Self {
        let packages = placed
            .iter()
            .map(|placed| {
                let package = Package {
                    from: placed.from,
                    until: placed.until,
                    key: placed.key,
                    by_zip_archive: placed.by_zip_archive,
                    content: OnceLock::new(),
                    learnt: Mutex::default(),
                };
                (placed.directory.clone(), package)
            })
            .collect();
        Self {
            source: Some((store, dialect, zone)),
            packages,
        }
    }

    /// The package and item that a file is, if it is still what was linked.
    fn pristine(&self, found: &Found) -> Option<(&Package, &Content, u32)> {
        let (store, dialect, zone) = self.source?;
        let real = found.real();
        // Packages may lie within each other (custom installers): the innermost has put the file there.
        let (package, relative) = real.rmatch_indices('/').find_map(|(slash, _)| {
            let package = self.packages.get(&real[..slash])?;
            Some((package, &real[slash + 1..]))
        })?;
        let identity = &found.identity;
        // The change time of an inode with several names is other projects' as well.
        if !identity.is_shared()
            && (identity.changed < package.from || package.until <= identity.changed)
        {
            return None;
        }
        let content = package
            .content
            .get_or_init(|| {
                let unpacking = Unpacking {
                    umask: 0,
                    zone,
                    by_zip_archive: package.by_zip_archive,
                    after_unzip: false,
                    utf8_locale: false,
                };
                Content::read(store, dialect, &package.key, unpacking)
            })
            .as_ref()?;
        let linked = content.files.get(relative)?;
        let is_in_time = match linked.modified {
            FileTime::Now => !identity.is_shared(),
            FileTime::At(seconds) => {
                identity.modified.seconds == seconds && identity.modified.nanos == 0
            }
        };
        (identity.size == linked.size && is_in_time).then_some((package, content, linked.number))
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
        let Some((store, dialect, _)) = self.source else {
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

/// The place of a list below the store's root. PHP's lexer differs between minor versions only.
fn place(dialect: Dialect, key: &ManifestKey) -> String {
    let hex = key.hex();
    let (shard, rest) = hex.split_at(2);
    Record::PackageClasses.place(&format!(
        "{PARSER}-{}-{}{}/{shard}/{rest}",
        dialect.php / 100,
        u8::from(dialect.short_open_tag),
        u8::from(dialect.backslash_guards)
    ))
}

fn read(store: &Store, dialect: Dialect, key: &ManifestKey) -> Option<Contents> {
    store.read_sealed(Record::PackageClasses, &place(dialect, key))
}

fn write(store: &Store, dialect: Dialect, key: &ManifestKey, contents: &Contents) -> Result<()> {
    store.write_sealed(Record::PackageClasses, &place(dialect, key), contents)
}

/// The record's decoder, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub const FUZZED: allegro_base::testing::records::Kind = allegro_base::testing::records::Kind {
    magic: *Record::PackageClasses.magic(),
    again: |bytes| {
        allegro_base::testing::records::again::<Contents>(*Record::PackageClasses.magic(), bytes)
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use allegro_archive::{Mode, Time};
    use allegro_base::fs::timestamps;
    use allegro_base::identity::Identity;
    use allegro_composer::Dist;
    use allegro_store::{Digest, Item, Manifest};
    use rustix::fs::{AtFlags, CWD, lstat, utimensat};
    use std::fs;
    use std::path::{Path, PathBuf};

    /// The modification time of all files.
    const THEN: u32 = 1_600_000_000;

    fn set_time(file: &Path) {
        utimensat(CWD, file, &timestamps(i64::from(THEN)), AtFlags::empty()).expect("the time");
    }

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
        let dist = Dist::at("https://example.org/1.zip");
        let manifest = Manifest {
            name: "a/b".into(),
            version: "1".into(),
            url: String::new(),
            reference: None,
            archive_bytes: 0,
            root_mode: Mode::Default,
            root_time: Time::Now,
            times: vec![Time::Stamp {
                unix: Some(THEN),
                dos: 0,
            }],
            items: vec![Item {
                path: "src/A.php".into(),
                mode: Mode::Default,
                time: 0,
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
        set_time(&file);
        std::thread::sleep(std::time::Duration::from_millis(20));
        let placed = Placed {
            directory: directory.to_str().expect("UTF-8").to_owned(),
            key: dist.key(),
            by_zip_archive: false,
            from,
            until: Moment::now(),
        };
        (placed, file)
    }

    #[test]
    fn what_one_project_has_read_another_need_not() {
        let zone = Zone::of(Some(""), Path::new("/"));
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let (first, file) = placed(&store, &dir.path().join("one/vendor/a/b"));
        let lists = Lists::of(&store, Dialect::PHP_8_2, &zone, &[first]);
        assert_eq!(lists.recall(&found(&file)), None);
        lists.learn(&found(&file), b"A\0B");
        lists.save();

        let (second, file) = placed(&store, &dir.path().join("two/vendor/a/b"));
        let lists = Lists::of(
            &store,
            Dialect::PHP_8_2,
            &zone,
            std::slice::from_ref(&second),
        );
        assert_eq!(lists.recall(&found(&file)), Some(&b"A\0B"[..]));
        // Another dialect may read it in another way.
        let other = Dialect {
            backslash_guards: true,
            ..Dialect::PHP_8_2
        };
        let lists = Lists::of(&store, other, &zone, std::slice::from_ref(&second));
        assert_eq!(lists.recall(&found(&file)), None);
    }

    #[test]
    fn only_packages_whose_files_are_met_are_read() {
        let zone = Zone::of(Some(""), Path::new("/"));
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let vendor = dir.path().join("vendor");
        let (met, file) = placed(&store, &vendor.join("a/met"));
        let (other, _) = placed(&store, &vendor.join("a/other"));
        let lists = Lists::of(
            &store,
            Dialect::PHP_8_2,
            &zone,
            &[met.clone(), other.clone()],
        );
        lists.learn(&found(&file), b"A");
        let is_read = |directory: &str| lists.packages[directory].content.get().is_some();
        assert!(is_read(&met.directory));
        assert!(!is_read(&other.directory));
    }

    #[test]
    fn a_file_that_was_touched_since_is_not_the_one_that_was_linked() {
        let zone = Zone::of(Some(""), Path::new("/"));
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let (placed, file) = placed(&store, &dir.path().join("vendor/a/b"));
        let lists = Lists::of(
            &store,
            Dialect::PHP_8_2,
            &zone,
            std::slice::from_ref(&placed),
        );
        lists.learn(&found(&file), b"A");
        lists.save();
        let lists = Lists::of(
            &store,
            Dialect::PHP_8_2,
            &zone,
            std::slice::from_ref(&placed),
        );
        assert!(lists.recall(&found(&file)).is_some());
        // Same size, and the time put back.
        fs::write(&file, "<?PHP").expect("edited");
        set_time(&file);
        assert_eq!(lists.recall(&found(&file)), None);
        lists.learn(&found(&file), b"B");
        lists.save();
        let lists = Lists::of(&store, Dialect::PHP_8_2, &zone, &[placed]);
        assert_eq!(lists.recall(&found(&file)), None);
    }

    /// The change time of a hard link is that of all projects that have one.
    #[test]
    fn another_projects_link_changes_nothing() {
        let zone = Zone::of(Some(""), Path::new("/"));
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let (placed, file) = placed(&store, &dir.path().join("vendor/a/b"));
        fs::hard_link(&file, dir.path().join("blob")).expect("the store's name");
        let lists = Lists::of(
            &store,
            Dialect::PHP_8_2,
            &zone,
            std::slice::from_ref(&placed),
        );
        let before = found(&file);
        lists.learn(&before, b"A");
        lists.save();
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::hard_link(&file, dir.path().join("another")).expect("another project");
        assert_eq!(found(&file).identity, before.identity);
        let lists = Lists::of(&store, Dialect::PHP_8_2, &zone, &[placed]);
        assert_eq!(lists.recall(&found(&file)), Some(&b"A"[..]));
    }
}
