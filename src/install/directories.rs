//! Treats the directories that a configuration names as Composer does.

use std::fs;
use std::path::{Component, Path};

/// Returns whether a path enters a directory and leaves it again, as `vendor/../lib` does. Composer
/// fails if that directory is missing.
pub(super) fn leaves_a_directory(path: &Path) -> bool {
    let mut has_entered = false;
    path.components().any(|component| match component {
        Component::Normal(_) => {
            has_entered = true;
            false
        }
        Component::ParentDir => has_entered,
        Component::Prefix(_) | Component::RootDir | Component::CurDir => false,
    })
}

/// Forbids web servers to show directories (`Factory::createConfig`, composer 2.10.2). Failures are
/// silent there, too.
pub(super) fn protect(directories: &[String]) {
    for directory in directories.iter().map(Path::new) {
        let file = directory.join(".htaccess");
        if !file.exists() {
            let _ = fs::create_dir_all(directory);
            let _ = fs::write(&file, "Deny from all");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_way_back_leaves_a_directory() {
        for (path, leaves) in [
            ("vendor", false),
            ("../vendor", false),
            ("../../lib/vendor/", false),
            ("./vendor", false),
            ("/srv/vendor", false),
            ("vendor/../lib", true),
            ("../a/../b", true),
            ("/srv/app/../vendor", true),
        ] {
            assert_eq!(leaves_a_directory(Path::new(path)), leaves, "{path}");
        }
    }
}
