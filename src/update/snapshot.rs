//! Packages and constraints in the form of a resolution's problem. The plugin's `Snapshot.php`
//! makes the same of Composer's objects.

use allegro_composer::Unfamiliar;
use allegro_composer::json::Json;
use allegro_composer::package::{Alias, Link, Package};
use allegro_semver::constraint::{Constraint, ConstraintId, Terms};
use allegro_semver::version::Dialect;

use crate::machine::PlatformLink;
use crate::protocol::resolve::problem::{GivenConstraint, GivenLink, GivenPackage};

/// The word for a package's own version in its links.
const SELF: &str = "self.version";

/// Reads constraints, and writes packages down.
pub struct Snapshot {
    terms: Terms,
}

impl Snapshot {
    /// Returns a snapshot for a behaviour of composer/semver.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            terms: Terms::new(dialect),
        }
    }

    /// Returns a constraint as Composer's parser reads it.
    pub fn constraint(&mut self, text: &str) -> Result<GivenConstraint, Unfamiliar> {
        let id = self.terms.parse(text);
        let id = id.ok_or_else(|| Unfamiliar(format!("the constraint {text} is invalid")))?;
        Ok(self.given(id))
    }

    fn given(&self, id: ConstraintId) -> GivenConstraint {
        let all = |parts: &[ConstraintId]| parts.iter().map(|part| self.given(*part)).collect();
        match self.terms.constraint_of(id) {
            Constraint::All => GivenConstraint::Fixed(true),
            Constraint::None => GivenConstraint::Fixed(false),
            Constraint::Single(op, version) => {
                let version = self.terms.version_of(*version).text().to_owned();
                GivenConstraint::Single(op.text().to_owned(), version)
            }
            Constraint::Multi { conjunctive, parts } if *conjunctive => {
                GivenConstraint::And { and: all(parts) }
            }
            Constraint::Multi { parts, .. } => GivenConstraint::Or { or: all(parts) },
        }
    }

    /// Returns requirements of the project.
    pub fn requirements<'l>(
        &mut self,
        links: impl IntoIterator<Item = &'l Link>,
    ) -> Result<Vec<(String, GivenConstraint)>, Unfamiliar> {
        let links = links.into_iter();
        links
            .map(|link| Ok((link.target.clone(), self.constraint(&link.constraint)?)))
            .collect()
    }

    /// Returns a package without its requirements.
    pub fn root(&mut self, package: &Package) -> Result<GivenPackage, Unfamiliar> {
        Ok(GivenPackage {
            requires: Vec::new(),
            always: true,
            ..self.package(package)?
        })
    }

    /// Returns a package with its links.
    pub fn package(&mut self, package: &Package) -> Result<GivenPackage, Unfamiliar> {
        let mut links = |key, links| self.links(package, key, links);
        Ok(GivenPackage {
            requires: links("require", &package.requires)?,
            conflicts: links("conflict", &package.conflicts)?,
            replaces: links("replace", &package.replaces)?,
            provides: links("provide", &package.provides)?,
            linked_path: is_linked(package),
            ..bare(&package.name, &package.version)
        })
    }

    fn links(
        &mut self,
        package: &Package,
        key: &str,
        links: &[Link],
    ) -> Result<Vec<GivenLink>, Unfamiliar> {
        let entries = package.entry.entries_at(key);
        let of_self = |target: &str| {
            let mut found = entries.iter().rev();
            let found = found.find(|(name, _)| name.eq_ignore_ascii_case(target));
            found.is_some_and(|(_, value)| value.as_str() == Some(SELF))
        };
        let links = links.iter();
        links
            .map(|link| {
                let constraint = self.constraint(&link.constraint)?;
                Ok((link.target.clone(), constraint, of_self(&link.target)))
            })
            .collect()
    }

    /// Returns a platform package with what it provides and replaces.
    pub fn platform(
        &mut self,
        name: &str,
        version: &str,
        provides: &[PlatformLink],
        replaces: &[PlatformLink],
    ) -> Result<GivenPackage, Unfamiliar> {
        let mut links = |links: &[PlatformLink]| -> Result<Vec<GivenLink>, Unfamiliar> {
            let links = links.iter();
            links
                .map(|link| {
                    let constraint = self.constraint(&link.constraint)?;
                    Ok((link.target.clone(), constraint, false))
                })
                .collect()
        };
        Ok(GivenPackage {
            provides: links(provides)?,
            replaces: links(replaces)?,
            always: true,
            ..bare(name, version)
        })
    }
}

/// Returns a package under another version, given its place in the list of packages
/// (`AliasPackage`, composer 2.10.2).
///
/// Requirements written as `self.version` refer to the alias version only. Other links keep the
/// package's version, and get the alias version in addition.
pub fn alias(of: &GivenPackage, place: usize, alias: &Alias, root_alias: bool) -> GivenPackage {
    let own = || GivenConstraint::Single("==".to_owned(), alias.version.clone());
    let with_own = |links: &[GivenLink]| -> Vec<GivenLink> {
        let more = links.iter().filter(|(_, _, of_self)| *of_self);
        let more = more.map(|(target, _, _)| (target.clone(), own(), false));
        links.iter().cloned().chain(more).collect()
    };
    let requires_self = of.requires.iter().any(|(_, _, of_self)| *of_self);
    let requires = of.requires.iter().map(|(target, constraint, of_self)| {
        let constraint = if *of_self { own() } else { constraint.clone() };
        (target.clone(), constraint, *of_self || requires_self)
    });
    GivenPackage {
        name: of.name.clone(),
        version: alias.version.clone(),
        alias_of: Some(place),
        root_alias,
        requires: requires.collect(),
        conflicts: with_own(&of.conflicts),
        replaces: with_own(&of.replaces),
        provides: with_own(&of.provides),
        linked_path: of.linked_path,
        always: of.always,
        ignored: of.ignored,
    }
}

fn bare(name: &str, version: &str) -> GivenPackage {
    GivenPackage {
        name: name.to_owned(),
        version: version.to_owned(),
        alias_of: None,
        root_alias: false,
        requires: Vec::new(),
        conflicts: Vec::new(),
        replaces: Vec::new(),
        provides: Vec::new(),
        linked_path: false,
        always: false,
        ignored: false,
    }
}

/// Returns whether a path repository may link the package.
fn is_linked(package: &Package) -> bool {
    let is_path = package
        .dist
        .as_ref()
        .is_some_and(|dist| dist.kind == "path");
    let options = package.entry.get("transport-options");
    let symlink = options.and_then(|options| options.get("symlink"));
    is_path && symlink != Some(&Json::Bool(false))
}
