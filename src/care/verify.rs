//! Compares vendor with what Composer would have written.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use allegro_archive::{Unpacking, Zone};
use allegro_base::error::{Error, Result};
use allegro_base::fs::has_default_acl;
use allegro_base::report::Host;
use allegro_base::threads::with_pool;
use allegro_composer::Dist;
use allegro_composer::dialect::Dialect;
use allegro_composer::operation_text::full_pretty_version;
use allegro_store::Store;
use allegro_store::link::{CompareOptions, Difference, Fault, compare_tree};
use rayon::prelude::*;
use serde::{Serialize, Serializer};

use super::generated::{self, Generated, Origin, Wanted};
use super::members::{Member, State};
use super::{Sight, plugins, shown, surplus};
use crate::install::{Context, Undecided};
use crate::protocol::prepare::PackageRequest;

/// What a check looks at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// Names of packages. If there are none, all of vendor is checked.
    pub names: &'a [String],
    /// Whether files are read whose size and time are right.
    pub content: bool,
}

/// The result of a check.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Number of packages that were compared.
    pub packages: usize,
    /// Differences, sorted by path.
    pub findings: Vec<Finding>,
    /// Differences in files that plugins are known to write. They are no faults.
    pub by_plugins: Vec<Finding>,
    /// Packages that the store doesn't know, so that nothing is said about their files.
    pub not_known: Vec<Unchecked>,
    /// Packages that don't come from an archive, or that patches change.
    pub not_checked: Vec<Unchecked>,
    /// Reason why generated files were not compared.
    pub generated_not_checked: Option<String>,
    /// Reason why autoload files were not compared, or only in part.
    pub autoload_not_checked: Option<String>,
}

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Path, relative to the project if it lies there.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Name of the package that the path belongs to.
    pub package: Option<String>,
    /// What differs.
    pub aspect: Aspect,
    /// Further words about the difference.
    pub detail: Option<String>,
    /// Whole path.
    #[serde(skip)]
    pub whole: PathBuf,
}

/// The kind of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// A file has another content, size or time.
    Changed,
    /// An entry is missing.
    Missing,
    /// Composer has not written this entry.
    Added,
    /// An entry has other permission bits.
    Mode,
    /// An entry has another owner than the vendor directory.
    Owner,
    /// A symbolic link has another target.
    Link,
    /// Something of another kind is in the place.
    Kind,
    /// The entry can't be looked at.
    Unreadable,
}

/// A package that was not compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unchecked {
    /// Name of the package.
    pub name: String,
    /// Pretty version of the package.
    pub version: String,
    /// Reason.
    pub reason: String,
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

impl Report {
    /// Returns whether nothing was found.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

impl Aspect {
    /// Returns the word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Added => "added",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Link => "link",
            Self::Kind => "kind",
            Self::Unreadable => "unreadable",
        }
    }
}

/// A project, what vendor should have, and what differs.
pub(super) struct Survey {
    pub(super) sight: Sight,
    pub(super) state: State,
    /// Packages with their directories, in Composer's order.
    pub(super) members: Vec<Member>,
    /// Results of the packages, in the same order.
    pub(super) results: Vec<Checked>,
    /// Generated files, or the reason why they are not known.
    pub(super) generated: Result<Generated, String>,
    /// Entries of vendor that belong to nothing.
    pub(super) surplus: Vec<PathBuf>,
    /// User that everything should belong to.
    pub(super) owner: Option<u32>,
    has_modes: bool,
}

/// The result for one package.
pub(super) enum Checked {
    /// The package was compared.
    Compared(Vec<Difference>),
    /// The store doesn't know the package.
    NotKnown(String),
    /// The package can't be compared.
    Not(String),
    /// The package was not asked for.
    NotAsked,
}

/// Compares a project's vendor directory with what Composer would have written.
///
/// # Errors
/// Fails where the project can't be read, and where a name is no package of vendor. The message then
/// is the name alone, in [`Error::Input`].
pub fn verify(
    context: &Context<'_>,
    asked: Asked<'_>,
    host: &mut dyn Host,
) -> Result<Report, Undecided> {
    Ok(Survey::of(context, asked, host)?.report(context))
}

impl Survey {
    pub(super) fn of(
        context: &Context<'_>,
        asked: Asked<'_>,
        host: &mut dyn Host,
    ) -> Result<Self, Undecided> {
        let mut sight = Sight::of(context)?;
        let state = State::of(&sight);
        let members = state.members(&mut sight, true);
        let vendor_dir = sight.look.project.settings.vendor_dir.clone();
        let mut survey = Self {
            owner: fs::metadata(&vendor_dir).ok().map(|facts| facts.uid()),
            has_modes: !has_default_acl(&vendor_dir),
            sight,
            state,
            members,
            results: Vec::new(),
            generated: Err(String::new()),
            surplus: Vec::new(),
        };
        survey.results = survey.compare(context, asked)?;
        if !asked.names.is_empty() {
            survey.generated = Err("only packages were asked for".to_owned());
            return Ok(survey);
        }
        let reason = generated::obstacle(context, &survey.sight, state);
        survey.generated = match reason {
            Some(reason) => Err(reason),
            None => match generated::generated(context, &mut survey.sight, state, host) {
                Ok(generated) => Ok(generated),
                Err(undone) => Err(generated::reason(undone)?),
            },
        };
        survey.surplus = surplus::surplus(&survey);
        Ok(survey)
    }

    /// Compares the packages, several at once.
    fn compare(&self, context: &Context<'_>, asked: Asked<'_>) -> Result<Vec<Checked>, Undecided> {
        let store = Store::open(&context.settings.store)?;
        let directory = &context.settings.zone_directory;
        let zone = Zone::of(context.timezone.as_deref(), directory);
        let patched = self.sight.look.patched();
        let (umask, utf8_locale) = (context.umask, context.settings.utf8_locale);
        let names: HashSet<&str> = asked.names.iter().map(String::as_str).collect();
        let programs = self.programs();
        let foreign = self.foreign();
        let check = |(place, member): (usize, &Member)| {
            let name = member.package.name.as_str();
            if !names.is_empty() && !names.contains(name) {
                return Checked::NotAsked;
            }
            if patched.contains(name) {
                return Checked::Not("patches are applied to it".to_owned());
            }
            let request = match &member.request {
                Ok(request) => request,
                Err(reason) => return Checked::Not(reason.clone()),
            };
            let options = CompareOptions {
                unpacking: Unpacking {
                    umask,
                    zone: &zone,
                    by_zip_archive: request.plain_modes,
                    after_unzip: false,
                    utf8_locale,
                },
                programs: &files_of(&programs[place], &member.path),
                reads_content: asked.content,
                owner: self.owner,
                has_modes: self.has_modes,
                foreign: &foreign[place],
            };
            compare_package(&store, request, &member.path, &options)
        };
        let members = &self.members;
        let results = with_pool(context.settings.threads, |pool| {
            pool.install(|| members.par_iter().enumerate().map(check).collect())
        })?;
        Ok(results)
    }

    /// Returns the programs of each package that Composer has made executable: those that were the
    /// first with their name.
    pub(super) fn programs(&self) -> Vec<Vec<&str>> {
        let mut taken = HashSet::new();
        let mut is_first =
            |bin: &&str| taken.insert(bin.rsplit('/').next().unwrap_or(bin).to_owned());
        let mut programs = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let bins = member.package.bins.iter().map(String::as_str);
            programs.push(bins.filter(&mut is_first).collect());
        }
        programs
    }

    /// Returns the directories of other packages within each package.
    fn foreign(&self) -> Vec<Vec<String>> {
        let mut within: HashMap<&Path, Vec<String>> = HashMap::new();
        let all: HashSet<&Path> = self
            .members
            .iter()
            .map(|member| member.path.as_path())
            .collect();
        for path in &all {
            for above in path.ancestors().skip(1).filter(|above| all.contains(above)) {
                let inner = path.strip_prefix(above).unwrap_or(path);
                let list = within.entry(above).or_default();
                list.push(inner.to_string_lossy().into_owned());
            }
        }
        self.members
            .iter()
            .map(|member| within.remove(member.path.as_path()).unwrap_or_default())
            .collect()
    }

    /// Returns the findings in generated files, and whether some contents can't be judged, because
    /// files differ that they depend on.
    pub(super) fn of_generated(&self, generated: &Generated) -> (Vec<(PathBuf, Fault)>, bool) {
        let differing: Vec<PathBuf> = self
            .members
            .iter()
            .zip(&self.results)
            .filter_map(|(member, result)| match result {
                Checked::Compared(differences) => Some((member, differences)),
                _ => None,
            })
            .flat_map(|(member, differences)| {
                let path = |difference: &Difference| below(&member.path, &difference.path);
                differences.iter().map(path)
            })
            .collect();
        let mut found = Vec::new();
        let mut is_unsure = false;
        for wanted in &generated.files {
            let mut faults = Vec::new();
            self.compare_generated(wanted, &mut faults);
            let is_unclear = match &wanted.origin {
                Origin::Nothing => false,
                Origin::Code => !differing.is_empty() || !self.surplus.is_empty(),
                Origin::Program(program) => differing.iter().any(|path| program.starts_with(path)),
            };
            if is_unclear {
                let count = faults.len();
                faults.retain(|(_, fault)| *fault != Fault::Content);
                is_unsure |= faults.len() != count;
            }
            found.extend(faults);
        }
        (found, is_unsure)
    }

    fn compare_generated(&self, wanted: &Wanted, found: &mut Vec<(PathBuf, Fault)>) {
        let mut note = |fault| found.push((wanted.path.clone(), fault));
        let facts = match fs::symlink_metadata(&wanted.path) {
            Ok(facts) => facts,
            Err(_) if wanted.contents.is_empty() => return,
            Err(_) => return note(Fault::Missing),
        };
        if wanted.contents.is_empty() {
            return note(Fault::Added);
        }
        if !facts.is_file() {
            return note(Fault::Kind);
        }
        match fs::read(&wanted.path) {
            Ok(content) if wanted.is_right(&content) => {}
            Ok(_) => note(Fault::Content),
            Err(error) => note(Fault::Unreadable(error.to_string())),
        }
        let (bits, expected) = (facts.mode() & 0o7777, wanted.mode);
        if self.has_modes && bits != expected {
            let found = bits;
            note(Fault::Mode { found, expected });
        }
        if let Some(expected) = self.owner.filter(|owner| *owner != facts.uid()) {
            let found = facts.uid();
            note(Fault::Owner { found, expected });
        }
    }

    fn report(&self, context: &Context<'_>) -> Report {
        let vendor_dir = &self.sight.look.project.settings.vendor_dir;
        let mut report = Report::default();
        let finding = |whole: PathBuf, package: Option<&str>, fault: &Fault| {
            let (aspect, detail) = described(fault);
            Finding {
                path: shown(&whole, &context.directory).to_owned(),
                package: package.map(str::to_owned),
                aspect,
                detail,
                whole,
            }
        };
        let mut found = Vec::new();
        for (member, result) in self.members.iter().zip(&self.results) {
            let unchecked = |reason: &String| Unchecked {
                name: member.package.name.clone(),
                version: full_pretty_version(&member.package, Dialect::default()),
                reason: reason.clone(),
            };
            match result {
                Checked::Compared(differences) => {
                    report.packages += 1;
                    found.extend(differences.iter().map(|difference| {
                        let path = below(&member.path, &difference.path);
                        finding(path, Some(&member.package.name), &difference.fault)
                    }));
                }
                Checked::NotKnown(reason) => report.not_known.push(unchecked(reason)),
                Checked::Not(reason) => report.not_checked.push(unchecked(reason)),
                Checked::NotAsked => {}
            }
        }
        match &self.generated {
            Ok(generated) => {
                let (faults, is_unsure) = self.of_generated(generated);
                found.extend(
                    faults
                        .into_iter()
                        .map(|(path, fault)| finding(path, None, &fault)),
                );
                report.autoload_not_checked = generated.no_autoload.clone().or_else(|| {
                    is_unsure.then(|| "files differ that they are made from".to_owned())
                });
            }
            Err(reason) => report.generated_not_checked = Some(reason.clone()),
        }
        found.extend(
            self.surplus
                .iter()
                .map(|path| finding(path.clone(), None, &Fault::Added)),
        );
        found.sort_by(|one, other| (&one.path, one.aspect).cmp(&(&other.path, other.aspect)));
        let is_theirs = |finding: &Finding| {
            let inner = finding.whole.strip_prefix(vendor_dir);
            inner.is_ok_and(plugins::writes)
        };
        (report.by_plugins, report.findings) = found.into_iter().partition(is_theirs);
        report
    }
}

/// Returns the files of programs, relative to the package at `root`. A program may be a link.
pub(super) fn files_of(programs: &[&str], root: &Path) -> Vec<String> {
    let Ok(root) = fs::canonicalize(root) else {
        return Vec::new();
    };
    let file = |program: &&str| {
        let path = fs::canonicalize(root.join(program)).ok()?;
        path.strip_prefix(&root).ok()?.to_str().map(str::to_owned)
    };
    programs.iter().filter_map(file).collect()
}

/// Returns a path below a directory. The empty path is the directory itself.
pub(super) fn below(directory: &Path, path: &Path) -> PathBuf {
    if path.as_os_str().is_empty() {
        directory.to_owned()
    } else {
        directory.join(path)
    }
}

fn compare_package(
    store: &Store,
    request: &PackageRequest,
    path: &Path,
    options: &CompareOptions<'_>,
) -> Checked {
    match store.read_manifest(&Dist::from(&request.dist).key()) {
        Ok(Some(manifest)) => match compare_tree(&manifest, path, options) {
            Ok(differences) => Checked::Compared(differences),
            Err(Error::Declined { reason }) => Checked::NotKnown(reason),
            Err(error) => Checked::NotKnown(error.to_string()),
        },
        // A missing directory needs no manifest.
        Ok(None) if fs::symlink_metadata(path).is_err() => Checked::Compared(vec![Difference {
            path: PathBuf::new(),
            fault: Fault::Missing,
        }]),
        Ok(None) => Checked::NotKnown("the store has no such package".to_owned()),
        Err(error) => Checked::NotKnown(error.to_string()),
    }
}

fn described(fault: &Fault) -> (Aspect, Option<String>) {
    match fault {
        Fault::Size => (Aspect::Changed, Some("size".to_owned())),
        Fault::Time => (Aspect::Changed, Some("time only".to_owned())),
        Fault::Content => (Aspect::Changed, Some("content".to_owned())),
        Fault::Missing => (Aspect::Missing, None),
        Fault::Added => (Aspect::Added, None),
        Fault::Mode { found, expected } => {
            let detail = format!("{found:04o}, should be {expected:04o}");
            (Aspect::Mode, Some(detail))
        }
        Fault::Owner { found, expected } => {
            let detail = format!("{found}, should be {expected}");
            (Aspect::Owner, Some(detail))
        }
        Fault::Target => (Aspect::Link, None),
        Fault::Kind => (Aspect::Kind, None),
        Fault::Unreadable(reason) => (Aspect::Unreadable, Some(reason.clone())),
    }
}
