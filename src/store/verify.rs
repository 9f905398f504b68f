//! Reading the whole store: what is in it, and whether it is sound.

use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{BlobName, BlobState, Digest, Manifest, Store};
use crate::error::{Result, in_store};

/// What the store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Packages.
    pub manifests: u64,
    /// Files, one per content and mode.
    pub blobs: u64,
    /// Bytes of all blobs.
    pub bytes: u64,
    /// Blobs that were changed in place, kept for a look.
    pub quarantined: u64,
}

/// What the full check found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Blobs read.
    pub blobs: u64,
    /// Manifests read.
    pub manifests: u64,
    /// Blobs whose content, size, time or mode isn't what their name says. They have been moved to
    /// quarantine; the next install restores them from the archive.
    pub damaged: Vec<PathBuf>,
    /// Manifests that can't be read. They have been removed.
    pub torn: Vec<PathBuf>,
}

impl Store {
    /// Counts.
    pub fn usage(&self) -> Result<Usage> {
        let mut usage = Usage::default();
        for path in Self::listed(self.blobs())? {
            if let Ok(metadata) = fs::symlink_metadata(&path) {
                usage.blobs += 1;
                usage.bytes += metadata.len();
            }
        }
        usage.manifests = Self::listed(self.manifests())?.len() as u64;
        let quarantine = self.root().join("quarantine");
        usage.quarantined = fs::read_dir(&quarantine)
            .map_err(in_store("reading", &quarantine))?
            .count() as u64;
        Ok(usage)
    }

    /// Reads every blob and every manifest; what is damaged is taken out of use.
    pub fn verify(&self) -> Result<Findings> {
        let blobs = Self::listed(self.blobs())?;
        let mut damaged: Vec<PathBuf> = blobs
            .par_iter()
            .filter(|path| !self.blob_is_whole(path))
            .cloned()
            .collect();
        damaged.sort();
        for path in &damaged {
            self.quarantine_blob(path)?;
        }
        let manifests = Self::listed(self.manifests())?;
        let mut torn = Vec::new();
        for path in &manifests {
            let whole = fs::read(path).is_ok_and(|bytes| Manifest::decode(&bytes).is_some());
            if !whole {
                fs::remove_file(path).map_err(in_store("removing", path))?;
                torn.push(path.clone());
            }
        }
        Ok(Findings {
            blobs: blobs.len() as u64,
            manifests: manifests.len() as u64,
            damaged,
            torn,
        })
    }

    fn blob_is_whole(&self, path: &std::path::Path) -> bool {
        let read = || -> Option<()> {
            let name = path.file_name()?.to_str()?;
            let shard = path.parent()?.file_name()?.to_str()?;
            let (_, mode) = name.split_once('-')?;
            let mode = u32::from_str_radix(mode, 8).ok()?;
            let (digest, size) = digest_of(path).ok()?;
            let right = BlobName::new(&digest, mode);
            (right.as_str() == format!("{shard}/{name}")
                && self.blob_state(&right, &digest, size, mode) == BlobState::Sound)
                .then_some(())
        };
        read().is_some()
    }

    /// Files two levels below a bucket, without the leftovers of atomic writes.
    fn listed(bucket: &std::path::Path) -> Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for shard in fs::read_dir(bucket).map_err(in_store("reading", bucket))? {
            let shard = shard.map_err(in_store("reading", bucket))?.path();
            for entry in fs::read_dir(&shard).map_err(in_store("reading", &shard))? {
                let entry = entry.map_err(in_store("reading", &shard))?;
                if !entry.file_name().as_encoded_bytes().starts_with(b".") {
                    paths.push(entry.path());
                }
            }
        }
        Ok(paths)
    }
}

/// Reads a file; its digest and size.
fn digest_of(path: &std::path::Path) -> io::Result<(Digest, u64)> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((Digest(hasher.finalize().into()), size)),
            count => {
                hasher.update(&buffer[..count]);
                size += count as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_full_check_finds_an_edit_that_kept_size_and_time() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(dir.path()).expect("a store");
        let digest = Digest(Sha256::digest(b"good").into());
        let path = store.ensure_blob(&digest, 0o644, b"good").expect("a blob");
        assert_eq!(
            store.verify().expect("verified").damaged,
            Vec::<PathBuf>::new()
        );

        let time = fs::metadata(&path)
            .and_then(|m| m.modified())
            .expect("time");
        fs::write(&path, b"evil").expect("edited");
        fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|f| f.set_modified(time))
            .expect("hidden");
        assert_eq!(
            store.blob_state(&BlobName::new(&digest, 0o644), &digest, 4, 0o644),
            BlobState::Sound
        );

        let findings = store.verify().expect("verified");
        assert_eq!(findings.damaged, vec![path.clone()]);
        assert!(!path.exists());
        assert_eq!(
            store.usage().expect("counted"),
            Usage {
                manifests: 0,
                blobs: 0,
                bytes: 0,
                quarantined: 1
            }
        );
    }
}
