//! The manifest and the lock of the project.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use allegro_composer::content_hash;
use allegro_composer::json::Json;

use super::Context;
use super::failure::{Code, Failure};
use super::surroundings::{CORRECT_FILE, no_lock, no_manifest};

/// Paths of a project's files.
#[derive(Debug)]
pub struct Project {
    /// Path of composer.json.
    pub manifest: PathBuf,
    /// Path of composer.lock.
    pub lock: PathBuf,
}

impl Project {
    /// Returns the project of a command (`Factory::getComposerFile` and `getLockFile`, composer
    /// 2.10.2).
    pub fn of(context: &Context) -> Self {
        let named = context.environment.text("COMPOSER");
        let name = named
            .as_deref()
            .map(str::trim)
            .filter(|name| !name.is_empty());
        let manifest = context.directory.join(name.unwrap_or("composer.json"));
        let mut lock = manifest.clone();
        if manifest
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            lock.set_extension("lock");
        } else {
            lock.as_mut_os_string().push(".lock");
        }
        Self { manifest, lock }
    }

    /// Checks that the lock exists and fits the manifest.
    ///
    /// # Errors
    /// Fails with [`Code::Project`] where it doesn't, or where one of the files can't be read.
    pub fn check_lock(&self) -> Result<(), Failure> {
        let manifest = json(&self.manifest, no_manifest)?;
        let lock = json(&self.lock, no_lock)?;
        let shown = self.lock.display();
        let advice = "run \"allegro update --lock\", and commit the lock";
        match lock.str_at("content-hash") {
            Some(hash) if hash == content_hash(&manifest) => Ok(()),
            Some(_) => Err(Failure::new(
                Code::Project,
                format_args!("{shown} does not fit {}", self.manifest_name()),
            )
            .hint(advice)),
            None => Err(
                Failure::new(Code::Project, format_args!("{shown} has no content-hash"))
                    .hint(advice),
            ),
        }
    }

    /// Returns the name of composer.json without the directory, in which the lock is too.
    fn manifest_name(&self) -> std::borrow::Cow<'_, str> {
        let name = self.manifest.file_name().unwrap_or_default();
        name.to_string_lossy()
    }
}

fn json(path: &Path, missing: fn(&Path) -> Failure) -> Result<Json, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            missing(path)
        } else {
            Failure::new(
                Code::Project,
                format_args!("{shown} can't be read: {error}"),
            )
        }
    })?;
    Json::parse(&text).map_err(|error| {
        Failure::new(Code::Project, format_args!("{shown} is no JSON: {error}")).hint(CORRECT_FILE)
    })
}
