//! `allegro x`: runs a program of a package in an environment of its own.
//!
//! An environment is a directory in the store with the package and what it needs. Its name stands
//! for its lock, so a running program keeps its files while a newer environment is made.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use allegro_base::fs::{beside, remove_all, write_atomically};
use clap::ArgMatches;
use serde_json::{Map, Value, json};

use super::{is, text};
use crate::cli::Context;
use crate::cli::arguments::usage;
use crate::cli::failure::{Code, Failure, Outcome};
use crate::delegate::{self, Call, Composer, Form};
use crate::machine::find::interpreter;

/// Variables that would move files out of an environment.
const WITHOUT: [&str; 4] = [
    "COMPOSER",
    "COMPOSER_VENDOR_DIR",
    "COMPOSER_BIN_DIR",
    "COMPOSER_ROOT_VERSION",
];

/// A package, and how it is wanted.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    package: String,
    constraint: String,
}

/// Runs the command.
pub fn run(matches: &ArgMatches, context: &Context) -> Outcome {
    let wanted = Wanted::parse(text(matches, "PACKAGE"))?;
    let composer = Composer::find(
        &context.settings,
        context.environment,
        &context.directory,
        "allegro x",
    )?;
    let php = match &composer.form {
        Form::Php { php, .. } => Some(php.as_path()),
        Form::Program => None,
    };
    let tools = context
        .settings
        .core(context.environment)?
        .store
        .join("tools-v1");
    let identity = php.map(delegate::identity).transpose().unwrap_or_default();
    let manifest = wanted.manifest(is(matches, "allow-plugins"));
    let key = delegate::kept_name(&[manifest.as_bytes(), &identity.unwrap_or_default()]);
    let note = tools.join(format!("{key}.json"));
    let environment = match known(&tools, &note) {
        Some(environment) if !is(matches, "update") => environment,
        _ => {
            let call = |directory: &Path| {
                let mut arguments = vec!["update".into()];
                if is(matches, "no-interaction") {
                    arguments.push("--no-interaction".into());
                }
                if context.settings.quiet.value {
                    arguments.push("--quiet".into());
                }
                Call {
                    settings: &context.settings,
                    environment: context.environment,
                    terminal: &context.terminal,
                    directory,
                    purpose: "allegro x",
                    arguments,
                    without: &WITHOUT,
                    played: Vec::new(),
                    ahead: None,
                }
                .wait()
            };
            wanted.make(&tools, &note, &manifest, call)?
        }
    };
    let program = program(&environment, &wanted.package, text(matches, "bin"))?;
    let mut command = start(&program, php);
    command
        .args(matches.get_many::<String>("ARGUMENT").into_iter().flatten())
        .current_dir(&context.directory);
    let error = delegate::replace(command);
    Err(Failure::new(
        Code::General,
        format_args!("{} can't be started: {error}", program.display()),
    ))
}

impl Wanted {
    fn parse(text: &str) -> Result<Self, Failure> {
        let (package, constraint) = text.split_once('@').unwrap_or((text, "*"));
        let is_name = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        };
        let is_package = package.split('/').count() == 2 && package.split('/').all(is_name);
        if !is_package || constraint.trim().is_empty() {
            return Err(usage(format_args!(
                "a package is named as acme/tester or acme/tester@^2, not \"{text}\""
            )));
        }
        Ok(Self {
            package: package.to_lowercase(),
            constraint: constraint.trim().to_owned(),
        })
    }

    /// Returns the text of the environment's composer.json.
    fn manifest(&self, allows_plugins: bool) -> String {
        let mut config = Map::new();
        // The user's own configuration may name other directories.
        config.insert("vendor-dir".to_owned(), json!("vendor"));
        config.insert("bin-dir".to_owned(), json!("vendor/bin"));
        if allows_plugins {
            config.insert("allow-plugins".to_owned(), json!(true));
        }
        let manifest = json!({
            "require": {self.package.as_str(): self.constraint},
            "prefer-stable": true,
            "config": config,
        });
        format!("{manifest:#}\n")
    }

    /// Makes an environment by `update`, which calls Composer in a directory.
    fn make(
        &self,
        tools: &Path,
        note: &Path,
        manifest: &str,
        update: impl Fn(&Path) -> Outcome,
    ) -> Result<PathBuf, Failure> {
        let failed = |error: io::Error| -> Failure {
            allegro_base::error::in_store("writing below", tools)(error).into()
        };
        fs::create_dir_all(tools).map_err(failed)?;
        let temporary = beside(&tools.join("new"));
        fs::create_dir(&temporary).map_err(failed)?;
        let made = (|| {
            fs::write(temporary.join("composer.json"), manifest).map_err(failed)?;
            let code = update(&temporary)?;
            if code != 0 {
                return Err(Failure::new(
                    Code::Composer,
                    format_args!(
                        "Composer could not install {} {} (exit code {code})",
                        self.package, self.constraint
                    ),
                ));
            }
            let lock = fs::read(temporary.join("composer.lock")).map_err(failed)?;
            let stem = note.file_stem().unwrap_or_default().to_string_lossy();
            let name = delegate::kept_name(&[stem.as_bytes(), &lock]);
            let place = tools.join(&name);
            if !place.is_dir() {
                fs::rename(&temporary, &place).map_err(failed)?;
            }
            let known = json!({
                "package": self.package,
                "constraint": self.constraint,
                "environment": name,
            });
            write_atomically(note, format!("{known:#}\n").as_bytes()).map_err(failed)?;
            Ok(place)
        })();
        let _ = remove_all(&temporary);
        made
    }
}

/// Returns the environment that a note names, if it still exists.
fn known(tools: &Path, note: &Path) -> Option<PathBuf> {
    let note: Value = serde_json::from_slice(&fs::read(note).ok()?).ok()?;
    let name = note.get("environment")?.as_str()?;
    let is_name = name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some(tools.join(name)).filter(|path| is_name && path.join("vendor").is_dir())
}

/// Returns the path of the package's program.
fn program(environment: &Path, package: &str, wanted: &str) -> Result<PathBuf, Failure> {
    let path = environment.join("vendor/composer/installed.json");
    let installed = fs::read(&path)
        .map_err(|error| Failure::from(allegro_base::error::at("reading", &path)(error)))?;
    let installed: Value = serde_json::from_slice(&installed).unwrap_or_default();
    let programs = names(&installed, package);
    let last = package.rsplit('/').next().unwrap_or_default();
    let name = if wanted.is_empty() {
        match programs.as_slice() {
            [only] => Some(only),
            several => several.iter().find(|name| stem(name) == last),
        }
    } else {
        programs.iter().find(|name| *name == wanted)
    };
    match name {
        Some(name) => Ok(environment.join("vendor/bin").join(name)),
        None if programs.is_empty() => Err(Failure::new(
            Code::General,
            format_args!("{package} has no programs"),
        )),
        None => Err(Failure::new(
            Code::General,
            format_args!("{package} has the programs {}", programs.join(", ")),
        )
        .hint("name one of them with --bin")),
    }
}

/// Returns the names of a package's programs.
fn names(installed: &Value, package: &str) -> Vec<String> {
    let packages = installed.get("packages").and_then(Value::as_array);
    packages
        .into_iter()
        .flatten()
        .find(|entry| {
            entry["name"]
                .as_str()
                .is_some_and(|name| name.eq_ignore_ascii_case(package))
        })
        .and_then(|entry| entry["bin"].as_array())
        .into_iter()
        .flatten()
        .filter_map(|path| Some(path.as_str()?.rsplit('/').next()?.to_owned()))
        .collect()
}

fn stem(name: &str) -> &str {
    name.strip_suffix(".php")
        .or_else(|| name.strip_suffix(".phar"))
        .unwrap_or(name)
}

/// Returns the command that starts a program. Scripts for PHP start with the PHP that the
/// environment was made for.
fn start(program: &Path, php: Option<&Path>) -> Command {
    let mut head = Vec::new();
    let _ = fs::File::open(program).and_then(|file| file.take(256).read_to_end(&mut head));
    if let (Some(php), Some((_, options))) = (php, interpreter(&head)) {
        let mut command = Command::new(php);
        command.args::<Vec<OsString>, _>(options).arg(program);
        return command;
    }
    Command::new(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_may_have_a_constraint() {
        let wanted = |text| Wanted::parse(text).ok().map(|w| (w.package, w.constraint));
        let some =
            |package: &str, constraint: &str| Some((package.to_owned(), constraint.to_owned()));
        assert_eq!(wanted("acme/x"), some("acme/x", "*"));
        assert_eq!(wanted("Acme/X@^2 || ^3"), some("acme/x", "^2 || ^3"));
        assert_eq!(
            wanted("acme/x@dev-main@dev"),
            some("acme/x", "dev-main@dev")
        );
        for text in [
            "acme", "acme/x@", "/x", "acme/", "acme/x/y", "../x", "a b/c", "",
        ] {
            assert_eq!(wanted(text), None, "{text}");
        }
    }

    #[test]
    fn the_program_is_the_named_one_the_only_one_or_the_one_of_the_package() {
        let dir = tempfile::tempdir().expect("it works");
        fs::create_dir_all(dir.path().join("vendor/composer")).expect("it works");
        fs::write(
            dir.path().join("vendor/composer/installed.json"),
            r#"{"packages": [
                {"name": "acme/one", "bin": ["bin/other"]},
                {"name": "acme/two", "bin": ["bin/two.php", "bin/three"]},
                {"name": "acme/six", "bin": ["bin/four", "bin/five"]},
                {"name": "acme/none"}
            ]}"#,
        )
        .expect("it works");
        let found = |package, wanted| {
            program(dir.path(), package, wanted).ok().map(|path| {
                path.file_name()
                    .expect("it works")
                    .to_str()
                    .expect("it works")
                    .to_owned()
            })
        };
        assert_eq!(found("acme/one", "").as_deref(), Some("other"));
        assert_eq!(found("acme/two", "").as_deref(), Some("two.php"));
        assert_eq!(found("acme/two", "three").as_deref(), Some("three"));
        assert_eq!(found("acme/six", ""), None);
        assert_eq!(found("acme/none", ""), None);
        assert_eq!(found("acme/gone", ""), None);
    }
}
