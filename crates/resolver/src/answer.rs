//! The answer of a resolution, expressed without the numbers of the solver.

use allegro_base::tables::HashSet;
use allegro_semver::constraint::{NameId, Terms};

use super::Stop;
use super::package::{PackageId, PackageOrigin, Packages};
use super::pool_builder::LoadedPackages;

/// The place of a version in a metadata file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataPlace {
    /// Index of the repository.
    pub repository: usize,
    /// Name of the metadata file, as the provider was asked for it.
    pub file: String,
    /// Index of the version in the file.
    pub entry: usize,
}

/// A package to be locked.
#[derive(Debug)]
pub struct Chosen {
    /// Name of the package.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// Version as the metadata writes it, if a metadata file has the package.
    pub pretty: Option<String>,
    /// Normalized branch alias, if the version is a branch that has one.
    pub alias: Option<String>,
    /// Place in a metadata file; `None` if Composer loaded the package.
    pub place: Option<MetadataPlace>,
    /// Whether only `require-dev` needs the package. `None` if that takes a solver to tell, or if
    /// nobody asked.
    pub is_dev: Option<bool>,
}

/// The packages to be locked, and the facts that Composer reports about them.
#[derive(Debug)]
pub struct Answer {
    /// Packages to be locked, without aliases and without fixed packages.
    pub packages: Vec<Chosen>,
    /// Aliases of these packages: name and version.
    pub aliases: Vec<(String, String)>,
    /// The names that each repository was found to have.
    pub found: Vec<Vec<String>>,
    /// Names of chosen packages that neither the project nor an installed package requires. They
    /// stand in for other names.
    pub unasked: Vec<String>,
    /// Locked names that a partial update unlocked, in that order.
    pub unlocked: Vec<String>,
    /// Packages that `-w` leaves at their version, in the words of Composer's warning.
    pub kept: Vec<String>,
    /// Number of versions in the pool before and after optimization.
    pub versions: (usize, usize),
    /// Number of rules of the solver.
    pub rules: usize,
    /// Data of the resolution that is no longer needed.
    pub remains: Remains,
}

/// The data that an answer was made from. Freeing it takes a tenth of the time of a resolution, so
/// the caller may do that later.
#[derive(Debug, Default)]
pub struct Remains(
    #[expect(dead_code, reason = "held")] pub(super) Option<Box<(Packages, LoadedPackages)>>,
);

/// Returns the installed aliases as names and versions, without those of fixed packages.
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

/// Returns the names of installed packages that nothing requires, without fixed and locked
/// packages.
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

/// Returns the installed packages without aliases and fixed packages.
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
