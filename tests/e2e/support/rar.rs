//! Writes archives in the format of RAR 1.5 to 4, with stored entries. Debian has no packer for
//! that format.

/// An entry of an archive.
#[derive(Debug, Clone, Copy)]
pub struct RarEntry<'a> {
    /// Path of the entry.
    pub path: &'a str,
    /// Type and permissions of the entry, as `stat` has them.
    pub mode: u32,
    /// Content of a file, or target of a link.
    pub data: &'a [u8],
}

const MAIN: u8 = 0x73;
const FILE: u8 = 0x74;
const END: u8 = 0x7b;
const UNIX: u8 = 3;
const STORED: u8 = 0x30;
const SKIP_IF_UNKNOWN: u16 = 0x4000;
const DATA_FOLLOWS: u16 = 0x8000;
const DIRECTORY: u16 = 0x00e0;

/// Returns the bytes of an archive.
pub fn rar(entries: &[RarEntry<'_>]) -> Vec<u8> {
    let mut archive = b"Rar!\x1a\x07\x00".to_vec();
    archive.extend(block(MAIN, 0, &[0; 6]));
    for entry in entries {
        let size = u32::try_from(entry.data.len()).expect("a small file");
        let name = u16::try_from(entry.path.len()).expect("a short path");
        let is_dir = entry.mode & 0o170_000 == 0o040_000;
        let mut fields = Vec::new();
        fields.extend(size.to_le_bytes());
        fields.extend(size.to_le_bytes());
        fields.push(UNIX);
        fields.extend(crc32(entry.data).to_le_bytes());
        // The time is 2020-01-01 in DOS form.
        fields.extend(0x5021_0000_u32.to_le_bytes());
        fields.extend([20, STORED]);
        fields.extend(name.to_le_bytes());
        fields.extend(entry.mode.to_le_bytes());
        fields.extend(entry.path.as_bytes());
        let flags = DATA_FOLLOWS | if is_dir { DIRECTORY } else { 0 };
        archive.extend(block(FILE, flags, &fields));
        archive.extend(entry.data);
    }
    archive.extend(block(END, SKIP_IF_UNKNOWN, &[]));
    archive
}

/// Returns a header, with its checksum in front.
fn block(kind: u8, flags: u16, fields: &[u8]) -> Vec<u8> {
    let size = u16::try_from(7 + fields.len()).expect("a short header");
    let mut header = vec![kind];
    header.extend(flags.to_le_bytes());
    header.extend(size.to_le_bytes());
    header.extend(fields);
    let [low, high, ..] = crc32(&header).to_le_bytes();
    [&[low, high], &header[..]].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 * (sum & 1))
        })
    })
}
