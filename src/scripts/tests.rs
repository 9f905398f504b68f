#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used)]

mod parity;
mod units;

use std::io::Write;
use std::path::{Path, PathBuf};

use allegro_composer::json::Json;
use serde::{Deserialize, Serialize};

use super::*;

/// The variable that turns a run of the tests into a run of [`driver`].
const DRIVER: &str = "ALLEGRO_TEST_SCRIPTS_DRIVER";

/// The line after which the driver's own output starts.
const MARK: &str = "-- the driver starts --\n";

/// The facts that the driver is told. It takes its environment from the process.
#[derive(Serialize, Deserialize)]
struct Told {
    arguments: Vec<String>,
    php: String,
    composer: String,
    version: String,
    verbosity: u8,
    timeout: u64,
    is_interactive: bool,
    is_decorated: bool,
    warms_up: bool,
}

/// Writes lines as the command line would.
struct Streams {
    is_decorated: bool,
}

impl ScriptIo for Streams {
    fn write_error(&mut self, line: &str) {
        let line = markup::formatted(line, self.is_decorated);
        writeln!(std::io::stderr(), "{line}").unwrap();
    }

    fn write_raw(&mut self, bytes: &[u8]) {
        std::io::stdout().write_all(bytes).unwrap();
        std::io::stdout().flush().unwrap();
    }

    fn write_error_raw(&mut self, bytes: &[u8]) {
        std::io::stderr().write_all(bytes).unwrap();
    }

    fn flush(&mut self) {
        std::io::stdout().flush().unwrap();
    }
}

/// Plays the events of an install, in a process of its own. [`parity`] starts it.
#[test]
fn driver() {
    let Some(told) = std::env::var_os(DRIVER) else {
        return;
    };
    let told: Told = serde_json::from_str(told.to_str().unwrap()).unwrap();
    let root = std::env::current_dir().unwrap();
    let manifest = std::fs::read_to_string(root.join("composer.json")).unwrap();
    let scripts = Scripts::of(&Json::parse(&manifest).unwrap()).unwrap();
    let setup = Setup {
        bin_dir: root.join("vendor/bin"),
        dev_mode: !told.arguments.iter().any(|word| word == "--no-dev"),
        command: told.arguments[0].clone(),
        arguments: told.arguments.clone(),
        php: Some(Php::probe(Path::new(&told.php)).unwrap()),
        composer: Some(ComposerBinary {
            path: PathBuf::from(told.composer),
            version: Version::parse(&told.version).unwrap(),
        }),
        timeout: told.timeout,
        is_interactive: told.is_interactive,
        is_terminal: told.is_interactive,
        verbosity: [
            Verbosity::Quiet,
            Verbosity::Normal,
            Verbosity::Verbose,
            Verbosity::VeryVerbose,
        ][usize::from(told.verbosity)],
        environment: std::env::vars_os()
            .filter(|(name, _)| name != DRIVER)
            .collect(),
        plugins_are_off: false,
        root,
    };
    let mut io = Streams {
        is_decorated: told.is_decorated,
    };
    std::io::stdout().write_all(MARK.as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
    let events = if setup.command == "dump-autoload" {
        DUMP_EVENTS.as_slice()
    } else {
        INSTALL_EVENTS.as_slice()
    };
    let code = match play(&scripts, &setup, events, told.warms_up, &mut io) {
        Ok(()) => 0,
        Err(stop) => {
            if !matches!(stop, Stop::Exit(_)) {
                writeln!(std::io::stderr(), "{stop}").unwrap();
            }
            stop.code()
        }
    };
    std::process::exit(code);
}

fn play(
    scripts: &Scripts,
    setup: &Setup,
    events: &[&str],
    warms_up: bool,
    io: &mut Streams,
) -> Result<(), Stop> {
    let needs = match scripts.plan(events, setup) {
        Road::Native(needs) => needs,
        other => panic!("{other:?}"),
    };
    let mut dispatcher = Dispatcher::new(scripts, setup);
    if warms_up && needs.callbacks {
        dispatcher.warm_up()?;
    }
    for name in events {
        let optimize = name.ends_with("autoload-dump").then_some(false);
        dispatcher.dispatch(Event { name, optimize }, io)?;
    }
    dispatcher.finish(io)
}
