//! Metadata of a package in the form of Composer's repositories (`p2/vendor/name.json`), as the solver's terms.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::outline::{LinkKind, Outline, Unclear};
use super::package::{Link, Links};
use allegro_semver::constraint::{Terms, VersionId};

/// The versions of one package in one file.
#[derive(Debug)]
pub struct Metadata {
    /// The file, as the provider was asked for it.
    pub file: Box<str>,
    outline: Arc<Outline>,
    /// The versions with all that counts, in the file's order.
    pub entries: Vec<Entry>,
    /// Links that were read, by group.
    read: RefCell<Vec<Option<Rc<Links>>>>,
}

/// One version.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Normalized.
    pub version: VersionId,
    /// The number under which a branch is known too.
    pub alias: Option<VersionId>,
}

impl Metadata {
    /// Reads the versions of a file.
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

    /// A version as it is written.
    pub fn pretty(&self, entry: usize) -> &str {
        self.outline.text(self.outline.versions[entry].pretty)
    }

    /// Package type.
    pub fn kind(&self, entry: usize) -> &str {
        let kind = self.outline.versions[entry].kind;
        kind.map_or("library", |kind| self.outline.text(kind))
    }

    /// The links of a version; those that several have in common are one.
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
                // Keys that differ in case are one.
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

    /// The constraint of a link to `target` as it is written.
    pub fn written(&self, entry: usize, kind: LinkKind, target: &str) -> Option<&str> {
        let group = self.outline.versions[entry].group;
        let mut links = self.outline.links(group, kind).ok()?;
        links
            .find(|(name, _)| name.eq_ignore_ascii_case(target))
            .map(|(_, constraint)| constraint)
    }
}
