//! Finds the rules of an unsolvable conflict: Composer's `Solver::analyzeUnsolvable` (Composer
//! 2.5.5).

use super::super::Stop;
use super::super::pool::Number;
use super::super::rules::{Blamed, RuleType, package_of};
use super::Solver;
use allegro_base::tables::HashSet;

impl Solver<'_, '_> {
    /// Records the rules that led to a conflict on level 1, which no backtracking can avoid.
    pub(super) fn unsolvable(&mut self, conflict: usize) -> Stop {
        let mut reasons = vec![conflict];
        let mut seen: HashSet<Number> = HashSet::default();
        self.note_unmet(conflict, &mut seen);
        for (literal, why) in self.decisions.queue.iter().rev() {
            if seen.contains(&package_of(*literal)) {
                reasons.push(*why);
                self.note_unmet(*why, &mut seen);
            }
        }
        // Learned rules are replaced by the rules that they were derived from.
        let mut known = HashSet::default();
        while let Some(number) = reasons.pop() {
            if !known.insert(number) {
                continue;
            }
            match self.lessons.get(&number) {
                Some(lesson) => reasons.extend(lesson),
                None => self.blamed.push(number),
            }
        }
        self.blamed.sort_unstable();
        Stop::Unsolvable
    }

    /// Adds the packages of a rule's literals that the decisions don't satisfy.
    fn note_unmet(&self, rule: usize, seen: &mut HashSet<Number>) {
        let literals = self.rules.literals_of(rule).iter();
        seen.extend(
            literals
                .filter(|literal| !self.decisions.satisfies(**literal))
                .map(|literal| package_of(*literal)),
        );
    }

    /// Returns the rules that can't be met together, after [`Solver::solve`] has returned
    /// [`Stop::Unsolvable`].
    pub fn blamed(&self) -> Vec<Blamed<'_>> {
        self.blamed
            .iter()
            .map(|number| &self.rules.rules[*number])
            .filter(|rule| rule.kind != RuleType::Learned)
            .map(|rule| (rule, self.rules.literals(rule)))
            .collect()
    }
}
