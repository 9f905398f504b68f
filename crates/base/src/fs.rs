//! Provides shared file operations: atomic writes, removal of trees, cheap unique names, and inode
//! facts.

mod own_inode;

pub use own_inode::own_inode;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

/// Writes `bytes` to a file beside `path` and renames it into place. Readers see the old file or
/// the new one, and a crash leaves at most a temporary file.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    place_atomically(path, bytes).map(drop)
}

/// Writes like [`write_atomically`] and returns the open file. Another process may have replaced
/// the file at `path` since then.
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

/// Writes a file of a cache and creates the directories that lead to it from `root`. Anything else
/// in the way is moved aside.
pub fn put(root: &Path, place: &str, bytes: &[u8]) -> io::Result<()> {
    if let Some((directory, _)) = place.rsplit_once('/') {
        make_directories(root, directory)?;
    }
    let path = root.join(place);
    match write_atomically(&path, bytes) {
        Err(error) if is_directory_in_the_way(&error) => {
            move_aside(&path)?;
            write_atomically(&path, bytes)
        }
        result => result,
    }
}

/// Renames a file to its place in a cache. A directory in the way is moved aside.
pub fn rename_over(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if is_directory_in_the_way(&error) => {
            move_aside(to)?;
            fs::rename(from, to)
        }
        result => result,
    }
}

fn is_directory_in_the_way(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty
    )
}

/// Creates the directories of a place below `root`. `root` itself is created as named if it is
/// missing. Symbolic links are not followed: they and all other non-directories are moved aside.
pub fn make_directories(root: &Path, place: &str) -> io::Result<()> {
    let mut path = root.to_owned();
    for part in place.split('/') {
        path.push(part);
        match fs::symlink_metadata(&path) {
            Ok(facts) if facts.is_dir() => continue,
            Ok(_) => move_odd_aside(&path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(&path)?,
            // Another process created it first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            result => result?,
        }
    }
    Ok(())
}

/// Moves a non-directory at `path` aside. It checks again under a lock, because another thread may
/// have created the directory since the caller's check.
pub fn move_odd_aside(path: &Path) -> io::Result<()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock();
    match fs::symlink_metadata(path) {
        Ok(facts) if !facts.is_dir() => move_aside(path),
        _ => Ok(()),
    }
}

/// Renames an unexpected file or directory to a hidden name that nothing looks up.
pub fn move_aside(path: &Path) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    fs::rename(
        path,
        path.with_file_name(format!(".{name}.odd-{}", unique())),
    )
}

/// Returns an unused sibling path of `path`. Its name starts with a dot, so that class scans and
/// shells skip it.
pub fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().map_or_else(String::new, |name| {
        name.to_string_lossy().chars().take(80).collect()
    });
    path.with_file_name(format!(".{name}.{}", unique()))
}

/// Returns a word that is unique to this process and call.
pub fn unique() -> String {
    format!("{:x}-{:08x}", std::process::id(), fastrand::u32(..))
}

/// Returns whether the process that made a name with [`unique`] is still running.
///
/// A reused pid counts as running. The leftovers of the dead process are then swept one run later.
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

/// Removes a file, a symbolic link or a whole tree. A missing path is not an error. Links are never
/// followed.
///
/// # Errors
/// Returns the error of the first path that can't be removed. Everything else is removed by then.
pub fn remove_all(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let removed = if metadata.is_dir() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            // A package may hold directories without write permission. The caller owns them, so
            // they are removed.
            let _ = make_writable(path);
            remove_each(path)
        }
        other => other,
    }
}

/// Removes a tree entry by entry, and continues after an entry that can't be removed.
fn remove_each(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return match fs::remove_file(path) {
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && metadata.nlink() > 1 =>
            {
                remove_name(path).unwrap_or(Err(error))
            }
            other => other,
        };
    }
    let mut first = Ok(());
    for entry in fs::read_dir(path)? {
        let removed = entry.and_then(|entry| remove_each(&entry.path()));
        if first.is_ok() {
            first = removed;
        }
    }
    first.and_then(|()| fs::remove_dir(path))
}

/// Removes one name of an inode that carries an immutable or append-only flag (chattr(1)). The flag
/// was set for another name of the inode, which is another project's file. It is set again
/// afterwards. Returns `None` if the inode has no such flag.
#[cfg(target_os = "linux")]
fn remove_name(path: &Path) -> Option<io::Result<()>> {
    use rustix::fs::{IFlags, ioctl_getflags, ioctl_setflags};
    let file = open_regular(path).ok()??;
    let flags = ioctl_getflags(&file).ok()?;
    let locks = IFlags::IMMUTABLE | IFlags::APPEND;
    if !flags.intersects(locks) {
        return None;
    }
    ioctl_setflags(&file, flags - locks).ok()?;
    let removed = fs::remove_file(path);
    let _ = ioctl_setflags(&file, flags);
    Some(removed)
}

#[cfg(not(target_os = "linux"))]
fn remove_name(_path: &Path) -> Option<io::Result<()>> {
    None
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

/// Opens a regular file for reading. Returns `None` for a missing path and for every other kind of
/// file. Links are not followed, and opening never blocks on a pipe.
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

/// Reads a regular file. Returns `None` as [`open_regular`] does.
pub fn read_regular(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let Some(mut file) = open_regular(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Returns the time of the clock that stamps inodes, in nanoseconds since 1970. That clock advances
/// only once a tick.
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

/// Returns whether a file has an ACL or other extended attributes (xattr(7)) that a new file would
/// not have. Attributes that security modules put on every file don't count.
pub fn has_attributes(path: impl rustix::path::Arg) -> bool {
    const COMMON: [&[u8]; 3] = [b"security.selinux", b"security.ima", b"security.evm"];
    let mut names = [0_u8; 1024];
    match rustix::fs::llistxattr(path, &mut names[..]) {
        Ok(length) => names[..length]
            .split(|&byte| byte == 0)
            .any(|name| !name.is_empty() && !COMMON.contains(&name)),
        // The list of names exceeds the buffer, so it holds unusual attributes.
        Err(Errno::RANGE) => true,
        Err(_) => false,
    }
}

/// Returns whether a directory has a default ACL, which new files in it inherit.
pub fn has_default_acl(path: impl rustix::path::Arg) -> bool {
    rustix::fs::lgetxattr_query(path, "system.posix_acl_default").is_ok_and(|size| size > 0)
}

/// Opens a file for reading and returns it with its length.
pub fn open_sized(path: &Path) -> io::Result<(File, u64)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

/// Returns one moment as both modification and access time. It has whole seconds, because not every
/// file system keeps fractions.
pub fn timestamps(seconds: i64) -> Timestamps {
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
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

    /// Several threads may find a pipe in place of a bucket. None may move aside the bucket that
    /// another thread has created since.
    #[test]
    fn many_may_find_the_same_thing_in_the_way() {
        for _ in 0..50 {
            let dir = tempfile::tempdir().expect("temporary directory");
            fs::write(dir.path().join("bucket"), "odd").expect("in the way");
            std::thread::scope(|scope| {
                for number in 0..4 {
                    let root = dir.path();
                    scope.spawn(move || {
                        let place = format!("bucket/{number}/file");
                        put(root, &place, b"x").expect("written");
                    });
                }
            });
            for number in 0..4 {
                let path = dir.path().join(format!("bucket/{number}/file"));
                assert_eq!(fs::read(path).expect("read"), b"x");
            }
        }
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

    /// Another project has set `chattr +i` on a file that it shares through the store.
    #[test]
    fn a_flag_of_another_name_holds_nothing_up() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).expect("tree");
        let other = dir.path().join("other");
        fs::write(&other, b"x").expect("file");
        fs::hard_link(&other, tree.join("shared")).expect("a link");
        fs::write(tree.join("own"), b"x").expect("file");
        let chattr = |flag: &str, path: &Path| {
            std::process::Command::new("chattr")
                .arg(flag)
                .arg(path)
                .output()
                .is_ok_and(|output| output.status.success())
        };
        if !chattr("+i", &other) {
            // The test needs root and a file system with flags.
            return;
        }
        let removed = remove_all(&tree);
        let held = fs::remove_file(&other);
        chattr("-i", &other);
        removed.expect("removed");
        held.expect_err("the other name is as it was");

        // A flag on an unshared file is the user's wish, which Composer respects as well. Only this
        // file remains.
        fs::create_dir(&tree).expect("tree");
        for name in ["a", "b", "c"] {
            fs::write(tree.join(name), b"x").expect("file");
        }
        assert!(chattr("+i", &tree.join("b")));
        let removed = remove_all(&tree);
        let left = fs::read_dir(&tree).expect("list").count();
        chattr("-i", &tree.join("b"));
        removed.expect_err("it is held");
        assert_eq!(left, 1);
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
