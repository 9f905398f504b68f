//! Derives an earlier state of a project from the present one.

use std::collections::{HashMap, HashSet};

use super::{Catalog, GenSpec, Package, generate, lock, semver};
use crate::json::Json;
use crate::project::Project;
use crate::rng::Rng;

/// The differences of an earlier state, as percentages of the locked packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OlderOptions {
    /// Seed of the choice of packages.
    pub seed: u64,
    /// Percentage of packages with an older version and other content. If the requirements of
    /// others allow no older version, only the reference differs, as with a moved tag.
    pub changed: usize,
    /// Percentage of packages that are not there yet. Only packages that no other package requires
    /// can be absent.
    pub absent: usize,
    /// Percentage of packages that have been removed since.
    pub extra: usize,
}

impl Default for OlderOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            changed: 10,
            absent: 2,
            extra: 2,
        }
    }
}

pub(super) fn derive(catalog: &Catalog, options: &OlderOptions) -> (Project, Vec<Package>) {
    let mut rng = Rng::from_parts(&["older", &options.seed.to_string()]);
    let mut project = catalog.project().clone();
    let total = project.entries().count();
    let share = |percent: usize| (total * percent).div_ceil(100);
    let mut packages = Vec::new();
    remove(&mut project, share(options.absent), &mut rng);
    change(
        catalog,
        &mut project,
        share(options.changed),
        &mut rng,
        &mut packages,
    );
    add(
        &mut project,
        share(options.extra),
        options.seed,
        &mut packages,
    );
    (project, packages)
}

fn required_by_packages(project: &Project) -> HashMap<String, Vec<String>> {
    let mut constraints: HashMap<String, Vec<String>> = HashMap::new();
    for entry in project.entries() {
        for (name, constraint) in entry.entries_at("require") {
            let constraint = constraint.as_str().unwrap_or_default().to_owned();
            constraints
                .entry(name.to_lowercase())
                .or_default()
                .push(constraint);
        }
    }
    constraints
}

/// Removes packages that only the root requires.
fn remove(project: &mut Project, count: usize, rng: &mut Rng) {
    let required = required_by_packages(project);
    let mut candidates: Vec<String> = project
        .entries()
        .filter(|entry| {
            entry.entries_at("replace").is_empty() && entry.entries_at("provide").is_empty()
        })
        .filter_map(|entry| entry.str_at("name"))
        .filter(|name| !required.contains_key(*name))
        .map(str::to_owned)
        .collect();
    rng.shuffle(&mut candidates);
    let gone: HashSet<String> = candidates.into_iter().take(count).collect();
    for key in ["packages", "packages-dev"] {
        if let Some(Json::Array(entries)) = project.lock.get_mut(key) {
            entries.retain(|entry| !entry.str_at("name").is_some_and(|name| gone.contains(name)));
        }
    }
    for key in ["require", "require-dev"] {
        if let Some(Json::Object(entries)) = project.manifest.get_mut(key) {
            entries.retain(|(name, _)| !gone.contains(&name.to_lowercase()));
        }
    }
}

fn change(
    catalog: &Catalog,
    project: &mut Project,
    count: usize,
    rng: &mut Rng,
    packages: &mut Vec<Package>,
) {
    let mut constraints = required_by_packages(project);
    for key in ["require", "require-dev"] {
        for (name, constraint) in project.manifest.entries_at(key) {
            let constraint = constraint.as_str().unwrap_or_default().to_owned();
            constraints
                .entry(name.to_lowercase())
                .or_default()
                .push(constraint);
        }
    }
    let mut places: Vec<(&str, usize)> = Vec::new();
    for key in ["packages", "packages-dev"] {
        places.extend((0..project.lock.items_at(key).len()).map(|at| (key, at)));
    }
    rng.shuffle(&mut places);
    let mut changed = 0;
    for (key, at) in places {
        if changed == count {
            break;
        }
        let Some(Json::Array(entries)) = project.lock.get_mut(key) else {
            continue;
        };
        let entry = &mut entries[at];
        let reference = entry.get("dist").and_then(|dist| dist.str_at("reference"));
        let Some(package) = entry
            .str_at("name")
            .and_then(|name| catalog.find(name, reference?))
            .cloned()
        else {
            continue;
        };
        let older = older(package, &constraints);
        *entry = older.entry.clone();
        packages.push(older);
        changed += 1;
    }
}

/// Returns the package at an earlier version and commit.
fn older(mut package: Package, constraints: &HashMap<String, Vec<String>>) -> Package {
    let version =
        earlier_version(&package, constraints).unwrap_or_else(|| package.spec.version.clone());
    let reference = lock::stand_in(
        &package.spec.name,
        &format!("before {}", package.spec.reference),
    );
    package.entry.set("version", Json::str(&version));
    for key in ["source", "dist"] {
        if package.entry.get(key).is_some() {
            package
                .entry
                .child(key)
                .set("reference", Json::str(&reference));
        }
    }
    package.spec.version = version;
    package.spec.reference = reference;
    // The earlier version lacks one file of the present one, and has another one.
    if package.spec.files.len() > 4
        && let Some(at) = package
            .spec
            .files
            .iter()
            .rposition(|file| matches!(file.role, crate::spec::Role::Other))
    {
        let file = &mut package.spec.files[at];
        file.path = match file.path.rsplit_once('/') {
            Some((dir, _)) => format!("{dir}/REMOVED-SINCE.txt"),
            None => "REMOVED-SINCE.txt".to_owned(),
        };
        package
            .spec
            .files
            .sort_by(|left, right| left.path.cmp(&right.path));
    }
    package
}

fn earlier_version(
    package: &Package,
    constraints: &HashMap<String, Vec<String>>,
) -> Option<String> {
    let version = &package.spec.version;
    let [major, minor, patch] = semver::parse(version)?;
    let prefix = if version.starts_with('v') { "v" } else { "" };
    let candidates = [
        (patch > 0).then(|| format!("{prefix}{major}.{minor}.{}", patch - 1)),
        (minor > 0).then(|| format!("{prefix}{major}.{}.{patch}", minor - 1)),
    ];
    // The versions that it replaces or provides as `self.version` change with it.
    let own = [package.spec.name.as_str()].into_iter();
    let others = ["replace", "provide"]
        .into_iter()
        .flat_map(|key| package.entry.entries_at(key));
    let names: Vec<&str> = own.chain(others.map(|(name, _)| name.as_str())).collect();
    candidates.into_iter().flatten().find(|candidate| {
        names
            .iter()
            .filter_map(|name| constraints.get(&name.to_lowercase()))
            .flatten()
            .all(|constraint| semver::satisfies(candidate, constraint))
    })
}

fn add(project: &mut Project, count: usize, seed: u64, packages: &mut Vec<Package>) {
    if count == 0 {
        return;
    }
    let spec = GenSpec {
        seed: seed.wrapping_add(0x5eed),
        dev_packages: 0,
        modules: 0,
        ..GenSpec::custom(count)
    };
    let others = generate::catalog(&spec);
    let known: HashSet<String> = project
        .entries()
        .filter_map(|entry| entry.str_at("name"))
        .map(str::to_owned)
        .collect();
    for package in others.packages() {
        let mut package = package.clone();
        package.spec.name = format!("bygone-{}", package.spec.name);
        if known.contains(&package.spec.name) {
            continue;
        }
        package.entry.set("name", Json::str(&package.spec.name));
        package.entry.set(
            "require",
            Json::Object(vec![("php".to_owned(), Json::str(">=8.1"))]),
        );
        package.spec.manifest = lock::manifest_of(&package.entry);
        project
            .manifest
            .child("require")
            .set(&package.spec.name, Json::str("*"));
        if let Some(Json::Array(entries)) = project.lock.get_mut("packages") {
            entries.push(package.entry.clone());
        }
        packages.push(package);
    }
    if let Some(Json::Array(entries)) = project.lock.get_mut("packages") {
        entries.sort_by(|left, right| left.str_at("name").cmp(&right.str_at("name")));
    }
}
