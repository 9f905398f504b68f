//! `allegro store status`: shows what the store holds, and what it saves.

use std::time::{SystemTime, UNIX_EPOCH};

use allegro_store::ProjectUsage;
use allegro_store::link::Method;
use anstyle::Style;
use clap::ArgMatches;

use super::super::is;
use super::{open, size};
use crate::cli::Context;
use crate::cli::failure::Outcome;
use crate::cli::terminal::STRONG;

/// Runs the command.
pub fn run(matches: &ArgMatches, context: &Context) -> Outcome {
    let store = open(context)?;
    let progress = context.terminal.progress("Counting files");
    let status = store.status()?;
    progress.clear();
    if is(matches, "json") {
        return context.terminal.json(&status);
    }
    let terminal = &context.terminal;
    let usage = &status.usage;
    let saved = size(status.saved_bytes.unsigned_abs());
    let mut rows = vec![
        ("store", store.root().display().to_string()),
        ("packages", usage.manifests.to_string()),
        ("files", format!("{} ({})", usage.blobs, size(usage.bytes))),
        ("on disk", size(status.real_bytes)),
        (
            "saved",
            match status.saved_bytes {
                0 => "nothing yet".to_owned(),
                1.. => saved,
                _ => format!("nothing yet: the store costs {saved} more than it saves"),
            },
        ),
    ];
    if usage.quarantined > 0 {
        let bytes = size(usage.quarantined_bytes);
        let text = format!(
            "{} ({bytes}), files that were changed in place",
            usage.quarantined
        );
        rows.push(("set aside", text));
    }
    for (name, value) in rows {
        terminal.say(format_args!("{STRONG}{name:<10}{STRONG:#}{value}"))?;
    }
    if status.projects.is_empty() {
        return Ok(0);
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    terminal.say("")?;
    for (row, line) in table(&status.projects, now).into_iter().enumerate() {
        let style = if row == 0 { STRONG } else { Style::new() };
        terminal.say(format_args!("{style}{line}{style:#}"))?;
    }
    Ok(0)
}

/// Returns a table of the projects. The one that was used last comes first.
fn table(projects: &[ProjectUsage], now: u64) -> Vec<String> {
    let mut projects: Vec<&ProjectUsage> = projects.iter().collect();
    projects.sort_by_key(|project| std::cmp::Reverse(project.last_used));
    let heads = ["packages", "size", "shared", "method", "used", "project"];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(projects.into_iter().map(|project| {
        [
            project.packages.to_string(),
            size(project.bytes),
            size(project.shared_bytes),
            project
                .method
                .map_or_else(|| "-".to_owned(), |method| word(method).to_owned()),
            ago(now.saturating_sub(project.last_used)),
            project.directory.clone(),
        ]
    }));
    let width = |column: usize| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    rows.iter()
        .map(|row| {
            let mut line = String::new();
            for (column, cell) in row.iter().enumerate() {
                match column {
                    0..=2 => line.push_str(&pad(cell, widths[column], true)),
                    5 => line.push_str(cell),
                    _ => line.push_str(&pad(cell, widths[column], false)),
                }
                if column < row.len() - 1 {
                    line.push_str("  ");
                }
            }
            line
        })
        .collect()
}

/// Fills a cell up to a width in characters.
fn pad(cell: &str, width: usize, is_number: bool) -> String {
    if is_number {
        format!("{cell:>width$}")
    } else {
        format!("{cell:<width$}")
    }
}

fn word(method: Method) -> &'static str {
    match method {
        Method::Reflink => "reflink",
        Method::Hardlink => "hardlink",
        Method::Copy => "copy",
    }
}

/// Returns a time in the past in words.
fn ago(seconds: u64) -> String {
    match seconds / 86_400 {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        days => format!("{days} days ago"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_aligned_and_the_latest_project_comes_first() {
        let project = |directory: &str, last_used, packages| ProjectUsage {
            directory: directory.to_owned(),
            last_used,
            method: Some(Method::Hardlink),
            packages,
            bytes: 2048,
            shared_bytes: 1024,
        };
        let projects = [project("/a", 0, 1), project("/b", 9 * 86_400, 100)];
        let lines = table(&projects, 10 * 86_400);
        assert_eq!(
            lines[0],
            "packages      size    shared  method    used         project"
        );
        assert_eq!(
            lines[1],
            "     100  2.00 KiB  1.00 KiB  hardlink  yesterday    /b"
        );
        assert_eq!(
            lines[2],
            "       1  2.00 KiB  1.00 KiB  hardlink  10 days ago  /a"
        );
    }
}
