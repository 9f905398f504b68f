//! Takes Allegro's own options out of a command line that is meant for Composer.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use super::definition::ComposerCommand;
use super::failure::{Code, Failure};
use super::settings::{Flags, Settings, Source};
use crate::delegate;

/// A command line for Composer, and the options of Allegro that stood in it.
#[derive(Debug, Default)]
pub struct Arguments {
    /// Settings among the options.
    pub flags: Flags,
    /// Directory from `--working-dir`.
    pub directory: Option<PathBuf>,
    /// Whether the help of the command is wanted.
    pub wants_help: bool,
    /// Whether an outdated lock is an error.
    pub is_frozen: bool,
    /// Whether the command may ask questions.
    pub is_interactive: bool,
    /// Arguments for Composer, without the command's name.
    pub rest: Vec<OsString>,
    /// Position in `rest` at which the command's name stood.
    at: usize,
    /// Options for Composer that Allegro's own stand for.
    added: Vec<OsString>,
}

/// Options with a value that only Allegro has.
const OWN_VALUED: [&str; 3] = ["--store-path", "--workers", "--link-strategy"];

/// Commands of Composer that can print JSON.
const WITH_FORMAT: [&str; 7] = [
    "audit",
    "check-platform-reqs",
    "fund",
    "licenses",
    "outdated",
    "search",
    "show",
];

/// Returns the position of the command's name. Values of Allegro's options are no names.
pub fn command_at(arguments: &[OsString]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        let text = word.to_string_lossy();
        if text == "--" {
            return None;
        }
        if OWN_VALUED.contains(&text.as_ref()) || text == "-d" || text == "--working-dir" {
            at += 1;
        } else if !text.starts_with('-') || text == "-" {
            return Some(at);
        }
        at += 1;
    }
    None
}

impl Arguments {
    /// Reads the arguments of a command of Composer, whose name stands at a position.
    ///
    /// # Errors
    /// Fails where an option of Allegro lacks its value or does not fit the command.
    pub fn read(
        arguments: Vec<OsString>,
        at: usize,
        command: Option<&ComposerCommand>,
    ) -> Result<Self, Failure> {
        let name = arguments[at].to_string_lossy().into_owned();
        // Arguments after the name of a script or a program belong to that.
        let words_of_ours = match command.map(|command| command.name) {
            Some("run" | "exec") => 1,
            Some(_) => usize::MAX,
            None if delegate::is_known(&name) => usize::MAX,
            None => 0,
        };
        let mut read = Self {
            is_interactive: true,
            ..Self::default()
        };
        let mut words = 0;
        let mut is_over = false;
        let mut rest = arguments.into_iter().enumerate();
        while let Some((position, word)) = rest.next() {
            if position == at {
                read.at = read.rest.len();
                is_over = words_of_ours == 0;
                continue;
            }
            let text = word.to_string_lossy().into_owned();
            if is_over || text == "--" {
                is_over = true;
                read.rest.push(word);
                continue;
            }
            if !text.starts_with('-') {
                words += 1;
                is_over = position > at && words >= words_of_ours;
                read.rest.push(word);
                continue;
            }
            let (option, inline) = match text.split_once('=') {
                Some((option, _)) => {
                    let value = word.as_bytes()[option.len() + 1..].to_vec();
                    (option.to_owned(), Some(OsString::from_vec(value)))
                }
                None => (text, None),
            };
            if OWN_VALUED.contains(&option.as_str()) {
                let value = inline
                    .or_else(|| rest.next().map(|(_, word)| word))
                    .ok_or_else(|| usage(format_args!("{option} needs a value")))?;
                read.set_value(&option, value);
            } else if option == "-d" || option == "--working-dir" {
                read.rest.push(word);
                let value = match inline {
                    Some(value) => Some(value),
                    None => rest.next().map(|(_, value)| value).inspect(|value| {
                        read.rest.push(value.clone());
                    }),
                };
                read.directory = value.map(PathBuf::from);
            } else if !read.take_switch(&option, &name, command)? {
                if let Some(value) = word.as_bytes().strip_prefix(b"-d") {
                    read.directory = Some(OsString::from_vec(value.to_vec()).into());
                }
                read.rest.push(word);
            }
        }
        Ok(read)
    }

    fn set_value(&mut self, option: &str, value: OsString) {
        let text = || Some(value.to_string_lossy().into_owned());
        match option {
            "--workers" => self.flags.workers = text(),
            "--link-strategy" => self.flags.link_strategy = text(),
            _ => self.flags.store_path = Some(value.into()),
        }
    }

    /// Notes a switch. It returns whether the switch is Allegro's alone.
    fn take_switch(
        &mut self,
        option: &str,
        name: &str,
        command: Option<&ComposerCommand>,
    ) -> Result<bool, Failure> {
        let has = |long| command.is_some_and(|command| command.has(long));
        match option {
            "--offline" => self.flags.offline = true,
            "--no-color" => self.flags.no_color = true,
            "--frozen-lockfile" if has("frozen-lockfile") => self.is_frozen = true,
            "--frozen-lockfile" => {
                return Err(usage(format_args!(
                    "--frozen-lockfile is an option of install, not of {name}"
                )));
            }
            "--force" if has("force") => self.flags.force = true,
            "--no-autoload" if has("no-autoloader") => self.add("--no-autoloader"),
            "--no-dev" if has("update-no-dev") && !has("no-dev") => self.add("--update-no-dev"),
            "--dev" if has("no-dev") && has("no-suggest") => self.flags.no_dev = Some(false),
            "--json" if WITH_FORMAT.contains(&name) => self.add("--format=json"),
            "--json" => {
                return Err(usage(format_args!("{name} can't print JSON")));
            }
            _ => {
                match option {
                    "--no-dev" if has("no-dev") => self.flags.no_dev = Some(true),
                    "--no-scripts" => self.flags.no_scripts = true,
                    "--no-progress" => self.flags.no_progress = true,
                    "-q" | "--quiet" => self.flags.quiet = true,
                    "-v" | "-vv" | "-vvv" | "--verbose" => self.flags.verbose = true,
                    "-n" | "--no-interaction" => self.is_interactive = false,
                    "-h" | "--help" => self.wants_help = true,
                    _ => {}
                }
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Returns the position in `rest` at which the command's name stood.
    pub fn position(&self) -> usize {
        self.at
    }

    fn add(&mut self, option: &str) {
        self.added.push(option.into());
    }

    /// Returns Composer's arguments: those of the user, and what the settings stand for.
    pub fn for_composer(
        &self,
        name: &str,
        command: Option<&ComposerCommand>,
        settings: &Settings,
    ) -> Vec<OsString> {
        let has = |long| command.is_some_and(|command| command.has(long));
        let mut added = self.added.clone();
        let mut add = |is_on: bool, source: &Source, option: &str| {
            // The user's own options are there already.
            let is_there = matches!(source, Source::Flag(_)) && option != "--no-ansi";
            if is_on && !is_there && !added.iter().any(|known| known == option) {
                added.push(option.into());
            }
        };
        let no_dev = &settings.no_dev;
        if has("no-dev") {
            add(no_dev.value, &no_dev.source, "--no-dev");
        } else if has("update-no-dev") {
            add(no_dev.value, &no_dev.source, "--update-no-dev");
        }
        let is_installing = has("optimize-autoloader") || name == "dump-autoload";
        if is_installing {
            let no_scripts = &settings.no_scripts;
            add(no_scripts.value, &no_scripts.source, "--no-scripts");
        }
        if has("optimize-autoloader") {
            let no_progress = &settings.no_progress;
            add(no_progress.value, &no_progress.source, "--no-progress");
        }
        let wants_colors = self.rest.iter().any(|word| word == "--ansi");
        add(
            settings.no_color.value && !wants_colors,
            &settings.no_color.source,
            "--no-ansi",
        );
        add(settings.quiet.value, &settings.quiet.source, "--quiet");
        add(
            settings.verbose.value,
            &settings.verbose.source,
            "--verbose",
        );
        let mut all = self.rest[..self.at].to_vec();
        all.push(name.into());
        all.extend(added);
        all.extend_from_slice(&self.rest[self.at..]);
        all
    }
}

/// Returns the failure for a command line that makes no sense.
pub fn usage(message: impl std::fmt::Display) -> Failure {
    Failure::new(Code::General, message).hint("see: allegro help")
}

#[cfg(test)]
mod tests;
