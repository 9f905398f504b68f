//! `allegro verify`: compares each file of vendor with what Composer would have written.

use allegro_base::report::Host;
use clap::ArgMatches;
use serde_json::json;

use super::unshare::{known, names};
use super::{is, not_with};
use crate::care::{self, Asked, Aspect, Finding, Mended, Report, Unchecked};
use crate::cli::Context;
use crate::cli::failure::Outcome;
use crate::cli::surroundings::{self, Shown};
use crate::cli::terminal::{BAD, DIM, GOOD, STRONG, Terminal, WARNING};
use crate::install::{self, Undecided};

/// Runs the command.
pub fn run(matches: &ArgMatches, context: &Context) -> Outcome {
    let is_fix = is(matches, "fix");
    if is(matches, "clean") && !is_fix {
        return Err(not_with(
            "--clean removes added files only together with --fix",
        ));
    }
    if is(matches, "tree-hash") {
        return tree_hash(matches, context);
    }
    let names = names(matches);
    let asked = Asked {
        names: &names,
        content: is(matches, "content"),
    };
    let terminal = &context.terminal;
    let (line, mut host);
    if is_fix {
        line = terminal.steps("Mending");
        // A package must not be left half mended.
        host = Shown::new(terminal)
            .with_line(line.clone())
            .noticing_signals();
    } else {
        line = terminal.progress("Comparing vendor");
        host = Shown::new(terminal);
    }
    let result = surroundings::with(context, |surroundings| {
        if !names.is_empty() {
            let all = care::names(surroundings).map_err(surroundings::failure)?;
            known(&names, &all)?;
        }
        let done = work(matches, context, surroundings, asked, &mut host);
        line.clear();
        done.map_err(surroundings::failure)
    })?;
    line.clear();
    let (mended, report) = result?;
    let code = u8::from(!report.is_sound());
    if is(matches, "json") {
        terminal.json(&json!({
            "sound": report.is_sound(),
            "report": report,
            "mended": mended,
        }))?;
        return Ok(code);
    }
    if let Some(mended) = &mended {
        tell_mended(mended, terminal)?;
    }
    tell(&report, is_fix, terminal)?;
    Ok(code)
}

fn work(
    matches: &ArgMatches,
    context: &Context,
    surroundings: &install::Context<'_>,
    asked: Asked<'_>,
    host: &mut dyn Host,
) -> Result<(Option<Mended>, Report), Undecided> {
    let report = care::verify(surroundings, asked, host)?;
    if !is(matches, "fix") || report.is_sound() {
        return Ok((None, report));
    }
    let is_offline = context.settings.offline.value;
    let mended = care::mend(surroundings, asked, is(matches, "clean"), is_offline, host)?;
    Ok((Some(mended), care::verify(surroundings, asked, host)?))
}

fn tree_hash(matches: &ArgMatches, context: &Context) -> Outcome {
    let hash = surroundings::with(context, |surroundings| {
        let vendor = care::vendor_directory(surroundings).map_err(surroundings::failure)?;
        let hash = care::tree_hash(&vendor, surroundings.settings.threads)?;
        Ok::<_, crate::cli::failure::Failure>(hash)
    })??;
    if is(matches, "json") {
        return context.terminal.json(&json!({ "tree_hash": hash }));
    }
    context.terminal.say(hash)?;
    Ok(0)
}

fn tell_mended(mended: &Mended, terminal: &Terminal) -> Outcome {
    for name in &mended.packages {
        terminal.say(format_args!("{GOOD}restored{GOOD:#} {name}"))?;
    }
    for file in &mended.files {
        terminal.say(format_args!("{GOOD}written{GOOD:#} {file}"))?;
    }
    for path in &mended.removed {
        terminal.say(format_args!("{GOOD}removed{GOOD:#} {path}"))?;
    }
    for failure in &mended.failures {
        terminal.say(format_args!("{BAD}not mended:{BAD:#} {failure}"))?;
    }
    Ok(0)
}

fn tell(report: &Report, is_fixed: bool, terminal: &Terminal) -> Outcome {
    for finding in &report.findings {
        terminal.say(line(finding))?;
    }
    if !report.by_plugins.is_empty() {
        terminal.say(format_args!("{STRONG}Written by plugins:{STRONG:#}"))?;
        for finding in &report.by_plugins {
            terminal.say(format_args!("  {}", finding.path.display()))?;
        }
    }
    unchecked("Not known to the store", &report.not_known, terminal)?;
    unchecked("Not checked", &report.not_checked, terminal)?;
    for (what, reason) in [
        ("Generated files", &report.generated_not_checked),
        ("Autoload files", &report.autoload_not_checked),
    ] {
        if let Some(reason) = reason {
            terminal.say(format_args!(
                "{DIM}{what} were not checked: {reason}{DIM:#}"
            ))?;
        }
    }
    let packages = report.packages;
    let plural = if packages == 1 { "" } else { "s" };
    if report.is_sound() {
        return terminal
            .say(format_args!(
                "{packages} package{plural} compared; {GOOD}all is in order{GOOD:#}"
            ))
            .map(|()| 0);
    }
    let count = report.findings.len();
    let plural_of_count = if count == 1 { "" } else { "s" };
    let has_others = report
        .findings
        .iter()
        .any(|finding| finding.aspect != Aspect::Added);
    terminal.say(format_args!(
        "{packages} package{plural} compared; {BAD}{count} difference{plural_of_count}{BAD:#}"
    ))?;
    match (is_fixed, has_others) {
        (false, true) => {
            terminal.advise("\"allegro verify --fix\" restores what Composer has written");
        }
        (_, false) => terminal.advise("\"allegro verify --fix --clean\" removes added files"),
        (true, true) => {}
    }
    Ok(0)
}

fn line(finding: &Finding) -> String {
    let style = if finding.aspect == Aspect::Added {
        WARNING
    } else {
        BAD
    };
    let detail = finding
        .detail
        .as_ref()
        .map_or_else(String::new, |detail| format!(" ({detail})"));
    format!(
        "{style}{:<10}{style:#} {}{detail}",
        finding.aspect.word(),
        finding.path.display()
    )
}

/// The number of packages that are named under a heading.
const NAMED: usize = 10;

fn unchecked(heading: &str, list: &[Unchecked], terminal: &Terminal) -> Outcome {
    if list.is_empty() {
        return Ok(0);
    }
    terminal.say(format_args!("{STRONG}{heading}:{STRONG:#}"))?;
    for package in list.iter().take(NAMED) {
        let Unchecked {
            name,
            version,
            reason,
        } = package;
        terminal.say(format_args!("  {name} ({version}): {reason}"))?;
    }
    if let Some(more) = list.len().checked_sub(NAMED).filter(|more| *more > 0) {
        terminal.say(format_args!("  and {more} more"))?;
    }
    Ok(0)
}
