//! The environment of the process, which a face hands to the library.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// The source of variables and directories. The library itself asks nothing else for them.
#[derive(Debug, Clone, Copy)]
pub struct Environment {
    /// Function that returns the value of a variable.
    pub variable: fn(&OsStr) -> Option<OsString>,
    /// Function that tells whether the name of any variable begins with a text.
    pub has_prefix: fn(&str) -> bool,
    /// Function that returns the working directory.
    pub current_dir: fn() -> io::Result<PathBuf>,
    /// Function that returns the home directory as Composer has it: `HOME`, or the entry of the
    /// user database.
    pub home_dir: fn() -> Option<PathBuf>,
}

impl Environment {
    /// The environment of this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where they are asked for"
    )]
    pub const PROCESS: Self = Self {
        variable: |name| std::env::var_os(name),
        has_prefix: |prefix| {
            std::env::vars_os().any(|(name, _)| name.as_bytes().starts_with(prefix.as_bytes()))
        },
        current_dir: std::env::current_dir,
        home_dir: std::env::home_dir,
    };

    /// Returns the value of a variable that is set and not empty.
    pub fn value(&self, name: &str) -> Option<OsString> {
        (self.variable)(OsStr::new(name)).filter(|value| !value.is_empty())
    }

    /// Returns the value of a variable that is set, not empty, and text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.value(name)?.into_string().ok()
    }

    /// Returns the path in a variable that is set and not empty.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(PathBuf::from)
    }

    /// Returns whether the locale variables name a locale that is certainly installed and codes
    /// text as UTF-8.
    ///
    /// Only `C.UTF-8` qualifies. Any other locale may be missing, and unzip then falls back to `C`.
    pub fn has_utf8_locale(&self) -> bool {
        ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .find_map(|name| self.value(name))
            .is_some_and(|value| value == "C.UTF-8" || value == "C.utf8")
    }
}

/// Returns all variables of the process, for children that get them, and for digests over them.
#[cfg(feature = "cli")]
#[expect(
    clippy::disallowed_methods,
    reason = "Environment has no list of variables"
)]
pub fn all_variables() -> std::env::VarsOs {
    std::env::vars_os()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_c_utf8_is_certain() {
        let with = |variable| Environment {
            variable,
            ..Environment::PROCESS
        };
        assert!(with(|name| (name == "LANG").then(|| "C.UTF-8".into())).has_utf8_locale());
        assert!(with(|name| (name == "LC_ALL").then(|| "C.utf8".into())).has_utf8_locale());
        assert!(!with(|name| (name == "LANG").then(|| "de_DE.UTF-8".into())).has_utf8_locale());
        assert!(!with(|_| None).has_utf8_locale());
        // An empty variable counts as absent, and the first set one decides.
        let mixed = with(|name| match name.to_str()? {
            "LC_ALL" => Some("".into()),
            "LC_CTYPE" => Some("C.UTF-8".into()),
            _ => Some("C".into()),
        });
        assert!(mixed.has_utf8_locale());
        let plain = with(|name| match name.to_str()? {
            "LC_ALL" => Some("C".into()),
            _ => Some("C.UTF-8".into()),
        });
        assert!(!plain.has_utf8_locale());
    }
}
