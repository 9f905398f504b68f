//! The functions behind the fuzz targets: each reads bytes that somebody else may have made, and
//! panics if a promise is broken.
//! ! `fuzz/` runs them under libFuzzer, and the tests here with the seeds and some thousand damaged
//copies of them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::archive::{Archive, ArchiveError, ArchiveKind, Entry, EntryKind, FileSink, Limits};
use crate::classmap::{self, Dialect, find_classes};
use crate::json::PhpJson;
use crate::resolve::constraint::{Op, Terms};
use crate::resolve::metadata::Metadata;
use crate::resolve::outline::{Kind, Outline};
use crate::resolve::version;
use crate::resolve::versions::Versions;
use crate::sealed::fuzzing::seal;
use crate::{helper, ops, store};

#[cfg(test)]
mod tests;

/// A target: its name and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets; each has a file in `fuzz/fuzz_targets` and seeds in `fuzz/seeds`.
pub const TARGETS: [Target; 9] = [
    ("zip", zip),
    ("tar", tar),
    ("manifest", manifest),
    ("records", records),
    ("outline", outline),
    ("metadata", metadata),
    ("constraint", constraint),
    ("scanner", scanner),
    ("request", request),
];

/// Reads a zip.
pub fn zip(data: &[u8]) {
    archive(data, ArchiveKind::Zip);
}

/// Reads a tar. With an odd first byte the checksums of its headers are put right, else nothing
/// gets past them.
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

/// Most bytes that a target's archive may unpack to.
const MOST: u64 = 1 << 20;

fn archive(data: &[u8], kind: ArchiveKind) {
    // Archives are read by their path.
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

/// Counts what it is given.
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

/// Reads a manifest of the store.
pub fn manifest(data: &[u8]) {
    let Some((manifest, again)) = store::fuzzed_manifest(data) else {
        return;
    };
    for item in &manifest.items {
        let is_odd = |part: &str| matches!(part, "" | "." | "..");
        assert!(!item.path.split('/').any(is_odd), "{:?}", item.path);
        assert!(item.mode_under(0) <= 0o777);
        let _ = manifest.times[item.time as usize];
    }
    manifest.files_and_bytes();
    manifest.link_that_leads_out();
    assert!(
        again.len() < 16 + 16 * data.len() + 64,
        "a manifest that grows"
    );
}

fn kinds() -> impl Iterator<Item = crate::sealed::fuzzing::Kind> {
    store::FUZZED
        .into_iter()
        .chain(classmap::FUZZED)
        .chain(ops::FUZZED)
}

/// Reads a record of the store. The first byte chooses the kind.
pub fn records(data: &[u8]) {
    let Some((first, payload)) = data.split_first() else {
        return;
    };
    let Some(kind) = kinds().nth(usize::from(*first) % kinds().count()) else {
        return;
    };
    assert_eq!(
        (kind.again)(payload),
        None,
        "a record without a seal counts"
    );
    if let Some(once) = (kind.again)(&seal(kind.magic, payload)) {
        let twice = (kind.again)(&once);
        assert_eq!(
            twice.as_ref(),
            Some(&once),
            "a record is read as another one"
        );
    }
}

/// Reads an outline of the store.
pub fn outline(data: &[u8]) {
    let Ok(outline) = postcard::from_bytes::<Outline>(data) else {
        return;
    };
    if outline.is_whole() {
        walk(outline);
    }
}

/// Reads everything that an outline refers to.
fn walk(outline: Outline) {
    let bytes = postcard::to_stdvec(&outline).expect("an outline can be encoded");
    assert_eq!(
        postcard::from_bytes::<Outline>(&bytes).as_ref(),
        Ok(&outline)
    );
    let outline = Arc::new(outline);
    for (at, version) in outline.versions.iter().enumerate() {
        outline.text(version.pretty);
        outline.needs(at);
        for kind in [Kind::Require, Kind::Conflict, Kind::Replace, Kind::Provide] {
            if let Ok(links) = outline.links(version.group, kind) {
                links.count();
            }
        }
    }
    let mut terms = Terms::new(version::Dialect::default());
    let Ok(read) = Metadata::of(&mut terms, outline, "a/a") else {
        return;
    };
    for entry in 0..read.entries.len() {
        read.kind(entry);
        read.written(entry, Kind::Require, read.pretty(entry));
        let _ = read.links(&mut terms, entry);
    }
}

/// Reads metadata of a repository.
pub fn metadata(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(json) = PhpJson::of(text.to_owned()) else {
        return;
    };
    let Ok(Some(versions)) = Versions::read(json, "a/a") else {
        return;
    };
    let Ok(outline) = Outline::of(&versions) else {
        return;
    };
    assert!(outline.is_whole());
    assert_eq!(outline.versions.len(), versions.len());
    for version in 0..versions.len() {
        let needed = &text[..outline.needs(version)];
        let told = outline.whole(version, needed);
        assert_eq!(told.is_ok(), outline.whole(version, text).is_ok());
        if let Ok(told) = told {
            serde_json::from_str::<serde::de::IgnoredAny>(&told).expect("a version is JSON");
        }
    }
    walk(outline);
}

/// Parses two constraints and a version, a line each.
pub fn constraint(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.splitn(3, '\n');
    let mut next = || lines.next().unwrap_or_default();
    let (one, other, pretty) = (next(), next(), next());
    version::stability(pretty);
    version::numeric_alias_prefix(pretty);
    version::normalize_branch(pretty);
    let mut terms = Terms::new(version::Dialect::default());
    let version = terms.normalized(pretty);
    let parsed = [one, other].map(|text| terms.parse(text));
    for constraint in parsed.into_iter().flatten() {
        terms.constraint_text(constraint);
        if let Some(version) = version {
            let exactly = terms.version_of(version).text().to_owned();
            let exactly = terms.single(Op::Eq, &exactly);
            let fits = terms.fits(constraint, version);
            assert_eq!(fits, terms.matches(constraint, exactly), "{text:?}");
        }
    }
    if let [Some(one), Some(other)] = parsed {
        assert_eq!(
            terms.matches(one, other),
            terms.matches(other, one),
            "{text:?}"
        );
    }
}

/// Looks for the classes of a PHP file. The first byte chooses the dialect.
pub fn scanner(data: &[u8]) {
    let Some((first, source)) = data.split_first() else {
        return;
    };
    let dialect = Dialect {
        php: [80_100, 80_200, 80_300, 80_400, 80_500][usize::from(first >> 2) % 5],
        short_open_tag: first & 1 == 1,
        backslash_guards: first & 2 == 2,
    };
    let read = find_classes(source, dialect);
    assert_eq!(
        read,
        find_classes(source, dialect),
        "a second reading differs"
    );
    for name in read.into_iter().flatten() {
        assert!(!name.is_empty() && !name.contains(&0), "{name:?}");
        assert!(name.len() <= 2 * source.len(), "a name out of nothing");
    }
}

/// Reads a request of the plugin, a line of the helper's input.
pub fn request(data: &[u8]) {
    if let Ok(line) = std::str::from_utf8(data) {
        helper::fuzzed(line);
    }
}
