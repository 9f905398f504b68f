//! Projects whose autoloader is dumped, and the packages in them.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use allegro_composer::json::Json;
use allegro_composer::package::{Link, Package};
use allegro_vendor::autoload::{AutoloadPackage, IgnoredPlatform, Input, PlatformCheck, Root};

/// A dump to make.
pub struct Case {
    pub base: PathBuf,
    pub vendor: PathBuf,
    /// The project's composer.json.
    pub root: Json,
    /// Packages as a lock has them, in the order of the repository, and their directories.
    pub packages: Vec<(Json, Option<String>)>,
    pub dev: bool,
    pub dev_names: Vec<String>,
    pub optimize: bool,
    pub authoritative: bool,
    pub apcu_prefix: Option<String>,
    pub config: Json,
    /// A bool or a list, as Composer's factory of filters takes it.
    pub ignored: Json,
    pub hash: Option<String>,
}

fn pair(name: &str, value: Json) -> (String, Json) {
    (name.to_owned(), value)
}

fn text(value: Option<&String>) -> Json {
    value.map_or(Json::Null, Json::str)
}

impl Case {
    /// The line that dump.php reads.
    pub fn to_line(&self) -> String {
        let paths = self.packages.iter().filter_map(|(entry, path)| {
            let name = entry.str_at("name").unwrap().to_lowercase();
            path.as_ref().map(|path| (name, Json::str(path)))
        });
        Json::Object(vec![
            pair("base", Json::str(self.base.to_str().unwrap())),
            pair("vendor", Json::str(self.vendor.to_str().unwrap())),
            pair("root", self.root.clone()),
            pair(
                "packages",
                Json::Array(self.packages.iter().map(|one| one.0.clone()).collect()),
            ),
            pair("paths", Json::Object(paths.collect())),
            pair("dev", Json::Bool(self.dev)),
            pair("dev-names", Json::strings(self.dev_names.clone())),
            pair("optimize", Json::Bool(self.optimize)),
            pair("authoritative", Json::Bool(self.authoritative)),
            pair("apcu", Json::Bool(self.apcu_prefix.is_some())),
            pair("apcu-prefix", text(self.apcu_prefix.as_ref())),
            pair("config", self.config.clone()),
            pair("ignored", self.ignored.clone()),
            pair("hash", text(self.hash.as_ref())),
        ])
        .to_line()
    }

    /// Calls a function with the input of the native dump.
    pub fn with_input<T>(&self, act: impl FnOnce(&Input<'_>) -> T) -> T {
        let packages: Vec<Package> = self.packages.iter().map(|one| package(&one.0)).collect();
        let packages: Vec<AutoloadPackage> = packages
            .iter()
            .zip(&self.packages)
            .map(|(package, (_, path))| AutoloadPackage {
                package,
                install_path: path.clone(),
            })
            .collect();
        let root = package(&self.root);
        let dev_names: HashSet<String> = self.dev_names.iter().cloned().collect();
        let flag = |key: &str, default| match self.config.get(key) {
            Some(Json::Bool(value)) => *value,
            _ => default,
        };
        act(&Input {
            base_path: self.base.to_str().unwrap(),
            vendor_path: self.vendor.to_str().unwrap(),
            root: Root {
                name: &root.name,
                autoload: &root.autoload,
                autoload_dev: self.root.get("autoload-dev").unwrap_or(&Json::Null),
                requires: &root.requires,
                provides: &root.provides,
                replaces: &root.replaces,
                include_paths: &root.include_paths,
                target_dir: root.target_dir.as_deref(),
            },
            packages: &packages,
            dev_mode: self.dev,
            dev_package_names: &dev_names,
            optimize: self.optimize,
            authoritative: self.authoritative,
            apcu: self.apcu_prefix.is_some(),
            apcu_prefix: self.apcu_prefix.as_deref(),
            prepend: flag("prepend-autoloader", true),
            use_include_path: flag("use-include-path", false),
            platform_check: match self.config.get("platform-check") {
                Some(Json::Bool(true)) => PlatformCheck::Full,
                Some(Json::Bool(false)) => PlatformCheck::Off,
                _ => PlatformCheck::PhpOnly,
            },
            ignored_platform: match &self.ignored {
                Json::Bool(true) => IgnoredPlatform::All,
                Json::Array(names) => IgnoredPlatform::Names(
                    names
                        .iter()
                        .map(|name| name.as_str().unwrap().to_owned())
                        .collect(),
                ),
                _ => IgnoredPlatform::Nothing,
            },
            suffix: self.config.str_at("autoloader-suffix"),
            content_hash: self.hash.as_deref(),
            entropy: None,
        })
    }

    /// Makes the directories that the rules name, so that Composer finds them.
    pub fn make_directories(&self) {
        fs::create_dir_all(self.vendor.join("composer")).unwrap();
        let root = (self.root.clone(), Some(String::new()));
        for (entry, path) in self.packages.iter().chain([&root]) {
            let Some(path) = path else { continue };
            let directory = self.base.join(path);
            let _ = fs::create_dir_all(&directory);
            for rules in ["autoload", "autoload-dev"] {
                let rules = entry.get(rules).unwrap_or(&Json::Null);
                for path in values(rules.get("classmap").unwrap_or(&Json::Null)) {
                    make(&directory.join(path));
                }
                for kind in ["psr-4", "psr-0"] {
                    for path in values(rules.get(kind).unwrap_or(&Json::Null)) {
                        // A rule of another kind may have made a file there.
                        let _ = fs::create_dir_all(directory.join(path.replace('\\', "/")));
                    }
                }
            }
        }
    }
}

fn make(path: &Path) {
    if path.extension().is_some() && !path.exists() {
        let _ = fs::create_dir_all(path.parent().unwrap());
        let _ = fs::write(path, "<?php\n");
    } else if !path.exists() {
        let _ = fs::create_dir_all(path);
    }
}

/// All texts in a value.
fn values(json: &Json) -> Vec<String> {
    match json {
        Json::Str(text) => vec![text.clone()],
        Json::Array(items) => items.iter().flat_map(values).collect(),
        Json::Object(entries) => entries
            .iter()
            .flat_map(|(_, value)| values(value))
            .collect(),
        _ => Vec::new(),
    }
}

/// A package as Composer loads it, with the fields that a dump needs.
fn package(entry: &Json) -> Package {
    let pretty_name = entry.str_at("name").unwrap_or("__root__");
    let links = |key: &str| {
        entry
            .entries_at(key)
            .iter()
            .map(|(target, constraint)| Link {
                target: target.to_lowercase(),
                constraint: match constraint.as_str().unwrap() {
                    "self.version" => entry.str_at("version").unwrap_or("1.0.0").to_owned(),
                    constraint => constraint.to_owned(),
                },
            })
            .collect()
    };
    Package {
        name: pretty_name.to_lowercase(),
        pretty_name: pretty_name.to_owned(),
        version: String::new(),
        pretty_version: entry.str_at("version").unwrap_or_default().to_owned(),
        kind: String::new(),
        target_dir: entry.str_at("target-dir").map(str::to_owned),
        source: None,
        dist: None,
        requires: links("require"),
        conflicts: Vec::new(),
        provides: links("provide"),
        replaces: links("replace"),
        dev_requires: links("require-dev"),
        bins: Vec::new(),
        autoload: entry.get("autoload").cloned().unwrap_or(Json::Null),
        include_paths: values(entry.get("include-path").unwrap_or(&Json::Null)),
        alias: None,
        notification_url: None,
        abandoned: None,
        has_funding: false,
        entry: Json::Null,
    }
}
