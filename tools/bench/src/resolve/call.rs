//! Makes one call of Composer that writes a lock, or would write one.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use serde::Serialize;

use super::Who;
use crate::bed::Bed;
use crate::command::{self, Side};
use crate::error::{Result, at};
use crate::measure::{self, Run};

/// Requirements on the platform that are ignored, because the machine is not that of the manifests.
const IGNORED: [&str; 4] = [
    "ext-*",
    "lib-*",
    "composer-plugin-api",
    "composer-runtime-api",
];

/// A call in preparation.
pub struct Call<'a> {
    /// Bed that provides homes.
    pub bed: &'a Bed<'a>,
    /// Command of the call.
    pub who: Who,
    /// Name of the resolved project, for messages.
    pub what: &'a str,
    /// The project's directory.
    pub project: PathBuf,
    /// Directory of Composer's cache.
    pub cache: PathBuf,
}

/// The native part's report of its work.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Choice {
    /// Number of versions that came into question.
    pub versions: u64,
    /// Number of those that could make a difference.
    pub considered: u64,
    /// Number of rules of the solver.
    pub rules: u64,
    /// Seconds from Composer's question to the answer, to the hundredth. They include metadata, and
    /// everything for which Composer is asked meanwhile.
    pub seconds: f64,
}

impl Call<'_> {
    /// Makes the call once. Allegro reports its work, and the absence of that report is an error.
    pub fn run(&self) -> Result<(Run, Option<Choice>)> {
        let (side, job): (Side, &[&str]) = match self.who {
            Who::Update => (Side::Composer, &["update", "--no-install", "--no-audit"]),
            Who::Helper => (Side::Helper, &["resolve", "--no-audit"]),
            Who::Extension => (Side::Extension, &["resolve", "--no-audit"]),
            Who::DryRun => (Side::Composer, &["install", "--dry-run"]),
        };
        let mut command = command::composer(self.bed, &self.bed.home(side), &self.project);
        command.env("COMPOSER_CACHE_DIR", &self.cache);
        if side == Side::Extension {
            command.args(["-d", &format!("extension={}", self.bed.extension.display())]);
        }
        let log = self.project.with_extension("log");
        let output = fs::File::create(&log).map_err(at(&log))?;
        command
            .args(["-d", "memory_limit=-1"])
            .arg(&self.bed.composer)
            .args(job)
            .args(["--no-scripts", "--no-interaction", "--no-progress"])
            .args(IGNORED.map(|name| format!("--ignore-platform-req={name}")));
        if side.is_allegro() {
            command.args(["-v", "--profile"]);
        }
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(at(&log))?)
            .stderr(output);
        let (run, success) = measure::run(command)?;
        let said = fs::read(&log).map_err(at(&log))?;
        let said = String::from_utf8_lossy(&said);
        let choice = Choice::read(&said).filter(|_| !said.contains("load dynamic library"));
        if success && (choice.is_some() || !side.is_allegro()) {
            return Ok((run, choice));
        }
        let lines: Vec<&str> = said.lines().collect();
        Err(format!(
            "{} with {} {}:\n{}",
            self.who.name(),
            self.what,
            if success { "is not ours" } else { "failed" },
            lines[lines.len().saturating_sub(15)..].join("\n")
        )
        .into())
    }
}

impl Choice {
    /// Reads the report from the output with `-v --profile`.
    fn read(said: &str) -> Option<Self> {
        let line = |text: &str| said.lines().find(|line| line.contains(text));
        let answer = line(" of them considered, ")?;
        let (_, counts) = answer.split_once("Allegro: ")?;
        let mut counts = counts.split(", ").filter_map(|part| {
            let number = part.split(' ').next()?.replace(',', "");
            number.parse::<u64>().ok()
        });
        Some(Self {
            versions: counts.next()?,
            considered: counts.next()?,
            rules: counts.next()?,
            seconds: moment(answer)? - moment(line("] Loading composer repositories")?)?,
        })
    }
}

/// Returns the seconds since Composer's start from a line like `[11.8MiB/0.33s] …`.
fn moment(line: &str) -> Option<f64> {
    let (_, rest) = line.strip_prefix('[')?.split_once('/')?;
    rest.split_once("s]")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read() {
        let said = "[5.1MiB/0.08s] Loading composer repositories with package information\n\
            [11.8MiB/0.33s] Allegro: 22,292 versions, 4,110 of them considered, 1,119,902 rules\n\
            [12.9MiB/0.35s] Updating dependencies\n\
            Lock file operations: 112 installs, 0 updates, 0 removals\n";
        let choice = Choice::read(said).expect("a choice");
        let counts = (choice.versions, choice.considered, choice.rules);
        assert_eq!(counts, (22_292, 4_110, 1_119_902));
        assert!((choice.seconds - 0.25).abs() < 1e-9, "{choice:?}");
        assert_eq!(Choice::read("Allegro: Composer resolves by itself"), None);
    }
}
