//! File operations that more than one part needs: atomic writes, tree removal, cheap unique names.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Writes `bytes` beside `path` and renames them into place, so that readers see the old file or the
/// new one and a crash leaves at most a temporary file.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    place_atomically(path, bytes).map(drop)
}

/// The same, and gives the file that was put there, whatever is there by now.
pub fn place_atomically(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let temporary = beside(path);
    let result = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o666)
            .open(&temporary)?;
        file.write_all(bytes)?;
        fs::rename(&temporary, path)?;
        Ok(file)
    })();
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// The same, for a directory that need not be there yet.
pub fn write_atomically_below(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match write_atomically(path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)?;
            }
            write_atomically(path, bytes)
        }
        other => other,
    }
}

/// A sibling of `path` that nobody else uses. It starts with a dot, so that class scans and shells skip it.
pub fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(String::new, |name| {
        name.to_string_lossy().chars().take(80).collect()
    });
    path.with_file_name(format!(".{name}.{}", unique()))
}

/// A word unique to this process and call.
pub fn unique() -> String {
    format!("{:x}-{:08x}", std::process::id(), fastrand::u32(..))
}

/// Whether the process of a name made by [`unique`] (possibly behind a prefix) is still running.
///
/// A pid that was given out again counts as running: what it left is then swept a run later.
pub fn owner_is_alive(unique: &str) -> bool {
    let Some(pid) = unique
        .split('-')
        .next()
        .and_then(|hex| i32::from_str_radix(hex, 16).ok())
        .and_then(rustix::process::Pid::from_raw)
    else {
        return false;
    };
    !matches!(
        rustix::process::test_kill_process(pid),
        Err(rustix::io::Errno::SRCH)
    )
}

/// Removes a file, a link or a whole tree; nothing there is fine. Links are never followed.
pub fn remove_all(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                // A package may hold directories without write permission; they are ours to remove.
                make_writable(path)?;
                fs::remove_dir_all(path)
            }
            other => other,
        },
        Ok(_) => fs::remove_file(path),
    }
}

fn make_writable(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

/// Opens a file for reading and says how long it is.
pub fn open_sized(path: &Path) -> io::Result<(File, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_atomic_write_replaces_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("file");
        write_atomically(&path, b"one").expect("first");
        write_atomically(&path, b"two").expect("second");
        assert_eq!(fs::read(&path).expect("read"), b"two");
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_failed_atomic_write_leaves_nothing() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("taken");
        fs::create_dir(&path).expect("directory in the way");
        fs::write(path.join("inside"), b"x").expect("not empty");
        write_atomically(&path, b"one").expect_err("a directory is in the way");
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[test]
    fn removal_copes_with_locked_directories_and_does_not_follow_links() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("temporary directory");
        let outside = dir.path().join("outside");
        fs::write(&outside, b"kept").expect("outside");
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("locked")).expect("tree");
        fs::write(tree.join("locked/file"), b"x").expect("file");
        std::os::unix::fs::symlink(&outside, tree.join("link")).expect("link");
        fs::set_permissions(tree.join("locked"), fs::Permissions::from_mode(0o500)).expect("lock");
        remove_all(&tree).expect("removed");
        assert!(!tree.exists());
        assert!(outside.exists());
        remove_all(&tree).expect("nothing there is fine");
    }

    #[test]
    fn owners_are_told_alive_from_dead() {
        assert!(owner_is_alive(&unique()));
        assert!(!owner_is_alive("no pid"));
        let mut child = std::process::Command::new("true").spawn().expect("a child");
        let pid = child.id();
        child.wait().expect("ended");
        assert!(!owner_is_alive(&format!("{pid:x}-0")));
    }
}
