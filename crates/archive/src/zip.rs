//! Reads zip archives (APPNOTE 6.3.10), stored and deflated.
//!
//! The central directory is authoritative. Every local header is compared with it, because unzip
//! takes sizes and checksum from the local header unless a data descriptor follows. If names
//! differ, unzip warns, and Composer then extracts again with PHP's ZipArchive.

mod attributes;
mod directory;
mod hand_over;
mod inflate;

#[cfg(all(test, unix))]
mod differential;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use self::directory::{Central, CentralReader};
pub(super) use self::hand_over::{check_totals, escape};
use self::inflate::Inflater;
use super::entry::{self, Entry, EntryKind, EntryList, MAX_TARGET, Mode, Time};
use super::error::ArchiveError;
use super::source::{Source, clamp};
use super::{FileSink, Limits, Result};

/// Largest factor by which deflate expands, plus room for its last block (RFC 1951: 258 bytes from
/// two bits).
const DEFLATE_MAX: u64 = 1032;
/// Average compressed size in bytes up to which the local headers are read through large windows.
const SMALL_ENTRY: u64 = 16 << 10;
/// Read-ahead in bytes for headers that lie far apart.
const HEADER_AHEAD: usize = 4 << 10;
/// Bytes that are read and passed on at a time when a file is streamed.
const CHUNK: usize = 256 << 10;

/// The location of one file's content.
#[derive(Debug)]
struct Record {
    /// Index of the entry.
    index: usize,
    deflated: bool,
    /// Position of the first byte of data in the archive.
    offset: u64,
    packed: u64,
    size: u64,
    crc: u32,
}

/// An opened zip archive.
#[derive(Debug)]
pub(super) struct ZipReader {
    source: Source,
    inflater: Inflater,
    records: Vec<Record>,
    stream_above: u64,
}

/// Reads the directory and all local headers, and returns the entries and a reader.
pub(super) fn open(path: &Path, limits: &Limits) -> Result<(Vec<Entry>, ZipReader)> {
    let mut reader = ZipReader {
        source: Source::open(path)?,
        inflater: Inflater::new(),
        records: Vec::new(),
        stream_above: limits.stream_above,
    };
    let mut directory = CentralReader::open(reader.source.again()?)?;
    limits.check_count(clamp(directory.count(), usize::MAX))?;
    let data_end = directory.start();
    let average = data_end / directory.count().max(1);
    let ahead = if average <= SMALL_ENTRY {
        CHUNK
    } else {
        HEADER_AHEAD
    };
    let archive_len = reader.source.len();

    let mut list = EntryList::new(limits);
    let mut spans = Vec::new();
    let mut total = 0_u64;
    while let Some(central) = directory.next_record()? {
        let named = |e: ArchiveError| e.at(central.name);
        check_support(&central).map_err(named)?;
        let local = reader.local_header(&central, ahead).map_err(named)?;
        if local.dos != central.dos {
            // unzip uses one date, and PHP's ZipArchive the other.
            let reason = "the local header gives another date";
            return Err(named(ArchiveError::declined(reason)));
        }
        attributes::check_name_coding(&central, local.has_extra, limits).map_err(named)?;
        spans.push(Span::of(&central, &local, data_end, spans.len()).map_err(named)?);
        check_sizes(&central).map_err(named)?;
        total = total.saturating_add(central.size);
        limits.check_total(total, archive_len).map_err(named)?;
        reader.add(&mut list, &central, local).map_err(named)?;
    }
    let entries = list.finish();
    check_overlaps(spans, data_end, &reader.source)?;
    Ok((entries, reader))
}

/// The facts that a local header adds to the central directory.
struct Local {
    /// Position of the first byte of data.
    data: u64,
    has_extra: bool,
    /// Least length of the data descriptor behind the data, or 0 without one.
    descriptor: u64,
    /// Date and time in MS-DOS format.
    dos: u32,
    /// Modification time, or the reason why it is uncertain.
    time: Result<Time>,
}

impl ZipReader {
    /// Compares a local header (APPNOTE 4.3.7) with its central record.
    fn local_header(&mut self, central: &Central<'_>, ahead: usize) -> Result<Local> {
        let truncated = |e: io::Error| match e.kind() {
            io::ErrorKind::UnexpectedEof => {
                ArchiveError::corrupt("the local header lies outside the archive")
            }
            _ => ArchiveError::Io(e),
        };
        let fixed = self
            .source
            .slice_ahead(central.offset, 30, ahead)
            .map_err(truncated)?;
        if fixed[..4] != *b"PK\x03\x04" {
            return Err(ArchiveError::corrupt(
                "the local header is not where it should be",
            ));
        }
        let flags = directory::u16_at(fixed, 6);
        let method = directory::u16_at(fixed, 8);
        let dos = directory::u32_at(fixed, 10);
        let crc = directory::u32_at(fixed, 14);
        let mut packed = u64::from(directory::u32_at(fixed, 18));
        let mut size = u64::from(directory::u32_at(fixed, 22));
        let name_len = usize::from(directory::u16_at(fixed, 26));
        let extra_len = usize::from(directory::u16_at(fixed, 28));

        let tail = self
            .source
            .slice_ahead(central.offset + 30, name_len + extra_len, ahead)
            .map_err(truncated)?;
        let (name, extra) = tail.split_at(name_len);
        if name != central.name {
            return Err(ArchiveError::declined(
                "the local header gives another name",
            ));
        }
        if method != central.method || (flags ^ central.flags) & directory::FLAGS_THAT_COUNT != 0 {
            return Err(ArchiveError::declined(
                "the local header gives another method or flags",
            ));
        }
        let described = flags & directory::FLAG_DESCRIPTOR != 0;
        if !described {
            if size == directory::IN_ZIP64 || packed == directory::IN_ZIP64 {
                directory::apply_zip64(extra, &mut [&mut size, &mut packed])?;
            }
            if (crc, packed, size) != (central.crc, central.packed, central.size) {
                return Err(ArchiveError::declined(
                    "the local header gives another size or checksum",
                ));
            }
        }
        Ok(Local {
            data: central.offset + 30 + (name_len + extra_len) as u64,
            has_extra: extra_len > 0,
            descriptor: if described { 12 } else { 0 },
            dos,
            time: attributes::time(dos, extra),
        })
    }

    /// Adds the entry of a central record to the list, and a record if it is a file.
    fn add(&mut self, list: &mut EntryList, central: &Central<'_>, local: Local) -> Result<()> {
        let is_dir = central.name.last() == Some(&b'/');
        let path = entry::safe_path(central.name, is_dir)?;
        if !is_dir && attributes::has_version_suffix(&path) {
            return Err(ArchiveError::declined(
                "unzip cuts a VMS version (';1') from the name",
            ));
        }
        let (is_link, mode) = attributes::map(central, is_dir)?;
        let time = local.time?;
        let record = Record {
            index: 0,
            deflated: central.method == directory::METHOD_DEFLATED,
            offset: local.data,
            packed: central.packed,
            size: central.size,
            crc: central.crc,
        };
        if is_dir {
            if central.size != 0 {
                return Err(ArchiveError::declined("the directory has content"));
            }
            if !path.is_empty() {
                list.add(Entry {
                    path,
                    kind: EntryKind::Dir,
                    size: 0,
                    mode: mode.into(),
                    time,
                })?;
            }
        } else if is_link {
            // A short text must not hide in a long stream of empty blocks either.
            if central.size.max(central.packed / 2) > MAX_TARGET as u64 {
                return Err(ArchiveError::declined("the link's target is too long"));
            }
            let target = self.inflater.whole(&mut self.source, &record)?.to_vec();
            entry::check_target(&target)?;
            list.add(Entry {
                path,
                kind: EntryKind::Symlink { target },
                size: 0,
                mode: Mode::Default,
                // unzip sets no times on links.
                time: Time::Now,
            })?;
        } else {
            let entry = Entry {
                path,
                kind: EntryKind::File,
                size: central.size,
                mode: mode.into(),
                time,
            };
            if let Some(index) = list.add(entry)? {
                self.records.push(Record { index, ..record });
            }
        }
        Ok(())
    }

    /// Passes the files to the sink.
    pub(super) fn extract(&mut self, entries: &[Entry], sink: &mut dyn FileSink) -> Result<()> {
        for record in &self.records {
            let entry = &entries[record.index];
            if !sink.begin(record.index, entry)? {
                continue;
            }
            let most = self.stream_above;
            // A stream of empty blocks may be far longer than its uncompressed content.
            if record.size > most || record.packed > most.saturating_mul(2) {
                self.inflater
                    .stream(&mut self.source, record, sink)
                    .map_err(|e| e.at(&entry.path))?;
            } else {
                let bytes = self
                    .inflater
                    .whole(&mut self.source, record)
                    .map_err(|e| e.at(&entry.path))?;
                if !bytes.is_empty() {
                    sink.data(bytes)?;
                }
            }
            sink.end()?;
        }
        Ok(())
    }
}

/// Refuses features that are not implemented.
fn check_support(central: &Central<'_>) -> Result<()> {
    if central.flags & directory::FLAGS_ENCRYPTED != 0 {
        return Err(ArchiveError::declined("the entry is encrypted"));
    }
    if central.flags & directory::FLAG_PATCH != 0 {
        return Err(ArchiveError::declined("the entry is patch data"));
    }
    if !matches!(
        central.method,
        directory::METHOD_STORED | directory::METHOD_DEFLATED
    ) {
        let reason = format!("compression method {} is not supported", central.method);
        return Err(ArchiveError::declined(reason));
    }
    // unzip skips entries that need more than PKZIP 4.6, and prompts for VMS ones [measured].
    if central.needs & 0xff > 46 || central.needs >> 8 == 2 {
        return Err(ArchiveError::declined(
            "the entry needs a newer or other unzip",
        ));
    }
    if central.disk != 0 {
        return Err(ArchiveError::declined("the entry lies on another disk"));
    }
    Ok(())
}

/// Refuses impossible sizes, so that no memory is allocated for them.
fn check_sizes(central: &Central<'_>) -> Result<()> {
    let possible = if central.method == directory::METHOD_STORED {
        central.size == central.packed
    } else {
        central.size / DEFLATE_MAX <= central.packed
    };
    if possible {
        Ok(())
    } else {
        Err(ArchiveError::corrupt(format!(
            "{} bytes cannot unpack to {}",
            central.packed, central.size
        )))
    }
}

/// The byte range of one entry, from its local header to the end of its data.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    start: u64,
    end: u64,
    /// End of the shortest data descriptor that may follow, or `end` without one.
    descriptor_end: u64,
    /// Position in the central directory.
    number: usize,
}

impl Span {
    fn of(central: &Central<'_>, local: &Local, data_end: u64, number: usize) -> Result<Self> {
        let end = local.data + central.packed;
        if local.data > data_end || end > data_end {
            return Err(ArchiveError::corrupt(
                "the data runs into the central directory",
            ));
        }
        Ok(Self {
            start: central.offset,
            end,
            descriptor_end: end + local.descriptor,
            number,
        })
    }
}

/// Refuses entries that share bytes, as zip bombs without nesting do. unzip refuses them as well.
/// It also counts the data descriptor, which some writers announce and omit.
fn check_overlaps(mut spans: Vec<Span>, data_end: u64, source: &Source) -> Result<()> {
    if !spans.is_sorted() {
        spans.sort_unstable();
    }
    for (at, span) in spans.iter().enumerate() {
        let next = spans.get(at + 1);
        let limit = next.map_or(data_end, |next| next.start);
        let (error, number) = if span.end > limit {
            let reason = "the entry's bytes overlap those of another entry";
            (
                ArchiveError::declined(reason),
                next.map_or(span.number, |next| next.number),
            )
        } else if span.descriptor_end > limit {
            (
                ArchiveError::declined("the entry's data descriptor is missing"),
                span.number,
            )
        } else {
            continue;
        };
        // Names are not kept in memory, so this rare case reads the directory again.
        let mut directory = CentralReader::open(source.again()?)?;
        for _ in 0..number {
            directory.next_record()?;
        }
        return Err(match directory.next_record()? {
            Some(central) => error.at(central.name),
            None => error,
        });
    }
    Ok(())
}

/// Returns the size of the next piece when `left` bytes remain.
fn piece(left: u64) -> usize {
    clamp(left, CHUNK)
}
