//! Repeats a run that had nothing to do, if that is still so.

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
use crate::scripts::{
    DUMP_EVENTS, Dispatcher, Event, INSTALL_EVENTS, ScriptIo, Scripts, Setup, Stop,
};

/// Repeats an install or a dump, and returns its exit code; `None` if it has to be done.
pub fn repeat(
    context: &Context<'_>,
    options: &Options,
    store: &Store,
    (kind, key): (Kind, &[u8; 32]),
    console: &mut Console,
    progress: &mut dyn Progress,
) -> Result<Option<i32>, Undecided> {
    let Some(state) = State::current(context, store, kind, key) else {
        return Ok(None);
    };
    // The state of files that were written just before the record is settled by now. The next run
    // then needs not read them.
    if state.has_unsettled() {
        return Ok(None);
    }
    let Some((scripts, setup)) = scripts(context, options, store, &state, kind)? else {
        return Ok(None);
    };
    let told = &state.told;
    if told.has_dump {
        let request = UnchangedRequest {
            vendor_dir: told.vendor_real.clone(),
            fingerprint: state.own_fingerprint(),
        };
        if !ops::unchanged_with(&request, context.settings, progress)?.unchanged {
            return Ok(None);
        }
    }
    if kind == Kind::Install {
        ops::sweep_vendor(&told.vendor_real);
    }
    let mut dispatcher = Dispatcher::new(&scripts, &setup);
    let done = match kind {
        Kind::Install => again(&state, &mut dispatcher, console),
        Kind::Dump => dump_again(&state, &mut dispatcher, console),
    };
    Ok(Some(match done.and_then(|()| dispatcher.finish(console)) {
        Ok(()) => 0,
        Err(stop) => stopped(&stop, console),
    }))
}

/// Tells what an install tells, and plays its events.
fn again(
    state: &State,
    dispatcher: &mut Dispatcher<'_>,
    console: &mut Console,
) -> Result<(), Stop> {
    let told = &state.told;
    for line in &told.before {
        console.line(line);
    }
    if told.has_dump {
        console.line(generating(told.optimizes));
        after_dump(state, dispatcher, console)?;
    }
    for line in &told.after {
        console.line(line);
    }
    for line in &told.after_output {
        console.output_line(line);
    }
    dispatcher.dispatch(Event::named("post-install-cmd"), console)?;
    console.flush();
    Ok(())
}

/// Tells what `dump-autoload` tells, and plays its event.
fn dump_again(
    state: &State,
    dispatcher: &mut Dispatcher<'_>,
    console: &mut Console,
) -> Result<(), Stop> {
    let mut lines = state.told.output.iter();
    if let Some(line) = lines.next() {
        console.output_line(line);
    }
    after_dump(state, dispatcher, console)?;
    for line in lines {
        console.output_line(line);
    }
    Ok(())
}

fn after_dump(
    state: &State,
    dispatcher: &mut Dispatcher<'_>,
    console: &mut Console,
) -> Result<(), Stop> {
    let told = &state.told;
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
    dispatcher.dispatch(event, console).map(drop)
}

/// Plans the scripts of the run. Returns `None` if a listener comes before the work, because it may
/// change what the work depends on.
fn scripts(
    context: &Context<'_>,
    options: &Options,
    store: &Store,
    state: &State,
    kind: Kind,
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
    let (command, events) = match kind {
        Kind::Install => ("install", &INSTALL_EVENTS[..]),
        Kind::Dump => ("dump-autoload", &DUMP_EVENTS[..]),
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
