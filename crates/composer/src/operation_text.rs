//! The lines in which Composer describes operations, with its formatting tags.

use std::cmp::Ordering;

use allegro_semver::version::{DEFAULT_BRANCH_ALIAS, Version};

use crate::dialect::Dialect;
use crate::package::{Package, Place};

/// The reference that is shown beside a version.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The reference of development versions only.
    IfDev,
    Source,
    Dist,
}

/// Returns the version as Composer shows it, with the reference of a development version
/// (`BasePackage::getFullPrettyVersion`, composer 2.10.2).
pub fn full_pretty_version(package: &Package, dialect: Dialect) -> String {
    shown_version(package, Shown::IfDev, dialect)
}

/// Returns the description of an installation (`InstallOperation::format`).
pub fn install_text(package: &Package, dialect: Dialect) -> String {
    format!(
        "Installing <info>{}</info> (<comment>{}</comment>)",
        package.pretty_name,
        full_pretty_version(package, dialect)
    )
}

/// Returns the description of a removal (`UninstallOperation::format`).
pub fn uninstall_text(package: &Package, dialect: Dialect) -> String {
    format!(
        "Removing <info>{}</info> (<comment>{}</comment>)",
        package.pretty_name,
        full_pretty_version(package, dialect)
    )
}

/// Returns the description of an update (`UpdateOperation::format`).
pub fn update_text(from: &Package, to: &Package, dialect: Dialect) -> String {
    let shown = |package| full_pretty_version(package, dialect);
    let (mut before, mut after) = (shown(from), shown(to));
    if before == after {
        let how = if reference(from.source.as_ref()) != reference(to.source.as_ref()) {
            Some(Shown::Source)
        } else if reference(from.dist.as_ref()) != reference(to.dist.as_ref()) {
            Some(Shown::Dist)
        } else {
            None
        };
        if let Some(how) = how {
            let shown = |package| shown_version(package, how, dialect);
            (before, after) = (shown(from), shown(to));
        }
    }
    let verb = if is_upgrade(&from.version, &to.version) {
        "Upgrading"
    } else {
        "Downgrading"
    };
    format!(
        "{verb} <info>{}</info> (<comment>{before}</comment> => <comment>{after}</comment>)",
        from.pretty_name
    )
}

fn reference(place: Option<&Place>) -> Option<&str> {
    place.and_then(|place| place.reference.as_deref())
}

fn shown_version(package: &Package, shown: Shown, dialect: Dialect) -> String {
    let kind = package.source.as_ref().map(|source| source.kind.as_str());
    let of_source = reference(package.source.as_ref());
    let of_dist = reference(package.dist.as_ref());
    let filled = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    let version = package.pretty_version.clone();
    let found = match shown {
        Shown::IfDev => {
            let has_vcs = matches!(kind, Some("hg" | "git"));
            let has_dist = dialect.shows_dists && !filled(kind) && filled(of_dist);
            if !package.is_dev() || (!has_vcs && !has_dist) {
                return version;
            }
            if filled(of_source) || !dialect.shows_dists {
                of_source
            } else {
                of_dist
            }
        }
        Shown::Source => of_source,
        Shown::Dist => of_dist,
    };
    match found {
        None => version,
        Some(commit) if commit.len() == 40 && kind != Some("svn") && commit.is_char_boundary(7) => {
            format!("{version} {}", &commit[..7])
        }
        Some(other) => format!("{version} {other}"),
    }
}

/// Returns whether the second version counts as newer (`VersionParser::isUpgrade`).
fn is_upgrade(from: &str, to: &str) -> bool {
    fn named(version: &str) -> &str {
        match version {
            "dev-master" | "dev-trunk" | "dev-default" => DEFAULT_BRANCH_ALIAS,
            other => other,
        }
    }
    let (from, to) = (named(from), named(to));
    from == to
        || from.starts_with("dev-")
        || to.starts_with("dev-")
        || Version::new(from).compare(&Version::new(to)) != Ordering::Greater
}
