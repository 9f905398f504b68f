//! Loads packages from repositories: Composer's `ArrayRepository` and `ComposerRepository`, as far
//! as a pool needs them.

use super::super::Stop;
use super::super::metadata::{Entry, Metadata};
use super::super::package::{Package, PackageId, PackageOrigin};
use super::{Builder, Source};
use allegro_base::tables::{HashMap, HashSet, IndexMap};
use allegro_composer::package::is_platform;
use allegro_semver::constraint::{ConstraintId, NameId};
use allegro_semver::version::{Stability, stability};

impl Builder<'_> {
    /// Loads the marked names (`PoolBuilder::loadPackagesMarkedForLoading`, Composer 2.5.5).
    pub(super) fn load_marked(&mut self) -> Result<(), Stop> {
        let marked = std::mem::take(&mut self.to_load);
        self.loaded
            .extend(marked.iter().map(|(name, constraint)| (*name, *constraint)));
        let size = self.problem.batch.unwrap_or(usize::MAX).max(1);
        let mut names: Vec<(NameId, ConstraintId)> = marked.into_iter().collect();
        for repository in 0..self.sources.len() {
            if matches!(self.sources[repository], Source::Nothing) {
                continue;
            }
            if names.is_empty() {
                break;
            }
            if matches!(self.sources[repository], Source::Metadata { .. }) {
                let files: Vec<String> = names
                    .chunks(size)
                    .flat_map(|batch| self.files_of(repository, batch))
                    .collect();
                let files: Vec<String> = files
                    .into_iter()
                    .filter(|file| !self.file_ids.contains_key(&(repository, file.clone())))
                    .collect();
                self.provider.prepare(repository, &files)?;
            }
            let mut left = Vec::with_capacity(names.len());
            for batch in names.chunks(size.min(names.len())) {
                let (found, packages) = self.load_from(repository, batch)?;
                left.extend(
                    batch
                        .iter()
                        .filter(|(name, _)| !found.contains(name))
                        .copied(),
                );
                for id in packages {
                    let package = &self.packages[id];
                    let name = package.name;
                    self.loaded_per_repo
                        .insert((repository, name, package.version));
                    if !package.ignored {
                        let propagate = !self.path_unlocked.contains(&name);
                        self.load(id, propagate);
                    }
                }
            }
            names = left;
        }
        Ok(())
    }

    /// Returns the names that a repository has, and their packages in its order
    /// (`RepositoryInterface::loadPackages`).
    fn load_from(
        &mut self,
        repository: usize,
        batch: &[(NameId, ConstraintId)],
    ) -> Result<(HashSet<NameId>, Vec<PackageId>), Stop> {
        let settings = &self.problem.repositories[repository];
        let allowed: Vec<(NameId, ConstraintId)> = batch
            .iter()
            .filter(|(name, _)| self.filters[repository].allows(self.terms.name_text(*name)))
            .copied()
            .collect();
        let canonical = settings.canonical;
        let (found, packages) = match &self.sources[repository] {
            Source::Nothing => (HashSet::default(), Vec::new()),
            Source::List(ids) => {
                let ids = ids.clone();
                self.load_list(repository, &ids, &allowed)
            }
            Source::Metadata { .. } => self.load_metadata(repository, &allowed)?,
        };
        self.pool.found[repository].extend(&found);
        Ok((if canonical { found } else { HashSet::default() }, packages))
    }

    /// Loads packages from a list (`ArrayRepository::loadPackages`, Composer 2.5.5).
    fn load_list(
        &mut self,
        repository: usize,
        ids: &[PackageId],
        batch: &[(NameId, ConstraintId)],
    ) -> (HashSet<NameId>, Vec<PackageId>) {
        let wanted: HashMap<NameId, ConstraintId> = batch.iter().copied().collect();
        let mut found = HashSet::default();
        let mut result: IndexMap<PackageId, ()> = IndexMap::default();
        for id in ids {
            let package = &self.packages[*id];
            let Some(constraint) = wanted.get(&package.name) else {
                continue;
            };
            found.insert(package.name);
            if self.terms.fits(*constraint, package.version)
                && self.acceptable(&package.names(true), package.stability)
                && !self
                    .loaded_per_repo
                    .contains(&(repository, package.name, package.version))
            {
                result.insert(*id, ());
                if let Some(of) = package.alias_of {
                    result.insert(of, ());
                }
            }
        }
        for id in ids {
            if self.packages[*id]
                .alias_of
                .is_some_and(|of| result.contains_key(&of))
            {
                result.insert(*id, ());
            }
        }
        (found, result.into_keys().collect())
    }

    /// Returns the metadata files that must be read for some names: files of tags first, then
    /// files of branches.
    fn files_of(&self, repository: usize, batch: &[(NameId, ConstraintId)]) -> Vec<String> {
        let Source::Metadata {
            available,
            patterns,
            listed,
        } = &self.sources[repository]
        else {
            return Vec::new();
        };
        let dev = Stability::Dev as u8;
        let only_dev = self.problem.stabilities == [dev] && self.flags.is_empty();
        let mut tags = Vec::new();
        let mut branches = Vec::new();
        for (id, _) in batch {
            let name = self.terms.name_text(*id);
            let there = !listed
                || available.as_ref().is_some_and(|names| names.contains(id))
                || patterns.iter().any(|pattern| pattern.is_match(name));
            let allowed = self.filters[repository].allows(name);
            if !there || !allowed || is_platform(name) || name == "__root__" {
                continue;
            }
            if !only_dev {
                tags.push(name.to_owned());
            }
            if self.acceptable(&[*id], Stability::Dev) {
                branches.push(format!("{name}~dev"));
            }
        }
        tags.extend(branches);
        tags
    }

    /// Loads packages from metadata files (`ComposerRepository::loadAsyncPackages`, Composer
    /// 2.5.5).
    fn load_metadata(
        &mut self,
        repository: usize,
        batch: &[(NameId, ConstraintId)],
    ) -> Result<(HashSet<NameId>, Vec<PackageId>), Stop> {
        let wanted: HashMap<NameId, ConstraintId> = batch.iter().copied().collect();
        let mut found = HashSet::default();
        let mut packages = Vec::new();
        // Composer handles files from its cache before the first response arrives.
        let (mut files, mut awaited) = (Vec::new(), Vec::new());
        for file in self.files_of(repository, batch) {
            let key = (repository, file);
            let is_at_hand =
                self.file_ids.contains_key(&key) && self.provider.is_at_hand(repository, &key.1)?;
            let list = if is_at_hand { &mut files } else { &mut awaited };
            list.push(key.1);
        }
        files.append(&mut awaited);
        for file in files {
            let name = file.strip_suffix("~dev").unwrap_or(&file);
            let id = self.terms.name(name);
            let number = self.read(repository, &file)?;
            let Some(metadata) = self.pool.files[repository][number].clone() else {
                continue;
            };
            found.insert(id);
            let constraint = wanted[&id];
            for (at, entry) in metadata.entries.iter().enumerate() {
                if self
                    .loaded_per_repo
                    .contains(&(repository, id, entry.version))
                {
                    continue;
                }
                if self.fits(entry, id, constraint) {
                    self.add_entry((repository, number, at), id, &metadata, &mut packages)?;
                }
            }
        }
        Ok((found, packages))
    }

    /// Returns whether a version or its alias is acceptable
    /// (`ComposerRepository::isVersionAcceptable`, Composer 2.5.5).
    fn fits(&self, entry: &Entry, name: NameId, constraint: ConstraintId) -> bool {
        [Some(entry.version), entry.alias]
            .into_iter()
            .flatten()
            .any(|version| {
                let text = self.terms.version_of(version).text();
                self.acceptable(&[name], stability(text)) && self.terms.fits(constraint, version)
            })
    }

    /// Adds a version of a metadata file, and its branch alias before it.
    fn add_entry(
        &mut self,
        (repository, file, at): (usize, usize, usize),
        name: NameId,
        metadata: &Metadata,
        packages: &mut Vec<PackageId>,
    ) -> Result<(), Stop> {
        let entry = &metadata.entries[at];
        let number = |value: usize| u32::try_from(value).expect("fewer than 2^32 of anything");
        let origin = PackageOrigin::Metadata(number(repository), number(file), number(at));
        let links = metadata
            .links(self.terms, at)
            .map_err(|unclear| Stop::Unclear(unclear.0))?;
        let ignored =
            if self.problem.ignored_types.is_empty() && self.problem.allowed_types.is_none() {
                false
            } else {
                let kind = metadata.kind(at);
                self.problem
                    .ignored_types
                    .iter()
                    .any(|ignored| **ignored == *kind)
                    || self
                        .problem
                        .allowed_types
                        .as_ref()
                        .is_some_and(|types| !types.iter().any(|one| **one == *kind))
            };
        let package = Package {
            name,
            version: entry.version,
            stability: stability(self.terms.version_of(entry.version).text()),
            alias_of: None,
            root_alias: false,
            requires_self: false,
            links,
            origin,
            ignored,
        };
        let id = self.packages.add(package);
        self.repo_of.insert(id, repository);
        if let Some(alias) = entry.alias {
            let alias = self.packages.alias(self.terms, id, alias, origin);
            self.repo_of.insert(alias, repository);
            packages.push(alias);
        }
        packages.push(id);
        Ok(())
    }

    /// Returns the place of a metadata file, which is read at its first use.
    fn read(&mut self, repository: usize, file: &str) -> Result<usize, Stop> {
        if let Some(number) = self.file_ids.get(&(repository, file.to_owned())) {
            return Ok(*number);
        }
        let metadata = self.provider.metadata(self.terms, repository, file)?;
        let number = self.pool.files[repository].len();
        self.pool.files[repository].push(metadata);
        self.file_ids.insert((repository, file.to_owned()), number);
        Ok(number)
    }
}
