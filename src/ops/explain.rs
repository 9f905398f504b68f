//! Explains why packages are locked in their versions.

use crate::protocol::explain::{
    ExplainAnswer, ExplainPackage, ExplainPlatform, ExplainProject, ExplainRequest, WrittenLink,
};
use allegro_base::error::{Error, Result};
use allegro_resolver::explanation::{
    self, Explanation, LockFacts, PlatformVersion, ProjectFacts, Subject, WrittenPackage,
};
use allegro_resolver::package::GivenConstraint;
use allegro_semver::constraint::Terms;

/// Explains the packages of a request, one after the other.
///
/// # Errors
/// A constraint has an operator that doesn't exist.
pub fn explain(request: ExplainRequest) -> Result<ExplainAnswer> {
    let terms = &mut Terms::default();
    let facts = LockFacts {
        project: project(terms, request.project)?,
        locked: packages(terms, request.locked)?,
        aliases: packages(terms, request.aliases)?,
        platform: platform(terms, request.platform),
        ignored: request.ignored,
    };
    let subjects = request.subjects.into_iter().map(|subject| {
        Ok(Subject {
            name: subject.name,
            parent: subject.parent,
            candidates: packages(terms, subject.candidates)?,
        })
    });
    let subjects: Vec<Subject> = subjects.collect::<Result<_>>()?;
    let explanation = Explanation::new(terms, &facts);
    let lines = subjects.iter().flat_map(|subject| explanation.of(subject));
    Ok(ExplainAnswer {
        lines: lines.collect(),
    })
}

fn project(terms: &mut Terms, project: ExplainProject) -> Result<ProjectFacts> {
    Ok(ProjectFacts {
        requires: links(terms, project.requires)?,
        conflicts: links(terms, project.conflicts)?,
        minimum_stability: project.minimum_stability,
        stability_flags: project.stability_flags,
    })
}

fn packages(terms: &mut Terms, packages: Vec<ExplainPackage>) -> Result<Vec<WrittenPackage>> {
    let packages = packages.into_iter().map(|package| {
        Ok(WrittenPackage {
            name: package.name,
            version: terms.version(&package.version),
            pretty: package.pretty,
            full: package.full,
            requires: links(terms, package.requires)?,
            conflicts: links(terms, package.conflicts)?,
            replaces: links(terms, package.replaces)?,
            provides: links(terms, package.provides)?,
        })
    });
    packages.collect()
}

fn platform(terms: &mut Terms, packages: Vec<ExplainPlatform>) -> Vec<PlatformVersion> {
    let packages = packages.into_iter().map(|package| PlatformVersion {
        name: package.name,
        version: terms.version(&package.version),
        pretty: package.pretty,
    });
    packages.collect()
}

fn links(terms: &mut Terms, links: Vec<WrittenLink>) -> Result<Vec<explanation::WrittenLink>> {
    let links = links.into_iter().map(|(target, constraint, text)| {
        let constraint = GivenConstraint::from(constraint).id(terms);
        let constraint = constraint
            .ok_or_else(|| Error::Input(format!("\"{text}\" has an unknown operator")))?;
        Ok(explanation::WrittenLink {
            target,
            constraint,
            text,
        })
    });
    links.collect()
}
