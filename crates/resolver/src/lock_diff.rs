//! Compares two states of a lock, and describes the changes for people, for pull requests and for
//! programs.

mod forge;
mod render;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use allegro_semver::version::{Dialect, Stability, Version, normalize, stability};

pub use render::LockDiffFormat;

/// The number of characters of a commit that are shown.
const SHORT: usize = 10;

/// An entry of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockEntry {
    /// Name of the package.
    pub name: String,
    /// Version as the lock writes it.
    pub version: String,
    /// Whether the entry stands in `packages-dev`.
    pub is_dev: bool,
    /// URL of the source repository.
    pub url: Option<String>,
    /// Commit of the source repository.
    pub source_reference: Option<String>,
    /// Reference of the dist.
    pub dist_reference: Option<String>,
}

impl LockEntry {
    fn reference(&self) -> Option<&str> {
        let source = self.source_reference.as_deref();
        source.or(self.dist_reference.as_deref())
    }

    /// Returns the version of the entry. Its commit follows if the version is a branch, or if the
    /// other entry has the same version.
    fn label(&self, other: Option<&Self>) -> String {
        let reference = self.reference();
        let is_branch = stability(&self.version) == Stability::Dev;
        let is_moved = other
            .is_some_and(|other| other.version == self.version && other.reference() != reference);
        match reference {
            Some(reference) if is_branch || is_moved => {
                format!("{}#{}", self.version, short(reference))
            }
            _ => self.version.clone(),
        }
    }
}

/// Returns the first characters of a commit.
fn short(reference: &str) -> &str {
    &reference[..reference.floor_char_boundary(SHORT)]
}

/// The way in which a package has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChangeKind {
    Added,
    Removed,
    Upgraded,
    Downgraded,
    /// The package has another commit, or versions that have no order.
    Changed,
    /// The package has gone from one list of the lock to the other.
    Moved,
}

impl ChangeKind {
    fn of(from: Option<&LockEntry>, to: Option<&LockEntry>) -> Option<Self> {
        let (from, to) = match (from, to) {
            (Some(from), Some(to)) => (from, to),
            (None, _) => return Some(Self::Added),
            (_, None) => return Some(Self::Removed),
        };
        if from.version == to.version {
            if from.reference() != to.reference() {
                return Some(Self::Changed);
            }
            return (from.is_dev != to.is_dev).then_some(Self::Moved);
        }
        let [old, new] = [from, to].map(|entry| {
            let normalized = normalize(Dialect::default(), &entry.version);
            normalized.map(|text| Version::new(&text))
        });
        let (Some(old), Some(new)) = (old, new) else {
            return Some(Self::Changed);
        };
        // Names of branches have no order, and "1.0" is the same version as "v1.0.0".
        if old.text() == new.text() || old.is_branch() || new.is_branch() {
            return Some(Self::Changed);
        }
        Some(if old.compare(&new).is_gt() {
            Self::Downgraded
        } else {
            Self::Upgraded
        })
    }

    fn text(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Upgraded => "upgraded",
            Self::Downgraded => "downgraded",
            Self::Changed => "changed",
            Self::Moved => "moved",
        }
    }
}

/// The change of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PackageChange {
    name: String,
    kind: ChangeKind,
    from: Option<String>,
    to: Option<String>,
    is_dev: bool,
    /// URL that compares both versions.
    compare: Option<String>,
}

/// The changes between two states of a lock, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockDiff(Vec<PackageChange>);

impl LockDiff {
    /// Compares two states of a lock. `gitlabs` are the hosts in `gitlab-domains`.
    ///
    /// If a state has two entries of the same name, the last one counts.
    pub fn between(before: &[LockEntry], after: &[LockEntry], gitlabs: &[String]) -> Self {
        let mut pairs: BTreeMap<&str, (Option<&LockEntry>, Option<&LockEntry>)> = BTreeMap::new();
        for entry in before {
            pairs.entry(&entry.name).or_default().0 = Some(entry);
        }
        for entry in after {
            pairs.entry(&entry.name).or_default().1 = Some(entry);
        }
        let changes = pairs.into_iter().filter_map(|(name, (from, to))| {
            Some(PackageChange {
                name: name.to_owned(),
                kind: ChangeKind::of(from, to)?,
                from: from.map(|entry| entry.label(to)),
                to: to.map(|entry| entry.label(from)),
                is_dev: to.or(from)?.is_dev,
                compare: from
                    .zip(to)
                    .and_then(|(from, to)| forge::link(from, to, gitlabs)),
            })
        });
        Self(changes.collect())
    }

    /// Returns the changes in a format, without a newline at the end.
    pub fn render(&self, format: LockDiffFormat) -> String {
        render::render(&self.0, format)
    }
}
