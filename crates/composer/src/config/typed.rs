//! The settings that an installation needs, as types of Rust.

use super::Config;
use super::value::{Array, Value};
use crate::json::Json;
use crate::unfamiliar::Unfamiliar;

/// The files that Composer makes for a program of a package (`bin-compat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinCompat {
    /// Files for the system that Composer runs on.
    Auto,
    /// Files for Windows too.
    Full,
    /// Files for Unix.
    Proxy,
}

/// The extent of the platform check (`platform-check`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlatformCheck {
    /// There is none.
    Off,
    /// It looks at PHP's version.
    PhpOnly,
    /// It looks at extensions too.
    Full,
}

/// The treatment of changed packages (`discard-changes`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardChanges {
    /// The changes stay, or Composer asks.
    No,
    /// The changes are lost.
    Yes,
    /// The changes are stashed.
    Stash,
}

/// The plugins that may run (`allow-plugins`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowPlugins {
    /// All of them may, or none.
    All(bool),
    /// Patterns of package names in the order in which they count, and whether such plugins may.
    Rules(Vec<(String, bool)>),
}

/// The choice between archives and sources (`preferred-install`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreferredInstall {
    /// All packages come from archives.
    Dist,
    /// All packages come from sources.
    Source,
    /// Patterns of package names with `dist`, `source` or another word. Where none fits, packages
    /// in development come from sources.
    Patterns(Vec<(String, String)>),
}

type Typed<T> = Result<T, Unfamiliar>;

macro_rules! texts {
    ($($name:ident $key:literal $what:literal)*) => {
        impl Config<'_> {$(
            #[doc = concat!("Returns ", $what, " (`", $key, "`).")]
            pub fn $name(&self) -> Typed<String> {
                self.text($key)
            }
        )*}
    };
}

macro_rules! switches {
    ($($name:ident $key:literal $what:literal)*) => {
        impl Config<'_> {$(
            #[doc = concat!("Returns whether ", $what, " (`", $key, "`).")]
            pub fn $name(&self) -> Typed<bool> {
                self.switch($key)
            }
        )*}
    };
}

texts! {
    home "home" "Composer's home, which may be relative to the working directory"
    vendor_dir "vendor-dir" "the absolute path of the vendor directory"
    bin_dir "bin-dir" "the absolute path of the directory of programs"
    data_dir "data-dir" "the absolute path of Composer's data directory"
    cache_dir "cache-dir" "the absolute path of Composer's cache"
    cache_files_dir "cache-files-dir" "the absolute path of the cache of archives"
    cache_repo_dir "cache-repo-dir" "the absolute path of the cache of metadata"
    cache_vcs_dir "cache-vcs-dir" "the absolute path of the cache of repositories"
    archive_format "archive-format" "the format of `composer archive`"
    archive_dir "archive-dir" "the directory of `composer archive`"
}

switches! {
    cache_read_only "cache-read-only" "the cache is only read"
    htaccess_protect "htaccess-protect" "Composer's directories get a `.htaccess`"
    disable_tls "disable-tls" "TLS is off"
    secure_http "secure-http" "plain HTTP is forbidden"
    use_github_api "use-github-api" "GitHub's API is used"
    lock "lock" "there is a lock file"
    source_fallback "source-fallback" "a failed archive is replaced by the source"
    use_include_path "use-include-path" "the autoloader searches the include path"
    notify_on_install "notify-on-install" "installations are reported"
    sort_packages "sort-packages" "requirements are kept sorted"
    optimize_autoloader "optimize-autoloader" "all classes go into the class map"
    classmap_authoritative "classmap-authoritative" "the class map alone decides"
    apcu_autoloader "apcu-autoloader" "the autoloader caches in APCu"
    prepend_autoloader "prepend-autoloader" "the autoloader goes before others"
    allow_missing_requirements "allow-missing-requirements" "unmet requirements are no error"
}

impl Config<'_> {
    /// Returns the kind of files for programs (`bin-compat`).
    pub fn bin_compat(&self) -> Typed<BinCompat> {
        Ok(match &*self.text("bin-compat")? {
            "full" => BinCompat::Full,
            "proxy" => BinCompat::Proxy,
            _ => BinCompat::Auto,
        })
    }

    /// Returns the seconds after which a process is stopped; 0 means never (`process-timeout`).
    pub fn process_timeout(&self) -> Typed<i64> {
        match self.get("process-timeout")? {
            Value::Int(seconds) => Ok(seconds),
            Value::Str(seconds) => seconds.parse().map_err(|_| wrong("process-timeout")),
            _ => Err(wrong("process-timeout")),
        }
    }

    /// Returns the seconds for which cached archives are kept (`cache-files-ttl`). The cache of
    /// archives is off unless there are any.
    pub fn cache_files_ttl(&self) -> Typed<i64> {
        match self.get("cache-files-ttl")? {
            Value::Int(seconds) => Ok(seconds),
            _ => Err(wrong("cache-files-ttl")),
        }
    }

    /// Returns the number of bytes that cached archives may have (`cache-files-maxsize`).
    pub fn cache_files_maxsize(&self) -> Typed<i64> {
        match self.get("cache-files-maxsize")? {
            Value::Int(bytes) => Ok(bytes),
            Value::Str(bytes) => bytes.parse().map_err(|_| wrong("cache-files-maxsize")),
            _ => Err(wrong("cache-files-maxsize")),
        }
    }

    /// Returns the suffix of the autoloader's classes, if one is set (`autoloader-suffix`).
    /// Releases that keep an empty suffix give one.
    pub fn autoloader_suffix(&self) -> Typed<Option<String>> {
        self.optional_text("autoloader-suffix")
    }

    /// Returns the bundle of trusted certificates, if one is set (`cafile`).
    pub fn cafile(&self) -> Typed<Option<String>> {
        Ok(self
            .optional_text("cafile")?
            .filter(|path| !path.is_empty()))
    }

    /// Returns the directory of trusted certificates, if one is set (`capath`).
    pub fn capath(&self) -> Typed<Option<String>> {
        Ok(self
            .optional_text("capath")?
            .filter(|path| !path.is_empty()))
    }

    /// Returns the extent of the platform check (`platform-check`).
    pub fn platform_check(&self) -> Typed<PlatformCheck> {
        Ok(match self.get("platform-check")? {
            Value::Bool(false) => PlatformCheck::Off,
            Value::Bool(true) => PlatformCheck::Full,
            Value::Str(_) => PlatformCheck::PhpOnly,
            _ => return Err(wrong("platform-check")),
        })
    }

    /// Returns the treatment of changed packages (`discard-changes`).
    pub fn discard_changes(&self) -> Typed<DiscardChanges> {
        Ok(match self.get("discard-changes")? {
            Value::Bool(false) => DiscardChanges::No,
            Value::Bool(true) => DiscardChanges::Yes,
            _ => DiscardChanges::Stash,
        })
    }

    /// Returns the platform packages that have another version than the machine says, or that are
    /// hidden (`None`), in the order of the text (`platform`).
    pub fn platform(&self) -> Typed<Vec<(String, Option<String>)>> {
        let mut overrides = Vec::new();
        for (name, version) in self.array("platform")?.entries() {
            let version = match version {
                Value::Str(version) => Some(version.clone()),
                Value::Bool(false) => None,
                _ => return Err(wrong("platform")),
            };
            overrides.push((name.text(), version));
        }
        Ok(overrides)
    }

    /// Returns the plugins that may run (`allow-plugins`).
    pub fn allow_plugins(&self) -> Typed<AllowPlugins> {
        let rules = match self.get("allow-plugins")? {
            Value::Bool(all) => return Ok(AllowPlugins::All(all)),
            Value::Array(rules) => rules,
            _ => return Err(wrong("allow-plugins")),
        };
        let rule = |(name, value): &(_, Value)| match value {
            Value::Bool(allowed) => Ok((super::Key::text(name), *allowed)),
            _ => Err(wrong("allow-plugins")),
        };
        let rules: Typed<Vec<_>> = rules.entries().iter().map(rule).collect();
        Ok(AllowPlugins::Rules(rules?))
    }

    /// Returns the choice between archives and sources (`preferred-install`).
    pub fn preferred_install(&self) -> Typed<PreferredInstall> {
        let patterns = match self.get("preferred-install")? {
            Value::Str(word) => {
                return Ok(match &*word {
                    "dist" => PreferredInstall::Dist,
                    "source" => PreferredInstall::Source,
                    _ => PreferredInstall::Patterns(Vec::new()),
                });
            }
            Value::Array(patterns) => patterns,
            _ => return Err(wrong("preferred-install")),
        };
        let pattern = |(name, value): &(_, Value)| match value {
            Value::Str(word) => Ok((super::Key::text(name), word.clone())),
            _ => Err(wrong("preferred-install")),
        };
        let patterns: Typed<Vec<_>> = patterns.entries().iter().map(pattern).collect();
        Ok(PreferredInstall::Patterns(patterns?))
    }

    /// Returns the domains of GitHub servers (`github-domains`).
    pub fn github_domains(&self) -> Typed<Vec<String>> {
        self.texts("github-domains")
    }

    /// Returns the domains of GitLab servers (`gitlab-domains`).
    pub fn gitlab_domains(&self) -> Typed<Vec<String>> {
        self.texts("gitlab-domains")
    }

    /// Returns whether Composer looks for a project in the directories above (`use-parent-dir`), or
    /// `None` if it asks.
    pub fn use_parent_dir(&self) -> Typed<Option<bool>> {
        match self.get("use-parent-dir")? {
            Value::Bool(value) => Ok(Some(value)),
            Value::Str(_) => Ok(None),
            _ => Err(wrong("use-parent-dir")),
        }
    }

    /// Returns the rules of the audit as they are merged (`audit`).
    pub fn audit(&self) -> Typed<Json> {
        Ok(self.get("audit")?.to_json())
    }

    /// Returns the dependency policy as it is merged (`policy`).
    pub fn policy(&self) -> Typed<Json> {
        Ok(self.get("policy")?.to_json())
    }

    /// Returns an array, which is empty if the setting is absent.
    pub(crate) fn array(&self, key: &str) -> Typed<Array> {
        match self.get(key)? {
            Value::Array(array) => Ok(array),
            Value::Null => Ok(Array::default()),
            _ => Err(wrong(key)),
        }
    }

    fn texts(&self, key: &str) -> Typed<Vec<String>> {
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(|| wrong(key));
        self.array(key)?.values().map(text).collect()
    }

    fn text(&self, key: &str) -> Typed<String> {
        self.optional_text(key)?.ok_or_else(|| wrong(key))
    }

    fn optional_text(&self, key: &str) -> Typed<Option<String>> {
        match self.get(key)? {
            Value::Str(text) => Ok(Some(text)),
            Value::Null => Ok(None),
            _ => Err(wrong(key)),
        }
    }

    fn switch(&self, key: &str) -> Typed<bool> {
        match self.get(key)? {
            Value::Bool(value) => Ok(value),
            Value::Null => Ok(false),
            _ => Err(wrong(key)),
        }
    }
}

impl AllowPlugins {
    /// Returns what is said about the plugin of a package, if something is said
    /// (`PluginManager::isPluginAllowed`, composer 2.10.2, the same since 2.2.0).
    pub fn allow(&self, name: &str) -> Option<bool> {
        match self {
            Self::All(allowed) => Some(*allowed),
            Self::Rules(rules) => rules
                .iter()
                .find(|(pattern, _)| fits(pattern, name))
                .map(|(_, allowed)| *allowed),
        }
    }
}

impl PreferredInstall {
    /// Returns whether a package that has both comes from its archive
    /// (`DownloadManager::getAvailableSources`, composer 2.10.2, the same since 2.2.0).
    ///
    /// The name is in lower case. A package is in development if its stability is `dev`.
    pub fn takes_dist(&self, name: &str, is_dev: bool) -> bool {
        let patterns = match self {
            Self::Dist => return true,
            Self::Source => return false,
            Self::Patterns(patterns) => patterns,
        };
        let fitting = patterns.iter().find(|(pattern, _)| fits(pattern, name));
        fitting.map_or(!is_dev, |(_, word)| {
            word == "dist" || (!is_dev && word == "auto")
        })
    }
}

/// Returns whether a name fits a pattern in which `*` stands for any text. Case does not count.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_ascii_lowercase(), name.to_ascii_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
}

fn wrong(key: &str) -> Unfamiliar {
    Unfamiliar(format!("{key} has an unusual value"))
}
