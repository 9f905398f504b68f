//! Reads tar archives: plain, gzip and bzip2.
//!
//! File modes apply exactly. As with PharData [measured], a directory is created for the first
//! entry below it. A file below gives it the umask's default, and a directory's entry below gives
//! it *that* entry's mode. PharData sets no times, so every entry gets the time of the
//! installation.
//!
//! Symbolic links, hard links and empty directories are kept. PharData turns them into empty files
//! or nothing.

mod header;
mod stream;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;

use self::header::{Header, padding};
use self::stream::Stream;
use super::entry::{self, Entry, EntryKind, EntryList, Mode, Time};
use super::error::ArchiveError;
use super::{FileSink, Limits, Result};

/// Most bytes of all files with hard links together. Such a file stays in memory until its last
/// link, because a compressed tar can't be read backwards.
const MAX_LINKED: u64 = 64 << 20;

/// A file or hard link to extract from the stream.
#[derive(Debug)]
struct Record {
    /// Index of the entry.
    index: usize,
    from: Content,
}

#[derive(Debug)]
enum Content {
    /// Position in the uncompressed stream.
    At(u64),
    /// Entry index of an earlier file, whose content this file shares.
    Of(usize),
}

/// An opened tar archive.
#[derive(Debug)]
pub(super) struct TarReader {
    file: File,
    limits: Limits,
    records: Vec<Record>,
}

/// Scans all headers and returns the entries and a reader.
pub(super) fn open(path: &Path, limits: &Limits) -> Result<(Vec<Entry>, TarReader)> {
    let file = File::open(path)?;
    let mut scan = Scan {
        stream: Stream::open(&file, limits)?,
        limits,
        list: EntryList::new(limits),
        records: Vec::new(),
        sources: HashMap::new(),
        linked: HashSet::new(),
        linked_bytes: 0,
        link_total: 0,
        members: 0,
        directories: Vec::new(),
    };
    while let Some(header) = header::next(&mut scan.stream)? {
        scan.member(&header).map_err(|e| e.at(&header.name))?;
    }
    for path in std::mem::take(&mut scan.directories) {
        let directory = Entry {
            path: path.clone(),
            kind: EntryKind::Dir,
            size: 0,
            mode: Mode::Default,
            time: Time::Now,
        };
        scan.list.add(directory).map_err(|e| e.at(&path))?;
    }
    let reader = TarReader {
        file,
        limits: limits.clone(),
        records: scan.records,
    };
    Ok((scan.list.finish(), reader))
}

/// Refuses an archive that unpacks to more than the limits.
pub(super) fn check_total(path: &Path, limits: &Limits) -> Result<()> {
    Stream::open(&File::open(path)?, limits)?.drain()
}

/// The state of the first pass.
struct Scan<'a> {
    stream: Stream,
    limits: &'a Limits,
    list: EntryList,
    records: Vec<Record>,
    /// Map from a hard link's entry to the entry that has the content.
    sources: HashMap<usize, usize>,
    /// Entries that hard links name. `linked_bytes` is their total size.
    linked: HashSet<usize>,
    linked_bytes: u64,
    /// Number of bytes that hard links add to the total.
    link_total: u64,
    members: usize,
    /// Directories with an entry of their own. Those that stay empty are created last.
    directories: Vec<String>,
}

impl Scan<'_> {
    fn member(&mut self, header: &Header) -> Result<()> {
        self.members += 1;
        self.limits.check_count(self.members)?;
        match header.flag {
            b'0' => self.file(header),
            0 if header.name.last() != Some(&b'/') => self.file(header),
            b'1' => self.hard_link(header),
            b'2' => {
                no_content(header)?;
                let path = entry::safe_path(&header.name, false)?;
                entry::check_target(&header.link)?;
                let kind = EntryKind::Symlink {
                    target: header.link.clone(),
                };
                self.list
                    .add(Entry {
                        path,
                        kind,
                        size: 0,
                        mode: Mode::Default,
                        time: Time::Now,
                    })
                    .map(drop)
            }
            b'5' => {
                no_content(header)?;
                let path = entry::safe_path(&header.name, true)?;
                if path.is_empty() {
                    return Ok(());
                }
                let mode = Mode::Masked(entry::usable_mode(header.mode, true)?);
                if header.long && header.name.last() == Some(&b'/') {
                    // PharData keeps the slash of a GNU long name, and so creates the directory
                    // itself.
                    self.list.imply_parents(&format!("{path}/"), mode)?;
                } else {
                    self.list.imply_parents(&path, mode)?;
                }
                self.directories.push(path);
                Ok(())
            }
            // PharData creates an empty file instead.
            b'3' | b'4' | b'6' => Err(ArchiveError::declined("a device or pipe")),
            b'S' => Err(ArchiveError::declined("the file is sparse")),
            flag => Err(ArchiveError::declined(format!(
                "type '{}'",
                flag.escape_ascii()
            ))),
        }
    }

    fn file(&mut self, header: &Header) -> Result<()> {
        let path = entry::safe_path(&header.name, false)?;
        let mode = Mode::Exact(entry::usable_mode(header.mode, false)?);
        let position = self.stream.position();
        let total = position
            .saturating_add(header.size)
            .saturating_add(self.link_total);
        if total > self.limits.max_total {
            return Err(ArchiveError::hostile(format!(
                "unpacks to more than {} bytes",
                self.limits.max_total
            )));
        }
        let entry = Entry {
            path,
            kind: EntryKind::File,
            size: header.size,
            mode,
            time: Time::Now,
        };
        if let Some(index) = self.list.add(entry)? {
            self.records.push(Record {
                index,
                from: Content::At(position),
            });
        }
        self.stream.skip(header.size)?;
        self.stream.skip(padding(header.size))
    }

    fn hard_link(&mut self, header: &Header) -> Result<()> {
        no_content(header)?;
        let path = entry::safe_path(&header.name, false)?;
        let target = entry::safe_path(&header.link, false)?;
        let Some((named, file)) = self.list.find(&target) else {
            return Err(ArchiveError::declined(
                "a hard link to something not in the archive",
            ));
        };
        if file.kind != EntryKind::File {
            return Err(ArchiveError::declined(
                "a hard link to something that is not a file",
            ));
        }
        // An inode has one mode, that of the file.
        let entry = Entry {
            path,
            ..file.clone()
        };
        let size = entry.size;
        let source = self.sources.get(&named).copied().unwrap_or(named);
        if self.linked.insert(source) {
            self.linked_bytes = self.linked_bytes.saturating_add(size);
            if self.linked_bytes > MAX_LINKED {
                return Err(ArchiveError::declined(
                    "files with hard links are too large",
                ));
            }
        }
        self.link_total = self.link_total.saturating_add(size);
        self.stream.check_total(self.link_total)?;
        if let Some(index) = self.list.add(entry)? {
            self.sources.insert(index, source);
            self.records.push(Record {
                index,
                from: Content::Of(source),
            });
        }
        Ok(())
    }
}

/// Refuses a size on links and directories. They carry no data, and writers disagree on the meaning
/// of a size there.
fn no_content(header: &Header) -> Result<()> {
    if header.size == 0 {
        Ok(())
    } else {
        Err(ArchiveError::declined("a link or directory with a size"))
    }
}

impl TarReader {
    /// Reads the stream again and passes the files to the sink.
    pub(super) fn extract(&mut self, entries: &[Entry], sink: &mut dyn FileSink) -> Result<()> {
        let mut stream = Stream::open(&self.file, &self.limits)?;
        let mut links_left: HashMap<usize, usize> = HashMap::new();
        for record in &self.records {
            if let Content::Of(source) = record.from {
                *links_left.entry(source).or_default() += 1;
            }
        }
        let mut kept: HashMap<usize, Vec<u8>> = HashMap::new();
        for record in &self.records {
            let entry = &entries[record.index];
            let wanted = sink.begin(record.index, entry)?;
            match record.from {
                Content::At(position) => {
                    let keep = links_left.contains_key(&record.index);
                    if !wanted && !keep {
                        continue;
                    }
                    read_file(&mut stream, position, entry, &self.limits, |piece| {
                        if keep {
                            kept.entry(record.index)
                                .or_default()
                                .extend_from_slice(piece);
                        }
                        if wanted {
                            sink.data(piece).map_err(ArchiveError::Io)
                        } else {
                            Ok(())
                        }
                    })
                    .map_err(|e| e.at(&entry.path))?;
                }
                Content::Of(source) => {
                    if let Some(bytes) = kept.get(&source).filter(|_| wanted) {
                        sink.data(bytes)?;
                    }
                    if let Some(left) = links_left.get_mut(&source) {
                        *left -= 1;
                        if *left == 0 {
                            kept.remove(&source);
                        }
                    }
                }
            }
            if wanted {
                sink.end()?;
            }
        }
        Ok(())
    }
}

/// Passes a file's content to `each`: in one piece up to [`Limits::stream_above`], in several
/// above.
fn read_file(
    stream: &mut Stream,
    position: u64,
    entry: &Entry,
    limits: &Limits,
    mut each: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    // The positions of the first pass ascend. A lower position means that the file has changed.
    let skip = position
        .checked_sub(stream.position())
        .ok_or_else(stream::truncated)?;
    stream.skip(skip)?;
    if entry.size == 0 {
        Ok(())
    } else if entry.size <= limits.stream_above {
        let bytes = stream.read_vec(entry.size)?;
        each(&bytes)
    } else {
        stream.read_pieces(entry.size, each)
    }
}
