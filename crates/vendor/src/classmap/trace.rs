//! Keeps the trace of a whole walk, so that a later scan can skip the walk. If each directory and
//! each file is unchanged, the class map is too.
//!
//! A trace is on disk as sealed [`Contents`] (see [`Record::Walk`]). It exists only where all
//! directories and files had settled ([`Clock`]). Links are followed anew each time, because their
//! targets may be replaced without any change beside the link.

use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags, fstat, lstat, open, statat};
use serde::{Deserialize, Serialize};

use super::scan::Seen;
use super::walk::{Target, follow};
use allegro_base::identity::{Clock, Identity};
use allegro_base::progress;
use allegro_store::Record;

#[derive(Serialize, Deserialize)]
struct TraceContents<'a> {
    /// Digest of the class map that the walk led to.
    digest: [u8; 32],
    #[serde(borrow)]
    directories: Vec<Directory<'a>>,
    #[serde(borrow)]
    files: Vec<(&'a str, Identity)>,
    #[serde(borrow)]
    links: Vec<(&'a str, Target)>,
}

#[derive(Serialize, Deserialize)]
struct Directory<'a> {
    path: &'a str,
    identity: Identity,
    #[serde(borrow)]
    files: Vec<(&'a str, Identity)>,
}

/// Returns the bytes of a trace that is kept at `place`. Returns `None` if something had not
/// settled, so that a later change might not show.
pub fn encode(place: &str, digest: [u8; 32], seen: &Seen, clock: &Clock) -> Option<Vec<u8>> {
    let mut directories = Vec::with_capacity(seen.directories.len());
    for directory in &seen.directories {
        let settled = clock.has_settled(&directory.identity)
            && directory
                .files
                .iter()
                .all(|(_, identity)| clock.has_settled(identity));
        if !settled {
            return None;
        }
        directories.push(Directory {
            path: &directory.path,
            identity: directory.identity,
            files: directory
                .files
                .iter()
                .map(|(path, identity)| (name(path), *identity))
                .collect(),
        });
    }
    let files: Vec<(&str, Identity)> = seen
        .files
        .iter()
        .map(|(path, identity)| (path.as_str(), *identity))
        .collect();
    if !files
        .iter()
        .all(|(_, identity)| clock.has_settled(identity))
    {
        return None;
    }
    let mut links = Vec::with_capacity(seen.links.len());
    for (path, target) in &seen.links {
        if matches!(target, Target::File(_, identity) if !clock.has_settled(identity)) {
            return None;
        }
        links.push((&**path, target.clone()));
    }
    links.sort_by_key(|(path, _)| *path);
    links.dedup();
    // Rules overlap, but each directory need be checked only once.
    directories.sort_by_key(|directory| directory.path);
    directories.dedup_by_key(|directory| directory.path);
    Some(Record::Walk.encode(
        place,
        &TraceContents {
            digest,
            directories,
            files,
            links,
        },
    ))
}

/// Returns the last part of a path.
fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The result of checking a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkState {
    /// All directories, files and links are unchanged.
    Same,
    /// A directory, file or link has changed.
    Changed,
    /// No trace of the walk that led to this class map is known.
    Unknown,
}

/// Checks whether the walk that led to the class map `digest` would find the same again. The
/// verdict of a cancelled check is meaningless.
pub fn check(place: &str, bytes: &[u8], digest: [u8; 32], cancel: &AtomicBool) -> WalkState {
    let Some(contents) = Record::Walk.decode::<TraceContents<'_>>(place, bytes) else {
        return WalkState::Unknown;
    };
    if contents.digest != digest {
        return WalkState::Unknown;
    }
    let file = |(path, identity): &(&str, Identity)| {
        lstat(*path).map(|stat| Identity::from(&stat)) == Ok(*identity)
    };
    let same = contents.files.iter().all(file)
        && contents
            .links
            .iter()
            .all(|(path, target)| follow(path).as_ref() == Ok(target))
        && contents
            .directories
            .par_iter()
            .with_min_len(64)
            .all(|directory| {
                progress::step();
                !cancel.load(Ordering::Relaxed) && directory.is_the_same()
            });
    if same {
        WalkState::Same
    } else {
        WalkState::Changed
    }
}

impl Directory<'_> {
    fn is_the_same(&self) -> bool {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(directory) = open(self.path, flags, Mode::empty()) else {
            return false;
        };
        let same = |stat| Identity::from(&stat);
        fstat(&directory).map(same) == Ok(self.identity)
            && self.files.iter().all(|(name, identity)| {
                statat(&directory, *name, AtFlags::SYMLINK_NOFOLLOW).map(same) == Ok(*identity)
            })
    }
}

/// The record's decoder, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub const FUZZED: allegro_base::testing::records::RecordKind =
    allegro_base::testing::records::RecordKind {
        magic: *Record::Walk.magic(),
        again: |bytes| {
            allegro_base::testing::records::again::<TraceContents<'_>>(*Record::Walk.magic(), bytes)
        },
    };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classmap::walk::walk;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::time::Duration;

    const DIGEST: [u8; 32] = [7; 32];

    /// Makes a project with links to a file and a directory outside, and one that leads nowhere.
    fn project(root: &Path) {
        for path in ["src/A.php", "out/one/B.php", "out/two/B.php", "out/C.php"] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
            fs::write(path, "<?php").expect("a file");
        }
        symlink("../out/one", root.join("src/dir")).expect("a link");
        symlink("../out/C.php", root.join("src/C.php")).expect("a link");
        symlink("../out/D.php", root.join("src/D.php")).expect("a link");
        symlink("src", root.join("root")).expect("a link");
        // The project must have settled before the test goes on.
        std::thread::sleep(Duration::from_millis(40));
    }

    fn trace(root: &Path) -> Vec<u8> {
        let clock = Clock::start(root);
        let rule = root.join("root");
        let walk = walk(rule.to_str().expect("UTF-8"), &AtomicBool::new(false)).expect("a walk");
        let seen = Seen {
            directories: walk.directories,
            files: Vec::new(),
            links: walk.links,
        };
        encode("here", DIGEST, &seen, &clock).expect("everything has settled")
    }

    /// Returns the verdict on a project after a change.
    fn state(change: impl FnOnce(&Path)) -> WalkState {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path().canonicalize().expect("real");
        project(&root);
        let trace = trace(&root);
        change(&root);
        check("here", &trace, DIGEST, &AtomicBool::new(false))
    }

    /// Replaces a link by another one in one step, so that its directory changes as little as
    /// possible.
    fn relink(root: &Path, link: &str, target: &str) {
        let beside = root.join("beside");
        symlink(target, &beside).expect("a link");
        fs::rename(beside, root.join(link)).expect("renamed");
    }

    #[test]
    fn a_project_with_links_is_told_by_its_trace() {
        assert_eq!(state(|_| {}), WalkState::Same);
        // A file that no link leads to doesn't matter.
        let elsewhere = |root: &Path| fs::write(root.join("out/two/E.php"), "").expect("a file");
        assert_eq!(state(elsewhere), WalkState::Same);
    }

    #[test]
    fn what_links_lead_to_may_change() {
        let write = |path: &'static str| {
            move |root: &Path| fs::write(root.join(path), "<?php class X {}").expect("written")
        };
        for path in ["out/C.php", "out/D.php", "out/one/B.php", "out/one/E.php"] {
            assert_eq!(state(write(path)), WalkState::Changed, "{path}");
        }
        assert_eq!(
            state(|root| relink(root, "root", "out/one")),
            WalkState::Changed
        );
        assert_eq!(
            state(|root| relink(root, "out/D.php", "two/B.php")),
            WalkState::Changed
        );
        assert_eq!(
            state(|root| {
                fs::rename(root.join("out/one"), root.join("out/three")).expect("renamed");
                relink(root, "out/one", "three");
            }),
            WalkState::Changed
        );
    }

    #[test]
    fn a_check_that_is_cancelled_ends_early() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path().canonicalize().expect("real");
        project(&root);
        let state = check("here", &trace(&root), DIGEST, &AtomicBool::new(true));
        assert_eq!(state, WalkState::Changed);
    }
}
