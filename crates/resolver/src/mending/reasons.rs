//! The reasons that are told for a package that stays affected.

use super::search::Search;
use super::{AffectedPackage, Requirement, allows};

/// The reason why a package may stay affected.
pub(super) enum Reason {
    /// The reason is known without trials.
    Known(String),
    /// Nothing was found against this version, as it is written, before it was tried.
    Unknown(String),
}

/// Returns the reason why a package may stay affected, as far as the lock and composer.json tell.
pub(super) fn reason(search: &mut Search<'_>, affected: &AffectedPackage) -> Reason {
    let name = affected.name.as_str();
    let locked = search.locked.get(name);
    if locked.is_some_and(|locked| locked.is_branch()) {
        return Reason::Known(format!(
            "a branch is locked; its newest commit comes with `composer resolve {name}`"
        ));
    }
    let mut lists = search.candidates.iter();
    let candidates = lists.find(|one| one.name == name);
    let pretty = |version: &String| {
        let mut versions = affected.versions.iter();
        let found = versions.find(|(normalized, _)| normalized == version);
        found.map_or_else(String::new, |(_, pretty)| pretty.clone())
    };
    let lowest = candidates.and_then(|one| one.versions.first());
    let Some(lowest) = lowest.cloned() else {
        let refused = candidates.and_then(|one| one.refused.as_ref());
        return Reason::Known(match (refused, &affected.parent) {
            (Some(refused), _) => format!(
                "{} would do, but a policy of this project keeps it out (config.policy)",
                pretty(refused)
            ),
            (None, Some(parent)) => {
                format!("its version is that of {parent}, mend it there first")
            }
            (None, None) => {
                "the repositories have no newer version that is not affected".to_owned()
            }
        });
    };
    let version = pretty(&lowest);
    let mut excludes = |link: &&Requirement| {
        let constraint = link.constraint.id(&mut search.terms);
        link.name == name && constraint.is_some_and(|one| !allows(&mut search.terms, one, &lowest))
    };
    let task = search.task;
    if let Some(link) = task.requires.iter().find(&mut excludes) {
        return Reason::Known(excluded(&version, "composer.json", link));
    }
    for package in &task.locked {
        if let Some(link) = package.requires.iter().find(&mut excludes) {
            let owner = format!("{} {}", package.name, package.pretty);
            return Reason::Known(excluded(&version, &owner, link));
        }
    }
    Reason::Unknown(version)
}

fn excluded(version: &str, owner: &str, link: &Requirement) -> String {
    format!("{version} would do, but {owner} requires {}", link.written)
}

/// Returns the reason for a package that trials could not mend.
pub(super) fn after_trials(name: &str, version: &str, is_held: bool) -> String {
    if is_held {
        return format!(
            "{version} would do, but policies of this project (config.policy) keep out what it needs"
        );
    }
    format!("{version} would do, but can not be had here (composer why-not {name} {version})")
}
