//! Derives modes and names from the attributes of an entry, as unzip 6.0 does.

use super::super::error::ArchiveError;
use super::super::{Limits, Result, Time, entry};
use super::directory::{self, Central, FLAG_UTF8};

/// "Made by" systems (APPNOTE 4.4.2.2) that are supported.
const FAT: u8 = 0;
const UNIX: u8 = 3;

/// MS-DOS attribute bits, which are the low byte of the external attributes.
const DOS_READ_ONLY: u32 = 0x01;
const DOS_LABEL: u32 = 0x08;
const DOS_DIR: u32 = 0x10;

/// File types in the high word of the external attributes.
const S_IFMT: u32 = 0o170_000;
const S_IFREG: u32 = 0o100_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFLNK: u32 = 0o120_000;

/// Returns whether the entry is a symbolic link, and its mode.
///
/// All of this was measured with umasks 000, 002, 022 and 077. Of the systems that unzip knows,
/// only those that occur in practice are supported.
pub(super) fn map(central: &Central<'_>, is_dir: bool) -> Result<(bool, Option<u32>)> {
    match central.host {
        UNIX => from_unix(central.attributes >> 16, is_dir),
        // For NTFS by APPNOTE, NTFS by Info-ZIP, VFAT and OS X, unzip reads the DOS bits alone.
        FAT | 10 | 11 | 14 | 19 => from_dos(central, is_dir).map(|mode| (false, mode)),
        host => Err(ArchiveError::declined(format!("made by system {host}"))),
    }
}

/// Returns type and mode of an entry that was made on Unix. The mode applies exactly, without
/// set-id and sticky bits.
fn from_unix(mode: u32, is_dir: bool) -> Result<(bool, Option<u32>)> {
    match (mode & S_IFMT, is_dir) {
        (S_IFLNK, false) => Ok((true, None)),
        // unzip ignores type 0, and a regular file's type on a directory whose name ends in a
        // slash.
        (0 | S_IFREG, _) | (S_IFDIR, true) => Ok((false, Some(entry::usable_mode(mode, is_dir)?))),
        _ => Err(ArchiveError::declined(format!(
            "file type {:06o}",
            mode & S_IFMT
        ))),
    }
}

/// Returns the mode of an entry that was made on another system, where the umask decides. FAT has
/// an exception: a Unix mode counts if its owner bits agree with the DOS attributes. PKZIP for Unix
/// writes such entries.
fn from_dos(central: &Central<'_>, is_dir: bool) -> Result<Option<u32>> {
    let dos = central.attributes;
    if dos & DOS_LABEL != 0 {
        return Err(ArchiveError::declined("the entry is a volume label"));
    }
    if !is_dir && dos & DOS_DIR != 0 {
        // unzip creates a file, but with mode 0777 less the umask.
        return Err(ArchiveError::declined("a directory without a final slash"));
    }
    let mode = central.attributes >> 16;
    if is_link(dos) {
        return Err(ArchiveError::declined("a link that was not made on unix"));
    }
    let read_only = dos & DOS_READ_ONLY != 0;
    let owner = 0o400 | if read_only { 0 } else { 0o200 } | if is_dir { 0o100 } else { 0 };
    if central.host == FAT && mode & 0o700 == owner {
        return entry::usable_mode(mode, is_dir).map(Some);
    }
    if read_only {
        // The mode is 0444 or 0555 less the umask: neither exact nor the default.
        return Err(ArchiveError::declined(
            "the entry is read-only without a unix mode",
        ));
    }
    Ok(None)
}

/// Extra field with a Unicode path (APPNOTE 4.6.9).
pub(super) const UNICODE_PATH: u16 = 0x7075;

/// Returns whether unzip creates links for entries made by this system: VMS, Unix, Atari, BeOS,
/// AtheOS [measured].
pub(super) fn host_has_links(host: u8) -> bool {
    matches!(host, 2 | UNIX | 5 | 16 | 30)
}

/// Returns whether the Unix mode is that of a symbolic link.
pub(super) fn is_link(attributes: u32) -> bool {
    attributes >> 16 & S_IFMT == S_IFLNK
}

/// Extra fields with times: "UT" (extended timestamp), "UX" (old Info-ZIP) and PKWARE's for Unix.
const EXTENDED_TIMESTAMP: u16 = 0x5455;
const OLD_UNIX: u16 = 0x5855;
const PKWARE_UNIX: u16 = 0x000d;

/// First DOS date from which unzip reads 32-bit times above 2^31 as times after 2038.
const DOS_2038: u32 = (2038 - 1980) << 25;

/// Returns the times of an entry, from its DOS field and the extra field of its local header.
///
/// [Measured] unzip reads the local header only. A UT block counts if it has a modification time.
/// It takes precedence over an older block, whose second field is the modification time. A time
/// above 2^31 is ignored if the DOS date lies before 2038.
pub(super) fn time(dos: u32, local_extra: &[u8]) -> Result<Time> {
    let mut extended = None;
    let mut older = None;
    for (id, block) in directory::extra_blocks(local_extra) {
        let (slot, seconds) = match id {
            EXTENDED_TIMESTAMP => (
                &mut extended,
                (block.len() >= 5 && block[0] & 1 != 0).then(|| directory::u32_at(block, 1)),
            ),
            OLD_UNIX | PKWARE_UNIX => (
                &mut older,
                (block.len() >= 8).then(|| directory::u32_at(block, 4)),
            ),
            _ => continue,
        };
        if slot.replace(seconds).is_some() {
            return Err(ArchiveError::declined("the entry has several times"));
        }
    }
    let unix = match (extended, older) {
        (Some(None), Some(_)) => {
            return Err(ArchiveError::declined("the entry has contradictory times"));
        }
        (Some(seconds), _) | (None, Some(seconds)) => seconds,
        (None, None) => None,
    };
    let unix = match unix {
        Some(seconds) if seconds > i32::MAX.cast_unsigned() => {
            if dos >= DOS_2038 {
                return Err(ArchiveError::declined("the entry's time lies after 2038"));
            }
            None
        }
        other => other,
    };
    Ok(Time::Stamp { unix, dos })
}

/// Refuses a name that unzip would not write unchanged.
///
/// [Measured] The name of an entry without extra field is taken byte for byte, or as code page 850
/// if made on FAT or similar. With an extra field, the UTF-8 flag and the locale count. A Unicode
/// path field (APPNOTE 4.6.9) replaces a name without the flag.
pub(super) fn check_name_coding(
    central: &Central<'_>,
    local_extra: bool,
    limits: &Limits,
) -> Result<()> {
    let flagged = central.flags & FLAG_UTF8 != 0;
    if !flagged && central.extra_block(UNICODE_PATH).is_some() {
        return Err(ArchiveError::declined(
            "the entry has a second, unicode name",
        ));
    }
    if central.name.is_ascii() || std::str::from_utf8(central.name).is_err() {
        return Ok(());
    }
    let central_extra = !central.extra.is_empty();
    let as_text = flagged && central_extra && local_extra;
    let as_bytes = central.host == UNIX && !(flagged && (central_extra || local_extra));
    if as_text && !limits.utf8_locale {
        return Err(ArchiveError::declined(
            "the name is not ASCII and its spelling depends on the locale",
        ));
    }
    if as_text || as_bytes {
        Ok(())
    } else {
        Err(ArchiveError::declined(
            "the name is not ASCII and unzip would recode it",
        ))
    }
}

/// Returns whether the file name ends in a VMS version, which is a semicolon and digits. unzip
/// removes it.
pub(super) fn has_version_suffix(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once(';')
        .is_some_and(|(_, tail)| tail.bytes().all(|b| b.is_ascii_digit()))
}
