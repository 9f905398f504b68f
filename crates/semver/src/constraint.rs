//! Interned names, versions and constraints, and the comparison of constraints with versions.

use std::cmp::Ordering;
use std::rc::Rc;

use super::intervals::Intervals;
use super::parser;
use super::version::{Dialect, Version, normalize};
use allegro_base::tables::HashMap;

/// The number of a package name, which is in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(pub u32);

/// The number of a normalized version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(pub u32);

/// The number of a constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConstraintId(pub u32);

/// The operator of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Op {
    /// Returns the operator as composer/semver writes it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Eq => "==",
            Self::Ne => "!=",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }

    /// Parses an operator in any of its spellings.
    pub fn of(text: &str) -> Option<Self> {
        Some(match text {
            "=" | "==" => Self::Eq,
            "!=" | "<>" => Self::Ne,
            "<" => Self::Lt,
            "<=" => Self::Le,
            ">" => Self::Gt,
            ">=" => Self::Ge,
            _ => return None,
        })
    }

    /// Returns whether two versions in this order satisfy the operator.
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }

    /// Returns a number that operators share if they differ only in their `=`.
    fn direction(self) -> u8 {
        match self {
            Self::Eq => 0,
            Self::Ne => 1,
            Self::Lt | Self::Le => 2,
            Self::Gt | Self::Ge => 3,
        }
    }

    fn is_strict(self) -> bool {
        matches!(self, Self::Lt | Self::Gt)
    }
}

/// A constraint; its parts are referred to by number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// Every version matches.
    All,
    /// No version matches.
    None,
    /// One comparison with a version.
    Single(Op, VersionId),
    /// A conjunction or disjunction of constraints.
    Multi {
        /// Whether all parts must match; otherwise one must.
        conjunctive: bool,
        /// Two or more constraints.
        parts: Rc<[ConstraintId]>,
    },
}

/// Interns names, versions and constraints, so that equality is a comparison of numbers.
#[derive(Debug, Default)]
pub struct Terms {
    /// The rules for versions and constraints.
    pub dialect: Dialect,
    names: Vec<Box<str>>,
    name_ids: HashMap<Box<str>, NameId>,
    versions: Vec<Version>,
    version_ids: HashMap<Box<str>, VersionId>,
    constraints: Vec<Constraint>,
    constraint_ids: HashMap<Constraint, ConstraintId>,
    parsed: HashMap<Box<str>, Option<ConstraintId>>,
    normalized: HashMap<Box<str>, Option<VersionId>>,
    pub(crate) intervals: HashMap<ConstraintId, Rc<Intervals>>,
    /// Whether the first constraint is a subset of the second, for pairs that were compared.
    pub(crate) subsets: HashMap<(ConstraintId, ConstraintId), bool>,
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than 2^32 of anything")
}

impl Terms {
    /// Returns an empty table for one set of rules.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            ..Self::default()
        }
    }

    /// Returns the number of a name, which is converted to lower case.
    pub fn name(&mut self, name: &str) -> NameId {
        if let Some(id) = self.name_ids.get(name) {
            return *id;
        }
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return self.name(&name.to_ascii_lowercase());
        }
        let id = NameId(number(self.names.len()));
        self.names.push(name.into());
        self.name_ids.insert(name.into(), id);
        id
    }

    /// Returns the name with a number.
    pub fn name_text(&self, id: NameId) -> &str {
        &self.names[id.0 as usize]
    }

    /// Returns the number of a normalized version.
    pub fn version(&mut self, normalized: &str) -> VersionId {
        if let Some(id) = self.version_ids.get(normalized) {
            return *id;
        }
        let id = VersionId(number(self.versions.len()));
        self.versions.push(Version::new(normalized));
        self.version_ids.insert(normalized.into(), id);
        id
    }

    /// Returns the version with a number.
    pub fn version_of(&self, id: VersionId) -> &Version {
        &self.versions[id.0 as usize]
    }

    /// Normalizes a version, and returns its number; `None` where Composer finds it invalid.
    pub fn normalized(&mut self, pretty: &str) -> Option<VersionId> {
        if let Some(known) = self.normalized.get(pretty) {
            return *known;
        }
        let id = normalize(self.dialect, pretty).map(|text| self.version(&text));
        self.normalized.insert(pretty.into(), id);
        id
    }

    /// Returns the number of a constraint.
    pub fn constraint(&mut self, constraint: Constraint) -> ConstraintId {
        if let Some(id) = self.constraint_ids.get(&constraint) {
            return *id;
        }
        let id = ConstraintId(number(self.constraints.len()));
        self.constraints.push(constraint.clone());
        self.constraint_ids.insert(constraint, id);
        id
    }

    /// Returns the number of a comparison.
    pub fn single(&mut self, op: Op, normalized: &str) -> ConstraintId {
        let version = self.version(normalized);
        self.constraint(Constraint::Single(op, version))
    }

    /// Returns the number of a conjunction or disjunction. `parts` are two or more constraints.
    pub fn multi(&mut self, conjunctive: bool, parts: &[ConstraintId]) -> ConstraintId {
        self.constraint(Constraint::Multi {
            conjunctive,
            parts: parts.into(),
        })
    }

    /// Combines constraints (`MultiConstraint::create`, composer/semver 3.3.2). In a disjunction,
    /// adjacent ranges are joined if one ends where the next begins.
    pub fn create(&mut self, conjunctive: bool, parts: &[ConstraintId]) -> ConstraintId {
        match parts {
            [] => self.constraint(Constraint::All),
            [one] => *one,
            [first, rest @ ..] => {
                let mut merged = Vec::with_capacity(parts.len());
                let mut left = *first;
                for right in rest {
                    let joined = if conjunctive {
                        None
                    } else {
                        self.joined(left, *right)
                    };
                    match joined {
                        Some(joined) => left = joined,
                        None => merged.push(std::mem::replace(&mut left, *right)),
                    }
                }
                merged.push(left);
                match merged.as_slice() {
                    [one] => *one,
                    _ => self.multi(conjunctive, &merged),
                }
            }
        }
    }

    /// Joins two ranges: `[>= 1 < 2] || [>= 2 < 3]` is `[>= 1 < 3]`
    /// (`MultiConstraint::optimizeConstraints`, composer/semver 3.3.2).
    fn joined(&mut self, left: ConstraintId, right: ConstraintId) -> Option<ConstraintId> {
        let range = |terms: &Self, id: ConstraintId| {
            let Constraint::Multi {
                conjunctive: true,
                parts,
            } = terms.constraint_of(id)
            else {
                return None;
            };
            let [low, high] = parts[..] else { return None };
            let Constraint::Single(Op::Ge, from) = terms.constraint_of(low) else {
                return None;
            };
            let Constraint::Single(op @ (Op::Lt | Op::Le), to) = terms.constraint_of(high) else {
                return None;
            };
            Some((low, *from, *op, *to, high))
        };
        let (low, _, op, to, _) = range(self, left)?;
        let (_, from, _, _, high) = range(self, right)?;
        // Composer compares the texts from their third and fourth character on, so only `<` fits.
        (op == Op::Lt && to == from).then(|| self.multi(true, &[low, high]))
    }

    /// Returns the constraint with a number.
    pub fn constraint_of(&self, id: ConstraintId) -> &Constraint {
        &self.constraints[id.0 as usize]
    }

    /// Returns the text of a constraint as composer/semver writes it.
    pub fn constraint_text(&self, id: ConstraintId) -> String {
        match self.constraint_of(id) {
            Constraint::All => "*".to_owned(),
            Constraint::None => "[]".to_owned(),
            Constraint::Single(op, version) => {
                format!("{} {}", op.text(), self.version_of(*version).text())
            }
            Constraint::Multi { conjunctive, parts } => {
                let texts: Vec<String> = parts
                    .iter()
                    .map(|part| self.constraint_text(*part))
                    .collect();
                format!("[{}]", texts.join(if *conjunctive { " " } else { " || " }))
            }
        }
    }

    /// Parses a constraint (`VersionParser::parseConstraints`); `None` where composer/semver
    /// throws.
    pub fn parse(&mut self, pretty: &str) -> Option<ConstraintId> {
        if let Some(known) = self.parsed.get(pretty) {
            return *known;
        }
        let id = parser::parse(self, pretty);
        self.parsed.insert(pretty.into(), id);
        id
    }

    /// Returns whether a version matches a constraint, as `CompilingMatcher::match` does for
    /// `Constraint::OP_EQ` (composer/semver 3.3.2).
    pub fn fits(&self, constraint: ConstraintId, version: VersionId) -> bool {
        match self.constraint_of(constraint) {
            Constraint::All => true,
            Constraint::None => false,
            Constraint::Single(op, wanted) => self.compares(version, *op, *wanted, false),
            Constraint::Multi {
                conjunctive: true,
                parts,
            } => parts.iter().all(|part| self.fits(*part, version)),
            Constraint::Multi {
                conjunctive: false,
                parts,
            } => parts.iter().any(|part| self.fits(*part, version)),
        }
    }

    /// Compares two versions (`Constraint::versionCompare`, composer/semver 3.3.2). A branch is
    /// equal to itself only. With `branches`, a branch and a number are ordered too.
    fn compares(&self, a: VersionId, op: Op, b: VersionId, branches: bool) -> bool {
        let (left, right) = (self.version_of(a), self.version_of(b));
        if left.is_branch() || right.is_branch() {
            if op == Op::Ne {
                return a != b;
            }
            if left.is_branch() && right.is_branch() {
                return op == Op::Eq && a == b;
            }
            if !branches {
                return false;
            }
        }
        op.holds(left.compare(right))
    }

    /// Returns whether version `a` stands in a relation to version `b`. A branch and a number are
    /// ordered too, as in Composer's policy.
    pub fn ranks(&self, a: VersionId, op: Op, b: VersionId) -> bool {
        if self.version_of(a).is_branch() || self.version_of(b).is_branch() {
            return self.specific((op, b), (Op::Eq, a), true);
        }
        op.holds(self.version_of(a).compare(self.version_of(b)))
    }

    /// Returns whether two constraints overlap, as composer/semver sees it
    /// (`$constraint->matches($provider)`).
    pub fn matches(&self, constraint: ConstraintId, provider: ConstraintId) -> bool {
        match (self.constraint_of(constraint), self.constraint_of(provider)) {
            (Constraint::All, _) => true,
            (Constraint::None, _) => false,
            (Constraint::Single(op, version), Constraint::Single(other, provided)) => {
                self.specific((*op, *version), (*other, *provided), false)
            }
            // The arguments are swapped, so that the one with parts is split first. A disjunction
            // is split before a conjunction.
            (Constraint::Single(..), _)
            | (
                Constraint::Multi {
                    conjunctive: true, ..
                },
                Constraint::Multi {
                    conjunctive: false, ..
                },
            ) => self.matches(provider, constraint),
            (Constraint::Multi { conjunctive, parts }, _) => {
                let mut parts = parts.iter().map(|part| self.matches(provider, *part));
                if *conjunctive {
                    parts.all(|fits| fits)
                } else {
                    parts.any(|fits| fits)
                }
            }
        }
    }

    /// Returns whether two comparisons overlap (`Constraint::matchSpecific`, composer/semver
    /// 3.3.2).
    fn specific(&self, own: (Op, VersionId), provider: (Op, VersionId), branches: bool) -> bool {
        let is_branch = |version: VersionId| self.version_of(version).is_branch();
        let ((op, version), (other, provided)) = (own, provider);
        if op == Op::Ne || other == Op::Ne {
            if op == Op::Ne && other != Op::Ne && other != Op::Eq && is_branch(provided) {
                return false;
            }
            if other == Op::Ne && op != Op::Ne && op != Op::Eq && is_branch(version) {
                return false;
            }
            if op != Op::Eq && other != Op::Eq {
                return true;
            }
            return self.compares(provided, Op::Ne, version, branches);
        }
        if op != Op::Eq && op.direction() == other.direction() {
            return !(is_branch(version) || is_branch(provided));
        }
        let holds = if op == Op::Eq {
            self.compares(version, other, provided, branches)
        } else {
            self.compares(provided, op, version, branches)
        };
        // A requirement >= 1.0 and a provision < 1.0 don't overlap: 1.0 meets only the
        // requirement.
        holds
            && !(other.is_strict()
                && !op.is_strict()
                && self
                    .version_of(provided)
                    .compare(self.version_of(version))
                    .is_eq())
    }
}
