//! Decides whether Composer would write outside of the package if a zip were left to it.
//!
//! No unpacker of Composer leaves its directory by a name: each strips or resolves `/` and `..`
//! [measured]. Two of them in a row do leave it. If unzip ends with a warning or an error, Composer
//! unpacks the same archive again with PHP's ZipArchive, into the same directory.
//!
//! ZipArchive knows no links. It writes the text of each link into the target of the link that
//! unzip created. It does the same with the content of entries that share a link's name. An archive
//! with a link out of the package is therefore left to Composer only if unzip is certain to
//! succeed.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use flate2::{Decompress, FlushDecompress};
use libdeflater::crc32;

use super::super::entry::{Entry, EntryKind, EntryList, MAX_COMPONENT, MAX_TARGET, Mode, Time};
use super::super::error::ArchiveError;
use super::super::links::leads_out;
use super::super::source::{Source, clamp};
use super::super::{FileSink, Limits, Result};
use super::directory::{self, Central, CentralReader, METHOD_DEFLATED, METHOD_STORED};
use super::inflate::Inflater;
use super::{
    CHUNK, HEADER_AHEAD, Record, Span, ZipReader, attributes, check_overlaps, check_sizes,
    check_support,
};

/// Longest path in bytes that certainly fits behind the path of a project.
const MAX_PATH: usize = 2048;

/// Returns the name of a link that leads out of the package and that Composer would write through.
pub(in super::super) fn escape(path: &Path, limits: &Limits) -> Result<Option<Vec<u8>>> {
    let mut source = Source::open(path)?;
    let links = match listed_links(&mut source) {
        Ok(links) => links,
        Err(ArchiveError::Io(error)) => return Err(error.into()),
        // The readable part of the directory may be enough for unzip.
        Err(_) => stray_links(&mut source)?,
    };
    // If local header and central directory contradict each other, unzip sometimes uses one,
    // sometimes the other.
    let views: [fn(&Link) -> &[u8]; 2] = [|link| &link.central, |link| &link.local];
    let Some(out) = views.into_iter().find_map(|view| {
        leads_out(links.iter().map(|link| (link.path.as_str(), view(link)))).map(str::to_owned)
    }) else {
        return Ok(None);
    };
    match would_succeed(path, limits) {
        Ok(()) => Ok(None),
        Err(ArchiveError::Io(error)) => Err(error.into()),
        Err(_) => Ok(links
            .into_iter()
            .find(|link| link.path == out)
            .map(|link| link.name)),
    }
}

/// Refuses an archive whose entries together exceed the limits, as far as its directory can be
/// read.
pub(in super::super) fn check_totals(path: &Path, limits: &Limits) -> Result<()> {
    let source = Source::open(path)?;
    let packed = source.len();
    let Ok(mut directory) = CentralReader::open(source) else {
        return Ok(());
    };
    let mut total = 0_u64;
    let mut count = 0;
    while let Ok(Some(central)) = directory.next_record() {
        // An impossible size is damage: no data unpacks to it.
        if check_sizes(&central).is_ok() {
            total = total.saturating_add(central.size);
        }
        limits.check_total(total, packed)?;
        count += 1;
        limits.check_count(count)?;
    }
    Ok(())
}

/// A symbolic link that unzip creates.
struct Link {
    /// Name of the link in the archive.
    name: Vec<u8>,
    /// Path at which unzip creates the link.
    path: String,
    /// Text of the link by the central directory.
    central: Vec<u8>,
    /// Text of the link by the local header.
    local: Vec<u8>,
}

/// Returns the links of a valid directory.
fn listed_links(source: &mut Source) -> Result<Vec<Link>> {
    let mut directory = CentralReader::open(source.again()?)?;
    let mut links = Vec::new();
    let mut before = HashSet::new();
    while let Some(central) = directory.next_record()? {
        let path = unzip_path(central.name);
        // unzip replaces nothing. The first entry of a name stays, and so does a directory created
        // for its content.
        for (slash, _) in path.match_indices('/') {
            before.insert(path[..slash].to_owned());
        }
        let is_first = before.insert(path);
        if is_first && is_link(central.host, central.attributes, central.name) {
            links.extend(read_link(source, &central, central.offset)?);
        }
    }
    Ok(links)
}

/// Returns the links of all byte sequences that look like central directory records.
fn stray_links(source: &mut Source) -> Result<Vec<Link>> {
    let Some(shift) = directory_shift(source)? else {
        return Ok(Vec::new());
    };
    let mut links = Vec::new();
    let mut at = 0;
    while at < source.len() {
        let window = clamp(source.len() - at, CHUNK);
        let hits: Vec<u64> = memchr::memmem::find_iter(source.slice(at, window)?, b"PK\x01\x02")
            .map(|hit| at + hit as u64)
            .collect();
        for hit in hits {
            let Some(record) = stray_record(source, hit)? else {
                continue;
            };
            let Ok(central) = directory::parse_record(&record) else {
                continue;
            };
            if is_link(central.host, central.attributes, central.name) {
                for offset in [central.offset, central.offset.wrapping_add(shift)] {
                    links.extend(read_link(source, &central, offset)?);
                }
            }
        }
        // Windows overlap by three bytes, so that no signature across a boundary is missed.
        at += window.saturating_sub(3).max(1) as u64;
    }
    Ok(links)
}

/// Returns the bytes of a record at a position, if the file is long enough for it.
fn stray_record(source: &mut Source, at: u64) -> Result<Option<Vec<u8>>> {
    let left = source.len() - at;
    if left < 46 {
        return Ok(None);
    }
    let fixed = source.slice(at, 46)?;
    let lengths = [28, 30, 32].map(|field| u64::from(directory::u16_at(fixed, field)));
    let total = 46 + lengths.into_iter().sum::<u64>();
    if total > left {
        return Ok(None);
    }
    Ok(Some(source.slice(at, clamp(total, CHUNK))?.to_vec()))
}

/// Returns the offset by which all positions of an archive are wrong because other bytes precede
/// it. Returns `None` if there is no end record, without which unzip creates nothing.
fn directory_shift(source: &mut Source) -> Result<Option<u64>> {
    let len = source.len();
    let window = clamp(len, 22 + 0xffff);
    let tail = source.slice(len - window as u64, window)?;
    let end = memchr::memmem::rfind(tail, b"PK\x05\x06").filter(|at| tail.len() - at >= 22);
    Ok(end.map(|at| {
        let expected = [12, 16].map(|field| u64::from(directory::u32_at(tail, at + field)));
        let found = len - (window - at) as u64;
        found.wrapping_sub(expected.into_iter().sum())
    }))
}

/// Returns whether unzip creates a link for an entry.
fn is_link(host: u8, attributes: u32, name: &[u8]) -> bool {
    attributes::host_has_links(host)
        && attributes::is_link(attributes)
        && name.last() != Some(&b'/')
}

/// Reads a link whose local header is at `offset`. Returns `None` if no local header is there.
fn read_link(source: &mut Source, central: &Central<'_>, offset: u64) -> Result<Option<Link>> {
    if source.len().saturating_sub(offset) < 30 {
        return Ok(None);
    }
    let fixed = source.slice(offset, 30)?;
    if fixed[..4] != *b"PK\x03\x04" {
        return Ok(None);
    }
    let data = offset
        + 30
        + u64::from(directory::u16_at(fixed, 26))
        + u64::from(directory::u16_at(fixed, 28));
    let method = directory::u16_at(fixed, 8);
    let [packed, size] = [18, 22].map(|field| u64::from(directory::u32_at(fixed, field)));
    let described = directory::u16_at(fixed, 6) & directory::FLAG_DESCRIPTOR != 0;
    let by_central = text(source, central.method, data, central.packed, central.size)?;
    let by_local = if described {
        by_central.clone()
    } else {
        text(source, method, data, packed, size)?
    };
    Ok(Some(Link {
        name: central.name.to_vec(),
        path: unzip_path(central.name),
        central: by_central,
        local: by_local,
    }))
}

/// Returns the first bytes of an entry's content, as far as they are available.
fn text(source: &mut Source, method: u16, data: u64, packed: u64, size: u64) -> Result<Vec<u8>> {
    let available = source.len().saturating_sub(data).min(packed);
    let bytes = source.slice(data.min(source.len()), clamp(available, CHUNK))?;
    let most = clamp(size, MAX_TARGET);
    Ok(match method {
        METHOD_STORED => bytes[..bytes.len().min(most)].to_vec(),
        METHOD_DEFLATED => {
            let mut text = Vec::with_capacity(most);
            // Output before broken data counts too.
            let _ =
                Decompress::new(false).decompress_vec(bytes, &mut text, FlushDecompress::Finish);
            text.truncate(most);
            text
        }
        _ => Vec::new(),
    })
}

/// Returns an error if unzip would end with a warning or an error.
fn would_succeed(path: &Path, limits: &Limits) -> Result<()> {
    let mut reader = ZipReader {
        source: Source::open(path)?,
        inflater: Inflater::new(),
        records: Vec::new(),
        stream_above: 0,
    };
    let mut directory = CentralReader::open(reader.source.again()?)?;
    let data_end = directory.start();
    let mut paths = Vec::new();
    let mut spans = Vec::new();
    let mut is_recoded = false;
    while let Some(central) = directory.next_record()? {
        check_support(&central)?;
        let local = reader.local_header(&central, HEADER_AHEAD)?;
        spans.push(Span::of(&central, &local, data_end, spans.len())?);
        check_sizes(&central)?;
        is_recoded |= attributes::check_name_coding(&central, local.has_extra, limits).is_err()
            || std::str::from_utf8(central.name).is_err();
        paths.push(plain_path(&central)?);
        let record = Record {
            index: 0,
            deflated: central.method == METHOD_DEFLATED,
            offset: local.data,
            packed: central.packed,
            size: central.size,
            crc: central.crc,
        };
        reader
            .inflater
            .stream(&mut reader.source, &record, &mut Nowhere)?;
        if is_link(central.host, central.attributes, central.name)
            && central.size > MAX_TARGET as u64
        {
            return Err(ArchiveError::declined("the link's target is too long"));
        }
    }
    let mut list = EntryList::new(limits);
    for (mut path, is_dir) in paths {
        if is_recoded {
            path = without_codes(&path);
        }
        if !path.is_empty() {
            list.add(Entry {
                path,
                kind: if is_dir {
                    EntryKind::Dir
                } else {
                    EntryKind::File
                },
                size: 0,
                mode: Mode::Default,
                time: Time::Now,
            })?;
        }
    }
    check_overlaps(spans, data_end, &reader.source)
}

/// Returns the path at which unzip creates an entry without a warning, and whether it is a
/// directory.
fn plain_path(central: &Central<'_>) -> Result<(String, bool)> {
    let unwelcome = |reason| Err(ArchiveError::declined(reason));
    let name = match central.extra_block(attributes::UNICODE_PATH) {
        None => central.name,
        Some([1, rest @ ..])
            if rest.len() > 4 && directory::u32_at(rest, 0) == crc32(central.name) =>
        {
            &rest[4..]
        }
        Some(_) => return unwelcome("the entry has a unicode name that is not its own"),
    };
    if name.first() == Some(&b'/') {
        return unwelcome("the name is an absolute path");
    }
    // The entry was made on FAT, and its name has backslashes but no slash.
    if central.host == 0 && name.contains(&b'\\') && !name.contains(&b'/') {
        return unwelcome("the name contains a backslash");
    }
    let is_dir = name.last() == Some(&b'/');
    let path = unzip_path(name);
    if path.len() > MAX_PATH || path.split('/').any(|part| part.len() > MAX_COMPONENT) {
        return unwelcome("the name is too long");
    }
    if (path.is_empty() && !is_dir) || path.split('/').any(str::is_empty) && !path.is_empty() {
        return unwelcome("nothing is left of the name");
    }
    Ok((path, is_dir))
}

/// Returns the path at which unzip creates an entry [measured]. unzip removes leading `/`, `.`,
/// `..`, control characters and a VMS version. It ends the name at a NUL byte.
fn unzip_path(name: &[u8]) -> String {
    let name = name.split(|&b| b == 0).next().unwrap_or_default();
    let name = String::from_utf8_lossy(name);
    let is_dir = name.ends_with('/');
    let mut parts: Vec<String> = Vec::new();
    let mut left = name.split('/').peekable();
    while let Some(part) = left.next() {
        let is_file = left.peek().is_none() && !is_dir;
        match part {
            // As the last component it names a file, and unzip replaces the dots.
            "." | ".." if is_file => parts.push(part.replace('.', "_")),
            "" | "." | ".." => {}
            _ => {
                let part: String = part.chars().filter(|c| !c.is_ascii_control()).collect();
                let cut = if is_file && attributes::has_version_suffix(&part) {
                    part.rfind(';')
                } else {
                    None
                };
                parts.push(part[..cut.unwrap_or(part.len())].to_owned());
            }
        }
    }
    parts.join("/")
}

/// Returns a path without the characters that unzip may spell in another way, such as `é` and
/// `#U00e9`.
fn without_codes(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut left = path;
    while let Some(c) = left.chars().next() {
        let code = match left.as_bytes() {
            [b'#', b'U', rest @ ..] => Some((4, rest)),
            [b'#', b'L', rest @ ..] => Some((6, rest)),
            _ => None,
        };
        let is_code = code.is_some_and(|(digits, rest)| {
            rest.len() >= digits && rest[..digits].iter().all(u8::is_ascii_hexdigit)
        });
        let step = match code {
            Some((digits, _)) if is_code => 2 + digits,
            _ => c.len_utf8(),
        };
        if !is_code && c.is_ascii() {
            plain.push(c);
        }
        left = &left[step..];
    }
    let named: Vec<&str> = plain
        .split('/')
        .map(|part| if part.is_empty() { "?" } else { part })
        .collect();
    if path.is_empty() {
        String::new()
    } else {
        named.join("/")
    }
}

/// Discards content, whose checksum is all that matters.
struct Nowhere;

impl FileSink for Nowhere {
    fn begin(&mut self, _: usize, _: &Entry) -> io::Result<bool> {
        Ok(true)
    }

    fn data(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
