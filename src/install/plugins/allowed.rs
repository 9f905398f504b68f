//! Decides whether Composer loads a plugin (`PluginManager::registerPackage` and
//! `isPluginAllowed`, composer 2.10.2).

use std::collections::HashSet;

use allegro_composer::config::{AllowPlugins, Release};
use allegro_composer::json::Json;
use allegro_composer::package::Package;
use allegro_composer::{Unfamiliar, unfamiliar};
use allegro_semver::constraint::{Op, Terms};

use super::Question;
use super::fate::Fate;

/// The version in which `allow-plugins` came.
const ALLOWS: &str = "2.2.0";

/// The version in which Composer passes over optional plugins.
const KNOWS_OPTIONAL: &str = "2.5.5";

/// The version in which Composer warns of plugins that it doesn't load.
const WARNS: &str = "2.7.1";

/// The name of the plugin that Composer passes over if nothing is said about it.
const DEPRECATED: &str = "composer/package-versions-deprecated";

/// Whether a plugin takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Composer loads it.
    On,
    /// Composer doesn't load it, and says nothing.
    Off,
}

/// Composer's rules for plugins.
pub struct Gate<'a> {
    question: &'a Question<'a>,
    plugin_api: String,
    terms: Terms,
    is_lasting: bool,
}

impl<'a> Gate<'a> {
    /// Returns the rules of an install.
    pub fn of(question: &'a Question<'a>) -> Result<Self, Unfamiliar> {
        let target = &question.habits.target;
        let facts = question.habits.probe.as_ref();
        let facts = facts.and_then(|probe| probe.composer.as_ref());
        let plugin_api = match facts {
            Some(facts) => facts.plugin_api.clone(),
            None if since(target.release, "2.9.0") => "2.9.0".to_owned(),
            None => return unfamiliar("the version of Composer's plugins is not known"),
        };
        Ok(Self {
            question,
            plugin_api,
            terms: Terms::new(target.semver),
            is_lasting: true,
        })
    }

    /// Returns whether the same files always lead to the same verdicts.
    pub fn is_lasting(&self) -> bool {
        self.is_lasting
    }

    /// Decides on a plugin.
    pub fn verdict(&mut self, package: &Package, fate: Fate<'_>) -> Result<Verdict, Unfamiliar> {
        let name = &package.name;
        let release = self.question.habits.target.release;
        if package.kind != "composer-plugin" {
            return unfamiliar(format!("{name} is an installer of Composer 1"));
        }
        if !since(release, ALLOWS) {
            return unfamiliar(format!("{name} is a plugin, and this Composer asks nobody"));
        }
        let extra = package.entry.get("extra");
        let value = |key| extra.and_then(|extra| extra.get(key));
        if value("class")
            .and_then(Json::as_str)
            .is_none_or(|class| matches!(class, "" | "0"))
        {
            return unfamiliar(format!("the plugin {name} names no class"));
        }
        let is_in_operations = !matches!(fate, Fate::Stays);
        if is_in_operations && value("plugin-modifies-downloads") == Some(&Json::Bool(true)) {
            return unfamiliar(format!("the plugin {name} takes part in downloads"));
        }
        if self.question.options.no_plugins {
            if is_in_operations && since(release, WARNS) {
                return unfamiliar(format!("Composer warns that it doesn't load {name}"));
            }
            return Ok(Verdict::Off);
        }
        self.check_api(package)?;
        let is_optional = value("plugin-optional") == Some(&Json::Bool(true));
        match self.allows(name)? {
            Some(true) => {
                self.check_class_map()?;
                Ok(Verdict::On)
            }
            Some(false) => self.off(package, fate),
            None if name == DEPRECATED => self.off(package, fate),
            None if self.question.context.is_interactive => {
                unfamiliar(format!("Composer asks whether the plugin {name} may run"))
            }
            None if is_optional && since(release, KNOWS_OPTIONAL) => {
                self.is_lasting = false;
                self.off(package, fate)
            }
            None => unfamiliar(format!("the plugin {name} is not allowed")),
        }
    }

    /// Returns what `allow-plugins` says about a plugin, if it says something.
    fn allows(&self, name: &str) -> Result<Option<bool>, Unfamiliar> {
        let project = self.question.project;
        let rules = &project.settings.allow_plugins;
        if *rules == AllowPlugins::Rules(Vec::new()) {
            let locked = &project.lock.plugin_api_version;
            if Release::parse(locked).is_none_or(|locked| !since(locked, ALLOWS)) {
                return unfamiliar("the lock is older than allow-plugins");
            }
        }
        Ok(rules.allow(name))
    }

    /// Decides on a plugin that is not allowed. Composer warns if nothing requires it any more.
    fn off(&self, package: &Package, fate: Fate<'_>) -> Result<Verdict, Unfamiliar> {
        let is_installed = match fate {
            Fate::Comes => false,
            Fate::Stays | Fate::Replaces(_) | Fate::Leaves => true,
        };
        if is_installed && !self.is_required(&package.name) {
            return unfamiliar(format!("nothing requires the plugin {}", package.name));
        }
        Ok(Verdict::Off)
    }

    /// Returns whether the root package requires an installed package, maybe through others
    /// (`RepositoryUtils::filterRequiredPackages`). Only names count here.
    fn is_required(&self, name: &str) -> bool {
        let project = self.question.project;
        let mut open: Vec<&str> = project
            .root
            .requirements(true)
            .map(|link| link.target.as_str())
            .collect();
        let mut seen = HashSet::new();
        while let Some(wanted) = open.pop() {
            if wanted == name {
                return true;
            }
            if seen.insert(wanted) {
                let found = project
                    .installed
                    .iter()
                    .filter(|record| record.package.name == wanted);
                open.extend(found.flat_map(|record| {
                    let requires = record.package.requires.iter();
                    requires.map(|link| link.target.as_str())
                }));
            }
        }
        false
    }

    /// Checks that the plugin fits Composer, which warns otherwise.
    fn check_api(&mut self, package: &Package) -> Result<(), Unfamiliar> {
        let name = &package.name;
        let link = package
            .requires
            .iter()
            .find(|link| link.target == "composer-plugin-api");
        let Some(link) = link else {
            return unfamiliar(format!("the plugin {name} requires no plugin API"));
        };
        let version = format!("{}.0", self.plugin_api);
        let fits = self.terms.parse(&link.constraint).is_some_and(|wanted| {
            let given = self.terms.single(Op::Eq, &version);
            self.terms.matches(wanted, given)
        });
        if !fits || link.constraint == self.plugin_api {
            return unfamiliar(format!("the plugin {name} is for another Composer"));
        }
        Ok(())
    }

    /// Composer warns of missing paths of the root's class map when it loads a plugin.
    fn check_class_map(&self) -> Result<(), Unfamiliar> {
        let project = self.question.project;
        let root = &project.root;
        let rules = [&root.package.autoload, &root.dev_autoload];
        let paths = rules.iter().filter_map(|rules| rules.get("classmap"));
        for path in paths.flat_map(Json::one_or_many) {
            if path.contains('*') || !project.directory.join(path).exists() {
                return unfamiliar(format!("the class map names {path}, which is missing"));
            }
        }
        Ok(())
    }
}

fn since(release: Release, first: &str) -> bool {
    Release::parse(first).is_none_or(|first| release >= first)
}
