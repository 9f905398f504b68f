//! Makes packages from source trees on disk.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{Catalog, Package, lock, store};
use crate::archive::{Format, Mode};
use crate::error::{Error, Result};
use crate::glob;
use crate::json::Json;
use crate::project::{Project, empty_lock};
use crate::spec::{FileSpec, PackageSpec, Role};

/// Places to search for packages.
#[derive(Debug, Clone, Default)]
pub struct TreeOptions {
    /// Trees in which `composer.json` files are searched.
    pub dirs: Vec<PathBuf>,
    /// Patterns of directories relative to the tree, of which a package's directory must match one.
    /// All match if the list is empty.
    pub globs: Vec<String>,
    /// Version of every package. `None` takes it from `version` or `extra.branch-alias`, else
    /// 1.0.0.
    pub version: Option<String>,
}

/// Directories that contain no package of the tree's own.
const NOT_SEARCHED: [&str; 9] = [
    "vendor",
    "node_modules",
    ".git",
    ".pc",
    "Tests",
    "tests",
    "test",
    "Fixtures",
    "fixtures",
];

/// Keys that a lock entry takes from a manifest, in the lock's order.
const LOCK_KEYS: [&str; 16] = [
    "require",
    "conflict",
    "provide",
    "replace",
    "require-dev",
    "suggest",
    "bin",
    "type",
    "extra",
    "autoload",
    "include-path",
    "license",
    "description",
    "homepage",
    "keywords",
    "target-dir",
];

pub(super) fn catalog(options: &TreeOptions) -> Result<Catalog> {
    let mut found: Vec<(PathBuf, Json)> = Vec::new();
    for dir in &options.dirs {
        search(dir, dir, options, &mut found)?;
    }
    let mut seen = HashSet::new();
    found.retain(|(_, manifest)| {
        manifest
            .str_at("name")
            .is_some_and(|name| seen.insert(name.to_lowercase()))
    });
    // A collection that replaces packages of its own tree, as symfony/contracts does, can't be
    // installed beside them.
    found.retain(|(_, manifest)| {
        let mut replaced = manifest.entries_at("replace").iter();
        !replaced.any(|(name, _)| seen.contains(&name.to_lowercase()))
    });
    let roots: HashSet<&Path> = found.iter().map(|(dir, _)| dir.as_path()).collect();
    let mut packages = Vec::new();
    for (dir, manifest) in &found {
        packages.push(package(dir, manifest, &roots, options)?);
    }
    packages.sort_by(|left, right| left.spec.name.cmp(&right.spec.name));
    Ok(Catalog::of(project(&mut packages), packages))
}

fn search(
    root: &Path,
    dir: &Path,
    options: &TreeOptions,
    found: &mut Vec<(PathBuf, Json)>,
) -> Result<()> {
    let manifest = dir.join("composer.json");
    let relative = dir.strip_prefix(root).unwrap_or(dir).to_string_lossy();
    let wanted = options.globs.is_empty()
        || options
            .globs
            .iter()
            .any(|pattern| glob::matches(pattern, &relative));
    if wanted && manifest.is_file() {
        found.push((dir.to_owned(), crate::json::read(&manifest)?));
    }
    for entry in sorted(dir)? {
        let path = dir.join(&entry);
        if path.is_dir() && !path.is_symlink() && !NOT_SEARCHED.contains(&entry.as_str()) {
            search(root, &path, options, found)?;
        }
    }
    Ok(())
}

fn package(
    dir: &Path,
    manifest: &Json,
    roots: &HashSet<&Path>,
    options: &TreeOptions,
) -> Result<Package> {
    let name = manifest.str_at("name").unwrap_or_default().to_lowercase();
    let version = options.version.clone().unwrap_or_else(|| version(manifest));
    let mut files = Vec::new();
    collect(
        dir,
        dir,
        &|path| path != dir && roots.contains(path),
        &mut files,
    )?;
    let mut spec = PackageSpec {
        name: name.clone(),
        version: version.clone(),
        reference: String::new(),
        top_folder: true,
        manifest: manifest.to_file_text(),
        plugins: Vec::new(),
        files,
        times: None,
    };
    spec.reference = store::sha1_hex(contents(&spec)?.as_bytes());
    let mut entry = Json::object();
    entry.set("name", Json::str(name));
    entry.set("version", Json::str(version));
    for key in LOCK_KEYS {
        if let Some(value) = manifest.get(key) {
            let list = key == "license" || key == "bin";
            let value = if list {
                Json::strings(value.one_or_many())
            } else {
                value.clone()
            };
            entry.set(key, value);
        }
    }
    if entry.get("type").is_none() {
        entry.set("type", Json::str("library"));
    }
    entry = lock::with_dist(entry, &spec.reference);
    Ok(Package {
        spec,
        entry,
        format: Format::Zip,
    })
}

/// Returns paths and digests of the whole tree as one text. A reference made of it depends neither
/// on the time nor on the place of the tree.
fn contents(spec: &PackageSpec) -> Result<String> {
    let mut text = String::new();
    for file in &spec.files {
        let digest = match &file.role {
            Role::Disk(path, _) => store::sha1_hex(&std::fs::read(path).map_err(Error::io(path))?),
            other => format!("{other:?}"),
        };
        let _ = writeln!(text, "{} {:?} {digest}", file.path, file.mode);
    }
    Ok(text)
}

fn version(manifest: &Json) -> String {
    if let Some(version) = manifest.str_at("version") {
        return version.to_owned();
    }
    let alias = manifest
        .get("extra")
        .map_or(&[][..], |extra| extra.entries_at("branch-alias"))
        .first()
        .and_then(|(_, alias)| alias.as_str());
    match alias {
        Some(alias) => {
            let numbers = alias.trim_end_matches("-dev").trim_end_matches(".x");
            let missing = 2_usize.saturating_sub(numbers.matches('.').count());
            format!("{numbers}{}", ".0".repeat(missing))
        }
        None => "1.0.0".to_owned(),
    }
}

/// Returns all files below `dir` except those in `skip`.
pub(super) fn files(dir: &Path, skip: &[&str]) -> Result<Vec<FileSpec>> {
    let skipped: HashSet<PathBuf> = skip.iter().map(|path| dir.join(path)).collect();
    let mut files = Vec::new();
    collect(dir, dir, &|path| skipped.contains(path), &mut files)?;
    Ok(files)
}

fn collect(
    root: &Path,
    dir: &Path,
    skip: &dyn Fn(&Path) -> bool,
    files: &mut Vec<FileSpec>,
) -> Result<()> {
    let names = sorted(dir)?;
    let below = |path: &Path| {
        path.strip_prefix(root)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned()
    };
    if names.is_empty() && dir != root {
        files.push(FileSpec::new(below(dir), 0, Role::Dir));
    }
    for name in names {
        let path = dir.join(&name);
        if name == ".git" || skip(&path) {
            continue;
        }
        let meta = std::fs::symlink_metadata(&path).map_err(Error::io(&path))?;
        if meta.is_dir() {
            collect(root, &path, skip, files)?;
        } else if meta.is_symlink() {
            let target = std::fs::read_link(&path).map_err(Error::io(&path))?;
            let target = target.to_string_lossy().into_owned();
            files.push(FileSpec::new(below(&path), 0, Role::Symlink(target)));
        } else if meta.is_file() {
            let modified = meta
                .modified()
                .ok()
                .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let stamp = modified.map_or(0, |since| since.as_secs());
            let size = usize::try_from(meta.len()).unwrap_or(usize::MAX);
            // Git records the executable bit and no other permission.
            let executable = meta.permissions().mode() & 0o100 != 0;
            files.push(FileSpec {
                mode: if executable {
                    Mode::Executable
                } else {
                    Mode::Plain
                },
                ..FileSpec::new(below(&path), size, Role::Disk(path.clone(), stamp))
            });
        }
    }
    Ok(())
}

/// Returns the names in a directory, sorted. Names that are not UTF-8 cannot be in a package and
/// are left out.
fn sorted(dir: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Error::io(dir))? {
        if let Ok(name) = entry.map_err(Error::io(dir))?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Returns a project that requires all packages. Requirements that no package meets are removed
/// from the lock entries, because Composer would refuse the lock otherwise.
fn project(packages: &mut [Package]) -> Project {
    let mut known: HashSet<String> = HashSet::new();
    for package in &*packages {
        known.insert(package.spec.name.clone());
        for key in ["replace", "provide"] {
            known.extend(
                package
                    .entry
                    .entries_at(key)
                    .iter()
                    .map(|(name, _)| name.to_lowercase()),
            );
        }
    }
    let is_platform = |name: &str| !name.contains('/');
    let mut manifest = Json::object();
    manifest.set("name", Json::str("allegro/trees"));
    manifest.set("type", Json::str("project"));
    let mut lock = empty_lock();
    let mut entries = Vec::new();
    for package in packages {
        if let Some(Json::Object(require)) = package.entry.get_mut("require") {
            require.retain(|(name, _)| is_platform(name) || known.contains(&name.to_lowercase()));
        }
        // A version that the caller has set need not satisfy the packages' requirements on each
        // other.
        if let Some(Json::Object(require)) = package.entry.get_mut("require") {
            for (name, constraint) in require.iter_mut().filter(|(name, _)| !is_platform(name)) {
                if known.contains(&name.to_lowercase()) {
                    *constraint = Json::str("*");
                }
            }
        }
        package.entry.remove("conflict");
        manifest
            .child("require")
            .set(&package.spec.name, Json::str(&package.spec.version));
        entries.push(package.entry.clone());
    }
    // Plugins among the packages are real ones. A test without them uses `--no-plugins`.
    manifest
        .child("config")
        .set("allow-plugins", Json::Bool(true));
    lock.set("packages", Json::Array(entries));
    lock.set("minimum-stability", Json::str("dev"));
    manifest.set("minimum-stability", Json::str("dev"));
    manifest.set("prefer-stable", Json::Bool(true));
    lock.set("prefer-stable", Json::Bool(true));
    lock.set(
        "content-hash",
        Json::str(allegro_composer::content_hash(&manifest)),
    );
    Project { manifest, lock }
}
