//! Hands a command to the Composer of the machine, with the plugin in place.
//!
//! The user's own configuration stays as it is. Composer gets a copy of the user's home that has
//! the plugin in addition, and PHP keeps Composer's compiled code in the store.

pub mod ahead;
mod composer;
mod home;
mod kept;
mod manner;
mod opcache;
mod overlay;
mod phar;
mod plugin;
mod process;
pub mod remembered;

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use allegro_base::env;

pub use composer::{Composer, Form};
pub use home::Homes;
pub use kept::{directory as kept_directory, identity, name as kept_name};
pub use manner::{Manner, command_at, is_known, manner, names};
pub use process::{code, replace, wait};

use crate::cli::failure::{Code, Failure};
use crate::cli::settings::{Settings, Source, is_on};
use crate::cli::terminal::Terminal;
use crate::settings::Environment;

/// A call of Composer.
#[derive(Debug)]
pub struct Call<'a> {
    /// Settings of the command line.
    pub settings: &'a Settings,
    /// Environment of this process.
    pub environment: &'a Environment,
    /// Where remarks are shown.
    pub terminal: &'a Terminal,
    /// Directory in which Composer starts.
    pub directory: &'a Path,
    /// Name of the command for messages, such as `allegro install`.
    pub purpose: &'a str,
    /// Arguments for Composer.
    pub arguments: Vec<OsString>,
    /// Variables of the environment that Composer must not see.
    pub without: &'static [&'static str],
    /// Events whose scripts have been played. The plugin leaves those out.
    pub played: Vec<&'static str>,
    /// What is done natively while Composer starts, if Composer replaces this process.
    pub ahead: Option<ahead::Task>,
}

impl Call<'_> {
    /// Returns the call with events whose scripts have been played.
    #[must_use]
    pub fn played(self, played: Vec<&'static str>) -> Self {
        Self { played, ..self }
    }

    /// Replaces this process by Composer.
    pub fn replace(self) -> Failure {
        let (command, composer) = match self.command() {
            Ok(parts) => parts,
            Err(failure) => return failure,
        };
        not_started(&composer, &process::replace(command))
    }

    /// Runs Composer to its end and returns its exit code.
    pub fn wait(self) -> Result<u8, Failure> {
        let (command, composer) = self.command()?;
        process::wait(command).map_err(|error| not_started(&composer, &error))
    }

    /// Runs Composer to its end and returns its exit code and its standard output.
    pub fn output(self) -> Result<(u8, Vec<u8>), Failure> {
        let (mut command, composer) = self.command()?;
        let output = command
            .stdin(std::process::Stdio::null())
            .output()
            .map_err(|error| not_started(&composer, &error))?;
        Ok((process::code(output.status), output.stdout))
    }

    /// Returns the reason for which the plugin can't be put in place, or `None` where it can.
    pub fn obstacle(&self) -> Result<Option<String>, Failure> {
        let composer = Composer::find(
            self.settings,
            self.environment,
            self.directory,
            self.purpose,
        )?;
        if composer.form == Form::Program {
            return Ok(Some(format!("{} is no PHP file", composer.path.display())));
        }
        let store = self.settings.core(self.environment)?.store;
        let homes = Homes::of(self.environment, Path::is_dir);
        Ok(self.overlay(&store, homes.as_ref(), None).err())
    }

    /// Returns the command that starts Composer.
    fn command(&self) -> Result<(Command, PathBuf), Failure> {
        let composer = Composer::find(
            self.settings,
            self.environment,
            self.directory,
            self.purpose,
        )?;
        let manner = manner(&self.arguments);
        let mut command = match &composer.form {
            Form::Program => {
                self.terminal.detail(format_args!(
                    "allegro: {} is no PHP file, so it runs without the plugin",
                    composer.path.display()
                ));
                Command::new(&composer.path)
            }
            Form::Php { php, options, .. } if manner == Manner::Untouched => {
                let mut command = Command::new(php);
                command.args(options).arg(&composer.path);
                command
            }
            Form::Php {
                php,
                options,
                is_phar,
            } => self.php_command(&composer.path, php, options, *is_phar, manner),
        };
        command.args(&self.arguments).current_dir(self.directory);
        self.set_variables(&mut command)?;
        Ok((command, composer.path))
    }

    /// Returns PHP's command line up to Composer's script.
    fn php_command(
        &self,
        composer: &Path,
        php: &Path,
        options: &[OsString],
        is_phar: bool,
        manner: Manner,
    ) -> Command {
        let mut command = Command::new(php);
        command.args(options);
        let Ok(core) = self.settings.core(self.environment) else {
            command.arg(composer);
            return command;
        };
        let store = core.store;
        let homes = Homes::of(self.environment, Path::is_dir);
        let script = if is_phar {
            match phar::script(&store, composer, php) {
                Ok(script) => script,
                Err(error) => {
                    self.detail_why("the phar is started as it is", &error);
                    composer.to_owned()
                }
            }
        } else {
            composer.to_owned()
        };
        let shown = (script != composer).then_some(composer);
        let start = match manner {
            Manner::WithPlugin => match self.overlay(&store, homes.as_ref(), shown) {
                Ok(start) => {
                    if let Some(task) = &self.ahead {
                        task.start();
                    }
                    Some(start)
                }
                Err(reason) => {
                    self.detail_why("Composer runs without the plugin", &reason);
                    None
                }
            },
            _ => None,
        };
        let start = match (start, shown) {
            (Some(start), _) => Ok(Some(start)),
            (None, None) => Ok(None),
            (None, Some(shown)) => overlay::start_file_of_script(&store, shown).map(Some),
        };
        let start = start.and_then(|start| {
            start
                .map(|start| opcache::ini("auto_prepend_file", start.as_os_str()))
                .transpose()
        });
        match start {
            Ok(start) => {
                let home = homes.as_ref().map(|homes| homes.home.as_path());
                let untouched = opcache::untouched(&self.project(), home);
                let cache = opcache::Cache {
                    store: &store,
                    php,
                    options,
                    script: &script,
                    untouched: &untouched,
                };
                command.args(cache.options());
                command.args(start.into_iter().flatten()).arg(script);
            }
            Err(error) => {
                self.detail_why("Composer runs without the plugin", &error);
                command.arg(composer);
            }
        }
        command
    }

    /// Returns the file that puts the plugin in place, or the reason why it can't be.
    fn overlay(
        &self,
        store: &Path,
        homes: Option<&Homes>,
        script: Option<&Path>,
    ) -> Result<PathBuf, String> {
        if let Some(value) = self.environment.text(env::DISABLE)
            && value != "0"
        {
            return Err(format!("{} is set", env::DISABLE));
        }
        if let Some(path) = self.variable("COMPOSER_VENDOR_DIR") {
            return Err(format!(
                "COMPOSER_VENDOR_DIR ({}) is the place of global packages too",
                path.display()
            ));
        }
        let homes = homes.ok_or("Composer's home is unknown")?;
        let project = self.project();
        if let (Ok(project), Ok(home)) = (fs::canonicalize(&project), fs::canonicalize(&homes.home))
            && project == home
        {
            return Err("this is Composer's home".to_owned());
        }
        let plugin = match self.environment.path(env::PLUGIN_DIR) {
            Some(path) => self.directory.join(path),
            None => plugin::directory(store)
                .map_err(|error| format!("the store can't hold the plugin: {error}"))?,
        };
        let manifest = fs::read_to_string(self.manifest()).ok();
        overlay::Overlay {
            homes,
            plugin: &plugin,
            manifest: manifest.as_deref(),
            script,
        }
        .start_file(store)
    }

    /// Returns the directory that Composer changes to.
    fn project(&self) -> PathBuf {
        let mut arguments = self.arguments.iter().take_while(|word| *word != "--");
        let mut directory = self.directory.to_owned();
        while let Some(word) = arguments.next() {
            let bytes = word.as_bytes();
            if word == "-d" || word == "--working-dir" {
                if let Some(value) = arguments.next() {
                    directory = self.directory.join(value);
                }
            } else if let Some(value) = bytes
                .strip_prefix(b"--working-dir=")
                .or_else(|| bytes.strip_prefix(b"-d"))
            {
                directory = self.directory.join(std::ffi::OsStr::from_bytes(value));
            }
        }
        directory
    }

    /// Returns the path of the project's manifest.
    fn manifest(&self) -> PathBuf {
        let name = self.variable("COMPOSER");
        self.project()
            .join(name.unwrap_or_else(|| "composer.json".into()))
    }

    /// Returns the path in a variable that Composer will see.
    fn variable(&self, name: &str) -> Option<PathBuf> {
        self.environment
            .path(name)
            .filter(|_| !self.without.contains(&name))
    }

    /// Passes settings on to the plugin that it can't see in the environment.
    fn set_variables(&self, command: &mut Command) -> Result<(), Failure> {
        for name in self.without {
            command.env_remove(name);
        }
        // A run inside of scripts is a run of its own.
        command.env_remove(env::PLAYED_EVENTS);
        if !self.played.is_empty() {
            command.env(env::PLAYED_EVENTS, self.played.join(","));
        }
        let settings = self.settings;
        let is_ours = |source: &Source| matches!(source, Source::Flag(_) | Source::File(_));
        if is_ours(&settings.store_path.source) {
            command.env(env::STORE, settings.core(self.environment)?.store);
        }
        if is_ours(&settings.workers.source) {
            command.env(env::WORKERS, settings.workers.value.to_string());
        }
        if is_ours(&settings.link_strategy.source) {
            command.env(env::LINK_STRATEGY, settings.link_strategy.value.to_string());
        }
        let is_offline = self
            .environment
            .text("COMPOSER_DISABLE_NETWORK")
            .is_some_and(|value| is_on(&value));
        if settings.offline.value && !is_offline {
            command.env("COMPOSER_DISABLE_NETWORK", "1");
        }
        Ok(())
    }

    fn detail_why(&self, what: &str, why: &dyn std::fmt::Display) {
        self.terminal.detail(format_args!("allegro: {what}: {why}"));
    }
}

fn not_started(composer: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        Code::Composer,
        format_args!(
            "Composer at {} can't be started: {error}",
            composer.display()
        ),
    )
}
