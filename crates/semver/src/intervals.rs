//! The intervals that a constraint covers: numeric ranges, and names of branches (`Intervals`,
//! composer/semver 3.3.2).

use std::rc::Rc;

use super::constraint::{Constraint, ConstraintId, Op, Terms, VersionId};

type Bound = (Op, VersionId);

/// The numeric ranges and the branches of a constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intervals {
    numeric: Vec<(Bound, Bound)>,
    branches: Vec<VersionId>,
    /// Whether `branches` are excluded, and all others covered.
    exclude: bool,
}

impl Terms {
    fn least(&mut self) -> Bound {
        (Op::Ge, self.version("0.0.0.0-dev"))
    }

    fn greatest(&mut self) -> Bound {
        (Op::Lt, self.version("9223372036854775807.0.0.0"))
    }

    fn intervals_of(&mut self, constraint: ConstraintId) -> Rc<Intervals> {
        if let Some(known) = self.intervals.get(&constraint) {
            return Rc::clone(known);
        }
        let intervals = Rc::new(self.generate(constraint));
        self.intervals.insert(constraint, Rc::clone(&intervals));
        intervals
    }

    /// Returns whether one constraint covers nothing outside another (`Intervals::isSubsetOf`,
    /// composer/semver 3.3.2).
    pub fn is_subset(&mut self, candidate: ConstraintId, of: ConstraintId) -> bool {
        if *self.constraint_of(of) == Constraint::All {
            return true;
        }
        if *self.constraint_of(candidate) == Constraint::None
            || *self.constraint_of(of) == Constraint::None
        {
            return false;
        }
        if candidate == of {
            return true;
        }
        if let Some(known) = self.subsets.get(&(candidate, of)) {
            return *known;
        }
        let both = self.multi(true, &[candidate, of]);
        let is_subset = self.intervals_of(both) == self.intervals_of(candidate);
        self.subsets.insert((candidate, of), is_subset);
        is_subset
    }

    /// Returns the end of the last range; `None` if it has no end.
    pub fn upper_end(&mut self, constraint: ConstraintId) -> Option<VersionId> {
        let infinity = self.greatest();
        let (_, end) = *self.intervals_of(constraint).numeric.last()?;
        (end != infinity).then_some(end.1)
    }

    /// Returns the shortest equivalent constraint (`Intervals::compactConstraint`, composer/semver
    /// 3.3.2).
    pub fn compact(&mut self, constraint: ConstraintId) -> ConstraintId {
        if !matches!(self.constraint_of(constraint), Constraint::Multi { .. }) {
            return constraint;
        }
        let intervals = self.intervals_of(constraint);
        let (zero, infinity) = (self.least(), self.greatest());
        let mut parts = Vec::new();
        let match_all = intervals.numeric == [(zero, infinity)];
        if match_all {
            parts.push(self.constraint(Constraint::Single(zero.0, zero.1)));
        } else {
            let joins = !self.dialect.points_need_branches
                || intervals.exclude
                || !self.is_all_but_points(&intervals.numeric);
            self.compact_ranges(&intervals.numeric, joins, &mut parts);
        }
        let op = if intervals.exclude { Op::Ne } else { Op::Eq };
        let branches: Vec<ConstraintId> = intervals
            .branches
            .iter()
            .map(|name| self.constraint(Constraint::Single(op, *name)))
            .collect();
        if branches.is_empty() {
            if intervals.exclude && match_all {
                return self.constraint(Constraint::All);
            }
        } else if intervals.exclude {
            let everything = self.constraint(Constraint::Single(zero.0, zero.1));
            if parts.len() > 1 {
                let ranges = self.multi(false, &parts);
                parts = vec![ranges];
            } else if parts == [everything] {
                parts.clear();
            }
            parts.extend(branches);
            return match parts.as_slice() {
                [one] => *one,
                _ => self.multi(true, &parts),
            };
        } else {
            parts.extend(branches);
        }
        match parts.as_slice() {
            [] => self.constraint(Constraint::None),
            [one] => *one,
            _ => self.multi(false, &parts),
        }
    }

    /// Returns whether the ranges cover all numbers except single points.
    fn is_all_but_points(&mut self, numeric: &[(Bound, Bound)]) -> bool {
        let (zero, infinity) = (self.least(), self.greatest());
        numeric.len() > 1
            && numeric.first().is_some_and(|first| first.0 == zero)
            && numeric.last().is_some_and(|last| last.1 == infinity)
            && numeric.windows(2).all(|two| {
                let ((_, end), (start, _)) = (two[0], two[1]);
                end.0 == Op::Lt && start == (Op::Gt, end.1)
            })
    }

    /// Appends the constraints of ranges. With `joins`, two ranges with a point between them are
    /// written with `!=`.
    fn compact_ranges(
        &mut self,
        numeric: &[(Bound, Bound)],
        joins: bool,
        parts: &mut Vec<ConstraintId>,
    ) {
        let (zero, infinity) = (self.least(), self.greatest());
        let mut unequal: Vec<ConstraintId> = Vec::new();
        for (at, (start, end)) in numeric.iter().enumerate() {
            // `< N || > N` is `!= N`.
            let next = numeric.get(at + 1).map(|next| next.0);
            if joins && end.0 == Op::Lt && next == Some((Op::Gt, end.1)) {
                if unequal.is_empty() && *start != zero {
                    unequal.push(self.constraint(Constraint::Single(start.0, start.1)));
                }
                unequal.push(self.constraint(Constraint::Single(Op::Ne, end.1)));
                continue;
            }
            if !unequal.is_empty() {
                if *end != infinity {
                    unequal.push(self.constraint(Constraint::Single(end.0, end.1)));
                }
                let part = match unequal.as_slice() {
                    [one] => *one,
                    _ => self.multi(true, &unequal),
                };
                parts.push(part);
                unequal.clear();
                continue;
            }
            let low = self.constraint(Constraint::Single(start.0, start.1));
            let high = self.constraint(Constraint::Single(end.0, end.1));
            parts.push(
                if start.1 == end.1 && start.0 == Op::Ge && end.0 == Op::Le {
                    self.constraint(Constraint::Single(Op::Eq, start.1))
                } else if *start == zero {
                    high
                } else if *end == infinity {
                    low
                } else {
                    self.multi(true, &[low, high])
                },
            );
        }
    }

    /// Computes the intervals of a constraint (`Intervals::generateIntervals`, composer/semver
    /// 3.3.2).
    fn generate(&mut self, constraint: ConstraintId) -> Intervals {
        let (zero, infinity) = (self.least(), self.greatest());
        match self.constraint_of(constraint).clone() {
            Constraint::All => Intervals {
                numeric: vec![(zero, infinity)],
                branches: Vec::new(),
                exclude: true,
            },
            Constraint::None => Intervals {
                numeric: Vec::new(),
                branches: Vec::new(),
                exclude: false,
            },
            Constraint::Single(op, version) if self.version_of(version).is_branch() => Intervals {
                numeric: if op == Op::Ne {
                    vec![(zero, infinity)]
                } else {
                    Vec::new()
                },
                branches: if matches!(op, Op::Ne | Op::Eq) {
                    vec![version]
                } else {
                    Vec::new()
                },
                exclude: op == Op::Ne,
            },
            Constraint::Single(op, version) => {
                let is_nothing = self.dialect.zero_is_least && op == Op::Lt && version == zero.1;
                let numeric = match op {
                    _ if is_nothing => Vec::new(),
                    Op::Gt | Op::Ge => vec![((op, version), infinity)],
                    Op::Lt | Op::Le => vec![(zero, (op, version))],
                    Op::Ne => vec![(zero, (Op::Lt, version)), ((Op::Gt, version), infinity)],
                    Op::Eq => vec![((Op::Ge, version), (Op::Le, version))],
                };
                Intervals {
                    numeric,
                    branches: Vec::new(),
                    exclude: op == Op::Ne,
                }
            }
            Constraint::Multi { conjunctive, parts } => {
                let parts: Vec<Rc<Intervals>> =
                    parts.iter().map(|part| self.intervals_of(*part)).collect();
                self.combine(conjunctive, &parts)
            }
        }
    }

    fn combine(&self, conjunctive: bool, parts: &[Rc<Intervals>]) -> Intervals {
        let (branches, exclude) = combine_branches(conjunctive, parts);
        if let [one] = parts {
            return Intervals {
                numeric: one.numeric.clone(),
                branches,
                exclude,
            };
        }
        let mut borders: Vec<(Bound, bool)> = Vec::new();
        for (start, end) in parts.iter().flat_map(|part| &part.numeric) {
            borders.push((*start, true));
            borders.push((*end, false));
        }
        let rank = |op: Op| match op {
            Op::Ge => -3,
            Op::Lt => -2,
            Op::Gt => 2,
            _ => 3,
        };
        borders.sort_by(|((a_op, a), _), ((b_op, b), _)| {
            let order = self.version_of(*a).compare(self.version_of(*b));
            order.then(rank(*a_op).cmp(&rank(*b_op)))
        });
        let threshold = if conjunctive {
            i64::try_from(parts.len()).unwrap_or(i64::MAX)
        } else {
            1
        };
        let mut active = 0_i64;
        let mut start: Option<Bound> = None;
        let mut numeric = Vec::new();
        for (border, opens) in borders {
            if opens {
                active += 1;
            } else {
                active -= 1;
            }
            match start {
                None if active >= threshold => start = Some(border),
                Some(from) if active < threshold => {
                    let same = self
                        .version_of(from.1)
                        .compare(self.version_of(border.1))
                        .is_eq();
                    let void = matches!((from.0, border.0), (Op::Gt, Op::Le) | (Op::Ge, Op::Lt));
                    if !(same && void) {
                        numeric.push((from, border));
                    }
                    start = None;
                }
                _ => {}
            }
        }
        Intervals {
            numeric,
            branches,
            exclude,
        }
    }
}

/// Combines the branches of the parts: those that all parts cover, or those that any part covers.
/// The flag is `exclude` of the result.
fn combine_branches(conjunctive: bool, parts: &[Rc<Intervals>]) -> (Vec<VersionId>, bool) {
    let without = |from: &[VersionId], names: &[VersionId]| -> Vec<VersionId> {
        from.iter()
            .filter(|name| !names.contains(name))
            .copied()
            .collect()
    };
    let within = |from: &[VersionId], names: &[VersionId]| -> Vec<VersionId> {
        from.iter()
            .filter(|name| names.contains(name))
            .copied()
            .collect()
    };
    let mut names: Vec<VersionId> = Vec::new();
    let mut exclude = conjunctive;
    for part in parts {
        let other = &part.branches;
        match (conjunctive, part.exclude, exclude) {
            (false, true, true) | (true, false, false) => names = within(&names, other),
            (false, true, false) => {
                exclude = true;
                names = without(other, &names);
            }
            (false, false, true) | (true, true, false) => names = without(&names, other),
            (false, false, false) | (true, true, true) => names.extend(other),
            (true, false, true) => {
                names = without(other, &names);
                exclude = false;
            }
        }
    }
    let mut unique = Vec::with_capacity(names.len());
    for name in names {
        if !unique.contains(&name) {
            unique.push(name);
        }
    }
    (unique, exclude)
}
