//! Reports files of the store that were changed in place or torn.

use allegro_composer::{Dist, ManifestKey};
use allegro_store::Store;
use parking_lot::Mutex;

use super::notices::first_names;
use crate::protocol::prepare::PackageRequest;

/// A file of the store that was changed in place or torn.
struct Damage {
    /// Name of the file and its package, for people.
    file: String,
    /// Key of the package's manifest.
    key: ManifestKey,
}

/// The damaged files that one call has found.
#[derive(Default)]
pub struct Damages(Mutex<Vec<Damage>>);

impl Damages {
    /// Records damaged files of a package.
    pub fn note(&self, package: &PackageRequest, paths: Vec<String>) {
        self.0.lock().extend(paths.into_iter().map(|path| Damage {
            file: format!("{path} of {} ({})", package.name, package.version),
            key: Dist::from(&package.dist).key(),
        }));
    }

    /// Returns the notice about the damaged files, if there are any. It also names the projects
    /// that may have them through a hard link. The notice is one line, whatever happened.
    pub fn notice(&self, store: &Store) -> Option<String> {
        let mut damages = self.0.lock();
        damages.sort_by(|one, other| one.file.cmp(&other.file));
        let first = damages.first()?;
        let files: Vec<&str> = damages.iter().map(|damage| damage.file.as_str()).collect();
        let projects: Vec<String> = store
            .projects_with(&first.key)
            .iter()
            .map(|project| project.display().to_string())
            .collect();
        let projects: Vec<&str> = projects.iter().map(String::as_str).collect();
        let mut text = format!(
            "the store's copies of {} were changed in place or torn; they went to quarantine and are restored from the archives",
            first_names(&files)
        );
        if !projects.is_empty() {
            text.push_str("; projects that have the package: ");
            text.push_str(&first_names(&projects));
        }
        Some(text)
    }
}
