//! `allegro store export` and `allegro store import`: carry packages from one store to another.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, IsTerminal as _, Read, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use allegro_archive::{Unpacking, Zone};
use allegro_base::error::at;
use allegro_base::fs::beside;
use allegro_store::{Exported, Imported, Store};
use clap::ArgMatches;

use super::super::{is, text};
use super::{counted, open, size};
use crate::care;
use crate::cli::Context;
use crate::cli::arguments::usage;
use crate::cli::failure::{Code, Failure, Outcome};
use crate::cli::surroundings;

/// The name that stands for standard input or output.
const STREAM: &str = "-";

/// The number of packages that a message names.
const NAMED: usize = 5;

/// Writes packages of the store into a file.
pub fn export(matches: &ArgMatches, context: &Context) -> Outcome {
    let file = match text(matches, "FILE") {
        "" => STREAM,
        file => file,
    };
    if file == STREAM && io::stdout().is_terminal() {
        return Err(Failure::new(
            Code::General,
            "an export is no text, and standard output is a terminal",
        )
        .hint("name a file: allegro store export packages.allegro"));
    }
    let keys = if is(matches, "all") {
        open(context)?.keys()
    } else {
        let lock = Some(text(matches, "lock")).filter(|lock| !lock.is_empty());
        if lock.is_some_and(|lock| Path::new(lock).extension() != Some(OsStr::new("lock"))) {
            return Err(usage("--lock takes a file whose name ends with .lock"));
        }
        let with_dev = !context.settings.no_dev.value;
        let cargo = surroundings::with(context, |surroundings| {
            care::cargo(surroundings, lock.map(Path::new), with_dev)
        })?
        .map_err(surroundings::failure)?;
        if !cargo.lacking.is_empty() {
            return Err(Failure::new(
                Code::General,
                format_args!("the store lacks {}", first(&cargo.lacking)),
            )
            .hint("\"allegro fetch\" puts the packages of a lock into the store"));
        }
        for foreign in &cargo.foreign {
            context.terminal.warn(format_args!("left out: {foreign}"));
        }
        cargo.keys
    };
    let store = open(context)?;
    let progress = context.terminal.progress("Exporting");
    let exported = if file == STREAM {
        store.export(&keys, BufWriter::new(io::stdout().lock()))?
    } else {
        into_file(&store, &keys, &context.start.join(file))?
    };
    progress.clear();
    let Exported {
        packages,
        contents,
        bytes,
    } = exported;
    if is(matches, "json") && file != STREAM {
        return context.terminal.json(&exported);
    }
    context.terminal.note(format_args!(
        "exported {} with {} ({})",
        counted(packages, "package"),
        counted(contents, "file"),
        size(bytes)
    ));
    Ok(0)
}

/// Writes an export beside a file first, so that the file is always complete.
fn into_file(
    store: &Store,
    keys: &[allegro_composer::ManifestKey],
    path: &Path,
) -> Result<Exported, Failure> {
    let temporary = beside(path);
    let failed = |action, error| Failure::from(at(action, path)(error));
    let file = File::create_new(&temporary).map_err(|error| failed("writing", error))?;
    let mut out = BufWriter::new(file);
    let exported = store.export(keys, &mut out).map_err(Failure::from);
    let exported = exported.and_then(|exported| {
        out.flush()
            .and_then(|()| fs::rename(&temporary, path))
            .map_err(|error| failed("writing", error))?;
        Ok(exported)
    });
    if exported.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    exported
}

/// Reads packages from a file into the store.
pub fn import(matches: &ArgMatches, context: &Context) -> Outcome {
    let name = text(matches, "FILE");
    let path = context.start.join(name);
    let input: Box<dyn Read> = if name == STREAM {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&path).map_err(at("reading", &path))?)
    };
    let store = open(context)?;
    let progress = context.terminal.progress("Importing");
    let imported = surroundings::with(context, |surroundings| {
        let settings = surroundings.settings;
        let zone = Zone::of(surroundings.timezone.as_deref(), &settings.zone_directory);
        let unpacking = Unpacking {
            umask: surroundings.umask,
            zone: &zone,
            by_zip_archive: false,
            after_unzip: false,
            utf8_locale: settings.utf8_locale,
        };
        store.import(BufReader::new(input), unpacking, &AtomicBool::new(false))
    })??;
    progress.clear();
    if is(matches, "json") {
        return context.terminal.json(&imported);
    }
    let Imported {
        packages,
        known,
        contents,
        bytes,
    } = imported;
    context.terminal.say(format_args!(
        "imported {} with {} ({}); {known} were there already",
        counted(packages, "package"),
        counted(contents, "new file"),
        size(bytes)
    ))?;
    Ok(0)
}

/// Returns the first of some names, and the number of the others.
fn first(names: &[String]) -> String {
    let shown = names[..names.len().min(NAMED)].join(", ");
    match names.len().checked_sub(NAMED) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
