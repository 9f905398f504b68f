//! Writes generated files as Composer does: only where the content differs, and keeping owner,
//! group, mode and ACL of a file that is there already.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use allegro_base::error::{Result, at};
use allegro_base::fs::unique;

use crate::ops::replace;
use crate::protocol::replace::ReplaceRequest;

/// Writes a file if its content is another one (`Filesystem::filePutContentsIfModified`, composer
/// 2.10.2). Returns whether it was written.
///
/// A reader sees the old content or the new one, never a part of it.
pub fn write_if_modified(path: &Path, content: &[u8]) -> Result<bool> {
    match fs::read(path) {
        Ok(old) if old == content => return Ok(false),
        Ok(_) => replace_content(path, content)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path, content)?,
        Err(error) => return Err(at("reading", path)(error)),
    }
    Ok(true)
}

/// Removes a file that may be missing. Returns whether it was there.
pub fn remove_if_present(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(at("removing", path)(error)),
    }
}

/// Creates a file with the mode that the umask leaves, complete from its first moment.
fn create(path: &Path, content: &[u8]) -> Result<()> {
    let temporary = beside(path);
    let written = write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        at("writing", path)(error)
    })
}

fn replace_content(path: &Path, content: &[u8]) -> Result<()> {
    let temporary = beside(path);
    if write(&temporary, content).is_ok() {
        let request = ReplaceRequest {
            temporary: temporary.clone(),
            path: path.to_owned(),
        };
        if replace(&request).replaced {
            return Ok(());
        }
    }
    let _ = fs::remove_file(&temporary);
    // A link, or a file with attributes that can't be carried over, is written in place.
    fs::write(path, content).map_err(at("writing", path))
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)?;
    file.write_all(content)
}

fn beside(path: &Path) -> std::path::PathBuf {
    let mut name = std::ffi::OsString::from(".allegro-");
    name.push(unique());
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn equal_content_leaves_the_file_alone() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("a");
        assert!(write_if_modified(&path, b"one").expect("written"));
        let inode = fs::metadata(&path).expect("there").ino();
        assert!(!write_if_modified(&path, b"one").expect("read"));
        assert_eq!(fs::metadata(&path).expect("there").ino(), inode);
        assert!(write_if_modified(&path, b"two").expect("written"));
        assert_eq!(fs::read(&path).expect("read"), b"two");
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, "old").expect("written");
        std::os::unix::fs::symlink(&target, &link).expect("linked");
        assert!(write_if_modified(&link, b"new").expect("written"));
        assert_eq!(fs::read(&target).expect("read"), b"new");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    }
}
