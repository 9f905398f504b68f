//! Which versions an update would lock: metadata from repositories and Composer's cache, then the solver.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::attend::attend;
use super::metadata::Files;
use super::prepare::fetch_options;
use crate::error::{Error, Result};
use crate::fetch::Fetcher;
use crate::report::Host;
use crate::resolve::verdict::{self, Outcome};
use crate::resolve::{Answer, Stop};
use crate::settings::Settings;
use crate::wire::{ChosenPackage, ResolveAnswer, ResolveRequest};

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
    let result = attend(host, &cancel, |events| {
        thread::scope(|scope| {
            let mut files = Files::new(scope, request, &documents, &cancel, &over, events);
            verdict::solve(&request.problem, &mut files, &|| {
                cancel.load(Ordering::Relaxed)
            })
        })
    })?;
    Ok(match result {
        Ok(Outcome::Solved(answer)) => solved(answer),
        Ok(Outcome::Unsolvable(verdict)) => ResolveAnswer::Unsolvable { verdict },
        Err(Stop::Interrupted) => return Err(Error::Interrupted),
        Err(Stop::Unsolvable) => ResolveAnswer::Unsolvable { verdict: None },
        Err(Stop::Unclear(reason)) => ResolveAnswer::Declined { reason },
    })
}

fn solved(answer: Answer) -> ResolveAnswer {
    let packages = answer.packages.into_iter().map(|package| {
        let (repository, metadata) = package.metadata.unzip();
        ChosenPackage {
            name: package.name,
            version: package.version,
            repository,
            metadata: metadata.map(|text| text.get().to_owned()),
            is_dev: package.is_dev,
        }
    });
    ResolveAnswer::Solved {
        packages: packages.collect(),
        aliases: answer.aliases,
        found: answer.found,
        unlocked: answer.unlocked,
        kept: answer.kept,
        versions: answer.versions.0,
        considered: answer.versions.1,
        rules: answer.rules,
    }
}
