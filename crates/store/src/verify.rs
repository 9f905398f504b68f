//! Reads the whole store: counts its content, and checks whether it is sound.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use rayon::prelude::*;
use serde::Serialize;

use super::layout::QUARANTINE;
use super::{BlobState, Bucket, Store, indexed};
use allegro_base::error::{Result, in_store};
use allegro_base::fs::remove_all;
use allegro_base::sealed;
use allegro_base::threads::with_pool;

/// The content of the store, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Number of packages.
    pub manifests: u64,
    /// Number of files: one per content where files can share blocks, else one per content, mode
    /// and time.
    pub blobs: u64,
    /// Size of all blobs in bytes.
    pub bytes: u64,
    /// Number of blobs that were changed in place and are kept for inspection.
    pub quarantined: u64,
    /// Size of the quarantined blobs in bytes.
    pub quarantined_bytes: u64,
}

/// The findings of the full check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Number of blobs read.
    pub blobs: u64,
    /// Number of manifests read.
    pub manifests: u64,
    /// Blobs whose content differs from the digest in their name. The check has moved them to
    /// quarantine, and the next install restores them from the archive.
    pub damaged: Vec<PathBuf>,
    /// Blobs with the right content, but with another mode, time or owner. The check has mended
    /// them, or moved them to quarantine where other names of the inode forbid that.
    pub unsealed: Vec<PathBuf>,
    /// Number of other records read.
    pub records: u64,
    /// Manifests and other records that are torn, or that stand in another one's place. The check
    /// has removed them.
    pub torn: Vec<PathBuf>,
    /// Entries that don't belong into the store. The check has moved them to quarantine.
    pub odd: Vec<PathBuf>,
    /// Entries that couldn't be read or mended, with the reasons.
    pub failures: Vec<String>,
}

impl Findings {
    /// Returns whether the store was as it should be.
    pub fn is_sound(&self) -> bool {
        self.damaged.is_empty()
            && self.unsealed.is_empty()
            && self.torn.is_empty()
            && self.odd.is_empty()
            && self.failures.is_empty()
    }
}

/// The fault of one blob.
enum Fault {
    Damaged,
    Unsealed,
    Odd,
    Unreadable(String),
}

impl Store {
    /// Counts the content of the store. Unreadable entries don't count.
    pub fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        let mut failures = Vec::new();
        for path in self.blob_paths(&mut failures) {
            if let Ok(metadata) = fs::symlink_metadata(&path) {
                usage.blobs += 1;
                usage.bytes += metadata.len();
            }
        }
        usage.manifests = listed(&self.bucket(Bucket::Manifests), &mut failures).len() as u64;
        for entry in fs::read_dir(self.root().join(QUARANTINE))
            .into_iter()
            .flatten()
            .flatten()
        {
            usage.quarantined += 1;
            usage.quarantined_bytes += entry.metadata().map_or(0, |facts| facts.len());
        }
        usage
    }

    /// Reads every blob and every manifest. The check takes damaged ones out of use, and goes on
    /// past unreadable ones.
    pub fn verify(&self) -> Findings {
        let mut findings = Findings::default();
        let blobs = self.blob_paths(&mut findings.failures);
        findings.blobs = blobs.len() as u64;
        let threads = available_parallelism().map_or(1, NonZeroUsize::get);
        let found = with_pool(threads, |pool| {
            pool.install(|| {
                blobs
                    .par_iter()
                    .filter_map(|path| self.find(path))
                    .collect()
            })
        });
        let mut faults: Vec<(&PathBuf, Fault)> =
            found.unwrap_or_else(|_| blobs.iter().filter_map(|path| self.find(path)).collect());
        faults.retain(|(_, fault)| match fault {
            Fault::Unreadable(why) => {
                findings.failures.push(why.clone());
                false
            }
            _ => true,
        });
        faults.sort_by_key(|(path, _)| *path);
        for (path, fault) in faults {
            let mended = match fault {
                Fault::Unsealed => self.mend(path),
                _ => self.put_aside(path),
            };
            if let Err(error) = mended {
                findings.failures.push(error.to_string());
            }
            match fault {
                Fault::Damaged => findings.damaged.push(path.clone()),
                Fault::Unsealed => findings.unsealed.push(path.clone()),
                _ => findings.odd.push(path.clone()),
            }
        }
        let manifests = listed(&self.bucket(Bucket::Manifests), &mut findings.failures);
        findings.manifests = manifests.len() as u64;
        for path in manifests {
            let place = path
                .strip_prefix(self.root())
                .ok()
                .and_then(Path::to_str)
                .unwrap_or_default();
            match self.read_manifest_at(place) {
                Ok(Some(_)) => continue,
                Ok(None) => {}
                Err(error) => {
                    findings.failures.push(error.to_string());
                    continue;
                }
            }
            if let Err(error) = remove_all(&path).map_err(in_store("removing", &path)) {
                findings.failures.push(error.to_string());
            }
            findings.torn.push(path);
        }
        self.verify_records(&mut findings);
        findings
    }

    /// Returns a blob's path with its fault, if there is one.
    fn find<'b>(&self, path: &'b PathBuf) -> Option<(&'b PathBuf, Fault)> {
        self.fault(path).map(|fault| (path, fault))
    }

    /// Checks the records that only save time.
    fn verify_records(&self, findings: &mut Findings) {
        let with_records = Bucket::ALL
            .into_iter()
            .filter(|bucket| bucket.has_records());
        let mut directories: Vec<(Bucket, String)> = with_records
            .map(|bucket| (bucket, bucket.name().to_owned()))
            .collect();
        while let Some((bucket, directory)) = directories.pop() {
            let path = self.root().join(&directory);
            match fs::symlink_metadata(&path) {
                Ok(facts) if facts.is_dir() => {}
                Ok(_) => {
                    self.put_odd_aside(path, findings);
                    continue;
                }
                // The first record of a bucket creates its directory.
                Err(_) => continue,
            }
            for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
                self.verify_record(bucket, &directory, &entry, &mut directories, findings);
            }
        }
    }

    fn verify_record(
        &self,
        bucket: Bucket,
        directory: &str,
        entry: &fs::DirEntry,
        directories: &mut Vec<(Bucket, String)>,
        findings: &mut Findings,
    ) {
        let (name, path) = (entry.file_name(), entry.path());
        let kind = entry.file_type().ok();
        match name.to_str().map(|name| format!("{directory}/{name}")) {
            // Such a file belongs to an atomic write, or was moved aside.
            _ if name.as_encoded_bytes().starts_with(b".") => {}
            Some(place) if kind.is_some_and(|kind| kind.is_dir()) && bucket.has_directories() => {
                directories.push((bucket, place));
            }
            Some(place) if kind.is_some_and(|kind| kind.is_file()) => {
                findings.records += 1;
                if !self.is_whole_record(bucket, &place) {
                    if let Err(error) = remove_all(&path).map_err(in_store("removing", &path)) {
                        findings.failures.push(error.to_string());
                    }
                    findings.torn.push(path);
                }
            }
            _ => self.put_odd_aside(path, findings),
        }
    }

    fn put_odd_aside(&self, path: PathBuf, findings: &mut Findings) {
        if let Err(error) = self.put_aside(&path) {
            findings.failures.push(error.to_string());
        }
        findings.odd.push(path);
    }

    fn is_whole_record(&self, bucket: Bucket, place: &str) -> bool {
        let is_whole = if bucket == Bucket::Metadata {
            indexed::is_whole
        } else {
            sealed::is_whole
        };
        self.read_bytes(place)
            .is_some_and(|bytes| is_whole(place, &bytes))
    }

    /// Returns the fault of the blob at a path, if there is one.
    fn fault(&self, path: &Path) -> Option<Fault> {
        let Some(blob) = self.blob_at(path) else {
            return Some(Fault::Odd);
        };
        match self.settled_state(&blob) {
            // Another process has removed the blob meanwhile.
            BlobState::Missing => None,
            BlobState::Odd => Some(Fault::Odd),
            state => match (self.has_content(&blob), state) {
                (Err(error), _) => Some(Fault::Unreadable(error.to_string())),
                (Ok(false), _) => Some(Fault::Damaged),
                (Ok(true), BlobState::Sealed(facts)) if self.trusts(facts.user) => None,
                (Ok(true), _) => Some(Fault::Unsealed),
            },
        }
    }

    /// Restores the seal of a blob with the right content.
    fn mend(&self, path: &Path) -> Result<()> {
        let Some(blob) = self.blob_at(path) else {
            return Ok(());
        };
        self.renew(&blob).map(drop)
    }

    fn put_aside(&self, path: &Path) -> Result<()> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match fs::rename(path, self.quarantine(&name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(in_store("moving to quarantine", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Returns the paths of all blobs and contents.
    pub(super) fn blob_paths(&self, failures: &mut Vec<String>) -> Vec<PathBuf> {
        let mut paths = listed(&self.blobs.path, failures);
        paths.extend(listed(&self.contents.path, failures));
        paths
    }
}

/// Returns the files two levels below a bucket, without the leftovers of atomic writes. A shard
/// that is no directory counts as such a file.
pub(super) fn listed(bucket: &Path, failures: &mut Vec<String>) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    let mut read = |directory: &Path| -> Vec<PathBuf> {
        match fs::read_dir(directory) {
            Ok(entries) => entries
                .flatten()
                .filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b"."))
                .map(|entry| entry.path())
                .collect(),
            Err(error) => {
                failures.push(in_store("reading", directory)(error).to_string());
                Vec::new()
            }
        }
    };
    for shard in read(bucket) {
        if fs::symlink_metadata(&shard).is_ok_and(|facts| facts.is_dir()) {
            paths.extend(read(&shard));
        } else {
            paths.push(shard);
        }
    }
    paths
}
