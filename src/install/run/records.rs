//! Makes and writes the files that record an install.

use std::fs;

use allegro_base::error::{Result, at};
use allegro_composer::Unfamiliar;
use allegro_vendor::autoload::DumpPlan;

use super::Run;
use super::bins::BinPlaces;
use crate::install::Undecided;
use crate::install::decide::{as_set, dev_names};
use crate::install::files::write_if_modified;
use crate::install::local_repository::LocalRepository;
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

impl Run<'_> {
    /// Makes everything whose form may turn out to be unfamiliar, before anything is written.
    pub(super) fn records(
        &self,
        repository: &LocalRepository<'_>,
        bins: &BinPlaces<'_>,
    ) -> Result<Records, Undecided> {
        let (json, php) = self.record_texts(repository)?;
        for package in &self.wanted {
            let path = self.project.path_of(package);
            let names = package.bins.iter().map(String::as_str);
            bins.with_vendor().check(&path.to_string_lossy(), names)?;
        }
        let plan = if self.options.no_autoloader {
            None
        } else {
            let names = as_set(&dev_names(self.project));
            let packages = repository.canonical_packages();
            Some(
                self.dumping(Vec::new())
                    .plan(self.project, &packages, &names)?,
            )
        };
        Ok(Records { json, php, plan })
    }

    /// Returns the texts of `installed.json` and `installed.php`.
    fn record_texts(
        &self,
        repository: &LocalRepository<'_>,
    ) -> Result<(String, String), Unfamiliar> {
        let dialect = self.habits.target.dialect;
        records::texts(self.project, repository, self.options.dev_mode(), dialect)
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
