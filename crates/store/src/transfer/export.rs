//! Writes packages of a store to one file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread::available_parallelism;

use foldhash::fast::RandomState;
use sha2::{Digest as _, Sha256};

use super::format::{CONTENT, END, MAGIC, PACKAGE, place};
use crate::{Digest, ItemKind, Store, copy_hashed};
use allegro_base::error::{Error, Result};
use allegro_base::fs::open_regular;
use allegro_base::threads::with_pool;
use allegro_composer::ManifestKey;

/// The level of compression. Higher ones take several times as long for a tenth less.
const LEVEL: i32 = 3;

/// Length in bytes up to which a content is held in memory.
const HELD: u64 = if cfg!(test) { 1 << 16 } else { 16 << 20 };

/// The result of an export.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Exported {
    /// Number of packages.
    pub packages: u64,
    /// Number of contents. Files with the same content count once.
    pub contents: u64,
    /// Size of the contents in bytes.
    pub bytes: u64,
}

impl Store {
    /// Writes packages and their files to a stream, which [`Self::import`] reads.
    ///
    /// The function reads each file and checks it before the file goes out. A stream that was not
    /// written to its end can't be imported.
    ///
    /// # Errors
    /// - [`Error::Input`] if the store lacks a package, or the stream can't be written.
    /// - [`Error::Integrity`] if a file of the store is missing or damaged.
    /// - [`Error::Store`] if the store can't be read.
    pub fn export(&self, keys: &[ManifestKey], out: impl Write) -> Result<Exported> {
        let mut out = Output::new(out)?;
        let mut exported = Exported::default();
        let mut sizes: HashMap<Digest, u64, RandomState> = HashMap::default();
        // Contents go out in the order of the packages, because files of a package resemble each
        // other.
        let mut order = Vec::new();
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        for key in &keys {
            let place = place(key);
            let (Some(manifest), Some(record)) =
                (self.read_manifest(key)?, self.read_bytes(&place))
            else {
                return Err(Error::Input(format!(
                    "the store has no package with the key {}",
                    key.hex()
                )));
            };
            for item in manifest.items {
                if let ItemKind::File { digest, size } = item.kind
                    && sizes.insert(digest, size).is_none()
                {
                    order.push(digest);
                }
            }
            let length = u32::try_from(record.len())
                .map_err(|_| Error::Internal(format!("{place} is too long")))?;
            let bytes = crate::manifest::raw(key)?;
            out.summed(&[&[PACKAGE], &bytes, &length.to_le_bytes(), &record])?;
            exported.packages += 1;
        }
        let sources = self.sources(&sizes)?;
        for digest in order {
            let size = sizes.get(&digest).copied().unwrap_or_default();
            let sources = sources.get(&digest).map_or(&[][..], Vec::as_slice);
            self.export_content(&digest, size, sources, &mut out)?;
            exported.contents += 1;
            exported.bytes += size;
        }
        out.finish(&exported)?;
        Ok(exported)
    }

    /// Returns the paths of all blobs that have one of these contents.
    fn sources(
        &self,
        sizes: &HashMap<Digest, u64, RandomState>,
    ) -> Result<HashMap<Digest, Vec<PathBuf>, RandomState>> {
        let threads = available_parallelism().map_or(1, NonZeroUsize::get);
        let found = with_pool(threads, |pool| {
            self.each_blob(pool, |digest, facts, path| {
                let size = sizes.get(digest)?;
                (u64::try_from(facts.st_size) == Ok(*size)).then(|| (*digest, path()))
            })
        })?;
        let mut sources: HashMap<Digest, Vec<PathBuf>, RandomState> = HashMap::default();
        for (digest, path) in found {
            sources.entry(digest).or_default().push(path);
        }
        Ok(sources)
    }

    fn export_content<W: Write>(
        &self,
        digest: &Digest,
        size: u64,
        sources: &[PathBuf],
        out: &mut Output<W>,
    ) -> Result<()> {
        for path in sources {
            let Ok(Some(mut file)) = open_regular(path) else {
                continue;
            };
            let mut held = Vec::new();
            let is_right = if size > HELD {
                copy_hashed(&mut file, &mut io::sink(), digest)
            } else {
                copy_hashed(&mut (&mut file).take(size + 1), &mut held, digest)
            };
            if !is_right.unwrap_or(false) {
                continue;
            }
            out.summed(&[&[CONTENT], &digest.0, &size.to_le_bytes()])?;
            if size <= HELD {
                return out.write(&held);
            }
            // A file that changes after the check makes a stream that nobody imports.
            let mut file = File::open(path).map_err(|error| unwritable(&error))?;
            let copied = io::copy(&mut (&mut file).take(size), &mut out.encoder);
            copied.map_err(|error| unwritable(&error))?;
            return Ok(());
        }
        Err(Error::Integrity(format!(
            "the store at {} lacks a sound copy of the file {digest:?}: install the package again",
            self.root().display()
        )))
    }
}

/// The compressed stream, with the checksum of its parts.
struct Output<W: Write> {
    encoder: zstd::stream::write::Encoder<'static, W>,
    sum: Sha256,
}

impl<W: Write> Output<W> {
    fn new(mut out: W) -> Result<Self> {
        out.write_all(MAGIC).map_err(|error| unwritable(&error))?;
        let encoder =
            zstd::stream::write::Encoder::new(out, LEVEL).map_err(|error| unwritable(&error))?;
        Ok(Self {
            encoder,
            sum: Sha256::new(),
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.encoder
            .write_all(bytes)
            .map_err(|error| unwritable(&error))
    }

    fn summed(&mut self, parts: &[&[u8]]) -> Result<()> {
        for part in parts {
            self.sum.update(part);
            self.write(part)?;
        }
        Ok(())
    }

    fn finish(mut self, exported: &Exported) -> Result<()> {
        let counts = [exported.packages, exported.contents].map(u64::to_le_bytes);
        self.summed(&[&[END], &counts[0], &counts[1]])?;
        let sum: [u8; 32] = self.sum.clone().finalize().into();
        self.write(&sum)?;
        let mut out = self.encoder.finish().map_err(|error| unwritable(&error))?;
        out.flush().map_err(|error| unwritable(&error))
    }
}

fn unwritable(error: &io::Error) -> Error {
    Error::Input(format!("the export can't be written: {error}"))
}
