//! Finds the Composer of the machine, and the PHP that it starts with.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::cli::failure::{Code, Failure};
use crate::cli::settings::Settings;
use crate::machine::find::{HEAD, composer_path, interpreter, program};
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
        let given = settings.composer_path.value.as_deref();
        let found = composer_path(environment, directory, given).ok_or_else(|| match given {
            Some(name) => Failure::new(
                Code::Composer,
                format_args!(
                    "{purpose} needs Composer, and there is none at {} (from the {})",
                    name.display(),
                    settings.composer_path.source
                ),
            ),
            None => Failure::new(
                Code::Composer,
                format_args!("{purpose} needs Composer, which was not found"),
            )
            .hint(
                "install it from https://getcomposer.org/download/, or name its path in \
                 ALLEGRO_COMPOSER_PATH",
            ),
        })?;
        let form = Form::of(&found, settings, environment, directory, purpose)?;
        Ok(Self { path: found, form })
    }
}

impl Form {
    fn of(
        path: &Path,
        settings: &Settings,
        environment: &Environment,
        directory: &Path,
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
            .take(HEAD)
            .read_to_end(&mut head)
            .map_err(unreadable)?;
        let Some((interpreter, options)) = interpreter(&head) else {
            return Ok(Self::Program);
        };
        let php = settings.php_path.value.clone().unwrap_or(interpreter);
        let php = program(environment, directory, &php).ok_or_else(|| {
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::config_file::ConfigFile;
    use crate::cli::settings::Flags;
    use crate::machine::{Machine, Named};

    /// A setting that names PHP replaces the program alone: options of Composer's first line stay.
    #[test]
    fn both_roads_start_php_alike() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("composer");
        let line = "#!/usr/bin/env -S php -d memory_limit=-1\n<?php\n";
        fs::write(&path, line).expect("a file");
        let php = dir.path().join("php8.9");
        fs::write(&php, "").expect("a file");
        let environment = Environment::PROCESS;
        let none = ConfigFile::default();
        let mut settings =
            Settings::resolve(&Flags::default(), &environment, &none).expect("settings");
        settings.composer_path.value = Some(path.clone());
        settings.php_path.value = Some(php.clone());
        let found = Composer::find(&settings, &environment, dir.path(), "a test").expect("found");
        let machine = Machine::find_named(
            &environment,
            Named {
                composer: Some(&path),
                php: Some(&php),
            },
        );
        let of_machine = machine.php.expect("PHP");
        let Form::Php { php, options, .. } = found.form else {
            panic!("{found:?}");
        };
        assert_eq!(php, of_machine.path);
        assert_eq!(options, ["-d", "memory_limit=-1"]);
        assert_eq!(of_machine.arguments, ["-d", "memory_limit=-1"]);
    }
}
