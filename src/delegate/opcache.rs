//! Options with which PHP keeps the compiled code of Composer's files in the store.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use allegro_base::fs::write_atomically;

use super::kept;

/// Number of starts of Composer after which its code is compiled for all later ones.
///
/// Compiling takes longer than a start, which is in vain where a machine is used once.
const STARTS: u64 = 4;

/// PHP code that compiles all files beside those that Composer has loaded.
const COMPILE: &str = "<?php

// Written by Allegro.
register_shutdown_function(function () {
    ini_set('display_errors', '1');
    $loaded = get_included_files();
    foreach (array_unique(array_map('dirname', $loaded)) as $directory) {
        foreach (array_diff((array) glob($directory.'/*.php'), $loaded) as $file) {
            if (function_exists('opcache_compile_file')) {
                opcache_compile_file($file);
            }
        }
    }
});
";

/// A cache of compiled code for one PHP and one Composer.
#[derive(Debug)]
pub struct Cache<'a> {
    /// Root of the store.
    pub store: &'a Path,
    /// Path of PHP.
    pub php: &'a Path,
    /// Options from the first line of Composer's script.
    pub options: &'a [OsString],
    /// Composer's script.
    pub script: &'a Path,
    /// Directories whose files are compiled anew in each run, because programs generate some of
    /// them.
    pub untouched: &'a [PathBuf],
}

impl Cache<'_> {
    /// Returns the options with which PHP uses the cache, or none where it can't be used. A PHP
    /// without opcache ignores them.
    pub fn options(&self) -> Vec<OsString> {
        self.try_options().unwrap_or_default()
    }

    fn try_options(&self) -> io::Result<Vec<OsString>> {
        let caches = self.store.join("opcache-v1");
        let name = kept::name(&[&kept::identity(self.php)?, &kept::identity(self.script)?]);
        let cache = kept::directory(&caches, &name, |_| Ok(()))?;
        let mut list = Vec::new();
        for path in self.untouched {
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
            ("opcache.record_warnings", "1".into()),
            ("opcache.validate_timestamps", "1".into()),
            ("opcache.jit_buffer_size", "0".into()),
            ("opcache.blacklist_filename", blacklist.into()),
        ] {
            options.extend(ini(name, &value)?);
        }
        if self.is_ready(&caches, &name, &options)? {
            Ok(options)
        } else {
            Ok(Vec::new())
        }
    }

    /// Returns whether the cache holds Composer's code.
    ///
    /// PHP shows warnings of the compiler on another road when it fills a cache. So the cache is
    /// filled by a start of its own, and is not used at all where that shows anything.
    fn is_ready(&self, caches: &Path, name: &str, options: &[OsString]) -> io::Result<bool> {
        if caches.join(format!("{name}.ready")).exists() {
            return Ok(true);
        }
        if caches.join(format!("{name}.unfit")).exists() {
            return Ok(false);
        }
        let starts = caches.join(format!("{name}.starts"));
        let mut file = OpenOptions::new().create(true).append(true).open(starts)?;
        file.write_all(b".")?;
        if file.metadata()?.len() < STARTS {
            return Ok(false);
        }
        let compile = kept::directory(caches, &kept::name(&[COMPILE.as_bytes()]), |place| {
            fs::write(place.join("compile.php"), COMPILE)
        })?;
        let compile = compile.join("compile.php");
        let output = Command::new(self.php)
            .args(self.options)
            .args(options)
            .args(ini("auto_prepend_file", compile.as_os_str())?)
            .arg(self.script)
            .args(["list", "--quiet", "--no-plugins", "--no-interaction"])
            .current_dir(caches)
            .stdin(Stdio::null())
            .output()?;
        let is_fit =
            output.status.success() && output.stdout.is_empty() && output.stderr.is_empty();
        let mark = if is_fit { "ready" } else { "unfit" };
        write_atomically(&caches.join(format!("{name}.{mark}")), b"")?;
        Ok(is_fit)
    }
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
