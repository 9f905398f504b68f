//! Packages as the solver sees them: a name, a version, and links to other packages.

use std::rc::Rc;

#[cfg(test)]
use serde::{Deserialize, Serialize};
use serde_json::Value;
use smallvec::{SmallVec, smallvec};

use allegro_semver::constraint::{Constraint, ConstraintId, NameId, Op, Terms, VersionId};
use allegro_semver::version::{
    DEFAULT_BRANCH_ALIAS, Stability, normalize_branch, numeric_alias_prefix, stability,
};

/// Index of a package in [`Packages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageId(pub u32);

/// A link to another package: requirement, conflict, replacement or provision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Name of the other package.
    pub target: NameId,
    /// The versions of the other package that the link concerns.
    pub constraint: ConstraintId,
    /// Whether the constraint is written as `self.version`.
    pub of_self: bool,
}

/// All links of a package. Each list is in the order of the package.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// `require`
    pub requires: Vec<Link>,
    /// `conflict`
    pub conflicts: Vec<Link>,
    /// `replace`
    pub replaces: Vec<Link>,
    /// `provide`
    pub provides: Vec<Link>,
}

/// The origin of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageOrigin {
    /// Composer loaded the package. The number is its place among all given packages.
    Given(u32),
    /// A metadata file has the package: index of repository, file and entry.
    Metadata(u32, u32, u32),
    /// A root requirement makes this alias.
    RootAlias,
}

/// A version of a package, or an alias of one.
#[derive(Debug, Clone)]
pub struct Package {
    /// Name of the package.
    pub name: NameId,
    /// Normalized version.
    pub version: VersionId,
    /// Stability of the version.
    pub stability: Stability,
    /// The package that this one is an alias of.
    pub alias_of: Option<PackageId>,
    /// Whether a root requirement makes the alias.
    pub root_alias: bool,
    /// Whether requirements of an alias are written as `self.version`, and so differ from those of
    /// its package (`AliasPackage::hasSelfVersionRequires`, Composer 2.5.5).
    pub requires_self: bool,
    /// Links to other packages.
    pub links: Rc<Links>,
    /// The origin of the package.
    pub origin: PackageOrigin,
    /// Whether the package has a type that is left out.
    pub ignored: bool,
}

impl Package {
    /// Returns all names of the package: its own, those that it replaces and, if `provided`, those
    /// that it provides (`BasePackage::getNames`, Composer 2.5.5).
    pub fn names(&self, provided: bool) -> SmallVec<[NameId; 4]> {
        let mut names = smallvec![self.name];
        let offers = if provided {
            self.links.provides.as_slice()
        } else {
            &[]
        };
        for link in offers.iter().chain(&self.links.replaces) {
            if !names.contains(&link.target) {
                names.push(link.target);
            }
        }
        names
    }
}

/// All packages that a resolution has met.
#[derive(Debug, Default)]
pub struct Packages {
    list: Vec<Package>,
}

impl std::ops::Index<PackageId> for Packages {
    type Output = Package;

    fn index(&self, id: PackageId) -> &Package {
        &self.list[id.0 as usize]
    }
}

impl Packages {
    /// Adds a package.
    pub fn add(&mut self, package: Package) -> PackageId {
        let id = PackageId(u32::try_from(self.list.len()).expect("fewer than 2^32 packages"));
        self.list.push(package);
        id
    }

    /// Returns all packages, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = PackageId> + use<> {
        (0..u32::try_from(self.list.len()).expect("fewer than 2^32 packages")).map(PackageId)
    }

    /// Returns the number of packages.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns whether there are no packages.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds an alias (constructor of `AliasPackage`, Composer 2.5.5).
    ///
    /// Requirements written as `self.version` refer to the alias version only. Such conflicts,
    /// replacements and provisions keep the package's version, and get the alias version in
    /// addition.
    pub fn alias(
        &mut self,
        terms: &mut Terms,
        of: PackageId,
        version: VersionId,
        origin: PackageOrigin,
    ) -> PackageId {
        let base = self[of].clone();
        let own = terms.constraint(Constraint::Single(Op::Eq, version));
        let with_own = |links: &[Link]| -> Vec<Link> {
            let more = links.iter().filter(|link| link.of_self).map(|link| Link {
                constraint: own,
                ..*link
            });
            links.iter().copied().chain(more).collect()
        };
        let requires_self = base.links.requires.iter().any(|link| link.of_self);
        let any_self = [
            &base.links.requires,
            &base.links.conflicts,
            &base.links.replaces,
            &base.links.provides,
        ]
        .into_iter()
        .flatten()
        .any(|link| link.of_self);
        let links = if any_self {
            Rc::new(Links {
                requires: base
                    .links
                    .requires
                    .iter()
                    .map(|link| {
                        if link.of_self {
                            Link {
                                constraint: own,
                                ..*link
                            }
                        } else {
                            *link
                        }
                    })
                    .collect(),
                conflicts: with_own(&base.links.conflicts),
                replaces: with_own(&base.links.replaces),
                provides: with_own(&base.links.provides),
            })
        } else {
            Rc::clone(&base.links)
        };
        let stability = stability(terms.version_of(version).text());
        self.add(Package {
            version,
            stability,
            alias_of: Some(of),
            root_alias: origin == PackageOrigin::RootAlias,
            requires_self,
            links,
            origin,
            ..base
        })
    }
}

/// A constraint as Composer gives it: its object, written out.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(Deserialize, Serialize), serde(untagged))]
pub enum GivenConstraint {
    /// One comparison, such as `["==", "1.0.0.0"]`.
    Single(String, String),
    /// A conjunction: `{"and": […]}`.
    And {
        /// Two or more constraints.
        and: Vec<GivenConstraint>,
    },
    /// A disjunction: `{"or": […]}`.
    Or {
        /// Two or more constraints.
        or: Vec<GivenConstraint>,
    },
    /// `true` matches everything; `false` matches nothing.
    Fixed(bool),
}

impl GivenConstraint {
    /// Returns a constraint as the plugin would send it.
    pub(super) fn of(terms: &Terms, id: ConstraintId) -> Self {
        match terms.constraint_of(id) {
            Constraint::All => Self::Fixed(true),
            Constraint::None => Self::Fixed(false),
            Constraint::Single(op, version) => {
                let version = terms.version_of(*version).text().to_owned();
                Self::Single(op.text().to_owned(), version)
            }
            Constraint::Multi { conjunctive, parts } => {
                let parts = parts.iter().map(|part| Self::of(terms, *part)).collect();
                if *conjunctive {
                    Self::And { and: parts }
                } else {
                    Self::Or { or: parts }
                }
            }
        }
    }

    /// Returns the number of the constraint; `None` if it has an unknown operator.
    pub fn id(&self, terms: &mut Terms) -> Option<ConstraintId> {
        Some(match self {
            Self::Single(op, version) => terms.single(Op::of(op)?, version),
            Self::Fixed(true) => terms.constraint(Constraint::All),
            Self::Fixed(false) => terms.constraint(Constraint::None),
            Self::And { and: parts } | Self::Or { or: parts } => {
                let conjunctive = matches!(self, Self::And { .. });
                let ids = parts
                    .iter()
                    .map(|part| part.id(terms))
                    .collect::<Option<Vec<_>>>()?;
                terms.multi(conjunctive, &ids)
            }
        })
    }
}

/// A link as Composer gives it: target, constraint, and whether it is written as `self.version`.
pub type GivenLink = (String, GivenConstraint, bool);

/// A package that Composer has loaded itself.
#[derive(Debug, Clone, Default)]
#[cfg_attr(test, derive(Deserialize), serde(default, deny_unknown_fields))]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub struct GivenPackage {
    /// Name of the package.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// For an alias, the place of its package in the same list.
    pub alias_of: Option<usize>,
    /// Whether a root requirement makes the alias.
    pub root_alias: bool,
    /// `require`
    pub requires: Vec<GivenLink>,
    /// `conflict`
    pub conflicts: Vec<GivenLink>,
    /// `replace`
    pub replaces: Vec<GivenLink>,
    /// `provide`
    pub provides: Vec<GivenLink>,
    /// Whether a path repository has the package as a symlink. Such a package is never loaded from
    /// the lock.
    pub linked_path: bool,
    /// Whether the package is the project or part of the platform, which are loaded whatever their
    /// stability.
    pub always: bool,
    /// Whether the package has a type that is left out.
    pub ignored: bool,
}

/// Adds packages that Composer has loaded; `first` is the place of their first among all given
/// packages. Returns `None` if a constraint or an alias is invalid.
pub fn add_given(
    terms: &mut Terms,
    packages: &mut Packages,
    given: &[GivenPackage],
    first: usize,
) -> Option<Vec<PackageId>> {
    let mut ids: Vec<PackageId> = Vec::with_capacity(given.len());
    let base = packages.len();
    for (at, package) in given.iter().enumerate() {
        let mut links = |given: &[GivenLink]| -> Option<Vec<Link>> {
            given
                .iter()
                .map(|(target, constraint, of_self)| {
                    Some(Link {
                        target: terms.name(target),
                        constraint: constraint.id(terms)?,
                        of_self: *of_self,
                    })
                })
                .collect()
        };
        let links = Links {
            requires: links(&package.requires)?,
            conflicts: links(&package.conflicts)?,
            replaces: links(&package.replaces)?,
            provides: links(&package.provides)?,
        };
        let requires_self = links.requires.iter().any(|link| link.of_self);
        let alias_of = match package.alias_of {
            // An alias may precede the package that it aliases.
            Some(of) if of < given.len() => Some(PackageId(u32::try_from(base + of).ok()?)),
            Some(_) => return None,
            None => None,
        };
        ids.push(packages.add(Package {
            name: terms.name(&package.name),
            version: terms.version(&package.version),
            stability: stability(&package.version),
            alias_of,
            root_alias: package.root_alias,
            requires_self,
            links: Rc::new(links),
            origin: PackageOrigin::Given(u32::try_from(first + at).ok()?),
            ignored: package.ignored,
        }));
    }
    Some(ids)
}

/// Returns the normalized alias of a branch, if it has one (`ArrayLoader::getBranchAlias`,
/// Composer 2.5.5).
pub fn branch_alias(version: &str, extra: Option<&Value>, is_default: bool) -> Option<String> {
    if !version.starts_with("dev-") && !version.ends_with("-dev") {
        return None;
    }
    let aliases = extra
        .and_then(|extra| extra.get("branch-alias"))
        .and_then(Value::as_object);
    for (source, target) in aliases.into_iter().flatten() {
        let Some(target) = target.as_str() else {
            continue;
        };
        let Some(number) = target.strip_suffix("-dev") else {
            continue;
        };
        let validated = if target == DEFAULT_BRANCH_ALIAS {
            target.to_owned()
        } else {
            normalize_branch(number)
        };
        if !validated.ends_with("-dev") || !version.eq_ignore_ascii_case(source) {
            continue;
        }
        if let (Some(own), Some(other)) =
            (numeric_alias_prefix(source), numeric_alias_prefix(target))
        {
            let fits = other
                .get(..own.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(&own));
            if !fits {
                continue;
            }
        }
        return Some(validated);
    }
    let bare = version.strip_prefix('v').unwrap_or(version);
    (is_default && numeric_alias_prefix(bare).is_none()).then(|| DEFAULT_BRANCH_ALIAS.to_owned())
}
