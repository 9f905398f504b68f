//! Builds archives in code, which can give a false value in every field.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_possible_truncation
)]

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::{Archive, ArchiveError, ArchiveKind, Entry, EntryKind, FileSink, Limits};

pub const REGULAR: u32 = 0o100_644 << 16;
pub const EXECUTABLE: u32 = 0o100_755 << 16;
pub const DIRECTORY: u32 = 0o040_755 << 16;
pub const LINK: u32 = 0o120_777 << 16;

/// A zip entry. `None` stands for the correct value.
#[derive(Clone, Debug)]
pub struct ZipItem {
    pub name: Vec<u8>,
    pub content: Vec<u8>,
    pub host: u8,
    pub attributes: u32,
    pub flags: u16,
    pub method: u16,
    pub needs: u16,
    pub dos: u32,
    pub extra: Vec<u8>,
    pub local_extra: Vec<u8>,
    pub zip64: bool,
    pub descriptor: bool,
    pub crc: Option<u32>,
    pub size: Option<u32>,
    pub packed: Option<u32>,
    pub local_name: Option<Vec<u8>>,
    pub local_crc: Option<u32>,
    pub local_size: Option<u32>,
    pub local_method: Option<u16>,
    pub offset: Option<u32>,
    pub raw: Option<Vec<u8>>,
}

impl ZipItem {
    pub fn new(name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let name = name.as_ref().to_vec();
        let attributes = if name.ends_with(b"/") {
            DIRECTORY
        } else {
            REGULAR
        };
        Self {
            name,
            content: content.as_ref().to_vec(),
            host: 3,
            attributes,
            flags: 0,
            method: 8,
            needs: 20,
            dos: 0x5821_0000,
            extra: Vec::new(),
            local_extra: Vec::new(),
            zip64: false,
            descriptor: false,
            crc: None,
            size: None,
            packed: None,
            local_name: None,
            local_crc: None,
            local_size: None,
            local_method: None,
            offset: None,
            raw: None,
        }
    }

    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    #[must_use]
    pub fn attr(self, host: u8, attributes: u32) -> Self {
        self.with(|i| {
            i.host = host;
            i.attributes = attributes;
        })
    }

    #[must_use]
    pub fn stored(self) -> Self {
        self.with(|i| i.method = 0)
    }

    pub fn link(name: &str, target: &str) -> Self {
        Self::new(name, target).stored().attr(3, LINK)
    }
}

/// A whole zip. The parts around its entries can be false too.
#[derive(Clone, Debug, Default)]
pub struct Zip {
    pub items: Vec<ZipItem>,
    pub prefix: Vec<u8>,
    pub comment: Vec<u8>,
    pub suffix: Vec<u8>,
    /// Whether offsets include the prefix.
    pub adjusted: bool,
    pub zip64_end: bool,
    pub count: Option<u16>,
    pub disk: u16,
}

impl Zip {
    pub fn of(items: impl IntoIterator<Item = ZipItem>) -> Self {
        Self {
            items: items.into_iter().collect(),
            ..Self::default()
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = self.prefix.clone();
        let base = if self.adjusted { 0 } else { out.len() };
        let mut directory = Vec::new();
        for item in &self.items {
            write_item(item, base, &mut out, &mut directory);
        }
        let start = (out.len() - base) as u64;
        let len = directory.len() as u64;
        let count = self.items.len() as u64;
        out.extend(directory);
        if self.zip64_end {
            let at = (out.len() - base) as u64;
            out.extend(b"PK\x06\x06");
            out.extend(44_u64.to_le_bytes());
            out.extend([45, 3, 45, 0]);
            out.extend([0; 8]);
            for value in [count, count, len, start] {
                out.extend(value.to_le_bytes());
            }
            out.extend(b"PK\x06\x07");
            out.extend([0; 4]);
            out.extend(at.to_le_bytes());
            out.extend(1_u32.to_le_bytes());
        }
        out.extend(b"PK\x05\x06");
        out.extend(self.disk.to_le_bytes());
        out.extend(0_u16.to_le_bytes());
        let short = |v: u64| {
            if self.zip64_end {
                0xffff
            } else {
                self.count.unwrap_or(v as u16)
            }
        };
        out.extend(short(count).to_le_bytes());
        out.extend(short(count).to_le_bytes());
        let long = |v: u64| if self.zip64_end { u32::MAX } else { v as u32 };
        out.extend(long(len).to_le_bytes());
        out.extend(long(start).to_le_bytes());
        out.extend((self.comment.len() as u16).to_le_bytes());
        out.extend(&self.comment);
        out.extend(&self.suffix);
        out
    }
}

fn write_item(item: &ZipItem, base: usize, out: &mut Vec<u8>, directory: &mut Vec<u8>) {
    let data = match (&item.raw, item.method) {
        (Some(raw), _) => raw.clone(),
        (None, 8) => deflate(&item.content),
        _ => item.content.clone(),
    };
    let crc = libdeflater::crc32(&item.content);
    let (size, packed) = (item.content.len() as u32, data.len() as u32);
    let flags = item.flags | if item.descriptor { 8 } else { 0 };
    let offset = (out.len() - base) as u32;
    let local = |value: u32| if item.descriptor { 0 } else { value };

    let mut extra = item.local_extra.clone();
    if item.zip64 {
        extra.extend(zip64_field(&[size.into(), packed.into()]));
    }
    let name = item.local_name.as_ref().unwrap_or(&item.name);
    out.extend(b"PK\x03\x04");
    out.extend(item.needs.to_le_bytes());
    out.extend(flags.to_le_bytes());
    out.extend(item.local_method.unwrap_or(item.method).to_le_bytes());
    out.extend(item.dos.to_le_bytes());
    out.extend(
        item.local_crc
            .or(item.crc)
            .unwrap_or(local(crc))
            .to_le_bytes(),
    );
    let mark = |value: u32| if item.zip64 { u32::MAX } else { value };
    out.extend(mark(item.packed.unwrap_or(local(packed))).to_le_bytes());
    out.extend(mark(item.local_size.or(item.size).unwrap_or(local(size))).to_le_bytes());
    out.extend((name.len() as u16).to_le_bytes());
    out.extend((extra.len() as u16).to_le_bytes());
    out.extend(name);
    out.extend(&extra);
    out.extend(&data);
    if item.descriptor {
        out.extend(b"PK\x07\x08");
        for value in [crc, packed, size] {
            out.extend(value.to_le_bytes());
        }
    }

    let mut extra = item.extra.clone();
    if item.zip64 {
        extra.extend(zip64_field(&[size.into(), packed.into(), offset.into()]));
    }
    directory.extend(b"PK\x01\x02");
    directory.extend([30, item.host]);
    directory.extend(item.needs.to_le_bytes());
    directory.extend(flags.to_le_bytes());
    directory.extend(item.method.to_le_bytes());
    directory.extend(item.dos.to_le_bytes());
    directory.extend(item.crc.unwrap_or(crc).to_le_bytes());
    directory.extend(mark(item.packed.unwrap_or(packed)).to_le_bytes());
    directory.extend(mark(item.size.unwrap_or(size)).to_le_bytes());
    directory.extend((item.name.len() as u16).to_le_bytes());
    directory.extend((extra.len() as u16).to_le_bytes());
    directory.extend([0; 6]);
    directory.extend(item.attributes.to_le_bytes());
    directory.extend(mark(item.offset.unwrap_or(offset)).to_le_bytes());
    directory.extend(&item.name);
    directory.extend(&extra);
}

fn zip64_field(values: &[u64]) -> Vec<u8> {
    let mut field = vec![1, 0, (values.len() * 8) as u8, 0];
    for value in values {
        field.extend(value.to_le_bytes());
    }
    field
}

pub fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::new(6));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::new(6));
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Returns a tar member, header and content. `flag` is its type.
pub fn member(name: &[u8], flag: u8, mode: u32, link: &[u8], content: &[u8]) -> Vec<u8> {
    raw_member(
        name,
        flag,
        mode,
        link,
        content.len() as u64,
        content,
        b"ustar\x0000",
    )
}

/// Returns a tar member like [`member`], with any size and magic.
pub fn raw_member(
    name: &[u8],
    flag: u8,
    mode: u32,
    link: &[u8],
    size: u64,
    content: &[u8],
    magic: &[u8],
) -> Vec<u8> {
    let mut block = vec![0; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..107].copy_from_slice(format!("{mode:07o}").as_bytes());
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = flag;
    block[157..157 + link.len()].copy_from_slice(link);
    block[257..257 + magic.len()].copy_from_slice(magic);
    seal(&mut block);
    block.extend(content);
    block.resize(block.len().next_multiple_of(512), 0);
    block
}

/// Writes the header's checksum.
pub fn seal(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block[..512].iter().map(|&b| u32::from(b)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

/// Returns a tar member that is a regular file of mode 0644.
pub fn file(name: &str, content: &[u8]) -> Vec<u8> {
    member(name.as_bytes(), b'0', 0o644, b"", content)
}

/// Returns a pax header for the member after it.
pub fn pax(records: &[(&str, &str)]) -> Vec<u8> {
    let mut text = String::new();
    for (key, value) in records {
        let body = format!(" {key}={value}\n");
        let mut len = body.len() + 1;
        while len != body.len() + len.to_string().len() {
            len += 1;
        }
        text.push_str(&len.to_string());
        text.push_str(&body);
    }
    member(b"pax", b'x', 0o644, b"", text.as_bytes())
}

/// Returns a tar archive of the members, with the end marker.
pub fn tar(members: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = members.concat();
    bytes.extend([0; 1024]);
    bytes
}

/// Collects the bytes of every file.
#[derive(Default)]
pub struct Collect {
    pub files: Vec<(usize, Vec<u8>)>,
    pub ended: usize,
    pub pieces: usize,
    pub largest: usize,
    pub skip: Option<usize>,
}

impl FileSink for Collect {
    fn begin(&mut self, index: usize, _: &Entry) -> io::Result<bool> {
        assert_eq!(self.ended, self.files.len(), "begin before end");
        if self.skip == Some(index) {
            return Ok(false);
        }
        self.files.push((index, Vec::new()));
        Ok(true)
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pieces += 1;
        self.largest = self.largest.max(bytes.len());
        self.files.last_mut().unwrap().1.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.ended += 1;
        Ok(())
    }
}

/// An archive file in a directory of its own.
pub struct OnDisk {
    pub dir: tempfile::TempDir,
    pub path: PathBuf,
    pub kind: ArchiveKind,
}

impl OnDisk {
    pub fn new(bytes: &[u8], kind: ArchiveKind) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("archive");
        std::fs::write(&path, bytes).unwrap();
        Self { dir, path, kind }
    }

    pub fn open(&self, limits: &Limits) -> Result<Archive, ArchiveError> {
        Archive::open(&self.path, self.kind, limits)
    }

    /// Opens and extracts the archive, and returns the entries with their content.
    pub fn read(&self, limits: &Limits) -> Result<Vec<(Entry, Vec<u8>)>, ArchiveError> {
        read(&self.path, self.kind, limits)
    }
}

pub fn read(
    path: &Path,
    kind: ArchiveKind,
    limits: &Limits,
) -> Result<Vec<(Entry, Vec<u8>)>, ArchiveError> {
    let mut archive = Archive::open(path, kind, limits)?;
    let mut sink = Collect::default();
    archive.extract(&mut sink)?;
    assert_eq!(sink.ended, sink.files.len());
    let mut read: Vec<_> = archive
        .entries()
        .iter()
        .map(|e| (e.clone(), Vec::new()))
        .collect();
    for (index, content) in sink.files {
        assert_eq!(read[index].0.kind, EntryKind::File);
        assert_eq!(read[index].0.size, content.len() as u64);
        read[index].1 = content;
    }
    Ok(read)
}

pub fn read_zip(items: impl IntoIterator<Item = ZipItem>) -> Vec<(Entry, Vec<u8>)> {
    OnDisk::new(&Zip::of(items).bytes(), ArchiveKind::Zip)
        .read(&Limits::default())
        .unwrap()
}

pub fn read_tar(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, ArchiveError> {
    OnDisk::new(bytes, ArchiveKind::Tar).read(&Limits::default())
}

/// Returns lines `d mode path`, `f mode path` or `l mode path -> target`. A default mode is `-`. A
/// mode that the umask reduces ends in `&`.
pub fn listing(entries: &[(Entry, Vec<u8>)]) -> Vec<String> {
    entries
        .iter()
        .map(|(e, _)| {
            let mode = match e.mode {
                super::Mode::Default => "-".to_owned(),
                super::Mode::Exact(bits) => format!("{bits:o}"),
                super::Mode::Masked(bits) => format!("{bits:o}&"),
            };
            match &e.kind {
                EntryKind::Dir => format!("d {mode} {}", e.path),
                EntryKind::File => format!("f {mode} {}", e.path),
                EntryKind::Symlink { target } => {
                    format!("l {mode} {} -> {}", e.path, String::from_utf8_lossy(target))
                }
            }
        })
        .collect()
}

/// Returns the class of an error and its entry.
pub fn class(error: &ArchiveError) -> (&'static str, Option<&str>) {
    let class = match error {
        ArchiveError::Declined { .. } => "declined",
        ArchiveError::Corrupt { .. } => "corrupt",
        ArchiveError::Hostile { .. } => "hostile",
        ArchiveError::Io(_) => "io",
    };
    (class, error.entry())
}
