//! The manifest of one package: an ordered list of what its archive holds.
//!
//! A manifest is on disk as a sealed [`Manifest`] (see [`Record::Manifest`]). The seal covers the
//! place, so a manifest that stands under another key counts as absent.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::verify::listed;
use super::{Bucket, Digest, Record, Store};
use allegro_archive::{Mode, Time, leads_out};
use allegro_base::error::{Error, Result, in_store};
use allegro_base::fs::read_regular;
use allegro_base::hex::unhex;
use allegro_composer::ManifestKey;

/// The content of a package's archive, in the archive's order.
///
/// The order is kept because readdir order follows creation order on some file systems, and
/// Composer's class map follows readdir order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the package when it was ingested, for people.
    pub name: String,
    /// Pretty version of the package when it was ingested, for people.
    pub version: String,
    /// URL of the dist without user information, query and fragment, for people.
    pub url: String,
    /// Reference of the dist.
    pub reference: Option<String>,
    /// Size of the archive in bytes.
    pub archive_bytes: u64,
    /// Mode of the package directory itself.
    pub root_mode: Mode,
    /// Modification time of the package directory itself.
    pub root_time: Time,
    /// Modification times that occur. An archive made by git has one.
    pub times: Vec<Time>,
    /// Everything below the package directory. Parents don't necessarily come before children.
    pub items: Vec<Item>,
}

/// A file, directory or link of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Path relative to the package directory, `/`-separated and safe to join.
    pub path: String,
    /// Permissions of the item.
    pub mode: Mode,
    /// Modification time of the item, as an index of [`Manifest::times`].
    pub time: u32,
    /// Kind of the item, with the data of that kind.
    pub kind: ItemKind,
}

/// The kind of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemKind {
    /// A regular file.
    File {
        /// Digest of the file's content.
        digest: Digest,
        /// Size in bytes.
        size: u64,
    },
    /// A directory with an entry of its own.
    Dir,
    /// A symbolic link.
    Symlink {
        /// Target of the link, as in the archive.
        target: Vec<u8>,
    },
}

impl Item {
    /// Returns the permission bits of this item under `umask`.
    pub fn mode_under(&self, umask: u32) -> u32 {
        let default = match self.kind {
            ItemKind::File { .. } => 0o666,
            ItemKind::Dir | ItemKind::Symlink { .. } => 0o777,
        };
        self.mode.under(umask, default)
    }
}

impl Manifest {
    /// Returns the number of regular files and the sum of their sizes.
    pub fn files_and_bytes(&self) -> (u64, u64) {
        self.items
            .iter()
            .filter_map(|item| match item.kind {
                ItemKind::File { size, .. } => Some(size),
                _ => None,
            })
            .fold((0, 0), |(files, bytes), size| (files + 1, bytes + size))
    }

    /// Returns the path of a symbolic link that leads out of the package, if there is one.
    pub fn link_that_leads_out(&self) -> Option<&str> {
        leads_out(self.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Symlink { target } => Some((item.path.as_str(), target.as_slice())),
            ItemKind::File { .. } | ItemKind::Dir => None,
        }))
    }

    /// Returns whether the archive of a zip has entries for directories, whose modes unzip must
    /// set.
    pub fn has_listed_directories(&self) -> bool {
        // Directories that an archive has only for the sake of their content have no time of their
        // own.
        let has_time = |time: u32| self.times.get(time as usize) != Some(&Time::Now);
        self.root_time != Time::Now
            || self
                .items
                .iter()
                .any(|item| item.kind == ItemKind::Dir && has_time(item.time))
    }

    /// Returns whether a file system that ignores case would confuse two names.
    pub fn has_names_alike(&self) -> bool {
        let mut spelled: HashMap<String, &str> = HashMap::new();
        self.items.iter().any(|item| {
            let path = item.path.as_str();
            let ends = path.match_indices('/').map(|(slash, _)| slash);
            ends.chain([path.len()]).any(|end| {
                let name = &path[..end];
                *spelled.entry(name.to_lowercase()).or_insert(name) != name
            })
        })
    }

    /// Returns whether the whole manifest can be carried out safely below a directory. A record on
    /// disk is trusted no more than an archive.
    fn is_safe(&self) -> bool {
        let names = |path: &str| {
            !path.is_empty()
                && !path.contains(['\0', '\\'])
                && path
                    .split('/')
                    .all(|part| !part.is_empty() && part != "." && part != "..")
        };
        let links: HashSet<&str> = self
            .items
            .iter()
            .filter(|item| matches!(item.kind, ItemKind::Symlink { .. }))
            .map(|item| item.path.as_str())
            .collect();
        let below_link = |path: &str| {
            path.match_indices('/')
                .any(|(slash, _)| links.contains(&path[..slash]))
        };
        self.items.iter().all(|item| {
            names(&item.path)
                && (item.time as usize) < self.times.len()
                && item.mode.under(0, 0) & !0o777 == 0
                && (links.is_empty() || !below_link(&item.path))
                && match &item.kind {
                    ItemKind::Symlink { target } => !target.is_empty() && !target.contains(&0),
                    _ => true,
                }
        }) && self.root_mode.under(0, 0) & !0o777 == 0
    }
}

/// Returns the manifest of a record, if the record is whole, belongs to `place` and can be carried
/// out safely.
pub(super) fn decode(place: &str, bytes: &[u8]) -> Option<Manifest> {
    Record::Manifest
        .decode(place, bytes)
        .filter(Manifest::is_safe)
}

/// Returns the place of a manifest below the store's root.
pub(super) fn place(hex: &str) -> String {
    let (shard, rest) = hex.split_at(2);
    Record::Manifest.place(&format!("{shard}/{rest}"))
}

/// Returns the bytes of a key.
pub(super) fn raw(key: &ManifestKey) -> Result<Vec<u8>> {
    unhex(&key.hex()).ok_or_else(|| Error::Internal("a key is no number".to_owned()))
}

/// Returns the key whose manifest has a path below the bucket.
fn key_of(path: &Path) -> Option<ManifestKey> {
    let name = |path: &Path| path.file_name().and_then(OsStr::to_str).map(str::to_owned);
    let hex = name(path.parent()?)? + &name(path)?;
    let bytes: [u8; 32] = unhex(&hex)?.try_into().ok()?;
    postcard::to_stdvec(&bytes)
        .ok()
        .and_then(|bytes| postcard::from_bytes(&bytes).ok())
}

impl Store {
    /// Returns the keys of all packages, sorted.
    pub fn keys(&self) -> Vec<ManifestKey> {
        let paths = listed(&self.bucket(Bucket::Manifests), &mut Vec::new());
        let mut keys: Vec<ManifestKey> = paths.iter().filter_map(|path| key_of(path)).collect();
        keys.sort_unstable();
        keys
    }

    /// Returns the path of a manifest.
    pub fn manifest_path(&self, key: &ManifestKey) -> PathBuf {
        self.root().join(place(&key.hex()))
    }

    /// Reads a manifest. A manifest that is torn, foreign or in the wrong place counts as absent.
    pub fn read_manifest(&self, key: &ManifestKey) -> Result<Option<Manifest>> {
        self.read_manifest_at(&place(&key.hex()))
    }

    /// Reads the manifest at a place below the store's root.
    pub(super) fn read_manifest_at(&self, place: &str) -> Result<Option<Manifest>> {
        let path = self.root().join(place);
        let bytes = read_regular(&path).map_err(in_store("reading", &path))?;
        Ok(bytes.and_then(|bytes| decode(place, &bytes)))
    }

    /// Writes a manifest. Its blobs must be in the store already.
    pub fn write_manifest(&self, key: &ManifestKey, manifest: &Manifest) -> Result<()> {
        self.write_sealed(Record::Manifest, &place(&key.hex()), manifest)
    }
}

/// Decodes the manifest of a record, and returns it if it is safe. The fuzz targets call this
/// function.
#[cfg(any(test, feature = "testing"))]
pub fn fuzzed(payload: &[u8]) -> Option<(Manifest, Vec<u8>)> {
    use allegro_base::testing::records::{PLACE, seal};
    let manifest: Manifest =
        Record::Manifest.decode(PLACE, &seal(*Record::Manifest.magic(), payload))?;
    let again = Record::Manifest.encode(PLACE, &manifest);
    assert_eq!(
        Record::Manifest.decode(PLACE, &again).as_ref(),
        Some(&manifest)
    );
    manifest.is_safe().then_some((manifest, again))
}

#[cfg(test)]
mod tests {
    use super::*;
    use allegro_composer::Dist;
    use std::fs;

    fn manifest() -> Manifest {
        Manifest {
            name: "a/b".into(),
            version: "1.0".into(),
            url: "https://example.org/1.zip".into(),
            reference: None,
            archive_bytes: 12,
            root_mode: Mode::Default,
            root_time: Time::Now,
            times: vec![
                Time::Now,
                Time::Stamp {
                    unix: Some(1_600_000_000),
                    dos: 0x5821_0000,
                },
            ],
            items: vec![
                Item {
                    path: "src".into(),
                    mode: Mode::Exact(0o700),
                    time: 0,
                    kind: ItemKind::Dir,
                },
                Item {
                    path: "src/A.php".into(),
                    mode: Mode::Default,
                    time: 1,
                    kind: ItemKind::File {
                        digest: Digest([7; 32]),
                        size: 3,
                    },
                },
                Item {
                    path: "link".into(),
                    mode: Mode::Default,
                    time: 0,
                    kind: ItemKind::Symlink {
                        target: b"src/A.php".to_vec(),
                    },
                },
            ],
        }
    }

    #[test]
    fn a_manifest_comes_back_and_a_torn_one_does_not() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(dir.path()).expect("a store");
        let key = Dist::at("https://example.org/1.zip").key();
        assert_eq!(store.read_manifest(&key).expect("read"), None);
        store.write_manifest(&key, &manifest()).expect("written");
        assert_eq!(store.read_manifest(&key).expect("read"), Some(manifest()));
        assert_eq!(store.keys(), [key]);

        let path = store.manifest_path(&key);
        let whole = fs::read(&path).expect("bytes");
        for cut in [0, 5, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).expect("torn");
            assert_eq!(
                store.read_manifest(&key).expect("read"),
                None,
                "cut at {cut}"
            );
        }
        let mut flipped = whole.clone();
        flipped[20] ^= 1;
        fs::write(&path, &flipped).expect("flipped");
        assert_eq!(store.read_manifest(&key).expect("read"), None);
        // A directory in the manifest's place counts as absent, and the next write replaces it.
        fs::remove_file(&path).expect("removed");
        fs::create_dir_all(path.join("inside")).expect("a directory");
        assert_eq!(store.read_manifest(&key).expect("read"), None);
        store.write_manifest(&key, &manifest()).expect("written");
        assert_eq!(store.read_manifest(&key).expect("read"), Some(manifest()));
    }

    #[test]
    fn a_manifest_counts_under_its_own_key_only() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(dir.path()).expect("a store");
        let [one, other] =
            ["https://example.org/1", "https://example.org/2"].map(|url| Dist::at(url).key());
        store.write_manifest(&one, &manifest()).expect("written");
        store.write_manifest(&other, &manifest()).expect("written");
        let [one_path, other_path] = [one, other].map(|key| store.manifest_path(&key));
        fs::copy(&one_path, &other_path).expect("swapped");
        assert_eq!(store.read_manifest(&other).expect("read"), None);
        assert!(store.read_manifest(&one).expect("read").is_some());
    }

    #[test]
    fn what_leads_out_of_the_package_is_not_believed() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(dir.path()).expect("a store");
        let key = Dist::at("https://example.org/1.zip").key();
        let evil: [fn(&mut Manifest); 9] = [
            |manifest| manifest.items[1].path = "../A.php".into(),
            |manifest| manifest.items[1].path = "/etc/A.php".into(),
            |manifest| manifest.items[1].path = "src/../../A.php".into(),
            |manifest| manifest.items[1].path = "src//A.php".into(),
            |manifest| manifest.items[1].path = String::new(),
            |manifest| manifest.items[1].path = "link/A.php".into(),
            |manifest| manifest.items[1].time = 2,
            |manifest| manifest.items[1].mode = Mode::Exact(0o4755),
            |manifest| manifest.items[1].path = "a\0b".into(),
        ];
        for (number, change) in evil.into_iter().enumerate() {
            let mut manifest = manifest();
            change(&mut manifest);
            store.write_manifest(&key, &manifest).expect("written");
            assert_eq!(store.read_manifest(&key).expect("read"), None, "{number}");
        }
    }

    #[test]
    fn names_alike_and_links_out_are_found() {
        let mut manifest = manifest();
        assert!(!manifest.has_names_alike());
        assert_eq!(manifest.link_that_leads_out(), None);
        manifest.items[2].kind = ItemKind::Symlink {
            target: b"../x".to_vec(),
        };
        assert_eq!(manifest.link_that_leads_out(), Some("link"));
        for alike in ["LINK", "Src/b", "src/a.php"] {
            manifest.items[0].path = alike.to_owned();
            assert!(manifest.has_names_alike(), "{alike}");
        }
    }

    #[test]
    fn modes_follow_the_umask_unless_fixed() {
        let manifest = manifest();
        assert_eq!(manifest.items[0].mode_under(0o077), 0o700);
        assert_eq!(manifest.items[1].mode_under(0o002), 0o664);
        assert_eq!(manifest.items[1].mode_under(0o077), 0o600);
    }
}
