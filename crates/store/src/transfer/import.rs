//! Takes the packages of an export into the store.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::fast::RandomState;

use super::format::{Receiver, place, read};
use crate::manifest::Manifest;
use crate::{BlobState, Digest, FileSpec, ItemKind, Store};
use allegro_archive::{FileTime, Unpacking};
use allegro_base::error::{Error, Result, in_store};
use allegro_base::fs::remove_all;
use allegro_base::hex::hex;
use allegro_composer::ManifestKey;

/// The result of an import.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Imported {
    /// Number of packages that are new in the store.
    pub packages: u64,
    /// Number of packages that the store had already.
    pub known: u64,
    /// Number of contents that were written.
    pub contents: u64,
    /// Size of the written contents in bytes.
    pub bytes: u64,
}

impl Store {
    /// Takes the packages of an export into the store. `unpacking` determines modes and times of
    /// the files, as for an install.
    ///
    /// Everything is checked before anything is visible. Contents go into a directory below `tmp/`
    /// first, then into their places, and manifests come last. A process that is killed leaves at
    /// most files that no package has, which [`Self::prune`] removes.
    ///
    /// A manifest's key can't be checked against the package, because it is a digest over the
    /// address of the archive. Only exports of people whom the user trusts may be imported.
    ///
    /// # Errors
    /// - [`Error::Integrity`] if the export is torn, damaged, or made to do harm.
    /// - [`Error::Input`] if it can't be read, is no export, or if this user can't write the store.
    /// - [`Error::Store`] if the store can't be written, or if there is no room.
    /// - [`Error::Interrupted`] when `cancel` is set.
    pub fn import(
        &self,
        input: impl Read,
        unpacking: Unpacking<'_>,
        cancel: &AtomicBool,
    ) -> Result<Imported> {
        if !self.is_writable() {
            return Err(Error::Input(format!(
                "this user can't write the store at {}",
                self.root().display()
            )));
        }
        let directory = self.temporary();
        fs::create_dir(&directory).map_err(in_store("creating", &directory))?;
        let mut landing = Landing {
            store: self,
            unpacking,
            cancel,
            directory,
            packages: Vec::new(),
            wanted: BTreeMap::new(),
            landed: BTreeSet::new(),
            open: None,
            imported: Imported::default(),
        };
        read(input, &mut landing)?;
        landing.place_all()
    }
}

/// The files of an import before they go into their places. The directory goes with the value.
struct Landing<'s> {
    store: &'s Store,
    unpacking: Unpacking<'s>,
    cancel: &'s AtomicBool,
    directory: PathBuf,
    /// Packages that the store lacks, with their records.
    packages: Vec<(ManifestKey, Vec<u8>)>,
    /// Files that the store lacks, by content.
    wanted: BTreeMap<Digest, Vec<FileSpec>>,
    /// Contents that are in the directory.
    landed: BTreeSet<Digest>,
    /// Content that is arriving, if the store lacks it.
    open: Option<(Digest, File)>,
    imported: Imported,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let _ = remove_all(&self.directory);
    }
}

impl Receiver for Landing<'_> {
    fn package(&mut self, key: ManifestKey, record: Vec<u8>, manifest: Manifest) -> Result<()> {
        let known = self.store.read_manifest(&key)?;
        if known.as_ref().is_some_and(|known| *known != manifest) {
            // The store's own package stays, and nobody needs the files of the other one.
            self.imported.known += 1;
            return Ok(());
        }
        for item in &manifest.items {
            let ItemKind::File { digest, size } = item.kind else {
                continue;
            };
            let time = manifest.times.get(item.time as usize);
            let spec = FileSpec {
                digest,
                size,
                mode: self.unpacking.file_mode(item.mode),
                // An install declines a package with an uncertain time.
                time: time.map_or(FileTime::Now, |&time| {
                    self.unpacking.file_time(time).unwrap_or(FileTime::Now)
                }),
            };
            let is_there = matches!(
                self.store.state(&self.store.stored(&spec)),
                BlobState::Sealed(facts) if self.store.trusts(facts.user)
            );
            if !is_there {
                let wanted = self.wanted.entry(digest).or_default();
                if !wanted
                    .iter()
                    .any(|other| self.store.stored(other) == self.store.stored(&spec))
                {
                    wanted.push(spec);
                }
            }
        }
        if known.is_some() {
            self.imported.known += 1;
        } else {
            self.packages.push((key, record));
        }
        Ok(())
    }

    fn contents_follow(&mut self, sizes: &HashMap<Digest, u64, RandomState>) -> Result<()> {
        let needed = self
            .wanted
            .keys()
            .filter_map(|digest| sizes.get(digest))
            .fold(0_u64, |sum, size| sum.saturating_add(*size));
        let root = self.store.root();
        let facts =
            rustix::fs::statvfs(root).map_err(|error| in_store("reading", root)(error.into()))?;
        if facts.f_bavail.saturating_mul(facts.f_frsize) < needed {
            return Err(in_store("importing into", root)(
                io::ErrorKind::StorageFull.into(),
            ));
        }
        Ok(())
    }

    fn begin(&mut self, digest: &Digest, _size: u64) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        if self.wanted.contains_key(digest) {
            let path = self.path(digest);
            let mut options = OpenOptions::new();
            let options = options.write(true).create_new(true).mode(0o600);
            let file = options.open(&path).map_err(in_store("writing", &path))?;
            self.open = Some((*digest, file));
        }
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        if let Some((digest, file)) = &mut self.open
            && let Err(error) = file.write_all(bytes)
        {
            let path = self.directory.join(hex(&digest.0));
            return Err(in_store("writing", &path)(error));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        if let Some((digest, _)) = self.open.take() {
            self.landed.insert(digest);
        }
        Ok(())
    }
}

impl Landing<'_> {
    fn path(&self, digest: &Digest) -> PathBuf {
        self.directory.join(hex(&digest.0))
    }

    /// Moves everything into its place.
    fn place_all(mut self) -> Result<Imported> {
        for (digest, specs) in std::mem::take(&mut self.wanted) {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let path = self.path(&digest);
            // Each mode and time needs an inode of its own, where the store doesn't keep contents.
            let (last, others) = match specs.split_last() {
                Some(split) if self.landed.contains(&digest) => split,
                _ => continue,
            };
            for spec in others {
                self.store.ensure_from(spec, &path)?;
            }
            self.store.adopt(last, &path)?;
            self.imported.contents += 1;
            self.imported.bytes += last.size;
        }
        for (key, record) in std::mem::take(&mut self.packages) {
            self.store.write_bytes(&place(&key), &record)?;
            self.imported.packages += 1;
        }
        Ok(self.imported)
    }
}
