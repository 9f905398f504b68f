//! Applies changes of composer.json to a problem.

use super::super::Chosen;
use super::super::package::GivenConstraint;
use super::super::request::Problem;
use super::{Change, words};
use allegro_semver::constraint::Terms;
use allegro_semver::version::{DEFAULT_BRANCH_ALIAS, Stability, stability};

/// The stabilities below `stable`, the most stable first.
pub(super) const LOWER: [Stability; 4] = [
    Stability::Rc,
    Stability::Beta,
    Stability::Alpha,
    Stability::Dev,
];

/// The new form of a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum To {
    /// The requirement accepts any version that is stable enough, or that has this stability.
    Any(Option<u8>),
    /// The requirement gets this text, and this stability flag if the text states one.
    Text(String, Option<u8>),
    /// The requirement is removed.
    Gone,
}

/// A change of one requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub name: String,
    pub to: To,
}

impl Edit {
    pub fn new(name: &str, to: To) -> Self {
        Self {
            name: name.to_owned(),
            to,
        }
    }
}

/// Requirements that are changed together. Those that no repository has can only be removed.
#[derive(Clone, Default)]
pub(super) struct Unit {
    pub names: Vec<String>,
    pub missing: Vec<String>,
}

impl Unit {
    pub fn edits(&self, to: impl Fn(&str) -> Option<To>) -> Option<Vec<Edit>> {
        let names = self.names.iter();
        let missing = self.missing.iter();
        let mut edits: Vec<Edit> = missing.map(|name| Edit::new(name, To::Gone)).collect();
        for name in names {
            edits.push(Edit::new(name, to(name)?));
        }
        Some(edits)
    }

    pub fn gone(&self) -> Vec<Edit> {
        let names = self.names.iter().chain(&self.missing);
        names.map(|name| Edit::new(name, To::Gone)).collect()
    }

    pub fn with(&self, other: &str) -> Self {
        let mut unit = self.clone();
        unit.names.push(other.to_owned());
        unit
    }

    pub fn without(&self, other: &str) -> Self {
        let mut unit = self.clone();
        unit.missing.push(other.to_owned());
        unit
    }

    pub fn has(&self, name: &str) -> bool {
        self.names
            .iter()
            .chain(&self.missing)
            .any(|own| own == name)
    }
}

/// Converts edits into the changes of a verdict.
pub(super) fn changes_of(edits: Option<Vec<Edit>>) -> Vec<Change> {
    let edits = edits.into_iter().flatten();
    edits.map(Change::from).collect()
}

impl From<Edit> for Change {
    fn from(edit: Edit) -> Self {
        let name = edit.name;
        match edit.to {
            To::Text(constraint, _) => Self::Require { name, constraint },
            To::Any(_) => Self::Require {
                name,
                constraint: "*".to_owned(),
            },
            To::Gone => Self::Remove { name },
        }
    }
}

/// Returns the problem after some edits, or `None` if a constraint can't be parsed.
pub(super) fn changed(terms: &mut Terms, problem: &Problem, edits: &[Edit]) -> Option<Problem> {
    let mut problem = problem.clone();
    for edit in edits {
        let name = &edit.name;
        problem.root_aliases.retain(|(own, _, _)| own != name);
        let flag = match &edit.to {
            To::Any(None) => None,
            To::Any(flag) | To::Text(_, flag) => Some(*flag),
            To::Gone => Some(None),
        };
        if let Some(flag) = flag {
            problem.stability_flags.retain(|(own, _)| own != name);
            problem
                .stability_flags
                .extend(flag.map(|flag| (name.clone(), flag)));
        }
        let constraint = match &edit.to {
            To::Gone => {
                problem.requires.retain(|(own, _)| own != name);
                continue;
            }
            To::Any(_) => {
                // `composer require` looks for a version without this setting.
                problem.prefer_lowest = false;
                GivenConstraint::Fixed(true)
            }
            To::Text(text, _) => {
                let id = terms.parse(text)?;
                GivenConstraint::of(terms, id)
            }
        };
        match problem.requires.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => *own = constraint,
            None => problem.requires.push((name.clone(), constraint)),
        }
    }
    Some(problem)
}

/// Returns a requirement as it is written, with a lower stability. Returns `None` if the
/// requirement names a branch, a commit or an alias.
pub(super) fn with_stability(written: &str, word: &str) -> Option<String> {
    let plain = match written.rsplit_once('@') {
        Some((plain, flag)) if flag.chars().all(|one| one.is_ascii_alphabetic()) => plain.trim(),
        Some(_) => return None,
        None => written.trim(),
    };
    let odd = ["dev-", "-dev", " as ", "#", "@"];
    let plain = if plain.is_empty() { "*" } else { plain };
    (!odd.iter().any(|part| plain.contains(part))).then(|| format!("{plain}@{word}"))
}

/// Returns the constraint that `composer require` would write for a version, and its stability
/// flag. The function mirrors `VersionSelector::findRecommendedRequireVersion()`.
pub(super) fn recommended(chosen: &Chosen) -> (String, Option<u8>) {
    let pretty = chosen.pretty.as_ref().unwrap_or(&chosen.version);
    let level = stability(&chosen.version);
    if level != Stability::Dev {
        return transformed(&chosen.version, pretty, level);
    }
    let alias = chosen.alias.as_deref();
    if let Some(alias) = alias.filter(|alias| *alias != DEFAULT_BRANCH_ALIAS)
        && let Some(numbers) = alias.strip_suffix("-dev")
        && let parts = numbers.split('.').collect::<Vec<_>>()
        && let [first @ .., "9999999"] = parts.as_slice()
        && first.len() == 3
    {
        let numbers = format!("{}.0", first.join(".")).replace(".9999999", ".0");
        return transformed(&numbers, &numbers, Stability::Dev);
    }
    (pretty.to_owned(), Some(Stability::Dev as u8))
}

/// Returns the constraint that `composer require` would write for a version of the platform.
pub(super) fn recommended_platform(name: &str, version: &str, php: Option<&str>) -> String {
    let three = |version: &str| version.splitn(4, '.').take(3).collect::<Vec<_>>().join(".");
    if name.starts_with("ext-") && php.is_some_and(|php| three(php) == three(version)) {
        return "*".to_owned();
    }
    transformed(version, &words::version(version), Stability::Stable).0
}

fn transformed(version: &str, pretty: &str, level: Stability) -> (String, Option<u8>) {
    let flag = (level != Stability::Stable).then_some(level as u8);
    let parts: Vec<&str> = version.split('.').collect();
    let [first, second, third, fourth] = parts.as_slice() else {
        return (pretty.to_owned(), flag);
    };
    if !fourth.starts_with('0') {
        return (pretty.to_owned(), flag);
    }
    let mut text = format!("^{first}.{second}");
    if *first == "0" {
        text = format!("{text}.{third}");
    }
    if flag.is_some() {
        text = format!("{text}@{}", level.text());
    }
    (text, flag)
}
