//! The decisions of the solver: Composer's `Decisions` (Composer 2.11.0).

use super::super::Stop;
use super::super::rules::{Literal, package_of};

/// The decisions so far: their levels by package, and a queue in the order of the decisions. The
/// level of a decision is that of the choice that led to it.
#[derive(Default)]
pub struct Decisions {
    /// The level by package number: positive if installed, negative if not, 0 if undecided.
    pub levels: Vec<i32>,
    /// Each decided literal, with the number of the rule that caused the decision.
    pub queue: Vec<(Literal, usize)>,
}

impl Decisions {
    /// Returns the level of a literal's package, with the sign of the decision.
    pub fn level_of(&self, literal: Literal) -> i32 {
        self.levels[package_of(literal) as usize]
    }

    /// Returns whether the decisions make a literal true (`Decisions::satisfy`).
    pub fn satisfies(&self, literal: Literal) -> bool {
        let level = self.level_of(literal);
        (literal > 0 && level > 0) || (literal < 0 && level < 0)
    }

    /// Returns whether the decisions make a literal false (`Decisions::conflict`).
    pub fn conflicts(&self, literal: Literal) -> bool {
        let level = self.level_of(literal);
        (literal < 0 && level > 0) || (literal > 0 && level < 0)
    }

    /// Returns whether the package of a literal is undecided.
    pub fn undecided(&self, literal: Literal) -> bool {
        self.level_of(literal) == 0
    }

    /// Decides a literal because of the rule `why`. A second decision on the same package is an
    /// error.
    pub fn decide(&mut self, literal: Literal, level: i32, why: usize) -> Result<(), Stop> {
        let place = package_of(literal) as usize;
        if self.levels[place] != 0 {
            return Err(Stop::Unclear("a package was decided twice".to_owned()));
        }
        self.levels[place] = if literal > 0 { level } else { -level };
        self.queue.push((literal, why));
        Ok(())
    }

    /// Reverts the last decision.
    pub fn revert_last(&mut self) {
        if let Some((literal, _)) = self.queue.pop() {
            self.levels[package_of(literal) as usize] = 0;
        }
    }
}
