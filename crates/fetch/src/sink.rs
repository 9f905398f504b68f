//! Writes a download to a temporary file beside its final place, then renames it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

use super::error::FetchError;
use allegro_base::hex::hex;

/// Prefix of the names of unfinished downloads. Leftovers of a killed process carry it.
pub const TEMP_PREFIX: &str = ".allegro-dl-";

/// Smallest write to disk in bytes, except for the last.
const BUFFER: usize = 64 << 10;

/// An unfinished download. Dropping it removes the temporary file.
pub(super) struct Sink {
    // The first field is dropped first, so the file is closed before it is removed.
    file: BufWriter<File>,
    temp: Temp,
    sha1: Option<Sha1>,
    bytes: u64,
}

impl Sink {
    /// Opens a temporary file beside `dest`, and creates the directory if needed. `hash` selects
    /// whether to compute the SHA-1 on the way.
    pub fn create(dest: &Path, hash: bool) -> Result<Self, FetchError> {
        let dir = match dest.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir,
            Some(_) => Path::new("."),
            None => return Err(failed("write", dest, io::ErrorKind::InvalidInput.into())),
        };
        let (path, file) = match create_temp(dir) {
            Err((_, error)) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(dir).map_err(|error| failed("create", dir, error))?;
                create_temp(dir)
            }
            result => result,
        }
        .map_err(|(path, error)| failed("create", &path, error))?;
        Ok(Self {
            file: BufWriter::with_capacity(BUFFER, file),
            temp: Temp { path, armed: true },
            sha1: hash.then(Sha1::new),
            bytes: 0,
        })
    }

    /// Returns the number of bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes the next bytes.
    pub fn write(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(chunk);
        }
        self.file
            .write_all(chunk)
            .map_err(|error| failed("write", &self.temp.path, error))?;
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    /// Checks the SHA-1 and renames the file to its place. `url` is the redacted URL for the error.
    pub fn commit(self, dest: &Path, expected: Option<&str>, url: &str) -> Result<u64, FetchError> {
        let Self {
            mut file,
            mut temp,
            sha1,
            bytes,
        } = self;
        if let (Some(sha1), Some(expected)) = (sha1, expected) {
            let actual = hex(&sha1.finalize());
            if !expected.eq_ignore_ascii_case(&actual) {
                return Err(FetchError::Checksum {
                    url: url.to_owned(),
                    expected: expected.to_ascii_lowercase(),
                    actual,
                });
            }
        }
        file.flush()
            .map_err(|error| failed("write", &temp.path, error))?;
        drop(file);
        fs::rename(&temp.path, dest).map_err(|error| failed("create", dest, error))?;
        temp.armed = false;
        Ok(bytes)
    }
}

/// Removes its file when dropped, unless disarmed.
struct Temp {
    path: PathBuf,
    armed: bool,
}

impl Drop for Temp {
    fn drop(&mut self) {
        if self.armed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Creates a file with an unused name. The name is short and doesn't contain `dest`'s own, which
/// may already have the file system's maximum length.
fn create_temp(dir: &Path) -> Result<(PathBuf, File), (PathBuf, io::Error)> {
    loop {
        let path = dir.join(format!("{TEMP_PREFIX}{:016x}.part", fastrand::u64(..)));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err((path, error)),
            Ok(file) => return Ok((path, file)),
        }
    }
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> FetchError {
    FetchError::File {
        action,
        path: path.to_owned(),
        source,
    }
}
