//! `allegro doctor`: tries what an install in this directory would use.

use std::fs;

use allegro_base::fs::remove_all;
use allegro_store::Store;
use clap::ArgMatches;
use serde_json::{Value, json};

use super::is;
use crate::cli::Context;
use crate::cli::config_file::ConfigFile;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::terminal::{BAD, STRONG};
use crate::delegate::{Call, Composer, Form};

/// Directories of the store that are made again when they are missing.
const REMADE: [&str; 4] = [
    "composer-home-v1",
    "composers-v1",
    "opcache-v1",
    "plugin-v1",
];

/// Runs the command.
pub fn run(matches: &ArgMatches, context: &Context) -> Outcome {
    let fixed = if is(matches, "fix") {
        fix(context)?
    } else {
        Vec::new()
    };
    let info = crate::ops::info(context.environment);
    let file = ConfigFile::read(context.environment);
    let store = context.settings.core(context.environment)?.store;
    let store_problem = Store::open(&store).err().map(|error| error.to_string());
    let found = Composer::find(
        &context.settings,
        context.environment,
        &context.directory,
        "allegro install",
    );
    let mut arguments = vec!["allegro:doctor".into()];
    if is(matches, "json") {
        arguments.push("--json".into());
    }
    let call = Call {
        settings: &context.settings,
        environment: context.environment,
        terminal: &context.terminal,
        directory: &context.directory,
        purpose: "allegro doctor",
        arguments,
        without: &[],
    };
    let (composer, php, problem) = match &found {
        Ok(composer) => {
            let php = match &composer.form {
                Form::Php { php, .. } => Some(php.display().to_string()),
                Form::Program => None,
            };
            (
                Some(composer.path.display().to_string()),
                php,
                call.obstacle()?,
            )
        }
        Err(Failure::Untold { message, .. }) => (None, None, Some(message.clone())),
        Err(_) => (None, None, None),
    };
    let problems: Vec<String> = [file.problem().map(str::to_owned), store_problem, problem]
        .into_iter()
        .flatten()
        .collect();
    let configuration = file.source().map(|path| path.display().to_string());
    if is(matches, "json") {
        let plugin = if problems.is_empty() {
            let (_, output) = call.output()?;
            serde_json::from_slice(&output).unwrap_or(Value::Null)
        } else {
            Value::Null
        };
        context.terminal.json(&json!({
            "version": info.version,
            "protocol": info.protocol,
            "configuration": configuration,
            "store": store.to_string_lossy(),
            "composer": composer,
            "php": php,
            "problems": problems,
            "fixed": fixed,
            "plugin": plugin,
        }))?;
        return Ok(code(&problems, &found));
    }
    let terminal = &context.terminal;
    for (name, value) in [
        (
            "allegro",
            Some(format!("{} (protocol {})", info.version, info.protocol)),
        ),
        ("settings", configuration),
        ("store", Some(store.display().to_string())),
        ("composer", composer),
        ("php", php),
    ] {
        let value = value.unwrap_or_else(|| "none".to_owned());
        terminal.say(format_args!("{STRONG}{name:<10}{STRONG:#}{value}"))?;
    }
    for sentence in &fixed {
        terminal.say(format_args!("fixed: {sentence}"))?;
    }
    for problem in &problems {
        terminal.say(format_args!("{BAD}problem:{BAD:#} {problem}"))?;
    }
    if problems.is_empty() {
        return Err(call.replace());
    }
    Ok(code(&problems, &found))
}

fn code(problems: &[String], composer: &Result<Composer, Failure>) -> u8 {
    match composer {
        Err(failure) => failure.exit_code(),
        Ok(_) => u8::from(!problems.is_empty()),
    }
}

/// Mends what can be mended, and returns a sentence for each thing.
fn fix(context: &Context) -> Result<Vec<String>, Failure> {
    let mut fixed = Vec::new();
    let file = ConfigFile::read(context.environment);
    if let (Some(problem), Some(path)) = (file.problem(), file.source()) {
        let aside = path.with_extension("json.broken");
        fs::rename(path, &aside)
            .map_err(|error| Failure::from(allegro_base::error::at("renaming", path)(error)))?;
        fixed.push(format!(
            "the settings are the defaults now, because {problem}; the file is {}",
            aside.display()
        ));
    }
    let store = context.settings.core(context.environment)?.store;
    for name in REMADE {
        let path = store.join(name);
        if path.exists() {
            remove_all(&path).map_err(|error| {
                Failure::from(allegro_base::error::at("removing", &path)(error))
            })?;
            fixed.push(format!("{} will be made again", path.display()));
        }
    }
    Ok(fixed)
}
