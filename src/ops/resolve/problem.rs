//! Converts the protocol's problem into the solver's. Values move, so that a large problem is not
//! copied.

use super::super::convert::all;
use crate::protocol::resolve::problem::{
    Content, Dialect, GivenConstraint, GivenLink, GivenPackage, OverriddenPlatform, PlatformFilter,
    Problem, Reach, Repository,
};
use allegro_resolver::{package, request};
use allegro_semver::version;

impl From<Problem> for request::Problem {
    fn from(problem: Problem) -> Self {
        Self {
            dialect: problem.dialect.into(),
            requires: named(problem.requires),
            requires_without_dev: problem.requires_without_dev.map(named),
            fixed: all(problem.fixed),
            locked: all(problem.locked),
            allow: problem.allow,
            reach: problem.reach.into(),
            repositories: all(problem.repositories),
            stabilities: problem.stabilities,
            stability_flags: problem.stability_flags,
            root_aliases: problem.root_aliases,
            temporary: named(problem.temporary),
            platform: problem.platform.into(),
            prefer_stable: problem.prefer_stable,
            prefer_lowest: problem.prefer_lowest,
            prefer_dev_over_prerelease: problem.prefer_dev_over_prerelease,
            preferred: problem.preferred,
            ignored_types: problem.ignored_types,
            allowed_types: problem.allowed_types,
            batch: problem.batch,
            temporary_for_all_names: problem.temporary_for_all_names,
            replaced_if_required: problem.replaced_if_required,
            aliases_of_unlocked_paths: problem.aliases_of_unlocked_paths,
            optimize: problem.optimize,
            written: problem.written,
            overridden: all(problem.overridden),
        }
    }
}

impl From<OverriddenPlatform> for request::OverriddenPlatform {
    fn from(overridden: OverriddenPlatform) -> Self {
        Self {
            name: overridden.name,
            real: overridden.real,
        }
    }
}

fn named(list: Vec<(String, GivenConstraint)>) -> Vec<(String, package::GivenConstraint)> {
    list.into_iter()
        .map(|(name, constraint)| (name, constraint.into()))
        .collect()
}

fn links(list: Vec<GivenLink>) -> Vec<package::GivenLink> {
    list.into_iter()
        .map(|(target, constraint, of_self)| (target, constraint.into(), of_self))
        .collect()
}

impl From<Dialect> for version::Dialect {
    fn from(dialect: Dialect) -> Self {
        Self {
            long_dates: dialect.long_dates,
            rc_is_a_modifier: dialect.rc_is_a_modifier,
            points_need_branches: dialect.points_need_branches,
            zero_is_least: dialect.zero_is_least,
        }
    }
}

impl From<Reach> for request::Reach {
    fn from(reach: Reach) -> Self {
        match reach {
            Reach::Listed => Self::Listed,
            Reach::Dependencies => Self::Dependencies,
            Reach::AllDependencies => Self::AllDependencies,
        }
    }
}

impl From<PlatformFilter> for request::PlatformFilter {
    fn from(filter: PlatformFilter) -> Self {
        Self {
            all: filter.all,
            names: filter.names,
            upper_bounds: filter.upper_bounds,
        }
    }
}

impl From<Repository> for request::Repository {
    fn from(repository: Repository) -> Self {
        Self {
            content: repository.content.into(),
            only: repository.only,
            exclude: repository.exclude,
            canonical: repository.canonical,
        }
    }
}

impl From<Content> for request::Content {
    fn from(content: Content) -> Self {
        match content {
            Content::Fixed => Self::Fixed,
            Content::List { packages } => Self::List {
                packages: all(packages),
            },
            Content::Metadata {
                available,
                available_patterns,
            } => Self::Metadata {
                available,
                available_patterns,
            },
        }
    }
}

impl From<GivenPackage> for package::GivenPackage {
    fn from(package: GivenPackage) -> Self {
        Self {
            name: package.name,
            version: package.version,
            alias_of: package.alias_of,
            root_alias: package.root_alias,
            requires: links(package.requires),
            conflicts: links(package.conflicts),
            replaces: links(package.replaces),
            provides: links(package.provides),
            linked_path: package.linked_path,
            always: package.always,
            ignored: package.ignored,
        }
    }
}

impl From<GivenConstraint> for package::GivenConstraint {
    fn from(constraint: GivenConstraint) -> Self {
        match constraint {
            GivenConstraint::Single(op, version) => Self::Single(op, version),
            GivenConstraint::And { and } => Self::And { and: all(and) },
            GivenConstraint::Or { or } => Self::Or { or: all(or) },
            GivenConstraint::Fixed(all) => Self::Fixed(all),
        }
    }
}
