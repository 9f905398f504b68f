//! Which projects have linked which packages: so that a damaged blob's projects can be named, and so that pruning
//! knows what is in use.
//!
//! `roots-v1/<32 hex of the path's SHA-256>`: the vendor directory on the first line, then one manifest key a line.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{Store, hex};
use crate::composer::ManifestKey;
use crate::error::{Result, in_store};
use crate::fs::write_atomically;

const ROOTS: &str = "roots-v1";

impl Store {
    /// Notes that the project at `vendor_dir` has linked these packages. Keys only ever get more here; what a
    /// project no longer has is found out when pruning.
    pub fn note_root(&self, vendor_dir: &Path, keys: &[ManifestKey]) -> Result<()> {
        // A line can't hold such a path; the project then merely can't be named.
        let Some(name) = vendor_dir.to_str().filter(|name| !name.contains('\n')) else {
            return Ok(());
        };
        let dir = self.root().join(ROOTS);
        let path = dir.join(hex(&Sha256::digest(name)[..16]));
        let mut known: BTreeSet<String> = match fs::read_to_string(&path) {
            Ok(text) => text.lines().skip(1).map(str::to_owned).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&dir).map_err(in_store("creating", &dir))?;
                BTreeSet::new()
            }
            Err(error) => return Err(in_store("reading", &path)(error)),
        };
        let before = known.len();
        known.extend(keys.iter().map(ManifestKey::hex));
        if known.len() == before {
            return Ok(());
        }
        let mut text = format!("{name}\n");
        for key in &known {
            text.push_str(key);
            text.push('\n');
        }
        write_atomically(&path, text.as_bytes()).map_err(in_store("writing", &path))
    }

    /// Vendor directories that have linked this package and are still there.
    pub fn projects_with(&self, key: &ManifestKey) -> Vec<PathBuf> {
        let key = key.hex();
        let Ok(entries) = fs::read_dir(self.root().join(ROOTS)) else {
            return Vec::new();
        };
        let mut projects: Vec<PathBuf> = entries
            .flatten()
            .filter_map(|entry| fs::read_to_string(entry.path()).ok())
            .filter(|text| text.lines().skip(1).any(|line| line == key))
            .filter_map(|text| text.lines().next().map(PathBuf::from))
            .filter(|project| project.is_dir())
            .collect();
        projects.sort();
        projects
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::composer::Dist;

    fn key(url: &str) -> ManifestKey {
        Dist {
            kind: "zip".into(),
            url: url.into(),
            reference: None,
            shasum: None,
            custom_cache_key: None,
        }
        .key()
    }

    #[test]
    fn projects_are_known_by_their_packages_while_they_exist() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let (one, two) = (dir.path().join("one/vendor"), dir.path().join("two/vendor"));
        fs::create_dir_all(&one).expect("one");
        fs::create_dir_all(&two).expect("two");
        let (a, b) = (key("https://example.org/a"), key("https://example.org/b"));
        assert_eq!(store.projects_with(&a), Vec::<PathBuf>::new());

        store.note_root(&one, &[a]).expect("noted");
        store.note_root(&one, &[b]).expect("noted");
        store.note_root(&two, &[b]).expect("noted");
        assert_eq!(store.projects_with(&a), vec![one.clone()]);
        assert_eq!(store.projects_with(&b), vec![one.clone(), two.clone()]);

        fs::remove_dir_all(&two).expect("gone");
        assert_eq!(store.projects_with(&b), vec![one]);
    }
}
