//! Which versions an update would lock: metadata from repositories and Composer's cache, then the solver.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rayon::ThreadPool;

use super::attend::attend;
use super::constraints;
use super::metadata::Files;
use super::pool::with_pool;
use super::prepare::fetch_options;
use crate::error::{Error, Result};
use crate::fetch::{Fetcher, Queue};
use crate::report::Host;
use crate::resolve::constraint::Terms;
use crate::resolve::verdict::{self, Outcome};
use crate::resolve::version::Dialect;
use crate::resolve::{Answer, Place, Stop};
use crate::settings::Settings;
use crate::store::Store;
use crate::wire::{ChosenPackage, ResolveAnswer, ResolveRequest};

/// Makes ready what [`resolve`] needs in any case, and what takes time: the patterns of versions and constraints, some
/// 7 ms.
pub fn warm_up() {
    let mut terms = Terms::new(Dialect::default());
    // Each goes another way through the parser.
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

/// Finds out what Composer would lock.
///
/// # Errors
/// Only for an interruption and for what makes no sense; whatever isn't certain is in the answer.
pub fn resolve(request: &ResolveRequest, host: &mut dyn Host) -> Result<ResolveAnswer> {
    let settings = Settings::resolve(&request.settings)?;
    let fetcher = Fetcher::new(fetch_options(&settings, &request.http))
        .map_err(|error| Error::Input(error.to_string()))?;
    let cancel = AtomicBool::new(false);
    let over = AtomicBool::new(false);
    let documents = fetcher
        .documents()
        .map_err(|error| Error::Input(error.to_string()))?;
    // Without a store nothing is known of earlier runs.
    let store = Store::open(&settings.store).ok();
    let queue = Queue::default();
    let answer = attend(host, &cancel, |events| {
        thread::scope(|scope| {
            let store = store.as_ref();
            let ends = (&cancel, &over);
            let mut files = Files::new(scope, request, store, &documents, &queue, ends, events)?;
            let is_cancelled = || cancel.load(Ordering::Relaxed);
            let outcome = verdict::solve(&request.problem, &mut files, &is_cancelled);
            if outcome.as_ref().err() != Some(&Stop::Interrupted) {
                files.keep();
            }
            match outcome? {
                Outcome::Solved(answer, terms) => solved(answer, terms, &files, settings.threads),
                Outcome::Unsolvable(verdict) => Ok(ResolveAnswer::Unsolvable { verdict }),
            }
        })
    })?;
    match answer {
        Ok(answer) => Ok(answer),
        Err(Stop::Interrupted) => Err(Error::Interrupted),
        Err(Stop::Unsolvable) => Ok(ResolveAnswer::Unsolvable { verdict: None }),
        Err(Stop::Outdated) => Err(Error::Internal("metadata changes all the time".to_owned())),
        Err(Stop::Unclear(reason)) => Ok(ResolveAnswer::Declined { reason }),
    }
}

fn solved(
    answer: Answer,
    mut terms: Box<Terms>,
    files: &Files<'_>,
    threads: usize,
) -> Result<ResolveAnswer, Stop> {
    let places = answer.packages.iter().filter_map(|one| one.place.clone());
    let places: Vec<Place> = places.collect();
    let read = |pool: &ThreadPool| {
        let wholes = files.wholes(&places, pool)?;
        let constraints = constraints::parsed(&mut terms, &wholes, pool);
        Ok((wholes, constraints))
    };
    let (wholes, constraints) =
        with_pool(threads, read).map_err(|error| Stop::Unclear(error.to_string()))??;
    let mut wholes = wholes.into_iter();
    let packages = answer.packages.into_iter().map(|package| {
        let repository = package.place.map(|place| place.repository);
        ChosenPackage {
            name: package.name,
            version: package.version,
            metadata: repository.and_then(|_| wholes.next()),
            repository,
            is_dev: package.is_dev,
        }
    });
    Ok(ResolveAnswer::Solved {
        packages: packages.collect(),
        aliases: answer.aliases,
        found: answer.found,
        unasked: answer.unasked,
        unlocked: answer.unlocked,
        kept: answer.kept,
        versions: answer.versions.0,
        considered: answer.versions.1,
        rules: answer.rules,
        constraints,
    })
}
