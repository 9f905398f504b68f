//! Puts right what a check of vendor has found.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::{Path, PathBuf};

use allegro_base::error::{Error, Result, at};
use allegro_base::fs::{own_inode, remove_all, unique};
use allegro_base::report::Host;
use allegro_store::link::Fault;
use serde::Serialize;

use super::generated::{self, Wanted};
use super::verify::{Asked, Checked, Survey, below, files_of};
use super::{plugins, shown};
use crate::install::files::write_if_modified;
use crate::install::placing::Placing;
use crate::install::{Context, Undecided};
use crate::ops;
use crate::protocol::prepare::{PackageOutcome, PackageRequest, PrepareRequest};

/// What was put right, and what could not be.
#[derive(Debug, Default, Serialize)]
pub struct Mended {
    /// Names of packages that were put in place anew.
    pub packages: Vec<String>,
    /// Generated files that were written anew.
    pub files: Vec<String>,
    /// Added entries that were removed.
    pub removed: Vec<String>,
    /// Sentences about what could not be put right.
    pub failures: Vec<String>,
}

/// Puts right what differs from what Composer would have written. Added files stay unless
/// `is_clean`.
///
/// # Errors
/// Fails as [`verify`](super::verify()) does. Trouble of single packages and files is in the result.
pub fn mend(
    context: &Context<'_>,
    asked: Asked<'_>,
    is_clean: bool,
    is_offline: bool,
    host: &mut dyn Host,
) -> Result<Mended, Undecided> {
    let mut survey = Survey::of(context, asked, host)?;
    let mut mending = Mending {
        context,
        is_clean,
        mended: Mended::default(),
    };
    mending.packages(&mut survey, is_offline, host)?;
    if is_clean {
        let surplus = survey.surplus.iter();
        let vendor_dir = &survey.sight.look.project.settings.vendor_dir;
        for path in surplus.filter(|path| !is_of_plugin(path, vendor_dir)) {
            mending.remove(path);
        }
    }
    if asked.names.is_empty() && survey.generated.is_ok() {
        // The class map depends on files of packages, which are right only now.
        let again = Survey::of(context, asked, host)?;
        if let Ok(generated) = &again.generated {
            mending.generated(&again, generated);
        }
    }
    Ok(mending.mended)
}

fn is_of_plugin(path: &Path, vendor_dir: &Path) -> bool {
    path.strip_prefix(vendor_dir).is_ok_and(plugins::writes)
}

struct Mending<'a> {
    context: &'a Context<'a>,
    is_clean: bool,
    mended: Mended,
}

/// The faults of one package.
struct Broken {
    /// Place of the package in the survey.
    place: usize,
    /// Added entries, relative to the package.
    added: Vec<PathBuf>,
    /// Whether anything but added entries differs.
    has_faults: bool,
}

impl Mending<'_> {
    fn fail(&mut self, sentence: impl Into<String>) {
        self.mended.failures.push(sentence.into());
    }

    fn remove(&mut self, path: &Path) {
        match remove_all(path) {
            Ok(()) => {
                let shown = shown(path, &self.context.directory);
                self.mended.removed.push(shown.display().to_string());
            }
            Err(error) => self.fail(at("removing", path)(error).to_string()),
        }
    }

    /// Puts packages in place anew, as an install does.
    fn packages(
        &mut self,
        survey: &mut Survey,
        is_offline: bool,
        host: &mut dyn Host,
    ) -> Result<(), Undecided> {
        let vendor_dir = survey.sight.look.project.settings.vendor_dir.clone();
        ops::sweep_vendor(&vendor_dir);
        let broken = broken(survey, &vendor_dir);
        // A removed entry leaves another time on its directory, so the whole package is placed anew.
        let broken: Vec<Broken> = broken
            .into_iter()
            .filter(|package| package.has_faults || self.is_clean)
            .collect();
        if broken.is_empty() {
            return Ok(());
        }
        let requests = self.requests(survey, &broken, is_offline);
        let settings = &survey.sight.look.project.settings;
        let staging = vendor_dir
            .join("composer")
            .join(format!(".allegro-{}", unique()));
        fs::create_dir_all(&staging).map_err(at("creating", &staging))?;
        let request = PrepareRequest {
            vendor_dir: vendor_dir.clone(),
            staging: staging.clone(),
            umask: self.context.umask,
            timezone: self.context.timezone.clone(),
            is_quiet: false,
            settings: self.context.overrides.clone(),
            http: settings.http.clone(),
            packages: requests,
        };
        let answer = ops::restore(&request, self.context.environment, host);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                let _ = remove_all(&staging);
                return Err(error.into());
            }
        };
        let outcomes: HashMap<usize, PackageOutcome> = answer
            .packages
            .into_iter()
            .map(|package| (package.id, package.outcome))
            .collect();
        let mut placing = Placing::new(&vendor_dir, &staging);
        for package in &broken {
            let name = survey.members[package.place].package.name.clone();
            let outcome = match outcomes.get(&package.place) {
                Some(PackageOutcome::Ready { stage, .. }) => self
                    .place(survey, package, stage, &mut placing)
                    .map_err(|error| error.to_string()),
                Some(PackageOutcome::Missing) => Err("it is not at hand".to_owned()),
                Some(PackageOutcome::Declined { reason, .. }) => Err(reason.clone()),
                Some(PackageOutcome::Failed { message, .. }) => Err(message.clone()),
                None => continue,
            };
            match outcome {
                Ok(()) => self.mended.packages.push(name),
                Err(reason) => self.fail(format!("{name} can't be mended: {reason}")),
            }
        }
        let _ = remove_all(&staging);
        Ok(())
    }

    /// Returns the requests for broken packages. Their ids are places in the survey.
    fn requests(
        &mut self,
        survey: &mut Survey,
        broken: &[Broken],
        is_offline: bool,
    ) -> Vec<PackageRequest> {
        // The check has asked for nothing that needs the network.
        let members = survey.state.members(&mut survey.sight, is_offline);
        let own = rustix::process::geteuid().as_raw();
        let is_others = survey.owner.is_some_and(|owner| owner != own);
        let mut requests = Vec::new();
        for package in broken {
            match &members[package.place].request {
                Ok(request) => requests.push(PackageRequest {
                    id: package.place,
                    private: request.private || is_others,
                    ..request.clone()
                }),
                Err(reason) => {
                    let name = &members[package.place].package.name;
                    self.fail(format!("{name} can't be mended: {reason}"));
                }
            }
        }
        requests
    }

    fn place(
        &mut self,
        survey: &Survey,
        broken: &Broken,
        stage: &Path,
        placing: &mut Placing,
    ) -> Result<()> {
        let member = &survey.members[broken.place];
        let path = &member.path;
        let holds = |other: &Path| other != path && other.starts_with(path);
        if survey.members.iter().any(|other| holds(&other.path)) {
            return Err(Error::Input("it contains other packages".to_owned()));
        }
        for bin in files_of(&survey.programs()[broken.place], stage) {
            let file = stage.join(bin);
            own_inode(&file)?;
            let permissions = fs::Permissions::from_mode(0o777 & !self.context.umask);
            fs::set_permissions(&file, permissions).map_err(at("setting the mode of", &file))?;
        }
        if let Some(owner) = survey.owner {
            give(stage, owner)?;
        }
        let kept = stage.with_extension("kept");
        let is_directory = fs::symlink_metadata(path).is_ok_and(|facts| facts.is_dir());
        if is_directory {
            fs::rename(path, &kept).map_err(at("moving", path))?;
        } else if fs::symlink_metadata(path).is_ok() && !self.is_clean {
            let shown = shown(path, &self.context.directory).display().to_string();
            return Err(Error::Input(format!(
                "{shown} is no directory; --clean removes it"
            )));
        } else if fs::symlink_metadata(path).is_ok() {
            fs::remove_file(path).map_err(at("removing", path))?;
        }
        placing.install(stage, path)?;
        for added in &broken.added {
            let shown = shown(path, &self.context.directory).join(added);
            if self.is_clean {
                self.mended.removed.push(shown.display().to_string());
                continue;
            }
            let to = path.join(added);
            if let Some(parent) = to.parent()
                && !parent.is_dir()
            {
                // A file is in the place of the directory now.
                self.fail(format!("{} can't be kept", shown.display()));
                continue;
            }
            fs::rename(kept.join(added), &to).map_err(at("moving", &to))?;
        }
        Ok(())
    }

    /// Writes generated files anew.
    fn generated(&mut self, survey: &Survey, generated: &generated::Generated) {
        let (faults, _) = survey.of_generated(generated);
        let mut done: Vec<&Path> = Vec::new();
        for (path, fault) in &faults {
            let wanted = generated.files.iter().find(|wanted| wanted.path == *path);
            let Some(wanted) = wanted.filter(|_| !done.contains(&path.as_path())) else {
                continue;
            };
            done.push(path);
            if *fault == Fault::Added {
                // Composer removes these files itself.
                self.remove(path);
                continue;
            }
            match self.write(survey, wanted) {
                Ok(()) => {
                    let shown = shown(path, &self.context.directory);
                    self.mended.files.push(shown.display().to_string());
                }
                Err(error) => self.fail(error.to_string()),
            }
        }
    }

    fn write(&self, survey: &Survey, wanted: &Wanted) -> Result<()> {
        let path = &wanted.path;
        if let Ok(facts) = fs::symlink_metadata(path) {
            if facts.is_symlink() {
                fs::remove_file(path).map_err(at("removing", path))?;
            } else if facts.is_dir() {
                // A directory with content is somebody's own.
                fs::remove_dir(path)
                    .or_else(|error| {
                        if self.is_clean {
                            remove_all(path)
                        } else {
                            Err(error)
                        }
                    })
                    .map_err(at("removing", path))?;
            }
        }
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(at("creating", parent))?;
        }
        let is_right = fs::read(path).is_ok_and(|content| wanted.is_right(&content));
        if let Some(content) = wanted.contents.first().filter(|_| !is_right) {
            write_if_modified(path, content)?;
        }
        let facts = fs::metadata(path).map_err(at("reading", path))?;
        if facts.mode() & 0o7777 != wanted.mode {
            own_inode(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(wanted.mode))
                .map_err(at("setting the mode of", path))?;
        }
        match survey.owner {
            Some(owner) if owner != facts.uid() => {
                own_inode(path)?;
                lchown(path, Some(owner), None).map_err(at("setting the owner of", path))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the packages with faults.
fn broken(survey: &Survey, vendor_dir: &Path) -> Vec<Broken> {
    let mut broken = Vec::new();
    for (place, (member, result)) in survey.members.iter().zip(&survey.results).enumerate() {
        let Checked::Compared(differences) = result else {
            continue;
        };
        let (added, others): (Vec<_>, Vec<_>) = differences
            .iter()
            .partition(|difference| difference.fault == Fault::Added);
        let is_theirs = |path: &Path| is_of_plugin(&below(&member.path, path), vendor_dir);
        let has_faults = others.iter().any(|difference| !is_theirs(&difference.path));
        let added: Vec<PathBuf> = added
            .into_iter()
            .map(|difference| difference.path.clone())
            .filter(|path| has_faults || !is_theirs(path))
            .collect();
        if has_faults || !added.is_empty() {
            broken.push(Broken {
                place,
                added,
                has_faults,
            });
        }
    }
    broken
}

/// Gives a tree to a user, as far as it belongs to somebody else.
fn give(path: &Path, owner: u32) -> Result<()> {
    let facts = fs::symlink_metadata(path).map_err(at("reading", path))?;
    if facts.uid() != owner {
        lchown(path, Some(owner), None)
            .map_err(|error: io::Error| at("setting the owner of", path)(error))?;
    }
    if facts.is_dir() {
        for entry in fs::read_dir(path).map_err(at("reading", path))?.flatten() {
            give(&entry.path(), owner)?;
        }
    }
    Ok(())
}
