//! Reads what the requirements of a root package say beyond their constraints.

use std::sync::LazyLock;

use allegro_semver::split_and;
use allegro_semver::version::{Stability, stability};
use regex::Regex;

use crate::Unfamiliar;
use crate::dialect::Dialect;
use crate::lock::LockedAlias;
use crate::package::fields::refuse;
use crate::package::{Link, normalized};

/// An alias of a requirement, or of one of its alternatives.
static ALIAS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:^|\| *|, *)([^,\s#|]+)(?:#[^ ]+)? +as +([^,\s|]+)(?:$| *\|| *,)").ok()
});

/// An alias of a whole requirement, as older versions of Composer know it.
static WHOLE_ALIAS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^([^,\s#]+)(?:#[^ ]+)? +as +([^,\s]+)$").ok());

/// What requirements say beyond their constraints.
pub(super) struct Requirements {
    dialect: Dialect,
    minimum_stability: Stability,
    pub(super) stability_flags: Vec<(String, Stability)>,
    pub(super) references: Vec<(String, String)>,
    pub(super) aliases: Vec<LockedAlias>,
}

impl Requirements {
    pub(super) fn new(dialect: Dialect, minimum_stability: Stability) -> Self {
        Self {
            dialect,
            minimum_stability,
            stability_flags: Vec::new(),
            references: Vec::new(),
            aliases: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, links: &[Link]) -> Result<(), Unfamiliar> {
        for link in links {
            self.add_alias(link)?;
            self.add_flags(link);
            self.add_reference(link);
        }
        Ok(())
    }

    /// Adds the alias of a requirement (`RootPackageLoader::extractAliases`, composer 2.10.2).
    fn add_alias(&mut self, link: &Link) -> Result<(), Unfamiliar> {
        let text = &link.constraint;
        if !text.contains(" as ") {
            return Ok(());
        }
        let pattern = if self.dialect.aliases_in_alternatives {
            &*ALIAS
        } else {
            &*WHOLE_ALIAS
        };
        let found = pattern.as_ref().filter(|_| text.is_ascii());
        let found = found.and_then(|pattern| pattern.captures(text));
        let alias = found.and_then(|found| {
            Some(LockedAlias {
                package: link.target.clone(),
                version: normalized(&found[1])?,
                alias: found[2].to_owned(),
                alias_normalized: normalized(&found[2])?,
            })
        });
        match alias {
            Some(alias) => self.aliases.push(alias),
            None => return refuse(format!("the alias in {text} of composer.json")),
        }
        Ok(())
    }

    /// Adds the stabilities that a requirement allows (`RootPackageLoader::extractStabilityFlags`,
    /// composer 2.10.2).
    fn add_flags(&mut self, link: &Link) {
        let alternatives = link
            .constraint
            .trim()
            .split('|')
            .filter(|part| !part.is_empty());
        let constraints: Vec<&str> = alternatives
            .flat_map(|alternative| split_and(alternative.trim()))
            .collect();
        let mut has_flag = false;
        for constraint in &constraints {
            let flag = constraint
                .split_once('@')
                .and_then(|(_, name)| stability_named(name));
            if self.dialect.last_flag_decides {
                has_flag = flag.is_some();
            }
            if let Some(flag) = flag
                && self.raise(&link.target, flag)
            {
                has_flag = true;
            }
        }
        if has_flag {
            return;
        }
        for constraint in constraints {
            let version = without_alias(constraint);
            let is_version = !version.is_empty()
                && !version
                    .contains(|one: char| matches!(one, ',' | '@') || one.is_ascii_whitespace());
            let stability = stability(version);
            if is_version && stability != Stability::Stable && self.minimum_stability <= stability {
                self.raise(&link.target, stability);
            }
        }
    }

    /// Sets the flag of a package unless it is already less stable, and returns whether it did.
    fn raise(&mut self, name: &str, flag: Stability) -> bool {
        match self
            .stability_flags
            .iter_mut()
            .find(|(other, _)| other == name)
        {
            Some((_, old)) if *old > flag => return false,
            Some((_, old)) => *old = flag,
            None => self.stability_flags.push((name.to_owned(), flag)),
        }
        true
    }

    /// Adds the commit that a requirement names (`RootPackageLoader::extractReferences`, composer
    /// 2.10.2).
    fn add_reference(&mut self, link: &Link) {
        let version = without_alias(&link.constraint);
        let Some((branch, commit)) = version.rsplit_once('#') else {
            return;
        };
        let is_commit = |byte: u8| matches!(byte, b'a'..=b'f' | b'0'..=b'9');
        let is_plain = !branch.is_empty()
            && !branch.contains(|one: char| matches!(one, ',' | '@') || one.is_ascii_whitespace())
            && !commit.is_empty()
            && commit.bytes().all(is_commit);
        if !is_plain || stability(version) != Stability::Dev {
            return;
        }
        let commit = commit.to_owned();
        match self
            .references
            .iter_mut()
            .find(|(name, _)| *name == link.target)
        {
            Some((_, old)) => *old = commit,
            None => self.references.push((link.target.clone(), commit)),
        }
    }
}

/// Returns a version without the alias behind it.
fn without_alias(text: &str) -> &str {
    match text.split_once(" as ") {
        Some((version, alias))
            if !alias.is_empty()
                && !version.is_empty()
                && !version.contains(|one: char| {
                    matches!(one, ',' | '@') || one.is_ascii_whitespace()
                }) =>
        {
            version
        }
        _ => text,
    }
}

/// Returns the stability of a name in any case.
pub(super) fn stability_named(name: &str) -> Option<Stability> {
    let all = [
        Stability::Stable,
        Stability::Rc,
        Stability::Beta,
        Stability::Alpha,
        Stability::Dev,
    ];
    all.into_iter()
        .find(|stability| stability.text().eq_ignore_ascii_case(name))
}
