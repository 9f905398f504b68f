//! Remembers that an install was Composer's, so that the next one need not find it out again.
//!
//! Composer's result is right in any case. A memory that is out of date costs time and nothing
//! else, so it needs no proof.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use allegro_base::fs::write_atomically;

use super::{kept, plugin};

/// The time after which a memory is forgotten, because PHP or a configuration may have changed.
const LIFE: Duration = Duration::from_hours(24);

/// The memory of one command line in one directory.
#[derive(Debug)]
pub struct Memory {
    path: PathBuf,
    key: String,
}

impl Memory {
    /// Returns the memory of a command line. It is about the files and the environment as they are
    /// now.
    pub fn of<'a>(
        store: &Path,
        directory: &Path,
        words: impl Iterator<Item = &'a [u8]>,
        files: &[PathBuf],
    ) -> Self {
        let mut parts: Vec<Vec<u8>> = vec![directory.as_os_str().as_bytes().to_vec()];
        parts.extend(words.map(<[u8]>::to_vec));
        let name = named(&parts);
        parts.push(plugin::VERSION.into());
        parts.extend(
            files
                .iter()
                .map(|file| kept::identity(file).unwrap_or_default()),
        );
        let mut variables: Vec<_> = crate::settings::all_variables().collect();
        variables.sort();
        for (variable, value) in variables {
            parts.push(variable.as_bytes().to_vec());
            parts.push(value.as_bytes().to_vec());
        }
        Self {
            path: store.join("roads-v1").join(name),
            key: named(&parts),
        }
    }

    /// Returns the reason for which the install was Composer's a while ago.
    pub fn reason(&self) -> Option<String> {
        let age = fs::metadata(&self.path).ok()?.modified().ok()?.elapsed();
        let text = fs::read_to_string(&self.path).ok()?;
        let reason = text.strip_prefix(&self.key)?.strip_prefix('\n')?;
        age.is_ok_and(|age| age < LIFE).then(|| reason.to_owned())
    }

    /// Keeps the reason for which the install is Composer's.
    pub fn keep(&self, reason: &str) {
        if let Some(parent) = self.path.parent()
            && fs::create_dir_all(parent).is_ok()
        {
            let _ = write_atomically(&self.path, format!("{}\n{reason}", self.key).as_bytes());
        }
    }
}

fn named(parts: &[Vec<u8>]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    kept::name(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_about_files_and_words() {
        let dir = tempfile::tempdir().expect("a directory");
        let (store, lock) = (dir.path().join("store"), dir.path().join("composer.lock"));
        fs::write(&lock, "1").expect("written");
        let memory = |word: &'static str| {
            let words = [b"install".as_slice(), word.as_bytes()];
            Memory::of(
                &store,
                dir.path(),
                words.into_iter(),
                std::slice::from_ref(&lock),
            )
        };
        assert_eq!(memory("-n").reason(), None);
        memory("-n").keep("a plugin");
        assert_eq!(memory("-n").reason().as_deref(), Some("a plugin"));
        assert_eq!(memory("-v").reason(), None);
        fs::write(&lock, "22").expect("written");
        assert_eq!(memory("-n").reason(), None);
        memory("-n").keep("another");
        let file = fs::read_dir(store.join("roads-v1")).expect("a list");
        assert_eq!(file.count(), 1);
        let old = std::time::SystemTime::now() - LIFE;
        let path = memory("-n").path;
        let file = fs::File::options().append(true).open(path).expect("opened");
        file.set_modified(old).expect("made old");
        assert_eq!(memory("-n").reason(), None);
    }
}
