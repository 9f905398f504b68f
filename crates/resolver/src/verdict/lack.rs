//! What there is instead of what is wanted.

use super::super::request::{Content, Problem, is_platform};
use super::super::solve::Kept;
use super::conflict::Unmet;
use super::words;
use allegro_semver::constraint::{Terms, VersionId};
use allegro_semver::version::{Stability, stability};

/// Why nothing meets a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// No repository has the name.
    Name,
    /// There are versions, but none that fits.
    Version {
        /// The least of them.
        oldest: String,
        /// The greatest of them.
        newest: String,
    },
    /// There are versions that fit, but they are less stable than what is taken.
    Stability {
        /// The greatest of them.
        version: String,
        /// How stable it is.
        stability: String,
    },
    /// Another package stands for the name, in versions that don't fit.
    Offered {
        /// That package.
        by: String,
        /// Its version.
        version: String,
        /// What it stands for.
        constraint: String,
    },
    /// The platform has something else.
    Platform {
        /// Its version; `None`: it hasn't got it.
        has: Option<String>,
    },
    /// It is locked, and not to be updated.
    Locked {
        /// Its version.
        version: String,
    },
    /// There are versions that fit, but this run can't have them.
    Elsewhere,
}

struct Version {
    id: VersionId,
    pretty: String,
    is_acceptable: bool,
    fits: bool,
    stability: Stability,
}

/// Finds out what there is, from what was read.
pub(super) fn lack(problem: &Problem, terms: &mut Terms, kept: &Kept<'_>, unmet: &Unmet) -> Lack {
    let name = terms.name_text(unmet.name).to_owned();
    if is_platform(&name) {
        let own = problem.fixed.iter().find(|package| package.name == name);
        return Lack::Platform {
            has: own.map(|package| words::version(&package.version)),
        };
    }
    let mut locked = problem
        .locked
        .iter()
        .filter(|package| package.alias_of.is_none());
    if !problem.allow.is_empty()
        && let Some(locked) = locked.find(|package| package.name == name)
    {
        return Lack::Locked {
            version: words::version(&locked.version),
        };
    }
    if let Some((by, version, constraint)) = unmet.offer.clone() {
        return Lack::Offered {
            by,
            version,
            constraint,
        };
    }
    let mut versions = versions(problem, terms, kept, unmet, &name);
    if versions.is_empty() || !unmet.found {
        return Lack::Name;
    }
    versions.sort_by(|one, other| {
        let version = |id| terms.version_of(id);
        version(one.id).compare(version(other.id))
    });
    let fitting = || versions.iter().filter(|version| version.fits);
    if fitting().any(|version| version.is_acceptable) {
        return Lack::Elsewhere;
    }
    if let Some(best) = fitting().min_by_key(|version| version.stability) {
        let level = best.stability;
        let best = fitting().rfind(|version| version.stability == level);
        return Lack::Stability {
            version: best.map(|best| best.pretty.clone()).unwrap_or_default(),
            stability: level.text().to_owned(),
        };
    }
    // Those that the project would take, and numbers rather than names of branches, as far as there are any.
    let mut shown: Vec<&Version> = versions.iter().collect();
    let preferences: [fn(&Version, &Terms) -> bool; 2] = [
        |version, _| version.is_acceptable,
        |version, terms| !terms.version_of(version.id).is_branch(),
    ];
    for preferred in preferences {
        if shown.iter().any(|version| preferred(version, terms)) {
            shown.retain(|version| preferred(version, terms));
        }
    }
    Lack::Version {
        oldest: shown[0].pretty.clone(),
        newest: shown[shown.len() - 1].pretty.clone(),
    }
}

fn versions(
    problem: &Problem,
    terms: &mut Terms,
    kept: &Kept<'_>,
    unmet: &Unmet,
    name: &str,
) -> Vec<Version> {
    let mut flags = problem.stability_flags.iter();
    let flag = flags.find(|(own, _)| own == name).map(|(_, flag)| *flag);
    let mut found = Vec::new();
    let mut add = |terms: &Terms, id: VersionId, also: Option<VersionId>, pretty: String| {
        let level = stability(terms.version_of(id).text());
        let fits = |id| terms.fits(unmet.constraint, id);
        found.push(Version {
            id,
            pretty,
            is_acceptable: match flag {
                Some(flag) => level as u8 <= flag,
                None => problem.stabilities.contains(&(level as u8)),
            },
            fits: fits(id) || also.is_some_and(fits),
            stability: level,
        });
    };
    for metadata in kept.of(name) {
        for (at, entry) in metadata.entries.iter().enumerate() {
            let pretty = metadata.pretty(at).to_owned();
            add(terms, entry.version, entry.alias, pretty);
        }
    }
    for repository in &problem.repositories {
        let Content::List { packages } = &repository.content else {
            continue;
        };
        for package in packages.iter().filter(|package| package.name == name) {
            let id = terms.version(&package.version);
            add(terms, id, None, words::version(&package.version));
        }
    }
    found
}
