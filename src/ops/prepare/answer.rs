//! Makes the answer of a call from the outcomes of its packages.

use std::collections::BTreeMap;
use std::path::Path;

use super::Preparation;
use super::ahead::Shelf;
use super::fill::Aim;
use super::notices::{gather, of_copies};
use crate::protocol::prepare::{PackageAnswer, PackageOutcome, PrepareAnswer};
use allegro_base::error::Error;
use allegro_base::identity::Moment;
use allegro_composer::Dist;
use allegro_store::ProjectPackage;

impl Preparation<'_> {
    /// Returns the answer, and notes in the store which project has which packages.
    pub fn answer(self) -> PrepareAnswer {
        let damage = self.damages.notice(self.store);
        let mut answers = self.answers.into_inner();
        let vendor_dir = self.request.vendor_dir.as_path();
        let mut roots: BTreeMap<&Path, Vec<ProjectPackage>> = BTreeMap::new();
        for package in &self.request.packages {
            if self.aim != Aim::Store
                && matches!(answers.get(&package.id), Some(PackageOutcome::Ready { .. }))
            {
                // A package outside of vendor is a root of its own, because a new project has no
                // vendor directory yet.
                let root = match &package.path {
                    Some(path) if !is_below(path, vendor_dir) => path,
                    _ => vendor_dir,
                };
                roots.entry(root).or_default().push(ProjectPackage {
                    name: package.name.clone(),
                    version: package.version.clone(),
                    key: Dist::from(&package.dist).key(),
                    bytes: None,
                });
            }
        }
        let method = self.methods.into_inner().into_values().max();
        for (root, packages) in roots {
            // Only later pruning and the naming of projects use the root, so a failure doesn't fail
            // the install.
            let _ = self.store.note_packages(root, &packages, method);
        }
        let mut packages: Vec<PackageAnswer> = self
            .request
            .packages
            .iter()
            .map(|package| PackageAnswer {
                id: package.id,
                outcome: answers.remove(&package.id).unwrap_or_else(|| {
                    Error::Internal(format!("{} was forgotten", package.name)).into()
                }),
            })
            .collect();
        let told = self.shelf.and_then(Shelf::notice);
        let mut notices: Vec<String> = damage.into_iter().chain(told).collect();
        notices.extend(gather(&mut packages, self.store, vendor_dir));
        if let Some(refusal) = self.linker.refusal()
            && method.is_some()
        {
            notices.extend(of_copies(self.store, vendor_dir, refusal));
        }
        let own = self.started.as_nanos();
        let started = self.shelf.map_or(own, |shelf| shelf.started().min(own));
        PrepareAnswer {
            packages,
            method: method.map(Into::into),
            notices,
            made: (started, Moment::now().as_nanos()),
        }
    }
}

/// Returns whether a path leads to a place below a directory without links. The path need not exist
/// yet.
fn is_below(path: &Path, directory: &Path) -> bool {
    path.starts_with(directory)
        || path
            .ancestors()
            .find_map(|above| above.canonicalize().ok())
            .is_some_and(|real| real.starts_with(directory))
}
