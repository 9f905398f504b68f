//! Chooses Composer's own directories (`Factory::getHomeDir`, `getCacheDir` and `getDataDir`,
//! composer 2.10.2, the same since 2.2.0).

use super::{Environment, is_true};
use crate::unfamiliar::Unfamiliar;

/// Composer's own directories, as its `Factory` chooses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directories {
    /// The home, with `config.json` and `auth.json`. [`Config::home`](super::Config::home) expands
    /// it.
    pub home: String,
    /// Default of `cache-dir`.
    pub cache: String,
    /// Default of `data-dir`.
    pub data: String,
}

/// Facts about the machine on which the choice of directories depends.
#[derive(Clone, Copy)]
pub struct Probes<'p> {
    /// The variables of the environment.
    pub environment: Environment<'p>,
    /// Whether any variable has a name that begins with `XDG_`.
    pub has_xdg_variable: bool,
    /// Function that tells whether a directory exists.
    pub is_dir: &'p dyn Fn(&str) -> bool,
    /// Whether the system is macOS.
    pub is_macos: bool,
}

impl Directories {
    /// Chooses the directories.
    pub fn choose(probes: &Probes) -> Result<Self, Unfamiliar> {
        let home = home(probes)?;
        Ok(Self {
            cache: cache(probes, &home)?,
            data: data(probes, &home)?,
            home,
        })
    }
}

impl Probes<'_> {
    /// Returns the value of a variable that is true for PHP.
    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| is_true(value))
    }

    fn uses_xdg(&self) -> bool {
        self.has_xdg_variable || (self.is_dir)("/etc/xdg")
    }

    fn user_dir(&self) -> Result<String, Unfamiliar> {
        let home = self
            .variable("HOME")
            .ok_or_else(|| Unfamiliar("neither HOME nor COMPOSER_HOME is set".to_owned()))?;
        Ok(home.replace('\\', "/").trim_end_matches('/').to_owned())
    }
}

fn home(probes: &Probes) -> Result<String, Unfamiliar> {
    if let Some(home) = probes.variable("COMPOSER_HOME") {
        return Ok(home);
    }
    let user = probes.user_dir()?;
    let plain = format!("{user}/.composer");
    if !probes.uses_xdg() {
        return Ok(plain);
    }
    let config = probes.variable("XDG_CONFIG_HOME");
    let config = config.unwrap_or_else(|| format!("{user}/.config"));
    let xdg = format!("{config}/composer");
    let is_plain = !(probes.is_dir)(&xdg) && (probes.is_dir)(&plain);
    Ok(if is_plain { plain } else { xdg })
}

fn cache(probes: &Probes, home: &str) -> Result<String, Unfamiliar> {
    if let Some(cache) = probes.variable("COMPOSER_CACHE_DIR") {
        return Ok(cache);
    }
    if let Some(home) = probes.variable("COMPOSER_HOME") {
        return Ok(format!("{home}/cache"));
    }
    let user = probes.user_dir()?;
    let inside = format!("{home}/cache");
    if probes.is_macos {
        let cache = format!("{user}/Library/Caches/composer");
        if (probes.is_dir)(&inside) && !(probes.is_dir)(&cache) {
            return Err(Unfamiliar("Composer's cache is to be moved".to_owned()));
        }
        return Ok(cache);
    }
    if home == format!("{user}/.composer") && (probes.is_dir)(&inside) {
        return Ok(inside);
    }
    if probes.uses_xdg() {
        let cache = probes.variable("XDG_CACHE_HOME");
        let cache = cache.unwrap_or_else(|| format!("{user}/.cache"));
        return Ok(format!("{cache}/composer"));
    }
    Ok(inside)
}

fn data(probes: &Probes, home: &str) -> Result<String, Unfamiliar> {
    if let Some(home) = probes.variable("COMPOSER_HOME") {
        return Ok(home);
    }
    let user = probes.user_dir()?;
    if home != format!("{user}/.composer") && probes.uses_xdg() {
        let data = probes.variable("XDG_DATA_HOME");
        let data = data.unwrap_or_else(|| format!("{user}/.local/share"));
        return Ok(format!("{data}/composer"));
    }
    Ok(home.to_owned())
}
