//! Directories in the store that are made once, named by what they are made from.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use allegro_base::fs::{beside, remove_all};
use allegro_base::hex::hex;
use sha2::{Digest as _, Sha256};

/// Returns a name that stands for all parts together. Each user has names of its own, because
/// several users may share a store.
pub fn name(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    digest.update(rustix::process::geteuid().as_raw().to_le_bytes());
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    hex(&digest.finalize()[..16])
}

/// Returns the directory `name` below `parent`. Where it does not exist, `fill` fills a temporary
/// directory, which is then renamed into place.
///
/// # Errors
/// Fails where the directory belongs to another user, because PHP would run that user's code.
pub fn directory(
    parent: &Path,
    name: &str,
    fill: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<PathBuf> {
    let place = parent.join(name);
    match fs::symlink_metadata(&place) {
        Ok(facts) => return check_owner(&facts).map(|()| place),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::create_dir_all(parent)?;
    let temporary = beside(&place);
    private(&temporary)?;
    let result = fill(&temporary).and_then(|()| match fs::rename(&temporary, &place) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists
            ) =>
        {
            // Another process was faster.
            let _ = remove_all(&temporary);
            check_owner(&fs::symlink_metadata(&place)?)
        }
        result => result,
    });
    if result.is_err() {
        let _ = remove_all(&temporary);
    }
    result.map(|()| place)
}

/// Creates a directory that only this user can enter, unless it exists.
pub fn private(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            check_owner(&fs::symlink_metadata(path)?)
        }
        result => result,
    }
}

fn check_owner(facts: &fs::Metadata) -> io::Result<()> {
    if facts.is_dir() && facts.uid() == rustix::process::geteuid().as_raw() {
        Ok(())
    } else {
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the directory belongs to another user",
        ))
    }
}

/// Returns what identifies a state of a file, without its content.
pub fn identity(path: &Path) -> io::Result<Vec<u8>> {
    let path = fs::canonicalize(path)?;
    let facts = fs::metadata(&path)?;
    Ok(format!(
        "{}\n{} {} {} {} {}",
        path.display(),
        facts.ino(),
        facts.len(),
        facts.mtime(),
        facts.mtime_nsec(),
        facts.ctime_nsec(),
    )
    .into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_made_once_and_never_half() {
        let dir = tempfile::tempdir().expect("it works");
        let parent = dir.path().join("deep");
        directory(&parent, "a", |_| Err(io::ErrorKind::StorageFull.into())).expect_err("refused");
        assert_eq!(fs::read_dir(&parent).expect("it works").count(), 0);
        let place =
            directory(&parent, "a", |place| fs::write(place.join("f"), "1")).expect("it works");
        assert_eq!(fs::read(place.join("f")).expect("it works"), b"1");
        directory(&parent, "a", |_| panic!("it exists")).expect("it works");
        // Another process makes it while this one fills its own.
        directory(&parent, "b", |place| {
            fs::create_dir(parent.join("b"))?;
            fs::write(parent.join("b/theirs"), "")?;
            fs::write(place.join("f"), "1")
        })
        .expect("it works");
        assert!(parent.join("b/theirs").is_file());
        assert_eq!(fs::read_dir(&parent).expect("it works").count(), 2);
    }

    #[test]
    fn parts_are_told_apart() {
        assert_ne!(name(&[b"ab", b"c"]), name(&[b"a", b"bc"]));
        assert_eq!(name(&[b"a"]).len(), 32);
    }
}
