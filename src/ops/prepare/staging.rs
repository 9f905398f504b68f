//! Manages the staging directory, where packages wait until the plugin moves them into place.

use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use allegro_base::error::{Result, at};
use allegro_base::fs::{owner_is_alive, remove_all};

use crate::protocol::prepare::PackageRequest;

/// The prefix of names of staging directories. [`allegro_base::fs::unique`] gives the rest.
const PREFIX: &str = ".allegro-";

/// The staging directory of one call.
pub struct Staging<'a>(&'a Path);

impl<'a> Staging<'a> {
    /// Makes the directory if it is missing, and removes those beside it whose process is gone.
    pub fn open(path: &'a Path) -> Result<Self> {
        if let Some(directory) = path.parent() {
            sweep(directory);
        }
        fs::create_dir_all(path).map_err(at("creating", path))?;
        Ok(Self(path))
    }

    /// Takes a directory of packages that are made ahead, which exists.
    pub fn of_shelf(path: &'a Path) -> Self {
        Self(path)
    }

    /// Returns the directory.
    pub fn path(&self) -> &'a Path {
        self.0
    }

    /// Returns the directory in which a package is made ready.
    pub fn of(&self, package: &PackageRequest) -> PathBuf {
        match &package.stage {
            Some(stage) => self.0.join(stage),
            None => self.0.join(package.id.to_string()),
        }
    }

    /// Returns the place of a package's archive if Composer's cache can't have it.
    pub fn archive_of(&self, package: &PackageRequest) -> PathBuf {
        self.0.join(format!("{}.archive", package.id))
    }

    /// Removes this call's packages from staging. Packages of an earlier call are still wanted.
    /// After a signal that doesn't end the process, the plugin requests only the packages of this
    /// call again.
    pub fn clear(&self, packages: &[PackageRequest]) {
        for package in packages {
            let _ = remove_all(&self.of(package));
            let _ = remove_all(&self.archive_of(package));
        }
        let _ = fs::remove_dir(self.0);
    }
}

/// Removes what killed runs have left below a vendor directory: staging directories, and files that
/// were to replace others.
pub fn sweep_vendor(vendor_dir: &Path) {
    sweep(&vendor_dir.join("composer"));
    // Only `autoload.php` is written here.
    remove_left(vendor_dir, |entry| {
        entry.file_type().is_ok_and(|kind| kind.is_file())
    });
}

/// Removes the entries of a directory that a process has made with our prefix and that is gone.
fn sweep(directory: &Path) {
    remove_left(directory, |_| true);
}

/// Removes chosen entries with our prefix whose process is gone. The function ignores failures.
fn remove_left(directory: &Path, is_chosen: impl Fn(&DirEntry) -> bool) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if let Some(owner) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            && !owner_is_alive(owner)
            && is_chosen(&entry)
        {
            let _ = remove_all(&entry.path());
        }
    }
}
