//! Stores finished archives in memory, or in a directory between runs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::Mutex;
use sha1::{Digest, Sha1};

use crate::archive::{Content, Format};
use crate::error::{Error, Result};
use crate::render;
use crate::spec::{PackageSpec, Role};
use allegro_base::hex::hex;

/// The size from which archives stay on disk if there is a cache directory.
const LARGE: usize = 16 << 20;

/// A finished archive.
#[derive(Debug)]
pub struct Archive {
    place: Place,
    length: u64,
    /// Unpacked size of the archive's files in bytes.
    pub unpacked: u64,
    sha1: OnceLock<String>,
}

#[derive(Debug)]
enum Place {
    Memory(Bytes),
    Disk(PathBuf),
}

impl Archive {
    /// Returns the size of the archive.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Returns whether the archive has no bytes, which is never so.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Returns the bytes of the archive. A large one is read from a file.
    pub fn bytes(&self) -> Result<Bytes> {
        match &self.place {
            Place::Memory(bytes) => Ok(bytes.clone()),
            Place::Disk(path) => std::fs::read(path)
                .map(Bytes::from)
                .map_err(Error::io(path)),
        }
    }

    /// Returns whether [`Archive::bytes`] has to read a file.
    pub fn is_on_disk(&self) -> bool {
        matches!(self.place, Place::Disk(_))
    }

    /// Returns the SHA-1 of the archive, for `dist.shasum`.
    pub fn shasum(&self) -> Result<String> {
        if let Some(known) = self.sha1.get() {
            return Ok(known.clone());
        }
        let digest = sha1_hex(&self.bytes()?);
        Ok(self.sha1.get_or_init(|| digest).clone())
    }
}

pub(super) fn sha1_hex(bytes: &[u8]) -> String {
    hex(&Sha1::digest(bytes))
}

/// An archive, and the lock that its maker holds.
type Cell = (Arc<OnceLock<Arc<Archive>>>, Arc<Mutex<()>>);
/// Name, version, reference and format.
type Key = (String, String, String, Format);

#[derive(Debug, Default)]
pub(super) struct Store {
    dir: Option<PathBuf>,
    made: Mutex<HashMap<Key, Cell>>,
}

impl Store {
    pub(super) fn in_dir(dir: PathBuf) -> Self {
        Self {
            dir: Some(dir),
            made: Mutex::default(),
        }
    }

    /// Returns the archive if it was made before.
    pub(super) fn made(&self, spec: &PackageSpec, format: Format) -> Option<Arc<Archive>> {
        let key = (
            spec.name.clone(),
            spec.version.clone(),
            spec.reference.clone(),
            format,
        );
        self.made.lock().get(&key)?.0.get().cloned()
    }

    /// Returns an archive, and makes it if needed. If two callers want the same archive at once,
    /// the second one waits for the first one's.
    pub(super) fn archive(&self, spec: &PackageSpec, format: Format) -> Result<Arc<Archive>> {
        let key = (
            spec.name.clone(),
            spec.version.clone(),
            spec.reference.clone(),
            format,
        );
        let (cell, making) = self.made.lock().entry(key).or_default().clone();
        if let Some(archive) = cell.get() {
            return Ok(Arc::clone(archive));
        }
        let _making = making.lock();
        if let Some(archive) = cell.get() {
            return Ok(Arc::clone(archive));
        }
        let archive = Arc::new(self.make(spec, format)?);
        Ok(Arc::clone(cell.get_or_init(|| archive)))
    }

    fn make(&self, spec: &PackageSpec, format: Format) -> Result<Archive> {
        let Some(dir) = &self.dir else {
            let bytes = render::archive(spec, format)?;
            return Ok(in_memory(bytes, unpacked(spec)?));
        };
        let path = dir.join(format!(
            "{}.{format}",
            sha1_hex(spec.fingerprint().as_bytes())
        ));
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let bytes = render::archive(spec, format)?;
                std::fs::create_dir_all(dir).map_err(Error::io(dir))?;
                // The file is written beside its place and renamed, because two runs may fill one
                // directory.
                let beside = tempfile::NamedTempFile::new_in(dir).map_err(Error::io(dir))?;
                std::fs::write(beside.path(), &bytes).map_err(Error::io(beside.path()))?;
                beside
                    .persist(&path)
                    .map_err(|error| Error::io(&path)(error.error))?;
                bytes
            }
            Err(error) => return Err(Error::io(&path)(error)),
        };
        let mut archive = in_memory(bytes, unpacked(spec)?);
        if archive.length >= LARGE as u64 {
            archive.place = Place::Disk(path);
        }
        Ok(archive)
    }
}

fn in_memory(bytes: Vec<u8>, unpacked: u64) -> Archive {
    Archive {
        length: bytes.len() as u64,
        place: Place::Memory(bytes.into()),
        unpacked,
        sha1: OnceLock::new(),
    }
}

/// Returns the unpacked size of a package. Most roles have exactly the wanted size, and the other
/// files are rendered.
fn unpacked(spec: &PackageSpec) -> Result<u64> {
    let mut total = 0;
    for file in &spec.files {
        total += match &file.role {
            Role::Shared | Role::Other | Role::Bytes(_) | Role::Disk(..) => file.size as u64,
            Role::Symlink(_) | Role::Dir => 0,
            Role::Manifest | Role::Bin | Role::Php(_) | Role::Functions(_) => {
                match render::content(spec, file)? {
                    Content::File(bytes, _) => bytes.len() as u64,
                    Content::Dir | Content::Symlink(_) => 0,
                }
            }
        };
    }
    Ok(total)
}
