//! Checks whether the packages of a lock can be installed on the machine.
//!
//! The check answers the question that Composer puts to its solver before it installs from a lock
//! (`Installer::doInstall`, composer 2.10.2). All packages are fixed then, so nothing has to be
//! chosen. In doubt the answer is [`Verdict::NotMet`]; Composer then decides, and finds the words.

use std::collections::HashMap;

use allegro_composer::package::{Link, Package, is_platform};
use allegro_semver::constraint::{Constraint, ConstraintId, NameId, Op, Terms, VersionId};
use allegro_semver::version::{self, Stability};

mod ignored;
mod known;
mod question;

pub use ignored::Ignored;
pub use question::{Question, Root, RootAlias, Verdict};

use known::Known;

type Doubt = String;

/// Answers whether the packages of a lock fit together, fit the root package's requirements
/// (`Locker::getMissingRequirementInfo`, composer 2.10.2) and fit the machine.
pub fn check(question: &Question<'_>) -> Verdict {
    match Check::of(question).and_then(|mut check| check.run()) {
        Ok(()) => Verdict::Met,
        Err(reason) => Verdict::NotMet(reason),
    }
}

/// A package that is fixed, or an alias of one.
struct Fixed<'a> {
    name: NameId,
    version: VersionId,
    requires: Vec<(&'a str, ConstraintId)>,
    conflicts: Vec<(&'a str, Conflict<'a>)>,
    is_alias: bool,
    is_locked: bool,
    is_dev: bool,
    label: &'a str,
}

/// The versions that a package conflicts with.
#[derive(Clone, Copy)]
enum Conflict<'a> {
    /// A constraint. Most are about packages that are absent, so it is parsed when it is needed.
    Text(&'a str),
    Parsed(ConstraintId),
}

fn unparsed(links: &[Link]) -> Vec<(&str, Conflict<'_>)> {
    links
        .iter()
        .map(|link| (link.target.as_str(), Conflict::Text(&link.constraint)))
        .collect()
}

/// A name under which a package is available.
struct Offer {
    package: usize,
    constraint: ConstraintId,
    /// The package's version, if the name is the package's own.
    own: Option<VersionId>,
    /// Whether other packages with this name are excluded.
    is_exclusive: bool,
}

struct Check<'a> {
    question: &'a Question<'a>,
    terms: Terms,
    fixed: Vec<Fixed<'a>>,
    offers: HashMap<NameId, Vec<Offer>>,
}

impl<'a> Check<'a> {
    fn of(question: &'a Question<'a>) -> Result<Self, Doubt> {
        let mut check = Self {
            question,
            terms: Terms::new(question.dialect),
            fixed: Vec::new(),
            offers: HashMap::new(),
        };
        check.add_root()?;
        for package in Known::of(&mut check.terms, question)? {
            check.add_platform(&package)?;
        }
        let dev: &[Package] = if question.dev {
            question.dev_packages
        } else {
            &[]
        };
        for (package, is_dev) in question
            .packages
            .iter()
            .map(|package| (package, false))
            .chain(dev.iter().map(|package| (package, true)))
        {
            check.add_locked(package, is_dev)?;
        }
        Ok(check)
    }

    fn run(&mut self) -> Result<(), Doubt> {
        self.check_root_requires()?;
        self.check_stability()?;
        for index in 0..self.fixed.len() {
            for (target, constraint) in std::mem::take(&mut self.fixed[index].requires) {
                if !self.is_met(target, constraint) {
                    let label = self.fixed[index].label;
                    return Err(format!("{label} requires {target}"));
                }
            }
        }
        let question = self.question;
        let root = question.root;
        let dev = |links: &'a [Link]| if question.dev { links } else { &[] };
        let platform = [
            root.requires,
            dev(root.dev_requires),
            question.platform_requires,
            dev(question.dev_platform_requires),
        ];
        for link in platform.into_iter().flatten() {
            if is_platform(&link.target) {
                let constraint = self.parsed(&link.constraint)?;
                if !self.is_met(&link.target, constraint) {
                    return Err(format!("the project requires {}", link.target));
                }
            }
        }
        self.check_conflicts()
    }

    fn parsed(&mut self, constraint: &str) -> Result<ConstraintId, Doubt> {
        self.terms
            .parse(constraint)
            .ok_or_else(|| format!("the constraint {constraint} is invalid"))
    }

    fn links(&mut self, links: &'a [Link]) -> Result<Vec<(&'a str, ConstraintId)>, Doubt> {
        links
            .iter()
            .map(|link| Ok((link.target.as_str(), self.parsed(&link.constraint)?)))
            .collect()
    }

    fn offer(&mut self, name: NameId, offer: Offer) {
        self.offers.entry(name).or_default().push(offer);
    }

    fn add_root(&mut self) -> Result<(), Doubt> {
        let root = self.question.root;
        if root
            .provides
            .iter()
            .chain(root.replaces)
            .any(|link| is_platform(&link.target))
        {
            // Composer then leaves out packages of the machine.
            return Err("the project provides a platform package".to_owned());
        }
        let fixed = Fixed {
            name: self.terms.name(root.name),
            version: self.terms.version(root.version),
            requires: Vec::new(),
            conflicts: unparsed(root.conflicts),
            is_alias: false,
            is_locked: false,
            is_dev: false,
            label: root.name,
        };
        let provides = self.links(root.provides)?;
        let replaces = self.links(root.replaces)?;
        let alias = root.alias.map(|version| Fixed {
            version: self.terms.version(version),
            requires: Vec::new(),
            conflicts: Vec::new(),
            is_alias: true,
            ..fixed
        });
        self.add(fixed, &provides, &replaces);
        if let Some(alias) = alias {
            self.add(alias, &[], &[]);
        }
        Ok(())
    }

    fn add_platform(&mut self, package: &Known<'a>) -> Result<(), Doubt> {
        let fixed = Fixed {
            name: self.terms.name(&package.name),
            version: package.version,
            requires: Vec::new(),
            conflicts: Vec::new(),
            is_alias: false,
            is_locked: false,
            is_dev: false,
            label: "the platform",
        };
        let mut parsed = |links: &'a [super::PlatformLink]| {
            links
                .iter()
                .map(|link| Ok((link.target.as_str(), self.parsed(&link.constraint)?)))
                .collect::<Result<Vec<_>, Doubt>>()
        };
        let (provides, replaces) = (parsed(package.provides)?, parsed(package.replaces)?);
        self.add(fixed, &provides, &replaces);
        Ok(())
    }

    fn add_locked(&mut self, package: &'a Package, is_dev: bool) -> Result<(), Doubt> {
        let fixed = Fixed {
            name: self.terms.name(&package.name),
            version: self.terms.version(&package.version),
            requires: self.links(&package.requires)?,
            conflicts: unparsed(&package.conflicts),
            is_alias: false,
            is_locked: true,
            is_dev,
            label: &package.name,
        };
        let provides = self.links(&package.provides)?;
        let replaces = self.links(&package.replaces)?;
        self.add(fixed, &provides, &replaces);
        let of_root = self
            .question
            .aliases
            .iter()
            .filter(|alias| alias.package == package.name)
            .map(|alias| alias.version);
        let own = package.alias.as_ref().map(|alias| alias.version.as_str());
        for version in own.into_iter().chain(of_root) {
            self.add_alias(package, version, is_dev)?;
        }
        Ok(())
    }

    /// Adds a package under another version, which replaces `self.version` in its links
    /// (`AliasPackage::replaceSelfVersionDependencies`, composer 2.10.2).
    fn add_alias(
        &mut self,
        package: &'a Package,
        version: &str,
        is_dev: bool,
    ) -> Result<(), Doubt> {
        let version = self.terms.version(version);
        let exactly = self.terms.constraint(Constraint::Single(Op::Eq, version));
        let own = |key: &'static str, links: &'a [Link]| {
            let names: Vec<String> = package
                .entry
                .entries_at(key)
                .iter()
                .filter(|(_, value)| value.as_str() == Some("self.version"))
                .map(|(name, _)| name.to_lowercase())
                .collect();
            links
                .iter()
                .filter(move |link| names.contains(&link.target))
                .map(move |link| (link.target.as_str(), exactly))
        };
        let requires: Vec<_> = own("require", &package.requires).collect();
        // The package itself has the conflicts without `self.version` already.
        let conflicts = own("conflict", &package.conflicts)
            .map(|(target, exactly)| (target, Conflict::Parsed(exactly)))
            .collect();
        let mut provides = self.links(&package.provides)?;
        provides.extend(own("provide", &package.provides));
        let mut replaces = self.links(&package.replaces)?;
        replaces.extend(own("replace", &package.replaces));
        let fixed = Fixed {
            name: self.terms.name(&package.name),
            version,
            requires,
            conflicts,
            is_alias: true,
            is_locked: true,
            is_dev,
            label: &package.name,
        };
        self.add(fixed, &provides, &replaces);
        Ok(())
    }

    fn add(
        &mut self,
        fixed: Fixed<'a>,
        provides: &[(&str, ConstraintId)],
        replaces: &[(&str, ConstraintId)],
    ) {
        let package = self.fixed.len();
        let is_exclusive = !fixed.is_alias;
        let version = Constraint::Single(Op::Eq, fixed.version);
        let version = self.terms.constraint(version);
        self.offer(
            fixed.name,
            Offer {
                package,
                constraint: version,
                own: Some(fixed.version),
                is_exclusive,
            },
        );
        let provided = provides.iter().map(|link| (link, false));
        for (&(target, constraint), is_replaced) in
            provided.chain(replaces.iter().map(|link| (link, true)))
        {
            let name = self.terms.name(target);
            if name == fixed.name {
                // A package of its own name is found by its version alone.
                continue;
            }
            self.offer(
                name,
                Offer {
                    package,
                    constraint,
                    own: None,
                    is_exclusive: is_exclusive && is_replaced,
                },
            );
        }
        self.fixed.push(fixed);
    }

    /// Returns whether an offer meets a constraint (`Pool::match`, composer 2.10.2).
    fn fits(&self, constraint: ConstraintId, offer: &Offer) -> bool {
        match offer.own {
            Some(version) => self.terms.fits(constraint, version),
            None => self.terms.matches(constraint, offer.constraint),
        }
    }

    /// Returns whether a fixed package offers a name under a constraint.
    fn is_offered(&mut self, target: &str, constraint: ConstraintId) -> bool {
        let name = self.terms.name(target);
        let mut offers = self.offers.get(&name).into_iter().flatten();
        offers.any(|offer| self.fits(constraint, offer))
    }

    /// Returns whether a fixed package meets a requirement, or the requirement is ignored.
    fn is_met(&mut self, target: &str, constraint: ConstraintId) -> bool {
        let ignored = self.question.ignored;
        if is_platform(target) {
            if ignored.is_ignored(target) {
                return true;
            }
            if ignored.is_upper_bound_ignored(target) && self.is_met_above(target, constraint) {
                return true;
            }
        }
        self.is_offered(target, constraint)
    }

    /// Returns whether a package is at least as new as the upper bound of a constraint
    /// (`IgnoreListPlatformRequirementFilter::filterConstraint`, composer 2.10.2).
    fn is_met_above(&mut self, target: &str, constraint: ConstraintId) -> bool {
        let Some(end) = self.terms.upper_end(constraint) else {
            return false;
        };
        let above = self.terms.constraint(Constraint::Single(Op::Ge, end));
        self.is_offered(target, above)
    }

    /// Checks that locked packages meet the root package's requirements.
    fn check_root_requires(&mut self) -> Result<(), Doubt> {
        let root = self.question.root;
        let dev_requires = if self.question.dev {
            root.dev_requires
        } else {
            &[]
        };
        let requires = root.requires.iter().map(|link| (link, false));
        for (link, with_dev) in requires.chain(dev_requires.iter().map(|link| (link, true))) {
            if is_platform(&link.target) {
                continue;
            }
            let constraint = self.parsed(&link.constraint)?;
            let name = self.terms.name(&link.target);
            let is_met = self.offers.get(&name).is_some_and(|offers| {
                offers.iter().any(|offer| {
                    let package = &self.fixed[offer.package];
                    package.is_locked
                        && (with_dev || !package.is_dev)
                        && self.terms.matches(constraint, offer.constraint)
                })
            });
            if !is_met {
                return Err(format!("no locked package meets {}", link.target));
            }
        }
        Ok(())
    }

    /// Checks that each locked package is as stable as the lock demands
    /// (`StabilityFilter::isPackageAcceptable`, composer 2.10.2). Composer's pool would lack another
    /// one.
    fn check_stability(&self) -> Result<(), Doubt> {
        let question = self.question;
        let least = [
            Stability::Stable,
            Stability::Rc,
            Stability::Beta,
            Stability::Alpha,
            Stability::Dev,
        ]
        .into_iter()
        .find(|one| one.text() == question.minimum_stability)
        .ok_or_else(|| format!("the stability {} is unknown", question.minimum_stability))?;
        let flags: HashMap<&str, u8> = question
            .stability_flags
            .iter()
            .map(|(name, number)| (name.as_str(), *number))
            .collect();
        let dev = if question.dev {
            question.dev_packages
        } else {
            &[]
        };
        for package in question.packages.iter().chain(dev) {
            // A flag for the package's own name is certain. One for a name that the package replaces
            // is left to Composer.
            let limit = flags
                .get(package.name.as_str())
                .copied()
                .unwrap_or(least as u8);
            let of_root = question
                .aliases
                .iter()
                .filter(|alias| alias.package == package.name)
                .map(|alias| alias.version);
            let own = package.alias.as_ref().map(|alias| alias.version.as_str());
            let versions = [package.version.as_str()]
                .into_iter()
                .chain(own)
                .chain(of_root);
            for version in versions {
                if version::stability(version) as u8 > limit {
                    return Err(format!("{} is not stable enough", package.name));
                }
            }
        }
        Ok(())
    }

    /// Checks that no fixed packages exclude each other (`RuleSetGenerator::addConflictRules`,
    /// composer 2.10.2).
    fn check_conflicts(&mut self) -> Result<(), Doubt> {
        for offers in self.offers.values() {
            let mut exclusive = offers.iter().filter(|offer| offer.is_exclusive);
            if let Some(one) = exclusive.next()
                && let Some(other) = exclusive.find(|other| other.package != one.package)
            {
                let (one, other) = (&self.fixed[one.package], &self.fixed[other.package]);
                return Err(format!(
                    "{} and {} exclude each other",
                    one.label, other.label
                ));
            }
        }
        for index in 0..self.fixed.len() {
            for (target, conflict) in std::mem::take(&mut self.fixed[index].conflicts) {
                if self.question.ignored.is_ignored(target) {
                    continue;
                }
                let name = self.terms.name(target);
                let offers = self.offers.get(&name).map_or(&[][..], Vec::as_slice);
                // A name that is only provided conflicts with nothing.
                if !offers.iter().any(|offer| offer.is_exclusive) {
                    continue;
                }
                let constraint = match conflict {
                    Conflict::Text(text) => self.parsed(text)?,
                    Conflict::Parsed(constraint) => constraint,
                };
                let offers = &self.offers[&name];
                let is_in_conflict = |offer: &Offer| {
                    // Another name of an alias belongs to its package too, which is tested itself.
                    let is_regular = !self.fixed[offer.package].is_alias || offer.own.is_some();
                    offer.package != index && is_regular && self.fits(constraint, offer)
                };
                if offers.iter().any(is_in_conflict)
                    // Early versions of Composer drop the upper bound of a conflict too.
                    || self.question.ignored.is_upper_bound_ignored(target)
                        && self.is_met_above(target, constraint)
                {
                    let label = self.fixed[index].label;
                    return Err(format!("{label} conflicts with {target}"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
