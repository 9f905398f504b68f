//! Asks PHP for the facts that native code depends on, and keeps the answer.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::stat;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use allegro_base::error::{Error, Result, in_store};
use allegro_base::hex::hex;
use allegro_base::identity::{Clock, Identity};
use allegro_semver::version;
use allegro_store::{Bucket, Record, Store, forget_unwritten};

use super::run::{Directory, succeeds};
use super::{ComposerBinary, Machine, Php};
use crate::protocol::scan;

const SCRIPT: &str = include_str!("probe.php");

/// Facts about PHP and Composer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Facts about PHP.
    pub php: PhpFacts,
    /// Facts about Composer, if there is one and PHP can load its classes.
    pub composer: Option<ComposerFacts>,
    /// Error that kept PHP from loading Composer's classes.
    #[serde(default)]
    pub failure: Option<String>,
}

/// Facts about PHP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about PHP"
)]
pub struct PhpFacts {
    /// `PHP_VERSION`.
    pub version: String,
    /// `PHP_VERSION_ID`.
    pub version_id: u32,
    /// `PHP_OS`.
    pub os: String,
    /// `PHP_SAPI`.
    pub sapi: String,
    /// `PHP_BINARY`.
    pub binary: String,
    /// `PHP_INT_SIZE`.
    pub int_size: u32,
    /// The setting `short_open_tag`.
    pub short_open_tag: bool,
    /// Whether PHP reads scripts byte by byte, without a `zend.script_encoding`.
    pub has_plain_scripts: bool,
    /// The setting `disable_functions`.
    pub disabled_functions: Vec<String>,
    /// Loaded extensions.
    pub extensions: Vec<String>,
    /// Whether OPcache is loaded.
    pub has_opcache: bool,
    /// Whether the class `ZipArchive` exists.
    pub has_zip_archive: bool,
    /// Whether PHP can start programs.
    pub has_proc_open: bool,
    /// The setting `open_basedir`.
    pub open_basedir: String,
    /// The setting `allow_url_fopen`, as `ini_get` returns it.
    pub allow_url_fopen: String,
    /// The setting `memory_limit`, as the configuration has it.
    pub memory_limit: String,
    /// Whether Xdebug is loaded.
    pub has_xdebug: bool,
}

/// Facts about Composer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComposerFacts {
    /// Version as Composer tells it.
    pub version: String,
    /// `Composer::VERSION`.
    pub constant: String,
    /// `Composer::BRANCH_ALIAS_VERSION`.
    pub branch_alias: String,
    /// `Composer::RUNTIME_API_VERSION`.
    pub runtime_api: String,
    /// `PluginInterface::PLUGIN_API_VERSION`.
    pub plugin_api: String,
    /// Whether Composer is a phar.
    pub is_phar: bool,
    /// The directory of Composer's classes, or the phar.
    pub root: String,
    /// Whether Composer takes the machine for the Windows Subsystem for Linux.
    pub is_wsl: bool,
    /// Packages of the platform, without overrides.
    pub platform: Vec<PlatformPackage>,
    /// Behaviour of composer/semver.
    pub semver: SemverFacts,
    /// Behaviour of the class-map-generator. Composer 2.2 and 2.3 have another one.
    pub scan: Option<ScanFacts>,
    /// Programs with which Composer unpacks a zip: `unzip`, `7z`, `7zz` or `7za`.
    pub unpackers: Vec<String>,
    /// Whether Composer reads `installed.php` with care. See
    /// [`Dialect::with_checked_versions`](allegro_composer::Dialect::with_checked_versions).
    pub checks_versions: bool,
    /// Behaviour in updates.
    pub update: UpdateFacts,
}

/// Behaviour of Composer in updates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub struct UpdateFacts {
    /// Number of names that are loaded at a time.
    pub batch: Option<usize>,
    /// Whether a replaced name is loaded if another package requires it (Composer 2.6).
    pub loads_if_required: bool,
    /// Package types that are left out.
    pub ignored_types: Vec<String>,
    /// Whether a requirement on the platform that is listed for update brings a warning of its own.
    pub knows_platform: bool,
    /// Whether an update of mirrors keeps the locked packages but for their URLs.
    pub updates_mirrors: bool,
    /// Whether the requirements without `require-dev` can be told.
    pub requires_apart: bool,
    /// Whether a lock has `{}` in place of `[]` for empty lists of names.
    pub locks_objects: bool,
}

/// A package of the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformPackage {
    /// Name in lower case.
    pub name: String,
    /// Normalized version.
    pub version: String,
    /// Version as PHP tells it.
    pub pretty_version: String,
    /// Links under `provide`.
    pub provides: Vec<PlatformLink>,
    /// Links under `replace`.
    pub replaces: Vec<PlatformLink>,
}

/// A link of a platform package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformLink {
    /// Name of the other package.
    pub target: String,
    /// Constraint as composer/semver writes it.
    pub constraint: String,
}

/// Behaviour of composer/semver, see [`version::Dialect`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub struct SemverFacts {
    /// See [`version::Dialect::long_dates`].
    pub long_dates: bool,
    /// See [`version::Dialect::rc_is_a_modifier`].
    pub rc_is_a_modifier: bool,
    /// See [`version::Dialect::points_need_branches`].
    pub points_need_branches: bool,
    /// See [`version::Dialect::zero_is_least`].
    pub zero_is_least: bool,
}

impl From<SemverFacts> for version::Dialect {
    fn from(facts: SemverFacts) -> Self {
        Self {
            long_dates: facts.long_dates,
            rc_is_a_modifier: facts.rc_is_a_modifier,
            points_need_branches: facts.points_need_branches,
            zero_is_least: facts.zero_is_least,
        }
    }
}

/// Behaviour of the class-map-generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a question of its own"
)]
pub struct ScanFacts {
    /// See [`scan::Dialect::backslash_guards`].
    pub backslash_guards: bool,
    /// See [`scan::Traits::psr4_prefix`].
    pub psr4_prefix: bool,
    /// See [`scan::Traits::psr0_prefix`].
    pub psr0_prefix: bool,
    /// Whether the class map leaves out ambiguous classes of tests when it is asked, not when it is
    /// made.
    pub filters_late: bool,
}

impl Probe {
    /// Returns how this PHP and class-map-generator read files, or `None` if native code can't
    /// follow them (`ClassMapMaker::manner` of the plugin).
    pub fn scan(&self) -> Option<(scan::Dialect, scan::Traits)> {
        let facts = self.composer.as_ref()?.scan?;
        self.php.has_plain_scripts.then_some((
            scan::Dialect {
                php: self.php.version_id,
                short_open_tag: self.php.short_open_tag,
                backslash_guards: facts.backslash_guards,
            },
            scan::Traits {
                psr4_prefix: facts.psr4_prefix,
                psr0_prefix: facts.psr0_prefix,
            },
        ))
    }

    /// Returns whether Composer unpacks a zip with the class `ZipArchive`, or `None` if it can't
    /// unpack one.
    ///
    /// See [`PackageRequest::plain_modes`](crate::protocol::prepare::PackageRequest::plain_modes).
    pub fn plain_modes(&self) -> Option<bool> {
        let composer = self.composer.as_ref()?;
        if composer.unpackers.is_empty() {
            return self.php.has_zip_archive.then_some(true);
        }
        Some(false)
    }
}

/// The answer of the script.
#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(flatten)]
    probe: Probe,
    watched: Watched,
}

#[derive(Debug, Deserialize)]
struct Watched {
    files: Vec<String>,
    is_fixed: bool,
}

/// A probe with the state of all files that it depends on.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Our own version, because the next version may ask for other facts.
    allegro: String,
    /// Files and directories, with `None` for those that don't exist.
    pub(super) files: Vec<(String, Option<Identity>)>,
    pub(super) probe: Probe,
}

impl Kept {
    fn is_current(&self) -> bool {
        self.allegro == env!("CARGO_PKG_VERSION")
            && self
                .files
                .iter()
                .all(|(path, identity)| identity_of(Path::new(path)) == *identity)
    }

    /// Returns a digest of the state of all files.
    fn stamp(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(&self.allegro);
        digest.update(postcard::to_stdvec(&self.files).unwrap_or_default());
        digest.finalize().into()
    }
}

fn identity_of(path: &Path) -> Option<Identity> {
    stat(path).ok().map(|facts| Identity::from(&facts))
}

/// A probe, and a digest of the state of all files that it depends on.
pub(super) struct Stamped {
    pub(super) probe: Probe,
    /// `None` if the answer holds for this run only.
    pub(super) stamp: Option<[u8; 32]>,
}

impl Machine {
    /// Returns facts about PHP and Composer, or `None` if there is no PHP.
    ///
    /// Without a Composer that PHP can run, the facts about Composer are absent.
    ///
    /// # Errors
    /// [`Error::Store`] if PHP must be asked and the store can't be written, and [`Error::Input`]
    /// if PHP gives no answer.
    pub fn probe(&self, store: &Store) -> Result<Option<Probe>> {
        Ok(self.stamped(store)?.map(|stamped| stamped.probe))
    }

    /// Returns a digest of everything that the facts depend on, or `None` without PHP, and where the
    /// facts hold for one run only.
    ///
    /// # Errors
    /// As [`probe`](Self::probe).
    pub fn stamp(&self, store: &Store) -> Result<Option<[u8; 32]>> {
        Ok(self.stamped(store)?.and_then(|stamped| stamped.stamp))
    }

    pub(super) fn stamped(&self, store: &Store) -> Result<Option<Stamped>> {
        let Some(php) = &self.php else {
            return Ok(None);
        };
        let place = Record::Probe.place(&self.name(php));
        if !php.is_script
            && let Some(kept) = store.read_sealed::<Kept>(Record::Probe, &place)
            && kept.is_current()
        {
            let stamp = Some(kept.stamp());
            return Ok(Some(Stamped {
                probe: kept.probe,
                stamp,
            }));
        }
        let clock = Clock::start(store.root());
        let answer = self.ask(php, store)?;
        let kept = Kept {
            allegro: env!("CARGO_PKG_VERSION").to_owned(),
            files: self.watched(php, answer.watched.files),
            probe: answer.probe,
        };
        let identities = || kept.files.iter().filter_map(|(_, identity)| *identity);
        // Trouble may be over in the next run.
        let is_whole = kept.probe.failure.is_none()
            && kept.probe.composer.is_some() == self.runnable_composer().is_some();
        let is_lasting = answer.watched.is_fixed
            && is_whole
            && !php.is_script
            && identities().all(|identity| clock.has_settled(&identity));
        let mut stamp = None;
        if is_lasting {
            stamp = Some(kept.stamp());
            forget_unwritten(store.root(), Bucket::Machine);
            // The next run asks again if this fails.
            let _ = store.write_sealed(Record::Probe, &place, &kept);
        }
        Ok(Some(Stamped {
            probe: kept.probe,
            stamp,
        }))
    }

    fn runnable_composer(&self) -> Option<&ComposerBinary> {
        self.composer.as_ref().filter(|found| found.is_php)
    }

    /// Returns the name of the record about this PHP and this Composer.
    pub(super) fn name(&self, php: &Php) -> String {
        let mut digest = Sha256::new();
        let mut add = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        add(php.path.as_os_str().as_encoded_bytes());
        add(php.real.as_os_str().as_encoded_bytes());
        add(php.arguments.join("\0").as_bytes());
        if let Some(composer) = &self.composer {
            add(composer.path.as_os_str().as_encoded_bytes());
            add(composer.real.as_os_str().as_encoded_bytes());
        }
        // `PATH` counts by the programs in it.
        let variables = self.variables.iter().filter(|(name, _)| *name != "PATH");
        for (name, value) in variables.chain(&self.programs) {
            add(name.as_bytes());
            add(&[u8::from(value.is_some())]);
            add(value.as_deref().unwrap_or_default().as_encoded_bytes());
        }
        hex(&digest.finalize()[..16])
    }

    /// Returns the state of files, of PHP's program and of Composer's file.
    fn watched(&self, php: &Php, files: Vec<String>) -> Vec<(String, Option<Identity>)> {
        let own = |path: &PathBuf| path.to_str().map(str::to_owned);
        let composer = self.composer.as_ref().and_then(|found| own(&found.real));
        let mut files: Vec<String> = files
            .into_iter()
            .chain(own(&php.real))
            .chain(composer)
            .collect();
        files.sort_unstable();
        files.dedup();
        files
            .into_iter()
            .map(|path| {
                let identity = identity_of(Path::new(&path));
                (path, identity)
            })
            .collect()
    }

    fn ask(&self, php: &Php, store: &Store) -> Result<Answer> {
        let directory = store.temporary();
        let failed = |error| in_store("writing", &directory)(error);
        let directory = Directory::create(directory.clone()).map_err(failed)?;
        let at = directory.path();
        let write = |name: &str, text: &str| {
            fs::write(at.join(name), text).map_err(in_store("writing", at))
        };
        write("probe.php", SCRIPT)?;
        let script = at.join("probe.php");
        let mut command = self.command(php, at);
        if let Some(composer) = self.runnable_composer() {
            let mut setting = std::ffi::OsString::from("auto_prepend_file=");
            setting.push(&script);
            command.arg("-d").arg(setting).arg(&composer.path);
            command.args(["--version", "--no-interaction", "--no-ansi"]);
        } else {
            command.args(["-d", "auto_prepend_file="]).arg(&script);
        }
        let unanswered = |reason: String| {
            Error::Input(format!("{} gave no answer: {reason}", php.path.display()))
        };
        succeeds(command).map_err(|error| unanswered(error.to_string()))?;
        let text =
            fs::read(at.join("answer.json")).map_err(|error| unanswered(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| unanswered(error.to_string()))
    }
}

/// The record's decoder, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub(crate) const FUZZED: allegro_base::testing::records::RecordKind =
    allegro_base::testing::records::RecordKind {
        magic: *Record::Probe.magic(),
        again: |bytes| allegro_base::testing::records::again::<Kept>(*Record::Probe.magic(), bytes),
    };

/// Returns a record for the fuzz targets, encoded.
#[cfg(test)]
pub(super) fn seed() -> Vec<u8> {
    let probe = serde_json::json!({
        "php": {
            "version": "8.2.1", "version_id": 80201, "os": "Linux", "sapi": "cli",
            "binary": "/php", "int_size": 8, "short_open_tag": false, "has_plain_scripts": true,
            "disabled_functions": ["exec"], "extensions": ["json"], "has_opcache": true,
            "has_zip_archive": true, "has_proc_open": true, "open_basedir": "",
            "allow_url_fopen": "1", "memory_limit": "-1", "has_xdebug": false,
        },
        "composer": {
            "version": "2.10.2", "constant": "2.10.2", "branch_alias": "", "runtime_api": "2.2.2",
            "plugin_api": "2.6.0", "is_phar": false, "root": "/src", "is_wsl": false,
            "platform": [{
                "name": "lib-a", "version": "1.0.0.0", "pretty_version": "1.0", "provides": [],
                "replaces": [{"target": "lib-b", "constraint": "== 1.0.0.0"}],
            }],
            "semver": {
                "long_dates": true, "rc_is_a_modifier": true, "points_need_branches": true,
                "zero_is_least": true,
            },
            "scan": {
                "backslash_guards": true, "psr4_prefix": true, "psr0_prefix": true,
                "filters_late": true,
            },
            "unpackers": ["unzip"], "checks_versions": true,
            "update": {
                "batch": 50, "loads_if_required": true, "ignored_types": ["php-ext"],
                "requires_apart": true, "knows_platform": true, "updates_mirrors": true, "locks_objects": true,
            },
        },
    });
    let kept = Kept {
        allegro: "0.1.0".to_owned(),
        files: vec![("/php".to_owned(), None)],
        probe: serde_json::from_value(probe).expect("a probe"),
    };
    postcard::to_stdvec(&kept).expect("encoded")
}
