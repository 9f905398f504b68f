//! Resolves the settings of the command line: flag > environment > configuration file > default.

mod keys;

use std::path::{Path, PathBuf};

use allegro_base::env;
use allegro_fetch::{DEFAULT_WORKERS, MOST_WORKERS};
use allegro_store::link::Strategy;
use serde_json::Value;

pub use keys::{KEYS, Key, Kind};

use super::config_file::ConfigFile;
use super::failure::{Code, Failure};
use crate::protocol::settings::Overrides;
use crate::settings::{Environment, expanded};

/// The place that decided on a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An option on the command line, with its name.
    Flag(&'static str),
    /// An environment variable, with its name.
    Variable(&'static str),
    /// The configuration file.
    File(PathBuf),
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(name) => write!(formatter, "option --{name}"),
            Self::Variable(name) => write!(formatter, "variable {name}"),
            Self::File(path) => write!(formatter, "{}", path.display()),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// A value and the place that decided on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// The place that decided on the value.
    pub source: Source,
}

/// The options of the command line that decide on settings.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own on the command line"
)]
pub struct Flags {
    /// `--store-path`
    pub store_path: Option<PathBuf>,
    /// `--workers`
    pub workers: Option<String>,
    /// `--link-strategy`
    pub link_strategy: Option<String>,
    /// `--no-progress`
    pub no_progress: bool,
    /// `--no-color`
    pub no_color: bool,
    /// `--no-dev` is true, and `--dev` is false.
    pub no_dev: Option<bool>,
    /// `--no-scripts`
    pub no_scripts: bool,
    /// `--quiet`
    pub quiet: bool,
    /// `--verbose`
    pub verbose: bool,
    /// `--force`
    pub force: bool,
    /// `--offline`
    pub offline: bool,
}

/// The settings of the command line, completely resolved.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Root directory of the store, or `None` for the default place.
    pub store_path: Setting<Option<PathBuf>>,
    /// Number of parallel downloads.
    pub workers: Setting<usize>,
    /// Method that brings files from the store into a project.
    pub link_strategy: Setting<Strategy>,
    /// Whether no progress is shown.
    pub no_progress: Setting<bool>,
    /// Whether no colours are shown.
    pub no_color: Setting<bool>,
    /// Path or name of Composer, or `None` for a search.
    pub composer_path: Setting<Option<PathBuf>>,
    /// Path or name of PHP, or `None` for the interpreter that Composer's script names.
    pub php_path: Setting<Option<PathBuf>>,
    /// Whether packages of require-dev are left out.
    pub no_dev: Setting<bool>,
    /// Whether scripts of composer.json are left out.
    pub no_scripts: Setting<bool>,
    /// Days after which a project that was not installed counts as stale.
    pub prune_stale_days: Setting<u64>,
    /// Whether only errors and results are shown.
    pub quiet: Setting<bool>,
    /// Whether more messages are shown.
    pub verbose: Setting<bool>,
    /// Whether work is done also where nothing seems to have changed.
    pub force: Setting<bool>,
    /// Whether no socket may be opened.
    pub offline: Setting<bool>,
    /// Sentences about values of the file that were ignored.
    pub warnings: Vec<String>,
}

/// The three places of values, asked in order of precedence.
struct Layers<'a> {
    environment: &'a Environment,
    file: &'a ConfigFile,
    warnings: Vec<String>,
}

impl Settings {
    /// Resolves the settings. A wrong value of the file is ignored with a warning.
    ///
    /// # Errors
    /// Fails where an option or a variable has a value that makes no sense.
    pub fn resolve(
        flags: &Flags,
        environment: &Environment,
        file: &ConfigFile,
    ) -> Result<Self, Failure> {
        let mut layers = Layers {
            environment,
            file,
            warnings: file
                .problem()
                .map(|problem| format!("{problem}; the file is ignored"))
                .into_iter()
                .collect(),
        };
        let on = |flag: bool, name: &'static str| flag.then_some((true, name));
        let store_path = match flags.store_path.clone() {
            Some(path) => Setting {
                value: Some(path),
                source: Source::Flag("store-path"),
            },
            None => layers.path("store_path", env::STORE),
        };
        let workers = layers.text("workers", flags.workers.clone(), env::WORKERS)?;
        let strategy = layers.text(
            "link_strategy",
            flags.link_strategy.clone(),
            env::LINK_STRATEGY,
        )?;
        let days = layers.text("prune_stale_days", None, "")?;
        let number = |text: &str| text.trim().parse().ok();
        let mut settings = Self {
            workers: Setting {
                value: number(&workers.value).unwrap_or(DEFAULT_WORKERS),
                source: workers.source,
            },
            link_strategy: Setting {
                value: strategy.value.parse()?,
                source: strategy.source,
            },
            prune_stale_days: Setting {
                value: number(&days.value).unwrap_or(90) as u64,
                source: days.source,
            },
            composer_path: layers.path("composer_path", env::COMPOSER_PATH),
            php_path: layers.path("php_path", env::PHP),
            no_progress: layers.switch(
                "no_progress",
                on(flags.no_progress, "no-progress"),
                env::NO_PROGRESS,
            ),
            no_color: layers.switch("no_color", on(flags.no_color, "no-color"), env::NO_COLOR),
            no_dev: layers.switch(
                "no_dev",
                flags
                    .no_dev
                    .map(|is_on| (is_on, if is_on { "no-dev" } else { "dev" })),
                env::NO_DEV,
            ),
            no_scripts: layers.switch(
                "no_scripts",
                on(flags.no_scripts, "no-scripts"),
                env::NO_SCRIPTS,
            ),
            quiet: layers.switch("", on(flags.quiet, "quiet"), env::QUIET),
            verbose: layers.switch("", on(flags.verbose, "verbose"), env::VERBOSE),
            force: layers.switch("", on(flags.force, "force"), env::FORCE),
            offline: layers.switch("", on(flags.offline, "offline"), ""),
            store_path,
            warnings: Vec::new(),
        };
        // https://no-color.org: any value but the empty one counts.
        if settings.no_color.source == Source::Default && environment.value("NO_COLOR").is_some() {
            settings.no_color = Setting {
                value: true,
                source: Source::Variable("NO_COLOR"),
            };
        }
        settings.warnings = layers.warnings;
        Ok(settings)
    }

    /// Returns the part of the settings that the core layers over the environment.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            store: self.store_path.value.clone(),
            link_strategy: (self.link_strategy.source != Source::Default)
                .then(|| self.link_strategy.value.to_string()),
            workers: (self.workers.source != Source::Default).then_some(self.workers.value),
        }
    }

    /// Returns the core's settings.
    pub fn core(&self, environment: &Environment) -> Result<crate::settings::Settings, Failure> {
        Ok(crate::settings::Settings::resolve(
            &self.overrides(),
            environment,
        )?)
    }

    /// Returns each key with its value as JSON, and the place that decided on it.
    pub fn listed(&self, environment: &Environment) -> Vec<(&'static str, Value, Source)> {
        let path = |setting: &Setting<Option<PathBuf>>| {
            let text = setting.value.as_deref().map(|path| path.to_string_lossy());
            text.map_or(Value::Null, |text| Value::from(text.into_owned()))
        };
        let store = self.core(environment).map_or(Value::Null, |core| {
            Value::from(core.store.to_string_lossy().into_owned())
        });
        KEYS.iter()
            .map(|key| {
                let (value, source) = match key.name {
                    "store_path" => (store.clone(), &self.store_path.source),
                    "workers" => (self.workers.value.into(), &self.workers.source),
                    "link_strategy" => (
                        self.link_strategy.value.to_string().into(),
                        &self.link_strategy.source,
                    ),
                    "no_progress" => (self.no_progress.value.into(), &self.no_progress.source),
                    "no_color" => (self.no_color.value.into(), &self.no_color.source),
                    "composer_path" => (path(&self.composer_path), &self.composer_path.source),
                    "php_path" => (path(&self.php_path), &self.php_path.source),
                    "no_dev" => (self.no_dev.value.into(), &self.no_dev.source),
                    "no_scripts" => (self.no_scripts.value.into(), &self.no_scripts.source),
                    _ => (
                        self.prune_stale_days.value.into(),
                        &self.prune_stale_days.source,
                    ),
                };
                (key.name, value, source.clone())
            })
            .collect()
    }
}

impl Layers<'_> {
    /// Returns a valid value of the file, or `None` with a warning.
    fn of_file(&mut self, key: &str) -> Option<(Value, Source)> {
        let value = self.file.get(key)?;
        let source = self.file.source().unwrap_or(Path::new("")).to_owned();
        match Key::find(key)?.check(value) {
            Ok(()) => Some((value.clone(), Source::File(source))),
            Err(problem) => {
                let place = source.display();
                self.warnings
                    .push(format!("{place}: {problem}; the value is ignored"));
                None
            }
        }
    }

    fn switch(
        &mut self,
        key: &str,
        flag: Option<(bool, &'static str)>,
        variable: &'static str,
    ) -> Setting<bool> {
        if let Some((value, name)) = flag {
            return Setting {
                value,
                source: Source::Flag(name),
            };
        }
        if !variable.is_empty()
            && let Some(text) = self.environment.text(variable)
        {
            return Setting {
                value: is_on(&text),
                source: Source::Variable(variable),
            };
        }
        match self.of_file(key) {
            Some((value, source)) => Setting {
                value: value == Value::Bool(true),
                source,
            },
            None => Setting {
                value: false,
                source: Source::Default,
            },
        }
    }

    fn path(&mut self, key: &str, variable: &'static str) -> Setting<Option<PathBuf>> {
        if let Some(path) = self.environment.path(variable) {
            return Setting {
                value: Some(expanded(path, self.environment)),
                source: Source::Variable(variable),
            };
        }
        match self.of_file(key) {
            Some((value, source)) => Setting {
                value: value
                    .as_str()
                    .map(|text| expanded(PathBuf::from(text), self.environment)),
                source,
            },
            None => Setting {
                value: None,
                source: Source::Default,
            },
        }
    }

    /// Returns the text of a value that has a check of its own.
    fn text(
        &mut self,
        name: &'static str,
        flag: Option<String>,
        variable: &'static str,
    ) -> Result<Setting<String>, Failure> {
        let key = Key::find(name).ok_or_else(|| Failure::new(Code::General, name))?;
        let given = flag
            .map(|text| (text, Source::Flag(key.option)))
            .or_else(|| {
                let text = self
                    .environment
                    .text(variable)
                    .filter(|_| !variable.is_empty())?;
                Some((text, Source::Variable(variable)))
            });
        if let Some((value, source)) = given {
            key.parse(&value).map_err(|problem| {
                let name = match &source {
                    Source::Flag(name) => format!("--{name}"),
                    _ => variable.to_owned(),
                };
                Failure::new(Code::General, problem.replace(key.name, &name))
            })?;
            return Ok(Setting { value, source });
        }
        Ok(match self.of_file(name) {
            Some((value, source)) => Setting {
                value: value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
                source,
            },
            None => Setting {
                value: key.default.to_owned(),
                source: Source::Default,
            },
        })
    }
}

/// Returns whether the text of a switch means on. `0`, `false`, `no` and the empty text mean off.
pub fn is_on(text: &str) -> bool {
    !matches!(
        text.trim().to_lowercase().as_str(),
        "" | "0" | "false" | "no" | "off"
    )
}

/// The greatest number of parallel downloads, for messages.
const MOST: u64 = MOST_WORKERS as u64;

#[cfg(test)]
mod tests;
