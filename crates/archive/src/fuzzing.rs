//! Defines the fuzz targets of the archive readers.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::{Archive, ArchiveError, ArchiveKind, Entry, EntryKind, FileSink, Limits};

/// Reads the data as a zip archive.
pub fn zip(data: &[u8]) {
    archive(data, ArchiveKind::Zip);
}

/// Reads the data behind its first byte as a tar archive. If the first byte is odd, header
/// checksums are corrected first. Otherwise nothing would get past them.
pub fn tar(data: &[u8]) {
    let Some((first, data)) = data.split_first() else {
        return;
    };
    let mut data = data.to_vec();
    if first & 1 == 1 {
        for block in data.chunks_exact_mut(512) {
            if block[257..262] == *b"ustar" {
                block[148..156].fill(b' ');
                let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
                block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            }
        }
    }
    archive(&data, ArchiveKind::Tar);
}

/// Most bytes that an archive of a fuzz target may unpack to.
const MOST: u64 = 1 << 20;

fn archive(data: &[u8], kind: ArchiveKind) {
    // The reader takes a path, so the data needs a file.
    let mut file = File::from(memfd_create("archive", MemfdFlags::CLOEXEC).expect("memory"));
    file.write_all(data).expect("memory");
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let limits = Limits {
        max_entries: 1000,
        max_total: MOST,
        stream_above: 4000,
        utf8_locale: data.len().is_multiple_of(2),
        ..Limits::default()
    };
    let mut archive = match Archive::open(&path, kind, &limits) {
        Ok(archive) => archive,
        Err(ArchiveError::Io(error)) => panic!("an i/o error from memory: {error}"),
        Err(_) => return,
    };
    let mut known: HashMap<&str, &EntryKind> = HashMap::new();
    for entry in archive.entries() {
        let is_odd = |part: &str| matches!(part, "" | "." | "..") || part.contains(['\0', '\\']);
        assert!(!entry.path.split('/').any(is_odd), "{:?}", entry.path);
        assert!(entry.mode.under(0, 0o777) <= 0o777);
        if let Some((parent, _)) = entry.path.rsplit_once('/') {
            assert_eq!(known.get(parent), Some(&&EntryKind::Dir), "{parent:?}");
        }
        let before = known.insert(&entry.path, &entry.kind);
        assert!(before.is_none(), "{:?} is there twice", entry.path);
    }
    let mut sink = Counting::default();
    if archive.extract(&mut sink).is_ok() {
        let files = archive.entries().iter();
        let files = files.filter(|entry| entry.kind == EntryKind::File).count();
        assert_eq!(sink.ended, files);
    }
}

/// Counts the bytes and files that it receives.
#[derive(Default)]
struct Counting {
    left: u64,
    total: u64,
    ended: usize,
}

impl FileSink for Counting {
    fn begin(&mut self, _: usize, entry: &Entry) -> io::Result<bool> {
        self.left = entry.size;
        self.total += entry.size;
        assert!(self.total <= 2 * MOST, "more than the limit");
        Ok(true)
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        let more = self.left.checked_sub(bytes.len() as u64);
        self.left = more.expect("no more than the entry's size");
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        assert_eq!(self.left, 0, "less than the entry's size");
        self.ended += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use allegro_base::testing::{smoke, write_seeds};

    use crate::testing::{LINK, REGULAR, Zip, ZipItem, bzip2, file, gzip, member, pax, tar};

    #[test]
    fn a_zip_is_read_or_refused() {
        smoke("zip", super::zip);
    }

    #[test]
    fn a_tar_is_read_or_refused() {
        smoke("tar", super::tar);
    }

    #[test]
    #[ignore = "writes into the checkout"]
    fn made_seeds_are_written() {
        write_seeds("zip", zips());
        write_seeds("tar", tars());
    }

    fn zips() -> Vec<Vec<u8>> {
        let body = b"<?php echo 'hello'; ".repeat(20);
        let plain = vec![
            ZipItem::new("p/", ""),
            ZipItem::new("p/a.php", &body),
            ZipItem::new("p/b.php", &body).stored().attr(0, 0),
            ZipItem::new("p/c", "c")
                .attr(3, REGULAR)
                .with(|i| i.descriptor = true),
            ZipItem::new("p/d", "d").with(|i| i.zip64 = true),
            ZipItem::new("p/l", "a.php").attr(3, LINK),
        ];
        let odd = vec![
            ZipItem::link("p/l", "/outside"),
            ZipItem::new("/p/x", "x"),
            ZipItem::new("p/l;1", "y"),
        ];
        [plain, odd]
            .into_iter()
            .flat_map(|items| {
                let zip = Zip::of(items);
                let mut long = zip.clone();
                (long.zip64_end, long.comment) = (true, b"comment".to_vec());
                [zip.bytes(), long.bytes()]
            })
            .collect()
    }

    fn tars() -> Vec<Vec<u8>> {
        let bytes = tar(&[
            member(b"p/", b'5', 0o755, b"", b""),
            file("p/a", &[1; 700]),
            pax(&[("path", "p/pax"), ("linkpath", "x")]),
            file("p/b", b"x"),
            member(b"././@LongLink", b'L', 0, b"", b"p/a-long-name\0"),
            member(b"p/h", b'1', 0o644, b"p/a", b""),
            member(b"p/l", b'2', 0o777, b"a", b""),
        ]);
        [gzip(&bytes), bzip2(&bytes), bytes]
            .into_iter()
            .map(|bytes| [&b"\x01"[..], &bytes].concat())
            .collect()
    }
}
