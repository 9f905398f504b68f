//! Finds the versions that an update would lock: collects metadata from repositories and Composer's
//! cache, then runs the solver.

mod problem;

use std::mem::take;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crossbeam_channel::Sender;
use rayon::ThreadPool;

use super::attend::attend_to_result;
use super::constraints;
use super::http::fetch_options;
use super::metadata_provider::{Files, Repositories};
use crate::protocol::resolve::{ChosenPackage, ResolveAnswer, ResolveRequest};
use crate::protocol::warm_up::WarmUpRequest;
use crate::settings::{Environment, Settings};
use allegro_base::error::{Error, Result};
use allegro_base::memory;
use allegro_base::progress;
use allegro_base::report::Host;
use allegro_base::threads::with_pool;
use allegro_fetch::{Fetcher, Queue};
use allegro_resolver::request::Problem;
use allegro_resolver::{Answer, MetadataPlace, Stop};
use allegro_resolver::{Resolution, solve};
use allegro_semver::constraint::Terms;
use allegro_semver::version::Dialect;
use allegro_store::Store;

/// Number of bytes that the solver's thread needs for a project of some 200 packages.
const LEAST_MEMORY: usize = 4 << 20;

/// Number of bytes that the solver's thread needs for each requirement, if the project requires
/// every package itself. Other projects need less than is allocated for them.
const MEMORY_PER_REQUIREMENT: usize = 12 << 10;

/// The number of requirements up to which memory is allocated beforehand.
const MOST_REQUIREMENTS: usize = 2_000;

/// Prepares slow parts that every [`resolve`] needs. These are the patterns of versions and
/// constraints, some 7 ms, and memory, 2 to 12 ms.
pub fn warm_up(request: &WarmUpRequest) {
    let requirements = request.requirements.min(MOST_REQUIREMENTS);
    memory::ahead(LEAST_MEMORY + requirements * MEMORY_PER_REQUIREMENT);
    let mut terms = Terms::new(Dialect::default());
    // Each text takes another path through the parser.
    for text in [
        "dev-main",
        "dev-main#0",
        "1.x-dev",
        "^1.0@beta",
        "~1.0-RC1",
        "v1.0.x",
        ">=2020.01.01",
        "1 - 2",
    ] {
        terms.parse(text);
    }
}

/// Finds the versions that Composer would lock.
///
/// The function calls `answered` as soon as the answer is complete, while threads end and memory is
/// freed. `answered` also gets the repositories' metadata of the chosen versions.
///
/// # Errors
/// Fails with the errors of `answered`, after an interruption, and for settings that make no sense.
/// Any other uncertainty is part of the answer.
pub fn resolve<H: Host, R>(
    request: ResolveRequest,
    environment: &Environment,
    host: &mut H,
    answered: impl FnOnce(&mut H, &ResolveAnswer, &[String]) -> Result<R>,
) -> Result<R> {
    answer(request, environment, host, Parsing::Constraints, answered)
}

/// Resolves as [`resolve`] does, for a caller that has no use for parsed constraints.
///
/// # Errors
/// As [`resolve`].
pub fn resolve_alone<H: Host, R>(
    request: ResolveRequest,
    environment: &Environment,
    host: &mut H,
    answered: impl FnOnce(&mut H, &ResolveAnswer, &[String]) -> Result<R>,
) -> Result<R> {
    answer(request, environment, host, Parsing::Nothing, answered)
}

/// The texts that are parsed in PHP's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parsing {
    /// The constraints in the links of the chosen packages.
    Constraints,
    /// No texts.
    Nothing,
}

fn answer<H: Host, R>(
    request: ResolveRequest,
    environment: &Environment,
    host: &mut H,
    parsing: Parsing,
    answered: impl FnOnce(&mut H, &ResolveAnswer, &[String]) -> Result<R>,
) -> Result<R> {
    let settings = Settings::resolve(&request.settings, environment)?;
    let problem = Problem::from(request.problem);
    let fetcher = Fetcher::new(fetch_options(&settings, &request.http))
        .map_err(|error| Error::Input(error.to_string()))?;
    let cancel = AtomicBool::new(false);
    let over = AtomicBool::new(false);
    let documents = fetcher.documents().map_err(|error| Error::Exhausted {
        what: "no connection can be made",
        reason: error.to_string(),
    })?;
    // Without a store, the run cannot use results of earlier runs.
    let store = Store::open_at_once(&settings.store).ok();
    let queue = Queue::default();
    let repositories = Repositories {
        sources: request.sources,
        proxies: request.http.proxies,
    };
    let work = |events, result: Sender<_>| {
        thread::scope(|scope| {
            let store = store.as_ref();
            let ends = (&cancel, &over);
            let files = Files::new(scope, repositories, store, &documents, &queue, ends, events);
            let mut files = match files {
                Ok(files) => files,
                Err(stop) => return drop(result.send(Err(stop))),
            };
            let is_cancelled = || {
                progress::step();
                cancel.load(Ordering::Relaxed)
            };
            let mut outcome = solve(&problem, &mut files, &is_cancelled);
            let answer = match &mut outcome {
                Ok(Resolution::Solved(answer, terms)) => {
                    solved(answer, terms, &files, settings.threads, parsing)
                }
                Ok(Resolution::Unsolvable(verdict)) => {
                    let verdict = verdict.as_ref();
                    let lines = verdict.map_or_else(Vec::new, |verdict| verdict.lines(&problem));
                    Ok((ResolveAnswer::Unsolvable { lines }, Vec::new()))
                }
                Err(stop) => Err(stop.clone()),
            };
            let _ = result.send(answer);
            if outcome.as_ref().err() != Some(&Stop::Interrupted) {
                files.keep();
            }
        });
    };
    attend_to_result(host, &cancel, work, |host, answer| match answer {
        Ok((answer, texts)) => answered(host, &answer, &texts),
        Err(Stop::Unsolvable) => {
            let lines = Vec::new();
            answered(host, &ResolveAnswer::Unsolvable { lines }, &[])
        }
        Err(Stop::Unclear(reason)) => answered(host, &ResolveAnswer::Declined { reason }, &[]),
        Err(Stop::Interrupted) => Err(Error::Interrupted),
        Err(Stop::Outdated) => Err(Error::Internal("metadata changes all the time".to_owned())),
    })?
}

fn solved(
    answer: &mut Answer,
    terms: &mut Terms,
    files: &Files<'_>,
    threads: usize,
    parsing: Parsing,
) -> Result<(ResolveAnswer, Vec<String>), Stop> {
    let places = answer.packages.iter().filter_map(|one| one.place.clone());
    let places: Vec<MetadataPlace> = places.collect();
    let read = |pool: &ThreadPool| {
        let wholes = files.wholes(&places, pool)?;
        let constraints = match parsing {
            Parsing::Constraints => constraints::parsed(terms, &wholes, pool),
            Parsing::Nothing => Vec::new(),
        };
        Ok((wholes, constraints))
    };
    let (mut texts, constraints) =
        with_pool(threads, read).map_err(|error| Stop::Unclear(error.to_string()))??;
    let packages = take(&mut answer.packages).into_iter();
    let packages = packages.map(|package| ChosenPackage {
        name: package.name,
        version: package.version,
        repository: package.place.map(|place| place.repository),
        is_dev: package.is_dev,
    });
    let answer = ResolveAnswer::Solved {
        packages: packages.collect(),
        aliases: take(&mut answer.aliases),
        found: take(&mut answer.found),
        unasked: take(&mut answer.unasked),
        unlocked: take(&mut answer.unlocked),
        kept: take(&mut answer.kept),
        versions: answer.versions.0,
        considered: answer.versions.1,
        rules: answer.rules,
        constraints: constraints.len(),
    };
    for constraint in constraints {
        let text = serde_json::to_string(&constraint);
        texts.push(text.map_err(|error| Stop::Unclear(error.to_string()))?);
    }
    Ok((answer, texts))
}
