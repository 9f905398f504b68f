//! Finds the programs of the sides that may be absent, and gives each its own environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::cli::Cli;
use crate::command::Seat;
use crate::side::Side;

/// Returns the program of a side that may be absent, or the reason why there is none.
pub fn find(cli: &Cli, side: Side) -> Result<PathBuf, String> {
    if side.is_native() {
        return native(cli.allegro.as_deref());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = match &cli.peers {
        Some(dir) => vec![dir.clone()],
        None => std::env::split_paths(&path).collect(),
    };
    first_in(&dirs, side.name()).ok_or_else(|| match &cli.peers {
        Some(dir) => format!("{} is not in {}", side.name(), dir.display()),
        None => format!(
            "{} is not in PATH; name its directory with --peers",
            side.name()
        ),
    })
}

fn native(wanted: Option<&Path>) -> Result<PathBuf, String> {
    let beside = || {
        let own = std::env::current_exe().ok()?;
        Some(own.with_file_name("allegro"))
    };
    let file = wanted.map(Path::to_owned).or_else(beside);
    let file = file.unwrap_or_else(|| PathBuf::from("allegro"));
    // Commands run in the directories of projects.
    file.canonicalize()
        .map_err(|error| format!("{}: {error}", file.display()))
}

fn first_in(dirs: &[PathBuf], name: &str) -> Option<PathBuf> {
    dirs.iter()
        .filter_map(|dir| dir.join(name).canonicalize().ok())
        .find(|file| file.is_file())
}

/// Tells a program where its store is, and where Composer is. The variables of the other programs
/// have no effect on it.
///
/// - `allegro`: `ALLEGRO_STORE`, and `ALLEGRO_COMPOSER_PATH` for what it hands over.
/// - `viv`: an option of the command line (see [`Job`](crate::job::Job)). It reads `config.json`
///   and `auth.json` in `COMPOSER_HOME`.
/// - `vivacity`: `VIVACITY_CACHE_DIR`. Archives come from Composer's cache.
/// - `composr`: `COMPOSR_CACHE_DIR` for archives and class maps, and `COMPOSR_COMPOSER` for plugins
///   that it doesn't know.
pub fn point_at_store(command: &mut Command, seat: &Seat, composer: &Path) {
    match seat.side {
        Side::Native | Side::NativeArchives => command
            .env("ALLEGRO_STORE", &seat.store)
            .env("ALLEGRO_COMPOSER_PATH", composer),
        Side::Vivacity => command.env("VIVACITY_CACHE_DIR", &seat.store),
        Side::Composr => command
            .env("COMPOSR_CACHE_DIR", &seat.store)
            .env("COMPOSR_COMPOSER", composer),
        _ => command,
    };
}

/// Returns a line for each program that was found, with its version.
pub fn versions(cli: &Cli) -> Vec<String> {
    let own = cli.wanted(&Side::ALL).into_iter();
    own.filter(|side| side.may_be_absent() && !side.has_empty_store())
        .filter_map(|side| Some((side, find(cli, side).ok()?)))
        .map(|(side, file)| format!("{}: {}", side.title(), version(&file)))
        .collect()
}

/// Returns a program's own line about its version.
fn version(program: &Path) -> String {
    let output = Command::new(program).arg("--version").output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let said = said.unwrap_or_default();
    let line = said.lines().next().unwrap_or_default().trim();
    if line.is_empty() {
        "unknown version".to_owned()
    } else {
        line.to_owned()
    }
}

/// Returns the line of an output that says best why a program failed.
pub fn reason(output: &str) -> String {
    const LONGEST: usize = 160;
    let lines: Vec<String> = output
        .lines()
        .map(|line| without_colours(line).trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    let is_error = |line: &&String| line.to_lowercase().contains("error");
    let line = match (lines.iter().find(is_error), lines.as_slice()) {
        (Some(line), _) | (None, [line]) => line.clone(),
        (None, [first, .., last]) => format!("{first} … {last}"),
        (None, []) => "it failed without a word".to_owned(),
    };
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Removes the escape sequences that set colours.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_one_short_line() {
        let said = "\nReading\n\u{1b}[31merror:\u{1b}[0m no such command\n\nUsage: x\n";
        assert_eq!(reason(said), "error: no such command");
        assert_eq!(reason("one\ntwo\nthree\n\n"), "one … three");
        assert_eq!(reason("\none\n"), "one");
        assert_eq!(reason(""), "it failed without a word");
        assert_eq!(reason(&"ä".repeat(500)).chars().count(), 161);
    }

    #[test]
    fn programs_are_found_in_their_order() {
        let (first, second) = (tempfile::tempdir(), tempfile::tempdir());
        let (first, second) = (first.expect("a directory"), second.expect("a directory"));
        let dirs = [first.path().to_owned(), second.path().to_owned()];
        assert_eq!(first_in(&dirs, "viv"), None);
        std::fs::create_dir(first.path().join("viv")).expect("a directory");
        std::fs::write(second.path().join("viv"), "").expect("a file");
        let found = first_in(&dirs, "viv").expect("a program");
        assert!(found.ends_with("viv") && found.is_file());
    }

    #[test]
    fn an_absent_command_line_is_named() {
        let reason = native(Some(Path::new("/nowhere/allegro"))).expect_err("a reason");
        assert!(reason.starts_with("/nowhere/allegro: "), "{reason}");
    }
}
