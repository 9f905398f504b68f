//! Makes one hash of a vendor directory.

use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use allegro_base::error::{Result, at};
use allegro_base::hex::hex;
use allegro_base::threads::with_pool;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

/// The first line of the hashed text, which names its format.
const FORMAT: &str = "allegro tree 1\n";

/// Returns the SHA-256 over everything below a directory in hexadecimal: kinds, permission bits,
/// paths, contents and targets of links. Times, owners and the order of entries don't count.
///
/// The format is in `docs/reference/files.md`. Directories in which a run prepares packages don't
/// count.
///
/// # Errors
/// Fails where an entry can't be read.
pub fn tree_hash(directory: &Path, threads: usize) -> Result<String> {
    let mut paths = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).map_err(at("reading", &directory))? {
            let entry = entry.map_err(at("reading", &directory))?;
            let path = entry.path();
            let is_staging = directory.ends_with("composer")
                && entry.file_name().as_bytes().starts_with(b".allegro-");
            if is_staging {
                continue;
            }
            let kind = entry.file_type().map_err(at("reading", &path))?;
            if kind.is_dir() {
                open.push(path.clone());
            }
            paths.push(path);
        }
    }
    let inner = |path: &PathBuf| {
        let path = path.strip_prefix(directory).unwrap_or(path);
        path.as_os_str().as_bytes().to_vec()
    };
    paths.sort_by_cached_key(inner);
    let lines: Vec<Vec<u8>> = with_pool(threads, |pool| {
        pool.install(|| {
            paths
                .par_iter()
                .map(|path| line(path, &inner(path)))
                .collect::<Result<_>>()
        })
    })??;
    let mut sum = Sha256::new();
    sum.update(FORMAT);
    for line in lines {
        sum.update(&line);
    }
    Ok(hex(&sum.finalize()))
}

/// Returns the line of an entry, which ends with a NUL.
fn line(path: &Path, inner: &[u8]) -> Result<Vec<u8>> {
    let failed = |error| at("reading", path)(error);
    let facts = fs::symlink_metadata(path).map_err(failed)?;
    let mode = facts.permissions().mode() & 0o777;
    let mut line = if facts.is_dir() {
        format!("d {mode:03o} - ")
    } else if facts.is_symlink() {
        let target = fs::read_link(path).map_err(failed)?;
        let sum = Sha256::digest(target.as_os_str().as_bytes());
        format!("l - {} ", hex(&sum))
    } else if facts.is_file() {
        let mut sum = Sha256::new();
        File::open(path)
            .and_then(|mut file| io::copy(&mut file, &mut Writer(&mut sum)))
            .map_err(failed)?;
        format!("f {mode:03o} {} ", hex(&sum.finalize()))
    } else {
        format!("o {mode:03o} {} ", facts.mode() & 0o170_000)
    }
    .into_bytes();
    line.extend_from_slice(inner);
    line.push(0);
    Ok(line)
}

struct Writer<'a>(&'a mut Sha256);

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn tree(order: &[&str]) -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().expect("temporary directory");
        for name in order {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(&path, name).expect("written");
        }
        symlink("a/b", dir.path().join("link")).expect("linked");
        let hash = tree_hash(dir.path(), 2).expect("hashed");
        (dir, hash)
    }

    #[test]
    fn order_and_times_do_not_count_and_everything_else_does() {
        let (dir, hash) = tree(&["a/b", "a/c", "d"]);
        assert_eq!(hash, tree(&["d", "a/c", "a/b"]).1);
        let root = dir.path();
        let again = || tree_hash(root, 1).expect("hashed");
        let file = File::options()
            .append(true)
            .open(root.join("d"))
            .expect("open");
        file.set_modified(std::time::UNIX_EPOCH).expect("set");
        fs::create_dir_all(root.join("composer/.allegro-1")).expect("made");
        let with_directory = again();
        assert_ne!(with_directory, hash, "an empty directory counts");
        fs::remove_dir_all(root.join("composer")).expect("removed");
        assert_eq!(again(), hash);

        fs::set_permissions(root.join("d"), fs::Permissions::from_mode(0o600)).expect("chmod");
        let other = again();
        assert_ne!(other, hash);
        fs::write(root.join("d"), "x").expect("written");
        assert_ne!(again(), other);
        let other = again();
        fs::remove_file(root.join("link")).expect("removed");
        symlink("a/c", root.join("link")).expect("linked");
        assert_ne!(again(), other);
    }

    /// The format is public, so that another program can make the same hash.
    #[test]
    fn the_format_is_fixed() {
        let dir = tempfile::tempdir().expect("temporary directory");
        fs::write(dir.path().join("a"), "").expect("written");
        fs::set_permissions(dir.path().join("a"), fs::Permissions::from_mode(0o644))
            .expect("chmod");
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let text = format!("allegro tree 1\nf 644 {empty} a\0");
        assert_eq!(
            tree_hash(dir.path(), 1).expect("hashed"),
            hex(&Sha256::digest(text))
        );
    }
}
