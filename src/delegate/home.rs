//! The user's directories as Composer chooses them.

use std::path::{Path, PathBuf};

use crate::settings::Environment;

/// Directories of Composer's user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homes {
    /// Directory of the user's configuration (`Factory::getHomeDir`, composer 2.10.2).
    pub home: PathBuf,
    /// Directory of caches (`Factory::getCacheDir`, composer 2.10.2).
    pub cache: PathBuf,
    /// Directory of data (`Factory::getDataDir`, composer 2.10.2).
    pub data: PathBuf,
}

impl Homes {
    /// Returns the directories that Composer would choose, or `None` where it would fail or where
    /// a relative path depends on its working directory.
    pub fn of(environment: &Environment, is_dir: impl Fn(&Path) -> bool) -> Option<Self> {
        let user = environment
            .text("HOME")
            .map(|home| PathBuf::from(home.trim_end_matches('/')));
        let uses_xdg = (environment.has_prefix)("XDG_") || is_dir(Path::new("/etc/xdg"));
        let base = |name: &str, default: &str| match environment.path(name) {
            Some(path) => Some(path),
            None => Some(user.as_ref()?.join(default)),
        };
        let named = environment.path("COMPOSER_HOME");
        let home = if let Some(home) = named.clone() {
            home
        } else {
            let former = user.as_ref()?.join(".composer");
            let xdg = base("XDG_CONFIG_HOME", ".config")?.join("composer");
            if uses_xdg && (is_dir(&xdg) || !is_dir(&former)) {
                xdg
            } else {
                former
            }
        };
        let is_former = user
            .as_ref()
            .is_some_and(|user| home == user.join(".composer"));
        let cache = if let Some(cache) = environment.path("COMPOSER_CACHE_DIR") {
            cache
        } else if let Some(home) = &named {
            home.join("cache")
        } else if cfg!(target_os = "macos") {
            // Composer moves a cache from its former place, and has to do that itself.
            let cache = user.as_ref()?.join("Library/Caches/composer");
            if is_dir(&home.join("cache")) && !is_dir(&cache) {
                return None;
            }
            cache
        } else if uses_xdg && !(is_former && is_dir(&home.join("cache"))) {
            base("XDG_CACHE_HOME", ".cache")?.join("composer")
        } else {
            home.join("cache")
        };
        let data = if let Some(home) = named {
            home
        } else if !is_former && uses_xdg {
            base("XDG_DATA_HOME", ".local/share")?.join("composer")
        } else {
            home.clone()
        };
        [&home, &cache, &data]
            .iter()
            .all(|path| path.is_absolute())
            .then_some(Self { home, cache, data })
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::{OsStr, OsString};

    use super::*;

    fn homes(
        variable: fn(&OsStr) -> Option<OsString>,
        has_xdg: bool,
        dirs: &[&str],
    ) -> Option<[String; 3]> {
        let environment = Environment {
            variable,
            has_prefix: if has_xdg { |_| true } else { |_| false },
            ..Environment::PROCESS
        };
        let is_dir = |path: &Path| dirs.iter().any(|dir| Path::new(dir) == path);
        let homes = Homes::of(&environment, is_dir)?;
        Some([homes.home, homes.cache, homes.data].map(|path| path.display().to_string()))
    }

    /// A test with the command compares some of these rows with Composer's own answers.
    #[test]
    fn directories_are_chosen_as_composer_chooses_them() {
        let plain = |name: &OsStr| (name == "HOME").then(|| "/h/".into());
        let row =
            |home: &str, cache: &str, data: &str| Some([home, cache, data].map(str::to_owned));
        assert_eq!(
            homes(plain, false, &[]),
            row("/h/.composer", "/h/.composer/cache", "/h/.composer")
        );
        assert_eq!(
            homes(plain, true, &[]),
            row(
                "/h/.config/composer",
                "/h/.cache/composer",
                "/h/.local/share/composer"
            )
        );
        assert_eq!(
            homes(plain, true, &["/h/.composer"]),
            row("/h/.composer", "/h/.cache/composer", "/h/.composer")
        );
        assert_eq!(
            homes(plain, true, &["/h/.composer", "/h/.composer/cache"]),
            row("/h/.composer", "/h/.composer/cache", "/h/.composer")
        );
        assert_eq!(
            homes(
                plain,
                false,
                &["/etc/xdg", "/h/.composer", "/h/.config/composer"]
            ),
            row(
                "/h/.config/composer",
                "/h/.cache/composer",
                "/h/.local/share/composer"
            )
        );
        let named = |name: &OsStr| match name.to_str()? {
            "HOME" => Some("/h".into()),
            "COMPOSER_HOME" => Some("/c".into()),
            _ => None,
        };
        assert_eq!(homes(named, true, &[]), row("/c", "/c/cache", "/c"));
        let cached = |name: &OsStr| match name.to_str()? {
            "COMPOSER_HOME" => Some("/c".into()),
            "COMPOSER_CACHE_DIR" => Some("/k".into()),
            _ => None,
        };
        assert_eq!(homes(cached, true, &[]), row("/c", "/k", "/c"));
        assert_eq!(homes(|_| None, true, &[]), None);
        let relative = |name: &OsStr| (name == "COMPOSER_HOME").then(|| "c".into());
        assert_eq!(homes(relative, true, &[]), None);
    }
}
