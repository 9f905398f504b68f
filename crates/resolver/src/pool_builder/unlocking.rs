//! The reach of a partial update: unlocks packages of the lock while dependencies are loaded.

use std::rc::Rc;

use super::super::package::PackageId;
use super::super::request::Reach;
use super::Builder;
use allegro_semver::constraint::{Constraint, ConstraintId, NameId};

impl Builder<'_> {
    /// Returns whether a name may be unlocked. With `-w` root requirements stay locked, and the
    /// user is told so.
    pub(super) fn may_unlock(&mut self, name: NameId) -> bool {
        if self.problem.reach == Reach::AllDependencies {
            return true;
        }
        let kept = self.skipped_root_requires(name);
        for text in &kept {
            if !self.pool.kept.contains(text) {
                self.pool.kept.push(text.clone());
            }
        }
        kept.is_empty()
    }

    /// Returns the locked root requirements behind a name, in the words of Composer's warning
    /// (`PoolBuilder::getSkippedRootRequires`, Composer 2.5.5).
    fn skipped_root_requires(&self, name: NameId) -> Vec<String> {
        let skipped = self.skipped.get(&name).map_or(&[][..], Vec::as_slice);
        let text = |id: NameId| self.terms.name_text(id);
        let via = |own: NameId| {
            if own == name {
                text(own).to_owned()
            } else {
                format!("{} (via replace of {})", text(own), text(name))
            }
        };
        let names = skipped.iter().map(|id| &self.packages[*id]);
        if self.requires.contains_key(&name) {
            return names.map(|package| via(package.name)).collect();
        }
        let mut matches = Vec::new();
        for package in names {
            if self.requires.contains_key(&package.name) {
                matches.push(text(package.name).to_owned());
            }
            let mut replaced = package.links.replaces.iter();
            if replaced.any(|link| self.requires.contains_key(&link.target)) {
                matches.push(via(package.name));
            }
        }
        matches
    }

    /// Unlocks a name, and the locked packages that replace it (`PoolBuilder::unlockPackage`,
    /// Composer 2.5.5).
    pub(super) fn unlock(&mut self, name: NameId) {
        self.pool.unlocked.push(name);
        let everything = self.terms.constraint(Constraint::All);
        for id in self.skipped.get(&name).cloned().unwrap_or_default() {
            let replacer = self.packages[id].name;
            if replacer == name || !self.skipped.contains_key(&replacer) {
                continue;
            }
            let root = |name| self.requires.contains_key(&name);
            if self.problem.reach == Reach::AllDependencies || (!root(name) && !root(replacer)) {
                let is_root = root(replacer);
                self.unlock(replacer);
                if is_root {
                    self.mark(replacer, everything);
                } else {
                    self.mark_as_required_by_loaded(replacer);
                }
            }
        }
        if self.path_unlocked.contains(&name) {
            let loaded: Vec<(usize, PackageId)> =
                self.list.iter().map(|(index, id)| (*index, *id)).collect();
            for (index, id) in loaded {
                if self.packages[id].name == name && self.list.contains_key(&index) {
                    self.unload(index, id);
                }
            }
        }
        self.skipped.remove(&name);
        self.loaded.remove(&name);
        self.max_extended.remove(&name);
        self.path_unlocked.remove(&name);
        let locked: Vec<PackageId> = self.locked.keys().copied().collect();
        for id in locked {
            if self.packages[id].alias_of.is_none() && self.packages[id].name == name {
                let index = self
                    .list
                    .iter()
                    .find(|(_, loaded)| **loaded == id)
                    .map(|(index, _)| *index);
                if let Some(index) = index {
                    self.locked.shift_remove(&id);
                    self.unload(index, id);
                    self.mark_for_locked(id);
                }
            }
        }
    }

    /// Marks the requirements that other locked or fixed packages have on an unlocked package.
    /// Until now the locked version met them (end of `PoolBuilder::unlockPackage`).
    fn mark_for_locked(&mut self, unlocked: PackageId) {
        let name = self.packages[unlocked].name;
        // The updated version may no longer replace these names.
        let replaces: Vec<NameId> = if self.problem.replaced_if_required {
            let links = &self.packages[unlocked].links;
            links.replaces.iter().map(|link| link.target).collect()
        } else {
            Vec::new()
        };
        let others: Vec<PackageId> = self
            .fixed
            .iter()
            .chain(self.locked.keys())
            .copied()
            .collect();
        for other in others {
            if other == unlocked || !self.skipped.contains_key(&self.packages[other].name) {
                continue;
            }
            let links = Rc::clone(&self.packages[other].links);
            let required = |target| links.requires.iter().find(|link| link.target == target);
            if let Some(link) = required(name) {
                self.mark(name, link.constraint);
            }
            for replaced in &replaces {
                if required(*replaced).is_some() && self.skipped.contains_key(replaced) {
                    let own = self.packages[unlocked]
                        .links
                        .replaces
                        .iter()
                        .find(|link| link.target == *replaced);
                    let constraint = own.map(|link| link.constraint);
                    self.unlock(*replaced);
                    if let Some(constraint) = constraint {
                        self.mark(*replaced, constraint);
                    }
                }
            }
        }
    }

    /// Marks a name with the constraints of all loaded packages that require it.
    fn mark_as_required_by_loaded(&mut self, name: NameId) {
        let wanted: Vec<ConstraintId> = self
            .list
            .values()
            .flat_map(|id| &self.packages[*id].links.requires)
            .filter(|link| link.target == name)
            .map(|link| link.constraint)
            .collect();
        for constraint in wanted {
            self.mark(name, constraint);
        }
    }

    /// Marks a name with the constraints of the project and of loaded packages
    /// (`PoolBuilder::markPackageNameForLoadingIfRequired`, since Composer 2.6).
    pub(super) fn mark_if_required(&mut self, name: NameId) {
        if let Some(constraint) = self.requires.get(&name).copied() {
            self.mark(name, constraint);
        }
        self.mark_as_required_by_loaded(name);
    }

    /// Removes a package and its aliases from the pool (`PoolBuilder::removeLoadedPackage`,
    /// Composer 2.5.5).
    fn unload(&mut self, index: usize, id: PackageId) {
        let repository = self.repo_of.get(&id).copied();
        let forget = |builder: &mut Self, index: usize, id: PackageId| {
            if let Some(repository) = repository {
                let package = &builder.packages[id];
                builder
                    .loaded_per_repo
                    .remove(&(repository, package.name, package.version));
            }
            builder.list.remove(&index);
        };
        forget(self, index, id);
        for (index, alias) in self.aliases.remove(&id).unwrap_or_default() {
            forget(self, index, alias);
        }
    }
}
