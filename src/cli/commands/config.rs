//! `allegro config`: shows and changes the settings of the command line.

use std::io::Write as _;
use std::path::Path;

use clap::ArgMatches;
use serde_json::{Value, json};

use super::{is, text};
use crate::cli::arguments::usage;
use crate::cli::config_file::ConfigFile;
use crate::cli::failure::{Code, Failure, Outcome};
use crate::cli::settings::{Flags, Key, Settings, Source};
use crate::cli::terminal::{DIM, STRONG, Terminal};
use crate::settings::Environment;

/// Runs the command.
pub fn run(matches: &ArgMatches, flags: &Flags, environment: &Environment) -> Outcome {
    let Some((name, matches)) = matches.subcommand() else {
        return Err(usage("config needs one of list, get, set, unset and path"));
    };
    let mut file = ConfigFile::read(environment);
    let mut terminal = Terminal::plain();
    if flags.no_color || environment.value("NO_COLOR").is_some() {
        terminal = terminal.without_colors();
    }
    if name == "path" {
        let path = file.path()?;
        terminal.say(path.display())?;
        return Ok(0);
    }
    if let Some(problem) = file.problem() {
        return Err(Failure::new(Code::General, problem)
            .hint("correct the file, or remove it, and run the command again"));
    }
    match name {
        "set" => {
            let key = find(matches)?;
            let value = key.parse(text(matches, "VALUE")).map_err(usage)?;
            file.store(key.name, Some(value))?;
            Ok(0)
        }
        "unset" => {
            file.store(find(matches)?.name, None)?;
            Ok(0)
        }
        _ => {
            let settings = Settings::resolve(flags, environment, &file)?;
            if let Some(problem) = settings.warnings.first() {
                return Err(Failure::new(
                    Code::General,
                    problem.replace("; the value is ignored", ""),
                )
                .hint("\"allegro config set KEY VALUE\" writes a right value"));
            }
            let rows = settings.listed(environment);
            if name == "get" {
                let key = find(matches)?.name;
                let value = rows.into_iter().find(|row| row.0 == key);
                get(&terminal, matches, value)
            } else {
                list(&terminal, matches, &file, &rows)
            }
        }
    }
}

/// The most columns of the column with values.
const WIDEST: usize = 48;

fn find(matches: &ArgMatches) -> Result<&'static Key, Failure> {
    let name = text(matches, "KEY");
    Key::find(name).ok_or_else(|| usage(format_args!("there is no setting \"{name}\"")))
}

fn get(
    terminal: &Terminal,
    matches: &ArgMatches,
    row: Option<(&'static str, Value, Source)>,
) -> Outcome {
    let Some((name, value, source)) = row else {
        return Err(usage("there is no such setting"));
    };
    if is(matches, "json") {
        return terminal.json(&entry(name, &value, &source));
    }
    terminal.say(shown(&value))?;
    Ok(0)
}

fn list(
    terminal: &Terminal,
    matches: &ArgMatches,
    file: &ConfigFile,
    rows: &[(&'static str, Value, Source)],
) -> Outcome {
    let unknown: Vec<&str> = file.keys().filter(|key| Key::find(key).is_none()).collect();
    if is(matches, "json") {
        let entries: Vec<Value> = rows
            .iter()
            .map(|(name, value, source)| entry(name, value, source))
            .collect();
        return terminal.json(&json!({
            "file": file.source().map(Path::to_string_lossy),
            "settings": entries,
            "unknown": unknown,
        }));
    }
    let mut output = terminal.output();
    let lengths = rows.iter().map(|row| shown(&row.1).chars().count());
    // A long path must not move the sources of all settings off the screen.
    let width = lengths.filter(|length| *length <= WIDEST).max();
    let width = width.unwrap_or_default();
    for (name, value, source) in rows {
        let value = shown(value);
        writeln!(
            output,
            "{STRONG}{name:<16}{STRONG:#}  {value:<width$}  {DIM}{source}{DIM:#}"
        )?;
    }
    for key in unknown {
        writeln!(
            output,
            "{DIM}{key:<16}  is no setting of this version{DIM:#}"
        )?;
    }
    Ok(0)
}

fn entry(name: &str, value: &Value, source: &Source) -> Value {
    let (kind, place) = match source {
        Source::Flag(name) => ("flag", Some(format!("--{name}"))),
        Source::Variable(name) => ("environment", Some((*name).to_owned())),
        Source::File(path) => ("file", Some(path.to_string_lossy().into_owned())),
        Source::Default => ("default", None),
    };
    json!({"name": name, "value": value, "source": kind, "place": place})
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
