//! Makes and writes the files that record an install.

use std::fs;

use allegro_base::error::{Result, at};
use allegro_composer::Unfamiliar;
use allegro_composer::dialect::Dialect;
use allegro_composer::package::Package;
use allegro_vendor::autoload::DumpPlan;

use super::Run;
use super::bins::BinPlaces;
use crate::install::decide::{as_set, dev_names};
use crate::install::dumping::Dumping;
use crate::install::files::write_if_modified;
use crate::install::local_repository::LocalRepository;
use crate::install::options::Options;
use crate::install::project::Project;
use crate::install::records;

/// Texts and plans that are made before anything is written.
pub(super) struct Records {
    /// Text of `installed.json`.
    pub(super) json: String,
    /// Text of `installed.php`.
    pub(super) php: String,
    /// Plan of the autoloader's dump, unless that is left out.
    pub(super) plan: Option<DumpPlan>,
}

/// Everything that records are made from. Another thread may make them.
pub(super) struct Recording<'a> {
    project: &'a Project,
    repository: &'a LocalRepository<'a>,
    wanted: &'a [&'a Package],
    bins: &'a BinPlaces<'a>,
    dialect: Dialect,
    options: &'a Options,
    dumping: Dumping<'a>,
}

impl Recording<'_> {
    /// Makes everything whose form may turn out to be unfamiliar, before anything is written.
    pub(super) fn make(&self) -> Result<Records, Unfamiliar> {
        let Self {
            project,
            repository,
            options,
            ..
        } = *self;
        for package in self.wanted {
            let path = project.path_of(package);
            let names = package.bins.iter().map(String::as_str);
            let bins = self.bins.with_vendor();
            bins.check(&path.to_string_lossy(), names)?;
        }
        let (json, php) = records::texts(project, repository, options.dev_mode(), self.dialect)?;
        let plan = if options.no_autoloader {
            None
        } else {
            let names = as_set(&dev_names(project));
            let packages = repository.canonical_packages();
            Some(self.dumping.plan(project, &packages, &names)?)
        };
        Ok(Records { json, php, plan })
    }
}

impl Run<'_> {
    /// Returns what the records of this run are made from.
    pub(super) fn recording<'r>(
        &'r self,
        repository: &'r LocalRepository<'r>,
        bins: &'r BinPlaces<'r>,
    ) -> Recording<'r> {
        Recording {
            project: self.project,
            repository,
            wanted: &self.wanted,
            bins,
            dialect: self.habits.target.dialect,
            options: self.options,
            dumping: self.dumping(Vec::new()),
        }
    }

    /// Writes the records, and the class that reads them.
    pub(super) fn write_records(&self, records: &Records) -> Result<()> {
        let target = self.project.settings.vendor_dir.join("composer");
        fs::create_dir_all(&target).map_err(at("creating", &target))?;
        write_if_modified(&target.join("installed.json"), records.json.as_bytes())?;
        write_if_modified(&target.join("installed.php"), records.php.as_bytes())?;
        if let Some(text) = self.habits.texts.get("composer/InstalledVersions.php") {
            write_if_modified(&target.join("InstalledVersions.php"), text)?;
        }
        Ok(())
    }
}
