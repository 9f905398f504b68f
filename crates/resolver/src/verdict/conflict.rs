//! Condenses the rules that exclude a solution to the statements that contradict each other.

mod groups;
mod statements;

use std::rc::Rc;

use indexmap::IndexSet;

use super::super::metadata::Metadata;
use super::super::package::{PackageId, Packages};
use super::super::pool::Pool;
use super::super::request::Problem;
use super::super::rules::Blamed;
use allegro_base::tables::HashSet;
use allegro_composer::package::is_platform;
use allegro_semver::constraint::{ConstraintId, NameId, Terms};
use groups::Blame;

/// The number of statements that are shown, the most telling first. They have to fit on one line.
const MOST_STATEMENTS: usize = 3;

/// The kind of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// `require`
    Requires,
    /// `conflict`
    Conflicts,
    /// `replace`
    Replaces,
    /// `provide`
    Provides,
    /// A part of the platform, whose version is fixed.
    Is,
}

/// One side of a contradiction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Statement {
    /// Name of the package that makes the statement, its newest and its oldest such version; `None`
    /// for the project.
    pub by: Option<(String, String, String)>,
    pub what: What,
    pub target: String,
    pub constraint: String,
    /// A package that requires the one that makes the statement; `None` if the project does so
    /// itself.
    pub via: Option<String>,
    /// The requirement that nothing meets, if the statement contains one.
    pub unmet: Option<Unmet>,
}

/// A requirement that nothing meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Unmet {
    pub name: NameId,
    pub constraint: ConstraintId,
    /// Whether a repository has the name.
    pub found: bool,
    /// A package that replaces or provides the name: its name, its version, and the constraint of
    /// its link.
    pub offer: Option<(String, String, String)>,
}

/// Requirements that can't be met together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Conflict {
    /// Requirements of the project that take part. Those that the statements lead back to come
    /// first.
    pub requires: Vec<String>,
    /// Number of requirements that the statements lead back to.
    pub told: usize,
    /// Requirements of the project that nothing meets.
    pub lacking: Vec<(String, Unmet)>,
    pub statements: Vec<Statement>,
    /// Number of versions that came into question.
    pub versions: usize,
}

/// The problem and the packages from which the rules were made.
pub(in super::super) struct Context<'a> {
    pub problem: &'a Problem,
    pub terms: &'a Terms,
    pub packages: &'a Packages,
    pub found: &'a [HashSet<NameId>],
    pub files: &'a [Vec<Option<Rc<Metadata>>>],
    pub fixed: &'a [PackageId],
}

impl Context<'_> {
    fn text(&self, name: NameId) -> String {
        self.terms.name_text(name).to_owned()
    }

    fn is_found(&self, name: NameId) -> bool {
        self.found.iter().any(|names| names.contains(&name))
    }

    fn unmet(&self, name: NameId, constraint: ConstraintId) -> Unmet {
        Unmet {
            name,
            constraint,
            found: self.is_found(name),
            offer: None,
        }
    }

    /// Returns the conflict of requirements that nothing meets.
    pub fn lacking(&self, pool: &Pool<'_>, requires: &[(NameId, ConstraintId)]) -> Conflict {
        let blame = Blame::of(self, pool, &[]);
        let lacking: Vec<(String, Unmet)> = requires
            .iter()
            .map(|(name, constraint)| {
                let offer = blame.offer(*name).map(|(id, what, constraint)| {
                    let package = self.text(self.packages[id].name);
                    let constraint = blame.written(id, what, *name, constraint);
                    (package, blame.version(id), constraint)
                });
                let unmet = Unmet {
                    offer,
                    ..self.unmet(*name, *constraint)
                };
                (self.text(*name), unmet)
            })
            .collect();
        Conflict {
            requires: lacking.iter().map(|(name, _)| name.clone()).collect(),
            told: lacking.len(),
            lacking,
            statements: Vec::new(),
            versions: self.packages.len(),
        }
    }

    /// Returns the conflict of rules that can't be met together.
    pub fn conflict(&self, pool: &Pool<'_>, rules: &[Blamed<'_>]) -> Conflict {
        let blame = Blame::of(self, pool, rules);
        let mut statements: Vec<Statement> = Vec::new();
        let mut requires: IndexSet<NameId> = IndexSet::new();
        for dispute in blame.disputes() {
            let mut fresh = blame.statements(&dispute);
            fresh.retain(|statement| !statements.contains(statement));
            if !statements.is_empty() && statements.len() + fresh.len() > MOST_STATEMENTS {
                break;
            }
            statements.extend(fresh);
            requires.extend(blame.origins(&dispute));
        }
        let told = requires.len();
        requires.extend(blame.requires());
        Conflict {
            requires: requires.into_iter().map(|name| self.text(name)).collect(),
            told,
            lacking: Vec::new(),
            statements,
            versions: self.packages.len(),
        }
    }

    /// Returns whether the project requires a package.
    fn required(&self, name: NameId) -> bool {
        let text = self.terms.name_text(name);
        self.problem.requires.iter().any(|(own, _)| own == text)
    }

    /// Returns whether a package is fixed, or a name of the platform.
    fn is_fixed(&self, name: NameId) -> bool {
        let mut fixed = self.fixed.iter();
        is_platform(self.terms.name_text(name)) || fixed.any(|id| self.packages[*id].name == name)
    }
}
