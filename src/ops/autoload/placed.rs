//! Knows the packages that the present run has put in place.

use std::collections::HashMap;
use std::fs;

use allegro_base::identity::Moment;
use allegro_composer::Dist;
use allegro_vendor::classmap::lists::Placed;
use allegro_vendor::classmap::walk::real_path;

use crate::protocol::scan::PlacedPackage;

/// Returns the packages with the real paths of their directories.
pub(super) fn placed(packages: &[PlacedPackage]) -> Vec<Placed> {
    let mut parents = HashMap::new();
    packages
        .iter()
        .filter_map(|package| {
            Some(Placed {
                directory: real_directory(&package.path, &mut parents)?,
                key: Dist::from(&package.dist).key(),
                by_zip_archive: package.plain_modes,
                from: Moment::from_nanos(package.made.0),
                until: Moment::from_nanos(package.made.1),
            })
        })
        .collect()
}

/// Returns the path of a package without links. Packages of one vendor share a parent, which is
/// resolved once.
fn real_directory<'p>(
    path: &'p str,
    parents: &mut HashMap<&'p str, Option<String>>,
) -> Option<String> {
    let (parent, name) = path.rsplit_once('/')?;
    let is_plain = !parent.is_empty() && !matches!(name, "" | "." | "..") && !name.contains('\\');
    if !is_plain || fs::symlink_metadata(path).ok()?.is_symlink() {
        return real_path(path).ok();
    }
    let real = parents
        .entry(parent)
        .or_insert_with(|| real_path(parent).ok());
    Some(format!("{}/{name}", real.as_ref()?.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_found_without_links() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path().canonicalize().expect("it exists");
        fs::create_dir_all(root.join("real/a/one")).expect("made");
        std::os::unix::fs::symlink("real", root.join("vendor")).expect("a link");
        std::os::unix::fs::symlink("one", root.join("real/a/two")).expect("a link");
        let text = |path: &str| format!("{}/{path}", root.display());
        let (one, two, gone) = (
            text("vendor/a/one"),
            text("vendor/a/two"),
            text("vendor/b/c"),
        );
        let up = text("vendor/a/one/..");
        let mut parents = HashMap::new();
        for path in [&one, &one, &two, &gone, &up] {
            let real = fs::canonicalize(path).ok();
            let found = real_directory(path, &mut parents);
            assert_eq!(found.map(Into::into), real, "{path}");
        }
    }
}
