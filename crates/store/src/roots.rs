//! Records which projects have linked which packages. Allegro uses the records to name the projects
//! of a damaged blob, and to know during pruning which packages are in use.
//!
//! A record is on disk as a sealed [`Root`] (see [`Record::Root`]).

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Bucket, Record, Store, directory_name};
use allegro_base::error::Result;
use allegro_composer::ManifestKey;

/// A directory that packages were installed into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Root {
    /// Vendor directory of a project, or the own directory of a package outside of it.
    pub(super) directory: PathBuf,
    /// Keys of the packages.
    pub(super) keys: BTreeSet<ManifestKey>,
}

fn place(directory: &Path) -> String {
    Record::Root.place(&directory_name(directory))
}

impl Store {
    fn read_root(&self, place: &str) -> Option<Root> {
        self.read_sealed(Record::Root, place)
    }

    /// Records that these packages were installed below a directory. The function only adds keys.
    /// Pruning finds out which packages a project no longer has.
    pub fn note_root(&self, directory: &Path, keys: &[ManifestKey]) -> Result<()> {
        let place = place(directory);
        let mut root = self.read_root(&place).unwrap_or_else(|| Root {
            directory: directory.to_owned(),
            keys: BTreeSet::new(),
        });
        let before = root.keys.len();
        root.keys.extend(keys);
        if root.keys.len() == before {
            return Ok(());
        }
        self.write_sealed(Record::Root, &place, &root)
    }

    /// Returns the records of all directories that still exist, and the paths of all other records.
    pub(super) fn roots(&self) -> (Vec<Root>, Vec<PathBuf>) {
        let (mut roots, mut gone) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(self.bucket(Bucket::Roots))
            .into_iter()
            .flatten()
            .flatten()
        {
            let place = Record::Root.place(&entry.file_name().to_string_lossy());
            match self.read_root(&place) {
                Some(root) if root.directory.is_dir() => roots.push(root),
                _ => gone.push(entry.path()),
            }
        }
        (roots, gone)
    }

    /// Returns the directories that have this package and still exist.
    pub fn projects_with(&self, key: &ManifestKey) -> Vec<PathBuf> {
        let (roots, _) = self.roots();
        let mut projects: Vec<PathBuf> = roots
            .into_iter()
            .filter(|root| root.keys.contains(key))
            .map(|root| root.directory)
            .collect();
        projects.sort();
        projects
    }
}

/// The record's decoder, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub(crate) const FUZZED: allegro_base::testing::records::RecordKind =
    allegro_base::testing::records::RecordKind {
        magic: *Record::Root.magic(),
        again: |bytes| allegro_base::testing::records::again::<Root>(*Record::Root.magic(), bytes),
    };

#[cfg(test)]
mod tests {
    use super::*;
    use allegro_composer::Dist;

    #[test]
    fn projects_are_known_by_their_packages_while_they_exist() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let (one, two) = (dir.path().join("one/vendor"), dir.path().join("two/vendor"));
        fs::create_dir_all(&one).expect("one");
        fs::create_dir_all(&two).expect("two");
        let [a, b] =
            ["https://example.org/a", "https://example.org/b"].map(|url| Dist::at(url).key());
        assert_eq!(store.projects_with(&a), Vec::<PathBuf>::new());

        store.note_root(&one, &[a]).expect("noted");
        store.note_root(&one, &[b]).expect("noted");
        store.note_root(&two, &[b]).expect("noted");
        assert_eq!(store.projects_with(&a), vec![one.clone()]);
        assert_eq!(store.projects_with(&b), vec![one.clone(), two.clone()]);

        fs::remove_dir_all(&two).expect("gone");
        assert_eq!(store.projects_with(&b), vec![one.clone()]);

        // A record in another one's place counts as absent.
        fs::create_dir_all(&two).expect("two");
        let path = |directory: &Path| store.root().join(place(directory));
        fs::copy(path(&one), path(&two)).expect("swapped");
        assert_eq!(store.projects_with(&b), vec![one]);
    }
}
