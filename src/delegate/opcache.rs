//! Options with which PHP keeps the compiled code of Composer's files in the store.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use allegro_base::fs::write_atomically;

use super::kept;

/// Returns the options of PHP, or none where the cache can't be used. A PHP without opcache ignores
/// them.
///
/// `untouched` names directories whose files are compiled anew in each run, because programs
/// generate some of them.
pub fn options(store: &Path, php: &Path, composer: &Path, untouched: &[PathBuf]) -> Vec<OsString> {
    try_options(store, php, composer, untouched).unwrap_or_default()
}

fn try_options(
    store: &Path,
    php: &Path,
    composer: &Path,
    untouched: &[PathBuf],
) -> io::Result<Vec<OsString>> {
    let caches = store.join("opcache-v1");
    let name = kept::name(&[&kept::identity(php)?, &kept::identity(composer)?]);
    let cache = kept::directory(&caches, &name, |_| Ok(()))?;
    let mut list = Vec::new();
    for path in untouched {
        list.extend_from_slice(path.as_os_str().as_bytes());
        list.push(b'\n');
    }
    let blacklist = caches.join(format!("{}.blacklist", kept::name(&[&list])));
    if !blacklist.exists() {
        write_atomically(&blacklist, &list)?;
    }
    let mut options = Vec::new();
    for (name, value) in [
        ("opcache.enable", OsString::from("1")),
        ("opcache.enable_cli", "1".into()),
        ("opcache.file_cache_only", "1".into()),
        ("opcache.file_cache", cache.into()),
        ("opcache.file_update_protection", "2".into()),
        ("opcache.save_comments", "1".into()),
        ("opcache.validate_timestamps", "1".into()),
        ("opcache.jit_buffer_size", "0".into()),
        ("opcache.blacklist_filename", blacklist.into()),
    ] {
        options.extend(ini(name, &value)?);
    }
    Ok(options)
}

/// Returns the options that set a value of php.ini.
///
/// # Errors
/// Fails where PHP would read the value in another way.
pub fn ini(name: &str, value: &std::ffi::OsStr) -> io::Result<[OsString; 2]> {
    // PHP puts quotes around a path, and a pattern may stand in its place.
    if value.as_bytes().iter().any(|byte| {
        matches!(
            byte,
            b'"' | b'$' | b'\\' | b'\n' | b'*' | b'?' | b'[' | b'{'
        )
    }) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut setting = OsString::from(name);
    setting.push("=");
    setting.push(value);
    Ok(["-d".into(), setting])
}

/// Returns the directories of a project whose files are compiled anew in each run.
pub fn untouched(directory: &Path, home: Option<&Path>) -> Vec<PathBuf> {
    [Some(directory), home]
        .into_iter()
        .flatten()
        .map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
        .filter(|path| path.parent().is_some())
        .collect()
}
