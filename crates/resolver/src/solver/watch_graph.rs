//! The watched rules of the solver: Composer's `RuleWatchGraph` (Composer 2.11.0).

use super::super::Stop;
use super::super::rules::{Literal, Literals, RuleSet, Shape, package_of};
use super::decisions::Decisions;

/// A watched rule (`RuleWatchNode`). It copies the literal range, so that propagation does not
/// touch the rule table; cache misses dominated the profile.
struct Watch {
    first: Literal,
    second: Literal,
    rule: u32,
    literals: Literals,
    /// Whether the rule allows at most one installed package (`MultiConflictRule`). All literals
    /// of such a rule are watched.
    is_at_most_one: bool,
}

/// The watched rules of each literal, to be visited when the literal becomes false. Composer
/// prepends to its chains; these are stored in reverse, so that the last rule added comes first.
pub struct WatchGraph {
    watches: Vec<Watch>,
    /// The chains of each package: for the negative and for the positive literal.
    chains: Vec<[Vec<u32>; 2]>,
}

impl WatchGraph {
    pub fn new(packages: usize) -> Self {
        let mut chains = Vec::new();
        chains.resize_with(packages + 1, Default::default);
        Self {
            watches: Vec::new(),
            chains,
        }
    }

    pub fn chain(&mut self, literal: Literal) -> &mut Vec<u32> {
        &mut self.chains[package_of(literal) as usize][usize::from(literal > 0)]
    }

    /// Watches a rule. `highest` makes the second watch the literal with the highest decision
    /// level (`RuleWatchNode::watch2OnHighest`).
    pub fn insert(&mut self, number: usize, rules: &RuleSet, highest: Option<&Decisions>) {
        let rule = &rules.rules[number];
        let literals = rules.literals(rule);
        if rule.is_assertion() {
            return;
        }
        let short = |number: usize| u32::try_from(number).expect("fewer than 2^32 rules");
        let mut watch = Watch {
            first: literals[0],
            second: literals[1],
            rule: short(number),
            literals: rule.literals,
            is_at_most_one: rule.shape == Shape::AtMostOne,
        };
        if let Some(decisions) = highest
            && literals.len() >= 3
        {
            let mut level = 0;
            for literal in literals {
                let own = decisions.level_of(*literal).abs();
                if own > level {
                    watch.second = *literal;
                    level = own;
                }
            }
        }
        let place = short(self.watches.len());
        if watch.is_at_most_one {
            for literal in literals {
                self.chain(*literal).push(place);
            }
        } else {
            for literal in [watch.first, watch.second] {
                self.chain(literal).push(place);
            }
        }
        self.watches.push(watch);
    }

    /// Propagates a decision to the rules that watch its negation
    /// (`RuleWatchGraph::propagateLiteral`). Returns the rule that is in conflict, if any.
    pub fn propagate(
        &mut self,
        decided: Literal,
        level: i32,
        decisions: &mut Decisions,
        rules: &RuleSet,
    ) -> Result<Option<usize>, Stop> {
        let literal = -decided;
        let mut chain = std::mem::take(self.chain(literal));
        let mut conflict = None;
        let mut at = chain.len();
        // Rules that stay in the chain are moved up, behind the rules that were visited.
        let mut kept = chain.len();
        while at > 0 {
            at -= 1;
            let place = chain[at];
            let watch = &mut self.watches[place as usize];
            let number = watch.rule as usize;
            if watch.is_at_most_one {
                for other in rules.literals_at(watch.literals) {
                    if *other == literal || decisions.satisfies(*other) {
                        continue;
                    }
                    if decisions.conflicts(*other) {
                        conflict = Some(number);
                        break;
                    }
                    decisions.decide(*other, level, number)?;
                }
            } else {
                let other = if watch.first == literal {
                    watch.second
                } else {
                    watch.first
                };
                if !decisions.satisfies(other) {
                    let literals = rules.literals_at(watch.literals);
                    let alternative = literals
                        .iter()
                        .copied()
                        .find(|one| *one != literal && *one != other && !decisions.conflicts(*one));
                    if let Some(alternative) = alternative {
                        if watch.first == literal {
                            watch.first = alternative;
                        } else {
                            watch.second = alternative;
                        }
                        self.chain(alternative).push(place);
                        continue;
                    }
                    if decisions.conflicts(other) {
                        conflict = Some(number);
                    } else {
                        decisions.decide(other, level, number)?;
                    }
                }
            }
            kept -= 1;
            chain[kept] = place;
            if conflict.is_some() {
                break;
            }
        }
        chain.drain(at..kept);
        *self.chain(literal) = chain;
        Ok(conflict)
    }
}
