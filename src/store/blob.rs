//! One file's content with one mode.
//!
//! A hard link shows the blob's own inode, so a blob carries the mode that the file shall have: the same
//! content under another mode is another blob (`<digest>-644`, `<digest>-755`, …).
//!
//! A blob's modification time is derived from its digest. That makes vendor reproducible, gives changed
//! content another time (opcache compares times), and serves as commit mark and seal: it is set when
//! everything is written, so a torn blob doesn't have it, and an edit through a hard link removes it. Whether
//! size, time and mode are right is asked each time a blob is linked.

use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, Timespec, Timestamps, futimens, statat};
use serde::{Deserialize, Serialize};

use super::Store;
use crate::error::{Result, in_store};

/// SHA-256 of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex(&self.0))
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    push_hex(&mut text, bytes);
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// 2000-01-01T00:00:00Z; derived times lie in the 24 years after it, always in the past.
const EPOCH: i64 = 946_684_800;
const SPAN: u32 = 757_382_400;

impl Digest {
    /// The modification time of every file with this content, in seconds since 1970.
    pub fn mtime(&self) -> i64 {
        let word = u32::from_le_bytes([self.0[0], self.0[1], self.0[2], self.0[3]]);
        EPOCH + i64::from(word % SPAN)
    }

    /// The same for `utimensat` and friends. Whole seconds, because not every file system keeps parts.
    pub fn timestamps(&self) -> Timestamps {
        let time = Timespec {
            tv_sec: self.mtime(),
            tv_nsec: 0,
        };
        Timestamps {
            last_access: time,
            last_modification: time,
        }
    }
}

/// What the cheap check says of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobState {
    /// Size, time and mode are what they were when it was written.
    Sound,
    /// Not there.
    Missing,
    /// Torn by a crash, or changed in place through a hard link.
    Damaged,
}

/// A blob's place below the bucket of blobs: `ab/cdef…-644`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobName(String);

impl BlobName {
    /// The name of this content with this mode.
    pub fn new(digest: &Digest, mode: u32) -> Self {
        let mut name = String::with_capacity(2 * digest.0.len() + 6);
        push_hex(&mut name, &digest.0[..1]);
        name.push('/');
        push_hex(&mut name, &digest.0[1..]);
        // Writing into a string can't fail.
        let _ = write!(name, "-{mode:o}");
        Self(name)
    }

    /// The name as a relative path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Store {
    /// Where a blob is.
    pub fn blob_path(&self, digest: &Digest, mode: u32) -> PathBuf {
        self.blobs().join(BlobName::new(digest, mode).as_str())
    }

    /// The cheap check: one `stat`.
    pub fn blob_state(&self, name: &BlobName, digest: &Digest, size: u64, mode: u32) -> BlobState {
        match statat(self.blobs_dir(), name.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat)
                if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                    && u64::try_from(stat.st_size) == Ok(size)
                    && stat.st_mtime == digest.mtime()
                    && stat.st_mode & 0o7777 == mode =>
            {
                BlobState::Sound
            }
            Ok(_) => BlobState::Damaged,
            Err(_) => BlobState::Missing,
        }
    }

    /// The same, but a blob that somebody seems to be writing at this moment is waited for.
    ///
    /// Such a blob has one name only, an age of moments and not its final time: it looks like one that was torn a
    /// moment ago, and is taken as that when it stays so for longer than writing it can take.
    pub fn settled_blob_state(
        &self,
        name: &BlobName,
        digest: &Digest,
        size: u64,
        mode: u32,
    ) -> BlobState {
        let mut until = None;
        loop {
            let state = self.blob_state(name, digest, size, mode);
            if state != BlobState::Damaged || !self.is_being_written(name) {
                return state;
            }
            let now = Instant::now();
            let until = *until.get_or_insert_with(|| now + writing_time(size));
            if now >= until {
                return state;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_being_written(&self, name: &BlobName) -> bool {
        let Ok(stat) = statat(self.blobs_dir(), name.as_str(), AtFlags::SYMLINK_NOFOLLOW) else {
            // Gone meanwhile: somebody has taken it out of the way.
            return true;
        };
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
        stat.st_nlink == 1 && (now - stat.st_mtime).abs() <= 5
    }

    /// Makes sure that the content is in the store with this mode.
    pub fn ensure_blob(&self, digest: &Digest, mode: u32, content: &[u8]) -> Result<PathBuf> {
        self.ensure_blob_with(digest, mode, content.len() as u64, |file| {
            file.write_all(content)
        })
    }

    /// The same for content too large to be held in memory; `source` is read and left alone.
    pub fn ensure_blob_from(
        &self,
        digest: &Digest,
        mode: u32,
        size: u64,
        source: &Path,
    ) -> Result<PathBuf> {
        self.ensure_blob_with(digest, mode, size, |file| {
            io::copy(&mut File::open(source)?, file).map(drop)
        })
    }

    fn ensure_blob_with(
        &self,
        digest: &Digest,
        mode: u32,
        size: u64,
        fill: impl Fn(&mut File) -> io::Result<()>,
    ) -> Result<PathBuf> {
        let name = BlobName::new(digest, mode);
        let path = self.blobs().join(name.as_str());
        // Made without a look before: on a filling store nearly all are new.
        match write_blob(&path, digest, mode, &fill) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Somebody removed a shard: part of the store was deleted by hand.
                if let Some(shard) = path.parent() {
                    fs::create_dir_all(shard).map_err(in_store("creating", shard))?;
                }
            }
            Err(error) => return Err(in_store("writing", &path)(error)),
        }
        if self.blob_state(&name, digest, size, mode) == BlobState::Sound {
            return Ok(path);
        }
        // Torn, edited, or being written by another process at this moment: ours takes its place.
        // The other process goes on writing to an inode without a name and finds ours when it links.
        let temporary = self.temporary();
        write_blob(&temporary, digest, mode, &fill)
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|error| {
                let _ = fs::remove_file(&temporary);
                in_store("writing", &path)(error)
            })?;
        Ok(path)
    }

    /// Puts a damaged blob out of the way, so that it is linked nowhere else.
    pub fn quarantine_blob(&self, path: &Path) -> Result<()> {
        let name = path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let place = self.quarantine(&name);
        match fs::rename(path, &place) {
            Ok(()) => Ok(()),
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(in_store("moving to quarantine", path)(error)),
        }
    }

    /// Gives a blob a new inode, for when the old one has as many links as the file system allows.
    pub fn renew_blob(&self, path: &Path, digest: &Digest, mode: u32) -> Result<()> {
        let temporary = self.temporary();
        write_blob(&temporary, digest, mode, &|file| {
            io::copy(&mut File::open(path)?, file).map(drop)
        })
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|error| {
            let _ = fs::remove_file(&temporary);
            in_store("renewing", path)(error)
        })
    }

    /// A sound blob of the same content under any other mode, if there is one.
    ///
    /// Lists a shard: only asked when a project is installed under another umask for the first time.
    pub fn sibling_blob(&self, digest: &Digest, size: u64) -> Option<PathBuf> {
        let hex = hex(&digest.0);
        let (shard, rest) = hex.split_at(2);
        let shard = self.blobs().join(shard);
        for entry in fs::read_dir(&shard).ok()?.flatten() {
            let name = entry.file_name();
            let Some(mode) = name
                .to_str()
                .and_then(|name| name.strip_prefix(rest))
                .and_then(|name| name.strip_prefix('-'))
                .and_then(|mode| u32::from_str_radix(mode, 8).ok())
            else {
                continue;
            };
            let blob = BlobName::new(digest, mode);
            if self.blob_state(&blob, digest, size, mode) == BlobState::Sound {
                return Some(entry.path());
            }
        }
        None
    }
}

/// The time that writing a blob may take on a busy machine with a slow disk.
fn writing_time(size: u64) -> Duration {
    Duration::from_millis(2_000 + size / 20_000)
}

/// Creates `path`, fills it and seals it. What exists already is left alone (`AlreadyExists`).
fn write_blob(
    path: &Path,
    digest: &Digest,
    mode: u32,
    fill: &impl Fn(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    let result = fill(&mut file).and_then(|()| seal(&file, digest, mode));
    if result.is_err() {
        // A full disk: nothing half-written is left behind.
        let _ = fs::remove_file(path);
    }
    result
}

/// Sets mode and time of a complete file.
pub(crate) fn seal(file: &File, digest: &Digest, mode: u32) -> io::Result<()> {
    // The umask may have taken bits away.
    if file.metadata()?.permissions().mode() & 0o7777 != mode {
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    futimens(file, &digest.timestamps())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::Digest as _;
    use std::os::unix::fs::MetadataExt;

    fn digest(content: &[u8]) -> Digest {
        Digest(sha2::Sha256::digest(content).into())
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(dir.path()).expect("a store");
        (dir, store)
    }

    #[test]
    fn the_same_content_has_one_blob_per_mode() {
        let (_dir, store) = store();
        let content = b"<?php\n";
        let digest = digest(content);
        let plain = store.ensure_blob(&digest, 0o664, content).expect("plain");
        let executable = store
            .ensure_blob(&digest, 0o755, content)
            .expect("executable");
        assert_ne!(plain, executable);
        assert_eq!(fs::metadata(&plain).expect("plain").mode() & 0o7777, 0o664);
        assert_eq!(
            fs::metadata(&executable).expect("executable").mode() & 0o7777,
            0o755
        );
        assert_eq!(fs::metadata(&plain).expect("plain").mtime(), digest.mtime());
        let again = store.ensure_blob(&digest, 0o664, content).expect("again");
        assert_eq!(
            fs::metadata(&again).expect("again").ino(),
            fs::metadata(&plain).expect("plain").ino()
        );
    }

    #[test]
    fn torn_and_edited_blobs_are_noticed_and_replaced() {
        let (_dir, store) = store();
        let content = b"<?php echo 1;\n";
        let digest = digest(content);
        let size = content.len() as u64;
        let path = store.ensure_blob(&digest, 0o644, content).expect("a blob");
        assert_eq!(
            store.blob_state(&BlobName::new(&digest, 0o644), &digest, size, 0o644),
            BlobState::Sound
        );

        let damages: [fn(&Path); 4] = [
            |path| fs::write(path, b"").expect("torn by a power loss"),
            |path| fs::write(path, b"<?php echo 2;\n").expect("edited, same size"),
            |path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("chmod"),
            |path| {
                File::open(path)
                    .and_then(|f| f.set_modified(std::time::SystemTime::now()))
                    .expect("touched");
            },
        ];
        for damage in damages {
            damage(&path);
            assert_eq!(
                store.blob_state(&BlobName::new(&digest, 0o644), &digest, size, 0o644),
                BlobState::Damaged
            );
            store.ensure_blob(&digest, 0o644, content).expect("healed");
            assert_eq!(
                store.blob_state(&BlobName::new(&digest, 0o644), &digest, size, 0o644),
                BlobState::Sound
            );
            assert_eq!(fs::read(&path).expect("content"), content);
        }
    }

    #[test]
    fn a_blob_that_is_being_written_is_waited_for_and_a_torn_one_is_not_for_long() {
        let (_dir, store) = store();
        let digest = digest(b"half and half");
        let name = BlobName::new(&digest, 0o644);
        let path = store.blobs().join(name.as_str());
        std::thread::scope(|scope| {
            let mut file = File::create_new(&path).expect("begun");
            file.write_all(b"half").expect("half");
            let writer = scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(50));
                file.write_all(b" and half").expect("the other half");
                seal(&file, &digest, 0o644).expect("sealed");
            });
            assert_eq!(
                store.blob_state(&name, &digest, 13, 0o644),
                BlobState::Damaged
            );
            assert_eq!(
                store.settled_blob_state(&name, &digest, 13, 0o644),
                BlobState::Sound
            );
            writer.join().expect("written");
        });
        fs::write(&path, b"torn").expect("torn");
        assert_eq!(
            store.settled_blob_state(&name, &digest, 13, 0o644),
            BlobState::Damaged
        );
    }

    #[test]
    fn a_quarantined_blob_is_gone_from_its_place_but_kept() {
        let (dir, store) = store();
        let digest = digest(b"x");
        let path = store.ensure_blob(&digest, 0o644, b"x").expect("a blob");
        store.quarantine_blob(&path).expect("moved");
        assert_eq!(
            store.blob_state(&BlobName::new(&digest, 0o644), &digest, 1, 0o644),
            BlobState::Missing
        );
        assert_eq!(
            fs::read_dir(dir.path().join("quarantine"))
                .expect("list")
                .count(),
            1
        );
        store.quarantine_blob(&path).expect("a second time is fine");
    }

    #[test]
    fn renewing_changes_the_inode_and_nothing_else() {
        let (_dir, store) = store();
        let digest = digest(b"licence");
        let path = store
            .ensure_blob(&digest, 0o644, b"licence")
            .expect("a blob");
        // A second name keeps the old inode alive, or its number might be given out again.
        fs::hard_link(&path, store.temporary()).expect("a link");
        let before = fs::metadata(&path).expect("before").ino();
        store.renew_blob(&path, &digest, 0o644).expect("renewed");
        assert_ne!(fs::metadata(&path).expect("after").ino(), before);
        assert_eq!(
            store.blob_state(&BlobName::new(&digest, 0o644), &digest, 7, 0o644),
            BlobState::Sound
        );
    }

    #[test]
    fn a_sibling_under_another_mode_is_found_if_sound() {
        let (_dir, store) = store();
        let digest = digest(b"content");
        assert_eq!(store.sibling_blob(&digest, 7), None);
        let path = store
            .ensure_blob(&digest, 0o600, b"content")
            .expect("a blob");
        assert_eq!(store.sibling_blob(&digest, 7), Some(path.clone()));
        fs::write(&path, b"edited!").expect("edited");
        assert_eq!(store.sibling_blob(&digest, 7), None);
    }

    #[test]
    fn derived_times_are_in_the_past_and_differ() {
        let one = digest(b"1").mtime();
        let two = digest(b"2").mtime();
        assert_ne!(one, two);
        for time in [one, two, Digest([255; 32]).mtime(), Digest([0; 32]).mtime()] {
            assert!((946_684_800..1_704_067_200).contains(&time), "{time}");
        }
    }
}
