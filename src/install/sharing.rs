//! Decides which packages get files of their own, as the plugin does (`Install\Sharing` and
//! `Install\Privacy`).

use std::path::Path;

use allegro_composer::Unfamiliar;
use allegro_composer::json::Json;
use allegro_composer::package::Package;

use super::look::Look;

/// The packages whose files are not shared with the store.
#[derive(Debug, Default)]
pub struct Sharing {
    /// Whether the vendor directory contains the project, so that no file may be shared.
    holds_project: bool,
    /// Patterns of names from `extra.allegro.copy`, and names of patched packages.
    private: Vec<String>,
    /// Whether a plugin installs packages of some types outside of the vendor directory.
    has_installers: bool,
}

/// Plugins that install packages outside of the vendor directory.
const INSTALLERS: [&str; 2] = [
    "composer/installers",
    "oomphinc/composer-installers-extender",
];

/// Beginnings of the types of such packages.
const ELSEWHERE: [&str; 2] = ["wordpress-", "drupal-"];

impl Sharing {
    /// Reads the settings of a project.
    pub fn of(
        manifest: &Json,
        locked: &[&Package],
        project: &Path,
        vendor_dir: &Path,
    ) -> Result<Self, Unfamiliar> {
        let extra = manifest.get("extra");
        let mut private = copied(manifest);
        for key in [
            "patches",
            "patches-file",
            "composer-patches",
            "drupal-scaffold",
        ] {
            if extra.and_then(|extra| extra.get(key)).is_some() {
                return Err(Unfamiliar(format!("composer.json has \"extra.{key}\"")));
            }
        }
        for file in ["patches.json", "patches.lock.json"] {
            if project.join(file).exists() {
                return Err(Unfamiliar(format!("the project has a {file}")));
            }
        }
        for package in locked {
            let patches = package
                .entry
                .get("extra")
                .and_then(|extra| extra.get("patches"));
            private.extend(
                patches
                    .map_or(&[][..], Json::entries)
                    .iter()
                    .map(|(name, _)| name.to_ascii_lowercase()),
            );
        }
        if let Some(odd) = private.iter().find(|name| name.contains(['[', '\\'])) {
            return Err(Unfamiliar(format!("the pattern {odd} is unusual")));
        }
        Ok(Self {
            holds_project: project.starts_with(vendor_dir),
            private,
            has_installers: false,
        })
    }

    /// Returns what the plugin will probably decide about a project that is Composer's.
    pub fn expected(look: &Look) -> Self {
        let project = &look.project;
        let mut private: Vec<String> = look.patched().into_iter().collect();
        private.extend(copied(&project.manifest));
        let has_installers = project
            .locked(true)
            .iter()
            .any(|package| INSTALLERS.contains(&package.name.as_str()));
        Self {
            holds_project: project.directory.starts_with(&project.settings.vendor_dir),
            private,
            has_installers,
        }
    }

    /// Returns whether the files of a package may be shared below the vendor directory.
    pub fn may_share(&self, package: &Package) -> bool {
        let kind = package.kind.as_str();
        let is_elsewhere =
            self.has_installers && ELSEWHERE.iter().any(|prefix| kind.starts_with(prefix));
        let name = package.name.as_bytes();
        let mut private = self.private.iter();
        !self.holds_project
            && !package.is_plugin()
            && !is_elsewhere
            && !private.any(|pattern| matches(pattern.as_bytes(), name))
    }
}

/// Returns the patterns of `extra.allegro.copy`.
fn copied(manifest: &Json) -> Vec<String> {
    manifest
        .get("extra")
        .and_then(|extra| extra.get("allegro"))
        .and_then(|allegro| allegro.get("copy"))
        .map(Json::one_or_many)
        .unwrap_or_default()
        .into_iter()
        .map(str::to_ascii_lowercase)
        .collect()
}

/// Returns whether a name matches a pattern with `*` and `?`, as PHP's `fnmatch` decides.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        (Some((b'?', rest)), Some((_, name))) => matches(rest, name),
        (Some((first, rest)), Some((letter, name))) if first == letter => matches(rest, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_fnmatch_does() {
        for (pattern, name, expected) in [
            ("a/b", "a/b", true),
            ("a/*", "a/b", true),
            ("*", "a/b", true),
            ("a/?", "a/b", true),
            ("a/?", "a/bc", false),
            ("*/b*", "a/bcd", true),
            ("b", "a/b", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern}"
            );
        }
    }
}
