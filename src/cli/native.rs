//! Runs a command natively, and hands it to Composer where it can't be.

use std::ffi::OsStr;
use std::io::{self, BufWriter, IsTerminal as _};

use allegro_base::error::Error;
use allegro_composer::{Unfamiliar, unfamiliar};

use super::commands::Invocation;
use super::failure::{Code, Failure, Outcome};
use super::surroundings::{self, Manner, Shown};
use crate::console::{Console, Verbosity};
use crate::delegate::ahead::Task;
use crate::install::{Context, Progress, Undecided};
use crate::machine::Machine;
use crate::scripts::ScriptIo as _;

/// Runs a command natively, or by Composer if `work` says that it isn't native.
pub fn run(
    invocation: &Invocation,
    work: impl FnOnce(&Context<'_>, &mut Console, &mut dyn Progress) -> Result<i32, Undecided>,
) -> Outcome {
    run_ahead(invocation, work, |_| None)
}

/// Runs a command as [`run`] does. If the command is Composer's, `ahead` learns the reason, and
/// what it returns is done natively meanwhile.
pub fn run_ahead(
    invocation: &Invocation,
    work: impl FnOnce(&Context<'_>, &mut Console, &mut dyn Progress) -> Result<i32, Undecided>,
    ahead: impl FnOnce(&str) -> Option<Task>,
) -> Outcome {
    let terminal = &invocation.context.terminal;
    match natively(invocation, work) {
        Ok(code) => Ok(u8::try_from(code).unwrap_or(1)),
        Err(Undecided::Composer(Unfamiliar(reason))) => {
            terminal.detail(format_args!("Allegro: Composer does it: {reason}"));
            let outcome = invocation.delegate_with(ahead(&reason));
            outcome.map_err(|failure| failure.because(&reason))
        }
        Err(Undecided::ThisTime(Unfamiliar(reason))) => {
            terminal.detail(format_args!("Allegro: Composer does it: {reason}"));
            let outcome = invocation.delegate();
            outcome.map_err(|failure| failure.because(&reason))
        }
        Err(Undecided::Rest(Unfamiliar(reason), played)) => {
            terminal.detail(format_args!("Allegro: Composer finishes it: {reason}"));
            if !played.is_empty()
                && let Some(obstacle) = obstacle(invocation)
            {
                return Err(unfinished(&reason, &played, &obstacle));
            }
            Err(invocation.call().played(played).replace())
        }
        Err(Undecided::NoManifest(path) | Undecided::NoLock(path)) => {
            let missing = path.display();
            terminal.detail(format_args!(
                "Allegro: Composer does it: there is no {missing}"
            ));
            invocation.delegate()
        }
        // Composer goes on without the store.
        Err(Undecided::Failed(error @ (Error::Store { .. } | Error::StoreLayout { .. }))) => {
            terminal.warn(&error);
            invocation.delegate()
        }
        Err(other) => Err(surroundings::failure(other)),
    }
}

/// Returns the reason for which Composer would play scripts once more that were played here.
fn obstacle(invocation: &Invocation) -> Option<String> {
    if invocation.has_word("--no-plugins") {
        return Some("--no-plugins is given".to_owned());
    }
    match invocation.call().obstacle() {
        Ok(obstacle) => obstacle,
        Err(_) => Some("there is no Composer".to_owned()),
    }
}

/// Returns the failure of a run that Composer can't finish.
fn unfinished(reason: &str, played: &[&str], obstacle: &str) -> Failure {
    let events = played.join(" and ");
    Failure::new(
        Code::General,
        format_args!(
            "{reason}, and Composer can't finish the run because it would play the scripts of \
             {events} again: {obstacle}"
        ),
    )
    .hint("run \"composer install\", which plays these scripts as well")
}

fn natively(
    invocation: &Invocation,
    work: impl FnOnce(&Context<'_>, &mut Console, &mut dyn Progress) -> Result<i32, Undecided>,
) -> Result<i32, Undecided> {
    let context = invocation.context;
    let verbosity = verbosity(invocation)?;
    let is_decorated = is_decorated(invocation)?;
    let asks = !invocation.has_word("--no-interaction")
        && !words(invocation).any(|word| word.starts_with("-n"));
    let may_ask = !invocation.is_on("COMPOSER_NO_INTERACTION");
    let manner = Manner {
        arguments: invocation
            .composer_arguments
            .iter()
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        is_interactive: io::stdin().is_terminal() && asks && may_ask,
        verbosity,
        obstacle: &|| obstacle(invocation),
    };
    let done = surroundings::with_manner(context, manner, |surroundings| {
        let mut shown = Shown::new(&context.terminal).noticing_signals();
        let output = BufWriter::with_capacity(1 << 14, shown.writer());
        let mut console = Console::new(verbosity, is_decorated, output);
        let done = named_programs(invocation, surroundings.machine)
            .and_then(|()| work(surroundings, &mut console, &mut shown));
        console.flush();
        done
    });
    // Composer finds its own words for settings that make no sense, or a directory that is gone.
    done.unwrap_or_else(|failure| match failure {
        Failure::Untold { message, .. } => Err(Unfamiliar(message).into()),
        _ => Err(Unfamiliar("the surroundings are unusual".to_owned()).into()),
    })
}

/// Checks that the programs exist which the settings name. Without them an install would be that of
/// another Composer, and nothing would check the platform.
fn named_programs(invocation: &Invocation, machine: &Machine) -> Result<(), Undecided> {
    let settings = &invocation.context.settings;
    if settings.composer_path.value.is_some() && machine.composer.is_none() {
        return unfamiliar("the Composer that the settings name is missing");
    }
    if settings.php_path.value.is_some() && machine.php.is_none() {
        return unfamiliar("the PHP that the settings name is missing");
    }
    Ok(())
}

/// Returns the words up to `--`. Symfony looks for general options among them alone
/// (`ArgvInput::hasParameterOption`, symfony/console 5.4).
fn words<'a>(invocation: &'a Invocation) -> impl Iterator<Item = &'a str> {
    let words = invocation.composer_arguments.iter();
    words
        .map(|word| word.to_str().unwrap_or_default())
        .take_while(|word| *word != "--")
}

/// Returns the verbosity that the arguments ask for (`Application::configureIO`, symfony/console
/// 5.4). What Composer tells at `-vv` and `-vvv`, only Composer knows.
fn verbosity(invocation: &Invocation) -> Result<Verbosity, Undecided> {
    if invocation.is_on("SHELL_VERBOSITY") {
        return unfamiliar("SHELL_VERBOSITY is set");
    }
    let (mut found, mut is_quiet) = (Verbosity::Normal, false);
    for word in words(invocation) {
        match word {
            "-q" | "--quiet" => is_quiet = true,
            "-v" | "--verbose" => found = Verbosity::Verbose,
            _ if word.starts_with("-vv") || word.starts_with("--verbose=") => {
                return unfamiliar("more than -v is wanted");
            }
            _ if !word.starts_with("--") && word.starts_with('-') && word.contains(['q', 'v']) => {
                return unfamiliar("short options stand together");
            }
            _ => {}
        }
    }
    Ok(if is_quiet { Verbosity::Quiet } else { found })
}

/// Returns whether Composer would write colours: to both streams, or to none
/// (`ConsoleOutput::__construct` and `StreamOutput::hasColorSupport`, symfony/console 5.4).
fn is_decorated(invocation: &Invocation) -> Result<bool, Undecided> {
    if words(invocation).any(|word| word == "--ansi") {
        return Ok(true);
    }
    if words(invocation).any(|word| word == "--no-ansi") {
        return Ok(false);
    }
    let variable = |name| (invocation.context.environment.variable)(OsStr::new(name));
    if variable("FORCE_COLOR").is_some() || variable("TERM_PROGRAM").is_some_and(|it| it == "Hyper")
    {
        return unfamiliar("versions of Symfony differ on colours here");
    }
    if !io::stdout().is_terminal() || !io::stderr().is_terminal() {
        return Ok(false);
    }
    match variable("NO_COLOR") {
        Some(value) if !value.is_empty() => return Ok(false),
        // Older versions take any value.
        Some(_) => return unfamiliar("NO_COLOR is empty"),
        None => {}
    }
    // Older versions don't look at the name of the terminal.
    let term = variable("TERM").unwrap_or_default();
    if variable("COLORTERM").is_some() || term.to_str().is_some_and(knows_colors) {
        Ok(true)
    } else {
        unfamiliar("the terminal may know no colours")
    }
}

/// Returns whether a terminal with this name knows colours.
fn knows_colors(term: &str) -> bool {
    const BEGINNINGS: [&str; 9] = [
        "screen", "xterm", "vt100", "vt220", "putty", "rxvt", "ansi", "cygwin", "linux",
    ];
    const ENDINGS: [&str; 4] = ["-256", "-256color", "-256-bce", "-256color-bce"];
    BEGINNINGS.iter().any(|start| term.starts_with(start))
        || ENDINGS.iter().any(|end| term.ends_with(end))
}
