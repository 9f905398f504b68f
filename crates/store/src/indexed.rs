//! A record that has an index, and parts behind it. A run needs few of the parts, and reads them
//! one by one.
//!
//! On disk, a record consists of:
//! - length of the index and length of the parts (eight bytes each, little endian)
//! - CRC-32 of the parts (four bytes)
//! - the index, as a sealed record
//! - the parts

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use allegro_base::fs::{open_regular, put};
use allegro_base::sealed;
use libdeflater::crc32;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Record;

/// Number of bytes before the index.
const HEAD: usize = 20;

/// Length in bytes of the longest index that is read.
const LONGEST: usize = 64 << 20;

/// A part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Offset behind the index, in bytes.
    from: u64,
    /// Length in bytes.
    length: u32,
    /// CRC-32 of the part.
    crc: u32,
}

impl Part {
    /// Returns the length in bytes.
    pub fn length(self) -> u32 {
        self.length
    }
}

/// The parts of a record that is being made.
#[derive(Debug, Default)]
pub struct Parts(Vec<u8>);

impl Parts {
    /// Returns the length of all parts together, in bytes.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// Adds a part. Returns `None` if the part can't be encoded or is longer than 4 GiB.
    pub fn add(&mut self, value: &impl Serialize) -> Option<Part> {
        let from = self.0.len();
        let bytes = std::mem::take(&mut self.0);
        self.0 = postcard::to_extend(value, bytes).ok()?;
        self.part(from)
    }

    /// Adds a part of another record. Returns `None` if the part is longer than 4 GiB.
    pub fn add_bytes(&mut self, bytes: &[u8]) -> Option<Part> {
        let from = self.0.len();
        self.0.extend_from_slice(bytes);
        self.part(from)
    }

    fn part(&self, from: usize) -> Option<Part> {
        Some(Part {
            from: from as u64,
            length: u32::try_from(self.0.len() - from).ok()?,
            crc: crc32(&self.0[from..]),
        })
    }
}

/// An open record, whose parts can be read.
#[derive(Debug)]
pub struct Indexed {
    file: File,
    /// Offset of the first part.
    base: u64,
}

impl Indexed {
    /// Returns the bytes of a part, if their CRC-32 matches.
    pub fn read(&self, part: Part) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(part.length).ok()?];
        let at = self.base.checked_add(part.from)?;
        self.file.read_exact_at(&mut bytes, at).ok()?;
        (crc32(&bytes) == part.crc).then_some(bytes)
    }
}

/// Opens a record of the store at `root` and reads its index. Returns `None` if the record is
/// absent, torn or of another place.
pub fn read_indexed<T: DeserializeOwned>(
    root: &Path,
    record: Record,
    place: &str,
) -> Option<(Indexed, T)> {
    let file = open_regular(&root.join(place)).ok()??;
    let mut length = [0; 8];
    file.read_exact_at(&mut length, 0).ok()?;
    let length = usize::try_from(u64::from_le_bytes(length)).ok()?;
    if length > LONGEST {
        return None;
    }
    let mut index = vec![0; length];
    file.read_exact_at(&mut index, HEAD as u64).ok()?;
    let index = record.decode(place, &index)?;
    let base = (HEAD + length) as u64;
    Some((Indexed { file, base }, index))
}

/// Writes a record of the store at `root` with its index and parts.
pub fn write_indexed(
    root: &Path,
    record: Record,
    place: &str,
    index: &impl Serialize,
    parts: &Parts,
) -> io::Result<()> {
    let index = record.encode(place, index);
    let length = (index.len() as u64).to_le_bytes();
    let size = (parts.0.len() as u64).to_le_bytes();
    let sum = crc32(&parts.0).to_le_bytes();
    put(
        root,
        place,
        &[&length[..], &size, &sum, &index, &parts.0].concat(),
    )
}

/// Returns whether a record is whole and belongs to `place`.
pub(super) fn is_whole(place: &str, bytes: &[u8]) -> bool {
    let index = || {
        let (length, rest) = bytes.split_first_chunk()?;
        let (size, rest) = rest.split_first_chunk()?;
        let (sum, rest) = rest.split_first_chunk()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (index, parts) = rest.split_at_checked(length)?;
        let is_whole = parts.len() as u64 == u64::from_le_bytes(*size)
            && crc32(parts) == u32::from_le_bytes(*sum);
        is_whole.then_some(index)
    };
    index().is_some_and(|index| sealed::is_whole(place, index))
}
