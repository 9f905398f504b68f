//! The lines that Composer writes about an install.

use allegro_composer::operation_text::full_pretty_version;
use allegro_composer::package::Package;
use allegro_composer::transaction::Operation;

use super::Run;
use crate::console::Console;
use crate::install::closing::OperationNames;
use crate::install::decide::unchecked_platform;
use crate::protocol::prepare::{PackageOutcome, PrepareAnswer, Provenance};
use crate::scripts::{Stop, Verbosity};

/// A warning of Composer about a lock that doesn't belong to the manifest.
pub(super) const STALE: &str = "<warning>Warning: The lock file is not up to date with the latest changes in composer.json. You may be getting outdated dependencies. It is recommended that you run `composer update` or `composer update <package name>`.</warning>";

/// The line about an install without operations.
pub(super) const NOTHING: &str = "Nothing to install, update or remove";

impl Run<'_> {
    /// Returns the lines with which an install begins.
    pub(super) fn opening(&self) -> Vec<String> {
        let mut lines = vec![self.title()];
        if self.before.is_some() {
            return lines;
        }
        lines.push(
            "<info>Verifying lock file contents can be installed on current platform.</info>"
                .to_owned(),
        );
        lines.extend(unchecked_platform(self.project, self.options, self.habits));
        lines
    }

    /// Returns the line about the check of the platform, for which Composer asks its solver.
    pub(super) fn resolved(&self) -> String {
        let seconds = self.decided.as_secs_f64();
        format!("Dependency resolution completed in {seconds:.3} seconds")
    }

    fn title(&self) -> String {
        let mode = if self.options.dev_mode() {
            " (including require-dev)"
        } else {
            ""
        };
        format!("<info>Installing dependencies from lock file{mode}</info>")
    }

    /// Tells how many packages are installed, updated and removed.
    pub(super) fn tell_operations(&self, console: &mut Console) {
        let steps = self.steps;
        let (mut installs, mut updates, mut removals) = (Vec::new(), Vec::new(), Vec::new());
        let named = |package: &Package| {
            format!(
                "{}:{}",
                package.pretty_name,
                full_pretty_version(package, self.habits.target.dialect)
            )
        };
        for operation in &steps.operations {
            match *operation {
                Operation::Install(to) => installs.push(named(steps.locked[to])),
                Operation::Update { to, .. } => updates.push(named(steps.locked[to])),
                Operation::Uninstall(from) => {
                    removals.push(self.project.installed[from].package.pretty_name.clone());
                }
                Operation::MarkAliasInstalled(_) | Operation::MarkAliasUninstalled(_) => {}
            }
        }
        let told = OperationNames {
            installs,
            updates,
            removals,
        };
        if told.is_empty() {
            console.line(NOTHING);
        } else {
            told.tell("Package operations", console);
        }
    }
}

/// A warning of Composer from 2.4 on about a machine without `unzip` (`ZipDownloader::download`,
/// composer 2.10.2).
const NO_UNZIP: [&str; 3] = [
    "<warning>As there is no 'unzip' nor '7z' command installed zip files are being unpacked using the PHP zip extension.</warning>",
    "<warning>This may cause invalid reports of corrupted archives. Besides, any UNIX permissions (e.g. executable) defined in the archives will be lost.</warning>",
    "<warning>Installing 'unzip' or '7z' (21.01+) may remediate them.</warning>",
];

/// The same for a PHP that starts no processes.
const NO_PROC_OPEN: [&str; 3] = [
    "<warning>proc_open is disabled so 'unzip' and '7z' commands cannot be used, zip files are being unpacked using the PHP zip extension.</warning>",
    NO_UNZIP[1],
    "<warning>Enabling proc_open and installing 'unzip' or '7z' (21.01+) may remediate them.</warning>",
];

impl Run<'_> {
    /// Tells which packages were downloaded. Before the first zip archive, Composer warns if PHP
    /// alone unpacks it.
    pub(super) fn tell_downloads(&self, answer: &PrepareAnswer, console: &mut Console) {
        let mut warns = self.habits.plain_modes;
        for package in &answer.packages {
            let PackageOutcome::Ready { from, .. } = &package.outcome else {
                continue;
            };
            let id = package.id;
            let package = self.wanted[id];
            let is_zip = package.dist.as_ref().is_some_and(|dist| dist.kind == "zip");
            if warns && is_zip {
                warns = false;
                let has_processes = self.habits.probe.as_ref().is_none_or(|probe| {
                    let mut disabled = probe.php.disabled_functions.iter();
                    disabled.all(|name| name != "proc_open")
                });
                let lines = if has_processes {
                    NO_UNZIP
                } else {
                    NO_PROC_OPEN
                };
                for line in lines {
                    console.line(line);
                }
            }
            if *from != Provenance::Download {
                continue;
            }
            console.line(&format!(
                "  - Downloading <info>{}</info> (<comment>{}</comment>)",
                package.name,
                full_pretty_version(package, self.habits.target.dialect)
            ));
            for (_, warning) in self.warnings.iter().filter(|(of, _)| *of == id) {
                console.line(warning);
            }
        }
    }
}

/// Returns the line before a dump.
pub fn generating(scans: bool) -> &'static str {
    if scans {
        "<info>Generating optimized autoload files</info>"
    } else {
        "<info>Generating autoload files</info>"
    }
}

/// Tells why scripts ended a run, and returns the exit code.
pub fn stopped(stop: &Stop, console: &mut Console) -> i32 {
    let text = stop.to_string();
    if !text.is_empty() {
        console.line_at(Verbosity::Quiet, &format!("<error>{text}</error>"));
    }
    stop.code()
}
