//! File operations that more than one part needs: atomic writes, tree removal, cheap unique names.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

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

/// Writes a file of a cache, and its directory if that is missing; something that a file can't replace is
/// moved aside.
pub fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let Err(error) = write_atomically(path, bytes) else {
        return Ok(());
    };
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            if let Some(directory) = path.parent() {
                make_directory(directory)?;
            }
        }
        io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty => move_aside(path)?,
        _ => return Err(error),
    }
    write_atomically(path, bytes)
}

/// Renames a file to its place in a cache; something that a file can't replace is moved aside.
pub fn rename_over(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => move_aside(to)?,
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            if let Some(directory) = to.parent() {
                make_directory(directory)?;
            }
        }
        result => return result,
    }
    fs::rename(from, to)
}

/// Makes a directory with its parents; something else that stands in its place is moved aside.
pub fn make_directory(path: &Path) -> io::Result<()> {
    let made = fs::create_dir_all(path);
    let Err(error) = made else { return Ok(()) };
    if let Some(odd) = path
        .ancestors()
        .take(2)
        .find(|path| fs::symlink_metadata(path).is_ok_and(|facts| !facts.is_dir()))
    {
        move_aside(odd)?;
        return fs::create_dir_all(path);
    }
    Err(error)
}

/// Gives something that shouldn't be there a name that nobody looks for.
pub fn move_aside(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    fs::rename(
        path,
        path.with_file_name(format!(".{name}.odd-{}", unique())),
    )
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

/// Opens a regular file for reading; `None` if there is none. Links are not followed, and nothing else
/// than a regular file is waited for.
pub fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags, Mode::empty()).map(File::from) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO | Errno::ISDIR) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Reads a regular file; `None` if there is none.
pub fn read_regular(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let Some(mut file) = open_regular(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Returns the time by the clock that stamps inodes, which stands still between two ticks, in nanoseconds
/// since 1970.
pub fn inode_clock() -> i64 {
    let time = clock_gettime(ClockId::RealtimeCoarse);
    time.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(time.tv_nsec)
}

/// Returns whether a file has an access ACL (acl(5)) beyond its mode.
pub fn has_acl(path: impl rustix::path::Arg) -> bool {
    rustix::fs::lgetxattr_query(path, "system.posix_acl_access").is_ok_and(|size| size > 0)
}

/// Returns whether new files in a directory get an ACL from it.
pub fn has_default_acl(path: impl rustix::path::Arg) -> bool {
    rustix::fs::lgetxattr_query(path, "system.posix_acl_default").is_ok_and(|size| size > 0)
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
