//! The few commands of the plugin's helper, which is built without the command line.

use std::ffi::OsString;
use std::io::{Write, stdout};
use std::process::ExitCode;

use allegro::protocol::settings::Overrides;
use allegro::settings::{Environment, Settings};
use allegro_base::error::Result;
use allegro_store::{PATIENCE, PruneOptions, Store};

const USAGE: &str = "\
The native part of allegro/plugin.

Usage: allegro COMMAND

Commands:
  helper         answer the plugin's requests, one JSON document a line, until standard input ends
  store path     where the store is
  store status   what the store holds, as JSON
  store verify   read every file of the store; what is wrong is put right or taken out of use
                 (exit code 1 if there was anything)
  store prune    remove what no project uses any more; with --dry-run say only what would be removed
  version        version and protocol
  help           this text

Environment:
  ALLEGRO_STORE           the store's directory (default: allegro in the user's cache directory)
  ALLEGRO_LINK_STRATEGY   auto, reflink, hardlink or copy
  ALLEGRO_WORKERS         parallel downloads, 1 to 32
  ALLEGRO_VERIFY          always: read each file of the store before it is linked
";

/// Runs one of the few commands and returns the exit code.
pub fn run(arguments: &[OsString]) -> ExitCode {
    let words: Vec<&str> = arguments
        .iter()
        .map(|word| word.to_str().unwrap_or_default())
        .collect();
    let result = match words.as_slice() {
        ["store", "path"] => settings().and_then(|settings| say(&settings.store.display())),
        ["store", "status"] => store().and_then(|store| json(&store.status()?)),
        ["store", "prune"] => prune(false),
        ["store", "prune", "--dry-run"] => prune(true),
        ["store", "verify"] => verify(),
        ["version" | "--version" | "-V"] => {
            let info = allegro::ops::info(&Environment::PROCESS);
            say(&format!(
                "allegro {} (protocol {})",
                info.version, info.protocol
            ))
        }
        ["help" | "--help" | "-h"] => say(&USAGE.trim_end()),
        [] => {
            let _ = write!(std::io::stderr(), "{USAGE}");
            return ExitCode::from(2);
        }
        _ => {
            let _ = writeln!(
                std::io::stderr(),
                "allegro: unknown command \"{}\"; see: allegro help",
                words.join(" ")
            );
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) | Err(Failure::Pipe) => ExitCode::SUCCESS,
        Err(Failure::Damaged) => ExitCode::FAILURE,
        Err(Failure::Error(error)) => {
            let mut text = format!("allegro: {error}");
            if let Some(hint) = error.hint() {
                text.push_str("\n  ");
                text.push_str(hint);
            }
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    /// Nobody reads our output any more, which is not a failure.
    Pipe,
    /// `store verify` found faults, or `store prune` failed in part. The command has reported that
    /// already.
    Damaged,
    Error(allegro_base::error::Error),
}

impl From<allegro_base::error::Error> for Failure {
    fn from(error: allegro_base::error::Error) -> Self {
        Self::Error(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(_: std::io::Error) -> Self {
        Self::Pipe
    }
}

fn settings() -> Result<Settings, Failure> {
    Ok(Settings::resolve(
        &Overrides::default(),
        &Environment::PROCESS,
    )?)
}

fn store() -> Result<Store, Failure> {
    Ok(Store::open(&settings()?.store)?)
}

fn say(text: &dyn std::fmt::Display) -> Result<(), Failure> {
    writeln!(stdout(), "{text}")?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| allegro_base::error::Error::Internal(error.to_string()))?;
    say(&text)
}

fn verify() -> Result<(), Failure> {
    let findings = store()?.verify();
    json(&findings)?;
    if findings.is_sound() {
        Ok(())
    } else {
        Err(Failure::Damaged)
    }
}

fn prune(is_dry_run: bool) -> Result<(), Failure> {
    let options = PruneOptions {
        dry_run: is_dry_run,
        ..PruneOptions::default()
    };
    let pruned = store()?.prune(&options, &|waited| waited < PATIENCE)?;
    json(&pruned)?;
    if pruned.failures.is_empty() {
        Ok(())
    } else {
        Err(Failure::Damaged)
    }
}
