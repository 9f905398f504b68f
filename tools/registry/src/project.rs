//! Writes the project that installs a catalog's packages.

mod scaffold;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::catalog::{Catalog, Package};
use crate::error::{Error, Result};
use crate::json::Json;
use allegro_composer::content_hash;

/// The path to which Composer posts its report of installed packages.
pub(crate) const NOTIFY: &str = "/downloads/";

/// A manifest and its lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// `composer.json`
    pub manifest: Json,
    /// `composer.lock`
    pub lock: Json,
}

impl Default for Project {
    fn default() -> Self {
        Self {
            manifest: Json::object(),
            lock: empty_lock(),
        }
    }
}

/// Options of a written project.
#[derive(Debug, Clone, Default)]
pub struct ProjectOptions {
    /// Whether packages keep their `source`. Without it a failing dist cannot end in a `git clone`
    /// from the internet.
    pub keep_source: bool,
    /// Whether each dist gets the SHA-1 of its archive as `shasum`, which GitHub's dists don't
    /// have.
    pub shasums: bool,
    /// Whether the manifest keeps its scripts, which mostly need the real project.
    pub keep_scripts: bool,
    /// Certificate authority of an https registry, for `config.cafile`.
    pub ca_file: Option<PathBuf>,
    /// Lock entries to add to `packages`; one with the name of an existing package replaces it.
    pub extra_packages: Vec<Json>,
    /// Entries to add to `require` of the manifest.
    pub extra_requires: Vec<(String, String)>,
    /// Entries to add to `config.allow-plugins`.
    pub extra_allow_plugins: Vec<(String, bool)>,
    /// Further entries of `config`.
    pub extra_config: Vec<(String, Json)>,
}

impl Project {
    /// Reads `composer.json` and `composer.lock` of a directory.
    pub fn read(dir: &Path) -> Result<Self> {
        Ok(Self {
            manifest: crate::json::read(&dir.join("composer.json"))?,
            lock: crate::json::read(&dir.join("composer.lock"))?,
        })
    }

    /// Reads a lock and the manifest beside it. If there is no manifest, makes one that requires
    /// every locked package.
    pub fn read_lock(path: &Path) -> Result<Self> {
        let lock = crate::json::read(path)?;
        let beside = path.with_file_name("composer.json");
        let manifest = if beside.exists() {
            crate::json::read(&beside)?
        } else {
            manifest_for(&lock)
        };
        Ok(Self { manifest, lock })
    }

    /// Returns the entries of `packages` and `packages-dev`.
    pub fn entries(&self) -> impl Iterator<Item = &Json> {
        self.lock
            .items_at("packages")
            .iter()
            .chain(self.lock.items_at("packages-dev"))
    }
}

fn manifest_for(lock: &Json) -> Json {
    let mut manifest = Json::object();
    manifest.set("name", Json::str("allegro/locked-project"));
    for (from, to) in [("packages", "require"), ("packages-dev", "require-dev")] {
        for entry in lock.items_at(from) {
            if let (Some(name), Some(version)) = (entry.str_at("name"), entry.str_at("version")) {
                manifest.child(to).set(name, Json::str(version));
            }
        }
    }
    manifest.set("minimum-stability", Json::str("dev"));
    manifest.set("prefer-stable", Json::Bool(true));
    manifest
        .child("config")
        .set("allow-plugins", Json::Bool(true));
    manifest
}

/// Returns a lock without packages, with the keys that Composer writes.
pub(crate) fn empty_lock() -> Json {
    let text = r#"{
        "_readme": [
            "This file locks the dependencies of your project to a known state",
            "Read more about it at https://getcomposer.org/doc/01-basic-usage.md#installing-dependencies",
            "This file is @generated automatically"
        ],
        "content-hash": "",
        "packages": [],
        "packages-dev": [],
        "aliases": [],
        "minimum-stability": "stable",
        "stability-flags": [],
        "prefer-stable": false,
        "prefer-lowest": false,
        "platform": {},
        "platform-dev": [],
        "plugin-api-version": "2.3.0"
    }"#;
    crate::json::parse(text, "the empty lock").unwrap_or_else(|error| unreachable!("{error}"))
}

/// Writes `state` into `dir` for a server at `base_url` that serves `catalog`.
pub(crate) fn write(
    state: &Project,
    catalog: &Catalog,
    dir: &Path,
    base_url: &str,
    options: &ProjectOptions,
) -> Result<()> {
    let base_url = base_url.trim_end_matches('/');
    let manifest = manifest(state, base_url, options);
    let mut lock = state.lock.clone();
    lock.set("content-hash", Json::str(content_hash(&manifest)));
    add_packages(&mut lock, &options.extra_packages);
    for key in ["packages", "packages-dev"] {
        if let Some(Json::Array(entries)) = lock.get_mut(key) {
            for entry in entries {
                localize(entry, catalog, base_url, options)?;
            }
        }
    }
    write_file(
        &dir.join("composer.json"),
        manifest.to_file_text().as_bytes(),
    )?;
    write_file(&dir.join("composer.lock"), lock.to_file_text().as_bytes())?;
    scaffold::root_autoload(dir, &manifest)?;
    scaffold::path_packages(dir, state)
}

fn manifest(state: &Project, base_url: &str, options: &ProjectOptions) -> Json {
    let mut manifest = state.manifest.clone();
    let mut repositories: Vec<Json> = path_repositories(&manifest).cloned().collect();
    let registry = [("type", "composer"), ("url", base_url)];
    repositories.push(Json::Object(
        registry
            .map(|(key, value)| (key.to_owned(), Json::str(value)))
            .to_vec(),
    ));
    repositories.push(Json::Object(vec![(
        "packagist.org".to_owned(),
        Json::Bool(false),
    )]));
    manifest.set("repositories", Json::Array(repositories));
    if !options.keep_scripts {
        manifest.remove("scripts");
        manifest.remove("scripts-descriptions");
        manifest.remove("scripts-aliases");
    }
    for (name, constraint) in &options.extra_requires {
        manifest.child("require").set(name, Json::str(constraint));
    }
    let config = manifest.child("config");
    if base_url.starts_with("http://") {
        config.set("secure-http", Json::Bool(false));
    }
    if let Some(file) = &options.ca_file {
        config.set("cafile", Json::str(file.display().to_string()));
    }
    // `allow-plugins: true` already allows the added ones.
    if config.get("allow-plugins") != Some(&Json::Bool(true)) {
        for (name, allowed) in &options.extra_allow_plugins {
            config
                .child("allow-plugins")
                .set(name, Json::Bool(*allowed));
        }
    }
    for (key, value) in &options.extra_config {
        config.set(key, value.clone());
    }
    manifest
}

/// Returns the path repositories, which stay because the project contains their directories.
fn path_repositories(manifest: &Json) -> impl Iterator<Item = &Json> {
    let list = manifest.items_at("repositories").iter();
    let named = manifest
        .entries_at("repositories")
        .iter()
        .map(|(_, repository)| repository);
    list.chain(named)
        .filter(|repository| repository.str_at("type") == Some("path"))
}

fn add_packages(lock: &mut Json, extra: &[Json]) {
    if extra.is_empty() {
        return;
    }
    let added: HashSet<&str> = extra
        .iter()
        .filter_map(|entry| entry.str_at("name"))
        .collect();
    let is_added = |entry: &Json| {
        entry
            .str_at("name")
            .is_some_and(|name| added.contains(name))
    };
    if let Some(Json::Array(entries)) = lock.get_mut("packages-dev") {
        entries.retain(|entry| !is_added(entry));
    }
    if let Some(Json::Array(entries)) = lock.get_mut("packages") {
        entries.retain(|entry| !is_added(entry));
        entries.extend(extra.iter().cloned());
        entries.sort_by(|left, right| left.str_at("name").cmp(&right.str_at("name")));
    }
}

/// Points an entry's dist to the server. Entries that are not in the catalog stay as they are.
fn localize(
    entry: &mut Json,
    catalog: &Catalog,
    base_url: &str,
    options: &ProjectOptions,
) -> Result<()> {
    if !options.keep_source && entry.get("dist").is_some() {
        entry.remove("source");
    }
    localize_notification(entry, base_url);
    let Some(package) = package_of(entry, catalog) else {
        return Ok(());
    };
    let dist = entry.child("dist");
    dist.set("type", Json::str(package.format.dist_type()));
    dist.set("url", Json::str(dist_url(base_url, package)));
    dist.remove("mirrors");
    if options.shasums {
        let archive = catalog.archive(package, package.format)?;
        dist.set("shasum", Json::str(archive.shasum()?));
    }
    Ok(())
}

/// Redirects reports of installations from Packagist to the registry, because Packagist's
/// statistics must not count test runs.
pub(crate) fn localize_notification(entry: &mut Json, base_url: &str) {
    if entry.get("notification-url").is_some() {
        entry.set("notification-url", Json::Str(format!("{base_url}{NOTIFY}")));
    }
}

fn package_of<'a>(entry: &Json, catalog: &'a Catalog) -> Option<&'a Package> {
    let name = entry.str_at("name")?;
    let dist = entry.get("dist")?;
    if dist.str_at("type") == Some("path") {
        return None;
    }
    match dist.str_at("reference") {
        Some(reference) => catalog.find(name, reference),
        None => catalog
            .versions(name)
            .find(|package| Some(package.spec.version.as_str()) == entry.str_at("version")),
    }
}

/// Returns the URL of a package's archive.
pub fn dist_url(base_url: &str, package: &Package) -> String {
    let spec = &package.spec;
    format!(
        "{base_url}/dist/{}/{}.{}",
        spec.name,
        spec.reference.replace('/', "%2F"),
        package.format.extension()
    )
}

pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(Error::io(parent))?;
    }
    std::fs::write(path, bytes).map_err(Error::io(path))
}
