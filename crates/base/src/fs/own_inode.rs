//! Parts a file from the other names of its inode.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use super::unique;
use crate::error::{Result, at};

/// Gives a file an inode of its own if it has several names, so that a change doesn't reach the
/// other names. Mode, owner and times stay as they are, and so do the times of the directory.
pub fn own_inode(path: &Path) -> Result<()> {
    let Ok(facts) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !facts.is_file() || facts.nlink() < 2 {
        return Ok(());
    }
    let mut name = OsString::from(".allegro-");
    name.push(unique());
    let copy = path.with_file_name(name);
    let parent = path.parent().unwrap_or(Path::new("/"));
    let times_of_parent = fs::metadata(parent).map(|facts| times(&facts)).ok();
    let copied = fs::copy(path, &copy).and_then(|_| {
        // Only root may give files away.
        let _ = chown(&copy, Some(facts.uid()), Some(facts.gid()));
        fs::set_permissions(&copy, fs::Permissions::from_mode(facts.mode() & 0o7777))?;
        utimensat(CWD, &copy, &times(&facts), AtFlags::empty())?;
        fs::rename(&copy, path)
    });
    if let Some(times) = times_of_parent {
        let _ = utimensat(CWD, parent, &times, AtFlags::empty());
    }
    copied.map_err(|error| {
        let _ = fs::remove_file(&copy);
        at("copying", path)(error)
    })
}

fn times(facts: &fs::Metadata) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: facts.atime(),
            tv_nsec: facts.atime_nsec(),
        },
        last_modification: Timespec {
            tv_sec: facts.mtime(),
            tv_nsec: facts.mtime_nsec(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_file_becomes_the_projects_own() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        fs::write(&one, "x").expect("written");
        fs::set_permissions(&one, fs::Permissions::from_mode(0o755)).expect("chmod");
        fs::hard_link(&one, &two).expect("linked");
        own_inode(&two).expect("copied");
        let (old, new) = (
            fs::metadata(&one).expect("there"),
            fs::metadata(&two).expect("there"),
        );
        assert_ne!(old.ino(), new.ino());
        assert_eq!(old.mode(), new.mode());
        assert_eq!(old.mtime_nsec(), new.mtime_nsec());
    }
}
