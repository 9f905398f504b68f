//! Ingests an archive: stores its files as blobs, and describes them in a manifest.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};

use super::{Digest, FileSpec, Item, ItemKind, Manifest, Store};
use allegro_archive::{
    Archive, ArchiveError, ArchiveKind, Entry, EntryKind, FileSink, FileTime, Limits, Time,
    Unpacking,
};
use allegro_base::error::{Error, ErrorKind, Result, in_store};
use allegro_base::progress;
use allegro_composer::Dist;

/// Size in bytes above which a file is hashed into a temporary file instead of being held in
/// memory.
const HELD_IN_MEMORY: u64 = 16 << 20;

/// The result of ingesting an archive.
#[derive(Debug)]
pub struct Ingested {
    /// Manifest of the package. Its blobs are in the store, but the manifest itself isn't written
    /// yet.
    pub manifest: Manifest,
}

/// Reads a dist archive and puts its files into the store, as Composer would unpack them.
///
/// # Errors
/// - [`Error::Declined`] where Composer's own extraction might give something else.
/// - [`Error::Unreadable`] for an archive that can't be opened at all.
/// - [`Error::Damaged`] for content that doesn't match its checksum.
/// - [`Error::Integrity`] for an archive made to do harm.
/// - [`Error::Store`] if the store can't be written.
/// - [`Error::Interrupted`] when `cancel` is set.
pub fn ingest(
    store: &Store,
    archive_path: &Path,
    dist: Dist<'_>,
    (name, version): (&str, &str),
    unpacking: Unpacking<'_>,
    cancel: &AtomicBool,
) -> Result<Ingested> {
    let kind = match dist.kind {
        "zip" => ArchiveKind::Zip,
        "tar" => ArchiveKind::Tar,
        other => {
            return Err(Error::Declined {
                reason: format!("dists of type {other} stay with Composer"),
            });
        }
    };
    let explain = |error| explain(error, name, version);
    let limits = Limits {
        by_unzip: !unpacking.by_zip_archive || unpacking.after_unzip,
        utf8_locale: unpacking.utf8_locale,
        ..Limits::default()
    };
    let mut archive = Archive::open(archive_path, kind, &limits).map_err(&explain)?;
    let times = file_times(archive.entries(), unpacking)
        .map_err(|error| explain(limits.judge(archive_path, kind, error)))?;
    let archive_bytes = std::fs::metadata(archive_path).map_or(0, |metadata| metadata.len());

    let mut sink = Sink {
        store,
        unpacking,
        times,
        cancel,
        current: None,
        held: Vec::new(),
        digests: vec![None; archive.entries().len()],
        failure: None,
    };
    if let Err(error) = archive.extract(&mut sink) {
        return Err(match (sink.failure.take(), error) {
            (Some(failure), _) if failure.kind() == ErrorKind::Declined => {
                // Composer gets the archive now, and nobody has checked all of it.
                let declined = ArchiveError::Declined {
                    entry: None,
                    reason: "".into(),
                };
                match limits.judge(archive_path, kind, declined) {
                    harm @ ArchiveError::Hostile { .. } => explain(harm),
                    _ => failure,
                }
            }
            (Some(failure), _) => failure,
            // Composer would not notice: where unzip fails, PHP's ZipArchive leaves an empty file
            // and succeeds.
            (None, ArchiveError::Corrupt { entry, reason }) => {
                damaged(name, version, entry.as_deref(), &reason)
            }
            (None, error) => explain(error),
        });
    }

    let top = archive.top_folder().map(|top| format!("{top}/"));
    let mut items = Vec::with_capacity(archive.entries().len());
    let mut times = TimeTable::default();
    for (entry, digest) in archive.entries().iter().zip(&sink.digests) {
        let path = match &top {
            None => entry.path.as_str(),
            // Only a .DS_Store can lie beside a single top folder, and Composer drops it.
            Some(top) => match entry.path.strip_prefix(top.as_str()) {
                Some(path) => path,
                None => continue,
            },
        };
        let kind = match &entry.kind {
            EntryKind::Dir => ItemKind::Dir,
            EntryKind::Symlink { target } => ItemKind::Symlink {
                target: target.clone(),
            },
            EntryKind::File => ItemKind::File {
                digest: digest.ok_or_else(|| {
                    Error::Internal(format!("{name}: {} was not extracted", entry.path))
                })?,
                size: entry.size,
            },
        };
        items.push(Item {
            path: path.to_owned(),
            mode: entry.mode,
            time: times.index(entry.time),
            kind,
        });
    }
    Ok(Ingested {
        manifest: Manifest {
            name: name.to_owned(),
            version: version.to_owned(),
            url: dist.public_url(),
            reference: dist.reference.map(str::to_owned),
            archive_bytes,
            root_mode: archive.root_mode(),
            root_time: archive.root_time(),
            times: times.times,
            items,
        },
    })
}

/// Returns the modification time of each entry that is a file.
fn file_times(entries: &[Entry], unpacking: Unpacking<'_>) -> Result<Vec<FileTime>, ArchiveError> {
    // Mostly all entries of an archive have the same time.
    let mut last = None;
    entries
        .iter()
        .map(|entry| match entry.kind {
            EntryKind::File => match last {
                Some((time, file_time)) if time == entry.time => Ok(file_time),
                _ => {
                    let file_time = unpacking.file_time(entry.time)?;
                    last = Some((entry.time, file_time));
                    Ok(file_time)
                }
            },
            EntryKind::Dir | EntryKind::Symlink { .. } => Ok(FileTime::Now),
        })
        .collect()
}

/// The distinct times that occur in an archive.
#[derive(Default)]
struct TimeTable {
    times: Vec<Time>,
    known: HashMap<Time, u32>,
}

impl TimeTable {
    fn index(&mut self, time: Time) -> u32 {
        *self.known.entry(time).or_insert_with(|| {
            self.times.push(time);
            // An archive has fewer entries than 32 bits can count.
            u32::try_from(self.times.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

/// Turns an archive's error into one that names the package.
fn explain(error: ArchiveError, name: &str, version: &str) -> Error {
    match error {
        ArchiveError::Hostile {
            entry,
            reason,
            is_damaged: false,
        } => refused(name, version, entry.as_deref(), &reason),
        ArchiveError::Hostile { entry, reason, .. } => {
            damaged(name, version, entry.as_deref(), &reason)
        }
        // Composer's own code retries, reports the fault in its own words and drops its cache
        // entry.
        ArchiveError::Corrupt { entry, reason } => Error::Unreadable {
            reason: format!(
                "its archive is damaged: {}{reason}",
                entry_of(entry.as_deref())
            ),
        },
        ArchiveError::Declined { entry, reason } => Error::Declined {
            reason: format!("{}{reason}", entry_of(entry.as_deref())),
        },
        ArchiveError::Io(error) => Error::Declined {
            reason: format!("its archive can't be read: {error}"),
        },
    }
}

fn damaged(name: &str, version: &str, entry: Option<&str>, reason: &str) -> Error {
    Error::Damaged(format!(
        "the archive of {name} ({version}) is damaged: {}{reason}",
        entry_of(entry)
    ))
}

/// Returns the error for an archive that must not be unpacked.
pub fn refused(name: &str, version: &str, entry: Option<&str>, reason: &str) -> Error {
    Error::Integrity(format!(
        "the archive of {name} ({version}) was refused: {}{reason}; tell its author, or install the package from source (--prefer-source)",
        entry_of(entry)
    ))
}

fn entry_of(entry: Option<&str>) -> String {
    entry.map_or_else(String::new, |name| {
        format!("entry \"{}\": ", name.escape_debug())
    })
}

struct Sink<'a> {
    store: &'a Store,
    unpacking: Unpacking<'a>,
    /// Modification time of each entry.
    times: Vec<FileTime>,
    cancel: &'a AtomicBool,
    current: Option<Current>,
    held: Vec<u8>,
    digests: Vec<Option<Digest>>,
    failure: Option<Error>,
}

/// The file that the archive reader is delivering.
struct Current {
    index: usize,
    size: u64,
    mode: u32,
    /// Temporary file of a large content, kept until the digest is known.
    spill: Option<(PathBuf, File, Sha256)>,
    /// Whether the whole content came in one piece and is in the store.
    done: bool,
}

impl Sink<'_> {
    fn fail(&mut self, error: Error) -> io::Error {
        self.failure = Some(error);
        io::Error::other("the store failed")
    }

    fn spec(&self, digest: Digest, size: u64, index: usize, mode: u32) -> FileSpec {
        FileSpec {
            digest,
            size,
            mode,
            time: self.times[index],
        }
    }

    fn add(&mut self, index: usize, mode: u32, content: &[u8]) -> io::Result<()> {
        let digest = Digest::of(content);
        let file = self.spec(digest, content.len() as u64, index, mode);
        match self.store.ensure(&file, content) {
            Ok(()) => {
                self.digests[index] = Some(digest);
                Ok(())
            }
            Err(error) => Err(self.fail(error)),
        }
    }
}

impl FileSink for Sink<'_> {
    fn begin(&mut self, index: usize, entry: &Entry) -> io::Result<bool> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(self.fail(Error::Interrupted));
        }
        progress::step();
        let spill = if entry.size > HELD_IN_MEMORY {
            let path = self.store.temporary();
            match File::create_new(&path) {
                Ok(file) => Some((path, file, Sha256::new())),
                Err(error) => return Err(self.fail(in_store("writing", &path)(error))),
            }
        } else {
            None
        };
        self.held.clear();
        self.current = Some(Current {
            index,
            size: entry.size,
            mode: self.unpacking.file_mode(entry.mode),
            spill,
            done: false,
        });
        Ok(true)
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(current) = &mut self.current else {
            return Err(io::Error::other("data before a file began"));
        };
        if let Some((path, file, hasher)) = &mut current.spill {
            if self.cancel.load(Ordering::Relaxed) {
                return Err(self.fail(Error::Interrupted));
            }
            progress::step();
            hasher.update(bytes);
            if let Err(error) = file.write_all(bytes) {
                let error = in_store("writing", path)(error);
                return Err(self.fail(error));
            }
            return Ok(());
        }
        if self.held.is_empty() && bytes.len() as u64 == current.size {
            current.done = true;
            let (index, mode) = (current.index, current.mode);
            return self.add(index, mode, bytes);
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(current) = self.current.take() else {
            return Err(io::Error::other("end before a file began"));
        };
        if current.done {
            return Ok(());
        }
        let Some((path, file, hasher)) = current.spill else {
            let held = std::mem::take(&mut self.held);
            let result = self.add(current.index, current.mode, &held);
            self.held = held;
            return result;
        };
        drop(file);
        let digest = Digest(hasher.finalize().into());
        let file = self.spec(digest, current.size, current.index, current.mode);
        let result = self.store.ensure_from(&file, &path);
        let _ = std::fs::remove_file(&path);
        match result {
            Ok(()) => {
                self.digests[current.index] = Some(digest);
                Ok(())
            }
            Err(error) => Err(self.fail(error)),
        }
    }
}

impl Drop for Sink<'_> {
    fn drop(&mut self) {
        if let Some(Current {
            spill: Some((path, ..)),
            ..
        }) = &self.current
        {
            let _ = std::fs::remove_file(path);
        }
    }
}
