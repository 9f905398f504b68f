//! Makes one call of Composer that writes a lock, or would write one.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Serialize;

use super::Who;
use crate::bed::Bed;
use crate::command::{self, Seat};
use crate::error::{Result, at};
use crate::job::{IGNORED, Job};
use crate::measure::{self, Run};
use crate::program;
use crate::side::Side;

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
        let log = self.project.with_extension("log");
        let output = fs::File::create(&log).map_err(at(&log))?;
        let side = self.who.side();
        let mut command = if side.may_be_absent() {
            self.program()?
        } else {
            self.composer()
        };
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(at(&log))?)
            .stderr(output);
        let (run, success) = measure::run(command)?;
        let said = fs::read(&log).map_err(at(&log))?;
        let said = String::from_utf8_lossy(&said);
        let choice = Choice::read(&said).filter(|_| !said.contains("load dynamic library"));
        if success && (choice.is_some() || !side.is_plugin()) {
            return Ok((run, choice));
        }
        if side.may_be_absent() {
            return Err(program::reason(&said).into());
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

    fn composer(&self) -> Command {
        let side = self.who.side();
        let job: &[&str] = match self.who {
            Who::Helper | Who::Extension => &["resolve", "--no-audit"],
            Who::DryRun => &["install", "--dry-run"],
            _ => &["update", "--no-install", "--no-audit"],
        };
        let mut command = command::composer(self.bed, side, &self.project);
        command.env("COMPOSER_CACHE_DIR", &self.cache);
        if side == Side::Extension {
            command.args(["-d", &format!("extension={}", self.bed.extension.display())]);
        }
        command
            .args(["-d", "memory_limit=-1"])
            .arg(&self.bed.composer)
            .args(job)
            .args(["--no-scripts", "--no-interaction", "--no-progress"])
            .args(IGNORED.map(|name| format!("--ignore-platform-req={name}")));
        if side.is_plugin() {
            command.args(["-v", "--profile"]);
        }
        command
    }

    /// Returns a call of a program that may be absent. Its store is below its cache, so that both
    /// are removed together.
    fn program(&self) -> Result<Command> {
        let seat = Seat {
            project: self.project.clone(),
            cache: self.cache.clone(),
            store: self.cache.join("store"),
            job: Job::Update,
            ..self.bed.seat(self.who.side())
        };
        seat.installer(self.bed)
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
