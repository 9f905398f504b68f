//! Dumps the autoloader of an install (`AutoloadGenerator::dump`, composer 2.10.2).

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use allegro_base::error::{Error, Result, at};
use allegro_base::hex::hex;
use allegro_base::report::Host;
use allegro_composer::Unfamiliar;
use allegro_composer::config::PlatformCheck as Checked;
use allegro_composer::package::Package;
use allegro_store::Store;
use allegro_vendor::autoload::traits::Traits;
use allegro_vendor::autoload::{
    self, AutoloadPackage, DumpPlan, IgnoredPlatform, Input, PlatformCheck, Rendered, Root,
};
use allegro_vendor::classmap::Scan;
use sha2::{Digest as _, Sha256};

use super::decide::Habits;
use super::files::{remove_if_present, write_if_modified};
use super::project::Project;
use super::{Context, Options};
use crate::machine::platform::Ignored;
use crate::machine::{FixedTexts, Machine};
use crate::ops::{Scanned, dumped_with, scan_with};
use crate::protocol::dumped::DumpedRequest;
use crate::protocol::scan;
use crate::protocol::scan::{Dialect, KnownFile, PlacedPackage, Rule, ScanRequest};
use crate::settings::Settings;

/// How often files may change while they are read.
const ROUNDS: usize = 3;

/// The files that don't depend on the project, which Composer writes with each dump.
pub const FIXED: [&str; 2] = ["composer/ClassLoader.php", "composer/LICENSE"];

/// Everything that a dump depends on beside the project.
pub struct Dumping<'a> {
    /// Options of the command.
    pub options: &'a Options,
    /// Settings of the native part.
    pub settings: &'a Settings,
    /// Programs of the machine.
    pub machine: &'a Machine,
    /// Texts of the Composer whose result is wanted.
    pub texts: &'a FixedTexts,
    /// Differences between versions of Composer.
    pub traits: &'a Traits,
    /// The PHP and the class-map-generator whose reading of files is wanted.
    pub dialect: (Dialect, scan::Traits),
    /// Composer's `TZ`, if it is set.
    pub timezone: Option<String>,
    /// Packages that were put in place in this run.
    pub placed: Vec<PlacedPackage>,
    /// A path in the store at which a directory can be made.
    pub scratch: PathBuf,
}

/// A class map, its digest, and the numbers of files that it covers and that were read.
type Mapped = (Scan, [u8; 32], (usize, usize));

/// The result of a dump.
pub struct Dumped {
    /// Messages for standard error, with tags.
    pub messages: Vec<String>,
    /// Number of classes in the class map, as Composer reports it.
    pub classes: usize,
    /// Number of files that the class map covers, and how many of them were read.
    pub files: (usize, usize),
    /// Number of files of PSR rules whose classes don't belong there.
    pub violations: usize,
}

/// Reason why a dump is not done.
pub enum Undone {
    /// Composer must do it.
    Unfamiliar(Unfamiliar),
    /// It failed.
    Failed(Error),
}

impl From<Unfamiliar> for Undone {
    fn from(reason: Unfamiliar) -> Self {
        Self::Unfamiliar(reason)
    }
}

impl From<Error> for Undone {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Dumping<'a> {
    /// Returns a dump of a command in which no package was put in place.
    pub fn of(
        context: &Context<'a>,
        habits: &'a Habits,
        options: &'a Options,
        store: &Store,
    ) -> Self {
        Self {
            options,
            settings: context.settings,
            machine: context.machine,
            texts: &habits.texts,
            traits: &habits.dump,
            dialect: habits.scan,
            timezone: context.timezone.clone(),
            placed: Vec::new(),
            scratch: store.temporary(),
        }
    }

    /// Plans a dump without touching anything, to find out whether it can be done natively.
    pub fn plan(
        &self,
        project: &Project,
        packages: &[&Package],
        dev_names: &HashSet<String>,
    ) -> Result<DumpPlan, Unfamiliar> {
        let vendor_real = real(&project.settings.vendor_dir);
        let text = |path: &Path| {
            path.to_str()
                .map(str::to_owned)
                .ok_or_else(|| Unfamiliar("a path is not UTF-8".to_owned()))
        };
        let (base, vendor) = (text(&project.directory)?, text(&vendor_real)?);
        let packages: Vec<AutoloadPackage<'_>> = packages
            .iter()
            .map(|package| AutoloadPackage {
                package,
                install_path: (!package.is_metapackage())
                    .then(|| format!("{vendor}/{}", package.pretty_name)),
            })
            .collect();
        let root = &project.root.package;
        let configured = &project.settings;
        let options = self.options;
        let input = Input {
            base_path: &base,
            vendor_path: &vendor,
            root: Root {
                name: &root.name,
                autoload: &root.autoload,
                autoload_dev: &project.root.dev_autoload,
                requires: &root.requires,
                provides: &root.provides,
                replaces: &root.replaces,
                include_paths: &root.include_paths,
                target_dir: root.target_dir.as_deref(),
            },
            packages: &packages,
            dev_mode: options.dev_mode(),
            dev_package_names: dev_names,
            optimize: options.optimize || configured.optimize,
            authoritative: options.authoritative || configured.authoritative,
            apcu: options.apcu || options.apcu_prefix.is_some() || configured.apcu,
            apcu_prefix: options.apcu_prefix.as_deref(),
            prepend: configured.prepend,
            use_include_path: configured.use_include_path,
            platform_check: match configured.platform_check {
                Checked::Off => PlatformCheck::Off,
                Checked::PhpOnly => PlatformCheck::PhpOnly,
                Checked::Full => PlatformCheck::Full,
            },
            ignored_platform: match &options.ignored_platform {
                Ignored::None => IgnoredPlatform::Nothing,
                Ignored::All => IgnoredPlatform::All,
                Ignored::These(names) => IgnoredPlatform::Names(names.clone()),
            },
            suffix: configured.suffix.as_deref(),
            content_hash: project.lock.content_hash.as_deref(),
            entropy: Some(entropy()),
        };
        autoload::plan(&input, self.traits)
    }

    /// Makes the class map of a plan.
    pub fn scan(
        &self,
        project: &Project,
        plan: &DumpPlan,
        host: &mut dyn Host,
    ) -> Result<Mapped, Undone> {
        let mut known: Vec<KnownFile> = Vec::new();
        for _ in 0..ROUNDS {
            let request = ScanRequest {
                vendor_dir: real(&project.settings.vendor_dir),
                cwd: project.directory.to_string_lossy().into_owned(),
                dialect: self.dialect.0,
                traits: self.dialect.1,
                rules: plan.rules().iter().map(Rule::from).collect(),
                known: std::mem::take(&mut known),
                placed: self.placed.clone(),
                timezone: self.timezone.clone(),
            };
            match scan_with(request, self.settings, host)? {
                Scanned::Done {
                    scan,
                    digest,
                    covered,
                    read,
                } => return Ok((scan, digest, (covered, read))),
                Scanned::Unsure(files) => {
                    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
                    let classes = self.machine.find_classes(&self.scratch, &paths)?;
                    known = files
                        .into_iter()
                        .zip(classes)
                        .map(|(file, classes)| KnownFile {
                            path: file.path,
                            token: file.token,
                            classes,
                        })
                        .collect();
                }
                Scanned::Declined { reason } => return Err(Unfamiliar(reason).into()),
            }
        }
        Err(Unfamiliar("files change faster than they can be read".to_owned()).into())
    }

    /// Dumps the autoloader. `fingerprint` identifies everything that the dump depends on apart
    /// from PHP files, so that the next dump can be compared with this one.
    pub fn dump(
        &self,
        project: &Project,
        plan: &DumpPlan,
        fingerprint: Option<&str>,
        host: &mut dyn Host,
    ) -> Result<Dumped, Undone> {
        let vendor_dir = &project.settings.vendor_dir;
        let target = vendor_dir.join("composer");
        fs::create_dir_all(&target).map_err(at("creating", &target))?;
        let (scan, digest, files) = self.scan(project, plan, host)?;
        let rendered = plan.render(&scan)?;
        let outputs = self.write(vendor_dir, &rendered)?;
        if let Some(fingerprint) = fingerprint {
            let request = DumpedRequest {
                vendor_dir: real(vendor_dir),
                fingerprint: fingerprint.to_owned(),
                digest: hex(&digest),
                said: rendered.messages.join("\n"),
                classes: rendered.classes as u64,
                outputs,
            };
            // Without the record the next dump is a full one.
            let _ = dumped_with(&request, self.settings, host);
        }
        Ok(Dumped {
            messages: rendered.messages,
            classes: rendered.classes,
            files,
            violations: rendered.violations,
        })
    }

    /// Writes the files of a dump, and returns each with the SHA-256 of its content.
    fn write(
        &self,
        vendor_dir: &Path,
        rendered: &Rendered,
    ) -> Result<Vec<(PathBuf, Option<String>)>> {
        let sum = |bytes: &[u8]| Some(hex(&Sha256::digest(bytes)));
        let mut outputs = Vec::with_capacity(rendered.files.len() + FIXED.len());
        for (name, text) in &rendered.files {
            let path = vendor_dir.join(name);
            if let Some(text) = text {
                write_if_modified(&path, text.as_bytes())?;
                outputs.push((path, sum(text.as_bytes())));
            } else {
                remove_if_present(&path)?;
                outputs.push((path, None));
            }
        }
        for name in FIXED {
            if let Some(bytes) = self.texts.get(name) {
                let path = vendor_dir.join(name);
                let is_new = write_if_modified(&path, bytes)?;
                if let Some(&time) = self.texts.times.get(name).filter(|_| is_new) {
                    let time = UNIX_EPOCH + Duration::from_secs(time);
                    let file = fs::File::options().write(true).open(&path);
                    // A file system may keep no times.
                    let _ = file.and_then(|file| file.set_modified(time));
                }
                outputs.push((path, sum(bytes)));
            }
        }
        Ok(outputs)
    }
}

/// Returns a path without links. What does not exist yet follows as it is.
pub fn real(path: &Path) -> PathBuf {
    for existing in path.ancestors() {
        let Ok(found) = fs::canonicalize(existing) else {
            continue;
        };
        let missing = path.strip_prefix(existing).unwrap_or(Path::new(""));
        if missing.as_os_str().is_empty() {
            return found;
        }
        if missing
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return found.join(missing);
        }
        break;
    }
    path.to_owned()
}

fn entropy() -> [u8; 32] {
    let mut bytes = [0; 32];
    fastrand::Rng::new().fill(&mut bytes);
    bytes
}

/// Returns the paths of packages by name, as files that record them need.
pub fn paths_of<'a>(vendor_real: &str, packages: &[&'a Package]) -> HashMap<&'a str, String> {
    packages
        .iter()
        .filter(|package| !package.is_metapackage())
        .map(|package| {
            let path = format!("{vendor_real}/{}", package.pretty_name);
            (package.name.as_str(), path)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_resolved_before_a_directory_exists() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = fs::canonicalize(dir.path()).expect("it exists");
        fs::create_dir(root.join("elsewhere")).expect("made");
        std::os::unix::fs::symlink("elsewhere", root.join("libs")).expect("a link");
        let vendor = root.join("libs/vendor");
        let found = real(&vendor);
        assert_eq!(found, root.join("elsewhere/vendor"));
        fs::create_dir(&vendor).expect("made");
        assert_eq!(real(&vendor), found);
        assert_eq!(real(&root.join("libs/../new")), root.join("new"));
        let odd = root.join("gone/../new");
        assert_eq!(real(&odd), odd);
    }
}
