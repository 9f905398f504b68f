//! The decisions of the solver: Composer's `Decisions` (composer 2.11.0).

use super::super::Stop;
use super::super::rules::{Literal, package_of};

/// The decisions so far, by package and in their order. A decision's level tells which choice led to it.
#[derive(Default)]
pub struct Decisions {
    pub levels: Vec<i32>,
    pub queue: Vec<(Literal, usize)>,
}

impl Decisions {
    pub fn level_of(&self, literal: Literal) -> i32 {
        self.levels[package_of(literal) as usize]
    }

    pub fn satisfies(&self, literal: Literal) -> bool {
        let level = self.level_of(literal);
        (literal > 0 && level > 0) || (literal < 0 && level < 0)
    }

    pub fn conflicts(&self, literal: Literal) -> bool {
        let level = self.level_of(literal);
        (literal < 0 && level > 0) || (literal > 0 && level < 0)
    }

    pub fn undecided(&self, literal: Literal) -> bool {
        self.level_of(literal) == 0
    }

    pub fn decide(&mut self, literal: Literal, level: i32, why: usize) -> Result<(), Stop> {
        let place = package_of(literal) as usize;
        if self.levels[place] != 0 {
            return Err(Stop::Unclear("a package was decided twice".to_owned()));
        }
        self.levels[place] = if literal > 0 { level } else { -level };
        self.queue.push((literal, why));
        Ok(())
    }

    pub fn revert_last(&mut self) {
        if let Some((literal, _)) = self.queue.pop() {
            self.levels[package_of(literal) as usize] = 0;
        }
    }
}
