//! Metadata of a package from a Composer repository (`p2/vendor/name.json`), in the terms of the
//! solver.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::outline::{LinkKind, Outline, Unclear};
use super::package::{Link, Links};
use allegro_semver::constraint::{Terms, VersionId};

/// The versions of one package in one metadata file.
#[derive(Debug)]
pub struct Metadata {
    /// Name of the file, as the provider was asked for it.
    pub file: Box<str>,
    outline: Arc<Outline>,
    /// The versions, in the order of the file.
    pub entries: Vec<Entry>,
    /// The links that were parsed, by the number of their set.
    read: RefCell<Vec<Option<Rc<Links>>>>,
}

/// A version of the package, with its alias.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Normalized version.
    pub version: VersionId,
    /// Branch alias, if the version is a branch that has one.
    pub alias: Option<VersionId>,
}

impl Metadata {
    /// Reads the versions of an outline. A version that Composer finds invalid is an error.
    pub fn of(terms: &mut Terms, outline: Arc<Outline>, file: &str) -> Result<Self, Unclear> {
        let mut entries = Vec::with_capacity(outline.versions.len());
        for version in &outline.versions {
            let own = if let Some(normalized) = version.normalized {
                terms.version(outline.text(normalized))
            } else {
                let pretty = outline.text(version.pretty);
                terms
                    .normalized(pretty)
                    .ok_or_else(|| Unclear(format!("Invalid version string \"{pretty}\"")))?
            };
            let alias = version
                .alias
                .map(|alias| terms.version(outline.text(alias)));
            entries.push(Entry {
                version: own,
                alias,
            });
        }
        Ok(Self {
            file: file.into(),
            read: RefCell::new(vec![None; outline.groups()]),
            outline,
            entries,
        })
    }

    /// Returns a version as the file writes it.
    pub fn pretty(&self, entry: usize) -> &str {
        self.outline.text(self.outline.versions[entry].pretty)
    }

    /// Returns the package type of a version.
    pub fn kind(&self, entry: usize) -> &str {
        let kind = self.outline.versions[entry].kind;
        kind.map_or("library", |kind| self.outline.text(kind))
    }

    /// Returns the links of a version. Versions that have the same set of links share one copy.
    pub fn links(&self, terms: &mut Terms, entry: usize) -> Result<Rc<Links>, Unclear> {
        let version = &self.outline.versions[entry];
        let at = version.group as usize;
        if let Some(links) = &self.read.borrow()[at] {
            return Ok(Rc::clone(links));
        }
        let pretty = self.outline.text(version.pretty);
        let mut read = |kind: LinkKind| -> Result<Vec<Link>, Unclear> {
            let mut links: Vec<Link> = Vec::new();
            for (target, constraint) in self.outline.links(version.group, kind)? {
                let of_self = constraint == "self.version";
                let parsed = terms.parse(if of_self { pretty } else { constraint });
                let parsed = parsed.ok_or_else(|| {
                    Unclear(format!("Could not parse version constraint {constraint}"))
                })?;
                let link = Link {
                    target: terms.name(target),
                    constraint: parsed,
                    of_self,
                };
                // Keys that differ only in case are equal.
                match links.iter_mut().find(|known| known.target == link.target) {
                    Some(known) => *known = link,
                    None => links.push(link),
                }
            }
            Ok(links)
        };
        let links = Rc::new(Links {
            requires: read(LinkKind::Require)?,
            conflicts: read(LinkKind::Conflict)?,
            replaces: read(LinkKind::Replace)?,
            provides: read(LinkKind::Provide)?,
        });
        if !self.outline.is_of_self(version.group) {
            self.read.borrow_mut()[at] = Some(Rc::clone(&links));
        }
        Ok(links)
    }

    /// Returns the constraint of a link to `target`, as the file writes it.
    pub fn written(&self, entry: usize, kind: LinkKind, target: &str) -> Option<&str> {
        let group = self.outline.versions[entry].group;
        let mut links = self.outline.links(group, kind).ok()?;
        links
            .find(|(name, _)| name.eq_ignore_ascii_case(target))
            .map(|(_, constraint)| constraint)
    }
}
