//! Makes the files of packages ready in a directory beside their places.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use allegro_base::error::{Result, at};
use allegro_base::fs::{remove_all, unique};
use allegro_composer::Unfamiliar;

use super::Run;
use crate::install::placing::GROUPS;
use crate::install::{Progress, Undecided};
use crate::ops;
use crate::protocol::prepare::{PackageOutcome, PackageRequest, PrepareAnswer, PrepareRequest};

/// Packages that are ready beside their places.
pub(super) struct Staged {
    /// The staging directory.
    pub(super) directory: PathBuf,
    /// The answer about each package.
    pub(super) answer: PrepareAnswer,
    /// Time that the packages took.
    pub(super) took: Duration,
    /// Whether the vendor directory was made for the staging directory.
    pub(super) made_vendor: bool,
}

/// The staged directories of packages, by the packages' names.
#[derive(Default)]
pub(super) struct Stages<'s> {
    /// The directories.
    pub(super) directories: HashMap<&'s str, &'s Path>,
    /// Names of packages without files, whose directories may be empty.
    pub(super) hollow: HashSet<&'s str>,
}

impl Run<'_> {
    /// Makes the packages ready, and checks the code of plugins among them. A failure leaves
    /// nothing behind.
    pub(super) fn stage(
        &self,
        mut packages: Vec<PackageRequest>,
        objections: &[String],
        progress: &mut dyn Progress,
    ) -> Result<Staged, Undecided> {
        let began = Instant::now();
        let directory = self.staging();
        let made_vendor = !self.project.settings.vendor_dir.exists();
        if made_vendor {
            self.group(&directory, &mut packages)
                .inspect_err(|_| self.clear(&directory, made_vendor))?;
        } else {
            // A run that was killed after its last package leaves nothing to install.
            ops::sweep_vendor(&self.project.settings.vendor_dir);
        }
        let answer = self.prepare(&directory, packages, objections, progress);
        let checked = answer.and_then(|answer| {
            self.plugins
                .check_staged(&self.stages(&answer).directories)?;
            Ok(answer)
        });
        let answer = checked.inspect_err(|_| self.clear(&directory, made_vendor))?;
        Ok(Staged {
            directory,
            answer,
            took: began.elapsed(),
            made_vendor,
        })
    }

    /// Lets packages of one vendor be made in one directory, which gets its place by one rename. That
    /// is possible where each package lies two levels below a vendor directory that is new.
    fn group(&self, staging: &Path, packages: &mut [PackageRequest]) -> Result<()> {
        let vendor_dir = &self.project.settings.vendor_dir;
        let mut stages = Vec::with_capacity(packages.len());
        let mut spellings = HashMap::new();
        for package in &*packages {
            let path = package.path.as_deref().unwrap_or(vendor_dir);
            let Some((vendor, name)) = two_names(vendor_dir, path) else {
                return Ok(());
            };
            // A file system may take names for the same that differ in their case.
            if *spellings
                .entry(vendor.to_ascii_lowercase())
                .or_insert(vendor)
                != vendor
                || !vendor.is_ascii()
            {
                return Ok(());
            }
            // The staging directory lies in this vendor's directory.
            let is_free = vendor != "composer";
            stages.push(is_free.then(|| Path::new(GROUPS).join(vendor).join(name)));
        }
        let mut made = HashSet::new();
        for (package, stage) in packages.iter_mut().zip(stages) {
            if let Some(group) = stage.as_deref().and_then(Path::parent)
                && made.insert(group.to_owned())
            {
                let group = staging.join(group);
                fs::create_dir_all(&group).map_err(at("creating", &group))?;
            }
            package.stage = stage;
        }
        Ok(())
    }

    /// Returns the path of a new staging directory.
    fn staging(&self) -> PathBuf {
        let name = format!(".allegro-{}", unique());
        self.project.settings.vendor_dir.join("composer").join(name)
    }

    /// Removes the staging directory, and directories that were made for it.
    pub(super) fn clear(&self, staging: &Path, made_vendor: bool) {
        let _ = remove_all(staging);
        if made_vendor {
            let _ = fs::remove_dir(self.project.settings.vendor_dir.join("composer"));
            let _ = fs::remove_dir(&self.project.settings.vendor_dir);
        }
    }

    /// Makes the packages ready. Composer does the install if one of them is not at hand.
    fn prepare(
        &self,
        staging: &Path,
        packages: Vec<PackageRequest>,
        objections: &[String],
        progress: &mut dyn Progress,
    ) -> Result<PrepareAnswer, Undecided> {
        let names: Vec<(usize, String)> = packages
            .iter()
            .map(|package| (package.id, package.name.clone()))
            .collect();
        if packages.is_empty() {
            return Ok(PrepareAnswer {
                packages: Vec::new(),
                method: None,
                notices: Vec::new(),
                made: (0, 0),
            });
        }
        let request = PrepareRequest {
            vendor_dir: self.project.settings.vendor_dir.clone(),
            staging: staging.to_owned(),
            umask: self.context.umask,
            timezone: self.context.timezone.clone(),
            is_quiet: false,
            settings: self.context.overrides.clone(),
            http: self.project.settings.http.clone(),
            packages,
        };
        progress.begin(&names);
        let answer = ops::prepare(&request, self.context.environment, progress);
        progress.end();
        let answer = answer?;
        let mut missing = Vec::new();
        for package in &answer.packages {
            match &package.outcome {
                PackageOutcome::Ready { .. } => {}
                PackageOutcome::Missing => missing.push(names[package.id].1.clone()),
                PackageOutcome::Declined { reason, .. } => {
                    let name = &names[package.id].1;
                    return Err(Undecided::ThisTime(Unfamiliar(format!("{name}: {reason}"))));
                }
                // Composer finds its own words for it, or another way.
                PackageOutcome::Failed { message, .. } => {
                    return Err(Undecided::ThisTime(Unfamiliar(message.clone())));
                }
            }
        }
        if !missing.is_empty() {
            if self.options.offline {
                return Err(Undecided::Offline(missing));
            }
            let reason = objections.first().cloned();
            let reason = reason.unwrap_or_else(|| format!("{} is not at hand", missing[0]));
            return Err(Undecided::ThisTime(Unfamiliar(reason)));
        }
        Ok(answer)
    }

    /// Returns the staged directories.
    pub(super) fn stages<'s>(&'s self, answer: &'s PrepareAnswer) -> Stages<'s> {
        let mut stages = Stages::default();
        for package in &answer.packages {
            if let PackageOutcome::Ready { stage, files, .. } = &package.outcome {
                let name = self.wanted[package.id].name.as_str();
                stages.directories.insert(name, stage);
                if *files == 0 {
                    stages.hollow.insert(name);
                }
            }
        }
        stages
    }
}

/// Returns the parts of a path that lies two levels below a directory.
fn two_names<'p>(directory: &Path, path: &'p Path) -> Option<(&'p OsStr, &'p OsStr)> {
    let mut parts = path.strip_prefix(directory).ok()?.components();
    match (parts.next()?, parts.next()?, parts.next()) {
        (Component::Normal(vendor), Component::Normal(name), None) => Some((vendor, name)),
        _ => None,
    }
}
