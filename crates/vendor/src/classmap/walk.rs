//! Walks the PHP files below a directory, in the order of Composer's Finder and with its
//! exceptions.
//!
//! The walk goes depth first in the order of `readdir`, and follows links. It skips names that
//! start with a dot, and directories of version control systems.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, stat, statat};
use serde::{Deserialize, Serialize};

use allegro_base::identity::Identity;
use allegro_base::progress;

/// Directories that `Finder::ignoreVCS` leaves out, apart from names that start with a dot.
const VCS: [&str; 3] = ["_svn", "CVS", "_darcs"];

/// The depth from which a tree is left to PHP. No package comes near.
const DEPTH: usize = 256;

/// A PHP file and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Path as Composer spells it. The path is shared, because several lists name each of a
    /// project's many files.
    pub path: Arc<str>,
    /// Path without links, where that differs.
    pub real: Option<Arc<str>>,
    /// Identity of the file when it was found.
    pub identity: Identity,
}

impl Found {
    /// Returns the path without links.
    pub fn real(&self) -> &Arc<str> {
        self.real.as_ref().unwrap_or(&self.path)
    }
}

/// A directory that was walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// Path as Composer spells it.
    pub path: String,
    /// Identity of the directory before it was read.
    pub identity: Identity,
    /// Path and identity of the directory's PHP files.
    pub files: Vec<(Arc<str>, Identity)>,
}

/// The target of a link, as far as the Finder is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// The link leads nowhere, or to something that the Finder skips.
    Nothing,
    /// The link leads to a PHP file, given by its path without links.
    File(String, Identity),
    /// The link leads to a directory to walk, given by its path without links.
    Directory(String),
}

/// The result of a walk.
#[derive(Debug, Default)]
pub struct Walk {
    /// Files, in the Finder's order.
    pub found: Vec<Found>,
    /// Directories that were walked.
    pub directories: Vec<Walked>,
    /// Paths that lead through links. Their targets may be replaced without a change in the
    /// directory of the link.
    pub links: Vec<(Arc<str>, Target)>,
    /// File that a rule names instead of a directory, if its path leads through no link.
    pub single: Option<(String, Identity)>,
}

/// The reason why a directory is left to PHP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declined(pub &'static str);

/// Returns whether Composer looks into a file of this name.
pub fn is_php(name: &str) -> bool {
    matches!(name.rsplit_once('.'), Some((_, "php" | "inc" | "hh")))
}

/// The error of a walk that the caller has cancelled.
pub const STOPPED: Declined = Declined("interrupted");

/// A walk under way.
struct Walker<'c> {
    cancel: &'c AtomicBool,
    /// Path of the current directory, as Composer spells it.
    path: String,
    /// Path of the current directory without links.
    real: String,
    walk: Walk,
}

/// Walks the files below `path`, an existing directory.
///
/// `path` is absolute and has neither `//` nor a slash at its end.
///
/// # Errors
/// [`Declined`] where PHP would throw an exception, and for names and shapes that PHP may see
/// differently. [`STOPPED`] if the walk was cancelled.
pub fn walk(path: &str, cancel: &AtomicBool) -> Result<Walk, Declined> {
    let real = real_path(path)?;
    let directory = open(rustix::fs::CWD, path)?;
    let mut walk = Walk::default();
    if real != path {
        walk.links.push((path.into(), follow(path)?));
    }
    let mut walker = Walker {
        cancel,
        path: path.to_owned(),
        real,
        walk,
    };
    walker.directory(&directory, 0)?;
    Ok(walker.walk)
}

/// Returns the path of an existing file without links.
pub fn real_path(path: &str) -> Result<String, Declined> {
    Path::new(path)
        .canonicalize()
        .ok()
        .and_then(|path| path.into_os_string().into_string().ok())
        .filter(|path| !path.contains('\\'))
        .ok_or(Declined("a path can't be resolved"))
}

/// Returns the target at a path, with links followed.
pub fn follow(path: &str) -> Result<Target, Declined> {
    // A link that leads nowhere is neither a file nor a directory for the Finder.
    let Ok(stat) = stat(path) else {
        return Ok(Target::Nothing);
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if is_php(name) => {
            Ok(Target::File(real_path(path)?, Identity::from(&stat)))
        }
        FileType::Directory if !VCS.contains(&name) => Ok(Target::Directory(real_path(path)?)),
        _ => Ok(Target::Nothing),
    }
}

fn open(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Declined> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty()).map_err(|_| Declined("a directory can't be read"))
}

impl Walker<'_> {
    fn directory(&mut self, directory: &OwnedFd, depth: usize) -> Result<(), Declined> {
        if depth > DEPTH {
            return Err(Declined("a tree is very deep"));
        }
        let stat = fstat(directory).map_err(|_| Declined("a directory can't be read"))?;
        let at = self.walk.directories.len();
        self.walk.directories.push(Walked {
            path: self.path.clone(),
            identity: Identity::from(&stat),
            files: Vec::new(),
        });
        let entries =
            Dir::read_from(directory).map_err(|_| Declined("a directory can't be read"))?;
        for entry in entries {
            let entry = entry.map_err(|_| Declined("a directory can't be read"))?;
            if self.cancel.load(Ordering::Relaxed) {
                return Err(STOPPED);
            }
            progress::step();
            let name = entry.file_name();
            if name.to_bytes().first() == Some(&b'.') {
                continue;
            }
            let Ok(name) = name.to_str() else {
                return Err(Declined("a name isn't UTF-8"));
            };
            if name.contains('\\') {
                return Err(Declined("a name has a backslash"));
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(_) => continue,
                },
                kind => kind,
            };
            match kind {
                FileType::RegularFile if is_php(name) => self.file(directory.as_fd(), name, at)?,
                FileType::Directory if !VCS.contains(&name) => {
                    let child = open(directory.as_fd(), name)?;
                    let (spelled, real) = (self.path.len(), self.real.len());
                    self.path.push('/');
                    self.path.push_str(name);
                    self.real.push('/');
                    self.real.push_str(name);
                    self.directory(&child, depth + 1)?;
                    self.path.truncate(spelled);
                    self.real.truncate(real);
                }
                FileType::Symlink => {
                    self.link(directory.as_fd(), name, depth)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, directory: BorrowedFd<'_>, name: &str, at: usize) -> Result<(), Declined> {
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|_| Declined("a file vanished"))?;
        let path: Arc<str> = format!("{}/{name}", self.path).into();
        let real = (self.path != self.real).then(|| format!("{}/{name}", self.real).into());
        let identity = Identity::from(&stat);
        self.walk.directories[at]
            .files
            .push((Arc::clone(&path), identity));
        self.walk.found.push(Found {
            path,
            real,
            identity,
        });
        Ok(())
    }

    /// Follows a link.
    fn link(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &str,
        depth: usize,
    ) -> Result<(), Declined> {
        let path = format!("{}/{name}", self.path);
        let target = follow(&path)?;
        let shared: Arc<str> = path.as_str().into();
        self.walk.links.push((Arc::clone(&shared), target.clone()));
        let real = match target {
            Target::Nothing => return Ok(()),
            Target::File(real, identity) => {
                self.walk.found.push(Found {
                    real: (real != path).then(|| real.into()),
                    path: shared,
                    identity,
                });
                return Ok(());
            }
            Target::Directory(real) => real,
        };
        // Older Finders follow the loop until the system stops them, and newer ones stop
        // themselves. Neither is worth copying.
        if Path::new(&self.real).starts_with(&real) {
            return Err(Declined("a link leads to a directory above it"));
        }
        let child = open(directory, name)?;
        let spelled = std::mem::replace(&mut self.path, path);
        let resolved = std::mem::replace(&mut self.real, real);
        self.directory(&child, depth + 1)?;
        self.path = spelled;
        self.real = resolved;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn names(root: &Path, below: &str) -> Result<Vec<(String, Option<String>)>, Declined> {
        let root = root.to_str().expect("UTF-8");
        let mut names: Vec<_> = walk(&format!("{root}/{below}"), &AtomicBool::new(false))?
            .found
            .into_iter()
            .map(|file| {
                (
                    file.path.replacen(root, "", 1),
                    file.real.map(|real| real.replacen(root, "", 1)),
                )
            })
            .collect();
        names.sort();
        Ok(names)
    }

    #[test]
    fn files_are_chosen_as_the_finder_does() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path().canonicalize().expect("real");
        for path in [
            "src/A.php",
            "src/b.inc",
            "src/c.hh",
            "src/d.PHP",
            "src/e.php.txt",
            "src/.f.php",
            "src/.hidden/G.php",
            "src/CVS/H.php",
            "src/deep/er/I.php",
            "src/php",
            "other/J.php",
        ] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("directory");
            fs::write(path, "<?php").expect("file");
        }
        symlink("../other", root.join("src/linked")).expect("link");
        symlink("A.php", root.join("src/K.php")).expect("link");
        symlink("nowhere", root.join("src/L.php")).expect("link");
        let file = |path: &str| (path.to_owned(), None);
        assert_eq!(
            names(&root, "src").expect("walked"),
            [
                file("/src/A.php"),
                ("/src/K.php".to_owned(), Some("/src/A.php".to_owned())),
                file("/src/b.inc"),
                file("/src/c.hh"),
                file("/src/deep/er/I.php"),
                (
                    "/src/linked/J.php".to_owned(),
                    Some("/other/J.php".to_owned())
                ),
            ]
        );
    }

    #[test]
    fn a_walk_that_is_cancelled_ends_early() {
        let dir = tempfile::tempdir().expect("temporary directory");
        fs::write(dir.path().join("a.php"), "<?php").expect("a file");
        let path = dir.path().canonicalize().expect("real");
        let stopped = walk(path.to_str().expect("UTF-8"), &AtomicBool::new(true));
        assert_eq!(stopped.expect_err("no walk"), STOPPED);
    }

    #[test]
    fn loops_and_odd_names_are_left_to_php() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path().canonicalize().expect("real");
        fs::create_dir_all(root.join("a/b")).expect("directories");
        symlink("..", root.join("a/b/up")).expect("link");
        assert!(names(&root, "a").is_err());
        fs::remove_file(root.join("a/b/up")).expect("removed");
        assert_eq!(names(&root, "a").expect("walked"), []);
        fs::write(root.join("a/x\\y.php"), "").expect("file");
        assert!(names(&root, "a").is_err());
    }
}
