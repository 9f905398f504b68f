//! Reads as much of a project as there is, for commands that install nothing.
//!
//! Such a command has no use for most reasons for which an install is Composer's. They become
//! reservations, and only a manifest or a lock that can't be read at all is an error.

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use allegro_composer::Unfamiliar;
use allegro_composer::access::Access;
use allegro_composer::installed::{Installed, Record};
use allegro_composer::json::Json;
use allegro_composer::lock::Lock;
use allegro_composer::root::{GuessedVersion, RootPackage};
use allegro_composer::{config, shape};

use super::guess::{self, Origin};
use super::project::{Extent, Project, Target, Unread, configured, is_fresh, parse, path_of, read};

/// A project as far as it could be read.
pub struct Look {
    /// The project. Its installed packages are those whose directories exist.
    pub project: Project,
    /// Access to archives.
    pub access: Access,
    /// All packages of `installed.json`.
    pub records: Vec<Record>,
    /// Whether `installed.json` has packages for development, if it says so.
    pub was_dev: Option<bool>,
    /// Names of the packages for development in `installed.json`.
    pub dev_names: Vec<String>,
    /// Reason why `installed.json` can't be read.
    pub broken_records: Option<String>,
    /// Reasons for which an install is Composer's, as far as they came up.
    pub reservations: Vec<String>,
}

/// What [`Look::at`] does where there is no manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manifest {
    /// The function fails.
    Needed,
    /// The manifest is taken for an empty one.
    Optional,
}

impl Look {
    /// Reads the project in a directory.
    ///
    /// # Errors
    /// Fails where there is no lock, where the manifest is needed and missing, and where one of both
    /// can't be read.
    pub fn at(
        directory: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
        target: &Target,
        needs: Manifest,
    ) -> Result<Self, Unread> {
        let mut reservations = Vec::new();
        let name = config::manifest_path(environment);
        if name != "./composer.json" {
            reservations.push("COMPOSER names another manifest".to_owned());
        }
        let lock_path = normalized(&directory.join(config::lock_path(&name)));
        let manifest_path = normalized(&directory.join(name));
        let manifest = match read(&manifest_path)? {
            Some(text) => parse(&text, &manifest_path)?,
            None if needs == Manifest::Needed => return Err(Unread::NoManifest(manifest_path)),
            None => Json::object(),
        };
        if !matches!(manifest, Json::Object(_)) {
            let reason = format!("{} is no JSON object", manifest_path.display());
            return Err(Unfamiliar(reason).into());
        }
        let mut note = |Unfamiliar(reason): Unfamiliar| reservations.push(reason);
        let _ = shape::check(&manifest).map_err(&mut note);
        let Some(lock_text) = read(&lock_path)? else {
            return Err(Unread::NoLock(lock_path));
        };
        let mut files = vec![manifest_path, lock_path];
        let whole = configured(
            directory,
            &manifest,
            environment,
            target,
            Extent::All,
            &mut files,
        );
        let (settings, access) = match whole {
            Ok(whole) => whole,
            Err(reason) => {
                note(reason);
                let places = places_of(&manifest);
                let extent = Extent::Manifest;
                configured(directory, &places, environment, target, extent, &mut files)?
            }
        };
        let lock = Lock::parse(&lock_text, target.dialect)?;
        let installed_path = settings.vendor_dir.join("composer/installed.json");
        let mut broken_records = None;
        let mut broken = |Unfamiliar(reason): Unfamiliar| broken_records = Some(reason);
        let installed_text = read(&installed_path).unwrap_or_else(|reason| {
            broken(reason);
            None
        });
        let installed = installed_text.as_deref().and_then(|text| {
            Installed::parse(text, target.dialect)
                .map_err(&mut broken)
                .ok()
        });
        files.push(installed_path);
        let (root, origin, asks_git) =
            root_of(directory, &manifest, environment, target, &mut note)?;
        let (records, was_dev, dev_names) = installed.map_or_else(Default::default, |installed| {
            (installed.packages, installed.is_dev, installed.dev_names)
        });
        let mut look = Self {
            project: Project {
                directory: directory.to_owned(),
                is_fresh: is_fresh(&lock, &manifest),
                manifest,
                root,
                lock,
                lock_text: Some(lock_text),
                installed_text,
                installed: Vec::new(),
                settings,
                installed_dev: was_dev,
                installed_dev_names: Vec::new(),
                missing: 0,
                files,
                origin,
                asks_git,
            },
            access,
            records,
            was_dev,
            dev_names,
            broken_records,
            reservations,
        };
        look.project.installed = look
            .records
            .iter()
            .filter(|record| !look.is_gone(record))
            .cloned()
            .collect();
        Ok(look)
    }

    /// Returns whether the directory of an installed package is missing.
    pub fn is_gone(&self, record: &Record) -> bool {
        !record.package.is_metapackage() && fs::metadata(self.place_of(record)).is_err()
    }

    /// Returns the directory of an installed package, which an installer may have chosen.
    pub fn place_of(&self, record: &Record) -> PathBuf {
        let vendor_dir = &self.project.settings.vendor_dir;
        match record.install_path.as_deref() {
            Some(path) => normalized(&vendor_dir.join("composer").join(path)),
            None => path_of(vendor_dir, &record.package),
        }
    }

    /// Returns the names of packages that patches change.
    pub fn patched(&self) -> HashSet<String> {
        let mut names = HashSet::new();
        let mut add = |patches: Option<&Json>| {
            let entries = patches.map_or(&[][..], Json::entries);
            names.extend(entries.iter().map(|(name, _)| name.to_ascii_lowercase()));
        };
        let extra = self.project.manifest.get("extra");
        add(extra.and_then(|extra| extra.get("patches")));
        let named = extra.and_then(|extra| extra.str_at("patches-file"));
        for file in named
            .into_iter()
            .chain(["patches.json", "patches.lock.json"])
        {
            let path = self.project.directory.join(file);
            let text = fs::read_to_string(&path).ok();
            let json = text.and_then(|text| Json::parse(&text).ok());
            add(json.as_ref().and_then(|json| json.get("patches")));
        }
        for package in self.project.locked(true) {
            let extra = package.entry.get("extra");
            add(extra.and_then(|extra| extra.get("patches")));
        }
        names
    }
}

/// Returns a manifest that only names the project's directories.
fn places_of(manifest: &Json) -> Json {
    let mut config = Json::object();
    for key in ["vendor-dir", "bin-dir"] {
        let value = manifest.get("config").and_then(|config| config.get(key));
        if let Some(value @ Json::Str(_)) = value {
            config.set(key, value.clone());
        }
    }
    let mut places = Json::object();
    places.set("config", config);
    places
}

/// Reads the root package. A manifest that Composer refuses gives an empty one.
fn root_of(
    directory: &Path,
    manifest: &Json,
    environment: &dyn Fn(&str) -> Option<String>,
    target: &Target,
    note: &mut dyn FnMut(Unfamiliar),
) -> Result<(RootPackage, Origin, bool), Unfamiliar> {
    let has_version = !matches!(manifest.get("version"), None | Some(Json::Null));
    let version = environment("COMPOSER_ROOT_VERSION").filter(|text| !text.is_empty());
    let asks_git = !has_version && version.is_none();
    let mut guess = (None, Origin::default());
    if asks_git {
        match guess::guess(directory, manifest, target.semver) {
            Ok(found) => guess = found,
            Err(reason) => note(reason),
        }
    }
    let (guess, origin) = guess;
    let guessed = guess.and_then(|guess| {
        Some(GuessedVersion {
            version: guess.version?,
            pretty_version: guess.pretty_version?,
            commit: guess.commit,
        })
    });
    let root = RootPackage::load(
        manifest,
        guessed.as_ref(),
        version.as_deref(),
        target.dialect,
    );
    let root = match root {
        Ok(root) => root,
        Err(reason) => {
            note(reason);
            RootPackage::load(&Json::object(), None, None, target.dialect)?
        }
    };
    Ok((root, origin, asks_git))
}

/// Returns a path without `.` and `..`, by its text alone.
fn normalized(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::decide::Habits;

    fn look(directory: &Path) -> Result<Look, Unread> {
        let habits = Habits::built_in(None).expect("built in");
        let home = directory.join("home").to_string_lossy().into_owned();
        let variable = |name: &str| (name == "COMPOSER_HOME").then(|| home.clone());
        Look::at(directory, &variable, &habits.target, Manifest::Needed)
    }

    #[test]
    fn odd_parts_are_reservations_and_missing_ones_are_errors() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path();
        assert!(matches!(look(root), Err(Unread::NoManifest(_))));
        let manifest = r#"{"name": "acme/app", "require": [7], "config":
            {"vendor-dir": "lib", "bearer": 5, "github-oauth": "odd"}}"#;
        fs::write(root.join("composer.json"), manifest).expect("written");
        assert!(matches!(look(root), Err(Unread::NoLock(_))));
        let lock = r#"{"packages": [{"name": "a/b", "version": "1.0.0"}], "packages-dev": []}"#;
        fs::write(root.join("composer.lock"), lock).expect("written");
        fs::create_dir_all(root.join("lib/composer")).expect("made");
        fs::write(root.join("lib/composer/installed.json"), "{").expect("written");
        let seen = look(root).unwrap_or_else(|_| panic!("it is read"));
        assert!(!seen.reservations.is_empty());
        assert!(seen.broken_records.is_some());
        assert_eq!(seen.project.settings.vendor_dir, root.join("lib"));
        assert_eq!(seen.project.locked(true).len(), 1);
        fs::write(root.join("composer.lock"), "{").expect("written");
        assert!(matches!(look(root), Err(Unread::Unfamiliar(_))));
    }

    #[test]
    fn places_follow_the_record() {
        assert_eq!(
            normalized(Path::new("/p/vendor/composer/../../web/./modules/x")),
            Path::new("/p/web/modules/x")
        );
    }
}
