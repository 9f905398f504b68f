//! The options of an install.

use crate::machine::platform::Ignored;

/// The options of `composer install` that a native install knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command"
)]
pub struct Options {
    /// `--no-dev`: packages for development are left out.
    pub no_dev: bool,
    /// `--dev` and `--no-dev` of `dump-autoload`, whose default is the state of the last install.
    pub dev: Option<bool>,
    /// `--no-scripts`: scripts of the root package are left out.
    pub no_scripts: bool,
    /// `--no-autoloader`: the autoloader is left out.
    pub no_autoloader: bool,
    /// `--no-plugins`: plugins are not loaded.
    pub no_plugins: bool,
    /// `--no-progress`: no progress is shown.
    pub no_progress: bool,
    /// `--optimize-autoloader`
    pub optimize: bool,
    /// `--classmap-authoritative`
    pub authoritative: bool,
    /// `--apcu-autoloader`
    pub apcu: bool,
    /// `--apcu-autoloader-prefix`
    pub apcu_prefix: Option<String>,
    /// `--strict-psr-autoloader`
    pub strict_psr: bool,
    /// `--ignore-platform-req` and `--ignore-platform-reqs`
    pub ignored_platform: Ignored,
    /// `--offline`: no socket is opened.
    pub offline: bool,
    /// `--no-cache`: Composer's cache and the store are not used.
    pub no_cache: bool,
    /// `--force`: nothing of a former run is believed.
    pub force: bool,
}

impl Options {
    /// Returns whether packages for development are installed.
    pub fn dev_mode(&self) -> bool {
        !self.no_dev
    }
}

/// The exit code of an install with `--strict-psr-autoloader` that found classes in wrong places
/// (`Installer::ERROR_PSR_AUTOLOAD_VIOLATION`, composer 2.10.2).
pub const PSR_VIOLATION: i32 = 6;
