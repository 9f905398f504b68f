//! What can't be met together: the rules that are to blame, condensed to the statements that contradict each other.

mod groups;
mod statements;

use std::rc::Rc;

use indexmap::IndexSet;

use super::super::metadata::Metadata;
use super::super::package::{PackageId, Packages};
use super::super::pool::Pool;
use super::super::request::{Problem, is_platform};
use super::super::rules::Blamed;
use allegro_base::tables::HashSet;
use allegro_semver::constraint::{ConstraintId, NameId, Terms};
use groups::Blame;

/// So many statements are told, the most telling first: they have to fit on one line.
const MOST_STATEMENTS: usize = 3;

/// What a package says.
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
    /// It is there whatever happens: part of the platform.
    Is,
}

/// One side of a contradiction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Statement {
    /// Who says it, in which versions, the newest first; `None`: the project.
    pub by: Option<(String, String, String)>,
    pub what: What,
    pub target: String,
    pub constraint: String,
    /// A package that requires the one who says it; `None` where the project does so itself.
    pub via: Option<String>,
    /// What is wanted and can't be had.
    pub unmet: Option<Unmet>,
}

/// What nothing meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Unmet {
    pub name: NameId,
    pub constraint: ConstraintId,
    /// A repository has the name.
    pub found: bool,
    /// What stands for the name otherwise: package, its version, and the constraint as which it does so.
    pub offer: Option<(String, String, String)>,
}

/// What can't be met together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Conflict {
    /// The project's requirements that take part, those that the statements lead back to first.
    pub requires: Vec<String>,
    /// How many of them the statements lead back to.
    pub told: usize,
    /// Requirements of the project that nothing meets.
    pub lacking: Vec<(String, Unmet)>,
    pub statements: Vec<Statement>,
    /// Versions that came into question.
    pub versions: usize,
}

/// Where the rules come from.
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

    /// For requirements that nothing meets.
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

    /// For rules that can't be met together.
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

    /// Whether the project requires it.
    fn required(&self, name: NameId) -> bool {
        let text = self.terms.name_text(name);
        self.problem.requires.iter().any(|(own, _)| own == text)
    }

    /// Whether it is there, or not there, whatever happens.
    fn is_fixed(&self, name: NameId) -> bool {
        let mut fixed = self.fixed.iter();
        is_platform(self.terms.name_text(name)) || fixed.any(|id| self.packages[*id].name == name)
    }
}
