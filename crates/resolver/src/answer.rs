//! What is to be locked, told without the solver's numbers.

use allegro_base::tables::HashSet;
use allegro_semver::constraint::{NameId, Terms};

use super::Stop;
use super::package::{PackageId, PackageOrigin, Packages};
use super::pool_builder::LoadedPackages;

/// Where a version is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataPlace {
    /// The repository.
    pub repository: usize,
    /// The metadata file, as the provider was asked for it.
    pub file: String,
    /// The version's place in it.
    pub entry: usize,
}

/// A package that is to be locked.
#[derive(Debug)]
pub struct Chosen {
    /// Its name.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// As it is written, where that is known.
    pub pretty: Option<String>,
    /// The number under which a branch is known too, normalized.
    pub alias: Option<String>,
    /// Where a metadata file has it.
    pub place: Option<MetadataPlace>,
    /// Only `require-dev` needs it; unknown where that takes a solver to tell, or wasn't asked.
    pub is_dev: Option<bool>,
}

/// What is to be locked.
#[derive(Debug)]
pub struct Answer {
    /// Without aliases, and without what was fixed.
    pub packages: Vec<Chosen>,
    /// Aliases that come with them: name and version.
    pub aliases: Vec<(String, String)>,
    /// For each repository the names that it was found to have.
    pub found: Vec<Vec<String>>,
    /// Names among the packages that nothing chosen requires: they stand for other names.
    pub unasked: Vec<String>,
    /// Names of the lock that a partial update reaches, in that order.
    pub unlocked: Vec<String>,
    /// What `-w` leaves as it is, in the words of Composer's warning.
    pub kept: Vec<String>,
    /// Versions that came into question, and how many of them could make a difference.
    pub versions: (usize, usize),
    /// Rules of the solver.
    pub rules: usize,
    /// What isn't needed any more.
    pub remains: Remains,
}

/// What an answer was made of. To let go of it takes as long as a tenth of the work: nobody has to wait for that.
#[derive(Debug, Default)]
pub struct Remains(
    #[expect(dead_code, reason = "held")] pub(super) Option<Box<(Packages, LoadedPackages)>>,
);

/// Aliases among what is installed, as names and versions.
pub(super) fn aliases(
    terms: &Terms,
    packages: &Packages,
    pool: &LoadedPackages,
    ids: &[PackageId],
) -> Vec<(String, String)> {
    ids.iter()
        .map(|id| &packages[*id])
        .filter(|package| package.alias_of.is_some_and(|of| !pool.fixed.contains(&of)))
        .map(|package| {
            let version = terms.version_of(package.version).text();
            (terms.name_text(package.name).to_owned(), version.to_owned())
        })
        .collect()
}

/// Names of what is installed, as far as nobody requires them.
pub(super) fn unasked(
    terms: &Terms,
    packages: &Packages,
    pool: &LoadedPackages,
    ids: &[PackageId],
) -> Vec<String> {
    let links = ids.iter().flat_map(|id| &packages[*id].links.requires);
    let required = pool.requires.iter().map(|(name, _)| *name);
    let required: HashSet<NameId> = required.chain(links.map(|link| link.target)).collect();
    let held: HashSet<PackageId> = pool.fixed.iter().chain(&pool.locked).copied().collect();
    let installed = ids.iter().filter(|id| !held.contains(id));
    let names = installed.map(|id| packages[*id].name);
    names
        .filter(|name| !required.contains(name))
        .map(|name| terms.name_text(name).to_owned())
        .collect()
}

pub(super) fn chosen(
    terms: &Terms,
    packages: &Packages,
    pool: &LoadedPackages,
    ids: &[PackageId],
    needed: Option<&HashSet<PackageId>>,
) -> Result<Vec<Chosen>, Stop> {
    let fixed: HashSet<PackageId> = pool.fixed.iter().copied().collect();
    let mut list = Vec::new();
    for id in ids {
        let package = &packages[*id];
        if package.alias_of.is_some() || fixed.contains(id) {
            continue;
        }
        let mut one = Chosen {
            name: terms.name_text(package.name).to_owned(),
            version: terms.version_of(package.version).text().to_owned(),
            pretty: None,
            alias: None,
            place: None,
            is_dev: needed.map(|needed| !needed.contains(id)),
        };
        if let PackageOrigin::Metadata(repository, file, entry) = package.origin {
            let (repository, entry) = (repository as usize, entry as usize);
            let metadata = pool.files[repository][file as usize].as_ref();
            let metadata =
                metadata.ok_or_else(|| Stop::Unclear("a metadata file is gone".to_owned()))?;
            let alias = metadata.entries[entry].alias;
            one.pretty = Some(metadata.pretty(entry).to_owned());
            one.alias = alias.map(|alias| terms.version_of(alias).text().to_owned());
            one.place = Some(MetadataPlace {
                repository,
                file: metadata.file.clone().into(),
                entry,
            });
        }
        list.push(one);
    }
    Ok(list)
}
