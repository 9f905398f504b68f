//! Writes the lines of a verdict: the requirements that can't be met, the packages that stand
//! against them, and the remedy that was tried. The lines contain names, constraints and versions
//! only.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use super::super::request::Problem;
use super::conflict::What;
use super::{Change, Claim, Lack, Verdict};

/// The number of requirements that a line names, so that a reader grasps it at a glance.
const MOST_REQUIRES: usize = 3;

/// The starts of the first line and of the following lines.
const HEADS: [&str; 2] = ["Allegro: ", "         "];

impl Verdict {
    /// Returns the verdict as lines of plain text.
    #[must_use]
    pub fn lines(&self, problem: &Problem) -> Vec<String> {
        let words = Words {
            verdict: self,
            problem,
        };
        [words.requirements(), words.objections(), words.help()]
            .into_iter()
            .filter(|line| !line.is_empty())
            .enumerate()
            .map(|(place, line)| format!("{}{line}", HEADS[place.min(1)]))
            .collect()
    }
}

/// A verdict, and the problem whose requirements it names.
struct Words<'a> {
    verdict: &'a Verdict,
    problem: &'a Problem,
}

impl Words<'_> {
    /// Returns the line that names the requirements.
    fn requirements(&self) -> String {
        let Verdict { requires, more, .. } = self.verdict;
        let shown = requires.len().min(MOST_REQUIRES);
        let mut names: Vec<String> = requires[..shown]
            .iter()
            .map(|name| match self.problem.written(name) {
                Some(written) => format!("{name} {written}"),
                None => name.clone(),
            })
            .collect();
        let more = more + requires.len() - shown;
        if more > 0 {
            names.push(format!("{more} more"));
        }
        match names.as_slice() {
            [one] => format!("{one} can't be had"),
            [first, others @ ..] if self.verdict.lack.is_some() => {
                format!("{first} can't be had, nor can {}", enumerated(others))
            }
            names => format!("{} can't be had together", enumerated(names)),
        }
    }

    /// Returns the line that names the packages that stand against the requirements.
    fn objections(&self) -> String {
        if let Some(lack) = &self.verdict.lack {
            let name = self.verdict.requires.first().map_or("", String::as_str);
            let lack = self.lack(lack, name);
            return match self.verdict.nearest.as_slice() {
                [] => lack,
                nearest => format!("{lack}; much like it: {}", nearest.join(", ")),
            };
        }
        let mut known: Vec<Option<&str>> = Vec::new();
        let mut claims = Vec::new();
        for claim in &self.verdict.claims {
            let by = claim.by.as_deref();
            claims.push(self.claim(claim, known.contains(&by)));
            known.push(by);
        }
        claims.join(", ")
    }

    /// Returns the words for a statement. `is_known` says whether an earlier statement has the same
    /// package.
    fn claim(&self, claim: &Claim, is_known: bool) -> String {
        let Claim {
            target, constraint, ..
        } = claim;
        let (theirs, ours) = match claim.what {
            What::Requires => ("requires", "require"),
            What::Conflicts => ("conflicts with", "conflict with"),
            What::Replaces => ("replaces", "replace"),
            What::Provides => ("provides", "provide"),
            What::Is => ("is", "are"),
        };
        let mut text = match &claim.by {
            _ if claim.what == What::Is => {
                format!("there is {target} {constraint}{}", self.configured(target))
            }
            None => format!("you {ours} {target} {constraint}"),
            Some(by) => {
                let mut text = format!("{by} {}", range(&claim.oldest, &claim.newest));
                let written = self.problem.written(by);
                let required = match &claim.via {
                    Some(via) => Some(format!(" (required by {via})")),
                    None => written.map(|written| format!(" (required by you: {written})")),
                };
                text.push_str(&required.filter(|_| !is_known).unwrap_or_default());
                format!("{text} {theirs} {target} {constraint}")
            }
        };
        if let Some(lack) = &claim.lack {
            let _ = write!(text, ", and {}", self.lack(lack, target));
        }
        text
    }

    fn lack(&self, lack: &Lack, name: &str) -> String {
        match lack {
            Lack::Name => format!("no repository has {name}"),
            Lack::Version { oldest, newest } => {
                format!("there is {name} {}", range(oldest, newest))
            }
            Lack::Stability { version, stability } => {
                format!("there is {name} {version} at most, which is {stability}")
            }
            Lack::Offered {
                by,
                version,
                constraint,
            } => format!("there is {by} {version}, which stands for {name} {constraint}"),
            Lack::Platform { has: None } => format!("there is no {name}"),
            Lack::Platform { has: Some(has) } => {
                format!("there is {name} {has}{}", self.configured(name))
            }
            Lack::Locked { version } => {
                format!("{name} {version} is locked and not to be updated")
            }
            Lack::Elsewhere => format!("this run leaves out the versions of {name} that fit"),
        }
    }

    fn configured(&self, name: &str) -> &'static str {
        match self.problem.overridden(name) {
            Some(_) => " (config.platform)",
            None => "",
        }
    }

    /// Returns the line that names a remedy, or the number of attempts.
    fn help(&self) -> String {
        let verdict = self.verdict;
        if let Some((name, version)) = &verdict.real {
            return format!(
                "tried and works: without \"{name}\" in config.platform (here is {version})"
            );
        }
        if let Some((name, constraint)) = &verdict.instead {
            let missing = verdict.missing().unwrap_or_default();
            return format!(
                "tried and works: \"{name}\": \"{constraint}\" instead of \"{missing}\" in composer.json"
            );
        }
        let (mut requires, mut removes) = (Vec::new(), Vec::new());
        for change in &verdict.change {
            let other = match change {
                Change::Require { name, constraint } => {
                    requires.push(format!("\"{name}\": \"{constraint}\""));
                    continue;
                }
                Change::Remove { name } => {
                    removes.push(format!("\"{name}\""));
                    continue;
                }
                Change::AllDependencies => "the same with --with-all-dependencies (-W)",
                Change::Everything => "an update of everything, without names of packages",
                Change::WithoutTemporary => "the same without --with",
            };
            return format!("tried and works: {other}");
        }
        match (requires.as_slice(), removes.as_slice()) {
            ([], []) => match verdict.tried {
                0 => String::new(),
                1 => "tried in vain: 1 change to composer.json".to_owned(),
                tried => format!("tried in vain: {tried} changes to composer.json"),
            },
            ([], removes) => format!(
                "tried and works: without {} in composer.json",
                enumerated(removes)
            ),
            (requires, []) => format!("tried and works: {} in composer.json", enumerated(requires)),
            (requires, removes) => format!(
                "tried and works: {} in composer.json, without {}",
                enumerated(requires),
                enumerated(removes)
            ),
        }
    }
}

fn enumerated(list: &[String]) -> String {
    match list {
        [] => String::new(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

fn range(oldest: &str, newest: &str) -> String {
    if oldest == newest {
        return oldest.to_owned();
    }
    format!("{oldest} to {newest}")
}
