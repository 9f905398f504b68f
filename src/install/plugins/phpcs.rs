//! `dealerdirect/phpcodesniffer-composer-installer`: tells PHP_CodeSniffer where coding standards
//! are (`Plugin::onDependenciesChangedEvent`, phpcodesniffer-composer-installer 1.2.1).
//!
//! PHP_CodeSniffer keeps the paths itself, so its program is called as the plugin calls it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use allegro_base::error::{Error, Result};
use allegro_composer::package::Package;
use allegro_composer::{Unfamiliar, paths, unfamiliar};
use allegro_semver::version::Version;
use rustix::fs::{Access, access};

use super::code::Known;
use super::{Deed, Effect, POST_INSTALL, Said, Scene};
use crate::install::dumping::real;

/// The versions that look for a relative path in the project as well.
pub const OLD: Known = Known {
    codes: &[
        (
            "c4a23ac4551d4c9229fbe3828a3f0892a8703ef80f81872d916427cfb36a594b",
            "1.0.0",
        ),
        (
            "6928c70e72adda681a57b87c878cc818d37873c9be9dc848dd484cfbc56a168a",
            "1.1.2",
        ),
        (
            "06514e525ed133b0f6081901f3f9a2461780da0ef345d328c60baa3df1579e1f",
            "1.2.0",
        ),
    ],
    plan: plan_old,
    ..NEW
};

/// The versions that take a relative path from the place of PHP_CodeSniffer alone.
pub const NEW: Known = Known {
    name: "dealerdirect/phpcodesniffer-composer-installer",
    class: "PHPCSStandards\\Composer\\Plugin\\Installers\\PHPCodeSniffer\\Plugin",
    autoload: (
        "PHPCSStandards\\Composer\\Plugin\\Installers\\PHPCodeSniffer\\",
        "src",
    ),
    files: &["src/Plugin.php"],
    codes: &[(
        "d1a8bd7961e5133b317396087bb59d8727556858695a14a5307805c136a8de8e",
        "1.2.1",
    )],
    listeners: &[(POST_INSTALL, "onDependenciesChangedEvent")],
    plan,
    leaves_silently: false,
    may_change: false,
    php_below: None,
};

/// The package of the linter.
const LINTER: &str = "squizlabs/php_codesniffer";

/// The type of packages with standards.
const STANDARD: &str = "phpcodesniffer-standard";

/// The setting of the linter with the paths.
const KEY: &str = "installed_paths";

/// Directories between a package and its standard.
const DEPTH: usize = 3;

/// Directories of version control that the search leaves out, apart from hidden ones.
const OF_VERSION_CONTROL: [&str; 3] = ["_svn", "CVS", "_darcs"];

fn plan(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    plan_with(scene, false)
}

fn plan_old(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    plan_with(scene, true)
}

fn plan_with(scene: &Scene<'_>, is_old: bool) -> Result<Box<dyn Effect>, Unfamiliar> {
    let project = scene.project;
    let linter = scene.repository.packages().find(|it| it.name == LINTER);
    let php = scene.habits.probe.as_ref().map(|probe| &probe.php.binary);
    let (Some(linter), Some(php)) = (linter, php) else {
        return unfamiliar("phpcodesniffer-composer-installer finds no linter");
    };
    let least = Version::new("3.0.0.0");
    if linter.is_dev()
        || linter.alias.is_some()
        || Version::new(&linter.version).compare(&least).is_lt()
    {
        return unfamiliar(format!("{LINTER} has an unusual version"));
    }
    if scene.extra("phpcodesniffer-search-depth").is_some() {
        return unfamiliar("extra.phpcodesniffer-search-depth is set");
    }
    if project.root.package.kind == STANDARD {
        return unfamiliar("the root package is a standard of phpcs");
    }
    if project.settings.home == project.directory {
        return unfamiliar("the project is Composer's home");
    }
    let vendor = real(&project.settings.vendor_dir);
    let Some(vendor) = vendor.to_str() else {
        return unfamiliar("a path is not UTF-8");
    };
    let place = |package: &Package| format!("{vendor}/{}", package.pretty_name);
    let standards = scene.repository.packages();
    let standards = standards.filter(|package| package.kind == STANDARD);
    Ok(Box::new(Standards {
        php: php.clone(),
        linter: place(linter),
        places: standards.map(place).collect(),
        is_old,
    }))
}

#[derive(Debug)]
struct Standards {
    php: String,
    /// Directory of the linter.
    linter: String,
    /// Directories of packages with standards.
    places: Vec<String>,
    is_old: bool,
}

impl Effect for Standards {
    fn told(&self) -> String {
        "only tells phpcs where standards are, which is done without Composer".to_owned()
    }

    fn act(&self, _: &str, scene: &Scene<'_>) -> Result<Deed> {
        let detail = |text: &str| Said::Detail(format!("<info>{text}</info>"));
        let mut said = vec![detail("Running PHPCodeSniffer Composer Installer")];
        let known = self.paths(Vec::new())?;
        let mut paths: Vec<String> = known
            .iter()
            .filter(|path| self.is_there(path, &scene.project.directory))
            .cloned()
            .collect();
        let mut is_changed = paths.len() != known.len();
        for path in self.found(scene) {
            if !paths.contains(&path) {
                paths.push(path);
                is_changed = true;
            }
        }
        if is_changed {
            said.extend(self.save(paths)?);
        } else {
            said.push(detail("No PHPCS standards to install or update"));
        }
        Ok(Deed {
            said,
            written: Vec::new(),
            is_passing: is_changed,
        })
    }

    fn watched(&self) -> Vec<PathBuf> {
        let linter = Path::new(&self.linter);
        vec![linter.join("CodeSniffer.conf"), linter.join("bin/phpcs")]
    }
}

impl Standards {
    /// Calls the linter. Returns whether it succeeded, and its output.
    fn call(&self, arguments: &str) -> Result<(bool, String)> {
        let output = Command::new("/bin/sh")
            .arg("-c")
            .arg(format!("\"$0\" ./bin/phpcs {arguments}"))
            .arg(&self.php)
            .current_dir(&self.linter)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .map_err(|error| Error::Input(format!("phpcs can't be started: {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok((output.status.success(), text))
    }

    /// Returns the paths that the linter knows; `before` if it knows none.
    fn paths(&self, before: Vec<String>) -> Result<Vec<String>> {
        let (_, text) = self.call("--config-show")?;
        let mark = format!("{KEY}:");
        let line = text
            .split(['\r', '\n'])
            .filter_map(|line| line.find(&mark).map(|at| &line[at..]))
            .find(|line| line.len() > mark.len());
        let Some(line) = line else {
            return Ok(before);
        };
        let paths = line.replace(&format!("{KEY}: "), "");
        let paths = paths.trim_matches([' ', '\t', '\n', '\r', '\0', '\x0b']);
        Ok(if paths.is_empty() {
            before
        } else {
            paths.split(',').map(str::to_owned).collect()
        })
    }

    /// Returns whether a path leads to a directory that can be read.
    fn is_there(&self, path: &str, project: &Path) -> bool {
        let is_readable = |path: &Path| path.is_dir() && access(path, Access::READ_OK).is_ok();
        let places = [Path::new(&self.linter), project];
        let places = if self.is_old {
            &places[..]
        } else {
            &places[..1]
        };
        places.iter().any(|place| is_readable(&place.join(path)))
    }

    /// Returns the paths of all standards, as seen from the linter.
    fn found(&self, scene: &Scene<'_>) -> Vec<String> {
        let mut found = Vec::new();
        for place in &self.places {
            search(Path::new(place), 0, &mut found);
        }
        let dialect = scene.habits.target.dialect;
        let mut found: Vec<String> = found
            .iter()
            .filter_map(|directory| directory.parent()?.to_str())
            .map(|directory| paths::shortest(dialect, &self.linter, directory))
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// Lets the linter keep paths.
    fn save(&self, mut wanted: Vec<String>) -> Result<Vec<Said>> {
        wanted.sort();
        let joined = wanted.join(",");
        let (arguments, done) = if wanted.is_empty() {
            (
                format!("--config-delete {KEY}"),
                format!("PHP CodeSniffer Config <info>{KEY}</info> <comment>delete</comment>"),
            )
        } else {
            (
                format!("--config-set {KEY} {joined}"),
                format!(
                    "PHP CodeSniffer Config <info>{KEY}</info> <comment>set to</comment> \
                     <info>{joined}</info>"
                ),
            )
        };
        let (is_done, output) = self.call(&arguments)?;
        let mut said = Vec::new();
        let mut is_kept = false;
        if is_done {
            let kept = self.paths(wanted.clone())?;
            let count = kept.iter().filter(|path| wanted.contains(path)).count();
            is_kept = count == wanted.len();
            if !is_kept {
                said.push(Said::Detail(format!(
                    "Paths to external standards found by the plugin: <info>{}</info>\n\
                     Actual paths registered with PHPCS: <info>{}</info>",
                    wanted.join(", "),
                    kept.join(", ")
                )));
            }
        }
        said.push(Said::Out(if is_kept {
            done
        } else {
            format!("Failed to set PHP CodeSniffer <info>{KEY}</info> Config")
        }));
        if !output.is_empty() && output != "0" {
            said.push(Said::Detail(format!("<info>{output}</info>")));
        }
        Ok(said)
    }
}

/// Finds directories with a file `ruleset.xml`, as Symfony's `Finder` does.
fn search(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let path = entry.path();
        if name == "ruleset.xml" && path.is_file() {
            found.push(directory.to_owned());
        }
        let is_left_out = name.starts_with('.') || OF_VERSION_CONTROL.contains(&&*name);
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && !is_left_out && depth < DEPTH {
            search(&path, depth + 1, found);
        }
    }
}
