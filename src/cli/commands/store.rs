//! `allegro store`: looks after the store.

mod carry;
mod prune;
mod status;

use allegro_store::Store;
use clap::ArgMatches;

use super::{is, not_available};
use crate::cli::Context;
use crate::cli::arguments::usage;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::terminal::{BAD, GOOD};

/// Runs the command.
pub fn run(matches: &ArgMatches, context: &Context) -> Outcome {
    match matches.subcommand() {
        Some(("path", _)) => {
            let core = context.settings.core(context.environment)?;
            context.terminal.say(core.store.display())?;
            Ok(0)
        }
        Some(("status", matches)) => status::run(matches, context),
        Some(("verify", matches)) => verify(matches, context),
        Some(("prune", matches)) => prune::run(matches, context),
        Some(("export", matches)) => carry::export(matches, context),
        Some(("import", matches)) => carry::import(matches, context),
        Some((name, _)) => Err(not_available(&format!("store {name}"))),
        None => Err(usage("store needs a command")),
    }
}

fn open(context: &Context) -> Result<Store, Failure> {
    let core = context.settings.core(context.environment)?;
    Ok(Store::open(&core.store)?)
}

fn verify(matches: &ArgMatches, context: &Context) -> Outcome {
    let store = open(context)?;
    let progress = context.terminal.progress("Reading the store");
    let findings = store.verify();
    progress.clear();
    let code = u8::from(!findings.is_sound());
    if is(matches, "json") {
        context.terminal.json(&findings)?;
        return Ok(code);
    }
    let terminal = &context.terminal;
    for (word, paths) in [
        ("damaged", &findings.damaged),
        ("unsealed", &findings.unsealed),
        ("torn", &findings.torn),
        ("odd", &findings.odd),
    ] {
        for path in paths {
            terminal.say(format_args!("{BAD}{word}{BAD:#} {}", path.display()))?;
        }
    }
    for failure in &findings.failures {
        terminal.say(format_args!("{BAD}failed{BAD:#} {failure}"))?;
    }
    if findings.unfinished > 0 {
        terminal.say(format_args!(
            "removed {} that killed processes have left unfinished",
            counted(findings.unfinished, "file")
        ))?;
    }
    let counts = format!(
        "{}, {} and {} were read",
        counted(findings.blobs, "file"),
        counted(findings.manifests, "package"),
        counted(findings.records, "record"),
    );
    if findings.is_sound() {
        terminal.say(format_args!("{counts}; {GOOD}all are in order{GOOD:#}"))?;
    } else {
        terminal.say(format_args!("{counts}; {BAD}not all are in order{BAD:#}"))?;
        terminal.advise("the next install restores what was taken out of use");
    }
    Ok(code)
}

/// Returns a number of bytes with a unit.
fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}

/// Returns a number with the word for what it counts.
fn counted(count: u64, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {word}{plural}")
}
