//! Finds PHP and Composer as a shell would.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
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

impl Machine {
    /// Finds PHP and Composer without starting a process.
    ///
    /// `composer_path` is the path of a setting. It beats the variable, which beats `PATH` and a
    /// file `composer.phar` in the working directory. Neither a path of the setting nor one of the
    /// variable falls back to another place.
    pub fn find(environment: &Environment, composer_path: Option<&Path>) -> Self {
        let composer = composer(environment, composer_path);
        let first_line = composer.as_ref().and_then(|found| first_line(&found.real));
        let (wanted, arguments) = interpreter(first_line.as_deref());
        let given = environment.path(env::PHP);
        let arguments = if given.is_some() {
            Vec::new()
        } else {
            arguments
        };
        let wanted = given.unwrap_or_else(|| wanted.into());
        let php = in_path(environment, &wanted).and_then(|path| {
            let (real, identity) = known(&path)?;
            Some(Php {
                is_script: first_line_is(&real, b"#!"),
                path,
                real,
                arguments,
                identity,
            })
        });
        // An empty variable may differ from an absent one.
        let variables = VARIABLES
            .into_iter()
            .map(|name| (name, (environment.variable)(OsStr::new(name))));
        let programs = PROGRAMS.into_iter().map(|name| {
            let path = in_path(environment, Path::new(name));
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

fn composer(environment: &Environment, given: Option<&Path>) -> Option<ComposerBinary> {
    let given = given
        .map(Path::to_owned)
        .or_else(|| environment.path(env::COMPOSER_PATH));
    let path = if let Some(path) = given {
        if path.is_absolute() {
            path
        } else {
            (environment.current_dir)().ok()?.join(path)
        }
    } else {
        // Allegro itself may be called `composer`.
        let own = std::env::current_exe().and_then(fs::canonicalize).ok();
        all_in_path(environment, Path::new("composer"))
            .find(|path| fs::canonicalize(path).ok() != own)
            .or_else(|| Some((environment.current_dir)().ok()?.join("composer.phar")))?
    };
    if !path.is_file() {
        return None;
    }
    let (real, identity) = known(&path)?;
    let is_php = match first_line(&real) {
        Some(line) => interpreter_name(&line).is_some_and(is_php_name),
        None => first_line_is(&real, b"<?php"),
    };
    Some(ComposerBinary {
        path,
        real,
        identity,
        is_php,
    })
}

/// Returns the path without links and the identity of a file.
fn known(path: &Path) -> Option<(PathBuf, Identity)> {
    let real = fs::canonicalize(path).ok()?;
    let identity = Identity::from(&stat(&real).ok()?);
    Some((real, identity))
}

/// Returns the first place of a program in `PATH`. A name with a slash is a path.
fn in_path(environment: &Environment, name: &Path) -> Option<PathBuf> {
    if name.as_os_str().as_bytes().contains(&b'/') {
        let path = (environment.current_dir)().ok()?.join(name);
        return path.is_file().then_some(path);
    }
    all_in_path(environment, name).next()
}

fn all_in_path(environment: &Environment, name: &Path) -> impl Iterator<Item = PathBuf> {
    let path = environment.value("PATH").unwrap_or_default();
    let current_dir = (environment.current_dir)().unwrap_or_default();
    std::env::split_paths(&path)
        // An empty entry is the working directory, as any relative one starts there.
        .map(|directory| current_dir.join(directory).join(name))
        .filter(|path| path.is_file() && access(path, Access::EXEC_OK).is_ok())
        .collect::<Vec<_>>()
        .into_iter()
}

fn first_line_is(path: &Path, beginning: &[u8]) -> bool {
    let mut bytes = vec![0; beginning.len()];
    File::open(path).is_ok_and(|mut file| file.read_exact(&mut bytes).is_ok()) && bytes == beginning
}

/// Returns the line of a file that tells the kernel what runs it, without the mark `#!`.
fn first_line(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = File::open(path).ok()?;
    file.take(256).read_to_end(&mut bytes).ok()?;
    let rest = bytes.strip_prefix(b"#!")?;
    let line = rest.split(|byte| *byte == b'\n').next()?;
    String::from_utf8(line.to_vec())
        .ok()
        .map(|line| line.trim().to_owned())
}

/// Returns the words of a line for the kernel, without `env` and what belongs to it.
fn words(line: &str) -> Vec<&str> {
    let mut words: Vec<&str> = line.split_ascii_whitespace().collect();
    if words.first().is_some_and(|word| word.ends_with("/env")) {
        let is_of_env = |word: &&str| word.starts_with('-') || word.contains('=');
        let count = words[1..].iter().take_while(|word| is_of_env(word)).count();
        words.drain(..=count);
    }
    words
}

fn interpreter_name(line: &str) -> Option<&str> {
    words(line).first()?.rsplit('/').next()
}

/// Returns whether a program with this name is PHP: `php`, `php8.2`, `php82` or `php-8.2`.
fn is_php_name(name: &str) -> bool {
    name.strip_prefix("php").is_some_and(|version| {
        version
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-'))
    })
}

/// Returns the PHP that a line for the kernel starts, with its arguments. It is `php` where the
/// line is absent or starts something else.
fn interpreter(line: Option<&str>) -> (String, Vec<String>) {
    let line = line.filter(|line| interpreter_name(line).is_some_and(is_php_name));
    match line.map(words).as_deref() {
        Some([program, arguments @ ..]) => (
            (*program).to_owned(),
            arguments.iter().map(|word| (*word).to_owned()).collect(),
        ),
        _ => ("php".to_owned(), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_for_the_kernel_names_php_and_its_arguments() {
        let cases = [
            ("/usr/bin/env php", "php", &[][..]),
            ("/usr/bin/php", "/usr/bin/php", &[]),
            (
                "/usr/bin/env -S A=1 php8.3 -d memory_limit=-1",
                "php8.3",
                &["-d", "memory_limit=-1"],
            ),
            ("/usr/bin/php82 -n", "/usr/bin/php82", &["-n"]),
            ("/bin/sh", "php", &[]),
            ("/usr/bin/env", "php", &[]),
            ("", "php", &[]),
            ("/usr/bin/phpdbg -qrr", "php", &[]),
        ];
        for (line, program, arguments) in cases {
            let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(
                interpreter(Some(line)),
                (program.to_owned(), arguments),
                "{line}"
            );
        }
    }
}
