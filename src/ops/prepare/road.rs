//! Decides which road each package takes, before anything is written.

use rayon::prelude::*;

use crate::protocol::prepare::PackageRequest;
use allegro_composer::Dist;
use allegro_store::Store;

/// The place nearby that has a package's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// The store has a manifest.
    Store,
    /// Composer's cache has an archive.
    Archive,
}

/// The weight, in bytes of manifest, of a package that may have to be copied in part. A bin can be
/// an archive of many MiB.
const COPIES: u64 = 1 << 20;

/// Splits the packages into those that are nearby, the costly ones first, and those to be
/// downloaded.
///
/// This order keeps all threads busy until the end: one huge package started last would run alone.
pub fn plan<'a>(
    pool: &rayon::ThreadPool,
    store: &Store,
    packages: &'a [PackageRequest],
) -> (Vec<(&'a PackageRequest, Road)>, Vec<&'a PackageRequest>) {
    let found: Vec<Option<(Road, u64)>> = pool.install(|| {
        let found = packages.par_iter().map(|package| find(store, package));
        found.collect()
    });
    let mut local = Vec::with_capacity(packages.len());
    let mut wanted = Vec::new();
    for (package, found) in packages.iter().zip(found) {
        match found {
            Some((road, cost)) => local.push((package, road, cost)),
            None => wanted.push(package),
        }
    }
    local.sort_by_key(|&(_, road, cost)| (road == Road::Store, std::cmp::Reverse(cost)));
    (
        local
            .into_iter()
            .map(|(package, road, _)| (package, road))
            .collect(),
        wanted,
    )
}

/// Finds the place nearby that has a package, and tells what the package costs from there.
fn find(store: &Store, package: &PackageRequest) -> Option<(Road, u64)> {
    let archive = || {
        let path = package.archive.as_deref()?;
        path.metadata().ok().filter(|_| package.use_store)
    };
    let may_be_stored = package.use_store && !(package.want_archive && archive().is_none());
    let manifest = may_be_stored
        .then(|| store.manifest_path(&Dist::from(&package.dist).key()))
        .and_then(|path| path.metadata().ok());
    if let Some(manifest) = manifest {
        // Bins and private packages are copied where the file system has no reflinks.
        let copies = package.private || !package.bins.is_empty();
        return Some((
            Road::Store,
            manifest.len() + if copies { COPIES } else { 0 },
        ));
    }
    // Unpacking a byte of archive costs about as much as linking a byte of manifest.
    archive().map(|archive| (Road::Archive, archive.len()))
}
