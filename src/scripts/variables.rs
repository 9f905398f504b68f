//! The environment of child processes, as Composer keeps it while it runs.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Scripts, Setup, Verbosity, Version};

/// Variables that PHP's own `$_SERVER` entries shadow, so that no child gets them
/// (`Process::start`, symfony/process 5.4).
const SHADOWED: [&str; 4] = ["argc", "argv", "ARGC", "ARGV"];

/// The environment that children get.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables(BTreeMap<OsString, OsString>);

impl Variables {
    /// Returns the environment that Composer has once the project is loaded.
    pub(super) fn start(setup: &Setup, scripts: &Scripts) -> Self {
        let mut variables = Self::of(&setup.environment);
        variables.set_verbosity(setup.verbosity);
        if let Some(composer) = &setup.composer
            && let Ok(path) = composer.path.canonicalize()
        {
            variables.set("COMPOSER_BINARY", path);
        }
        if !scripts.has_version && !variables.is_true("COMPOSER_ROOT_VERSION") {
            variables.clean_for_git(setup);
        }
        // `Installer::run` sets the variable. `AutoloadGenerator::dump` respects a given value.
        if setup.command != "dump-autoload" || variables.get("COMPOSER_DEV_MODE").is_none() {
            variables.set("COMPOSER_DEV_MODE", if setup.dev_mode { "1" } else { "0" });
        }
        variables
    }

    /// Returns the variables that PHP passes on to a child. PHP doesn't import malformed names.
    pub(super) fn of(environment: &[(OsString, OsString)]) -> Self {
        let is_passed_on = |name: &OsStr| {
            let bytes = name.as_bytes();
            !bytes.is_empty()
                && !bytes.iter().any(|byte| b" .[=".contains(byte))
                && !SHADOWED.iter().any(|shadowed| name == *shadowed)
        };
        Self(
            environment
                .iter()
                .filter(|(name, _)| is_passed_on(name))
                .cloned()
                .collect(),
        )
    }

    /// Sets `SHELL_VERBOSITY` as `Application::configureIO` does (symfony/console 5.4).
    fn set_verbosity(&mut self, verbosity: Verbosity) {
        let value = match verbosity {
            Verbosity::Quiet => -1,
            Verbosity::Normal => self.get("SHELL_VERBOSITY").map_or(0, integer),
            Verbosity::Verbose => 1,
            Verbosity::VeryVerbose => 2,
            Verbosity::Debug => 3,
        };
        self.set("SHELL_VERBOSITY", value.to_string());
    }

    /// Does what Composer does before it asks Git for the root package's version
    /// (`Git::cleanEnv`, composer 2.2.25 and 2.10.2).
    fn clean_for_git(&mut self, setup: &Setup) {
        if setup.version() >= Version(2, 8, 10) && self.has_git_since_2_3(&setup.root) {
            self.set("GIT_TERMINAL_PROMPT", "0");
        } else {
            self.set("GIT_ASKPASS", "echo");
        }
        for name in ["GIT_DIR", "GIT_WORK_TREE"] {
            if self.is_true(name) {
                self.clear(name);
            }
        }
        self.set("LANGUAGE", "C");
        self.clear("DYLD_LIBRARY_PATH");
    }

    fn has_git_since_2_3(&self, root: &Path) -> bool {
        let output = Command::new("git")
            .arg("--version")
            .env_clear()
            .envs(&self.0)
            .current_dir(root)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        output.is_ok_and(|output| {
            output.status.success() && is_git_since_2_3(&String::from_utf8_lossy(&output.stdout))
        })
    }

    /// Puts the directory of the packages' programs in front of `PATH`, unless it is there
    /// (`EventDispatcher::ensureBinDirIsInPath`, composer 2.10.2).
    pub(super) fn ensure_in_path(&mut self, bin_dir: &Path) {
        if !bin_dir.is_dir() {
            return;
        }
        let Ok(bin_dir) = bin_dir.canonicalize() else {
            return;
        };
        let bin_dir = bin_dir.as_os_str().as_bytes();
        let path = self
            .get("PATH")
            .map_or_else(Vec::new, |path| path.as_bytes().to_vec());
        let padded = [b":", path.as_slice(), b":"].concat();
        let sought = [b":", bin_dir, b":"].concat();
        if !padded.windows(sought.len()).any(|part| part == sought) {
            let value = [bin_dir, b":", path.as_slice()].concat();
            self.set("PATH", OsString::from_vec(value));
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    pub(super) fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.0.insert(name.into(), value.into());
    }

    pub(super) fn clear(&mut self, name: &str) {
        self.0.remove(OsStr::new(name));
    }

    /// Returns whether the value is true for PHP.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| !value.is_empty() && value != "0")
    }

    /// Returns the variables in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }
}

/// Returns whether the output of `git --version` names 2.3 or a later version.
pub(super) fn is_git_since_2_3(output: &str) -> bool {
    let number = output
        .lines()
        .find_map(|line| line.strip_prefix("git version "));
    let mut parts = number.unwrap_or_default().split(['.', ' ']);
    let mut next = || parts.next().and_then(|part| part.parse::<u32>().ok());
    matches!((next(), next()), (Some(major), Some(minor)) if (major, minor) >= (2, 3))
}

/// Returns the number at the start of a text, as PHP casts it.
pub(super) fn integer(text: &OsStr) -> i64 {
    let text = text.to_string_lossy();
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
    let digits = text.trim_start_matches(['-', '+']);
    if text.len() - digits.len() > 1 {
        return 0;
    }
    let end = digits
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(digits.len());
    let value = digits[..end].parse().unwrap_or(0);
    if text.starts_with('-') { -value } else { value }
}
