//! Makes a tree's directories and links with two threads and nothing else: the least time that an
//! installer with hard links can take on this machine.
//!
//! A plan is prepared before the measurement. It lists the tree in pieces, one for each package, so
//! that the measured process reads one file and makes system calls only. A piece is a sequence of
//! records: a letter, and one or two texts that end with a zero byte.

use std::ffi::CStr;
use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags};

use crate::error::{Error, Result, at};
use crate::tree;

/// The number of threads.
const THREADS: usize = 2;

/// A directory, as a path below the root. The records after it are its entries.
const DIRECTORY: u8 = b'd';
/// A file, as a name in the last directory.
const FILE: u8 = b'f';
/// A symbolic link, as a name in the last directory and a target.
const LINK: u8 = b'l';
/// The start of a piece, with an empty text.
const PIECE: u8 = b'p';

/// Copies a tree, and writes the plan that makes a third tree from the copy.
pub fn prepare(model: &Path, twin: &Path, plan: &Path) -> Result<()> {
    tree::remove(twin)?;
    tree::copy(model, twin)?;
    fs::write(plan, planned(twin)?).map_err(at(plan))
}

/// Returns the plan of a tree. Directories of the first two levels come first, for one thread; what
/// is below them are the pieces, the largest first.
fn planned(root: &Path) -> Result<Vec<u8>> {
    let mut plan = Vec::new();
    let mut pieces = Vec::new();
    let mut vendors = Vec::new();
    list(root, Path::new(""), &mut plan, &mut vendors)?;
    for vendor in vendors {
        let mut packages = Vec::new();
        list(root, Path::new(&vendor), &mut plan, &mut packages)?;
        for package in packages {
            let mut piece = Vec::new();
            let mut open = vec![package];
            while let Some(directory) = open.pop() {
                list(root, Path::new(&directory), &mut piece, &mut open)?;
            }
            pieces.push(piece);
        }
    }
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    for piece in pieces {
        plan.extend([PIECE, 0]);
        plan.extend(piece);
    }
    Ok(plan)
}

/// Appends the records of one directory to `plan`, and the paths of its directories to `below`.
fn list(
    root: &Path,
    directory: &Path,
    plan: &mut Vec<u8>,
    below: &mut Vec<std::path::PathBuf>,
) -> Result<()> {
    let mut record = |kind: u8, texts: &[&[u8]]| {
        plan.push(kind);
        for text in texts {
            plan.extend_from_slice(text);
            plan.push(0);
        }
    };
    record(DIRECTORY, &[directory.as_os_str().as_bytes()]);
    let path = root.join(directory);
    for entry in fs::read_dir(&path).map_err(at(&path))? {
        let entry = entry.map_err(at(&path))?;
        let kind = entry.file_type().map_err(at(&path))?;
        let name = entry.file_name();
        if kind.is_dir() {
            below.push(directory.join(name));
        } else if kind.is_symlink() {
            let target = fs::read_link(entry.path()).map_err(at(&path))?;
            record(LINK, &[name.as_bytes(), target.as_os_str().as_bytes()]);
        } else {
            record(FILE, &[name.as_bytes()]);
        }
    }
    Ok(())
}

/// Makes a tree from a plan and the tree's twin.
pub fn make(plan: &Path, twin: &Path, target: &Path) -> Result<()> {
    let text = fs::read(plan).map_err(at(plan))?;
    let (first, pieces) = split(&text)?;
    fs::create_dir(target).map_err(at(target))?;
    let maker = Maker {
        twin: File::open(twin).map_err(at(twin))?.into(),
        target: File::open(target).map_err(at(target))?.into(),
    };
    let next = AtomicUsize::new(0);
    let work = || -> std::result::Result<(), String> {
        while let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed)) {
            maker.piece(piece)?;
        }
        Ok(())
    };
    maker.piece(first)?;
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..THREADS).map(|_| scope.spawn(work)).collect();
        let mut result = work();
        for other in others {
            let other = other.join().map_err(|_| "a thread panicked".to_owned());
            result = result.and(other.and_then(|made| made));
        }
        result.map_err(Error::from)
    })
}

/// Splits a plan into the first levels and the pieces.
fn split(plan: &[u8]) -> Result<(&[u8], Vec<&[u8]>)> {
    let mut starts = Vec::new();
    let mut rest = plan;
    while let Some((kind, _, _, after)) = record(rest) {
        if kind == PIECE {
            starts.push((plan.len() - rest.len(), plan.len() - after.len()));
        }
        rest = after;
    }
    if !rest.is_empty() {
        return Err("the plan of the floor is damaged".into());
    }
    let ends = starts.iter().skip(1).map(|(start, _)| *start);
    let pieces = starts
        .iter()
        .zip(ends.chain([plan.len()]))
        .map(|((_, from), to)| &plan[*from..to])
        .collect();
    let first = starts.first().map_or(plan.len(), |(start, _)| *start);
    Ok((&plan[..first], pieces))
}

/// Returns the kind and texts of the first record, and what follows it. Only links have a second
/// text.
fn record(plan: &[u8]) -> Option<(u8, &CStr, &CStr, &[u8])> {
    let (kind, rest) = plan.split_first()?;
    let text = CStr::from_bytes_until_nul(rest).ok()?;
    let rest = &rest[text.to_bytes_with_nul().len()..];
    if *kind != LINK {
        return Some((*kind, text, c"", rest));
    }
    let target = CStr::from_bytes_until_nul(rest).ok()?;
    let rest = &rest[target.to_bytes_with_nul().len()..];
    Some((*kind, text, target, rest))
}

struct Maker {
    twin: OwnedFd,
    target: OwnedFd,
}

impl Maker {
    fn piece(&self, mut rest: &[u8]) -> std::result::Result<(), String> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut opened: Option<(OwnedFd, OwnedFd)> = None;
        while let Some((kind, name, target, after)) = record(rest) {
            let (from, to) = opened
                .as_ref()
                .map_or((&self.twin, &self.target), |(from, to)| (from, to));
            let made = match kind {
                DIRECTORY if name.is_empty() => Ok(()),
                DIRECTORY => (|| {
                    rustix::fs::mkdirat(&self.target, name, Mode::from_raw_mode(0o777))?;
                    opened = Some((
                        rustix::fs::openat(&self.twin, name, flags, Mode::empty())?,
                        rustix::fs::openat(&self.target, name, flags, Mode::empty())?,
                    ));
                    Ok(())
                })(),
                LINK => rustix::fs::symlinkat(target, to, name),
                _ => rustix::fs::linkat(from, name, to, name, AtFlags::empty()),
            };
            made.map_err(|error| format!("{}: {error}", name.to_string_lossy()))?;
            rest = after;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::parity;

    fn sample() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        let model = dir.path().join("model");
        for name in ["a/one/src/deep", "a/two", "bin", "b/empty"] {
            fs::create_dir_all(model.join(name)).expect("a directory");
        }
        for name in ["autoload.php", "a/one/src/deep/f.php", "a/two/g", "a/h"] {
            fs::write(model.join(name), name).expect("a file");
        }
        std::os::unix::fs::symlink("../a/two/g", model.join("bin/g")).expect("a link");
        dir
    }

    #[test]
    fn the_tree_is_made_of_links() {
        let dir = sample();
        let path = |name: &str| dir.path().join(name);
        prepare(&path("model"), &path("twin"), &path("plan")).expect("a plan");
        make(&path("plan"), &path("twin"), &path("made")).expect("a tree");
        let found = parity::compare(&path("model"), &path("made")).expect("readable");
        assert_eq!(found, parity::Comparison::default());
        let inode = |tree: &str| {
            let file = path(tree).join("a/one/src/deep/f.php");
            fs::metadata(file).expect("a file").ino()
        };
        assert_eq!(inode("twin"), inode("made"));
        assert_ne!(inode("model"), inode("made"));
    }

    #[test]
    fn a_second_tree_in_the_same_place_is_refused() {
        let dir = sample();
        let path = |name: &str| dir.path().join(name);
        prepare(&path("model"), &path("twin"), &path("plan")).expect("a plan");
        assert!(make(&path("plan"), &path("twin"), &path("model")).is_err());
    }

    #[test]
    fn a_damaged_plan_is_refused() {
        let dir = sample();
        let path = |name: &str| dir.path().join(name);
        prepare(&path("model"), &path("twin"), &path("plan")).expect("a plan");
        let plan = fs::read(path("plan")).expect("a plan");
        fs::write(path("plan"), &plan[..plan.len() - 1]).expect("a plan");
        assert!(make(&path("plan"), &path("twin"), &path("made")).is_err());
        assert!(!path("made").exists());
    }
}
