//! Decides which packages get files of their own, as the plugin does (`Install\Sharing` and
//! `Install\Privacy`).

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use allegro_base::error::{Result, at};
use allegro_base::fs::unique;
use allegro_composer::Unfamiliar;
use allegro_composer::json::Json;
use allegro_composer::package::Package;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

/// The packages whose files are not shared with the store.
#[derive(Debug, Default)]
pub struct Sharing {
    /// Whether the vendor directory contains the project, so that no file may be shared.
    holds_project: bool,
    /// Patterns of names from `extra.allegro.copy`, and names of patched packages.
    private: Vec<String>,
}

impl Sharing {
    /// Reads the settings of a project.
    pub fn of(
        manifest: &Json,
        locked: &[&Package],
        project: &Path,
        vendor_dir: &Path,
    ) -> Result<Self, Unfamiliar> {
        let extra = manifest.get("extra");
        let mut private: Vec<String> = extra
            .and_then(|extra| extra.get("allegro"))
            .and_then(|allegro| allegro.get("copy"))
            .map(Json::one_or_many)
            .unwrap_or_default()
            .into_iter()
            .map(str::to_ascii_lowercase)
            .collect();
        for key in [
            "patches",
            "patches-file",
            "composer-patches",
            "drupal-scaffold",
        ] {
            if extra.and_then(|extra| extra.get(key)).is_some() {
                return Err(Unfamiliar(format!("composer.json has \"extra.{key}\"")));
            }
        }
        for file in ["patches.json", "patches.lock.json"] {
            if project.join(file).exists() {
                return Err(Unfamiliar(format!("the project has a {file}")));
            }
        }
        for package in locked {
            let patches = package
                .entry
                .get("extra")
                .and_then(|extra| extra.get("patches"));
            private.extend(
                patches
                    .map_or(&[][..], Json::entries)
                    .iter()
                    .map(|(name, _)| name.to_ascii_lowercase()),
            );
        }
        if let Some(odd) = private.iter().find(|name| name.contains(['[', '\\'])) {
            return Err(Unfamiliar(format!("the pattern {odd} is unusual")));
        }
        Ok(Self {
            holds_project: project.starts_with(vendor_dir),
            private,
        })
    }

    /// Returns whether the files of a package may be shared below the vendor directory.
    pub fn may_share(&self, package: &Package) -> bool {
        !self.holds_project
            && !package.is_plugin()
            && !self
                .private
                .iter()
                .any(|pattern| matches(pattern.as_bytes(), package.name.as_bytes()))
    }
}

/// Returns whether a name matches a pattern with `*` and `?`, as PHP's `fnmatch` decides.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        (Some((b'?', rest)), Some((_, name))) => matches(rest, name),
        (Some((first, rest)), Some((letter, name))) if first == letter => matches(rest, name),
        _ => false,
    }
}

/// Gives a file an inode of its own if it has several links. Mode, owner and time stay as they are.
pub fn own_inode(path: &Path) -> Result<()> {
    let Ok(facts) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !facts.is_file() || facts.nlink() < 2 {
        return Ok(());
    }
    let mut name = OsString::from(".allegro-");
    name.push(unique());
    let copy = path.with_file_name(name);
    let parent = path.parent().unwrap_or(Path::new("/"));
    let times_of_parent = fs::metadata(parent).map(|facts| times(&facts)).ok();
    let copied = fs::copy(path, &copy).and_then(|_| {
        // Only root may give files away.
        let _ = chown(&copy, Some(facts.uid()), Some(facts.gid()));
        fs::set_permissions(&copy, fs::Permissions::from_mode(facts.mode() & 0o7777))?;
        utimensat(CWD, &copy, &times(&facts), AtFlags::empty())?;
        fs::rename(&copy, path)
    });
    if let Some(times) = times_of_parent {
        let _ = utimensat(CWD, parent, &times, AtFlags::empty());
    }
    copied.map_err(|error| {
        let _ = fs::remove_file(&copy);
        at("copying", path)(error)
    })
}

fn times(facts: &fs::Metadata) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: facts.atime(),
            tv_nsec: facts.atime_nsec(),
        },
        last_modification: Timespec {
            tv_sec: facts.mtime(),
            tv_nsec: facts.mtime_nsec(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_fnmatch_does() {
        for (pattern, name, expected) in [
            ("a/b", "a/b", true),
            ("a/*", "a/b", true),
            ("*", "a/b", true),
            ("a/?", "a/b", true),
            ("a/?", "a/bc", false),
            ("*/b*", "a/bcd", true),
            ("b", "a/b", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern}"
            );
        }
    }

    #[test]
    fn a_shared_file_becomes_the_projects_own() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (one, two) = (dir.path().join("one"), dir.path().join("two"));
        fs::write(&one, "x").expect("written");
        fs::set_permissions(&one, fs::Permissions::from_mode(0o755)).expect("chmod");
        fs::hard_link(&one, &two).expect("linked");
        own_inode(&two).expect("copied");
        let (old, new) = (
            fs::metadata(&one).expect("there"),
            fs::metadata(&two).expect("there"),
        );
        assert_ne!(old.ino(), new.ino());
        assert_eq!(old.mode(), new.mode());
        assert_eq!(old.mtime_nsec(), new.mtime_nsec());
    }
}
