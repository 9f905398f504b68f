//! Names, versions and constraints, each kept once, and whether one matches the other.

use std::cmp::Ordering;
use std::rc::Rc;

use super::intervals::Intervals;
use super::parser;
use super::version::{Dialect, Version, normalize};
use allegro_base::tables::HashMap;

/// A package name, lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(pub u32);

/// A normalized version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(pub u32);

/// A constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConstraintId(pub u32);

/// How a version is compared.
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
    /// As composer/semver writes it.
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

    /// Any of the ways of writing it.
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

    /// Without its `=`: `<`, `>`, `!`, or nothing.
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

/// What a constraint is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Constraint {
    /// Everything matches.
    All,
    /// Nothing matches.
    None,
    /// One comparison.
    Single(Op, VersionId),
    /// All of them (conjunctive), or one of them.
    Multi {
        /// All must match.
        conjunctive: bool,
        /// Two or more.
        parts: Rc<[ConstraintId]>,
    },
}

/// Keeps everything that is compared often once, so that equality is a comparison of numbers.
#[derive(Debug, Default)]
pub struct Terms {
    /// Whose language it is.
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
    /// Whether the first covers nothing but what the second does.
    pub(crate) subsets: HashMap<(ConstraintId, ConstraintId), bool>,
}

fn number(count: usize) -> u32 {
    u32::try_from(count).expect("fewer than 2^32 of anything")
}

impl Terms {
    /// For one language of versions and constraints.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            ..Self::default()
        }
    }

    /// The number of a name; it is made lower case.
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

    /// The name of a number.
    pub fn name_text(&self, id: NameId) -> &str {
        &self.names[id.0 as usize]
    }

    /// The number of a normalized version.
    pub fn version(&mut self, normalized: &str) -> VersionId {
        if let Some(id) = self.version_ids.get(normalized) {
            return *id;
        }
        let id = VersionId(number(self.versions.len()));
        self.versions.push(Version::new(normalized));
        self.version_ids.insert(normalized.into(), id);
        id
    }

    /// The version of a number.
    pub fn version_of(&self, id: VersionId) -> &Version {
        &self.versions[id.0 as usize]
    }

    /// The number of a version as somebody wrote it; `None` where Composer finds it invalid.
    pub fn normalized(&mut self, pretty: &str) -> Option<VersionId> {
        if let Some(known) = self.normalized.get(pretty) {
            return *known;
        }
        let id = normalize(self.dialect, pretty).map(|text| self.version(&text));
        self.normalized.insert(pretty.into(), id);
        id
    }

    /// The number of a constraint.
    pub fn constraint(&mut self, constraint: Constraint) -> ConstraintId {
        if let Some(id) = self.constraint_ids.get(&constraint) {
            return *id;
        }
        let id = ConstraintId(number(self.constraints.len()));
        self.constraints.push(constraint.clone());
        self.constraint_ids.insert(constraint, id);
        id
    }

    /// One comparison.
    pub fn single(&mut self, op: Op, normalized: &str) -> ConstraintId {
        let version = self.version(normalized);
        self.constraint(Constraint::Single(op, version))
    }

    /// All of them, or one of them; two or more.
    pub fn multi(&mut self, conjunctive: bool, parts: &[ConstraintId]) -> ConstraintId {
        self.constraint(Constraint::Multi {
            conjunctive,
            parts: parts.into(),
        })
    }

    /// `MultiConstraint::create()`: with neighbours in a disjunction joined where one ends where the next begins.
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

    /// `[>= 1 < 2] || [>= 2 < 3]` is `[>= 1 < 3]`.
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
        // Composer compares the texts from their third and fourth character on: only `<` fits.
        (op == Op::Lt && to == from).then(|| self.multi(true, &[low, high]))
    }

    /// The constraint of a number.
    pub fn constraint_of(&self, id: ConstraintId) -> &Constraint {
        &self.constraints[id.0 as usize]
    }

    /// As composer/semver writes it.
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

    /// `VersionParser::parseConstraints()`; `None` where it throws.
    pub fn parse(&mut self, pretty: &str) -> Option<ConstraintId> {
        if let Some(known) = self.parsed.get(pretty) {
            return *known;
        }
        let id = parser::parse(self, pretty);
        self.parsed.insert(pretty.into(), id);
        id
    }

    /// Whether a version fits: `CompilingMatcher::match($constraint, Constraint::OP_EQ, $version)`.
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

    /// `Constraint::versionCompare()`. Branches are equal to themselves alone; they are ranked only where
    /// `branches` says so.
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

    /// Whether version `a` stands in a relation to version `b`, branches ranked too: as Composer's policy compares.
    pub fn ranks(&self, a: VersionId, op: Op, b: VersionId) -> bool {
        if self.version_of(a).is_branch() || self.version_of(b).is_branch() {
            return self.specific((op, b), (Op::Eq, a), true);
        }
        op.holds(self.version_of(a).compare(self.version_of(b)))
    }

    /// `$constraint->matches($provider)`: whether both can be met, as composer/semver sees it.
    pub fn matches(&self, constraint: ConstraintId, provider: ConstraintId) -> bool {
        match (self.constraint_of(constraint), self.constraint_of(provider)) {
            (Constraint::All, _) => true,
            (Constraint::None, _) => false,
            (Constraint::Single(op, version), Constraint::Single(other, provided)) => {
                self.specific((*op, *version), (*other, *provided), false)
            }
            // Turned around: what has parts is taken apart first, and of two such the disjunction.
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

    /// `Constraint::matchSpecific()`.
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
        // Require >= 1.0 and provide < 1.0: 1.0 fits the one and is just outside of the other.
        holds
            && !(other.is_strict()
                && !op.is_strict()
                && self
                    .version_of(provided)
                    .compare(self.version_of(version))
                    .is_eq())
    }
}
