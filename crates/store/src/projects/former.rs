//! Reads records of the former version: a directory and the keys of its packages.
//!
//! Projects outlive versions, so these records count until a write or a pruning replaces them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Project, ProjectPackage};
use crate::Store;
#[cfg(test)]
use allegro_base::error::Result;
use allegro_base::sealed;
use allegro_composer::ManifestKey;

/// The bucket of such records.
pub(super) const BUCKET: &str = "roots-v2";

const MAGIC: &[u8; 8] = b"ALROOT02";

/// A directory that packages were installed into.
#[derive(Debug, Serialize, Deserialize)]
struct Root {
    directory: PathBuf,
    keys: BTreeSet<ManifestKey>,
}

pub(super) fn place(name: &str) -> String {
    format!("{BUCKET}/{name}")
}

/// Adds the packages of another record of the same project.
pub(super) fn merged(mut project: Project, other: Project) -> Project {
    let known: BTreeSet<ManifestKey> = project.packages.iter().map(|one| one.key).collect();
    let news = other
        .packages
        .into_iter()
        .filter(|package| !known.contains(&package.key));
    let before = project.packages.len();
    project.packages.extend(news);
    if project.packages.len() > before {
        project.lock = None;
    }
    project.root = project.root.or(other.root);
    project.last_used = project.last_used.max(other.last_used);
    project.method = project.method.max(other.method);
    project
}

impl Store {
    /// Returns the project of a former record. Nobody noted its last use, so the time of the
    /// record's last write stands for it.
    pub(super) fn read_former(&self, name: &str) -> Option<Project> {
        let place = place(name);
        let bytes = self.read_bytes(&place)?;
        let root: Root = sealed::decode(MAGIC, &place, &bytes)?;
        let facts = fs::metadata(self.root().join(&place)).ok()?;
        Some(Project {
            root: None,
            vendor_dir: root.directory,
            last_used: u64::try_from(facts.mtime()).unwrap_or_default(),
            lock: None,
            method: None,
            packages: root
                .keys
                .into_iter()
                .map(|key| ProjectPackage {
                    name: String::new(),
                    version: String::new(),
                    key,
                    bytes: None,
                })
                .collect(),
        })
    }

    /// Writes the records of living projects in this version's form, and removes the former ones.
    /// The function leaves those that it can't write.
    pub(crate) fn renew_former_projects(&self) {
        for (name, _) in super::names(&self.root().join(BUCKET)) {
            if let Some(former) = self.read_former(&name)
                && let Some(project) = self.project(&former.vendor_dir)
            {
                let _ = self.write_project(&project);
            }
        }
        let _ = fs::remove_dir(self.root().join(BUCKET));
    }

    /// Writes a record of the former version.
    #[cfg(test)]
    pub(crate) fn write_former(
        &self,
        directory: &std::path::Path,
        keys: &[ManifestKey],
    ) -> Result<()> {
        let place = place(&crate::directory_name(directory));
        let root = Root {
            directory: directory.to_owned(),
            keys: keys.iter().copied().collect(),
        };
        self.write_bytes(&place, &sealed::encode(MAGIC, &place, &root))
    }
}

/// The record's decoder, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub(super) const FUZZED: allegro_base::testing::records::RecordKind =
    allegro_base::testing::records::RecordKind {
        magic: *MAGIC,
        again: |bytes| allegro_base::testing::records::again::<Root>(*MAGIC, bytes),
    };
