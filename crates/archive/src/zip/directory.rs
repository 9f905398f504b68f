//! Reads the end records and the central directory.

use super::super::Result;
use super::super::error::ArchiveError;
use super::super::source::{Source, clamp};

pub(super) const METHOD_STORED: u16 = 0;
pub(super) const METHOD_DEFLATED: u16 = 8;

/// General purpose flags (APPNOTE 4.4.4).
pub(super) const FLAG_DESCRIPTOR: u16 = 1 << 3;
pub(super) const FLAG_PATCH: u16 = 1 << 5;
pub(super) const FLAG_UTF8: u16 = 1 << 11;
/// Flags for encryption, strong encryption and an encrypted central directory.
pub(super) const FLAGS_ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// Flags on which local header and central directory must agree.
pub(super) const FLAGS_THAT_COUNT: u16 = FLAGS_ENCRYPTED | FLAG_PATCH | FLAG_DESCRIPTOR | FLAG_UTF8;

/// Value of a size field that refers to the zip64 field.
pub(super) const IN_ZIP64: u64 = 0xffff_ffff;

/// Length of the end record without its comment. The zip64 locator and record follow.
const END_LEN: u64 = 22;
const LOCATOR_LEN: u64 = 20;
const END64_LEN: u64 = 56;

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

/// A record of the central directory (APPNOTE 4.3.12).
pub(super) struct Central<'a> {
    /// System that made the entry.
    pub(super) host: u8,
    /// Version needed to extract. The high byte is a system.
    pub(super) needs: u16,
    pub(super) flags: u16,
    pub(super) method: u16,
    /// Date and time in MS-DOS format (APPNOTE 4.4.6), with the date in the high word.
    pub(super) dos: u32,
    pub(super) crc: u32,
    /// Compressed size in bytes.
    pub(super) packed: u64,
    /// Uncompressed size in bytes.
    pub(super) size: u64,
    pub(super) disk: u32,
    /// External attributes.
    pub(super) attributes: u32,
    /// Position of the local header.
    pub(super) offset: u64,
    pub(super) name: &'a [u8],
    pub(super) extra: &'a [u8],
}

impl Central<'_> {
    /// Returns the data of the first block with this id in the extra field.
    pub(super) fn extra_block(&self, id: u16) -> Option<&[u8]> {
        extra_block(self.extra, id)
    }
}

/// Returns the data of the first block with this id in an extra field (APPNOTE 4.5.1).
fn extra_block(extra: &[u8], id: u16) -> Option<&[u8]> {
    extra_blocks(extra).find_map(|(found, block)| (found == id).then_some(block))
}

/// Iterates over the blocks of an extra field, up to a truncated one.
pub(super) fn extra_blocks(mut extra: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        if extra.len() < 4 {
            return None;
        }
        let (id, len) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let block = extra.get(4..4 + len)?;
        extra = &extra[4 + len..];
        Some((id, block))
    })
}

/// Replaces the values that are all ones by those of the zip64 field (APPNOTE 4.5.3). That field
/// holds exactly the replaced values, in this order.
pub(super) fn apply_zip64(extra: &[u8], values: &mut [&mut u64]) -> Result<()> {
    let mut rest = extra_block(extra, 1).unwrap_or_default();
    for value in values {
        if **value == IN_ZIP64 {
            let Some((first, tail)) = rest.split_at_checked(8) else {
                return Err(ArchiveError::corrupt(
                    "the zip64 field is missing or too short",
                ));
            };
            **value = u64_at(first, 0);
            rest = tail;
        }
    }
    Ok(())
}

/// Iterates over the central directory without holding it in memory.
pub(super) struct CentralReader {
    source: Source,
    start: u64,
    position: u64,
    end: u64,
    count: u64,
    left: u64,
}

/// The content of the end records.
struct End {
    count: u64,
    len: u64,
    start: u64,
    /// Position of the first end record, where the directory must end.
    position: u64,
}

impl CentralReader {
    /// Finds the directory and checks its place.
    pub(super) fn open(mut source: Source) -> Result<Self> {
        let end = find_end(&mut source)?;
        match end.start.checked_add(end.len) {
            Some(there) if there == end.position => {}
            // unzip warns of "extra bytes at beginning or within zipfile".
            Some(there) if there < end.position => {
                return Err(ArchiveError::declined(
                    "extra bytes before or inside the archive",
                ));
            }
            _ => {
                return Err(ArchiveError::corrupt(
                    "the central directory is not where it should be",
                ));
            }
        }
        if end.count > end.len / 46 {
            return Err(ArchiveError::corrupt(
                "the central directory is too short for its entries",
            ));
        }
        Ok(Self {
            source,
            start: end.start,
            position: end.start,
            end: end.position,
            count: end.count,
            left: end.count,
        })
    }

    /// Returns the number of records.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Returns the position of the directory, where the last entry must end.
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// Returns the next record, or `None` after the last one.
    pub(super) fn next_record(&mut self) -> Result<Option<Central<'_>>> {
        if self.left == 0 {
            if self.position == self.end {
                return Ok(None);
            }
            return Err(ArchiveError::declined(
                "the central directory has more than its entries",
            ));
        }
        self.left -= 1;
        let broken = || ArchiveError::corrupt("the central directory is broken");
        let room = self.end - self.position;
        if room < 46 {
            return Err(broken());
        }
        let fixed = self.source.slice(self.position, 46)?;
        if fixed[..4] != *b"PK\x01\x02" {
            return Err(broken());
        }
        let name_len = usize::from(u16_at(fixed, 28));
        let extra_len = usize::from(u16_at(fixed, 30));
        let total = 46 + name_len + extra_len + usize::from(u16_at(fixed, 32));
        if total as u64 > room {
            return Err(broken());
        }
        let record = self.source.slice(self.position, total)?;
        self.position += total as u64;

        let name = &record[46..46 + name_len];
        let central = parse_record(record).map_err(|e| e.at(name))?;
        // This bound keeps later sums with a header's length from overflowing.
        if central.offset.max(central.packed) > self.start {
            return Err(ArchiveError::corrupt("the entry lies outside the archive").at(name));
        }
        Ok(Some(central))
    }
}

/// Parses a record. It must have the length that its own fields state.
pub(super) fn parse_record(record: &[u8]) -> Result<Central<'_>> {
    let name_len = usize::from(u16_at(record, 28));
    let extra_len = usize::from(u16_at(record, 30));
    let name = &record[46..46 + name_len];
    let extra = &record[46 + name_len..46 + name_len + extra_len];
    let mut size = u64::from(u32_at(record, 24));
    let mut packed = u64::from(u32_at(record, 20));
    let mut offset = u64::from(u32_at(record, 42));
    apply_zip64(extra, &mut [&mut size, &mut packed, &mut offset])?;
    Ok(Central {
        host: record[5],
        needs: u16_at(record, 6),
        flags: u16_at(record, 8),
        method: u16_at(record, 10),
        dos: u32_at(record, 12),
        crc: u32_at(record, 16),
        packed,
        size,
        disk: u32::from(u16_at(record, 34)),
        attributes: u32_at(record, 38),
        offset,
        name,
        extra,
    })
}

/// Finds the end record (APPNOTE 4.3.16) and, before it, its zip64 form (4.3.14, 4.3.15).
fn find_end(source: &mut Source) -> Result<End> {
    let len = source.len();
    let window = clamp(len, 22 + 0xffff);
    let tail = source.slice(len - window as u64, window)?;
    let Some(at) = (0..tail.len().saturating_sub(3))
        .rev()
        .find(|&i| tail[i..].starts_with(b"PK\x05\x06"))
    else {
        return Err(ArchiveError::corrupt(
            "no end record: not a zip archive, or truncated",
        ));
    };
    let end = &tail[at..];
    if end.len() < 22 {
        return Err(ArchiveError::corrupt("the end record is truncated"));
    }
    // unzip accepts any comment length. PHP's ZipArchive and others disagree on such archives.
    if end.len() != 22 + usize::from(u16_at(end, 20)) {
        return Err(ArchiveError::declined(
            "the archive goes on after its comment",
        ));
    }
    let (disk, directory_disk) = (u16_at(end, 4), u16_at(end, 6));
    let (here, count) = (u16_at(end, 8), u16_at(end, 10));
    let mut found = End {
        count: u64::from(count),
        len: u64::from(u32_at(end, 12)),
        start: u64::from(u32_at(end, 16)),
        position: len - end.len() as u64,
    };
    if matches!((disk, directory_disk), (0, 0)) && here == count {
        apply_end64(source, &mut found)?;
        return Ok(found);
    }
    if (disk, directory_disk) == (0xffff, 0xffff) && here == count {
        let before = found.position;
        apply_end64(source, &mut found)?;
        if found.position != before {
            return Ok(found);
        }
    }
    Err(ArchiveError::declined(
        "the archive is spread over several disks",
    ))
}

/// Reads the zip64 end record, if there is one.
fn apply_end64(source: &mut Source, found: &mut End) -> Result<()> {
    debug_assert!(found.position + END_LEN <= source.len());
    let Some(locator_at) = found.position.checked_sub(LOCATOR_LEN) else {
        return Ok(());
    };
    let locator = source.slice(locator_at, clamp(LOCATOR_LEN, 20))?;
    if locator[..4] != *b"PK\x06\x07" {
        return Ok(());
    }
    let (disk, at, disks) = (u32_at(locator, 4), u64_at(locator, 8), u32_at(locator, 16));
    if disk != 0 || disks > 1 {
        return Err(ArchiveError::declined(
            "the archive is spread over several disks",
        ));
    }
    if at.checked_add(END64_LEN).is_none_or(|end| end > locator_at) {
        return Err(ArchiveError::corrupt(
            "the zip64 end record is not where it should be",
        ));
    }
    let record = source.slice(at, clamp(END64_LEN, 56))?;
    if record[..4] != *b"PK\x06\x06" {
        return Err(ArchiveError::corrupt(
            "the zip64 end record is not where it should be",
        ));
    }
    if u64_at(record, 4).checked_add(at + 12) != Some(locator_at) {
        return Err(ArchiveError::declined(
            "extra bytes behind the zip64 end record",
        ));
    }
    let (disk, directory_disk) = (u32_at(record, 16), u32_at(record, 20));
    let (here, count) = (u64_at(record, 24), u64_at(record, 32));
    if disk != 0 || directory_disk != 0 || here != count {
        return Err(ArchiveError::declined(
            "the archive is spread over several disks",
        ));
    }
    let (len, start) = (u64_at(record, 40), u64_at(record, 48));
    for (short, full, all_ones) in [
        (found.count, count, 0xffff),
        (found.len, len, IN_ZIP64),
        (found.start, start, IN_ZIP64),
    ] {
        if short != full && short != all_ones {
            return Err(ArchiveError::declined(
                "the end records contradict each other",
            ));
        }
    }
    *found = End {
        count,
        len,
        start,
        position: at,
    };
    Ok(())
}
