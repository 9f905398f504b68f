//! Reads a project: its manifest, its lock, what is installed, and Composer's configuration.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use allegro_composer::Unfamiliar;
use allegro_composer::access::{Access, ArchiveCache};
use allegro_composer::config::{
    AllowPlugins, BinCompat, Config, Directories, Files, PlatformCheck, PreferredInstall, Probes,
    Release,
};
use allegro_composer::dialect::Dialect;
use allegro_composer::installed::{Installed, Record};
use allegro_composer::json::Json;
use allegro_composer::lock::Lock;
use allegro_composer::package::{Alias, Package};
use allegro_composer::root::{GuessedVersion, RootPackage};
use allegro_composer::{content_hash, shape};
use allegro_semver::version::Dialect as Semver;

use super::directories::{leaves_a_directory, protect};
use super::guess::{self, Origin};
use super::http::http;
use crate::protocol::http::HttpOptions;
use crate::settings::Environment;
use crate::update::UpdateConfig;

/// Everything about a project that an install depends on.
#[derive(Clone)]
pub struct Project {
    /// The project's directory without links, which is the working directory.
    pub directory: PathBuf,
    /// The manifest.
    pub manifest: Json,
    /// The root package.
    pub root: RootPackage,
    /// The lock.
    pub lock: Lock,
    /// Text of the lock, if there is one.
    pub lock_text: Option<String>,
    /// Whether the lock belongs to the manifest as it is (`Locker::isFresh`).
    pub is_fresh: bool,
    /// Text of `installed.json`, if there is one.
    pub installed_text: Option<String>,
    /// Installed packages whose directories exist.
    pub installed: Vec<Record>,
    /// Whether the installed packages include those for development, if their record says so.
    pub installed_dev: Option<bool>,
    /// Names of installed packages that only development needs.
    pub installed_dev_names: Vec<String>,
    /// Number of installed packages whose directories are gone.
    pub missing: usize,
    /// Composer's configuration.
    pub settings: Configured,
    /// Files that decided about all this, whether they exist or not.
    pub files: Vec<PathBuf>,
    /// Source of the root package's version.
    pub origin: Origin,
    /// Whether Composer asks Git for the root package's version.
    pub asks_git: bool,
}

/// Values of Composer's configuration.
#[derive(Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of Composer"
)]
pub struct Configured {
    /// `COMPOSER_HOME`
    pub home: PathBuf,
    /// Vendor directory as the configuration has it, absolute.
    pub vendor_dir: PathBuf,
    /// Bin directory as the configuration has it, absolute.
    pub bin_dir: PathBuf,
    /// Kind of files in the bin directory.
    pub bin_compat: BinCompat,
    /// Plugins that may run.
    pub allow_plugins: AllowPlugins,
    /// Choice between archives and sources.
    pub preferred_install: PreferredInstall,
    /// Extent of the platform check.
    pub platform_check: PlatformCheck,
    /// Whether all classes go into the class map.
    pub optimize: bool,
    /// Whether the class map alone decides.
    pub authoritative: bool,
    /// Whether the autoloader uses APCu.
    pub apcu: bool,
    /// Suffix of the autoloader's classes.
    pub suffix: Option<String>,
    /// Whether the autoloader goes before others.
    pub prepend: bool,
    /// Whether the autoloader searches the include path.
    pub use_include_path: bool,
    /// Seconds that a script may take.
    pub process_timeout: u64,
    /// Whether installations are reported.
    pub notify: bool,
    /// Composer's cache of archives, unless it is off.
    pub archives: Option<ArchiveCache>,
    /// Options of all requests.
    pub http: HttpOptions,
    /// Whether `COMPOSER_DISABLE_NETWORK` is set.
    pub is_offline: bool,
    /// Composer's repositories, by name or number.
    pub repositories: Json,
    /// Whether `config.policy` is false.
    pub policy_is_off: bool,
    /// Values that only updates read, as far as they are understood.
    pub update: Result<UpdateConfig, Unfamiliar>,
}

/// The Composer whose result is wanted.
#[derive(Debug, Clone)]
pub struct Target {
    /// Version of Composer.
    pub version: String,
    /// Release of Composer.
    pub release: Release,
    /// Differences in what Composer records.
    pub dialect: Dialect,
    /// Differences of composer/semver.
    pub semver: Semver,
    /// Version of PHP, such as `8.2.7`, if there is one.
    pub php: Option<String>,
}

/// The name of the manifest in the project's directory.
pub const MANIFEST: &str = "composer.json";

/// The file below Composer's home that lists global packages.
pub const GLOBAL: &str = "vendor/composer/installed.json";

/// The name of the lock in the project's directory.
pub const LOCK: &str = "composer.lock";

/// The text of a lock without packages.
const EMPTY_LOCK: &str = r#"{"packages": [], "packages-dev": []}"#;

/// Reason why a project can't be read.
#[derive(Debug)]
pub enum Unread {
    /// Composer must handle the project.
    Unfamiliar(Unfamiliar),
    /// There is no manifest.
    NoManifest(PathBuf),
    /// There is no lock.
    NoLock(PathBuf),
}

impl From<Unfamiliar> for Unread {
    fn from(reason: Unfamiliar) -> Self {
        Self::Unfamiliar(reason)
    }
}

/// Reads a file that may be missing. Composer has its own words for one that can't be read.
pub(super) fn read(path: &Path) -> Result<Option<String>, Unfamiliar> {
    match fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Unfamiliar(format!("{} is not UTF-8", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Unfamiliar(format!("{}: {error}", path.display()))),
    }
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Json, Unfamiliar> {
    Json::read(&path.display().to_string(), text)
}

impl Project {
    /// Reads the project in a directory, and the access to archives that its configuration grants.
    pub fn read(
        directory: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
        target: &Target,
    ) -> Result<(Self, Access), Unread> {
        let (project, access) = Self::read_any(directory, environment, target)?;
        match project.lock_text {
            Some(_) => Ok((project, access)),
            None => Err(Unread::NoLock(directory.join(LOCK))),
        }
    }

    /// Reads a project that may have no lock. Its lock is an empty one then.
    pub fn read_any(
        directory: &Path,
        environment: &dyn Fn(&str) -> Option<String>,
        target: &Target,
    ) -> Result<(Self, Access), Unread> {
        if environment("COMPOSER").is_some_and(|name| !name.trim().is_empty()) {
            return Err(Unfamiliar("COMPOSER names another manifest".to_owned()).into());
        }
        let manifest_path = directory.join(MANIFEST);
        let lock_path = directory.join(LOCK);
        let Some(manifest_text) = read(&manifest_path)? else {
            return Err(Unread::NoManifest(manifest_path));
        };
        let manifest = parse(&manifest_text, &manifest_path)?;
        shape::check(&manifest)?;
        let lock_text = read(&lock_path)?;
        let mut files = vec![manifest_path.clone(), lock_path];
        let (settings, access) = configured(
            directory,
            &manifest,
            environment,
            target,
            Extent::All,
            &mut files,
        )?;

        // The lock of a large project is large, and the installed packages are its equal.
        let installed_path = settings.vendor_dir.join("composer/installed.json");
        let (lock, installed) = std::thread::scope(|scope| {
            let installed = scope.spawn(|| {
                let text = read(&installed_path)?;
                let installed = text
                    .as_deref()
                    .map(|text| Installed::parse(text, target.dialect));
                Ok::<_, Unfamiliar>((text, installed.transpose()?))
            });
            let lock = Lock::parse(lock_text.as_deref().unwrap_or(EMPTY_LOCK), target.dialect);
            let installed = installed
                .join()
                .unwrap_or_else(|_| Err(Unfamiliar("installed.json can't be read".to_owned())));
            (lock, installed)
        });
        let lock = lock?;
        let (installed_text, installed) = installed?;
        files.push(installed_path);

        let has_version = !matches!(manifest.get("version"), None | Some(Json::Null));
        let root_version = environment("COMPOSER_ROOT_VERSION").filter(|text| !text.is_empty());
        let asks_git = !has_version && root_version.is_none();
        let (guess, origin) = if asks_git {
            guess::guess(directory, &manifest, target.semver)?
        } else {
            (None, Origin::default())
        };
        files.extend(origin.files.iter().cloned());
        let guessed = guess.and_then(|guess| {
            Some(GuessedVersion {
                version: guess.version?,
                pretty_version: guess.pretty_version?,
                commit: guess.commit,
            })
        });
        let root = RootPackage::load(
            &manifest,
            guessed.as_ref(),
            root_version.as_deref(),
            target.dialect,
        )?;
        // Older locks have the hash of the whole manifest. Newer Composers want this one.
        if lock_text.is_some() && lock.content_hash.as_deref().unwrap_or_default().is_empty() {
            return Err(Unfamiliar("composer.lock has no content-hash".to_owned()).into());
        }
        let is_fresh = is_fresh(&lock, &manifest);
        let (installed, installed_dev, installed_dev_names) = match installed {
            Some(found) => (found.packages, found.is_dev, found.dev_names),
            None => (Vec::new(), None, Vec::new()),
        };
        let mut project = Self {
            directory: directory.to_owned(),
            manifest,
            root,
            lock,
            lock_text,
            is_fresh,
            installed_text,
            installed,
            installed_dev,
            installed_dev_names,
            missing: 0,
            settings,
            files,
            origin,
            asks_git,
        };
        project.purge()?;
        Ok((project, access))
    }

    /// Returns the project with another lock, which belongs to its manifest.
    pub fn with_lock(&self, text: String, dialect: Dialect) -> Result<Self, Unfamiliar> {
        Ok(Self {
            lock: Lock::parse(&text, dialect)?,
            lock_text: Some(text),
            is_fresh: true,
            ..self.clone()
        })
    }

    /// Forgets installed packages whose directories are gone (`Factory::purgePackages`, composer
    /// 2.10.2).
    fn purge(&mut self) -> Result<(), Unfamiliar> {
        let vendor_dir = self.settings.vendor_dir.clone();
        for record in &self.installed {
            let Some(recorded) = &record.install_path else {
                continue;
            };
            // A package of a custom installer lies elsewhere.
            let expected = format!("../{}", relative_path(&record.package));
            let differs = recorded != &expected
                && !(recorded.starts_with("./")
                    && vendor_dir.join("composer").join(recorded)
                        == path_of(&vendor_dir, &record.package));
            if !record.package.is_metapackage() && differs {
                return Err(Unfamiliar(format!(
                    "{} is installed at a place of its own",
                    record.package.name
                )));
            }
        }
        let before = self.installed.len();
        self.installed.retain(|record| {
            record.package.is_metapackage() || {
                let path = path_of(&vendor_dir, &record.package);
                fs::metadata(&path).is_ok()
            }
        });
        self.missing = before - self.installed.len();
        Ok(())
    }

    /// Returns the packages to be installed, in the order of the lock.
    pub fn locked(&self, with_dev: bool) -> Vec<&Package> {
        let dev: &[Package] = if with_dev {
            &self.lock.packages_dev
        } else {
            &[]
        };
        self.lock.packages.iter().chain(dev).collect()
    }

    /// Returns the packages to be installed that have files.
    pub fn locked_with_files(&self, with_dev: bool) -> Vec<Package> {
        let locked = self.locked(with_dev).into_iter();
        locked
            .filter(|package| !package.is_metapackage())
            .cloned()
            .collect()
    }

    /// Returns the aliases that the root package makes for each locked package that has one. Names
    /// alone decide, as in `Locker::getLockedRepository` (composer 2.10.2).
    pub fn root_aliases(&self, packages: &[&Package]) -> HashMap<String, Vec<Alias>> {
        let mut found: HashMap<String, Vec<Alias>> = HashMap::new();
        for alias in &self.lock.aliases {
            let is_locked = packages.iter().any(|package| package.name == alias.package);
            if is_locked {
                found.entry(alias.package.clone()).or_default().push(Alias {
                    version: alias.alias_normalized.clone(),
                    pretty_version: alias.alias.clone(),
                });
            }
        }
        found
    }

    /// Returns the directory of a package.
    pub fn path_of(&self, package: &Package) -> PathBuf {
        path_of(&self.settings.vendor_dir, package)
    }
}

fn relative_path(package: &Package) -> String {
    match package.target_dir.as_deref().filter(|dir| !dir.is_empty()) {
        Some(dir) => format!("{}/{dir}", package.pretty_name),
        None => package.pretty_name.clone(),
    }
}

pub(super) fn path_of(vendor_dir: &Path, package: &Package) -> PathBuf {
    vendor_dir.join(relative_path(package))
}

/// Returns whether a lock belongs to a manifest (`Locker::isFresh`, composer 2.10.2).
pub(super) fn is_fresh(lock: &Lock, manifest: &Json) -> bool {
    lock.content_hash
        .as_deref()
        .is_some_and(|hash| hash == content_hash(manifest))
}

/// The places that a configuration is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All that Composer reads.
    All,
    /// The manifest alone.
    Manifest,
}

pub(super) fn configured(
    directory: &Path,
    manifest: &Json,
    environment: &dyn Fn(&str) -> Option<String>,
    target: &Target,
    extent: Extent,
    files: &mut Vec<PathBuf>,
) -> Result<(Configured, Access), Unfamiliar> {
    let probes = Probes {
        environment,
        has_xdg_variable: (Environment::PROCESS.has_prefix)("XDG_"),
        is_dir: &|path| Path::new(path).is_dir(),
        is_macos: cfg!(target_os = "macos"),
    };
    let directories = Directories::choose(&probes)?;
    let base = directory
        .to_str()
        .ok_or_else(|| Unfamiliar("the project's path is not UTF-8".to_owned()))?;
    let home = directory.join(&directories.home);
    let mut file = |path: PathBuf| {
        let text = if extent == Extent::All {
            read(&path)?
        } else {
            None
        };
        let json = text.map(|text| parse(&text, &path)).transpose()?;
        files.push(path);
        Ok::<_, Unfamiliar>(json)
    };
    let home_config = file(home.join("config.json"))?;
    let home_auth = file(home.join("auth.json"))?;
    let auth = file(directory.join("auth.json"))?;
    // Plugins of the home would take part.
    files.push(home.join(GLOBAL));
    let auth_path = directory.join("auth.json").display().to_string();
    let load =
        |files: &Files<'_>| Config::load(target.release, environment, base, &directories, files);
    let global = Files {
        home_config: home_config.as_ref(),
        home_auth: home_auth.as_ref(),
        manifest: None,
        manifest_path: "./composer.json",
        auth: None,
        auth_path: &auth_path,
    };
    let mut config = load(&Files {
        manifest: Some(manifest),
        auth: auth.as_ref(),
        ..global
    })?;
    if extent == Extent::All {
        // The project has no say in it.
        let global = load(&global)?;
        if global.htaccess_protect()? {
            protect(&[global.home()?, global.cache_dir()?, global.data_dir()?]);
        }
    }
    if !config.lock()? {
        return Err(Unfamiliar("the lock file is switched off".to_owned()));
    }
    let access = Access::new(&mut config)?;
    let http = http(&config, environment, target)?;
    let absolute = |path: String| {
        let path = Path::new(&path);
        if leaves_a_directory(path.strip_prefix(directory).unwrap_or(path)) {
            let path = path.display();
            let reason = format!("{path} leads through a directory that may not exist");
            return Err(Unfamiliar(reason));
        }
        Ok(directory.join(path))
    };
    let settings = Configured {
        home,
        vendor_dir: absolute(config.vendor_dir()?)?,
        bin_dir: absolute(config.bin_dir()?)?,
        bin_compat: config.bin_compat()?,
        allow_plugins: config.allow_plugins()?,
        preferred_install: config.preferred_install()?,
        platform_check: config.platform_check()?,
        optimize: config.optimize_autoloader()?,
        authoritative: config.classmap_authoritative()?,
        apcu: config.apcu_autoloader()?,
        suffix: config.autoloader_suffix()?,
        prepend: config.prepend_autoloader()?,
        use_include_path: config.use_include_path()?,
        process_timeout: u64::try_from(config.process_timeout()?).unwrap_or(0),
        notify: config.notify_on_install()?,
        archives: ArchiveCache::of(&config)?,
        is_offline: http.1,
        http: http.0,
        repositories: config.repositories_json(),
        policy_is_off: config.policy()? == Json::Bool(false),
        update: UpdateConfig::of(&config),
    };
    Ok((settings, access))
}
