//! Recognizes plugins by the content of their classes.

use std::fs;
use std::path::Path;

use allegro_base::hex::hex;
use allegro_composer::package::Package;
use allegro_composer::{Unfamiliar, unfamiliar};
use sha2::{Digest as _, Sha256};

use super::known::KNOWN;
use super::{Effect, Scene};

/// A plugin, and the versions of it that behave alike.
#[derive(Debug)]
pub struct Known {
    /// Name of the package.
    pub name: &'static str,
    /// Value of `extra.class`.
    pub class: &'static str,
    /// The rule under `autoload.psr-4` that leads to the class: prefix and directory.
    pub autoload: (&'static str, &'static str),
    /// The files that decide what the plugin does in an install.
    pub files: &'static [&'static str],
    /// Digests of the files, each with the versions that have it.
    pub codes: &'static [(&'static str, &'static str)],
    /// The events that the plugin listens to, and its methods.
    pub listeners: &'static [(&'static str, &'static str)],
    /// Decides on the plugin's part in an install.
    pub plan: fn(&Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar>,
    /// Whether the plugin does nothing when it is removed.
    pub leaves_silently: bool,
    /// Whether an update of the plugin changes nothing for its effect.
    pub may_change: bool,
    /// The first version of PHP that complains about the code.
    pub php_below: Option<u32>,
}

impl Known {
    /// Returns the digest of a version, if the version is known.
    pub fn digest_of(&self, version: &str) -> Option<&'static str> {
        let version = version.strip_prefix('v').unwrap_or(version);
        self.codes
            .iter()
            .find(|(_, versions)| versions.split(' ').any(|known| known == version))
            .map(|(digest, _)| *digest)
    }

    /// Returns whether the plugin listens to an event.
    pub fn hears(&self, event: &str) -> bool {
        self.listeners.iter().any(|(on, _)| *on == event)
    }
}

/// Finds a plugin in the table by name, version and class.
pub fn find(package: &Package) -> Result<&'static Known, Unfamiliar> {
    let mut same_name = KNOWN
        .iter()
        .filter(|known| known.name == package.name)
        .peekable();
    if same_name.peek().is_none() {
        return unfamiliar(format!("{} is a plugin", package.name));
    }
    let version = &package.pretty_version;
    let Some(known) = same_name.find(|known| known.digest_of(version).is_some()) else {
        return unfamiliar(format!(
            "the plugin {} {version} is not known",
            package.name
        ));
    };
    let extra = package.entry.get("extra");
    let class = extra.and_then(|extra| extra.str_at("class"));
    let (prefix, directory) = known.autoload;
    let place = package
        .autoload
        .get("psr-4")
        .and_then(|rules| rules.get(prefix));
    let is_usual = class == Some(known.class)
        && place.is_some_and(|place| {
            let places: Vec<&str> = place.one_or_many();
            places.len() == 1 && places[0].trim_end_matches('/') == directory
        });
    if !is_usual {
        return unfamiliar(format!("the plugin {} has another class", package.name));
    }
    Ok(known)
}

/// Checks that the installed code of a plugin is that of its version.
pub fn check_code(known: &Known, package: &Package, directory: &Path) -> Result<(), Unfamiliar> {
    check_digest(known, &package.name, &package.pretty_version, directory)
}

/// Checks that the code of a plugin below a directory is that of its version.
pub fn check_digest(
    known: &Known,
    name: &str,
    version: &str,
    directory: &Path,
) -> Result<(), Unfamiliar> {
    let digest = digest_at(directory, known.files);
    if digest.is_some() && digest.as_deref() == known.digest_of(version) {
        return Ok(());
    }
    unfamiliar(format!(
        "the code of the plugin {name} {version} is not known"
    ))
}

/// Returns the digest of files below a directory, if all of them are there.
pub fn digest_at(directory: &Path, files: &[&str]) -> Option<String> {
    let contents = files
        .iter()
        .map(|file| fs::read(directory.join(file)).ok())
        .collect::<Option<Vec<_>>>()?;
    Some(digest_of(files, &contents))
}

/// Returns the digest of files with their contents.
pub fn digest_of(files: &[&str], contents: &[Vec<u8>]) -> String {
    let mut digest = Sha256::new();
    for (file, content) in files.iter().zip(contents) {
        digest.update(file.as_bytes());
        digest.update([0]);
        digest.update((content.len() as u64).to_le_bytes());
        digest.update(content);
    }
    hex(&digest.finalize())
}
