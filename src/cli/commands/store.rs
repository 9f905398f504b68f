//! `allegro store`: looks after the store.

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
        Some(("status", matches)) => status(matches, context),
        Some(("verify", matches)) => verify(matches, context),
        Some(("prune", matches)) => prune(matches, context),
        // `Store::export` and `Store::import` have to be called here once they exist.
        Some((name, _)) => Err(not_available(&format!("store {name}"))),
        None => Err(usage("store needs a command")),
    }
}

fn open(context: &Context) -> Result<Store, Failure> {
    let core = context.settings.core(context.environment)?;
    Ok(Store::open(&core.store)?)
}

fn status(matches: &ArgMatches, context: &Context) -> Outcome {
    let store = open(context)?;
    let progress = context.terminal.progress(None, "counting");
    let usage = store.usage();
    progress.finish_and_clear();
    if is(matches, "json") {
        return context.terminal.json(&usage);
    }
    let terminal = &context.terminal;
    terminal.say(format_args!("store     {}", store.root().display()))?;
    terminal.say(format_args!("packages  {}", usage.manifests))?;
    terminal.say(format_args!(
        "files     {} ({})",
        usage.blobs,
        size(usage.bytes)
    ))?;
    if usage.quarantined > 0 {
        terminal.say(format_args!(
            "set aside {} ({}), files that were changed in place",
            usage.quarantined,
            size(usage.quarantined_bytes)
        ))?;
    }
    Ok(0)
}

fn verify(matches: &ArgMatches, context: &Context) -> Outcome {
    let store = open(context)?;
    let progress = context.terminal.progress(None, "reading the store");
    let findings = store.verify();
    progress.finish_and_clear();
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
    let counts = format!(
        "{} files, {} packages and {} records were read",
        findings.blobs, findings.manifests, findings.records
    );
    if findings.is_sound() {
        terminal.say(format_args!("{counts}; {GOOD}all are in order{GOOD:#}"))?;
    } else {
        terminal.say(format_args!(
            "{counts}; the next install restores what was taken out of use"
        ))?;
    }
    Ok(code)
}

fn prune(matches: &ArgMatches, context: &Context) -> Outcome {
    let is_dry_run = is(matches, "dry-run");
    let options = allegro_store::PruneOptions {
        dry_run: is_dry_run,
        ci: is(matches, "ci"),
        ..allegro_store::PruneOptions::default()
    };
    let store = open(context)?;
    let progress = context.terminal.progress(None, "pruning");
    let pruned = store.prune(&options, &|_| true)?;
    progress.finish_and_clear();
    let code = u8::from(!pruned.failures.is_empty());
    if is(matches, "json") {
        context.terminal.json(&pruned)?;
        return Ok(code);
    }
    let terminal = &context.terminal;
    let verb = if is_dry_run {
        "would remove"
    } else {
        "removed"
    };
    terminal.say(format_args!(
        "{verb} {} packages and {} files ({}), and forgot {} directories",
        pruned.manifests,
        pruned.blobs,
        size(pruned.bytes),
        pruned.roots
    ))?;
    for failure in &pruned.failures {
        terminal.say(format_args!("{BAD}failed{BAD:#} {failure}"))?;
    }
    Ok(code)
}

/// Returns a number of bytes with a unit.
fn size(bytes: u64) -> String {
    indicatif::BinaryBytes(bytes).to_string()
}
