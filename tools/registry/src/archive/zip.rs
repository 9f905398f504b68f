//! Writes zips as `git archive` does, which GitHub serves. Plain files and directories have FAT
//! entries without a mode; executables and symlinks have Unix entries. The commit is the archive
//! comment. The caller gives the times.

use libdeflater::{CompressionLvl, Compressor, Crc};

use super::{Mode, Stamp};

const UTF8: u16 = 0x0800;
/// The entry was made on Unix, by version 2.3 of the format.
const UNIX: u16 = 0x0317;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const DOS_DIR: u32 = 0x10;

pub(super) struct ZipWriter {
    out: Vec<u8>,
    central: Vec<u8>,
    entries: u16,
    comment: String,
    compressor: Compressor,
    scratch: Vec<u8>,
}

struct Header<'a> {
    path: &'a str,
    stamp: &'a Stamp,
    made_by: u16,
    attributes: u32,
    method: u16,
    crc: u32,
    size: u32,
}

impl ZipWriter {
    pub(super) fn new(comment: &str) -> Self {
        Self {
            out: Vec::new(),
            central: Vec::new(),
            entries: 0,
            comment: comment.to_owned(),
            compressor: Compressor::new(CompressionLvl::new(6).unwrap_or_default()),
            scratch: Vec::new(),
        }
    }

    pub(super) fn dir(&mut self, path: &str, stamp: &Stamp) {
        let header = Header {
            path,
            stamp,
            made_by: 0,
            attributes: DOS_DIR,
            method: STORED,
            crc: 0,
            size: 0,
        };
        self.write(&header, &[]);
    }

    pub(super) fn file(&mut self, path: &str, data: &[u8], mode: Mode, stamp: &Stamp) {
        let mut crc = Crc::new();
        crc.update(data);
        let (made_by, attributes) = match mode {
            Mode::Plain => (0, 0),
            Mode::Executable => (UNIX, 0o100_755 << 16),
            Mode::Bits(bits) => (UNIX, bits << 16),
        };
        let mut compressed = std::mem::take(&mut self.scratch);
        compressed.resize(self.compressor.deflate_compress_bound(data.len()), 0);
        let length = self
            .compressor
            .deflate_compress(data, &mut compressed)
            .unwrap_or(data.len());
        let deflated = length < data.len();
        let header = Header {
            path,
            stamp,
            made_by,
            attributes,
            method: if deflated { DEFLATED } else { STORED },
            crc: crc.sum(),
            size: length32(data.len()),
        };
        self.write(
            &header,
            if deflated {
                &compressed[..length]
            } else {
                data
            },
        );
        self.scratch = compressed;
    }

    pub(super) fn symlink(&mut self, path: &str, target: &str, stamp: &Stamp) {
        let mut crc = Crc::new();
        crc.update(target.as_bytes());
        let header = Header {
            path,
            stamp,
            made_by: UNIX,
            attributes: 0o120_777 << 16,
            method: STORED,
            crc: crc.sum(),
            size: length32(target.len()),
        };
        self.write(&header, target.as_bytes());
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        let start = length32(self.out.len());
        self.out.extend_from_slice(&self.central);
        self.out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        put16(&mut self.out, self.entries);
        put16(&mut self.out, self.entries);
        put32(&mut self.out, length32(self.central.len()));
        put32(&mut self.out, start);
        put16(&mut self.out, length16(self.comment.len()));
        self.out.extend_from_slice(self.comment.as_bytes());
        self.out
    }

    fn write(&mut self, header: &Header<'_>, stored: &[u8]) {
        let offset = length32(self.out.len());
        let flags = if header.path.is_ascii() { 0 } else { UTF8 };
        let mut common = Vec::with_capacity(26);
        put16(&mut common, if header.method == DEFLATED { 20 } else { 10 });
        put16(&mut common, flags);
        put16(&mut common, header.method);
        put32(&mut common, header.stamp.dos);
        put32(&mut common, header.crc);
        put32(&mut common, length32(stored.len()));
        put32(&mut common, header.size);
        put16(&mut common, length16(header.path.len()));

        self.out.extend_from_slice(b"PK\x03\x04");
        self.out.extend_from_slice(&common);
        put16(&mut self.out, length16(header.stamp.local.len()));
        self.out.extend_from_slice(header.path.as_bytes());
        self.out.extend_from_slice(&header.stamp.local);
        self.out.extend_from_slice(stored);

        self.central.extend_from_slice(b"PK\x01\x02");
        put16(&mut self.central, header.made_by);
        self.central.extend_from_slice(&common);
        put16(&mut self.central, length16(header.stamp.central.len()));
        // These bytes mean: no comment, disk 0, internal attributes 0.
        self.central.extend_from_slice(&[0; 6]);
        put32(&mut self.central, header.attributes);
        put32(&mut self.central, offset);
        self.central.extend_from_slice(header.path.as_bytes());
        self.central.extend_from_slice(&header.stamp.central);
        self.entries = self.entries.checked_add(1).unwrap_or_else(too_large);
    }
}

fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn length16(length: usize) -> u16 {
    u16::try_from(length).unwrap_or_else(|_| too_large())
}

fn length32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or_else(|_| too_large())
}

/// Panics, because the writer has no Zip64: no PHP package has 65,536 entries or 4 GiB.
fn too_large<T>() -> T {
    panic!("a package of 4 GiB or 65,536 entries is beyond this registry")
}
