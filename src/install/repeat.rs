//! Repeats an install that had nothing to do, if that is still so.

use std::fs;

use allegro_base::error::at;
use allegro_composer::json::Json;
use allegro_store::Store;

use super::decide::{Stage, plan_scripts};
use super::project::MANIFEST;
use super::run::{generating, stopped};
use super::state::{Kind, State};
use super::{Context, Options, Progress, Undecided};
use crate::console::{Console, Verbosity};
use crate::ops;
use crate::protocol::unchanged::UnchangedRequest;
use crate::scripts::{Dispatcher, Event, INSTALL_EVENTS, ScriptIo, Scripts, Setup};

/// Repeats the install, and returns its exit code; `None` if it has to be done.
pub fn repeat(
    context: &Context<'_>,
    options: &Options,
    store: &Store,
    key: &[u8; 32],
    console: &mut Console,
    progress: &mut dyn Progress,
) -> Result<Option<i32>, Undecided> {
    let Some(state) = State::current(context, store, Kind::Install, key) else {
        return Ok(None);
    };
    // The state of files that were written just before the record is settled by now. The next run
    // then needs not read them.
    if state.has_unsettled() {
        return Ok(None);
    }
    let told = &state.told;
    let Some((scripts, setup)) = scripts(
        context,
        options,
        store,
        &state,
        ("install", &INSTALL_EVENTS),
    )?
    else {
        return Ok(None);
    };
    if told.has_dump {
        let request = UnchangedRequest {
            vendor_dir: told.vendor_real.clone(),
            fingerprint: state.own_fingerprint(),
        };
        if !ops::unchanged_with(&request, context.settings, progress)?.unchanged {
            return Ok(None);
        }
    }
    for line in &told.before {
        console.line(line);
    }
    let mut dispatcher = Dispatcher::new(&scripts, &setup);
    if told.has_dump {
        console.line(generating(told.optimizes));
        for line in &told.dump {
            console.line(line);
        }
        for line in &told.dump_output {
            console.output_line(line);
        }
        console.line_at(Verbosity::Verbose, "Allegro: the autoloader is up to date");
        let event = Event {
            name: "post-autoload-dump",
            optimize: Some(told.optimizes),
        };
        if let Err(stop) = dispatcher.dispatch(event, console) {
            return Ok(Some(stopped(&stop, console)));
        }
    }
    for line in &told.after {
        console.line(line);
    }
    for line in &told.after_output {
        console.output_line(line);
    }
    if let Err(stop) = dispatcher.dispatch(Event::named("post-install-cmd"), console) {
        return Ok(Some(stopped(&stop, console)));
    }
    console.flush();
    Ok(Some(match dispatcher.finish(console) {
        Ok(()) => 0,
        Err(stop) => stopped(&stop, console),
    }))
}

/// Plans the scripts of the run. Returns `None` if a listener comes before the work, because it may
/// change what the work depends on.
pub fn scripts(
    context: &Context<'_>,
    options: &Options,
    store: &Store,
    state: &State,
    (command, events): (&str, &[&str]),
) -> Result<Option<(Scripts, Setup)>, Undecided> {
    let path = context.directory.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(at("reading", &path))?;
    let manifest = if options.no_scripts || !text.contains("\"scripts\"") {
        Json::object()
    } else {
        Json::read(MANIFEST, &text)?
    };
    let has_scripts = manifest.get("scripts").is_some();
    let probe = if has_scripts {
        context.machine.probe(store)?
    } else {
        None
    };
    let stage = Stage {
        manifest: &manifest,
        bin_dir: &state.told.bin_dir,
        timeout: state.told.timeout,
        command,
        events,
    };
    let (scripts, setup) = plan_scripts(context, &stage, options, probe.as_ref())?;
    let comes_before = ["pre-install-cmd", "pre-autoload-dump"]
        .iter()
        .any(|event| !scripts.listeners(event).is_empty());
    Ok((!comes_before).then_some((scripts, setup)))
}
