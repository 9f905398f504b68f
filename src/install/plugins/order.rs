//! Sorts plugins as Composer does when it loads them at its start (`PluginManager::loadRepository`
//! and `PackageSorter::sortPackages`, composer 2.10.2).

use std::cmp::Ordering;
use std::collections::HashMap;

use allegro_composer::installed::Record;
use allegro_composer::json::Json;
use allegro_composer::{Unfamiliar, unfamiliar};

/// The weight of plugins that change the places of packages.
const FIRST: i64 = -10_000;

/// Chains of requirements beyond this length don't occur.
const DEPTH: usize = 1_000;

/// Weighs installed packages: the more packages use one, the less it weighs.
pub struct Weights<'a> {
    users: HashMap<&'a str, Vec<&'a str>>,
    preset: HashMap<&'a str, i64>,
    known: HashMap<&'a str, Option<i64>>,
}

impl<'a> Weights<'a> {
    /// Reads the requirements of the installed packages.
    pub fn of(installed: &'a [Record]) -> Self {
        let mut users: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut preset = HashMap::new();
        for record in installed {
            let package = &record.package;
            let is_first = package
                .entry
                .get("extra")
                .and_then(|extra| extra.get("plugin-modifies-install-path"))
                .is_some_and(|value| *value == Json::Bool(true));
            if package.is_plugin() && (is_first || package.name == "composer/installers") {
                preset.insert(package.name.as_str(), FIRST);
            }
            // An alias has the same requirements once more.
            let count = 1 + usize::from(package.alias.is_some());
            for link in &package.requires {
                let users = users.entry(&link.target).or_default();
                users.extend(std::iter::repeat_n(package.name.as_str(), count));
            }
        }
        Self {
            users,
            preset,
            known: HashMap::new(),
        }
    }

    /// Returns the weight of a package.
    ///
    /// # Errors
    /// The chain of requirements is too long.
    pub fn of_package(&mut self, name: &'a str) -> Result<i64, Unfamiliar> {
        self.weigh(name, 0)
    }

    fn weigh(&mut self, name: &'a str, depth: usize) -> Result<i64, Unfamiliar> {
        if depth > DEPTH {
            return unfamiliar("a chain of requirements is very long");
        }
        match self.known.get(name) {
            Some(Some(weight)) => return Ok(*weight),
            // A circle ends here.
            Some(None) => return Ok(0),
            None => {}
        }
        self.known.insert(name, None);
        let mut weight = self.preset.get(name).copied().unwrap_or(0);
        for user in self.users.get(name).cloned().unwrap_or_default() {
            weight -= 1 - self.weigh(user, depth + 1)?;
        }
        self.known.insert(name, Some(weight));
        Ok(weight)
    }
}

/// Compares names of equal weight (`strnatcasecmp`); `None` if numbers in them may matter.
pub fn by_name(left: &str, right: &str) -> Option<Ordering> {
    let has_number = |name: &str| name.bytes().any(|byte| byte.is_ascii_digit());
    (!has_number(left) && !has_number(right)).then(|| left.cmp(right))
}
