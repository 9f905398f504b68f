//! Decides which packages are installed: Composer's `Solver`, `Decisions` and `RuleWatchGraph`.
//! The solver stops at an unsolvable conflict; Composer then reports the problem itself.

mod decisions;
mod unsolvable;
mod watch_graph;

use super::Stop;
use super::policy::Policy;
use super::pool::{Number, Pool};
use super::rules::{Literal, RuleSet, RuleType, Shape, installed, package_of};
use allegro_base::tables::{HashMap, HashSet};
use decisions::Decisions;
use watch_graph::WatchGraph;

/// Candidates that were not selected, and the level of the choice (`Solver::$branches`).
struct Branch {
    literals: Vec<Option<Literal>>,
    level: i32,
}

/// The SAT solver (`Solver`, Composer 2.5.5).
pub(super) struct Solver<'a, 'p> {
    pool: &'a Pool<'p>,
    policy: &'a Policy,
    rules: RuleSet,
    fixed: HashSet<Number>,
    decisions: Decisions,
    graph: WatchGraph,
    /// The first decision that isn't propagated yet (`propagateIndex`).
    next: usize,
    branches: Vec<Branch>,
    /// The rules that each learned rule was derived from (`learnedPool`, `learnedWhy`).
    lessons: HashMap<usize, Vec<usize>>,
    /// The rules of an unsolvable conflict.
    blamed: Vec<usize>,
    is_cancelled: &'a dyn Fn() -> bool,
}

impl<'a, 'p> Solver<'a, 'p> {
    pub fn new(
        pool: &'a Pool<'p>,
        policy: &'a Policy,
        rules: RuleSet,
        fixed: HashSet<Number>,
        is_cancelled: &'a dyn Fn() -> bool,
    ) -> Self {
        let count = pool.numbers().count();
        let decisions = Decisions {
            levels: vec![0; count + 1],
            queue: Vec::new(),
        };
        Self {
            pool,
            policy,
            rules,
            fixed,
            decisions,
            graph: WatchGraph::new(count),
            next: 0,
            branches: Vec::new(),
            lessons: HashMap::default(),
            blamed: Vec::new(),
            is_cancelled,
        }
    }

    /// Returns the number of rules with those that were learned (`Solver::getRuleSetSize`, Composer
    /// 2.5.5).
    pub fn rule_count(&self) -> usize {
        self.rules.order.len()
    }

    /// Returns the installed packages, in the order of the decisions (`Solver::solve`, Composer
    /// 2.5.5).
    pub fn solve(&mut self) -> Result<Vec<Number>, Stop> {
        // Composer iterates by type, then by age (`RuleSetIterator`).
        for kind in [RuleType::Package, RuleType::Request] {
            for number in &self.rules.order {
                let rule = &self.rules.rules[*number];
                if rule.kind == kind {
                    self.graph.insert(*number, &self.rules, None);
                }
            }
        }
        self.assert_facts()?;
        self.run()?;
        let decided = self.decisions.queue.iter();
        Ok(decided
            .filter(|(literal, _)| *literal > 0)
            .map(|(literal, _)| package_of(*literal))
            .collect())
    }

    /// Decides the literals of assertions, which are rules of one literal
    /// (`Solver::makeAssertionRuleDecisions`).
    fn assert_facts(&mut self) -> Result<(), Stop> {
        for place in 0..self.rules.order.len() {
            let number = self.rules.order[place];
            let rule = &self.rules.rules[number];
            if !rule.is_assertion() {
                continue;
            }
            let literal = self.rules.literals(rule)[0];
            if self.decisions.undecided(literal) {
                self.decisions.decide(literal, 1, number)?;
            } else if !self.decisions.satisfies(literal) {
                return Err(self.unsolvable(number));
            }
        }
        Ok(())
    }

    /// Propagates all new decisions. Returns the rule that is in conflict, if any
    /// (`Solver::propagate`, Composer 2.5.5).
    fn propagate(&mut self, level: i32) -> Result<Option<usize>, Stop> {
        while let Some((literal, _)) = self.decisions.queue.get(self.next).copied() {
            let conflict =
                self.graph
                    .propagate(literal, level, &mut self.decisions, &self.rules)?;
            self.next += 1;
            if conflict.is_some() {
                return Ok(conflict);
            }
        }
        Ok(None)
    }

    /// Reverts all decisions and branches above a level (`Solver::revert`, Composer 2.5.5).
    fn revert(&mut self, level: i32) {
        while let Some((literal, _)) = self.decisions.queue.last() {
            if self.decisions.undecided(*literal)
                || self.decisions.level_of(*literal).abs() <= level
            {
                break;
            }
            self.decisions.revert_last();
            self.next = self.decisions.queue.len();
        }
        while self
            .branches
            .last()
            .is_some_and(|branch| branch.level >= level)
        {
            self.branches.pop();
        }
    }

    /// Decides a literal on a new level, and propagates it (`Solver::setPropagateLearn`, Composer
    /// 2.5.5).
    ///
    /// At a conflict, it learns a rule, backtracks and propagates again. Returns the level that is
    /// reached in the end.
    fn set_propagate_learn(
        &mut self,
        level: i32,
        literal: Literal,
        why: usize,
    ) -> Result<i32, Stop> {
        if (self.is_cancelled)() {
            return Err(Stop::Interrupted);
        }
        let mut level = level + 1;
        self.decisions.decide(literal, level, why)?;
        while let Some(conflict) = self.propagate(level)? {
            if level == 1 {
                return Err(self.unsolvable(conflict));
            }
            let mut lesson = Vec::new();
            let (learned, new_level, literals) = self.analyze(level, conflict, &mut lesson)?;
            if new_level <= 0 || new_level >= level {
                return Err(Stop::Unclear(
                    "the solver would go back to no level".to_owned(),
                ));
            }
            level = new_level;
            self.revert(level);
            let number = self.rules.learn(literals);
            self.lessons.insert(number, lesson);
            self.graph
                .insert(number, &self.rules, Some(&self.decisions));
            self.decisions.decide(learned, level, number)?;
        }
        Ok(level)
    }

    /// Analyzes a conflict (`Solver::analyze`, Composer 2.5.5). Returns the learned literal, the
    /// level to backtrack to, and the literals of the learned rule.
    ///
    /// The rules on the way to the conflict go into `lesson`.
    fn analyze(
        &self,
        level: i32,
        conflict: usize,
        lesson: &mut Vec<usize>,
    ) -> Result<(Literal, i32, Vec<Literal>), Stop> {
        let mut rule = conflict;
        let mut rule_level = 1;
        let (mut here, mut first_level) = (0_i64, 0_i64);
        let mut seen: HashSet<Number> = HashSet::default();
        let mut learned = None;
        let mut others: Vec<Literal> = Vec::new();
        let mut at = self.decisions.queue.len();
        'rules: loop {
            lesson.push(rule);
            let current = &self.rules.rules[rule];
            for literal in self.rules.literals(current) {
                if current.shape == Shape::AtMostOne && self.decisions.undecided(*literal) {
                    continue;
                }
                if self.decisions.satisfies(*literal) || !seen.insert(package_of(*literal)) {
                    continue;
                }
                let own = self.decisions.level_of(*literal).abs();
                if own == 1 {
                    first_level += 1;
                } else if own == level {
                    here += 1;
                } else {
                    others.push(*literal);
                    rule_level = rule_level.max(own);
                }
            }
            let mut again = true;
            while again {
                again = false;
                if here == 0 {
                    first_level -= 1;
                    if first_level == 0 {
                        break 'rules;
                    }
                }
                let literal = loop {
                    let Some(before) = at.checked_sub(1) else {
                        return Err(Stop::Unclear(
                            "the solver found no cause of a conflict".to_owned(),
                        ));
                    };
                    at = before;
                    let (literal, _) = self.decisions.queue[at];
                    if seen.contains(&package_of(literal)) {
                        break literal;
                    }
                };
                seen.remove(&package_of(literal));
                let was_last = if here == 0 {
                    false
                } else {
                    here -= 1;
                    here == 0
                };
                if was_last {
                    learned = Some(-literal);
                    if first_level == 0 {
                        break 'rules;
                    }
                    for other in &others {
                        seen.remove(&package_of(*other));
                    }
                    first_level += 1;
                    again = true;
                } else {
                    let reason = &self.rules.rules[self.decisions.queue[at].1];
                    if reason.shape == Shape::AtMostOne {
                        // Exactly one package of such a rule is installed.
                        let cause = self.rules.literals(reason).iter().copied().find(|literal| {
                            !seen.contains(&package_of(*literal))
                                && self.decisions.satisfies(-*literal)
                        });
                        if let Some(cause) = cause {
                            let own = self.decisions.level_of(cause).abs();
                            if own == 1 {
                                first_level += 1;
                            } else if own == level {
                                here += 1;
                            } else {
                                others.push(cause);
                                rule_level = rule_level.max(own);
                            }
                            seen.insert(package_of(cause));
                        }
                        again = true;
                    }
                }
            }
            rule = self.decisions.queue[at].1;
        }
        let learned = learned.ok_or_else(|| {
            Stop::Unclear("the solver found nothing to learn from a conflict".to_owned())
        })?;
        others.insert(0, learned);
        Ok((learned, rule_level, others))
    }

    /// Selects the best candidate, and decides that it is installed (`Solver::selectAndInstall`,
    /// Composer 2.5.5).
    fn select_and_install(
        &mut self,
        level: i32,
        queue: &[Literal],
        rule: usize,
    ) -> Result<i32, Stop> {
        let candidates: Vec<Number> = queue.iter().map(|literal| package_of(*literal)).collect();
        let selected = self
            .policy
            .select(self.pool, &candidates, self.rules.rules[rule].required);
        let (first, rest) = selected
            .split_first()
            .ok_or_else(|| Stop::Unclear("nothing to choose from".to_owned()))?;
        if !rest.is_empty() {
            let literals = rest.iter().map(|number| Some(installed(*number))).collect();
            self.branches.push(Branch { literals, level });
        }
        self.set_propagate_learn(level, installed(*first), rule)
    }

    /// Runs the main loop of the solver (`Solver::runSat`, Composer 2.5.5).
    fn run(&mut self) -> Result<(), Stop> {
        let requests: Vec<usize> = self
            .rules
            .order
            .iter()
            .copied()
            .filter(|rule| self.rules.rules[*rule].kind == RuleType::Request)
            .collect();
        let mut level = 1;
        let mut system_level = 2;
        loop {
            if level == 1
                && let Some(conflict) = self.propagate(level)?
            {
                return Err(self.unsolvable(conflict));
            }
            if level < system_level {
                let more = self.decide_requests(&requests, &mut level)?;
                system_level = level + 1;
                if more {
                    continue;
                }
            }
            if level < system_level {
                system_level = level;
            }
            self.decide_rules(&mut level)?;
            if level < system_level {
                continue;
            }
            if self.minimize(&mut level)? {
                continue;
            }
            return Ok(());
        }
    }

    /// Decides the rules of root requirements and fixed packages. Returns whether backtracking
    /// left some of them undecided.
    fn decide_requests(&mut self, requests: &[usize], level: &mut i32) -> Result<bool, Stop> {
        for (place, number) in requests.iter().enumerate() {
            let literals = self.rules.literals_of(*number);
            if literals
                .iter()
                .any(|literal| self.decisions.satisfies(*literal))
            {
                continue;
            }
            let mut queue: Vec<Literal> = literals
                .iter()
                .copied()
                .filter(|one| *one > 0 && self.decisions.undecided(*one))
                .collect();
            let pruned: Vec<Literal> = queue
                .iter()
                .copied()
                .filter(|literal| self.fixed.contains(&package_of(*literal)))
                .collect();
            if !pruned.is_empty() {
                queue = pruned;
            }
            if queue.is_empty() {
                continue;
            }
            let before = *level;
            *level = self.select_and_install(*level, &queue, *number)?;
            if *level <= before {
                return Ok(place + 1 < requests.len());
            }
        }
        Ok(false)
    }

    /// Decides each rule that is still open, round after round, until a whole round needs no
    /// decision.
    fn decide_rules(&mut self, level: &mut i32) -> Result<(), Stop> {
        let mut count = self.rules.order.len();
        let (mut at, mut round) = (0, 0);
        let mut queue: Vec<Literal> = Vec::new();
        while round < count {
            if at == count {
                at = 0;
            }
            let number = self.rules.order[at];
            at += 1;
            round += 1;
            let rule = &self.rules.rules[number];
            queue.clear();
            let mut open = true;
            for literal in self.rules.literals(rule) {
                let decided = self.decisions.level_of(*literal);
                if *literal < 0 {
                    if decided <= 0 {
                        open = false;
                        break;
                    }
                } else if decided > 0 {
                    open = false;
                    break;
                } else if decided == 0 {
                    queue.push(*literal);
                }
            }
            if !open || queue.len() < 2 {
                continue;
            }
            let candidates = std::mem::take(&mut queue);
            *level = self.select_and_install(*level, &candidates, number)?;
            count = self.rules.order.len();
            round = 0;
        }
        Ok(())
    }

    /// Backtracks to a choice whose other candidate was decided on a higher level, and selects
    /// that candidate (minimization step of `Solver::runSat`). Returns whether there was such a
    /// choice.
    fn minimize(&mut self, level: &mut i32) -> Result<bool, Stop> {
        let mut last = None;
        for (place, branch) in self.branches.iter().enumerate().rev() {
            for (offset, literal) in branch.literals.iter().enumerate() {
                let Some(literal) = *literal else { continue };
                if self.decisions.level_of(literal).abs() > branch.level + 1 {
                    last = Some((literal, place, offset, branch.level));
                }
            }
        }
        let Some((literal, place, offset, branch_level)) = last else {
            return Ok(false);
        };
        self.branches[place].literals[offset] = None;
        *level = branch_level;
        self.revert(branch_level);
        let why = self.decisions.queue.last().map(|(_, why)| *why);
        let why = why.ok_or_else(|| Stop::Unclear("nothing was decided".to_owned()))?;
        *level = self.set_propagate_learn(*level, literal, why)?;
        Ok(true)
    }
}
