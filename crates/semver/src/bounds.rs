//! The lowest and the highest version that a constraint covers (`Bound` and `extractBounds`,
//! composer/semver 3.4.4).

use std::cmp::Ordering;

use super::constraint::{Constraint, ConstraintId, Op, Terms};
use super::version::Version;

/// An end of a constraint.
#[derive(Debug, Clone)]
pub struct Bound {
    /// Normalized version.
    pub version: Version,
    /// Whether the constraint covers the version itself.
    pub is_inclusive: bool,
}

impl Bound {
    const ZERO: &str = "0.0.0.0-dev";
    const INFINITY: &str = "9223372036854775807.0.0.0";

    fn new(version: &str, is_inclusive: bool) -> Self {
        Self {
            version: Version::new(version),
            is_inclusive,
        }
    }

    /// Returns whether no version is lower.
    pub fn is_zero(&self) -> bool {
        self.version.text() == Self::ZERO && self.is_inclusive
    }

    /// Returns whether there is no upper end.
    pub fn is_infinite(&self) -> bool {
        self.version.text() == Self::INFINITY && !self.is_inclusive
    }

    /// Returns whether the bound lies on a side of another one (`Bound::compareTo`).
    fn is(&self, side: Ordering, other: &Self) -> bool {
        let order = self.version.compare(&other.version);
        if order.is_ne() {
            return order == side;
        }
        if self.version.text() == other.version.text() && self.is_inclusive == other.is_inclusive {
            return false;
        }
        (side == Ordering::Greater) == other.is_inclusive
    }
}

impl Terms {
    /// Returns the lower and the upper end of a constraint.
    pub fn bounds(&self, constraint: ConstraintId) -> (Bound, Bound) {
        let zero = || Bound::new(Bound::ZERO, true);
        let infinity = || Bound::new(Bound::INFINITY, false);
        match self.constraint_of(constraint) {
            Constraint::All => (zero(), infinity()),
            Constraint::None => {
                let end = Bound::new(Bound::ZERO, false);
                (end.clone(), end)
            }
            Constraint::Single(op, version) => {
                let version = self.version_of(*version);
                let end = |is_inclusive| Bound {
                    version: version.clone(),
                    is_inclusive,
                };
                match op {
                    _ if version.is_branch() => (zero(), infinity()),
                    Op::Eq => (end(true), end(true)),
                    Op::Ne => (zero(), infinity()),
                    Op::Lt => (zero(), end(false)),
                    Op::Le => (zero(), end(true)),
                    Op::Gt => (end(false), infinity()),
                    Op::Ge => (end(true), infinity()),
                }
            }
            Constraint::Multi { conjunctive, parts } => {
                let sides = if *conjunctive {
                    (Ordering::Greater, Ordering::Less)
                } else {
                    (Ordering::Less, Ordering::Greater)
                };
                let mut all = parts.iter().map(|part| self.bounds(*part));
                let first = all.next().unwrap_or_else(|| (zero(), infinity()));
                all.fold(first, |(mut lower, mut upper), (low, up)| {
                    if low.is(sides.0, &lower) {
                        lower = low;
                    }
                    if up.is(sides.1, &upper) {
                        upper = up;
                    }
                    (lower, upper)
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Dialect;

    /// The expected texts are those of composer/semver 3.3.2 and 3.4.4.
    #[test]
    fn bounds_are_those_of_composer() {
        let mut terms = Terms::new(Dialect::default());
        let (zero, infinity) = (">=0.0.0.0-dev", "<9223372036854775807.0.0.0");
        for (pretty, lower, upper) in [
            ("*", zero, infinity),
            ("dev-main", zero, infinity),
            ("!= 1.0", zero, infinity),
            ("1.2", ">=1.2.0.0", "<=1.2.0.0"),
            ("^1.10", ">=1.10.0.0-dev", "<2.0.0.0-dev"),
            ("> 1.0 <= 2.0", ">1.0.0.0", "<=2.0.0.0"),
            ("~1.9.4 || ^2.1", ">=1.9.4.0-dev", "<3.0.0.0-dev"),
            ("^3.0 || ^1.0", ">=1.0.0.0-dev", "<4.0.0.0-dev"),
            (">=1.0 >1.0 <2.0", ">1.0.0.0", "<2.0.0.0-dev"),
            ("<1.0 || <=1.0", zero, "<=1.0.0.0"),
            ("<3.0", zero, "<3.0.0.0-dev"),
            (">=3.0", ">=3.0.0.0-dev", infinity),
        ] {
            let id = terms.parse(pretty).expect("a constraint");
            let (low, up) = terms.bounds(id);
            let low_mark = if low.is_inclusive { ">=" } else { ">" };
            let up_mark = if up.is_inclusive { "<=" } else { "<" };
            let found = (
                format!("{low_mark}{}", low.version.text()),
                format!("{up_mark}{}", up.version.text()),
            );
            assert_eq!(found, (lower.to_owned(), upper.to_owned()), "{pretty}");
            assert_eq!(low.is_zero(), lower == zero, "{pretty}");
            assert_eq!(up.is_infinite(), upper == infinity, "{pretty}");
        }
    }
}
