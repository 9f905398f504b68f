//! Puts the programs of packages into the bin directory.

use std::path::Path;

use allegro_base::error::{Error, Result};
use allegro_composer::Unfamiliar;
use allegro_composer::config::BinCompat;
use allegro_composer::package::Package;
use allegro_vendor::bins::{self, Bins};

use super::Run;
use crate::install::decide::Habits;
use crate::install::dumping::real;

/// The places of programs.
pub(super) struct BinPlaces<'a> {
    habits: &'a Habits,
    bin_dir: String,
    vendor_dir: String,
    full: bool,
    umask: u32,
}

impl Run<'_> {
    /// Returns the places of programs.
    pub(super) fn bins(&self) -> Result<BinPlaces<'_>, Unfamiliar> {
        let text = |path: &Path| {
            path.to_str()
                .map(str::to_owned)
                .ok_or_else(|| Unfamiliar("a path is not UTF-8".to_owned()))
        };
        let settings = &self.project.settings;
        let is_wsl = self
            .habits
            .probe
            .as_ref()
            .and_then(|probe| probe.composer.as_ref())
            .is_some_and(|facts| facts.is_wsl);
        Ok(BinPlaces {
            habits: self.habits,
            bin_dir: text(&settings.bin_dir)?,
            vendor_dir: text(&settings.vendor_dir)?,
            full: settings.bin_compat == BinCompat::Full
                || settings.bin_compat == BinCompat::Auto && is_wsl,
            umask: self.context.umask,
        })
    }
}

impl BinPlaces<'_> {
    /// Returns the bin directory with the vendor directory as the configuration has it, for checks
    /// before the directory exists.
    pub(super) fn with_vendor(&self) -> Bins<'_> {
        self.with(&self.vendor_dir)
    }

    fn with<'b>(&'b self, vendor_real: &'b str) -> Bins<'b> {
        Bins {
            traits: self.habits.bins,
            templates: &self.habits.templates,
            bin_dir: &self.bin_dir,
            vendor_dir: &self.vendor_dir,
            vendor_real,
            full: self.full,
            umask: self.umask,
        }
    }

    /// Puts the programs of a package into the bin directory. Returns the messages about them.
    pub(super) fn install(
        &self,
        package: &Package,
        path: &Path,
        reports_conflicts: bool,
    ) -> Result<Vec<String>> {
        if package.bins.is_empty() {
            return Ok(Vec::new());
        }
        let vendor_real = real(Path::new(&self.vendor_dir));
        self.with(&vendor_real.to_string_lossy())
            .install(
                &package.name,
                &path.to_string_lossy(),
                &package.bins,
                reports_conflicts,
            )
            .map_err(of_bins)
    }

    /// Removes programs from the bin directory.
    pub(super) fn remove(&self, names: &[String]) -> Result<()> {
        let vendor_real = real(Path::new(&self.vendor_dir));
        self.with(&vendor_real.to_string_lossy())
            .remove(names)
            .map_err(of_bins)
    }
}

fn of_bins(failure: bins::Failure) -> Error {
    match failure {
        bins::Failure::Files(error) => error,
        bins::Failure::Unfamiliar(Unfamiliar(reason)) => Error::Input(reason),
    }
}
