//! Searches the smallest update of a lock that mends packages with security advisories.

use super::convert::all;
use crate::protocol::mend::{
    AffectedPackage, LockedPackage, MendAnswer, MendRequest, Requirement, TrialPackage,
};
use allegro_base::error::{Error, Result};
use allegro_resolver::mending::{self, Step, Task};

/// Returns the next step of the search.
///
/// # Errors
/// A constraint has an operator that doesn't exist.
pub fn mend(request: MendRequest) -> Result<MendAnswer> {
    let results = request.results.into_iter();
    let mut results = results.map(|result| result.map(all::<TrialPackage, _>));
    let task = Task {
        locked: all(request.locked),
        requires: requirements(request.requires),
        pinned: requirements(request.pinned),
        affected: all(request.affected),
        allowed: request.allowed,
        has_policies: request.has_policies,
    };
    let step = mending::mend(&task, &mut |_| results.next());
    let step = step.ok_or_else(|| Error::Input("unknown operator in a constraint".to_owned()))?;
    Ok(match step {
        Step::Filter(candidates) => MendAnswer::Filter { candidates },
        Step::Try(trial) => MendAnswer::Try {
            packages: trial.packages,
            with: trial.with,
            prefer_lowest: trial.prefer_lowest,
            with_all_dependencies: trial.with_all_dependencies,
            ignore_policies: trial.ignore_policies,
            needs_advisories: trial.needs_advisories,
        },
        Step::Plan(plan) => MendAnswer::Plan {
            packages: plan.packages,
            with: plan.with,
            reasons: plan.reasons,
        },
    })
}

fn requirements(list: Vec<Requirement>) -> Vec<mending::Requirement> {
    let links = list.into_iter();
    let links = links.map(|(name, written, constraint)| mending::Requirement {
        name,
        written,
        constraint: constraint.into(),
    });
    links.collect()
}

impl From<LockedPackage> for mending::LockedPackage {
    fn from(package: LockedPackage) -> Self {
        Self {
            name: package.name,
            version: package.version,
            pretty: package.pretty,
            reference: package.reference,
            is_affected: package.is_affected,
            requires: requirements(package.requires),
        }
    }
}

impl From<AffectedPackage> for mending::AffectedPackage {
    fn from(package: AffectedPackage) -> Self {
        Self {
            name: package.name,
            versions: package.versions,
            parent: package.parent,
        }
    }
}

impl From<TrialPackage> for mending::TrialPackage {
    fn from(package: TrialPackage) -> Self {
        Self {
            name: package.name,
            version: package.version,
            reference: package.reference,
            is_affected: package.is_affected,
        }
    }
}
