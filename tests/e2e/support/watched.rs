//! Watches the second project on a scene's store.
//!
//! A command with Allegro may leave files with several links in the project. Each of these files
//! gets one more link in `watched/`, as another project on the same store would have it. Before
//! each command with Allegro the watch notes the state of these files, and after it compares them.
//! It compares content, mode, owner, modification time to the nanosecond, ACLs and attributes. Link
//! counts and the time of the last status change don't count. A test may itself change files
//! between two commands without blaming Allegro.
//!
//! Of large projects, only the first thousand files are watched that together have at most 16 MiB.
//! Each command that adds or removes a link makes the watch read them all again.
//!
//! A test that needs exact link counts, or that edits through links while a command runs, calls
//! [`super::Scene::unwatched`] and says why.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::snapshot::{Node, show};

/// The number of files that are watched.
const MOST_FILES: usize = 1_000;
/// The number of bytes that the watched files have together.
const MOST_BYTES: u64 = 16 << 20;

/// Files of the second project, with their expected state.
#[derive(Debug)]
pub(super) struct Watch {
    dir: PathBuf,
    /// Directories of the scene that are no project.
    skipped: Vec<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_off: bool,
    /// The command that has begun and whose changes are not compared yet.
    pending: Option<String>,
    /// Files by device and inode.
    files: HashMap<(u64, u64), File>,
    /// The sum of the files' sizes.
    bytes: u64,
}

#[derive(Debug)]
struct File {
    /// Path of the file in the scene's project.
    origin: PathBuf,
    link: PathBuf,
    known: Exact,
}

#[derive(Debug, PartialEq, Eq)]
struct Exact {
    node: Node,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Exact {
    fn of(path: &Path, metadata: &Metadata) -> std::io::Result<Self> {
        Ok(Self {
            node: Node::of_file(path, metadata)?,
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: changed(metadata),
        })
    }
}

fn changed(metadata: &Metadata) -> (i64, i64) {
    (metadata.ctime(), metadata.ctime_nsec())
}

impl Watch {
    /// Returns the watch of the scene at `scene`.
    pub(super) fn new(scene: &Path) -> Self {
        let below = |name: &str| scene.join(name);
        Self {
            dir: below("watched"),
            skipped: [
                "watched",
                "store",
                "cache-allegro",
                "cache-plain",
                "home",
                "served",
            ]
            .map(below)
            .into(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the watch and removes the second project.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        *state = State {
            is_off: true,
            ..State::default()
        };
        let _ = fs::remove_dir_all(&self.dir);
    }

    /// Notes the state of the files before a command.
    #[track_caller]
    pub(super) fn before(&self, command: String, project: &Path) {
        let mut state = self.state();
        if state.is_off {
            return;
        }
        if let Some(pending) = state.pending.take() {
            // The test started the command itself, so nothing reported its end.
            let found = Self::compare(&mut state);
            judge(&pending, &found);
            self.extend(&mut state, project);
        } else {
            let _ = Self::compare(&mut state);
        }
        state.pending = Some(command);
    }

    /// Compares the files after a command that ran in one of these directories, then watches the
    /// installed files too.
    #[track_caller]
    pub(super) fn after(&self, command: &str, projects: &[&Path]) {
        let mut state = self.state();
        if state.is_off {
            return;
        }
        state.pending = None;
        let found = Self::compare(&mut state);
        judge(command, &found);
        for project in projects {
            self.extend(&mut state, project);
        }
    }

    /// Finds the files that have changed, and takes their new state as the expected one.
    fn compare(state: &mut State) -> String {
        let mut found = String::new();
        for file in state.files.values_mut() {
            let now = fs::symlink_metadata(&file.link).and_then(|metadata| {
                // No change is possible without a change of the status time.
                if changed(&metadata) == file.known.changed {
                    Ok(None)
                } else {
                    Exact::of(&file.link, &metadata).map(Some)
                }
            });
            match now {
                Ok(None) => {}
                Ok(Some(now)) => {
                    if now.node != file.known.node || now.modified != file.known.modified {
                        let _ = writeln!(
                            found,
                            "{}: {} ({:?}) | {} ({:?})",
                            file.origin.display(),
                            show(&file.known.node, &now.node),
                            file.known.modified,
                            show(&now.node, &file.known.node),
                            now.modified,
                        );
                    }
                    file.known = now;
                }
                Err(error) => {
                    let _ = writeln!(found, "{}: {error}", file.origin.display());
                }
            }
        }
        found
    }

    /// Links files of a project that have several links and aren't watched yet.
    fn extend(&self, state: &mut State, dir: &Path) {
        if state.files.len() >= MOST_FILES || self.skipped.iter().any(|skipped| skipped == dir) {
            return;
        }
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            if metadata.is_dir() {
                self.extend(state, &path);
            } else if metadata.is_file() && metadata.nlink() > 1 && state.files.len() < MOST_FILES {
                self.add(state, path, &metadata);
            }
        }
    }

    /// Links a file and watches it. A file that can't be linked isn't watched: it is on another
    /// file system, or has as many links as possible.
    fn add(&self, state: &mut State, origin: PathBuf, metadata: &Metadata) {
        let identity = (metadata.dev(), metadata.ino());
        let bytes = state.bytes + metadata.len();
        if state.files.contains_key(&identity) || bytes > MOST_BYTES {
            return;
        }
        let link = self.dir.join(state.files.len().to_string());
        let known = fs::create_dir_all(&self.dir)
            .and_then(|()| fs::hard_link(&origin, &link))
            .and_then(|()| Exact::of(&link, &fs::symlink_metadata(&link)?));
        if let Ok(known) = known {
            let file = File {
                origin,
                link,
                known,
            };
            state.files.insert(identity, file);
            state.bytes = bytes;
        }
    }
}

#[track_caller]
fn judge(command: &str, found: &str) {
    assert!(
        found.is_empty(),
        "`composer {command}` changed files of another project on the same store: before | after\n{found}"
    );
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.state();
        if let Some(pending) = state.pending.take()
            && !std::thread::panicking()
        {
            let found = Self::compare(&mut state);
            drop(state);
            judge(&pending, &found);
        }
    }
}
