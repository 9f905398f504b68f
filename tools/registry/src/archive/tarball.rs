//! Writes tar archives with GNU long names, plain or compressed.

use std::io::Write as _;

use bzip2::write::BzEncoder;
use libdeflater::{CompressionLvl, Compressor};
use tar::{EntryType, Header};

use super::{Format, Mode, Stamp};

pub(super) struct TarWriter(tar::Builder<Vec<u8>>);

impl TarWriter {
    pub(super) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    pub(super) fn dir(&mut self, path: &str, stamp: &Stamp) {
        let mut header = header(EntryType::Directory, 0o755, 0, stamp);
        in_memory(self.0.append_data(&mut header, path, &[][..]));
    }

    pub(super) fn file(&mut self, path: &str, data: &[u8], mode: Mode, stamp: &Stamp) {
        let bits = match mode {
            Mode::Plain => 0o644,
            Mode::Executable => 0o755,
            Mode::Bits(bits) => bits & 0o7777,
        };
        let mut header = header(EntryType::Regular, bits, data.len() as u64, stamp);
        in_memory(self.0.append_data(&mut header, path, data));
    }

    pub(super) fn symlink(&mut self, path: &str, target: &str, stamp: &Stamp) {
        let mut header = header(EntryType::Symlink, 0o777, 0, stamp);
        in_memory(self.0.append_link(&mut header, path, target));
    }

    pub(super) fn finish(self, format: Format) -> Vec<u8> {
        let tar = in_memory(self.0.into_inner());
        match format {
            Format::Zip | Format::Tar => tar,
            Format::TarGz => {
                let mut compressor = Compressor::new(CompressionLvl::new(6).unwrap_or_default());
                let mut out = vec![0; compressor.gzip_compress_bound(tar.len())];
                let length = in_memory(compressor.gzip_compress(&tar, &mut out));
                out.truncate(length);
                out
            }
            Format::TarBz2 => {
                let mut encoder = BzEncoder::new(Vec::new(), bzip2::Compression::new(6));
                in_memory(encoder.write_all(&tar));
                in_memory(encoder.finish())
            }
        }
    }
}

fn header(kind: EntryType, mode: u32, size: u64, stamp: &Stamp) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(u64::from(stamp.seconds));
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Unwraps a result of writing to memory. It fails only for a path that no tar can hold, such as
/// one with `..`, which is a mistake of the caller.
fn in_memory<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("cannot write a tar in memory: {error}"))
}
