//! `allegro fetch`: fills the store from a lock.

use clap::ArgMatches;

use super::is;
use crate::care::{self, Fetched, Trouble};
use crate::cli::Context;
use crate::cli::failure::{Code, Outcome};
use crate::cli::surroundings::{self, Shown};
use crate::cli::terminal::{BAD, WARNING};
use crate::install::summary::bytes;

/// Runs the command.
pub fn run(matches: &ArgMatches, context: &Context) -> Outcome {
    let terminal = &context.terminal;
    let line = terminal.steps("Fetching");
    let mut host = Shown::new(terminal)
        .with_line(line.clone())
        .noticing_signals();
    let with_dev = !context.settings.no_dev.value;
    let is_offline = context.settings.offline.value;
    let fetched = surroundings::with(context, |surroundings| {
        let mut begin = |count: usize| line.expect(count);
        care::fetch(surroundings, with_dev, is_offline, &mut begin, &mut host)
    })?;
    line.clear();
    let fetched = fetched.map_err(surroundings::failure)?;
    let code = code(&fetched, is(matches, "strict"));
    if is(matches, "json") {
        terminal.json(&fetched)?;
        return Ok(code);
    }
    for notice in &fetched.notices {
        terminal.warn(notice);
    }
    for (style, word, list) in [
        (BAD, "failed", &fetched.failed),
        (BAD, "refused", &fetched.refused),
        (BAD, "missing", &fetched.missing),
        (WARNING, "left to Composer", &fetched.skipped),
    ] {
        for Trouble {
            name,
            version,
            reason,
        } in list
        {
            terminal.say(format_args!(
                "{style}{word}:{style:#} {name} ({version}): {reason}"
            ))?;
        }
    }
    terminal.say(summary(&fetched))?;
    if !fetched.missing.is_empty() {
        terminal.advise("run \"allegro fetch\" with a network to get what is missing");
    }
    Ok(code)
}

fn code(fetched: &Fetched, is_strict: bool) -> u8 {
    if !fetched.failed.is_empty() || !fetched.missing.is_empty() {
        Code::Network as u8
    } else if !fetched.refused.is_empty() || is_strict && !fetched.skipped.is_empty() {
        Code::General as u8
    } else {
        0
    }
}

fn summary(fetched: &Fetched) -> String {
    let ready = fetched.store + fetched.archive + fetched.downloaded;
    let mut parts = vec![format!(
        "{ready} package{} in the store",
        if ready == 1 { "" } else { "s" }
    )];
    if fetched.archive > 0 {
        parts.push(format!("{} from Composer's cache", fetched.archive));
    }
    if fetched.downloaded > 0 {
        let size = bytes(fetched.bytes);
        parts.push(format!("{} downloaded ({size})", fetched.downloaded));
    }
    for (count, word) in [
        (fetched.skipped.len(), "left to Composer"),
        (fetched.missing.len(), "missing"),
        (fetched.failed.len(), "failed"),
        (fetched.refused.len(), "refused"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    parts.join(", ")
}
