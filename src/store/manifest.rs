//! One package: an ordered list of what its archive holds.
//!
//! On disk: [`Manifest`], sealed (see [`crate::sealed`]) with the magic word `ALMANI01`.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use super::{Digest, Store};
use crate::archive::Mode;
use crate::composer::ManifestKey;
use crate::error::{Result, in_store};
use crate::fs::write_atomically_below;
use crate::sealed;

const MAGIC: &[u8; 8] = b"ALMANI01";

/// What a package's archive holds, in the archive's order.
///
/// The order is kept because readdir order follows creation order on some file systems, and Composer's
/// class map follows readdir order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The package's name when it was ingested; for people, not part of the key.
    pub name: String,
    /// Its pretty version, likewise.
    pub version: String,
    /// The dist URL without credentials.
    pub url: String,
    /// The dist reference.
    pub reference: Option<String>,
    /// Size of the archive in bytes.
    pub archive_bytes: u64,
    /// Mode of the package directory itself.
    pub root_mode: Mode,
    /// Everything below the package directory, parents not necessarily before children.
    pub items: Vec<Item>,
}

/// A file, directory or link of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Relative to the package directory, `/`-separated, safe to join.
    pub path: String,
    /// Its permissions.
    pub mode: Mode,
    /// What it is.
    pub kind: ItemKind,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemKind {
    /// A regular file.
    File {
        /// Of its content.
        digest: Digest,
        /// In bytes.
        size: u64,
    },
    /// A directory with an entry of its own.
    Dir,
    /// A symbolic link.
    Symlink {
        /// Where it points, as in the archive.
        target: Vec<u8>,
    },
}

impl Item {
    /// The permission bits of this item under `umask`.
    pub fn mode_under(&self, umask: u32) -> u32 {
        let default = match self.kind {
            ItemKind::File { .. } => 0o666,
            ItemKind::Dir | ItemKind::Symlink { .. } => 0o777,
        };
        self.mode.under(umask, default)
    }
}

impl Manifest {
    /// Number of regular files and the sum of their sizes.
    pub fn files_and_bytes(&self) -> (u64, u64) {
        self.items
            .iter()
            .filter_map(|item| match item.kind {
                ItemKind::File { size, .. } => Some(size),
                _ => None,
            })
            .fold((0, 0), |(files, bytes), size| (files + 1, bytes + size))
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        sealed::decode(MAGIC, bytes)
    }

    fn encode(&self) -> Vec<u8> {
        sealed::encode(MAGIC, self)
    }
}

impl Store {
    /// Reads a manifest. A torn or foreign file counts as absent.
    pub fn read_manifest(&self, key: &ManifestKey) -> Result<Option<Manifest>> {
        let path = self.manifest_path(key);
        match fs::read(&path) {
            Ok(bytes) => Ok(Manifest::decode(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(in_store("reading", &path)(error)),
        }
    }

    /// Writes a manifest; its blobs must be there already.
    pub fn write_manifest(&self, key: &ManifestKey, manifest: &Manifest) -> Result<()> {
        let path = self.manifest_path(key);
        write_atomically_below(&path, &manifest.encode()).map_err(in_store("writing", &path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composer::Dist;

    fn manifest() -> Manifest {
        Manifest {
            name: "a/b".into(),
            version: "1.0".into(),
            url: "https://example.org/1.zip".into(),
            reference: None,
            archive_bytes: 12,
            root_mode: Mode::Default,
            items: vec![
                Item {
                    path: "src".into(),
                    mode: Mode::Exact(0o700),
                    kind: ItemKind::Dir,
                },
                Item {
                    path: "src/A.php".into(),
                    mode: Mode::Default,
                    kind: ItemKind::File {
                        digest: Digest([7; 32]),
                        size: 3,
                    },
                },
                Item {
                    path: "link".into(),
                    mode: Mode::Default,
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
        let key = Dist {
            kind: "zip".into(),
            url: "https://example.org/1.zip".into(),
            reference: None,
            shasum: None,
            custom_cache_key: None,
        }
        .key();
        assert_eq!(store.read_manifest(&key).expect("read"), None);
        store.write_manifest(&key, &manifest()).expect("written");
        assert_eq!(store.read_manifest(&key).expect("read"), Some(manifest()));

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
    }

    #[test]
    fn modes_follow_the_umask_unless_fixed() {
        let manifest = manifest();
        assert_eq!(manifest.items[0].mode_under(0o077), 0o700);
        assert_eq!(manifest.items[1].mode_under(0o002), 0o664);
        assert_eq!(manifest.items[1].mode_under(0o077), 0o600);
    }
}
