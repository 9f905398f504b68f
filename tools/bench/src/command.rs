//! Makes the command lines and environments of the sides that are compared.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bed::Bed;
use crate::cli::Project;
use crate::error::{Result, at};
use crate::job::Job;
use crate::measure::{self, Run};
use crate::side::Side;
use crate::{program, yardstick};

/// The directories and the job of a side.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Side that installs.
    pub side: Side,
    /// The project's directory.
    pub project: PathBuf,
    /// Directory of Composer's cache.
    pub cache: PathBuf,
    /// Directory of Allegro's store, or of a rival's.
    pub store: PathBuf,
    /// What is to be done.
    pub job: Job,
    /// Whether the project itself requires the plugin, which then no home has.
    pub is_fresh: bool,
}

impl Seat {
    /// Returns the tree that is compared.
    pub fn vendor(&self) -> PathBuf {
        self.project.join("vendor")
    }

    /// Returns the path of the last run's output.
    pub fn log(&self) -> PathBuf {
        self.project.with_extension("log")
    }

    /// Runs an installer once.
    ///
    /// # Errors
    /// Fails also if the install fails. The message has the end of the output.
    pub fn run(&self, bed: &Bed<'_>) -> Result<Run> {
        self.measure(self.installer(bed)?)
    }

    /// Runs a yardstick once, with the vendor tree that it imitates.
    ///
    /// # Errors
    /// Fails as [`Seat::run`] does.
    pub fn run_yardstick(&self, model: &Path) -> Result<Run> {
        self.measure(yardstick::command(self, model)?)
    }

    fn measure(&self, mut command: Command) -> Result<Run> {
        let log = File::create(self.log()).map_err(at(&self.log()))?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(at(&self.log()))?)
            .stderr(log);
        let (run, success) = measure::run(command)?;
        if success {
            return Ok(run);
        }
        let text = self.output();
        if self.side.may_fail() {
            return Err(program::reason(&text).into());
        }
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n");
        Err(format!(
            "{} failed in {}:\n{tail}",
            self.side.title(),
            self.project.display()
        )
        .into())
    }

    /// Returns the output of the last run.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.log()).unwrap_or_default()).into_owned()
    }

    /// Returns Allegro's own line about the last run.
    pub fn summary(&self) -> Option<String> {
        self.output()
            .lines()
            .find_map(|line| line.strip_prefix("Allegro: ").map(str::to_owned))
    }

    /// Returns the command of an installer.
    ///
    /// # Errors
    /// Fails if its program is absent or doesn't know the job.
    pub fn installer(&self, bed: &Bed<'_>) -> Result<Command> {
        let mut arguments = self.job.arguments(self.side, &self.store);
        // Plugins hand these projects to Composer, which is what their runs measure.
        if Project::BY_ROAD.contains(&bed.project)
            && let Some(arguments) = &mut arguments
        {
            arguments.retain(|argument| argument != "--no-plugins");
        }
        let arguments =
            arguments.ok_or_else(|| format!("it has no command for {}", self.job.name()))?;
        if self.side.may_be_absent() {
            let file = bed.program(self.side)?;
            let mut command = apart(Command::new(file), bed, self.side, &self.project);
            command.env("COMPOSER_CACHE_DIR", &self.cache);
            program::point_at_store(&mut command, self, &bed.composer);
            command.args(arguments);
            return Ok(command);
        }
        let home = if self.is_fresh {
            Side::Composer
        } else {
            self.side
        };
        let mut command = composer(bed, home, &self.project);
        if self.is_fresh && !self.side.is_plugin() {
            command.env("ALLEGRO_DISABLE", "1");
        }
        command
            .env("COMPOSER_CACHE_DIR", &self.cache)
            .env("ALLEGRO_STORE", &self.store);
        if self.side == Side::Extension {
            command.args(["-d", &format!("extension={}", bed.extension.display())]);
        }
        command.arg(&bed.composer).args(arguments);
        Ok(command)
    }
}

/// Returns a call of PHP with an environment that is the same on every machine. The caller adds the
/// script and its arguments.
pub fn composer(bed: &Bed<'_>, side: Side, dir: &Path) -> Command {
    apart(Command::new(&bed.php), bed, side, dir)
}

/// Gives a command the home directory of its side. The XDG directories follow from it, because no
/// other variable is passed on.
pub fn apart(mut command: Command, bed: &Bed<'_>, side: Side, dir: &Path) -> Command {
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LANG", "C.UTF-8")
        .env("HOME", bed.user(side))
        .env("COMPOSER_HOME", bed.home(side))
        .env("COMPOSER_ALLOW_SUPERUSER", "1")
        // Git must not find a repository around the working directory.
        .env("GIT_CEILING_DIRECTORIES", &bed.dir)
        .current_dir(dir);
    command
}
