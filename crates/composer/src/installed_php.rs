//! Writes installed.php, which tells a program at run time what is installed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};

use crate::Unfamiliar;
use crate::dialect::Dialect;
use crate::installed::{Member, Present, Vendor};
use crate::package::fields::refuse;
use crate::package::{Alias, Package, is_platform};
use crate::php::order::{sort_by_text, sort_naturally};
use crate::php::{integer_key, write_string};
use crate::root::RootPackage;

/// What installed.php says about a name.
#[derive(Default)]
struct Version<'a> {
    /// The package of this name. A name that is only replaced or provided has none.
    facts: Option<Facts<'a>>,
    is_dev: bool,
    aliases: Vec<String>,
    /// Versions that others replace or provide, in the order in which the two kinds came up.
    others: Vec<(&'static str, Vec<String>)>,
}

impl Version<'_> {
    fn others_of(&mut self, kind: &'static str) -> &mut Vec<String> {
        let place = self.others.iter().position(|(name, _)| *name == kind);
        let place = place.unwrap_or(self.others.len());
        if place == self.others.len() {
            self.others.push((kind, Vec::new()));
        }
        &mut self.others[place].1
    }
}

/// What installed.php says about a package.
struct Facts<'a> {
    package: &'a Package,
    reference: Option<&'a str>,
    path: Option<String>,
}

impl Vendor<'_> {
    /// Returns the text of installed.php (`FilesystemRepository::generateInstalledVersions`,
    /// composer 2.10.2). `root_directory` is the real path of the root package.
    pub fn installed_php(
        &self,
        root: &RootPackage,
        root_directory: &str,
    ) -> Result<String, Unfamiliar> {
        let root_present = Present {
            package: &root.package,
            installation_source: None,
            path: Some(root_directory),
        };
        let root_alias = root.package.alias.iter();
        let root_alias = root_alias.map(|alias| Member::Alias(&root.package, alias));
        let members: Vec<Member<'_>> = self
            .members
            .iter()
            .copied()
            .chain(root_alias)
            .chain([Member::Package(root_present)])
            .collect();
        let mut versions = self.versions(&members)?;
        self.add_links(&members, &mut versions);
        for member in &members {
            if let Member::Alias(package, alias) = member {
                let Some(version) = versions.get_mut(&package.name) else {
                    return refuse(format!("an alias of {} alone", package.name));
                };
                version.aliases.push(alias.pretty_version.clone());
            }
        }
        let root_aliases = root.package.alias.iter();
        let root_aliases: Vec<_> = root_aliases
            .map(|alias| alias.pretty_version.clone())
            .collect();

        let mut names: Vec<(String, Version<'_>)> = versions.into_iter().collect();
        if names.iter().any(|(name, _)| integer_key(name).is_some()) {
            return refuse("a package whose name is a number");
        }
        sort_by_text(&mut names, |(name, _)| name)?;
        if self.dialect.sorts_versions {
            for (_, version) in &mut names {
                sort_naturally(&mut version.aliases)?;
                for (_, others) in &mut version.others {
                    sort_naturally(others)?;
                }
            }
        }
        let mut code = Code::new(self.dialect);
        code.file(
            self.is_dev,
            &self.facts(root_present),
            &root_aliases,
            &names,
        )?;
        Ok(code.out)
    }

    fn facts<'a>(&self, present: Present<'a>) -> Facts<'a> {
        let package = present.package;
        let [source, dist] = [&package.source, &package.dist]
            .map(|place| place.as_ref().and_then(|place| place.reference.as_deref()));
        let wanted = match present.installation_source {
            None | Some("" | "0") => None,
            Some("source") => source,
            Some(_) => dist,
        };
        let full = |text: &&str| !matches!(*text, "" | "0");
        Facts {
            package,
            reference: wanted.or(source.filter(full)).or(dist.filter(full)),
            path: present.path.map(|path| self.relative(path)),
        }
    }

    fn versions<'a>(
        &self,
        members: &[Member<'a>],
    ) -> Result<BTreeMap<String, Version<'a>>, Unfamiliar> {
        let mut versions = BTreeMap::new();
        let dev_names: HashSet<&String> = self.dev_names.iter().collect();
        for member in members {
            let Member::Package(present) = member else {
                continue;
            };
            let name = &present.package.name;
            let version = Version {
                facts: Some(self.facts(*present)),
                is_dev: dev_names.contains(name),
                ..Version::default()
            };
            if versions.insert(name.clone(), version).is_some() {
                return refuse(format!("{name} is installed twice"));
            }
        }
        Ok(versions)
    }

    /// Adds the versions that packages replace and provide.
    fn add_links<'a>(&self, members: &[Member<'a>], versions: &mut BTreeMap<String, Version<'a>>) {
        for member in members {
            let (package, alias) = match *member {
                Member::Package(present) => (present.package, None),
                Member::Alias(package, alias) => (package, Some(alias)),
            };
            let kinds = [("replace", "replaced"), ("provide", "provided")];
            let mut is_dev = None;
            for (key, kind) in kinds {
                for (target, constraint) in links(package, alias, key) {
                    if is_platform(&target) {
                        continue;
                    }
                    let is_dev =
                        *is_dev.get_or_insert_with(|| self.dev_names.contains(&package.name));
                    let version = match versions.entry(target) {
                        Entry::Vacant(vacant) => vacant.insert(Version {
                            is_dev,
                            ..Version::default()
                        }),
                        Entry::Occupied(occupied) => {
                            let version = occupied.into_mut();
                            version.is_dev &= is_dev;
                            version
                        }
                    };
                    let others = version.others_of(kind);
                    if !others.contains(&constraint) {
                        others.push(constraint);
                    }
                }
            }
        }
    }
}

/// Returns the targets and versions of a package's links.
///
/// An alias has the links of its package, and once more those with the package's own version
/// (`AliasPackage::replaceSelfVersionDependencies`, composer 2.10.2).
fn links(package: &Package, alias: Option<&Alias>, key: &str) -> Vec<(String, String)> {
    let mut links: Vec<(String, &str)> = Vec::new();
    for (name, constraint) in package.entry.entries_at(key) {
        let target = name.to_ascii_lowercase();
        let constraint = constraint.as_str().unwrap_or_default();
        match links.iter_mut().find(|(name, _)| *name == target) {
            Some(link) => link.1 = constraint,
            None => links.push((target, constraint)),
        }
    }
    let own = alias.map_or(&package.pretty_version, |alias| &alias.pretty_version);
    let mut resolved: Vec<(String, String)> = Vec::with_capacity(links.len());
    let mut again = Vec::new();
    for (target, constraint) in links {
        if constraint != "self.version" {
            resolved.push((target, constraint.to_owned()));
            continue;
        }
        if let Some(alias) = alias {
            let version = match alias.pretty_version.as_str() {
                allegro_semver::version::DEFAULT_BRANCH_ALIAS => &package.pretty_version,
                _ => &alias.pretty_version,
            };
            again.push((target.clone(), version.clone()));
        }
        resolved.push((target, own.clone()));
    }
    resolved.append(&mut again);
    resolved
}

/// PHP code of nested arrays (`FilesystemRepository::dumpToPhpCode`, composer 2.10.2).
struct Code {
    dialect: Dialect,
    out: String,
}

impl Code {
    fn new(dialect: Dialect) -> Self {
        let out = "<?php return array(\n".to_owned();
        Self { dialect, out }
    }

    fn file(
        &mut self,
        is_dev: bool,
        root: &Facts<'_>,
        root_aliases: &[String],
        names: &[(String, Version<'_>)],
    ) -> Result<(), Unfamiliar> {
        self.line(1, "'root' => array(");
        if self.dialect.reference_before_type {
            self.text(2, "name", &root.package.name);
            self.facts(2, root, root_aliases);
            self.flag(2, "dev", is_dev);
        } else {
            self.facts(2, root, root_aliases);
            self.text(2, "name", &root.package.name);
            self.flag(2, "dev", is_dev);
        }
        self.line(1, "),");
        self.line(1, "'versions' => array(");
        for (name, version) in names {
            self.indent(2);
            self.key(name)?;
            self.out.push_str("array(\n");
            if let Some(facts) = &version.facts {
                self.facts(3, facts, &version.aliases);
            }
            self.flag(3, "dev_requirement", version.is_dev);
            for (kind, others) in &version.others {
                self.list(3, kind, others);
            }
            self.line(2, "),");
        }
        self.line(1, "),");
        self.out.push_str(");\n");
        Ok(())
    }

    fn facts(&mut self, depth: usize, facts: &Facts<'_>, aliases: &[String]) {
        let is_early = self.dialect.reference_before_type;
        self.text(depth, "pretty_version", &facts.package.pretty_version);
        self.text(depth, "version", &facts.package.version);
        if is_early {
            self.optional(depth, "reference", facts.reference);
        }
        self.text(depth, "type", &facts.package.kind);
        match facts.path.as_deref() {
            Some(path) if !path.starts_with('/') => {
                self.indent(depth);
                self.out.push_str("'install_path' => __DIR__ . ");
                write_string(&mut self.out, &format!("/{path}"));
                self.out.push_str(",\n");
            }
            path => self.optional(depth, "install_path", path),
        }
        self.list(depth, "aliases", aliases);
        if !is_early {
            self.optional(depth, "reference", facts.reference);
        }
    }

    fn indent(&mut self, depth: usize) {
        self.out.extend(std::iter::repeat_n("    ", depth));
    }

    fn line(&mut self, depth: usize, text: &str) {
        self.indent(depth);
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// Writes a key that may need escapes. Older versions of Composer write none.
    fn key(&mut self, name: &str) -> Result<(), Unfamiliar> {
        if !self.dialect.checks_versions && name.contains(['\'', '\\', '\0']) {
            return refuse("a name with a quote");
        }
        write_string(&mut self.out, name);
        self.out.push_str(" => ");
        Ok(())
    }

    fn text(&mut self, depth: usize, key: &str, text: &str) {
        self.indent(depth);
        write_string(&mut self.out, key);
        self.out.push_str(" => ");
        write_string(&mut self.out, text);
        self.out.push_str(",\n");
    }

    fn optional(&mut self, depth: usize, key: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(depth, key, text),
            None => self.word(
                depth,
                key,
                if self.dialect.checks_versions {
                    "null"
                } else {
                    "NULL"
                },
            ),
        }
    }

    fn flag(&mut self, depth: usize, key: &str, flag: bool) {
        self.word(depth, key, if flag { "true" } else { "false" });
    }

    fn word(&mut self, depth: usize, key: &str, word: &str) {
        self.indent(depth);
        write_string(&mut self.out, key);
        self.out.push_str(" => ");
        self.out.push_str(word);
        self.out.push_str(",\n");
    }

    fn list(&mut self, depth: usize, key: &str, items: &[String]) {
        if items.is_empty() {
            self.word(depth, key, "array()");
            return;
        }
        self.word(depth, key, "array(");
        self.out.truncate(self.out.len() - 2);
        self.out.push('\n');
        for (at, item) in items.iter().enumerate() {
            self.indent(depth + 1);
            self.out.push_str(&at.to_string());
            self.out.push_str(" => ");
            write_string(&mut self.out, item);
            self.out.push_str(",\n");
        }
        self.line(depth, "),");
    }
}
