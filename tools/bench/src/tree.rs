//! Provides operations on whole trees between runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::error::{Result, at};

/// Removes the file or directory at a path, if there is one.
pub fn remove(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path).map_err(at(path)),
        Ok(_) => fs::remove_file(path).map_err(at(path)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(at(path)(error)),
    }
}

/// Writes all caches to disk, then waits until the journal is idle.
pub fn settle(rest: Duration) {
    rustix::fs::sync();
    std::thread::sleep(rest);
}

/// Copies a small tree.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(at(to))?;
    for entry in fs::read_dir(from).map_err(at(from))? {
        let entry = entry.map_err(at(from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().map_err(at(&source))?;
        if kind.is_dir() {
            copy(&source, &target)?;
        } else if kind.is_symlink() {
            let link = fs::read_link(&source).map_err(at(&source))?;
            std::os::unix::fs::symlink(link, &target).map_err(at(&target))?;
        } else {
            fs::copy(&source, &target).map_err(at(&source))?;
        }
    }
    Ok(())
}

/// Returns the bytes in use on the file system of a path.
pub fn used(path: &Path) -> Result<u64> {
    rustix::fs::sync();
    let stat = rustix::fs::statvfs(path).map_err(|error| at(path)(error.into()))?;
    Ok((stat.f_blocks - stat.f_bfree) * stat.f_frsize)
}
