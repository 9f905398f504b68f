//! `allegro store prune`: removes what no project uses.

use std::cell::Cell;
use std::time::Duration;

use allegro_store::{PruneOptions, Pruned};
use clap::ArgMatches;

use super::super::{is, text};
use super::{counted, open, size};
use crate::cli::Context;
use crate::cli::arguments::usage;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::terminal::{BAD, WARNING};

/// The time after which a person learns that the pruning waits.
const SILENT: Duration = Duration::from_secs(1);

/// Runs the command.
pub fn run(matches: &ArgMatches, context: &Context) -> Outcome {
    let options = options(matches, context)?;
    let store = open(context)?;
    let terminal = &context.terminal;
    let progress = terminal.progress("Pruning");
    let is_told = Cell::new(false);
    let pruned = store.prune(&options, &|waited| {
        if waited > SILENT && !is_told.replace(true) {
            progress.suspend(|| {
                terminal.note("allegro: other processes use the store; waiting until they end");
            });
        }
        true
    })?;
    progress.clear();
    let code = u8::from(!pruned.failures.is_empty());
    if is(matches, "json") {
        terminal.json(&pruned)?;
        return Ok(code);
    }
    let verb = if options.dry_run {
        "would remove"
    } else {
        "removed"
    };
    let has_work = pruned.manifests + pruned.blobs + pruned.roots + pruned.records > 0
        || pruned.leftovers > 0
        || !pruned.former.is_empty();
    if has_work {
        terminal.say(counts(&pruned, verb))?;
    } else {
        terminal.say("nothing to remove: projects use all that the store holds")?;
    }
    for (count, word) in [
        (pruned.roots, "record of a project that is gone"),
        (pruned.records, "record that only saves time"),
        (pruned.leftovers, "leftover of a killed process"),
        (pruned.former.len() as u64, "directory of a former version"),
    ] {
        if count > 0 {
            terminal.say(format_args!("{verb} {count} × {word}"))?;
        }
    }
    if pruned.over > 0 {
        terminal.say(format_args!(
            "{WARNING}the store is {} larger than asked for{WARNING:#}, because projects use the \
             packages",
            size(pruned.over)
        ))?;
    }
    if !pruned.stale.is_empty() {
        let days = options.stale_days.unwrap_or_default();
        terminal.say(format_args!(
            "not used for {days} days (remove their vendor directories to free the packages):"
        ))?;
        for directory in &pruned.stale {
            terminal.say(format_args!("  {directory}"))?;
        }
    }
    for failure in &pruned.failures {
        terminal.say(format_args!("{BAD}failed{BAD:#} {failure}"))?;
    }
    Ok(code)
}

/// Returns the line about packages and files.
fn counts(pruned: &Pruned, verb: &str) -> String {
    format!(
        "{verb} {} and {} ({}, {} on disk)",
        counted(pruned.manifests, "package"),
        counted(pruned.blobs, "file"),
        size(pruned.bytes),
        size(pruned.freed),
    )
}

fn options(matches: &ArgMatches, context: &Context) -> Result<PruneOptions, Failure> {
    let max_size = match text(matches, "max-size") {
        "" => None,
        given => Some(bytes(given).ok_or_else(|| {
            usage(format_args!(
                "--max-size must be a number of bytes with a unit, such as 5GB or 500M, not \
                 \"{given}\""
            ))
        })?),
    };
    let max_age = match text(matches, "max-age") {
        "" => None,
        given => Some(age(given).ok_or_else(|| {
            usage(format_args!(
                "--max-age must be a number of days, such as 30d, not \"{given}\""
            ))
        })?),
    };
    Ok(PruneOptions {
        gc: is(matches, "gc").then_some(true),
        dry_run: is(matches, "dry-run"),
        max_size,
        max_age,
        stale_days: u32::try_from(context.settings.prune_stale_days.value).ok(),
        ci: is(matches, "ci"),
    })
}

/// Returns the number of bytes that a text stands for. Units are powers of 1024, as in Composer's
/// `cache-files-maxsize`.
fn bytes(text: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let power = match unit.trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 1,
        "m" | "mb" | "mib" => 2,
        "g" | "gb" | "gib" => 3,
        "t" | "tb" | "tib" => 4,
        _ => return None,
    };
    let unit = 1_u64 << (10 * power);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let mut bytes = whole.checked_mul(unit)?;
    if !part.is_empty() {
        let digits = u32::try_from(part.len())
            .ok()
            .filter(|digits| *digits <= 6)?;
        bytes =
            bytes.checked_add(part.parse::<u64>().ok()?.checked_mul(unit)? / 10_u64.pow(digits))?;
    }
    Some(bytes)
}

/// Returns the time that a text stands for.
fn age(text: &str) -> Option<Duration> {
    let text = text.trim().to_ascii_lowercase();
    let end = text.find(|letter: char| !letter.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let hours = match unit.trim() {
        "h" => 1,
        "" | "d" | "day" | "days" => 24,
        "w" => 7 * 24,
        _ => return None,
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(hours * 3600)?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_have_units() {
        for (text, expected) in [
            ("5GB", Some(5 << 30)),
            ("500M", Some(500 << 20)),
            ("1.5 GiB", Some(3 << 29)),
            ("0.5k", Some(512)),
            ("12", Some(12)),
            ("", None),
            ("GB", None),
            ("5XB", None),
            ("99999999999999T", None),
            ("1.2.3G", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
        let day = 24 * 3600;
        for (text, expected) in [
            ("30d", Some(30 * day)),
            ("30", Some(30 * day)),
            ("12h", Some(12 * 3600)),
            ("2w", Some(14 * day)),
            ("d", None),
            ("1y", None),
        ] {
            assert_eq!(age(text), expected.map(Duration::from_secs), "{text}");
        }
    }
}
