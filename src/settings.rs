//! Resolves the settings, in the only place that layers them: request > environment > default.

mod environment;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use environment::Environment;
#[cfg(feature = "cli")]
pub use environment::all_variables;

use crate::protocol::settings::Overrides;
use allegro_base::env;
use allegro_base::error::{Error, Result};
use allegro_base::limits::{self, Share};
use allegro_fetch::{DEFAULT_WORKERS, MOST_WORKERS};
use allegro_store::link::Strategy;

/// The settings, completely resolved.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Root directory of the store.
    pub store: PathBuf,
    /// Strategy for linking files into a project.
    pub strategy: Strategy,
    /// Number of parallel downloads, 1 to 32, as far as this process may have files and memory for
    /// them.
    pub workers: usize,
    /// Number of threads for files and archives.
    pub threads: usize,
    /// Time without a byte after which a download is given up.
    pub idle_timeout: Duration,
    /// Whether each blob is read before a file is made from it.
    pub verify: bool,
    /// Whether unzip, started from this process, would surely write names in UTF-8.
    pub utf8_locale: bool,
    /// Directory in which the C library looks for time zones.
    pub zone_directory: PathBuf,
}

/// The share of a download: a connection and a file, besides buffers.
const WORKER: Share = Share {
    descriptors: 3,
    memory: 8 << 20,
};

/// The share of a thread for files: an archive, a file at each end, and the directories that lead
/// to one of them.
const THREAD: Share = Share {
    descriptors: 12,
    memory: 48 << 20,
};

impl Settings {
    /// Resolves the settings: `overrides` beat the environment, which beats the defaults.
    pub fn resolve(overrides: &Overrides, environment: &Environment) -> Result<Self> {
        let store = match overrides
            .store
            .clone()
            .or_else(|| Some(expanded(environment.path(env::STORE)?, environment)))
        {
            Some(path) if path.is_absolute() => path,
            Some(path) => (environment.current_dir)()
                .map_err(|error| Error::Input(format!("no current directory: {error}")))?
                .join(path),
            None => default_store(environment)?,
        };
        let strategy = match overrides
            .link_strategy
            .clone()
            .or_else(|| environment.text(env::LINK_STRATEGY))
        {
            Some(word) => word.parse()?,
            None => Strategy::Auto,
        };
        let workers = match overrides.workers {
            Some(workers) => workers,
            None => match environment.text(env::WORKERS) {
                Some(text) => text.trim().parse().map_err(|_| {
                    Error::Input(format!(
                        "{} must be a number from 1 to {MOST_WORKERS}, not \"{text}\"",
                        env::WORKERS
                    ))
                })?,
                None => DEFAULT_WORKERS,
            },
        };
        if !(1..=MOST_WORKERS).contains(&workers) {
            return Err(Error::Input(format!(
                "{} must be a number from 1 to {MOST_WORKERS}, not {workers}",
                env::WORKERS
            )));
        }
        let idle_timeout = match environment.text(env::IDLE_TIMEOUT_MS) {
            Some(text) => Duration::from_millis(text.trim().parse().map_err(|_| {
                Error::Input(format!(
                    "{} must be a number of milliseconds, not \"{text}\"",
                    env::IDLE_TIMEOUT_MS
                ))
            })?),
            None => Duration::from_secs(30),
        };
        let verify = match environment.text(env::VERIFY).as_deref() {
            None => false,
            Some("always") => true,
            Some(other) => {
                return Err(Error::Input(format!(
                    "{} must be \"always\" or not set, not \"{other}\"",
                    env::VERIFY
                )));
            }
        };
        let threads = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 16));
        Ok(Self {
            store,
            strategy,
            workers: limits::share(workers, &WORKER),
            threads: limits::share(threads, &THREAD),
            idle_timeout,
            verify,
            utf8_locale: environment.has_utf8_locale(),
            zone_directory: environment
                .path("TZDIR")
                .unwrap_or_else(|| PathBuf::from("/usr/share/zoneinfo")),
        })
    }
}

/// Expands a path as Composer expands its own path variables (`Platform::expandPath`, composer
/// 2.5.5).
///
/// `~/` is the home directory. A variable at the beginning, `$NAME` or `%NAME%`, is its value, or
/// nothing if it isn't set.
pub(crate) fn expanded(path: PathBuf, environment: &Environment) -> PathBuf {
    let home = || (environment.home_dir)().map(PathBuf::into_os_string);
    expand(&path, environment.variable, home).unwrap_or(path)
}

fn expand(
    path: &Path,
    var: impl Fn(&OsStr) -> Option<OsString>,
    home: impl Fn() -> Option<OsString>,
) -> Option<PathBuf> {
    let text = path.as_os_str().as_bytes();
    let (mut value, rest) = match *text.first()? {
        b'~' if text.get(1) == Some(&b'/') => (home()?, &text[1..]),
        mark @ (b'$' | b'%') => {
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let length = text[1..].iter().take_while(|byte| is_word(byte)).count();
            let (name, rest) = text[1..].split_at(length);
            let rest = if mark == b'%' {
                rest.strip_prefix(b"%")?
            } else {
                rest
            };
            if name.is_empty() {
                return None;
            }
            (var(OsStr::from_bytes(name)).unwrap_or_default(), rest)
        }
        _ => return None,
    };
    value.push(OsStr::from_bytes(rest));
    Some(value.into())
}

/// Returns `$XDG_CACHE_HOME/allegro`, `~/.cache/allegro`, or `~/Library/Caches/allegro` on macOS.
fn default_store(environment: &Environment) -> Result<PathBuf> {
    if let Some(cache) = environment
        .path("XDG_CACHE_HOME")
        .filter(|path| path.is_absolute())
    {
        return Ok(cache.join("allegro"));
    }
    let home = environment.path("HOME").ok_or_else(|| {
        Error::Input(format!(
            "neither HOME nor XDG_CACHE_HOME is set: say where the store shall be with {}",
            env::STORE
        ))
    })?;
    Ok(if cfg!(target_os = "macos") {
        home.join("Library/Caches/allegro")
    } else {
        home.join(".cache/allegro")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_beats_the_default() {
        let settings = Settings::resolve(
            &Overrides {
                store: Some("/somewhere/store".into()),
                link_strategy: Some("copy".into()),
                workers: Some(3),
            },
            &Environment::PROCESS,
        )
        .expect("valid overrides");
        assert_eq!(settings.store, PathBuf::from("/somewhere/store"));
        assert_eq!(settings.strategy, Strategy::Copy);
        assert_eq!(settings.workers, 3);
    }

    /// The plugin's tests put the same table to Composer's own function.
    #[test]
    fn paths_are_expanded_as_composer_expands_its_own() {
        let var = |name: &OsStr| match name.to_str()? {
            "HOME" => Some("/home/me".into()),
            "EMPTY" => Some(OsString::new()),
            _ => None,
        };
        let cases = [
            ("~/st", Some("/home/me/st")),
            ("~\\st", None),
            ("~", None),
            ("~other/st", None),
            ("$HOME/st", Some("/home/me/st")),
            ("$HOME", Some("/home/me")),
            ("$HOME_/st", Some("/st")),
            ("$EMPTY/st", Some("/st")),
            ("$UNSET/st", Some("/st")),
            ("%HOME%/st", Some("/home/me/st")),
            ("%HOME/st", None),
            ("${HOME}/st", None),
            ("$/st", None),
            ("%%/st", None),
            ("/a/$HOME/~/st", None),
            ("st", None),
            ("", None),
        ];
        for (path, expected) in cases {
            let found = expand(Path::new(path), var, || var(OsStr::new("HOME")));
            assert_eq!(found, expected.map(PathBuf::from), "{path}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_name_of_the_setting() {
        for overrides in [
            Overrides {
                workers: Some(0),
                ..Overrides::default()
            },
            Overrides {
                workers: Some(33),
                ..Overrides::default()
            },
            Overrides {
                link_strategy: Some("symlink".into()),
                ..Overrides::default()
            },
        ] {
            let error = Settings::resolve(&overrides, &Environment::PROCESS).expect_err("refused");
            assert_eq!(error.code(), "input");
            assert!(error.to_string().contains("ALLEGRO_"), "{error}");
        }
    }
}
