//! The rule generator and the rule table: Composer's `RuleSetGenerator` and `RuleSet`. A positive
//! literal means "installed", a negative literal "not installed".

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::iter::once;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::optimizer::Fixture;
use super::package::PackageId;
use super::pool::{Number, Pool};
use allegro_base::tables::{HashMap, HashSet, Hasher, IndexMap};
use allegro_semver::constraint::{ConstraintId, NameId};

/// A package number with a sign: positive means "installed", negative "not installed".
pub(super) type Literal = i32;

/// Returns the positive literal of a package.
pub(super) fn installed(number: Number) -> Literal {
    Literal::try_from(number).expect("fewer than 2^31 packages")
}

/// Returns the package of a literal.
pub(super) fn package_of(literal: Literal) -> Number {
    literal.unsigned_abs()
}

/// The shape of a rule. Composer has a class for each, and finds duplicates only within one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    /// At least one of the literals holds (`GenericRule`).
    Generic,
    /// At least one of two literals holds (`Rule2Literals`).
    Pair,
    /// At most one of the packages is installed (`MultiConflictRule`).
    AtMostOne,
}

/// The type of a rule (`RuleSet::TYPE_*`). The solver iterates over package rules first, then over
/// request rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuleType {
    Package,
    Request,
    Learned,
}

/// A number that no rule has.
const NO_RULE: u32 = u32::MAX;

/// The range of a rule's literals in the literals of all rules.
pub(super) type Literals = (u32, u32);

/// A rule of the solver.
#[derive(Debug)]
pub(super) struct Rule {
    pub literals: Literals,
    /// The previous rule about the requirements of the same package; [`NO_RULE`] for the first
    /// one.
    before: u32,
    pub shape: Shape,
    pub kind: RuleType,
    /// The required name (`Rule::getRequiredPackage`). It decides between packages that replace
    /// the name.
    pub required: Option<NameId>,
}

impl Rule {
    /// Returns whether the rule has one literal, and therefore decides it.
    pub fn is_assertion(&self) -> bool {
        self.literals.1 - self.literals.0 == 1
    }
}

/// A rule that takes part in a conflict, with its literals.
pub(super) type Blamed<'a> = (&'a Rule, &'a [Literal]);

/// Rules by number (`RuleSet`, Composer 2.5.5). `order` holds the rules that Composer lists
/// (`ruleById`), in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct RuleSet {
    pub rules: Vec<Rule>,
    pub order: Vec<usize>,
    /// The literals of all rules in one list. Separate lists would take hundreds of thousands of
    /// allocations.
    literals: Vec<Literal>,
    /// The last requirement rule of each package. Most rules are requirement rules, and a package
    /// has few of them. Walking through these is faster than keeping them all in the hash table.
    needs: Vec<u32>,
    /// The distinct other rules, each with the hash of its content. Hashing again would take
    /// longer than growing the table.
    known: HashTable<(u64, u32)>,
    hasher: Hasher,
}

impl RuleSet {
    /// Returns the literals of a rule, in ascending order.
    pub fn literals(&self, rule: &Rule) -> &[Literal] {
        self.literals_at(rule.literals)
    }

    /// Returns the literals in a range.
    pub fn literals_at(&self, (from, to): Literals) -> &[Literal] {
        &self.literals[from as usize..to as usize]
    }

    /// Returns the literals of the rule with a number.
    pub fn literals_of(&self, number: usize) -> &[Literal] {
        self.literals(&self.rules[number])
    }

    /// Adds a rule unless an equal one exists (`RuleSet::add`, Composer 2.5.5).
    pub fn add(
        &mut self,
        shape: Shape,
        literals: impl IntoIterator<Item = Literal>,
        kind: RuleType,
        required: Option<NameId>,
    ) {
        let number = self.push(shape, literals, kind, required);
        if self.know(number) {
            self.order.push(number);
        } else if let Some(rule) = self.rules.pop() {
            self.literals.truncate(rule.literals.0 as usize);
        }
    }

    /// Adds a learned rule, and returns its number. A duplicate gets a number too, but is not
    /// listed again.
    pub fn learn(&mut self, literals: Vec<Literal>) -> usize {
        let number = self.push(Shape::Generic, literals, RuleType::Learned, None);
        if self.know(number) {
            self.order.push(number);
        }
        number
    }

    /// Appends a rule to the table, without looking for duplicates.
    fn push(
        &mut self,
        shape: Shape,
        literals: impl IntoIterator<Item = Literal>,
        kind: RuleType,
        required: Option<NameId>,
    ) -> usize {
        let place = |at: usize| u32::try_from(at).expect("fewer than 2^32 literals");
        let from = self.literals.len();
        self.literals.extend(literals);
        self.literals[from..].sort_unstable();
        self.rules.push(Rule {
            literals: (place(from), place(self.literals.len())),
            before: NO_RULE,
            shape,
            kind,
            required,
        });
        self.rules.len() - 1
    }

    /// Records the last rule. Returns whether no equal rule existed.
    fn know(&mut self, number: usize) -> bool {
        let rule = &self.rules[number];
        let own = self.literals(rule);
        let is_need = rule.shape == Shape::Generic
            && own.first().is_some_and(|literal| *literal < 0)
            && own.get(1).is_none_or(|literal| *literal > 0);
        if !is_need {
            return self.know_by_content(number);
        }
        let package = package_of(own[0]) as usize;
        let mut at = self.needs.get(package).copied().unwrap_or(NO_RULE);
        while at != NO_RULE {
            if self.literals_of(at as usize) == own {
                return false;
            }
            at = self.rules[at as usize].before;
        }
        if self.needs.len() <= package {
            self.needs.resize(package + 1, NO_RULE);
        }
        let last = u32::try_from(number).expect("fewer than 2^32 rules");
        self.rules[number].before = std::mem::replace(&mut self.needs[package], last);
        true
    }

    /// Records a rule in the hash table. Returns whether no equal rule existed.
    fn know_by_content(&mut self, number: usize) -> bool {
        let (rules, literals, hasher) = (&self.rules, &self.literals, &self.hasher);
        let content = |number: usize| {
            let rule = &rules[number];
            let (from, to) = rule.literals;
            (rule.shape, &literals[from as usize..to as usize])
        };
        let own = u32::try_from(number).expect("fewer than 2^32 rules");
        let hash = hasher.hash_one(content(number));
        let found = self.known.entry(
            hash,
            |(other, known)| *other == hash && content(*known as usize) == content(number),
            |(hash, _)| *hash,
        );
        match found {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert((hash, own));
                true
            }
        }
    }
}

/// Generates the rules of a request (`RuleSetGenerator`, Composer 2.5.5).
pub(super) struct Generator<'a, 'p> {
    pool: &'a mut Pool<'p>,
    relaxed: &'a Relaxed,
    rules: RuleSet,
    /// Packages whose rules were added, in that order (`addedMap`).
    added: Vec<Number>,
    /// Whether each package, by number, was added or is in the queue.
    is_met: Vec<bool>,
    /// Added packages by own and replaced names, aliases excepted (`addedPackagesByNames`).
    /// Packages that share a name exclude each other.
    by_name: IndexMap<NameId, Vec<Number>>,
}

impl<'a, 'p> Generator<'a, 'p> {
    /// Returns the rules of a request (`RuleSetGenerator::getRulesFor`, Composer 2.5.5).
    pub fn rules_for(
        pool: &'a mut Pool<'p>,
        relaxed: &'a Relaxed,
        fixture: &Fixture<'_>,
        unacceptable: &HashSet<PackageId>,
    ) -> RuleSet {
        let mut generator = Self {
            is_met: vec![false; pool.len() + 1],
            pool,
            relaxed,
            rules: RuleSet::default(),
            added: Vec::new(),
            by_name: IndexMap::default(),
        };
        for id in fixture.fixed {
            let Some(number) = generator
                .pool
                .number_of(*id)
                .filter(|_| !unacceptable.contains(id))
            else {
                continue;
            };
            generator.add_package(number);
            generator
                .rules
                .add(Shape::Generic, [installed(number)], RuleType::Request, None);
        }
        for (name, constraint) in fixture.requires {
            let Some(constraint) = relaxed.relax(*name, *constraint, true) else {
                continue;
            };
            let providers = generator.pool.what_provides(*name, constraint);
            if providers.is_empty() {
                continue;
            }
            for number in &*providers {
                generator.add_package(*number);
            }
            let literals = providers.iter().map(|number| installed(*number));
            generator
                .rules
                .add(Shape::Generic, literals, RuleType::Request, Some(*name));
        }
        for number in generator.pool.numbers() {
            let package = generator.pool.package(number);
            let Some(of) = package.alias_of else { continue };
            let base = generator.pool.number_of(of);
            let base_added = base.is_some_and(|base| generator.is_met[base as usize]);
            if package.root_alias || base_added {
                generator.add_package(number);
            }
        }
        generator.add_conflicts();
        generator.rules
    }

    /// Adds the rule of a requirement: an installed package needs one of the providers
    /// (`RuleSetGenerator::createRequireRule`, Composer 2.5.5). A package that is a provider
    /// itself gets no rule.
    fn require(&mut self, package: Number, providers: &[Number], required: Option<NameId>) {
        if providers.contains(&package) {
            return;
        }
        let others = providers.iter().map(|number| installed(*number));
        let literals = once(-installed(package)).chain(others);
        self.rules
            .add(Shape::Generic, literals, RuleType::Package, required);
    }

    /// Adds the rules of a package, and of all packages that it may need
    /// (`RuleSetGenerator::addRulesForPackage`, Composer 2.5.5).
    fn add_package(&mut self, first: Number) {
        let mut queue = VecDeque::new();
        self.meet(first, &mut queue);
        while let Some(number) = queue.pop_front() {
            self.added.push(number);
            let package = self.pool.package(number);
            if let Some(of) = package.alias_of {
                let Some(base) = self.pool.number_of(of) else {
                    continue;
                };
                self.meet(base, &mut queue);
                self.require(number, &[base], None);
                self.require(base, &[number], None);
                if !package.requires_self {
                    continue;
                }
            } else {
                for name in package.names(false) {
                    self.by_name.entry(name).or_default().push(number);
                }
            }
            for link in &package.links.requires {
                let Some(constraint) = self.relaxed.relax(link.target, link.constraint, true)
                else {
                    continue;
                };
                let providers = self.pool.what_provides(link.target, constraint);
                self.require(number, &providers, Some(link.target));
                for provider in &*providers {
                    self.meet(*provider, &mut queue);
                }
            }
        }
    }

    /// Queues a package unless it was queued before. Composer queues a package repeatedly, and
    /// skips it if its rules were added.
    fn meet(&mut self, number: Number, queue: &mut VecDeque<Number>) {
        if !std::mem::replace(&mut self.is_met[number as usize], true) {
            queue.push_back(number);
        }
    }

    /// Adds the rules of conflicts, and of packages that share a name
    /// (`RuleSetGenerator::addConflictRules`, Composer 2.5.5).
    fn add_conflicts(&mut self) {
        for number in std::mem::take(&mut self.added) {
            for link in &self.pool.package(number).links.conflicts {
                if !self.by_name.contains_key(&link.target) {
                    continue;
                }
                let Some(constraint) = self.relaxed.relax(link.target, link.constraint, false)
                else {
                    continue;
                };
                for other in &*self.pool.what_provides(link.target, constraint) {
                    let package = self.pool.package(*other);
                    let counts = package.alias_of.is_none() || package.name == link.target;
                    if counts && *other != number {
                        let literals = [-installed(number), -installed(*other)];
                        self.rules
                            .add(Shape::Pair, literals, RuleType::Package, None);
                    }
                }
            }
        }
        for (_, numbers) in std::mem::take(&mut self.by_name) {
            let literals = numbers.iter().map(|number| -installed(*number));
            match numbers.len() {
                0 | 1 => {}
                2 => self
                    .rules
                    .add(Shape::Pair, literals, RuleType::Package, None),
                _ => self
                    .rules
                    .add(Shape::AtMostOne, literals, RuleType::Package, None),
            }
        }
    }
}

/// The effect of the platform filter (`PlatformRequirementFilterInterface`), with all widened
/// constraints computed beforehand.
#[derive(Debug, Default)]
pub(super) struct Relaxed {
    pub ignored: HashSet<NameId>,
    pub widened: HashMap<(NameId, ConstraintId), ConstraintId>,
}

impl Relaxed {
    /// Returns the constraint that applies; `None` if the requirement is ignored. With `upper`, an
    /// upper bound may be dropped.
    pub fn relax(
        &self,
        name: NameId,
        constraint: ConstraintId,
        upper: bool,
    ) -> Option<ConstraintId> {
        if self.ignored.contains(&name) {
            return None;
        }
        if !upper {
            return Some(constraint);
        }
        Some(
            self.widened
                .get(&(name, constraint))
                .copied()
                .unwrap_or(constraint),
        )
    }
}
