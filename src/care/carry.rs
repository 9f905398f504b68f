//! Finds the packages of a lock in the store, for an export.

use std::path::Path;

use allegro_composer::dialect::Dialect;
use allegro_composer::operation_text::full_pretty_version;
use allegro_composer::{Dist, ManifestKey, Unfamiliar};
use allegro_store::Store;

use crate::install::decide::Habits;
use crate::install::look::{Look, Manifest};
use crate::install::requests::Requests;
use crate::install::sharing::Sharing;
use crate::install::{Context, Undecided};

/// The packages of a lock that an export is made of.
#[derive(Debug, Default)]
pub struct Cargo {
    /// Keys of packages that the store has.
    pub keys: Vec<ManifestKey>,
    /// Names and versions of packages that the store lacks.
    pub lacking: Vec<String>,
    /// Names and versions of packages that can't be in a store, with the reason.
    pub foreign: Vec<String>,
}

/// Finds the packages of a lock in the store. `lock` is the path of the lock, if it is not that of
/// the project.
///
/// # Errors
/// Fails where the lock can't be read, or the store can't be opened.
pub fn cargo(
    context: &Context<'_>,
    lock: Option<&Path>,
    with_dev: bool,
) -> Result<Cargo, Undecided> {
    let target = Habits::built_in(None)?.target;
    let store = Store::open(&context.settings.store)?;
    let lock = lock.map(|lock| context.directory.join(lock));
    // Composer names a lock after its manifest.
    let manifest = lock.as_ref().and_then(|lock| {
        Some(
            lock.with_extension("json")
                .file_name()?
                .to_str()?
                .to_owned(),
        )
    });
    let directory = lock.as_deref().and_then(Path::parent);
    let variable = |name: &str| match (&manifest, name) {
        (Some(manifest), "COMPOSER") => Some(manifest.clone()),
        _ => (context.variable)(name),
    };
    let directory = directory.unwrap_or(&context.directory);
    let mut look = Look::at(directory, &variable, &target, Manifest::Optional)?;
    let packages: Vec<_> = look
        .project
        .locked(with_dev)
        .into_iter()
        .filter(|package| !package.is_metapackage())
        .cloned()
        .collect();
    let mut requests = Requests {
        project: &look.project,
        access: &mut look.access,
        sharing: &Sharing::default(),
        plain_modes: false,
        is_offline: true,
        objections: Vec::new(),
        warnings: Vec::new(),
    };
    let mut cargo = Cargo::default();
    for (id, package) in packages.iter().enumerate() {
        let shown = format!(
            "{} ({})",
            package.name,
            full_pretty_version(package, Dialect::default())
        );
        match requests.of(id, package) {
            Ok(request) => {
                let key = Dist::from(&request.dist).key();
                if store.read_manifest(&key)?.is_some() {
                    cargo.keys.push(key);
                } else {
                    cargo.lacking.push(shown);
                }
            }
            Err(Unfamiliar(reason)) => cargo.foreign.push(format!("{shown}: {reason}")),
        }
    }
    Ok(cargo)
}
