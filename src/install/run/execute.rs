//! Carries out the operations: puts new packages in place, removes old ones, and records what is
//! installed.

use std::path::{Path, PathBuf};

use allegro_base::error::{Error, Result};
use allegro_composer::operation_text::{install_text, uninstall_text, update_text};
use allegro_composer::package::Package;
use allegro_composer::transaction::Operation;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

use super::Run;
use super::bins::BinPlaces;
use super::lines::STALE;
use super::records::Records;
use super::staging::Stages;
use crate::console::Console;
use crate::install::placing::Placing;
use crate::protocol::prepare::PrepareAnswer;
use crate::scripts::Verbosity;

impl Run<'_> {
    /// Carries the operations out. Returns the directory with what was replaced.
    pub(super) fn execute(
        &self,
        bins: &BinPlaces<'_>,
        records: &Records,
        staging: &Path,
        answer: &PrepareAnswer,
        console: &mut Console,
    ) -> Result<Option<PathBuf>> {
        let project = self.project;
        let settings = &project.settings;
        let steps = self.steps;
        let dialect = self.habits.target.dialect;
        if let Some(before) = self.before {
            before.begin(console)?;
        }
        self.opening().iter().for_each(|line| console.line(line));
        if !project.is_fresh {
            console.line_at(Verbosity::Quiet, STALE);
        }
        if self.before.is_none() {
            console.line_at(Verbosity::Verbose, &self.resolved());
        }
        self.tell_operations(console);
        let stages = self.stages(answer);
        self.tell_downloads(answer, console);
        for notice in &answer.notices {
            console.line(&format!("<warning>Allegro: {notice}</warning>"));
        }
        let mut placing = Placing::new(&settings.vendor_dir, staging);
        let mut late = Late::default();
        // Old versions go before any new package comes.
        for &operation in &steps.operations {
            if let Operation::Update { from, .. } = operation {
                let old = &project.installed[from].package;
                if !old.is_metapackage() {
                    bins.remove(&old.bins)?;
                    placing.clear(&project.path_of(old))?;
                }
            }
        }
        for &operation in &steps.operations {
            match operation {
                Operation::Install(to) => {
                    let package = steps.locked[to];
                    late.begin(package, console);
                    console.line(&format!(
                        "  - {}{}",
                        install_text(package, dialect),
                        appendix(package)
                    ));
                    let messages = self.place(package, &stages, &mut placing, bins)?;
                    late.add(package, self.rounds(package), messages, console);
                }
                Operation::Update { from, to } => {
                    let (old, new) = (&project.installed[from].package, steps.locked[to]);
                    late.begin(new, console);
                    if old.kind == new.kind || old.is_metapackage() == new.is_metapackage() {
                        console.line(&format!(
                            "  - {}{}",
                            update_text(old, new, dialect),
                            appendix(new)
                        ));
                    } else {
                        console.line(&format!("  - {}", uninstall_text(old, dialect)));
                        console.line(&format!(
                            "  - {}{}",
                            install_text(new, dialect),
                            appendix(new)
                        ));
                    }
                    let messages = self.place(new, &stages, &mut placing, bins)?;
                    // The old version is removed by a process of its own.
                    late.add(new, 1 + self.rounds(new), messages, console);
                }
                Operation::Uninstall(from) => {
                    let package = &project.installed[from].package;
                    console.line(&format!("  - {}", uninstall_text(package, dialect)));
                    if !package.is_metapackage() {
                        placing.uninstall(&project.path_of(package))?;
                        bins.remove(&package.bins)?;
                    }
                }
                Operation::MarkAliasInstalled(_) | Operation::MarkAliasUninstalled(_) => {}
            }
        }
        late.tell(console);
        self.write_records(records)?;
        if !steps.operations.is_empty() && settings.vendor_dir.is_dir() {
            touch(&settings.vendor_dir);
        }
        Ok(placing.trash().map(Path::to_owned))
    }

    /// Returns how often Composer waits for a process before the package is in its place. An archive
    /// in a folder leaves a directory to be removed.
    fn rounds(&self, package: &Package) -> usize {
        let is_zip = package.dist.as_ref().is_some_and(|dist| dist.kind == "zip");
        1 + usize::from(is_zip && !self.habits.plain_modes)
    }

    /// Puts a package and its programs in place. Returns the messages about the programs.
    fn place(
        &self,
        package: &Package,
        stages: &Stages<'_>,
        placing: &mut Placing,
        bins: &BinPlaces<'_>,
    ) -> Result<Vec<String>> {
        if package.is_metapackage() {
            return Ok(Vec::new());
        }
        let path = self.project.path_of(package);
        let Some(stage) = stages.directories.get(package.name.as_str()) else {
            return Err(Error::Internal(format!("{} was not staged", package.name)));
        };
        placing.install(stage, &path)?;
        let messages = bins.install(package, &path, true)?;
        if stages.hollow.contains(package.name.as_str()) {
            Placing::remove_if_empty(&path);
        }
        Ok(messages)
    }
}

/// Messages about programs. Composer unpacks the packages of a batch by processes, and writes these
/// messages when the processes end (`InstallationManager::executeBatch`, composer 2.10.2). A plugin
/// is a batch of its own.
#[derive(Default)]
struct Late(Vec<(usize, String)>);

impl Late {
    /// Begins with a package.
    fn begin(&mut self, package: &Package, console: &mut Console) {
        if package.is_plugin() {
            self.tell(console);
        }
    }

    /// Adds messages about a package, and ends with it.
    fn add(
        &mut self,
        package: &Package,
        rounds: usize,
        messages: Vec<String>,
        console: &mut Console,
    ) {
        let messages = messages.into_iter().map(|message| (rounds, message));
        self.0.extend(messages);
        self.begin(package, console);
    }

    /// Writes the messages of a batch. Processes start in turn.
    fn tell(&mut self, console: &mut Console) {
        self.0.sort_by_key(|(rounds, _)| *rounds);
        for (_, message) in self.0.drain(..) {
            console.line(&message);
        }
    }
}

fn appendix(package: &Package) -> &'static str {
    if package.is_metapackage() {
        ""
    } else {
        ": Extracting archive"
    }
}

/// Gives a directory the present time. A failure is silent, as in Composer.
fn touch(path: &Path) {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    let _ = utimensat(CWD, path, &times, AtFlags::empty());
}
