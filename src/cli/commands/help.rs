//! `allegro help` and `allegro completion`.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::ArgMatches;
use clap_complete::Shell;

use super::text;
use crate::cli::Context;
use crate::cli::arguments::usage;
use crate::cli::definition::{ROOT_HELP, Shown, command};
use crate::cli::failure::Outcome;
use crate::cli::terminal::{STRONG, Terminal};

/// Runs `allegro help`.
pub fn run(matches: &ArgMatches, context: &Context) -> Outcome {
    let words: Vec<&String> = matches
        .get_many::<String>("COMMAND")
        .into_iter()
        .flatten()
        .collect();
    show(&context.terminal, &words)
}

/// Shows the help of one command.
pub fn of_command(terminal: &Terminal, name: &str) -> Outcome {
    show(terminal, &[&name.to_owned()])
}

/// Shows the commands.
pub fn root(terminal: &Terminal) -> Outcome {
    let mut text = String::new();
    for line in ROOT_HELP.split_inclusive('\n') {
        match line.split_once(':') {
            Some((heading, rest)) if !line.starts_with(' ') => {
                let _ = write!(text, "{STRONG}{heading}:{STRONG:#}{rest}");
            }
            _ => text.push_str(line),
        }
    }
    terminal.print(text)
}

fn show(terminal: &Terminal, words: &[&String]) -> Outcome {
    if words.is_empty() {
        return root(terminal);
    }
    let mut root = command(Shown::Nowhere);
    root.build();
    let mut found = &mut root;
    for word in words {
        found = found
            .find_subcommand_mut(word)
            .ok_or_else(|| usage(format_args!("there is no command \"{word}\"")))?;
    }
    terminal.print(found.render_help().ansi())
}

/// Runs `allegro completion`.
pub fn completion(matches: &ArgMatches, context: &Context) -> Outcome {
    let shell: Shell = text(matches, "SHELL")
        .parse()
        .map_err(|problem: String| usage(problem))?;
    // The generator panics where it can't write, so it writes into memory.
    let mut script = Vec::new();
    clap_complete::generate(
        shell,
        &mut command(Shown::Everywhere),
        "allegro",
        &mut script,
    );
    context.terminal.output().write_all(&script)?;
    Ok(0)
}
