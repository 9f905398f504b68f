//! Finds the Composer of the machine, and the PHP that it starts with.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::plugin;
use crate::cli::failure::{Code, Failure};
use crate::cli::settings::Settings;
use crate::settings::Environment;

/// The Composer of the machine.
#[derive(Debug, Clone)]
pub struct Composer {
    /// Absolute path under which Composer was found. It may be a symbolic link.
    pub path: PathBuf,
    /// How Composer is started.
    pub form: Form,
}

/// The form of Composer's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A script or a phar for PHP: path of PHP, and options from the first line.
    Php {
        /// Path of PHP.
        php: PathBuf,
        /// Options that stand in the first line of the file.
        options: Vec<OsString>,
        /// Whether the file is a phar.
        is_phar: bool,
    },
    /// Any other program, such as a shell script around Composer.
    Program,
}

/// The greatest length of a first line that is read.
const FIRST_LINE: usize = 1024;

impl Composer {
    /// Finds Composer: the configured one, else `composer` in `PATH`, else `composer.phar` in the
    /// working directory.
    ///
    /// # Errors
    /// Fails with [`Code::Composer`] where there is no Composer, or no PHP to start it. `purpose`
    /// names the command that needs Composer.
    pub fn find(
        settings: &Settings,
        environment: &Environment,
        directory: &Path,
        purpose: &str,
    ) -> Result<Self, Failure> {
        let found = match &settings.composer_path.value {
            Some(name) => {
                let found = if name.as_os_str().as_bytes().contains(&b'/') {
                    Some(directory.join(name)).filter(|path| path.is_file())
                } else {
                    in_path(name.as_os_str(), environment)
                };
                found.ok_or_else(|| {
                    Failure::new(
                        Code::Composer,
                        format_args!(
                            "{purpose} needs Composer, and there is none at {} (from the {})",
                            name.display(),
                            settings.composer_path.source
                        ),
                    )
                })?
            }
            None => in_path(OsStr::new("composer"), environment)
                .or_else(|| Some(directory.join("composer.phar")).filter(|path| path.is_file()))
                .ok_or_else(|| {
                    Failure::new(
                        Code::Composer,
                        format_args!("{purpose} needs Composer, which was not found"),
                    )
                    .hint(
                        "install it from https://getcomposer.org/download/, or name its path in \
                         ALLEGRO_COMPOSER_PATH",
                    )
                })?,
        };
        let form = Form::of(&found, settings, environment, purpose)?;
        Ok(Self { path: found, form })
    }
}

impl Form {
    fn of(
        path: &Path,
        settings: &Settings,
        environment: &Environment,
        purpose: &str,
    ) -> Result<Self, Failure> {
        let unreadable = |error: std::io::Error| {
            Failure::new(
                Code::Composer,
                format_args!("Composer at {} can't be read: {error}", path.display()),
            )
        };
        let mut file = File::open(path).map_err(unreadable)?;
        let mut head = Vec::new();
        (&mut file)
            .take(FIRST_LINE as u64)
            .read_to_end(&mut head)
            .map_err(unreadable)?;
        let Some((interpreter, options)) = interpreter(&head) else {
            return Ok(Self::Program);
        };
        let php = settings.php_path.value.clone().unwrap_or(interpreter);
        let php = if php.as_os_str().as_bytes().contains(&b'/') {
            Some(php.clone()).filter(|path| path.is_file())
        } else {
            in_path(php.as_os_str(), environment)
        }
        .ok_or_else(|| {
            Failure::new(
                Code::Composer,
                format_args!(
                    "{purpose} needs PHP, and \"{}\" was not found",
                    php.display()
                ),
            )
            .hint("install PHP's command line (for example the package php-cli)")
        })?;
        let mut tail = [0; 4];
        let is_phar = file.seek(SeekFrom::End(-4)).is_ok()
            && file.read_exact(&mut tail).is_ok()
            && tail == *b"GBMB";
        Ok(Self::Php {
            php,
            options,
            is_phar,
        })
    }
}

/// Returns the interpreter in the first line of a PHP script and its options. It returns `None`
/// where the file is no script for PHP.
pub fn interpreter(head: &[u8]) -> Option<(PathBuf, Vec<OsString>)> {
    if head.starts_with(b"<?php") {
        return Some(("php".into(), Vec::new()));
    }
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let mut words = line
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
        .map(|word| OsString::from_vec(word.to_vec()));
    let mut program = PathBuf::from(words.next()?);
    if program.file_name() == Some(OsStr::new("env")) {
        let word = words.next()?;
        program = PathBuf::from(if word == "-S" { words.next()? } else { word });
    }
    let name = program.file_name()?.to_str()?;
    let is_php = name.strip_prefix("php").is_some_and(|rest| {
        rest.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    });
    is_php.then(|| (program, words.collect()))
}

/// Returns the first program with a name in `PATH` that is not this very program.
pub(super) fn in_path(name: &OsStr, environment: &Environment) -> Option<PathBuf> {
    let own = plugin::binary().and_then(fs::metadata).ok();
    let path = environment.value("PATH")?;
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|candidate| {
            fs::metadata(candidate).is_ok_and(|facts| {
                facts.is_file()
                    && facts.permissions().mode() & 0o111 != 0
                    && own
                        .as_ref()
                        .is_none_or(|own| (own.dev(), own.ino()) != (facts.dev(), facts.ino()))
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scripts_for_php_have_an_interpreter() {
        let of = |head: &str| {
            let (program, options) = interpreter(head.as_bytes())?;
            let mut words = vec![program.into_os_string()];
            words.extend(options);
            Some(words.join(OsStr::new(" ")).into_string().expect("it works"))
        };
        let cases = [
            ("#!/usr/bin/php\n<?php", Some("/usr/bin/php")),
            ("#!/usr/bin/env php\n<?php", Some("php")),
            ("#! /usr/bin/env php8.2\n", Some("php8.2")),
            (
                "#!/usr/bin/env -S php -d memory_limit=-1\n",
                Some("php -d memory_limit=-1"),
            ),
            ("#!/opt/php/bin/php -n\r\n", Some("/opt/php/bin/php -n")),
            ("<?php echo 1;", Some("php")),
            ("#!/bin/sh\nexec docker run composer", None),
            ("#!/usr/bin/env phpbrew\n", None),
            ("\u{7f}ELF", None),
            ("", None),
        ];
        for (head, expected) in cases {
            assert_eq!(of(head).as_deref(), expected, "{head}");
        }
    }
}
