//! Generates projects from a size and a seed alone.

mod graph;
mod names;

use super::layout::{self, Wanted};
use super::{Catalog, Package, lock};
use crate::json::Json;
use crate::project::{Project, empty_lock};
use crate::rng::Rng;
use crate::spec::{FileSpec, Role};

/// The size of a generated project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GenSpec {
    /// Seed of names, versions and files.
    pub seed: u64,
    /// Number of packages.
    pub packages: usize,
    /// Number of these packages that are in `packages-dev`.
    pub dev_packages: usize,
    /// Number of files of all packages together.
    pub files: usize,
    /// Number of directories of all packages together, including their roots.
    pub dirs: usize,
    /// Unpacked size of all packages together, in bytes.
    pub bytes: u64,
    /// Number of huge packages. They have a third of the files, and the bytes that the others
    /// leave.
    pub huge: usize,
    /// Percentage of packages that are small modules of one vendor below one namespace, as Spryker
    /// has them.
    pub modules: usize,
    /// Number of packages that are plugins without effect, whose code nobody knows.
    pub plugins: usize,
}

/// The projects that measurements use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A project of 12 packages, for tests.
    Small,
    /// A project of koel's size: 201 packages, 7.9k files.
    Koel,
    /// A project of a Symfony application's size: 144 packages, 18k files, 281 MB, a handful of
    /// packages huge.
    SymfonyApp,
    /// A project of the Spryker suite's size: 1,567 packages, 62k files.
    Suite,
    /// A project of a Laravel application's size, with plugins: 113 packages.
    Laravel,
    /// A project of a Symfony application's size, with plugins: 145 packages.
    SymfonyFlex,
    /// A project with tools for quality, which have plugins: 103 packages, one of them huge.
    Tools,
    /// A project of a WordPress site's size, with plugins: 60 packages, one of them huge.
    Site,
}

impl Profile {
    /// Returns the size of the profile.
    pub fn spec(self) -> GenSpec {
        let plugins = match self {
            Self::Small | Self::Koel | Self::SymfonyApp | Self::Suite => 0,
            Self::Laravel => 2,
            Self::SymfonyFlex | Self::Site => 3,
            Self::Tools => 4,
        };
        let (packages, dev_packages, files, dirs, bytes, huge, modules) = match self {
            Self::Small => (12, 3, 180, 50, 900_000, 0, 0),
            Self::Koel => (201, 46, 7_900, 1_700, 44_000_000, 2, 0),
            Self::SymfonyApp => (144, 31, 18_000, 4_700, 281_000_000, 6, 0),
            Self::Suite => (1_567, 58, 62_000, 11_400, 230_000_000, 4, 88),
            Self::Laravel => (113, 38, 7_200, 1_500, 38_000_000, 1, 0),
            Self::SymfonyFlex => (145, 33, 9_500, 2_300, 46_000_000, 1, 0),
            Self::Tools => (103, 64, 6_400, 1_300, 52_000_000, 1, 0),
            Self::Site => (60, 12, 5_200, 800, 72_000_000, 1, 0),
        };
        GenSpec {
            seed: 1,
            packages,
            dev_packages,
            files,
            dirs,
            bytes,
            huge,
            modules,
            plugins,
        }
    }
}

impl GenSpec {
    /// Returns the size of a project of `packages` packages with about 36 files in 7 directories
    /// each, as Spryker's modules have.
    pub fn custom(packages: usize) -> Self {
        Self {
            seed: 1,
            packages,
            dev_packages: packages / 20,
            files: packages * 36,
            dirs: packages * 7,
            bytes: packages as u64 * 110_000,
            huge: 0,
            modules: 80,
            plugins: 0,
        }
    }
}

impl From<Profile> for GenSpec {
    fn from(profile: Profile) -> Self {
        profile.spec()
    }
}

pub(super) fn catalog(spec: &GenSpec) -> Catalog {
    let mut rng = Rng::from_parts(&["project", &spec.seed.to_string()]);
    let mut entries = entries(spec, &mut rng);
    make_plugins(spec, &mut entries);
    let mut files = layouts(spec, spec.dirs, &entries, rng.clone());
    // Roots and module folders come in addition to the planned directories. A second attempt takes
    // that into account.
    let have = directories(&files);
    if have > spec.dirs {
        files = layouts(spec, (spec.dirs * spec.dirs).div_ceil(have), &entries, rng);
    }
    fill(&mut files, spec);

    let mut packages: Vec<(bool, Package)> = Vec::with_capacity(entries.len());
    for (index, (entry, files)) in entries.into_iter().zip(files).enumerate() {
        let reference = entry
            .get("dist")
            .and_then(|dist| dist.str_at("reference"))
            .unwrap_or_default()
            .to_owned();
        let dev = index >= spec.packages - spec.dev_packages;
        packages.push((dev, lock::assemble(entry, &reference, files)));
    }
    let project = project(spec, &packages);
    Catalog::of(
        project,
        packages.into_iter().map(|(_, package)| package).collect(),
    )
}

/// Returns the files of every package, for about `dirs` directories.
fn layouts(spec: &GenSpec, dirs: usize, entries: &[Json], mut rng: Rng) -> Vec<Vec<FileSpec>> {
    let wanted = sizes(spec, dirs, entries, &mut rng);
    let mut files: Vec<Vec<FileSpec>> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let mut one = layout::invent(entry, wanted[index]);
        if index < spec.huge {
            resources(&mut one, &mut rng);
        }
        files.push(one);
    }
    files
}

/// Counts the directories of an installation, including the packages' roots.
fn directories(files: &[Vec<FileSpec>]) -> usize {
    let of_package = |files: &Vec<FileSpec>| crate::spec::directories(files) + 1;
    files.iter().map(of_package).sum()
}

/// Returns the lock entries. A package requires only packages before it, and only the last ones are
/// for development.
fn entries(spec: &GenSpec, rng: &mut Rng) -> Vec<Json> {
    let mut names = names::Names::new(rng.next_u64());
    let mut entries: Vec<Json> = Vec::with_capacity(spec.packages);
    let mut known: Vec<(String, String)> = Vec::with_capacity(spec.packages);
    for index in 0..spec.packages {
        let is_module = index >= spec.huge && rng.percent(spec.modules);
        let name = if is_module {
            names.module()
        } else {
            names.library()
        };
        let (version, constraint) = version(rng);
        let mut require = vec![("php".to_owned(), Json::str(">=8.1"))];
        let reach = index.min(spec.packages - spec.dev_packages);
        let graph = graph::of(&known[..reach]);
        for _ in 0..rng.below(5).min(graph.len()) {
            let (other, constraint) = graph::required(graph, rng);
            if !require.iter().any(|(name, _)| name == other) {
                require.push((other.clone(), Json::str(constraint)));
            }
        }
        require.sort_by(|left, right| left.0.cmp(&right.0));
        entries.push(entry(&name, &version, require, is_module, rng));
        known.push((name, constraint));
    }
    entries
}

/// Turns some of the entries into plugins, at even distances.
fn make_plugins(spec: &GenSpec, entries: &mut [Json]) {
    for number in 1..=spec.plugins {
        let Some(entry) = entries.get_mut(number * spec.packages / (spec.plugins + 1)) else {
            continue;
        };
        let prefix = entry
            .get("autoload")
            .map_or(&[][..], |autoload| autoload.entries_at("psr-4"))
            .first()
            .map_or_else(String::new, |(prefix, _)| prefix.clone());
        entry.set("type", Json::str("composer-plugin"));
        entry
            .child("extra")
            .set("class", Json::str(format!("{prefix}Plugin\\Setup")));
        entry
            .child("require")
            .set("composer-plugin-api", Json::str("^2.0"));
    }
}

fn version(rng: &mut Rng) -> (String, String) {
    let (major, minor, patch) = (rng.range(1, 9), rng.below(20), rng.below(30));
    let prefix = if rng.percent(40) { "v" } else { "" };
    (
        format!("{prefix}{major}.{minor}.{patch}"),
        format!("^{major}.{}", rng.below(minor + 1)),
    )
}

fn entry(
    name: &str,
    version: &str,
    require: Vec<(String, Json)>,
    is_module: bool,
    rng: &mut Rng,
) -> Json {
    let reference = lock::stand_in(name, version);
    let vendor = super::fit::studly(name.split('/').next().unwrap_or_default());
    let short = super::fit::studly(name.rsplit('/').next().unwrap_or_default());
    let (prefix, dir) = if is_module {
        (format!("{vendor}\\"), format!("src/{vendor}/"))
    } else {
        (
            format!("{vendor}\\{short}\\"),
            (*rng.skewed(&["src/", "lib/", ""])).to_owned(),
        )
    };
    let mut autoload = Json::object();
    autoload.child("psr-4").set(&prefix, Json::str(&dir));
    if !is_module && rng.percent(12) {
        autoload.set("files", Json::strings([format!("{dir}functions.php")]));
    }
    if !is_module && rng.percent(8) {
        autoload.set("classmap", Json::strings(["legacy/"]));
    }
    let url = format!("https://github.com/{name}");
    let object = |pairs: &[(&str, &str)]| {
        Json::Object(
            pairs
                .iter()
                .map(|(key, text)| ((*key).to_owned(), Json::str(*text)))
                .collect(),
        )
    };
    let mut entry = Json::object();
    entry.set("name", Json::str(name));
    entry.set("version", Json::str(version));
    entry.set(
        "source",
        object(&[
            ("type", "git"),
            ("url", &format!("{url}.git")),
            ("reference", &reference),
        ]),
    );
    entry.set(
        "dist",
        object(&[
            ("type", "zip"),
            (
                "url",
                &format!("https://api.github.com/repos/{name}/zipball/{reference}"),
            ),
            ("reference", &reference),
            ("shasum", ""),
        ]),
    );
    entry.set("require", Json::Object(require));
    if !is_module && rng.percent(6) {
        entry.set(
            "bin",
            Json::strings([format!(
                "bin/{}",
                name.rsplit('/').next().unwrap_or_default()
            )]),
        );
    }
    entry.set("type", Json::str("library"));
    entry.set("autoload", autoload);
    entry.set(
        "notification-url",
        Json::str("https://packagist.org/downloads/"),
    );
    entry.set("license", Json::strings(["MIT"]));
    entry.set(
        "description",
        Json::str(format!("The {short} part of {vendor}.")),
    );
    entry.set("keywords", Json::strings([short.to_lowercase()]));
    entry.set(
        "support",
        object(&[
            ("issues", &format!("{url}/issues")),
            ("source", &format!("{url}/tree/{version}")),
        ]),
    );
    let (month, day) = (rng.range(1, 12), rng.range(1, 28));
    entry.set(
        "time",
        Json::str(format!("2024-{month:02}-{day:02}T10:00:00+00:00")),
    );
    entry
}

/// Returns file and directory counts that add up to the wanted totals.
fn sizes(spec: &GenSpec, dirs: usize, entries: &[Json], rng: &mut Rng) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = entries.iter().map(layout::wanted).collect();
    let huge = spec.huge.min(entries.len());
    let share = spec.files / 3;
    let mut left = share;
    for (index, one) in wanted.iter_mut().take(huge).enumerate() {
        // Each huge package gets half of the remaining files, and the last one gets the rest.
        one.files = if index + 1 == huge { left } else { left / 2 };
        left -= one.files;
    }
    let small: usize = wanted[huge..].iter().map(|one| one.files).sum();
    let target = if huge > 0 {
        spec.files - share
    } else {
        spec.files
    };
    for one in &mut wanted[huge..] {
        one.files = (one.files * target / small.max(1)).max(4);
    }
    // Rounding takes a little from every package. Random packages get it back.
    let mut total: usize = wanted.iter().map(|one| one.files).sum();
    while total < spec.files && huge < wanted.len() {
        let at = huge + rng.below(wanted.len() - huge);
        wanted[at].files += 1;
        total += 1;
    }
    let below_roots = dirs.saturating_sub(spec.packages);
    let mut owed = 0;
    for one in &mut wanted {
        owed += one.files * below_roots;
        one.dirs = (owed / spec.files.max(1)).max(1);
        owed = owed.saturating_sub(one.dirs * spec.files);
    }
    wanted
}

/// Turns one file in ten of a huge package into data, because data makes such packages huge.
fn resources(files: &mut [FileSpec], rng: &mut Rng) {
    let mut number = 0;
    for file in files.iter_mut() {
        if rng.percent(10) && matches!(file.role, Role::Php(_)) {
            let stem = file.path.trim_end_matches(".php").to_owned();
            let extension = ["json", "xlf", "js", "png", "phar"][number % 5];
            file.path = format!("{stem}.{extension}");
            file.role = Role::Other;
            number += 1;
        }
    }
}

/// Adjusts the sizes to the wanted number of bytes: data files grow, or all files shrink.
fn fill(files: &mut [Vec<FileSpec>], spec: &GenSpec) {
    let bytes = |files: &[Vec<FileSpec>]| {
        files
            .iter()
            .flatten()
            .map(|file| file.size as u64)
            .sum::<u64>()
    };
    let wanted = spec.bytes;
    let have = bytes(files);
    let scalable = |file: &FileSpec| matches!(file.role, Role::Php(_) | Role::Functions(_));
    let data: usize = files[..spec.huge]
        .iter()
        .flatten()
        .filter(|file| file.role == Role::Other && file.path.contains('/'))
        .count();
    if have < wanted && data > 0 {
        // A few of them take most bytes, as the one phar or the one data set in a real package
        // does.
        let mut left = usize::try_from(wanted - have).unwrap_or(0);
        for (number, file) in files[..spec.huge]
            .iter_mut()
            .flatten()
            .filter(|file| file.role == Role::Other && file.path.contains('/'))
            .enumerate()
        {
            let share = if number + 1 == data {
                left
            } else {
                (left / 12).max(1000).min(left)
            };
            file.size += share;
            left -= share;
        }
        return;
    }
    let fixed: u64 = files
        .iter()
        .flatten()
        .filter(|file| !scalable(file))
        .map(|file| file.size as u64)
        .sum();
    let (target, have) = (wanted.saturating_sub(fixed), have - fixed);
    for file in files.iter_mut().flatten().filter(|file| scalable(file)) {
        let scaled = file.size as u64 * target / have.max(1);
        file.size = usize::try_from(scaled).unwrap_or(file.size).max(60);
    }
}

fn project(spec: &GenSpec, packages: &[(bool, Package)]) -> Project {
    // A package that only development packages require would itself be for development, so the root
    // requires it too.
    let required: std::collections::HashSet<&str> = packages
        .iter()
        .filter(|(dev, _)| !dev)
        .flat_map(|(_, package)| package.entry.entries_at("require"))
        .map(|(name, _)| name.as_str())
        .collect();
    let mut manifest = Json::object();
    manifest.set(
        "name",
        Json::str(format!("allegro/generated-{}", spec.packages)),
    );
    manifest.set("description", Json::str("A generated project"));
    manifest.set("type", Json::str("project"));
    manifest.set("license", Json::str("MIT"));
    let mut lock = empty_lock();
    let mut order: Vec<&(bool, Package)> = packages.iter().collect();
    order.sort_by(|left, right| left.1.spec.name.cmp(&right.1.spec.name));
    manifest.child("require").set("php", Json::str(">=8.1"));
    for dev in [false, true] {
        let of_kind = || order.iter().filter(|(is_dev, _)| *is_dev == dev);
        let key = if dev { "require-dev" } else { "require" };
        for (_, package) in of_kind() {
            // Only the root requires development packages.
            if dev || !required.contains(package.spec.name.as_str()) {
                let major = package
                    .spec
                    .version
                    .trim_start_matches('v')
                    .split('.')
                    .next()
                    .unwrap_or_default();
                manifest
                    .child(key)
                    .set(&package.spec.name, Json::str(format!("^{major}.0")));
            }
        }
        let entries = of_kind()
            .map(|(_, package)| package.entry.clone())
            .collect();
        lock.set(
            if dev { "packages-dev" } else { "packages" },
            Json::Array(entries),
        );
    }
    manifest
        .child("autoload")
        .child("psr-4")
        .set("App\\", Json::str("app/"));
    manifest
        .child("autoload")
        .set("files", Json::strings(["app/helpers.php"]));
    manifest
        .child("autoload-dev")
        .child("psr-4")
        .set("Tests\\", Json::str("tests/"));
    manifest
        .child("config")
        .set("sort-packages", Json::Bool(true));
    if spec.plugins > 0 {
        manifest
            .child("config")
            .set("allow-plugins", Json::Bool(true));
    }
    lock.child("platform").set("php", Json::str(">=8.1"));
    lock.set(
        "content-hash",
        Json::str(allegro_composer::content_hash(&manifest)),
    );
    Project { manifest, lock }
}
