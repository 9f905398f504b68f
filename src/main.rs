//! The `allegro` binary: the plugin's helper process, and commands for the store.

use std::cell::Cell;
use std::io::{BufReader, BufWriter, Write, stdin, stdout};
use std::process::ExitCode;
use std::time::Duration;

use allegro::protocol::settings::Overrides;
use allegro::settings::{Environment, Settings};
use allegro_base::error::Result;
use allegro_store::{PATIENCE, PruneOptions, Store};

#[global_allocator]
static ALLOCATOR: allegro_base::ballast::Allocator = allegro_base::ballast::Allocator;

const USAGE: &str = "\
The native part of allegro/plugin.

Usage: allegro COMMAND

Commands:
  helper         answer the plugin's requests, one JSON document a line, until standard input ends
  store path     where the store is
  store status   what the store holds, as JSON
  store verify   read every file of the store; what is wrong is put right or taken out of use (exit code 1 if
                 there was anything)
  store prune    remove what no project uses any more; with --dry-run say only what would be removed
  version        version and protocol
  help           this text

Environment:
  ALLEGRO_STORE           the store's directory (default: allegro in the user's cache directory)
  ALLEGRO_LINK_STRATEGY   auto, reflink, hardlink or copy
  ALLEGRO_WORKERS         parallel downloads, 1 to 32
  ALLEGRO_VERIFY          always: read each file of the store before it is linked
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["helper"] => helper(),
        ["install", rest @ ..] => return trial(rest),
        ["store", "path"] => settings().and_then(|settings| say(&settings.store.display())),
        ["store", "status"] => store().and_then(|store| json(&store.status()?)),
        ["store", "prune"] => prune(false),
        ["store", "prune", "--dry-run"] => prune(true),
        ["store", "verify"] => verify(),
        ["version" | "--version" | "-V"] => {
            let info = allegro::ops::info(&Environment::PROCESS);
            say(&format!(
                "allegro {} (protocol {})",
                info.version, info.protocol
            ))
        }
        ["help" | "--help" | "-h"] => say(&USAGE.trim_end()),
        [] => {
            let _ = write!(std::io::stderr(), "{USAGE}");
            return ExitCode::from(2);
        }
        _ => {
            let _ = writeln!(
                std::io::stderr(),
                "allegro: unknown command \"{}\"; see: allegro help",
                words.join(" ")
            );
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) | Err(Failure::Pipe) => ExitCode::SUCCESS,
        Err(Failure::Damaged) => ExitCode::FAILURE,
        Err(Failure::Error(error)) => {
            let mut text = format!("allegro: {error}");
            if let Some(hint) = error.hint() {
                text.push_str("\n  ");
                text.push_str(hint);
            }
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}

fn trial(rest: &[&str]) -> ExitCode {
    use allegro::console::{Console, Verbosity};
    use allegro::install::{Context, Options, Progress, install};
    use allegro::machine::Machine;
    struct Quiet;
    impl allegro_base::report::Host for Quiet {
        fn events(&mut self, _: Vec<allegro_base::report::Event>) {}
        fn interrupted(&mut self) -> bool {
            false
        }
    }
    impl Progress for Quiet {
        fn begin(&mut self, _: &[(usize, String)]) {}
        fn end(&mut self) {}
    }
    let has = |name: &str| rest.contains(&name);
    let settings = settings().unwrap_or_else(|_| std::process::exit(9));
    let machine = Machine::find(&Environment::PROCESS, None);
    let variable = |name: &str| std::env::var(name).ok();
    let umask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(umask);
    let context = Context {
        directory: std::env::current_dir().unwrap_or_default(),
        variable: &variable,
        environment: &Environment::PROCESS,
        settings: &settings,
        overrides: Overrides::default(),
        machine: &machine,
        arguments: vec!["install".to_owned()],
        is_interactive: false,
        is_terminal: false,
        verbosity: Verbosity::Normal,
        umask: umask.as_raw_mode(),
        timezone: std::env::var("TZ").ok(),
    };
    let options = Options {
        no_dev: has("--no-dev"),
        optimize: has("-o"),
        authoritative: has("-a"),
        no_scripts: has("--no-scripts"),
        no_autoloader: has("--no-autoloader"),
        ..Options::default()
    };
    let mut console = Console::new(Verbosity::Normal, false, std::io::stderr());
    match install(&context, &options, &mut console, &mut Quiet) {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(reason) => {
            let _ = writeln!(std::io::stderr(), "undecided: {reason:?}");
            ExitCode::from(99)
        }
    }
}

enum Failure {
    /// Nobody reads our output any more, which is not a failure.
    Pipe,
    /// `store verify` found faults, or `store prune` failed in part. The command has reported that
    /// already.
    Damaged,
    Error(allegro_base::error::Error),
}

impl From<allegro_base::error::Error> for Failure {
    fn from(error: allegro_base::error::Error) -> Self {
        Self::Error(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(_: std::io::Error) -> Self {
        Self::Pipe
    }
}

fn settings() -> Result<Settings, Failure> {
    Ok(Settings::resolve(
        &Overrides::default(),
        &Environment::PROCESS,
    )?)
}

fn store() -> Result<Store, Failure> {
    Ok(Store::open(&settings()?.store)?)
}

fn say(text: &dyn std::fmt::Display) -> Result<(), Failure> {
    writeln!(stdout(), "{text}")?;
    Ok(())
}

fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| allegro_base::error::Error::Internal(error.to_string()))?;
    say(&text)
}

fn verify() -> Result<(), Failure> {
    let findings = store()?.verify();
    json(&findings)?;
    if findings.is_sound() {
        Ok(())
    } else {
        Err(Failure::Damaged)
    }
}

fn prune(is_dry_run: bool) -> Result<(), Failure> {
    let options = PruneOptions {
        dry_run: is_dry_run,
        ..PruneOptions::default()
    };
    let is_told = Cell::new(false);
    let pruned = store()?.prune(&options, &|waited| {
        if waited > Duration::from_secs(1) && !is_told.replace(true) {
            let _ = writeln!(
                std::io::stderr(),
                "allegro: the store is in use; waiting up to {} seconds",
                PATIENCE.as_secs()
            );
        }
        waited < PATIENCE
    })?;
    json(&pruned)?;
    if pruned.failures.is_empty() {
        Ok(())
    } else {
        Err(Failure::Damaged)
    }
}

/// The capacity of the pipe to the plugin, in bytes.
#[cfg(target_os = "linux")]
const PIPE: usize = 1 << 18;

fn helper() -> Result<(), Failure> {
    // Composer decides on the meaning of Ctrl-C. It ends the helper by closing its input.
    ignore_terminal_signals();
    allegro::parting::watch();
    // Answers of large projects have megabytes. The plugin and the helper go on working while one
    // is on its way.
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(stdout(), PIPE);
    // Standard output's own buffer would be emptied for each kilobyte.
    let mut output = BufWriter::with_capacity(1 << 16, stdout());
    let mut input = BufReader::with_capacity(1 << 16, stdin());
    allegro::helper::serve(
        &mut input,
        &mut output,
        &Environment::PROCESS,
        &allegro::parting::is_over,
    )?;
    Ok(())
}

fn ignore_terminal_signals() {
    // The helper gets a process group of its own, because the terminal signals only the foreground
    // group.
    let _ = rustix::process::setpgid(None, None);
}
