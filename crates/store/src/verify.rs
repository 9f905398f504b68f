//! Reads the whole store, and checks whether it is sound.

use std::fs::{self, File};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use rayon::prelude::*;
use serde::Serialize;

use super::blob::UNFINISHED;
use super::manifest;
use super::{BlobState, Bucket, Store, copy_hashed, indexed};
use allegro_base::error::{Result, in_store};
use allegro_base::fs::{read_regular, remove_all};
use allegro_base::sealed;
use allegro_base::threads::with_pool;

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
    /// Number of blobs that killed processes have left unfinished. They are no faults, and the check
    /// has removed them.
    pub unfinished: u64,
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
    Unfinished,
    Unsealed,
    Odd,
    Unreadable(String),
}

impl Store {
    /// Reads every blob and every record, on all cores. The check takes damaged ones out of use, and
    /// goes on past unreadable ones.
    ///
    /// Installs may run at the same time. What they replace between the check and the removal stays.
    pub fn verify(&self) -> Findings {
        let threads = available_parallelism().map_or(1, NonZeroUsize::get);
        with_pool(threads, |pool| pool.install(|| self.verify_in_pool())).unwrap_or_else(|error| {
            Findings {
                failures: vec![error.to_string()],
                ..Findings::default()
            }
        })
    }

    fn verify_in_pool(&self) -> Findings {
        let mut findings = Findings::default();
        self.verify_blobs(&mut findings);
        let manifests = listed(&self.bucket(Bucket::Manifests), &mut findings.failures);
        findings.manifests = manifests.len() as u64;
        self.verify_records(Bucket::Manifests, &manifests, &mut findings);
        for bucket in Bucket::ALL
            .into_iter()
            .filter(|bucket| bucket.has_records())
        {
            let records = self.records(bucket, &mut findings);
            findings.records += records.len() as u64;
            self.verify_records(bucket, &records, &mut findings);
        }
        findings
    }

    fn verify_blobs(&self, findings: &mut Findings) {
        let blobs = self.blob_paths(&mut findings.failures);
        findings.blobs = blobs.len() as u64;
        let mut faults: Vec<(&PathBuf, Fault)> = blobs
            .par_iter()
            .filter_map(|path| self.fault(path).map(|fault| (path, fault)))
            .collect();
        faults.sort_by_key(|(path, _)| *path);
        for (path, fault) in faults {
            let (mended, list) = match fault {
                Fault::Unreadable(why) => {
                    findings.failures.push(why);
                    continue;
                }
                Fault::Unfinished => {
                    findings.unfinished += 1;
                    if let Err(error) = self.remove_unfinished(path) {
                        findings.failures.push(error.to_string());
                    }
                    continue;
                }
                Fault::Unsealed => (self.mend(path), &mut findings.unsealed),
                Fault::Damaged => (self.put_damaged_aside(path), &mut findings.damaged),
                Fault::Odd => (self.put_aside(path).map(drop), &mut findings.odd),
            };
            list.push(path.clone());
            if let Err(error) = mended {
                findings.failures.push(error.to_string());
            }
        }
    }

    /// Checks the records at these paths, and removes those that are torn or misplaced.
    fn verify_records(&self, bucket: Bucket, paths: &[PathBuf], findings: &mut Findings) {
        let mut faulty: Vec<(&PathBuf, Result<bool>)> = paths
            .par_iter()
            .filter_map(|path| match self.is_whole_record(bucket, path, path) {
                Ok(true) => None,
                other => Some((path, other)),
            })
            .collect();
        faulty.sort_by_key(|(path, _)| *path);
        for (path, fault) in faulty {
            let removed = match fault {
                Ok(_) => self.remove_torn(bucket, path),
                Err(error) => {
                    findings.failures.push(error.to_string());
                    continue;
                }
            };
            if let Err(error) = removed.map_err(in_store("removing", path)) {
                findings.failures.push(error.to_string());
            }
            findings.torn.push(path.clone());
        }
    }

    /// Returns whether the record at `found` is whole and belongs to the place of `path`. Anything
    /// else than a file is no record.
    fn is_whole_record(&self, bucket: Bucket, path: &Path, found: &Path) -> Result<bool> {
        let bytes = read_regular(found).map_err(in_store("reading", found))?;
        let place = path.strip_prefix(self.root()).ok().and_then(Path::to_str);
        let (Some(bytes), Some(place)) = (bytes, place) else {
            return Ok(false);
        };
        Ok(match bucket {
            Bucket::Manifests => manifest::decode(place, &bytes).is_some(),
            Bucket::Metadata => indexed::is_whole(place, &bytes),
            _ => sealed::is_whole(place, &bytes),
        })
    }

    /// Removes a torn record. If another process has written a sound one meanwhile, that one comes
    /// back.
    fn remove_torn(&self, bucket: Bucket, path: &Path) -> io::Result<()> {
        let aside = self.temporary();
        match fs::rename(path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // A directory without write permission can't be moved.
            Err(_) => return remove_all(path),
            Ok(()) => {}
        }
        if self.is_whole_record(bucket, path, &aside).unwrap_or(false) {
            // The link fails if a newer record is there by now.
            let _ = fs::hard_link(&aside, path);
        }
        remove_all(&aside)
    }

    /// Returns the paths of the records of a bucket. Odd entries go to quarantine.
    fn records(&self, bucket: Bucket, findings: &mut Findings) -> Vec<PathBuf> {
        let mut records = Vec::new();
        let mut directories = vec![self.bucket(bucket)];
        while let Some(directory) = directories.pop() {
            match fs::symlink_metadata(&directory) {
                Ok(facts) if facts.is_dir() => {}
                Ok(_) => {
                    self.put_odd_aside(directory, findings);
                    continue;
                }
                // The first record of a bucket creates its directory.
                Err(_) => continue,
            }
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                let (name, path) = (entry.file_name(), entry.path());
                let kind = entry.file_type().ok();
                // Such a file belongs to an atomic write, or was moved aside.
                if name.as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                let is_name = name.to_str().is_some();
                if is_name && kind.is_some_and(|kind| kind.is_dir()) && bucket.has_directories() {
                    directories.push(path);
                } else if is_name && kind.is_some_and(|kind| kind.is_file()) {
                    records.push(path);
                } else {
                    self.put_odd_aside(path, findings);
                }
            }
        }
        records
    }

    fn put_odd_aside(&self, path: PathBuf, findings: &mut Findings) {
        if let Err(error) = self.put_aside(&path) {
            findings.failures.push(error.to_string());
        }
        findings.odd.push(path);
    }

    /// Returns the fault of the blob at a path, if there is one.
    fn fault(&self, path: &Path) -> Option<Fault> {
        let Some(blob) = self.blob_at(path) else {
            // Another process may have removed the blob meanwhile.
            let is_gone = fs::symlink_metadata(path)
                .is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            return (!is_gone).then_some(Fault::Odd);
        };
        let mut state = self.settled_state(&blob);
        let mut blob = blob;
        // The size is that of a moment at which another process may have been writing the blob.
        if let BlobState::Unsealed(_) = state
            && let Some(settled) = self.blob_at(path)
        {
            state = self.state(&settled);
            blob = settled;
        }
        match state {
            // Another process has removed the blob meanwhile.
            BlobState::Missing => None,
            BlobState::Odd => Some(Fault::Odd),
            BlobState::Unsealed(_) if is_unfinished_file(path) => Some(Fault::Unfinished),
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

    /// Moves a blob with wrong content to quarantine. If another process has replaced it meanwhile,
    /// the sound one comes back.
    fn put_damaged_aside(&self, path: &Path) -> Result<()> {
        let blob = self.blob_at(path);
        let (Some(aside), Some(blob)) = (self.put_aside(path)?, blob) else {
            return Ok(());
        };
        let is_right = File::open(&aside)
            .and_then(|mut file| copy_hashed(&mut file, &mut io::sink(), blob.digest()));
        if is_right.unwrap_or(false) {
            // The link fails if yet another one is there by now.
            let _ = fs::hard_link(&aside, path);
            let _ = fs::remove_file(&aside);
        }
        Ok(())
    }

    /// Removes a blob that a killed process has left unfinished. If another process has replaced it
    /// meanwhile, the other one comes back.
    fn remove_unfinished(&self, path: &Path) -> Result<()> {
        let Some(aside) = self.put_aside(path)? else {
            return Ok(());
        };
        if !is_unfinished_file(&aside) {
            // The link fails if yet another one is there by now.
            let _ = fs::hard_link(&aside, path);
        }
        fs::remove_file(&aside).map_err(in_store("removing", &aside))
    }

    /// Moves an entry to quarantine. Returns its new path, or `None` if it is gone already.
    fn put_aside(&self, path: &Path) -> Result<Option<PathBuf>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = self.quarantine(&name);
        match fs::rename(path, &aside) {
            Ok(()) => Ok(Some(aside)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(in_store("moving to quarantine", path)(error)),
        }
    }

    /// Returns the paths of all blobs and contents.
    pub(super) fn blob_paths(&self, failures: &mut Vec<String>) -> Vec<PathBuf> {
        let mut paths = listed(&self.blobs.path, failures);
        paths.extend(listed(&self.contents.path, failures));
        paths
    }
}

/// Returns whether a file has no other name, and the mode that a blob has while it is written.
fn is_unfinished_file(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|facts| {
        facts.is_file() && facts.mode() & 0o7777 == UNFINISHED && facts.nlink() == 1
    })
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::link::Strategy;
    use crate::testing::Package;

    /// A killed process leaves blobs with the mode of those that are being written.
    #[test]
    fn unfinished_blobs_are_removed_without_a_word() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let a = Package::of("a/a", "1", &[b"one", b"two", b"three"]);
        a.store(&store);
        let mut paths = store.blob_paths(&mut Vec::new());
        paths.sort();
        let set = |path: &Path, mode| {
            let file = File::options().append(true).open(path).expect("a blob");
            file.set_permissions(fs::Permissions::from_mode(mode))
                .expect("a mode");
        };
        // The first one is empty, and the second one has its content.
        fs::write(&paths[0], "").expect("written");
        set(&paths[0], UNFINISHED);
        set(&paths[1], UNFINISHED);
        // A blob that a project has was finished once.
        let link = dir.path().join("link");
        fs::hard_link(&paths[2], &link).expect("linked");
        set(&paths[2], UNFINISHED);
        let findings = store.verify();
        assert_eq!(findings.unfinished, 2, "{findings:?}");
        assert_eq!(findings.unsealed, paths[2..], "{findings:?}");
        assert!(!paths[0].exists() && !paths[1].exists());
        assert!(store.verify().is_sound());
        assert_eq!(store.usage().quarantined, 0);
        // One that has been replaced meanwhile stays.
        store.remove_unfinished(&paths[2]).expect("looked");
        assert!(paths[2].exists());
    }

    /// A sound record or blob that an install has put into the place of a bad one stays.
    #[test]
    fn what_was_replaced_since_the_check_comes_back() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let a = Package::of("a/a", "1", &[b"one", b"two"]);
        a.store(&store);
        let path = store.manifest_path(&a.key);
        store.remove_torn(Bucket::Manifests, &path).expect("looked");
        assert!(store.read_manifest(&a.key).expect("read").is_some());
        fs::write(&path, "torn").expect("written");
        store.remove_torn(Bucket::Manifests, &path).expect("looked");
        assert!(!path.exists());
        for blob in store.blob_paths(&mut Vec::new()) {
            store.put_damaged_aside(&blob).expect("looked");
            assert!(blob.exists());
        }
        let gone = store.root().join("blobs-v2/ab").join("c".repeat(62));
        assert!(store.fault(&gone).is_none());
        assert!(store.remove_torn(Bucket::Manifests, &path).is_ok());
        assert_eq!(store.usage().quarantined, 0);
    }

    #[test]
    fn a_check_beside_installs_finds_nothing() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path().join("store");
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for thread in 0..2 {
                let (root, ended, dir) = (&root, &ended, dir.path());
                scope.spawn(move || {
                    for number in 0..10 {
                        let store = Store::open(root).expect("a store");
                        let name = format!("a/{number}");
                        let package = Package::of(&name, "1", &[name.as_bytes(), b"shared"]);
                        package.store(&store);
                        let project = dir.join(format!("project-{thread}-{number}"));
                        let linked = package.link(&store, &project, Strategy::Auto);
                        assert_eq!(linked.expect("linked").files, 2);
                    }
                    ended.store(true, Ordering::Relaxed);
                });
            }
            let store = Store::open(&root).expect("a store");
            while !ended.load(Ordering::Relaxed) {
                let findings = store.verify();
                assert!(findings.is_sound(), "{findings:?}");
            }
        });
    }
}
