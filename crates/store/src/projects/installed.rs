//! Reads which packages a project has now, from Composer's `installed.json`.
//!
//! A record of the registry may name packages that the project has given up since, because not
//! every run of Composer writes to the registry.

use std::collections::HashMap;
use std::path::Path;

use allegro_base::fs::read_regular;
use serde::Deserialize;
use serde_json::Value;

use crate::Manifest;

/// The installed packages of a project.
#[derive(Debug)]
pub struct Installed(HashMap<String, Entry>);

/// A package as `installed.json` has it. Fields of an unexpected type count as absent.
#[derive(Debug, Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    version: Value,
    #[serde(default)]
    dist: Value,
}

/// The forms of the file: that of Composer 2, and the list of Composer 1.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Second { packages: Vec<Entry> },
    First(Vec<Entry>),
}

impl Installed {
    /// Reads the packages below a vendor directory. Returns `None` where no such file can be read,
    /// because such a project may be about to be installed again.
    pub fn read(vendor_dir: &Path) -> Option<Self> {
        let bytes = read_regular(&vendor_dir.join("composer/installed.json")).ok()??;
        let entries = match serde_json::from_slice(&bytes).ok()? {
            Form::Second { packages } | Form::First(packages) => packages,
        };
        Some(Self(
            entries
                .into_iter()
                .map(|entry| (entry.name.to_lowercase(), entry))
                .collect(),
        ))
    }

    /// Returns whether the project still has some version of a package.
    pub fn names(&self, package: &str) -> bool {
        self.0.contains_key(&package.to_lowercase())
    }

    /// Returns whether the project still has the package of a manifest.
    ///
    /// References decide where both sides have one, because two versions of one commit share a
    /// manifest. Else the pretty versions decide.
    pub fn has(&self, manifest: &Manifest) -> bool {
        let Some(entry) = self.0.get(&manifest.name.to_lowercase()) else {
            return false;
        };
        match (&manifest.reference, entry.dist["reference"].as_str()) {
            (Some(reference), Some(installed)) => reference == installed,
            _ => entry
                .version
                .as_str()
                .is_none_or(|version| version == manifest.version),
        }
    }
}
