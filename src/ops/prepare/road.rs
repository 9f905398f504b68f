//! Decides which road each package takes, before anything is written.

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
    store: &Store,
    packages: &'a [PackageRequest],
) -> (Vec<(&'a PackageRequest, Road)>, Vec<&'a PackageRequest>) {
    let mut local = Vec::new();
    let mut wanted = Vec::new();
    for package in packages {
        let archive = package
            .archive
            .as_deref()
            .filter(|_| package.use_store)
            .and_then(|path| path.metadata().ok());
        let manifest = (package.use_store && !(package.want_archive && archive.is_none()))
            .then(|| store.manifest_path(&Dist::from(&package.dist).key()))
            .and_then(|path| path.metadata().ok());
        if let Some(manifest) = manifest {
            // Bins and private packages are copied where the file system has no reflinks.
            let copies = package.private || !package.bins.is_empty();
            local.push((
                package,
                Road::Store,
                manifest.len() + if copies { COPIES } else { 0 },
            ));
        } else if let Some(archive) = archive {
            // Unpacking a byte of archive costs about as much as linking a byte of manifest.
            local.push((package, Road::Archive, archive.len()));
        } else {
            wanted.push(package);
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
