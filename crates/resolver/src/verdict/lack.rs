//! Finds the reason why nothing meets a requirement.

use super::super::request::{Content, Problem};
use super::super::solve::Kept;
use super::conflict::Unmet;
use super::words;
use allegro_composer::package::is_platform;
use allegro_semver::constraint::{Terms, VersionId};
use allegro_semver::version::{Stability, stability};

/// The reason why nothing meets a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lack {
    /// No repository has the name.
    Name,
    /// The package has versions, but none of them fits.
    Version {
        /// The lowest of these versions.
        oldest: String,
        /// The highest of these versions.
        newest: String,
    },
    /// The package has versions that fit, but the project does not accept their stability.
    Stability {
        /// The highest of the most stable versions that fit.
        version: String,
        /// Stability of that version.
        stability: String,
    },
    /// Another package stands for the name, in versions that don't fit.
    Offered {
        /// Name of the other package.
        by: String,
        /// Version of the other package.
        version: String,
        /// Versions of the name that the other package stands for, as a constraint.
        constraint: String,
    },
    /// The platform has another version of the package, or lacks it.
    Platform {
        /// Version that the platform has; `None` if it lacks the package.
        has: Option<String>,
    },
    /// The package is locked, and the run does not update it.
    Locked {
        /// Locked version.
        version: String,
    },
    /// The package has versions that fit, but this run leaves them out.
    Elsewhere,
}

struct Version {
    id: VersionId,
    pretty: String,
    is_acceptable: bool,
    fits: bool,
    stability: Stability,
}

/// Returns the reason why nothing meets a requirement, from the metadata that was read.
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
    // The versions that the project accepts are shown, and no branches, if such versions exist.
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
