//! Makes the class map for Composer's dump, and finds out whether a dump would change anything.

mod convert;
mod placed;
mod scanned;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

pub use scanned::Scanned;

use placed::placed;

use super::attend::attend;
use crate::protocol::dumped::{DumpedAnswer, DumpedRequest};
use crate::protocol::scan::{KnownFile, ScanAnswer, ScanRequest, UnsureFile};
use crate::protocol::settings::Overrides;
use crate::protocol::unchanged::{UnchangedAnswer, UnchangedRequest};
use crate::settings::{Environment, Settings};
use allegro_archive::Zone;
use allegro_base::error::{Error, Result};
use allegro_base::hex::{hex, unhex};
use allegro_base::identity::{Clock, Identity};
use allegro_base::progress;
use allegro_base::report::Host;
use allegro_base::threads::with_pool;
use allegro_vendor::classmap::dump::{Dump, Input, Output, Places};
use allegro_vendor::classmap::lists::Lists;
use allegro_vendor::classmap::scan::{Classes, Memory, Survey, join, survey};
use allegro_vendor::classmap::trace::{self, WalkState};
use allegro_vendor::classmap::walk::{Declined, Found};
use allegro_vendor::classmap::{Dialect, Records, ScanRule};

/// The number of files for PHP to read above which Composer's own generator is the better way.
const UNSURE: usize = 2_000;

/// The number of files outside of a dump that may stay on record, whatever the size of the project.
const KEPT: usize = 100_000;

/// The classes that are known before files are read.
struct Known<'a> {
    records: &'a Records<'a>,
    lists: &'a Lists<'a>,
    /// Classes that PHP has read in this run, by real path.
    by_php: HashMap<&'a str, ByPhp>,
}

/// The classes that PHP has read from a file.
struct ByPhp {
    token: Token,
    classes: Vec<u8>,
}

/// The state of a file before PHP read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Token {
    identity: Identity,
    /// Whether a change since then must show.
    settled: bool,
}

impl Memory for Known<'_> {
    fn recall(&self, found: &Found) -> Option<Classes<'_>> {
        let real = found.real();
        if let Some(read) = self.by_php.get(&**real) {
            // A file that has changed since PHP read it is read anew.
            return (read.token.identity == found.identity)
                .then_some(Cow::Borrowed(read.classes.as_slice()));
        }
        self.records
            .classes(real, &found.identity)
            .or_else(|| self.lists.recall(found))
            .map(Cow::Borrowed)
    }
}

/// Makes the class map of the request's rules.
///
/// # Errors
/// Fails only for settings and requests that make no sense, and with [`Error::Interrupted`]. Where
/// the scan can't be done natively, the answer says so.
pub fn scan(
    request: ScanRequest,
    environment: &Environment,
    host: &mut dyn Host,
) -> Result<ScanAnswer> {
    let settings = Settings::resolve(&Overrides::default(), environment)?;
    scan_with(request, &settings, host).map(ScanAnswer::from)
}

/// Makes the class map of the request's rules, for callers within the library.
///
/// # Errors
/// As [`scan`].
pub fn scan_with(
    request: ScanRequest,
    settings: &Settings,
    host: &mut dyn Host,
) -> Result<Scanned> {
    let input = Input {
        cwd: request.cwd,
        dialect: request.dialect.into(),
        traits: request.traits.into(),
        rules: request.rules.into_iter().map(ScanRule::from).collect(),
    };
    stoppable(host, |cancel| {
        let places = Places::of(&settings.store, &request.vendor_dir);
        let clock = Clock::start(&request.vendor_dir);
        let by_php = known(&request.known)?;
        let zone = Zone::of(request.timezone.as_deref(), &settings.zone_directory);
        let bytes = places.read(&places.classes);
        let answer = with_pool(settings.threads, |pool| {
            pool.install(|| {
                let records = Records::decode(&places.classes, &bytes, input.dialect);
                let placed = placed(&request.placed);
                let lists = match &places.store {
                    Some(store) if !placed.is_empty() => {
                        Lists::of(store, input.dialect, &zone, &placed)
                    }
                    _ => Lists::default(),
                };
                let known = Known {
                    records: &records,
                    lists: &lists,
                    by_php,
                };
                look(&input, &known, &places, &clock, cancel)
            })
        })?;
        Ok(answer.unwrap_or_else(|Declined(reason)| Scanned::Declined {
            reason: reason.to_owned(),
        }))
    })
}

/// Does work that the host may want to stop. The flag tells the work to stop, and the result of
/// stopped work doesn't count.
fn stoppable<T: Send>(
    host: &mut dyn Host,
    work: impl FnOnce(&AtomicBool) -> Result<T> + Send,
) -> Result<T> {
    if host.interrupted() {
        return Err(Error::Interrupted);
    }
    let cancel = AtomicBool::new(false);
    let result = attend(host, &cancel, |_| work(&cancel))?;
    if cancel.into_inner() {
        return Err(Error::Interrupted);
    }
    result
}

fn look(
    input: &Input,
    known: &Known<'_>,
    places: &Places,
    clock: &Clock,
    cancel: &AtomicBool,
) -> Result<Scanned, Declined> {
    let survey = survey(&input.rules, &input.cwd, input.dialect, known, cancel)?;
    let read = remember(places, input.dialect, clock, known, &survey);
    let unsure: Vec<UnsureFile> = survey.unsure().map(|found| ask(found, clock)).collect();
    if unsure.len() > UNSURE {
        return Err(Declined("too many files that only PHP can read"));
    }
    if !unsure.is_empty() {
        return Ok(Scanned::Unsure(unsure));
    }
    let scan = survey.decide(&input.rules, input.traits)?;
    let digest = scan.digest();
    keep_trace(places, clock, known, &survey, digest);
    note(places, input, digest);
    Ok(Scanned::Done {
        covered: survey.files.len(),
        read,
        scan,
        digest,
    })
}

fn ask(found: &Found, clock: &Clock) -> UnsureFile {
    let token = Token {
        identity: found.identity,
        settled: clock.has_settled(&found.identity),
    };
    UnsureFile {
        path: found.real().to_string(),
        token: hex(&postcard::to_stdvec(&token).unwrap_or_default()),
    }
}

fn known(files: &[KnownFile]) -> Result<HashMap<&str, ByPhp>> {
    files
        .iter()
        .map(|file| {
            let token = unhex(&file.token)
                .and_then(|bytes| postcard::from_bytes(&bytes).ok())
                .ok_or_else(|| Error::Input(format!("a token that isn't ours: {}", file.token)))?;
            let classes: Vec<Vec<u8>> = file.classes.iter().map(|name| class_name(name)).collect();
            let classes = join(&classes);
            Ok((file.path.as_str(), ByPhp { token, classes }))
        })
        .collect()
}

/// Returns the bytes of a class name that is written as in [`ScanAnswer::Scanned`].
fn class_name(name: &str) -> Vec<u8> {
    name.strip_prefix('\0')
        .and_then(unhex)
        .unwrap_or_else(|| name.as_bytes().to_vec())
}

/// Keeps the classes for the next scan, and returns the number of files read. A failure only costs
/// time.
fn remember(
    places: &Places,
    dialect: Dialect,
    clock: &Clock,
    known: &Known<'_>,
    survey: &Survey<'_>,
) -> usize {
    if places.store.is_none() {
        return survey.files.len();
    }
    let mut read = 0;
    for file in &survey.files {
        if let Some(Cow::Owned(classes)) = &file.classes {
            read += 1;
            known.lists.learn(&file.found, classes);
        }
    }
    known.lists.save();
    let recorded = survey
        .files
        .iter()
        .filter(|file| {
            known
                .records
                .classes(file.found.real(), &file.found.identity)
                .is_some()
        })
        .count();
    if recorded != survey.files.len() {
        let covered: HashSet<&str> = survey
            .files
            .iter()
            .map(|file| &**file.found.real())
            .collect();
        let covers = |real: &str| covered.contains(real);
        // A plain dump covers fewer files than an optimized one, and must not drop the records of
        // the others. But files also vanish for good, so a limit applies.
        let others: Vec<_> = known.records.others(&covers).collect();
        let keep = if others.len() > 4 * survey.files.len() + KEPT {
            &[][..]
        } else {
            &others
        };
        let unsettled = |real: &str| {
            known
                .by_php
                .get(real)
                .is_some_and(|read| !read.token.settled)
        };
        let files = survey
            .settled(clock)
            .filter(|(real, ..)| !unsettled(real))
            .chain(keep.iter().copied());
        let _ = places.write(
            &places.classes,
            &Records::encode(&places.classes, dialect, files),
        );
    }
    read
}

/// Keeps the trace of the walk that led to a class map.
fn keep_trace(
    places: &Places,
    clock: &Clock,
    known: &Known<'_>,
    survey: &Survey<'_>,
    digest: [u8; 32],
) {
    if !known.by_php.values().all(|read| read.token.settled) {
        return;
    }
    let trace = survey
        .seen
        .as_ref()
        .and_then(|seen| trace::encode(&places.walk, digest, seen, clock));
    if let Some(bytes) = trace {
        let _ = places.write(&places.walk, &bytes);
    }
}

/// Records the input of the dump in progress.
fn note(places: &Places, input: &Input, digest: [u8; 32]) {
    let dump = Dump {
        fingerprint: String::new(),
        said: String::new(),
        input: input.clone(),
        digest,
        classes: 0,
        outputs: Vec::new(),
    };
    let _ = dump.write(places);
}

/// Returns whether a dump with this fingerprint would reproduce the existing files.
///
/// # Errors
/// Fails only for settings that make no sense, and with [`Error::Interrupted`].
pub fn unchanged(
    request: &UnchangedRequest,
    environment: &Environment,
    host: &mut dyn Host,
) -> Result<UnchangedAnswer> {
    let settings = Settings::resolve(&Overrides::default(), environment)?;
    unchanged_with(request, &settings, host)
}

/// Does the same as [`unchanged`], for callers within the library.
///
/// # Errors
/// Fails only with [`Error::Interrupted`].
pub fn unchanged_with(
    request: &UnchangedRequest,
    settings: &Settings,
    host: &mut dyn Host,
) -> Result<UnchangedAnswer> {
    stoppable(host, |cancel| compare(request, settings, cancel))
}

fn compare(
    request: &UnchangedRequest,
    settings: &Settings,
    cancel: &AtomicBool,
) -> Result<UnchangedAnswer> {
    let places = Places::of(&settings.store, &request.vendor_dir);
    let Some(dump) = Dump::read(&places) else {
        return Ok(UnchangedAnswer::default());
    };
    if dump.fingerprint.is_empty()
        || dump.fingerprint != request.fingerprint
        || !dump.has_its_outputs()
    {
        return Ok(UnchangedAnswer::default());
    }
    let unchanged = UnchangedAnswer {
        unchanged: true,
        said: dump.said,
        classes: dump.classes,
    };
    let trace = places.read(&places.walk);
    let verdict = with_pool(settings.threads, |pool| {
        pool.install(|| trace::check(&places.walk, &trace, dump.digest, cancel))
    })?;
    match verdict {
        WalkState::Same => return Ok(unchanged),
        // The dump finds out whether the change matters.
        WalkState::Changed => return Ok(UnchangedAnswer::default()),
        WalkState::Unknown => {}
    }
    let input = dump.input;
    let clock = Clock::start(&request.vendor_dir);
    let bytes = places.read(&places.classes);
    let digest = with_pool(settings.threads, |pool| {
        pool.install(|| {
            let records = Records::decode(&places.classes, &bytes, input.dialect);
            let lists = Lists::default();
            let known = Known {
                records: &records,
                lists: &lists,
                by_php: HashMap::new(),
            };
            let survey = survey(&input.rules, &input.cwd, input.dialect, &known, cancel).ok()?;
            remember(&places, input.dialect, &clock, &known, &survey);
            let digest = survey.decide(&input.rules, input.traits).ok()?.digest();
            keep_trace(&places, &clock, &known, &survey, digest);
            Some(digest)
        })
    })?;
    Ok(if digest == Some(dump.digest) {
        unchanged
    } else {
        UnchangedAnswer::default()
    })
}

/// Records the output of a dump. A file that differs from the dump's, because a listener has
/// changed it since, makes the next dump a full one.
///
/// # Errors
/// Fails only for settings that make no sense, and with [`Error::Interrupted`].
pub fn dumped(
    request: &DumpedRequest,
    environment: &Environment,
    host: &mut dyn Host,
) -> Result<DumpedAnswer> {
    let settings = Settings::resolve(&Overrides::default(), environment)?;
    dumped_with(request, &settings, host)
}

/// Does the same as [`dumped`], for callers within the library.
///
/// # Errors
/// Fails only with [`Error::Interrupted`].
pub fn dumped_with(
    request: &DumpedRequest,
    settings: &Settings,
    host: &mut dyn Host,
) -> Result<DumpedAnswer> {
    stoppable(host, |cancel| {
        note_outputs(request, settings, cancel).map(|noted| DumpedAnswer { noted })
    })
}

fn note_outputs(request: &DumpedRequest, settings: &Settings, cancel: &AtomicBool) -> Result<bool> {
    let places = Places::of(&settings.store, &request.vendor_dir);
    let Some(mut dump) = Dump::read(&places) else {
        return Ok(false);
    };
    // Another process has made a scan of its own since.
    if hex(&dump.digest) != request.digest {
        return Ok(false);
    }
    let clock = Clock::start(&request.vendor_dir);
    let mut outputs = Vec::with_capacity(request.outputs.len());
    for (path, expected) in &request.outputs {
        if cancel.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        progress::step();
        let Some(output) = Output::of(path, expected.as_deref(), &clock) else {
            return Ok(false);
        };
        outputs.push((path.clone(), output));
    }
    dump.fingerprint.clone_from(&request.fingerprint);
    dump.said.clone_from(&request.said);
    dump.classes = request.classes;
    dump.outputs = outputs;
    Ok(dump.write(&places).is_ok())
}
