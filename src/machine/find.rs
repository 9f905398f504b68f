//! Finds PHP and Composer as a shell would.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access, stat};

use allegro_base::env;
use allegro_base::identity::Identity;

use super::{ComposerBinary, Machine, Php};
use crate::settings::Environment;

/// Variables that change what PHP loads.
const VARIABLES: [&str; 6] = [
    "PATH",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_LIBRARY_PATH",
];

/// Programs that Composer looks for in `PATH`.
const PROGRAMS: [&str; 5] = ["unzip", "7z", "7zz", "7za", "hhvm"];

/// The length of a file's beginning that tells its interpreter.
pub const HEAD: u64 = 1024;

/// The programs that settings name. Each is a path, or the name of a program in `PATH`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Named<'a> {
    /// Composer.
    pub composer: Option<&'a Path>,
    /// PHP.
    pub php: Option<&'a Path>,
}

impl Machine {
    /// Finds PHP and Composer without starting a process, where a setting may name Composer.
    pub fn find(environment: &Environment, composer: Option<&Path>) -> Self {
        let named = Named {
            composer,
            php: None,
        };
        Self::find_named(environment, named)
    }

    /// Finds PHP and Composer without starting a process.
    ///
    /// A setting beats the variable, which beats `PATH` and a file `composer.phar` in the working
    /// directory. Neither a program of a setting nor one of a variable falls back to another place.
    pub fn find_named(environment: &Environment, named: Named<'_>) -> Self {
        let directory = (environment.current_dir)().unwrap_or_default();
        let given = named.composer.map(Path::to_owned);
        let given = given.or_else(|| environment.path(env::COMPOSER_PATH));
        let composer = composer_path(environment, &directory, given.as_deref());
        let interpreter = composer.as_deref().and_then(interpreter_of);
        let composer = composer.and_then(|path| {
            let (real, identity) = known(&path)?;
            Some(ComposerBinary {
                path,
                real,
                identity,
                is_php: interpreter.is_some(),
            })
        });
        let (wanted, arguments) = interpreter.unwrap_or_else(|| ("php".into(), Vec::new()));
        let given = named.php.map(Path::to_owned);
        let wanted = given
            .or_else(|| environment.path(env::PHP))
            .unwrap_or(wanted);
        let php = program(environment, &directory, &wanted).and_then(|path| {
            let (real, identity) = known(&path)?;
            let arguments = arguments.into_iter().map(OsString::into_string);
            Some(Php {
                is_script: head(&real).is_some_and(|head| head.starts_with(b"#!")),
                path,
                real,
                arguments: arguments.collect::<Result<_, _>>().ok()?,
                identity,
            })
        });
        // An empty variable may differ from an absent one.
        let variables = VARIABLES
            .into_iter()
            .map(|name| (name, (environment.variable)(OsStr::new(name))));
        let programs = PROGRAMS.into_iter().map(|name| {
            let path = program(environment, &directory, Path::new(name));
            (name, path.map(PathBuf::into_os_string))
        });
        Self {
            php,
            composer,
            variables: variables.collect(),
            programs: programs.collect(),
        }
    }
}

/// Returns the path of Composer: the one that is given, else `composer` in `PATH`, else
/// `composer.phar` in a directory. The file exists.
pub fn composer_path(
    environment: &Environment,
    directory: &Path,
    given: Option<&Path>,
) -> Option<PathBuf> {
    if let Some(given) = given {
        return program(environment, directory, given);
    }
    program(environment, directory, Path::new("composer"))
        .or_else(|| Some(directory.join("composer.phar")).filter(|path| path.is_file()))
}

/// Returns the first place of a program in `PATH` that is not this very program, which may be
/// called `composer`. A name with a slash is a path, which begins in `directory`.
pub fn program(environment: &Environment, directory: &Path, name: &Path) -> Option<PathBuf> {
    if name.as_os_str().as_bytes().contains(&b'/') {
        return Some(directory.join(name)).filter(|path| path.is_file());
    }
    let own = own_binary().and_then(fs::metadata).ok();
    let path = environment.value("PATH")?;
    std::env::split_paths(&path)
        // An empty entry is the working directory, as any relative one starts there.
        .map(|entry| directory.join(entry).join(name))
        .find(|path| {
            fs::metadata(path).is_ok_and(|facts| {
                let is_own = own
                    .as_ref()
                    .is_some_and(|own| (own.dev(), own.ino()) == (facts.dev(), facts.ino()));
                facts.is_file() && !is_own && access(path, Access::EXEC_OK).is_ok()
            })
        })
}

/// Returns the path of this binary. Without `/proc` that is the path by which it was called.
pub fn own_binary() -> io::Result<PathBuf> {
    std::env::current_exe().or_else(|error| {
        let called = std::env::args_os().next().map(PathBuf::from);
        called
            .filter(|path| path.components().count() > 1 && path.is_file())
            .ok_or(error)
    })
}

/// Returns the path without links and the identity of a file.
fn known(path: &Path) -> Option<(PathBuf, Identity)> {
    let real = fs::canonicalize(path).ok()?;
    let identity = Identity::from(&stat(&real).ok()?);
    Some((real, identity))
}

/// Returns the beginning of a file.
fn head(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(HEAD)
        .read_to_end(&mut bytes)
        .ok()?;
    Some(bytes)
}

fn interpreter_of(path: &Path) -> Option<(PathBuf, Vec<OsString>)> {
    interpreter(&head(path)?)
}

/// Returns the PHP that runs a file with this beginning, and PHP's options. It returns `None` where
/// the file is no script for PHP, or gets variables from `env`.
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
    is_php_name(name).then(|| (program, words.collect()))
}

/// Returns whether a program with this name is PHP: `php`, `php8.2`, `php82` or `php-8.2`.
fn is_php_name(name: &str) -> bool {
    name.strip_prefix("php").is_some_and(|version| {
        version
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
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
            Some(words.join(OsStr::new(" ")).into_string().expect("text"))
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
            ("#!/usr/bin/php82 -n", Some("/usr/bin/php82 -n")),
            ("#!/usr/bin/php-8.2", Some("/usr/bin/php-8.2")),
            ("<?php echo 1;", Some("php")),
            ("#!/bin/sh\nexec docker run composer", None),
            ("#!/usr/bin/env phpbrew\n", None),
            ("#!/usr/bin/env -S A=1 php8.3", None),
            ("#!/usr/bin/env", None),
            ("#!/usr/bin/phpdbg -qrr", None),
            ("#!", None),
            ("\u{7f}ELF", None),
            ("", None),
        ];
        for (head, expected) in cases {
            assert_eq!(of(head).as_deref(), expected, "{head}");
        }
    }
}
