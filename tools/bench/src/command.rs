//! Makes the command lines and environments of the sides that are compared.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::bed::Bed;
use crate::error::{Result, at};
use crate::measure::{self, Run};

/// A side, which installs the project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Composer without the plugin.
    Composer,
    /// Allegro with its helper process.
    Helper,
    /// Allegro with its extension in PHP.
    Extension,
    /// Allegro with its helper and an empty store.
    Archives,
    /// No installer, but two processes that copy a vendor tree.
    Copy,
}

impl Side {
    /// Returns the side's name in directories and figures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Composer => "composer",
            Self::Helper => "helper",
            Self::Extension => "extension",
            Self::Archives => "archives",
            Self::Copy => "copy",
        }
    }

    /// Returns the side's name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Composer => "Composer",
            Self::Helper => "Allegro, helper",
            Self::Extension => "Allegro, extension",
            Self::Archives => "Allegro, empty store",
            Self::Copy => "plain copy, 2 processes",
        }
    }

    /// Returns whether Allegro is part of the side.
    pub fn is_allegro(self) -> bool {
        matches!(self, Self::Helper | Self::Extension | Self::Archives)
    }
}

/// The directories and the job of a side.
#[derive(Debug, Clone)]
pub struct Seat {
    /// Side that installs.
    pub side: Side,
    /// The project's directory.
    pub project: PathBuf,
    /// Directory of Composer's cache.
    pub cache: PathBuf,
    /// Directory of Allegro's store.
    pub store: PathBuf,
    /// Arguments of Composer.
    pub job: &'static [&'static str],
    /// Whether the project itself requires the plugin, which then no home has.
    pub is_fresh: bool,
}

/// The job of most scenarios.
pub const INSTALL: &[&str] = &["install", "--no-progress"];

impl Seat {
    /// Returns the tree that is compared.
    pub fn vendor(&self) -> PathBuf {
        self.project.join("vendor")
    }

    /// Returns the path of the last run's output.
    pub fn log(&self) -> PathBuf {
        self.project.with_extension("log")
    }

    /// Runs the side once.
    ///
    /// # Errors
    /// Fails also if the install fails. The message has the end of the output.
    pub fn run(&self, bed: &Bed<'_>) -> Result<Run> {
        let log = File::create(self.log()).map_err(at(&self.log()))?;
        let mut command = match self.side {
            Side::Copy => self.copy(&bed.seat(Side::Composer).vendor()),
            _ => self.composer(bed),
        };
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(at(&self.log()))?)
            .stderr(log);
        let (run, success) = measure::run(command)?;
        if success {
            return Ok(run);
        }
        let text = self.output();
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

    fn composer(&self, bed: &Bed<'_>) -> Command {
        let home = bed.home(if self.is_fresh {
            Side::Composer
        } else {
            self.side
        });
        let mut command = composer(bed, &home, &self.project);
        if self.is_fresh && !self.side.is_allegro() {
            command.env("ALLEGRO_DISABLE", "1");
        }
        command
            .env("COMPOSER_CACHE_DIR", &self.cache)
            .env("ALLEGRO_STORE", &self.store);
        if self.side == Side::Extension {
            command.args(["-d", &format!("extension={}", bed.extension.display())]);
        }
        command
            .arg(&bed.composer)
            .args(self.job)
            .args(["--no-interaction", "--ignore-platform-reqs"]);
        command
    }

    fn copy(&self, from: &Path) -> Command {
        const SCRIPT: &str = r#"
            mkdir -p "$1" && find . -maxdepth 1 -type d -print0 | (cd "$1" && xargs -0 mkdir -p)
            { find . -mindepth 1 -maxdepth 1 ! -type d -print0; find . -mindepth 2 -maxdepth 2 -print0; } |
                xargs -0 -P 2 -n 8 cp -a --parents -t "$1"
        "#;
        let mut command = Command::new("sh");
        command
            .args(["-e", "-c", SCRIPT, "copy"])
            .arg(self.vendor())
            .current_dir(from);
        command
    }
}

/// Returns a call of PHP with an environment that is the same on every machine. The caller adds the
/// script and its arguments.
pub fn composer(bed: &Bed<'_>, home: &Path, dir: &Path) -> Command {
    let mut command = Command::new(&bed.php);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LANG", "C.UTF-8")
        .env("HOME", &bed.dir)
        .env("COMPOSER_HOME", home)
        .env("COMPOSER_ALLOW_SUPERUSER", "1")
        // Git must not find a repository around the working directory.
        .env("GIT_CEILING_DIRECTORIES", &bed.dir)
        .current_dir(dir);
    command
}
