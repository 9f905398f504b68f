//! Carries out the operations of an install on disk: removes old packages and renames staged ones
//! into place.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use allegro_base::error::{Error, Result, at};
use allegro_base::fs::remove_all;

/// Name of the directory in which packages are staged by vendor.
pub const GROUPS: &str = "vendor";

/// The directories of one install.
#[derive(Debug)]
pub struct Placing {
    /// The project's vendor directory.
    vendor_dir: PathBuf,
    /// Directory in which old packages wait to be removed. It is on vendor's file system.
    trash: PathBuf,
    /// Number of trees in the trash.
    trashed: usize,
    /// Directory with packages that are staged by vendor.
    groups: PathBuf,
    /// Directories of vendors that were moved with all their packages.
    moved: HashSet<PathBuf>,
}

impl Placing {
    /// Returns the placing of an install whose packages are staged in `staging`.
    pub fn new(vendor_dir: &Path, staging: &Path) -> Self {
        Self {
            vendor_dir: vendor_dir.to_owned(),
            trash: staging.join("old"),
            trashed: 0,
            groups: staging.join(GROUPS),
            moved: HashSet::new(),
        }
    }

    /// Moves a staged package to its path. A tree that is there already goes to the trash, as
    /// Composer empties the directory.
    pub fn install(&mut self, stage: &Path, path: &Path) -> Result<()> {
        if self.comes_with_group(stage, path) {
            return Ok(());
        }
        self.clear(path)?;
        let parent = path.parent().unwrap_or(&self.vendor_dir);
        match fs::rename(stage, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(parent).map_err(at("creating", parent))?;
                fs::rename(stage, path).map_err(at("moving a package to", path))?;
            }
            result => result.map_err(at("moving a package to", path))?,
        }
        Ok(())
    }

    /// Moves the directory of a vendor with all its packages, if that has not been done. Returns
    /// `false` for a package that has to be moved by itself.
    fn comes_with_group(&mut self, stage: &Path, path: &Path) -> bool {
        let (Some(group), Some(place)) = (stage.parent(), path.parent()) else {
            return false;
        };
        if group.parent() != Some(&self.groups) {
            return false;
        }
        if !self.moved.contains(place) {
            // A directory is renamed over an empty one only.
            if fs::rename(group, place).is_err() {
                return false;
            }
            self.moved.insert(place.to_owned());
        }
        true
    }

    /// Makes the place of a package free.
    pub fn clear(&mut self, path: &Path) -> Result<()> {
        let facts = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            facts => facts.map_err(at("looking at", path))?,
        };
        if facts.is_symlink() {
            return fs::remove_file(path).map_err(at("removing", path));
        }
        if !facts.is_dir() {
            return Err(Error::Input(format!(
                "{} is a file where a package belongs: remove it and run the command again",
                path.display()
            )));
        }
        // A package is renamed over an empty directory, but not over a mount point.
        if fs::remove_dir(path).is_ok() {
            return Ok(());
        }
        if self.trashed == 0 {
            fs::create_dir_all(&self.trash).map_err(at("creating", &self.trash))?;
        }
        let old = self.trash.join(self.trashed.to_string());
        self.trashed += 1;
        fs::rename(path, &old)
            .or_else(|_| remove_all(path))
            .map_err(at("removing", path))
    }

    /// Removes a package, and the directory of its vendor if that is empty then
    /// (`LibraryInstaller::uninstall`, composer 2.10.2).
    pub fn uninstall(&mut self, path: &Path) -> Result<()> {
        self.clear(path)?;
        if let Some(parent) = path.parent()
            && parent != self.vendor_dir
        {
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }

    /// Removes directories that Composer would not leave behind empty
    /// (`FileDownloader::cleanup`).
    pub fn remove_if_empty(path: &Path) {
        let _ = fs::remove_dir(path);
        if let Some(parent) = path.parent() {
            let _ = fs::remove_dir(parent);
        }
    }

    /// Returns the directory with everything that the install has replaced.
    pub fn trash(&self) -> Option<&Path> {
        (self.trashed > 0).then_some(&self.trash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(root: &Path, files: &[&str]) {
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, "x").expect("written");
        }
    }

    #[test]
    fn old_packages_make_way_and_links_are_not_followed() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path();
        let (vendor, staging) = (root.join("vendor"), root.join("vendor/composer/.allegro-1"));
        tree(root, &["elsewhere/kept"]);
        tree(
            &vendor,
            &[
                "a/b/old",
                "composer/.allegro-1/0/new",
                "composer/.allegro-1/1/new",
            ],
        );
        fs::create_dir_all(vendor.join("c")).expect("made");
        std::os::unix::fs::symlink(root.join("elsewhere"), vendor.join("c/d")).expect("a link");

        let mut placing = Placing::new(&vendor, &staging);
        placing
            .install(&staging.join("0"), &vendor.join("a/b"))
            .expect("placed");
        placing
            .install(&staging.join("1"), &vendor.join("c/d"))
            .expect("placed");
        assert!(vendor.join("a/b/new").exists() && !vendor.join("a/b/old").exists());
        assert!(vendor.join("c/d/new").exists());
        assert!(root.join("elsewhere/kept").exists());

        placing.uninstall(&vendor.join("a/b")).expect("removed");
        assert!(!vendor.join("a").exists());
        assert!(placing.trash().is_some());
    }

    #[test]
    fn packages_of_a_vendor_come_together_unless_the_directory_is_taken() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (vendor, staging) = (dir.path().join("vendor"), dir.path().join("staging"));
        tree(
            &staging,
            &[
                "vendor/a/b/new",
                "vendor/a/c/new",
                "vendor/d/e/new",
                "vendor/d/f/new",
            ],
        );
        tree(&vendor, &["d/e/old", "d/other"]);
        let mut placing = Placing::new(&vendor, &staging);
        let mut install = |name: &str| {
            let stage = staging.join(GROUPS).join(name);
            placing.install(&stage, &vendor.join(name)).expect("placed");
        };
        install("a/b");
        assert!(vendor.join("a/c/new").exists());
        fs::write(vendor.join("a/c/by a script"), "x").expect("written");
        install("a/c");
        assert!(vendor.join("a/c/by a script").exists());
        install("d/e");
        assert!(vendor.join("d/e/new").exists() && !vendor.join("d/e/old").exists());
        assert!(vendor.join("d/other").exists() && !vendor.join("d/f").exists());
        install("d/f");
        assert!(vendor.join("d/f/new").exists());
    }
}
