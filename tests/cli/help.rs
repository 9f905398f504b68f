//! The help of every command fits a screen, and its example can be typed.

use allegro::cli::definition::{Shown, command};
use clap::Command;

use crate::world::{World, ran};

/// Lines of a usual terminal.
const SCREEN: usize = 24;

/// Lines of a help whose options are grouped.
const GROUPED: usize = 40;

/// Returns the words that call each command that people see, from the program's name on.
fn calls(command: &Command, before: &[String], found: &mut Vec<Vec<String>>) {
    let mut words = before.to_vec();
    words.push(command.get_name().to_owned());
    found.push(words.clone());
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        calls(sub, &words, found);
    }
}

/// Names what is wrong with a help.
fn faults(call: &[String], text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let lines = text.lines().count();
    let headings = text.lines().filter(|line| line.ends_with(':')).count();
    let most = if headings > 1 { GROUPED } else { SCREEN };
    if lines > most {
        faults.push(format!("{lines} lines"));
    }
    for line in text.lines() {
        if line.chars().count() > 80 {
            faults.push(format!("too wide: {line}"));
        }
        if line.ends_with(' ') || line.contains('\u{1b}') {
            faults.push(format!("not plain: {line:?}"));
        }
    }
    let Some(example) = text.lines().find_map(|line| line.strip_prefix("Example: ")) else {
        faults.push("no example".to_owned());
        return faults;
    };
    let words: Vec<&str> = example.split(' ').take_while(|word| *word != ">").collect();
    // The example of the program, or of a group of commands, calls one of its commands.
    if !words.iter().zip(call).all(|(word, name)| word == name) {
        faults.push(format!("an example of another command: {example}"));
    }
    if let Err(error) = command(Shown::Nowhere).try_get_matches_from(words) {
        faults.push(format!("{example}: {error}"));
    }
    faults
}

#[test]
fn each_help_fits_a_screen_and_has_an_example() {
    let world = World::new();
    let mut all = Vec::new();
    calls(&command(Shown::Nowhere), &[], &mut all);
    assert!(all.len() > 30, "{all:?}");
    let mut found = Vec::new();
    for call in all {
        let words = format!("{} --help", call[1..].join(" "));
        let mut help = world.command(env!("CARGO_BIN_EXE_allegro"), &words);
        let text = ran(help.env("COLUMNS", "80")).expect(0);
        let faults = faults(&call, &text);
        if !faults.is_empty() {
            found.push(format!("{}: {faults:?}", call.join(" ")));
        }
        let words = format!("help {}", call[1..].join(" "));
        let mut help = world.command(env!("CARGO_BIN_EXE_allegro"), &words);
        assert_eq!(ran(help.env("COLUMNS", "80")).expect(0), text, "{call:?}");
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn faults_are_noticed() {
    let call = ["allegro", "status"].map(str::to_owned);
    let good = "Compares\n\nExample: allegro status --exit-code\n";
    assert!(faults(&call, good).is_empty());
    for (bad, fault) in [
        (good.replace("Example", "Sample"), "no example"),
        (
            good.replace("status --exit-code", "verify"),
            "another command",
        ),
        (good.replace("--exit-code", "--nope"), "--nope"),
        (good.replace("Compares", &"x".repeat(81)), "too wide"),
        (good.replace("Compares", &"\n".repeat(22)), "25 lines"),
    ] {
        let found = faults(&call, &bad);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(fault), "{found:?}");
    }
}
