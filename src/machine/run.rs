//! Starts PHP for questions about the machine, apart from the user's project and configuration.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use allegro_base::fs::remove_all;

use super::{Machine, Php};

/// The time after which PHP is ended. Both questions take less than a second.
const PATIENCE: Duration = Duration::from_mins(1);

/// Variables with which a user changes what Composer does.
const SETTINGS: [&str; 21] = [
    "COMPOSER",
    "COMPOSER_AUDIT_ABANDONED",
    "COMPOSER_AUTH",
    "COMPOSER_BIN_COMPAT",
    "COMPOSER_BIN_DIR",
    "COMPOSER_DEBUG_EVENTS",
    "COMPOSER_DEV_MODE",
    "COMPOSER_DISABLE_XDEBUG_WARN",
    "COMPOSER_DISCARD_CHANGES",
    "COMPOSER_HTACCESS_PROTECT",
    "COMPOSER_IGNORE_PLATFORM_REQ",
    "COMPOSER_IGNORE_PLATFORM_REQS",
    "COMPOSER_MIRROR_PATH_REPOS",
    "COMPOSER_NO_AUDIT",
    "COMPOSER_NO_DEV",
    "COMPOSER_ORIGINAL_INIS",
    "COMPOSER_PREFER_LOWEST",
    "COMPOSER_PREFER_STABLE",
    "COMPOSER_ROOT_VERSION",
    "COMPOSER_SKIP_SCRIPTS",
    "COMPOSER_VENDOR_DIR",
];

/// A temporary directory, which is removed with this value.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// Makes the directory.
    pub(crate) fn create(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        // PHP names files without links.
        Ok(Self(fs::canonicalize(path)?))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = remove_all(&self.0);
    }
}

impl Machine {
    /// Returns a command that starts PHP in a directory, with a home directory for Composer below
    /// it and without network.
    pub(super) fn command(&self, php: &Php, directory: &Path) -> Command {
        let mut command = Command::new(&php.path);
        command.args(&php.arguments).current_dir(directory);
        for (name, value) in &self.variables {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        for name in SETTINGS {
            command.env_remove(name);
        }
        command
            .env("COMPOSER_HOME", directory.join("home"))
            .env("COMPOSER_CACHE_DIR", directory.join("cache"))
            .env("COMPOSER_ALLOW_SUPERUSER", "1")
            // A restart without Xdebug would lose the prepended file.
            .env("COMPOSER_ALLOW_XDEBUG", "1")
            .env("COMPOSER_DISABLE_NETWORK", "1")
            .env("COMPOSER_NO_INTERACTION", "1")
            .env("XDEBUG_MODE", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

/// Runs a command to its end. Returns whether it succeeded in time.
pub(super) fn succeeds(mut command: Command) -> io::Result<bool> {
    let mut child = command.spawn()?;
    let end = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Ok(false);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}
