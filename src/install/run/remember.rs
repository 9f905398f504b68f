//! Keeps the state of a project, so that a repeated install is fast.

use std::path::{Path, PathBuf};

use super::Run;
use super::lines::{NOTHING, STALE};
use super::records::Records;
use crate::install::closing;
use crate::install::dumping::{Dumped, real};
use crate::install::local_repository::LocalRepository;
use crate::install::plugins::{COMMAND, POST_INSTALL};
use crate::install::state::{Kind, State, Told};
use crate::scripts::Verbosity;

impl Run<'_> {
    /// Returns the name of the dump of a run that has nothing to do.
    pub(super) fn fingerprint(&self) -> Option<String> {
        let key = self.key.filter(|_| self.steps.operations.is_empty())?;
        let inputs: Vec<PathBuf> = self.inputs();
        Some(State::fingerprint(&key, &inputs))
    }

    /// Returns the files that decide what is installed. What is installed itself is compared with
    /// its record.
    pub(super) fn inputs(&self) -> Vec<PathBuf> {
        self.project
            .files
            .iter()
            .filter(|path| !path.ends_with("composer/installed.json"))
            .cloned()
            .chain(self.plugins.watched())
            .collect()
    }

    /// Keeps the state of the project, if this run had nothing to do.
    pub(super) fn keep_state(
        &self,
        repository: &LocalRepository<'_>,
        records: &Records,
        dumped: Option<&Dumped>,
        has_bin_messages: bool,
    ) {
        let Some(key) = self.key else { return };
        let project = self.project;
        // The manifest decides about the version that Git tells, and a repository changes often.
        let is_asked = project.origin.is_asked;
        let may_repeat = self.plugins.may_repeat();
        let is_unlike = has_bin_messages || is_asked || !may_repeat;
        // A quiet run repeats no line, but Composer gives this warning even then.
        let is_loud = !project.is_fresh && self.context.verbosity < Verbosity::Normal;
        if !self.steps.operations.is_empty() || is_unlike || is_loud {
            return;
        }
        let target = project.settings.vendor_dir.join("composer");
        let mut outputs = vec![
            (
                target.join("installed.json"),
                records.json.clone().into_bytes(),
            ),
            (
                target.join("installed.php"),
                records.php.clone().into_bytes(),
            ),
        ];
        if let Some(text) = self.habits.texts.get("composer/InstalledVersions.php") {
            outputs.push((target.join("InstalledVersions.php"), text.to_vec()));
        }
        outputs.extend(self.plugins.written());
        let mut needed = Vec::new();
        for package in repository
            .packages()
            .filter(|package| !package.is_metapackage())
        {
            let path = project.path_of(package);
            for bin in &package.bins {
                needed.push(path.join(bin));
                if let Some(name) = Path::new(bin).file_name() {
                    needed.push(project.settings.bin_dir.join(name));
                }
            }
            needed.push(path);
        }
        let said = |event| self.plugins.lines(event, self.context.verbosity);
        let mut before = said(COMMAND).0;
        before.extend(self.opening());
        if !project.is_fresh {
            before.push(STALE.to_owned());
        }
        if self.context.verbosity >= Verbosity::Verbose {
            before.push(self.resolved());
        }
        before.push(NOTHING.to_owned());
        let lock = &project.lock;
        before.extend(closing::abandoned(
            lock.packages.iter().chain(&lock.packages_dev),
        ));
        let messages = dumped.iter().flat_map(|dumped| dumped.messages.iter());
        let (dump, dump_output) = self
            .plugins
            .lines_of_dump(messages.cloned(), self.context.verbosity);
        let mut after = closing::funding(self.context.variable, repository.packages());
        let (lines, after_output) = said(POST_INSTALL);
        after.extend(lines);
        let told = Told {
            before,
            dump,
            dump_output,
            after,
            after_output,
            output: Vec::new(),
            optimizes: self.scans(),
            has_dump: !self.options.no_autoloader,
            vendor_real: real(&project.settings.vendor_dir),
            bin_dir: project.settings.bin_dir.clone(),
            timeout: project.settings.process_timeout,
        };
        let inputs = self.inputs();
        if let Some(state) = State::after(key, &self.clock, &inputs, &outputs, needed, told) {
            state.keep(self.context, self.store, Kind::Install);
        }
    }
}
