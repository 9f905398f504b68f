//! Explains why a package is locked in its version: which packages require it, and which links
//! speak against each newer version.
//!
//! The explanation looks at the result of a resolution, not at its steps. A reason is a requirement
//! or a conflict that a newer version would break if everything else stayed as it is.

#[cfg(test)]
mod tests;

use super::pool::Number;
use super::usort::usort;
use allegro_base::tables::{HashMap, IndexMap};
use allegro_composer::package::is_platform;
use allegro_semver::constraint::{ConstraintId, Op, Terms, VersionId};
use allegro_semver::version::{Stability, stability};

/// The number of reasons that are listed. Those against the newest versions come first.
const MOST: usize = 5;

/// A link of a package, or of the project.
#[derive(Debug, Clone)]
pub struct WrittenLink {
    /// Name of the package at the other end.
    pub target: String,
    /// Versions that the link is about.
    pub constraint: ConstraintId,
    /// The constraint as it is written.
    pub text: String,
}

/// A package, with its version and its links as they are written.
#[derive(Debug, Clone)]
pub struct WrittenPackage {
    /// Name of the package.
    pub name: String,
    /// Normalized version.
    pub version: VersionId,
    /// Version as it is written.
    pub pretty: String,
    /// Version as it is written, with the commit if the package is a branch.
    pub full: String,
    /// `require`
    pub requires: Vec<WrittenLink>,
    /// `conflict`
    pub conflicts: Vec<WrittenLink>,
    /// `replace`
    pub replaces: Vec<WrittenLink>,
    /// `provide`
    pub provides: Vec<WrittenLink>,
}

impl WrittenPackage {
    fn stability(&self, terms: &Terms) -> Stability {
        stability(terms.version_of(self.version).text())
    }

    /// Returns the links that make the package stand for other names.
    fn stands_for(&self) -> impl Iterator<Item = &WrittenLink> {
        self.replaces.iter().chain(&self.provides)
    }
}

/// The parts of the project that decide about versions.
#[derive(Debug, Clone)]
pub struct ProjectFacts {
    /// `require` and `require-dev`
    pub requires: Vec<WrittenLink>,
    /// `conflict`
    pub conflicts: Vec<WrittenLink>,
    /// `minimum-stability`, as Composer's number.
    pub minimum_stability: u8,
    /// Lowest stability of single packages, by name.
    pub stability_flags: Vec<(String, u8)>,
}

/// A package of the platform.
#[derive(Debug, Clone)]
pub struct PlatformVersion {
    /// Name of the package.
    pub name: String,
    /// Normalized version.
    pub version: VersionId,
    /// Version as it is written.
    pub pretty: String,
}

/// Facts about a lock and its project.
#[derive(Debug, Clone)]
pub struct LockFacts {
    /// The project.
    pub project: ProjectFacts,
    /// Packages of the lock, each name once.
    pub locked: Vec<WrittenPackage>,
    /// Aliases of these packages.
    pub aliases: Vec<WrittenPackage>,
    /// Packages of the platform, as far as links name them.
    pub platform: Vec<PlatformVersion>,
    /// Names of the platform whose requirements are ignored.
    pub ignored: Vec<String>,
}

/// A package that is to be explained.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Name of the package in lower case.
    pub name: String,
    /// The parent project whose lock decides about the package, if one does.
    pub parent: Option<String>,
    /// All versions that the repositories have; empty if the package isn't locked, or if a parent
    /// project decides about it.
    pub candidates: Vec<WrittenPackage>,
}

/// A version, or a range of versions, that stands for a name.
#[derive(Debug, Clone, Copy)]
enum Offer {
    Version(VersionId),
    Range(ConstraintId),
}

/// Neighbouring versions with the same reason against them.
struct Reason<'a> {
    text: String,
    from: &'a WrittenPackage,
    to: &'a WrittenPackage,
}

/// Explains packages of one lock.
pub struct Explanation<'a> {
    terms: &'a Terms,
    facts: &'a LockFacts,
    locked: HashMap<&'a str, &'a WrittenPackage>,
    /// The packages that stand for each name, by their description. They are packages of the
    /// platform and of the lock, their aliases, and packages that replace or provide the name.
    offers: HashMap<&'a str, IndexMap<String, Offer>>,
}

impl<'a> Explanation<'a> {
    /// Prepares explanations of a lock.
    pub fn new(terms: &'a Terms, facts: &'a LockFacts) -> Self {
        let mut offers: HashMap<&str, IndexMap<String, Offer>> = HashMap::default();
        let mut offer = |name: &'a str, label: String, offer: Offer| {
            offers.entry(name).or_default().insert(label, offer);
        };
        for found in &facts.platform {
            let version = Offer::Version(found.version);
            offer(&found.name, found.pretty.clone(), version);
        }
        let locked = facts.locked.iter();
        let versions = locked.filter(|package| !is_platform(&package.name));
        for package in versions.chain(&facts.aliases) {
            let version = Offer::Version(package.version);
            offer(&package.name, package.pretty.clone(), version);
        }
        for package in facts.locked.iter().chain(&facts.aliases) {
            for link in package.stands_for() {
                let label = format!("{} of {} {}", link.text, package.name, package.pretty);
                offer(&link.target, label, Offer::Range(link.constraint));
            }
        }
        let locked = facts.locked.iter();
        Self {
            terms,
            facts,
            locked: locked.map(|package| (&*package.name, package)).collect(),
            offers,
        }
    }

    /// Returns the explanation of a package, line by line.
    pub fn of(&self, subject: &Subject) -> Vec<String> {
        let Some(&package) = self.locked.get(&*subject.name) else {
            return self.of_absent(&subject.name);
        };
        let mut lines = vec![format!("{} {}", subject.name, package.full)];
        lines.extend(self.requirements(&subject.name));
        if let Some(parent) = &subject.parent {
            lines.push(format!(
                "  extra.allegro.parent: versions of {parent} are taken as they are"
            ));
            return lines;
        }
        let newer = self.newer(package, &subject.candidates);
        if newer.is_empty() {
            lines.push("  it is the newest version that the repositories have".to_owned());
        }
        lines.extend(self.reasons_against(&newer));
        lines
    }

    fn of_absent(&self, name: &str) -> Vec<String> {
        let requirements: Vec<String> = self.requirements(name).collect();
        let mut lines = vec![if requirements.is_empty() {
            format!("{name} is not locked: nothing that is locked requires it")
        } else {
            format!("{name} is not locked")
        }];
        for package in &self.facts.locked {
            let replaces = package.replaces.iter().map(|link| ("replaces", link));
            let provides = package.provides.iter().map(|link| ("provides", link));
            let links = replaces.chain(provides);
            for (how, link) in links.filter(|(_, link)| link.target == name) {
                lines.push(format!(
                    "  {} {} {how} it ({})",
                    package.name, package.full, link.text
                ));
            }
        }
        lines.extend(requirements);
        lines
    }

    fn requirements(&self, name: &str) -> impl Iterator<Item = String> {
        let requirements = self.links(
            name,
            |package| &package.requires,
            &self.facts.project.requires,
        );
        requirements.map(|(by, link)| format!("  {by} requires {}", link.text))
    }

    /// Returns the links of the project and of all locked packages to a name, each with the name of
    /// its owner.
    fn links(
        &self,
        name: &str,
        of_package: impl Fn(&WrittenPackage) -> &Vec<WrittenLink>,
        of_project: &'a [WrittenLink],
    ) -> impl Iterator<Item = (String, &'a WrittenLink)> {
        let is_asked_for = move |link: &&WrittenLink| link.target == name;
        let of_project = of_project.iter().filter(is_asked_for);
        let of_project = of_project.map(|link| ("the project".to_owned(), link));
        let of_packages = self.facts.locked.iter().flat_map(move |package| {
            let links = of_package(package).iter().filter(is_asked_for);
            links.map(move |link| (format!("{} {}", package.name, package.full), link))
        });
        of_project.chain(of_packages)
    }

    /// Returns the versions above the locked one, the highest first. Branches are among them only
    /// if a branch is locked.
    fn newer<'c>(
        &self,
        package: &WrittenPackage,
        candidates: &'c [WrittenPackage],
    ) -> Vec<&'c WrittenPackage> {
        let is_dev = |package: &WrittenPackage| package.stability(self.terms) == Stability::Dev;
        let is_above = |one: &WrittenPackage, other: &WrittenPackage| {
            self.terms.ranks(one.version, Op::Gt, other.version)
        };
        let mut newer: IndexMap<VersionId, &WrittenPackage> = IndexMap::default();
        for candidate in candidates {
            if (is_dev(package) || !is_dev(candidate)) && is_above(candidate, package) {
                newer.insert(candidate.version, candidate);
            }
        }
        let newer: Vec<&WrittenPackage> = newer.into_values().collect();
        let at = |place: Number| newer[place as usize];
        let mut order: Vec<Number> = (0..).take(newer.len()).collect();
        usort(&mut order, &|one, other| !is_above(at(one), at(other)));
        order.into_iter().map(at).collect()
    }

    /// Returns a line for each reason. Neighbouring versions with the same reason share a line.
    fn reasons_against(&self, newer: &[&WrittenPackage]) -> Vec<String> {
        let mut reasons: Vec<Reason<'_>> = Vec::new();
        let mut rest = 0;
        for (place, candidate) in newer.iter().enumerate() {
            let text = self.reason_against(candidate);
            if let Some(last) = reasons.last_mut()
                && last.text == text
            {
                last.to = candidate;
                continue;
            }
            if reasons.len() == MOST {
                rest = newer.len() - place;
                break;
            }
            reasons.push(Reason {
                text,
                from: candidate,
                to: candidate,
            });
        }
        let lines = reasons.iter().map(|Reason { text, from, to }| {
            if from.full == to.full {
                format!("  not {}: {text}", from.full)
            } else {
                format!("  not {} to {}: {text}", from.full, to.full)
            }
        });
        let mut lines: Vec<String> = lines.collect();
        if rest > 0 {
            lines.push(format!("  and {rest} more that are newer"));
        }
        lines
    }

    fn reason_against(&self, candidate: &WrittenPackage) -> String {
        let ProjectFacts {
            requires,
            conflicts,
            minimum_stability,
            stability_flags,
        } = &self.facts.project;
        let name = &*candidate.name;
        let flag = stability_flags.iter().find(|(flagged, _)| flagged == name);
        let lowest = flag.map_or(*minimum_stability, |(_, flag)| *flag);
        let stability = candidate.stability(self.terms);
        if stability as u8 > lowest {
            return format!(
                "it is {}, and the project takes {}",
                stability.text(),
                Stability::of(lowest).map_or("", Stability::text)
            );
        }
        let fits = |link: &WrittenLink| self.terms.fits(link.constraint, candidate.version);
        let mut required = self.links(name, |package| &package.requires, requires);
        if let Some((by, link)) = required.find(|(_, link)| !fits(link)) {
            return format!("{by} requires {}", link.text);
        }
        let mut excluded = self.links(name, |package| &package.conflicts, conflicts);
        if let Some((by, link)) = excluded.find(|(_, link)| fits(link)) {
            return format!("{by} conflicts with {}", link.text);
        }
        for link in &candidate.requires {
            if let Some(found) = self.instead_of(link) {
                return format!(
                    "it requires {} {}, and there is {found}",
                    link.target, link.text
                );
            }
        }
        for link in &candidate.conflicts {
            let mut offers = self.offers.get(&*link.target).into_iter().flatten();
            if let Some((label, _)) = offers.find(|(_, offer)| self.meets(link, **offer)) {
                return format!(
                    "it conflicts with {} {}, and there is {label}",
                    link.target, link.text
                );
            }
        }
        format!(
            "nothing that is locked speaks against it alone: an option or a policy of this run \
             leaves it out, it was not to be updated, or what it needs can not be had \
             (composer why-not {name} {})",
            candidate.pretty
        )
    }

    /// Returns the version that stands in place of the required one, or `none`. Returns `None` if
    /// the requirement is met, or if a package that isn't locked may meet it.
    fn instead_of(&self, link: &WrittenLink) -> Option<&str> {
        let is_platform = is_platform(&link.target);
        if is_platform && self.facts.ignored.contains(&link.target) {
            return None;
        }
        let Some(offers) = self.offers.get(&*link.target) else {
            return is_platform.then_some("none");
        };
        if offers.values().any(|offer| self.meets(link, *offer)) {
            return None;
        }
        offers.keys().next().map(String::as_str)
    }

    fn meets(&self, link: &WrittenLink, offer: Offer) -> bool {
        match offer {
            Offer::Version(version) => self.terms.fits(link.constraint, version),
            Offer::Range(range) => self.terms.matches(link.constraint, range),
        }
    }
}
