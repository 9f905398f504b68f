//! Reads tar headers: v7, ustar, GNU long names, pax.

use super::super::Result;
use super::super::error::ArchiveError;
use super::stream::Stream;

/// Block size of a tar file in bytes.
pub(super) const BLOCK: u64 = 512;
/// Longest accepted GNU long name in bytes.
const MAX_LONG_NAME: u64 = 64 << 10;
/// Longest accepted pax header in bytes.
const MAX_PAX: u64 = 1 << 20;

/// The header of a member, with all of its extension headers applied.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) link: Vec<u8>,
    /// Type flag of the member's own header.
    pub(super) flag: u8,
    pub(super) mode: u32,
    pub(super) size: u64,
    /// Whether the name came from a GNU long-name header.
    pub(super) long: bool,
}

/// The values that extension headers set for the member after them.
#[derive(Default)]
struct Overrides {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    long: bool,
    any: bool,
}

/// Reads the next member's header. The stream then stands at the member's content.
pub(super) fn next(stream: &mut Stream) -> Result<Option<Header>> {
    let mut overrides = Overrides::default();
    let mut block = [0; 512];
    loop {
        if !stream.read_block(&mut block)? {
            // A sloppy tool wrote the archive, or it was cut off. PharData may decide.
            return Err(ArchiveError::declined("the archive has no end marker"));
        }
        if block.iter().all(|&b| b == 0) {
            if overrides.any {
                return Err(ArchiveError::corrupt(
                    "an extension header without its member",
                ));
            }
            return end(stream).map(|()| None);
        }
        let header = parse(&block)?;
        let at = |e: ArchiveError| e.at(&header.name);
        match header.flag {
            b'L' | b'K' => {
                let mut text = content(stream, &header, MAX_LONG_NAME).map_err(at)?;
                // The size includes the final NUL. Only that one is removed, because cutting at an
                // inner NUL would hide the rest of the name.
                if text.last() == Some(&0) {
                    text.pop();
                }
                let slot = match header.flag {
                    b'L' => &mut overrides.name,
                    _ => &mut overrides.link,
                };
                *slot = Some(text);
                overrides.long |= header.flag == b'L';
                overrides.any = true;
            }
            b'x' => {
                let text = content(stream, &header, MAX_PAX).map_err(at)?;
                for_each_record(&text, |key, value| overrides.set(key, value)).map_err(at)?;
                overrides.any = true;
            }
            b'g' => {
                let text = content(stream, &header, MAX_PAX).map_err(at)?;
                for_each_record(&text, |key, _| match key {
                    b"path" | b"linkpath" | b"size" | b"hdrcharset" => Err(ArchiveError::declined(
                        "a global pax header changes members",
                    )),
                    _ => Ok(()),
                })
                .map_err(at)?;
            }
            _ => {
                return Ok(Some(Header {
                    name: overrides.name.unwrap_or(header.name),
                    link: overrides.link.unwrap_or(header.link),
                    size: overrides.size.unwrap_or(header.size),
                    long: overrides.long,
                    ..header
                }));
            }
        }
    }
}

/// Checks what follows the first block of zeros: a second one, or the end of the file.
fn end(stream: &mut Stream) -> Result<()> {
    let mut block = [0; 512];
    if stream.read_block(&mut block)? && block.iter().any(|&b| b != 0) {
        return Err(ArchiveError::declined(
            "the archive goes on after a block of zeros",
        ));
    }
    stream.drain()
}

impl Overrides {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        match key {
            b"path" => self.name = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => {
                let size = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok());
                self.size = Some(size.ok_or_else(broken_pax)?);
            }
            b"hdrcharset" => return Err(ArchiveError::declined("pax names in another charset")),
            _ if key.starts_with(b"GNU.sparse.") => {
                return Err(ArchiveError::declined("the file is sparse"));
            }
            _ => {}
        }
        Ok(())
    }
}

fn broken_pax() -> ArchiveError {
    ArchiveError::corrupt("the pax header is broken")
}

/// Reads an extension header's content and its padding.
fn content(stream: &mut Stream, header: &Header, most: u64) -> Result<Vec<u8>> {
    if header.size > most {
        return Err(ArchiveError::declined("an extension header is too long"));
    }
    let bytes = stream.read_vec(header.size)?;
    stream.skip(padding(header.size))?;
    Ok(bytes)
}

/// Returns the number of bytes from the end of a content to the next block.
pub(super) fn padding(size: u64) -> u64 {
    (BLOCK - size % BLOCK) % BLOCK
}

/// Splits pax records, `length key=value\n`. The length counts the whole record.
fn for_each_record(
    mut text: &[u8],
    mut each: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    while !text.is_empty() {
        let space = text
            .iter()
            .position(|&b| b == b' ')
            .ok_or_else(broken_pax)?;
        let length: usize = std::str::from_utf8(&text[..space])
            .ok()
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(broken_pax)?;
        let record = text
            .get(space + 1..length)
            .and_then(|r| r.strip_suffix(b"\n"))
            .ok_or_else(broken_pax)?;
        let equals = record
            .iter()
            .position(|&b| b == b'=')
            .ok_or_else(broken_pax)?;
        each(&record[..equals], &record[equals + 1..])?;
        text = &text[length..];
    }
    Ok(())
}

/// Parses one header block.
fn parse(block: &[u8; 512]) -> Result<Header> {
    let mut name = until_nul(&block[..100]).to_vec();
    // GNU tar ("ustar  ") stores other fields in place of POSIX's prefix.
    if &block[257..263] == b"ustar\0" && block[345] != 0 {
        let prefix = until_nul(&block[345..500]);
        name = [prefix, b"/", &name].concat();
    }
    let sum: u32 = block
        .iter()
        .enumerate()
        .map(|(i, &b)| {
            if (148..156).contains(&i) {
                32
            } else {
                u32::from(b)
            }
        })
        .sum();
    if octal(&block[148..156]) != Some(u64::from(sum)) {
        return Err(ArchiveError::corrupt("a header has a wrong checksum"));
    }
    if block[124] & 0x80 != 0 {
        return Err(ArchiveError::declined("the size is in base 256").at(&name));
    }
    let number = |field: &[u8]| {
        octal(field).ok_or_else(|| ArchiveError::corrupt("a number in a header is broken"))
    };
    let mode = number(&block[100..108]).map_err(|e| e.at(&name))?;
    let size = number(&block[124..136]).map_err(|e| e.at(&name))?;
    Ok(Header {
        link: until_nul(&block[157..257]).to_vec(),
        flag: block[156],
        mode: u32::try_from(mode & 0o7777).unwrap_or(0),
        size,
        name,
        long: false,
    })
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&b| b == 0).next().unwrap_or_default()
}

/// Parses an octal number with spaces around it, which a space or NUL ends. An empty field means 0.
fn octal(field: &[u8]) -> Option<u64> {
    let text = until_nul(field).trim_ascii();
    text.iter().try_fold(0_u64, |sum, &b| match b {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(u64::from(b - b'0')),
        _ => None,
    })
}
