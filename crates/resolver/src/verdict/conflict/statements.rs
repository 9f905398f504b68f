//! Turns contradictions into statements, with their packages, their versions, and constraints as
//! they are written.

use super::super::super::metadata::Metadata;
use super::super::super::outline::LinkKind;
use super::super::super::package::{Link, Package, PackageId, PackageOrigin};
use super::super::words;
use super::groups::{Blame, Dispute, Exclusion};
use super::{Statement, What};
use allegro_composer::package::is_platform;
use allegro_semver::constraint::{ConstraintId, NameId};

impl Blame<'_> {
    pub fn statements(&self, dispute: &Dispute) -> Vec<Statement> {
        let Some((_, exclusion)) = &dispute.second else {
            return self.unmet(dispute.first);
        };
        let mut list = Vec::new();
        match exclusion {
            Exclusion::Link(by, other, target, constraint) => {
                let (id, what) = (self.pool.id(*by), What::Conflicts);
                let mut statement = self.says(id, what, *target, *constraint);
                if self.context.fixed.contains(&self.pool.id(*other)) {
                    statement.unmet = Some(self.context.unmet(*target, *constraint));
                }
                list.push(statement);
                for group in dispute.groups() {
                    let asks = self.groups[group].what == What::Requires;
                    if asks && self.groups[group].providers.contains(other) {
                        list.push(self.statement(group));
                    }
                }
            }
            Exclusion::Name(name) => {
                for group in dispute.groups() {
                    let provider = self.groups[group].providers[0];
                    let package = self.pool.package(provider);
                    let mut replaces = package.links.replaces.iter();
                    let replaced = replaces.find(|link| link.target == *name);
                    list.push(match replaced.filter(|_| package.name != *name) {
                        Some(link) => {
                            let id = self.pool.id(provider);
                            self.says(id, What::Replaces, *name, link.constraint)
                        }
                        None => self.statement(group),
                    });
                }
            }
        }
        list
    }

    /// Returns the statement of a requirement that nothing meets, and the one that limits it.
    fn unmet(&self, at: usize) -> Vec<Statement> {
        let mut statement = self.statement(at);
        let target = self.groups[at].target;
        if self.context.required(target) && !self.context.is_fixed(target) {
            return vec![statement, self.own(target)];
        }
        if let Some((id, what, constraint)) = self.offer(target) {
            return vec![statement, self.says(id, what, target, constraint)];
        }
        let constraint = self.groups[at].constraint;
        statement.unmet = constraint.map(|constraint| self.context.unmet(target, constraint));
        vec![statement]
    }

    /// Returns the newest package that replaces or provides a name that no repository has.
    pub fn offer(&self, name: NameId) -> Option<(PackageId, What, ConstraintId)> {
        if self.context.is_fixed(name) || self.context.is_found(name) {
            return None;
        }
        let version = |id: PackageId| {
            self.context
                .terms
                .version_of(self.context.packages[id].version)
        };
        let own = self.context.packages.ids();
        own.filter(|id| self.context.packages[*id].alias_of.is_none())
            .filter_map(|id| {
                let links = &self.context.packages[id].links;
                let of = |links: &[Link], what: What| {
                    let mut links = links.iter();
                    let link = links.find(|link| link.target == name)?;
                    Some((id, what, link.constraint))
                };
                of(&links.replaces, What::Replaces).or_else(|| of(&links.provides, What::Provides))
            })
            .max_by(|(one, ..), (other, ..)| version(*one).compare(version(*other)))
    }

    /// Returns the statement of a requirement of the project.
    fn own(&self, target: NameId) -> Statement {
        let target = self.context.text(target);
        let mut written = self.context.problem.written.iter();
        let constraint = written.find(|(name, _)| *name == target);
        Statement {
            by: None,
            what: What::Requires,
            constraint: constraint.map_or("*".to_owned(), |(_, text)| text.clone()),
            target,
            via: None,
            unmet: None,
        }
    }

    fn statement(&self, at: usize) -> Statement {
        let group = &self.groups[at];
        let (Some(by), Some(constraint)) = (group.by, group.constraint) else {
            let mut statement = self.own(group.target);
            if group.what == What::Is {
                statement.what = What::Is;
                statement.constraint = self.version(self.pool.id(group.providers[0]));
            }
            return statement;
        };
        let mut statement = self.says(self.pool.id(by), What::Requires, group.target, constraint);
        if let Some((_, _, oldest)) = &mut statement.by {
            *oldest = self.version(self.oldest_alike(self.pool.id(by), group.target, constraint));
        }
        statement
    }

    /// Returns the oldest version that is reached from one downwards while the versions have the
    /// same requirement. Versions that the optimizer leaves out as equal count too.
    fn oldest_alike(&self, id: PackageId, target: NameId, constraint: ConstraintId) -> PackageId {
        let version = |id: &PackageId| {
            self.context
                .terms
                .version_of(self.context.packages[*id].version)
        };
        let name = self.context.packages[id].name;
        let mut older: Vec<PackageId> = self
            .context
            .packages
            .ids()
            .filter(|other| self.context.packages[*other].name == name)
            .filter(|other| self.context.packages[*other].alias_of.is_none())
            .filter(|other| version(other).compare(version(&id)).is_lt())
            .collect();
        older.sort_by(|one, other| version(other).compare(version(one)));
        let says = |id: &&PackageId| {
            let mut links = self.context.packages[**id].links.requires.iter();
            links.any(|link| link.target == target && link.constraint == constraint)
        };
        older.iter().take_while(says).last().copied().unwrap_or(id)
    }

    fn says(
        &self,
        id: PackageId,
        what: What,
        target: NameId,
        constraint: ConstraintId,
    ) -> Statement {
        let name = self.context.packages[id].name;
        let version = self.version(id);
        let is_project =
            self.context.fixed.contains(&id) && !is_platform(self.context.terms.name_text(name));
        Statement {
            by: (!is_project).then(|| (self.context.text(name), version.clone(), version)),
            what,
            target: self.context.text(target),
            constraint: self.written(id, what, target, constraint),
            via: self.via(name),
            unmet: None,
        }
    }

    /// Returns a version as it is written.
    pub fn version(&self, id: PackageId) -> String {
        let package = &self.context.packages[id];
        let normalized = self.context.terms.version_of(package.version).text();
        if package.alias_of.is_some() {
            return words::version(normalized);
        }
        self.entry(package).map_or_else(
            || words::version(normalized),
            |(metadata, entry)| metadata.pretty(entry).to_owned(),
        )
    }

    fn entry(&self, package: &Package) -> Option<(&Metadata, usize)> {
        let PackageOrigin::Metadata(repository, file, entry) = package.origin else {
            return None;
        };
        let metadata = self
            .context
            .files
            .get(repository as usize)?
            .get(file as usize)?
            .as_ref()?;
        Some((metadata, entry as usize))
    }

    /// Returns the constraint of a link as it is written.
    pub fn written(
        &self,
        id: PackageId,
        what: What,
        target: NameId,
        constraint: ConstraintId,
    ) -> String {
        let kind = match what {
            What::Conflicts => LinkKind::Conflict,
            What::Replaces => LinkKind::Replace,
            What::Provides => LinkKind::Provide,
            What::Requires | What::Is => LinkKind::Require,
        };
        let text = self
            .entry(&self.context.packages[id])
            .and_then(|(metadata, entry)| {
                let target = self.context.terms.name_text(target);
                let text = metadata.written(entry, kind, target)?;
                (text != "self.version").then(|| text.to_owned())
            });
        text.unwrap_or_else(|| words::constraint(self.context.terms, constraint))
    }
}
