//! Keeps the classes of a package's files in the store, beside the package's manifest. So a project
//! that gets the package for the first time needn't read files that another one has read.
//!
//! A list is on disk as sealed [`Contents`] (see [`Record::PackageClasses`]). It is valid for a
//! file only while that is the file that was linked (see [`Placed`]).

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

/// Classes of each item, by the item's number in the manifest. The classes are separated by NUL.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ListsContents {
    items: Vec<(u32, Vec<u8>)>,
}

/// A package that was put in place in this run, and the time at which its files were made.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Directory of the package, without links.
    pub directory: String,
    /// Key of the package's manifest.
    pub key: ManifestKey,
    /// Whether Composer would have unpacked the package with PHP's ZipArchive.
    pub by_zip_archive: bool,
    /// Earliest time at which the files can have been made.
    pub from: Moment,
    /// End of the time in which the files were made. A file changed later isn't the one that was
    /// linked.
    pub until: Moment,
}

/// A placed package, with its content in the store.
struct Package {
    from: Moment,
    until: Moment,
    key: ManifestKey,
    by_zip_archive: bool,
    /// Content of the package, read when the first of its files is met, because a plain dump looks
    /// into few packages. `None` if the content can't be read.
    content: OnceLock<Option<Content>>,
    /// Classes that were read in this run and aren't in the store yet.
    learnt: Mutex<Vec<(u32, Vec<u8>)>>,
}

/// The content of a package, as the store has it.
struct Content {
    files: HashMap<String, Linked>,
    /// Known classes, by the file's number.
    known: HashMap<u32, Vec<u8>>,
}

/// A file as it was linked.
struct Linked {
    /// Number of the manifest's item.
    number: u32,
    /// Size in bytes.
    size: u64,
    /// Modification time. A file with the time of its installation is recognized by its change time
    /// alone.
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

/// The store's knowledge of the classes of placed packages.
#[derive(Default)]
pub struct Lists<'s> {
    source: Option<(&'s Store, Dialect, &'s Zone)>,
    packages: HashMap<String, Package>,
}

impl<'s> Lists<'s> {
    /// Returns the lists of these packages. An unreadable list counts as absent.
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

    /// Returns the package and item of a file, if the file is still as it was linked.
    fn pristine(&self, found: &Found) -> Option<(&Package, &Content, u32)> {
        let (store, dialect, zone) = self.source?;
        let real = found.real();
        // Packages may lie within each other (custom installers). The innermost has put the file
        // there.
        let (package, relative) = real.rmatch_indices('/').find_map(|(slash, _)| {
            let package = self.packages.get(&real[..slash])?;
            Some((package, &real[slash + 1..]))
        })?;
        let identity = &found.identity;
        // An inode with several names shares its change time with other projects.
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

    /// Returns the classes of a file, if the file is pristine and its classes are known.
    pub fn recall(&self, found: &Found) -> Option<&[u8]> {
        let (_, content, number) = self.pristine(found)?;
        content.known.get(&number).map(Vec::as_slice)
    }

    /// Keeps the classes that were read from a file, for other projects.
    pub fn learn(&self, found: &Found, classes: &[u8]) {
        if let Some((package, content, number)) = self.pristine(found)
            && !content.known.contains_key(&number)
        {
            package.learnt.lock().push((number, classes.to_vec()));
        }
    }

    /// Writes the new classes. A failure only costs the next project some time.
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
            let _ = write(store, dialect, &package.key, &ListsContents { items });
        });
    }
}

/// Returns the place of a list below the store's root. PHP's lexer differs between minor versions
/// only.
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

fn read(store: &Store, dialect: Dialect, key: &ManifestKey) -> Option<ListsContents> {
    store.read_sealed(Record::PackageClasses, &place(dialect, key))
}

fn write(
    store: &Store,
    dialect: Dialect,
    key: &ManifestKey,
    contents: &ListsContents,
) -> Result<()> {
    store.write_sealed(Record::PackageClasses, &place(dialect, key), contents)
}

/// The record's decoder, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub const FUZZED: allegro_base::testing::records::RecordKind =
    allegro_base::testing::records::RecordKind {
        magic: *Record::PackageClasses.magic(),
        again: |bytes| {
            allegro_base::testing::records::again::<ListsContents>(
                *Record::PackageClasses.magic(),
                bytes,
            )
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

    /// Makes a package of one file, put in place as the linker does.
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
        // Another dialect may read the file differently.
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
        // The edit keeps the size, and the time is put back.
        fs::write(&file, "<?PHP").expect("edited");
        set_time(&file);
        assert_eq!(lists.recall(&found(&file)), None);
        lists.learn(&found(&file), b"B");
        lists.save();
        let lists = Lists::of(&store, Dialect::PHP_8_2, &zone, &[placed]);
        assert_eq!(lists.recall(&found(&file)), None);
    }

    /// Another project's link changes the change time of the inode, but not the file's identity.
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
