//! The options of an update.

use crate::machine::platform::Ignored;
use crate::protocol::resolve::problem::Reach;

/// The options of `composer update` that a native update knows.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of the command"
)]
pub struct Options {
    /// Names and patterns of the packages that are moved; all are if there is none.
    pub packages: Vec<String>,
    /// `-w` and `-W`: the reach of a partial update.
    pub reach: Reach,
    /// `--root-reqs`: only requirements of the project are moved.
    pub root_requirements: bool,
    /// `--no-install`: nothing is installed.
    pub no_install: bool,
    /// `--dry-run`: nothing is written.
    pub dry_run: bool,
    /// `--no-audit`: there is no audit.
    pub no_audit: bool,
    /// `--prefer-stable`
    pub prefer_stable: bool,
    /// `--prefer-lowest`
    pub prefer_lowest: bool,
    /// `--no-blocking`: versions with advisories may be chosen.
    pub no_blocking: bool,
    /// Options of the install, which hold for the update too.
    pub install: crate::install::Options,
}

impl Options {
    /// Returns the requirements on the platform that are ignored.
    pub fn ignored_platform(&self) -> &Ignored {
        &self.install.ignored_platform
    }
}
