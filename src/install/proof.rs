//! Proves that native code writes what the machine's Composer writes.
//!
//! A version tells little: distributions change what their Composer writes. So native code installs
//! the sample project of [`project`] too, and its files must be those of Composer. The result is
//! kept with Composer's texts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use allegro_base::error::{Error, Result, in_store};
use allegro_base::report::Silent;
use allegro_composer::Unfamiliar;
use allegro_store::Store;
use allegro_vendor::bins::{self, Bins};

use super::Options;
use super::decide::{Habits, Steps, as_set, dev_names};
use super::dumping::{Dumping, Undone, real};
use super::local_repository::LocalRepository;
use super::project::{Project, Unread};
use super::records;
use super::{Context, Undecided};
use crate::machine::{Proof, SampleDirectory, project};
use crate::settings::Settings;

/// Checks the proof for the Composer of these habits, and makes it if there is none.
pub fn check(habits: &mut Habits, context: &Context<'_>, store: &Store) -> Result<(), Undecided> {
    if habits.texts.proof.is_none() {
        let difference = difference(habits, context, store)?;
        habits.texts.proof = Some(Proof { difference });
        context.machine.keep_texts(store, &habits.texts)?;
    }
    let proof = habits.texts.proof.as_ref();
    match proof.and_then(|proof| proof.difference.as_ref()) {
        Some(name) => Err(Unfamiliar(format!(
            "native code doesn't write what this Composer writes: {name}"
        ))
        .into()),
        None => Ok(()),
    }
}

/// Returns the name of a file that native code writes in another way than Composer.
fn difference(
    habits: &Habits,
    context: &Context<'_>,
    store: &Store,
) -> Result<Option<String>, Undecided> {
    let written = written(habits, context, store)?;
    Ok(first_difference(&written, &habits.texts.files))
}

/// Installs the sample project, and returns the files that native code has written.
fn written(
    habits: &Habits,
    context: &Context<'_>,
    store: &Store,
) -> Result<BTreeMap<String, Vec<u8>>, Undecided> {
    let place = store.temporary();
    let failed = |error: io::Error| in_store("writing", &place)(error);
    let sample = SampleDirectory::create(place.clone()).map_err(failed)?;
    let at = sample.path().join("project");
    project::write(&at)
        .and_then(|()| project::place(&at))
        .map_err(failed)?;
    // The class map of the sample needs no record. There is no store at the place of a file.
    let settings = Settings {
        store: at.join("composer.json"),
        ..context.settings.clone()
    };
    let own = Sample {
        habits,
        context,
        settings: &settings,
        directory: &at,
    };
    match own.install() {
        Ok(()) => {}
        Err(Undone::Unfamiliar(reason)) => return Err(reason.into()),
        Err(Undone::Failed(Error::Interrupted)) => return Err(Error::Interrupted.into()),
        // Composer can do without the sample, for example on a full disk.
        Err(Undone::Failed(error)) => {
            let reason = format!("the sample project can't be installed: {error}");
            return Err(Undecided::ThisTime(Unfamiliar(reason)));
        }
    }
    Ok(project::written(&at.join("vendor")).map_err(failed)?)
}

/// Returns the name of a file that is not in both sets with the same content.
fn first_difference(
    ours: &BTreeMap<String, Vec<u8>>,
    theirs: &BTreeMap<String, Vec<u8>>,
) -> Option<String> {
    ours.keys()
        .chain(theirs.keys())
        .find(|name| ours.get(*name) != theirs.get(*name))
        .cloned()
}

/// The sample project in a directory.
struct Sample<'a> {
    habits: &'a Habits,
    context: &'a Context<'a>,
    settings: &'a Settings,
    directory: &'a Path,
}

impl Sample<'_> {
    /// Writes all files that Composer writes for the packages, which are in their places.
    fn install(&self) -> Result<(), Undone> {
        let habits = self.habits;
        let home = self.directory.with_file_name("home");
        let variable = |name: &str| match name {
            "COMPOSER_ROOT_VERSION" => Some(project::ROOT_VERSION.to_owned()),
            "COMPOSER_HOME" | "COMPOSER_CACHE_DIR" => home.to_str().map(str::to_owned),
            _ => None,
        };
        let project = Project::read(self.directory, &variable, &habits.target);
        let (project, _) = project.map_err(|unread| match unread {
            Unread::Unfamiliar(reason) => Undone::Unfamiliar(reason),
            Unread::NoManifest(path) | Unread::NoLock(path) => {
                Undone::Failed(Error::Internal(format!("{} is missing", path.display())))
            }
        })?;
        let options = Options::default();
        let steps = Steps::unchecked(&project, &options, &habits.target);
        let repository = LocalRepository::after(&project, &steps);
        let is_dev = options.dev_mode();
        let (json, php) = records::texts(&project, &repository, is_dev, habits.target.dialect)?;
        let target = project.settings.vendor_dir.join("composer");
        fs::create_dir_all(&target)
            .and_then(|()| fs::write(target.join("installed.json"), json))
            .and_then(|()| fs::write(target.join("installed.php"), php))
            .map_err(in_store("writing", &target))?;
        if let Some(text) = habits.texts.get("composer/InstalledVersions.php") {
            fs::write(target.join("InstalledVersions.php"), text)
                .map_err(in_store("writing", &target))?;
        }
        self.install_bins(&project, &steps)?;
        let dumping = Dumping {
            options: &options,
            settings: self.settings,
            machine: self.context.machine,
            texts: &habits.texts,
            traits: &habits.dump,
            dialect: habits.scan,
            timezone: None,
            placed: Vec::new(),
            scratch: self.directory.with_file_name("scratch"),
        };
        let packages = repository.canonical_packages();
        let names = as_set(&dev_names(&project));
        let plan = dumping.plan(&project, &packages, &names)?;
        dumping.dump(&project, &plan, None, &mut Silent)?;
        Ok(())
    }

    fn install_bins(&self, project: &Project, steps: &Steps<'_>) -> Result<(), Undone> {
        let settings = &project.settings;
        let (bin_dir, vendor_dir) = (
            settings.bin_dir.to_string_lossy(),
            settings.vendor_dir.to_string_lossy(),
        );
        let vendor_real = real(&settings.vendor_dir);
        let bins = Bins {
            traits: self.habits.bins,
            templates: &self.habits.templates,
            bin_dir: &bin_dir,
            vendor_dir: &vendor_dir,
            vendor_real: &vendor_real.to_string_lossy(),
            full: true,
            umask: self.context.umask,
        };
        for package in steps
            .new_packages()
            .filter(|package| !package.bins.is_empty())
        {
            let path = project.path_of(package);
            bins.install(&package.name, &path.to_string_lossy(), &package.bins, true)
                .map_err(|failure| match failure {
                    bins::Failure::Files(error) => Undone::Failed(error),
                    bins::Failure::Unfamiliar(reason) => Undone::Unfamiliar(reason),
                })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
