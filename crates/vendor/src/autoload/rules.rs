//! Collects the autoload rules of all packages, in Composer's order.

use std::borrow::Cow;
use std::path::Path;

use allegro_base::hex::hex;
use allegro_composer::Unfamiliar;
use allegro_composer::json::Json;
use allegro_composer::package::{Link, Package};
use indexmap::IndexMap;
use md5::{Digest as _, Md5};
use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::exclude;
use super::order::{required, sorted};
use super::paths::{Reals, demand_plain};
use super::traits::{Metapackages, Traits};
use super::{AutoloadPackage, Input};

/// A package or the root, as a dump sees it.
#[derive(Debug)]
pub struct Item<'a> {
    /// Name in lower case.
    pub name: &'a str,
    /// Value of `autoload`. The root's has `autoload-dev` in it where that counts.
    pub autoload: Cow<'a, Json>,
    /// Directories for PHP's include path.
    pub include_paths: &'a [String],
    /// Links under `require`.
    pub requires: &'a [Link],
    /// Links under `require-dev`.
    pub dev_requires: &'a [Link],
    /// Links under `provide`.
    pub provides: &'a [Link],
    /// Links under `replace`.
    pub replaces: &'a [Link],
    /// The subdirectory of its directory that the package is in.
    pub target_dir: Option<&'a str>,
    /// The directory that rules start from. It is empty for the root, and `None` for a package
    /// without rules.
    pub path: Option<&'a str>,
}

/// The rules of all packages.
#[derive(Debug, Default)]
pub struct Autoloads {
    /// Directories by namespace, in descending order of namespaces.
    pub psr0: IndexMap<String, Vec<String>>,
    /// Directories by namespace, in descending order of namespaces.
    pub psr4: IndexMap<String, Vec<String>>,
    /// Directories and files whose classes all count.
    pub classmap: Vec<String>,
    /// Files that are always loaded, by their identifiers.
    pub files: IndexMap<String, String>,
    /// Expressions for paths that the class map leaves out.
    pub excluded: Vec<String>,
}

/// Returns the root and the packages in the order of the repository
/// (`AutoloadGenerator::buildPackageMap`, composer 2.10.2).
pub fn items<'a>(input: &Input<'a>, traits: &Traits) -> Result<Vec<Item<'a>>, Unfamiliar> {
    let root = &input.root;
    if root.target_dir.is_some() {
        return Err(Unfamiliar("the root package has a target-dir".to_owned()));
    }
    let autoload = if input.dev_mode {
        with_dev(root.autoload, root.autoload_dev)?
    } else {
        Cow::Borrowed(root.autoload)
    };
    let mut items = Vec::with_capacity(input.packages.len() + 1);
    items.push(Item {
        name: root.name,
        autoload,
        include_paths: root.include_paths,
        requires: root.requires,
        dev_requires: &[],
        provides: root.provides,
        replaces: root.replaces,
        target_dir: None,
        path: Some(""),
    });
    for AutoloadPackage {
        package,
        install_path,
    } in input.packages
    {
        validate(package)?;
        let target_dir = package.target_dir.as_deref();
        let path = match (install_path.as_deref(), traits.metapackages) {
            (None, Metapackages::Dropped) => continue,
            (None, Metapackages::AtRoot) => Some(""),
            (None, Metapackages::WithoutRules) => None,
            (Some(path), _) => Some(without_target_dir(path, target_dir, &package.name)?),
        };
        if let Some(path) = path {
            demand_plain(path)?;
        }
        items.push(Item {
            name: &package.name,
            autoload: Cow::Borrowed(&package.autoload),
            include_paths: &package.include_paths,
            requires: &package.requires,
            dev_requires: &package.dev_requires,
            provides: &package.provides,
            replaces: &package.replaces,
            target_dir,
            path,
        });
    }
    Ok(items)
}

/// Returns an error for rules that Composer refuses, wherever the package is
/// (`AutoloadGenerator::validatePackage`, composer 2.10.2).
fn validate(package: &Package) -> Result<(), Unfamiliar> {
    let is_valid = match package.autoload.get("psr-4") {
        None | Some(Json::Null) => true,
        Some(Json::Object(rules)) => {
            (rules.is_empty() || package.target_dir.is_none())
                && rules
                    .iter()
                    .all(|(namespace, _)| namespace.is_empty() || namespace.ends_with('\\'))
        }
        Some(rules) => *rules == Json::Array(Vec::new()),
    };
    if is_valid {
        return Ok(());
    }
    let name = &package.name;
    Err(Unfamiliar(format!("{name} has an unusual value of psr-4")))
}

fn without_target_dir<'p>(
    path: &'p str,
    target_dir: Option<&str>,
    name: &str,
) -> Result<&'p str, Unfamiliar> {
    let Some(target_dir) = target_dir else {
        return Ok(path);
    };
    path.strip_suffix(target_dir)
        .and_then(|path| path.strip_suffix('/'))
        .filter(|path| !path.is_empty() && !target_dir.is_empty())
        .ok_or_else(|| Unfamiliar(format!("the target-dir of {name} is not in its path")))
}

/// Returns the rules of all packages (`AutoloadGenerator::parseAutoloads`, composer 2.10.2). The
/// first item is the root.
pub fn autoloads(
    items: &[Item<'_>],
    input: &Input<'_>,
    traits: &Traits,
    reals: &mut Reals<'_>,
) -> Result<Autoloads, Unfamiliar> {
    let [root, packages @ ..] = items else {
        return Ok(Autoloads::default());
    };
    let mut packages: Vec<&Item> = packages.iter().collect();
    if !input.dev_mode {
        if input.dev_package_names.is_empty() {
            packages = required(&packages, input.root.requires);
        } else {
            packages.retain(|item| !input.dev_package_names.contains(item.name));
        }
    }
    let mut forwards = sorted(&packages, traits)?;
    forwards.push(root);
    let backwards: Vec<&Item> = forwards.iter().rev().copied().collect();
    let for_psr = if traits.sorts_psr {
        &backwards
    } else {
        packages.insert(0, root);
        &packages
    };
    let mut autoloads = Autoloads {
        psr0: namespaces(for_psr, "psr-0", traits)?,
        psr4: namespaces(for_psr, "psr-4", traits)?,
        ..Autoloads::default()
    };
    let cwd = input.base_path;
    for item in &backwards {
        each_path(item, "classmap", cwd, |path| {
            autoloads.classmap.push(located(item, path));
            Ok(())
        })?;
    }
    for item in &forwards {
        each_path(item, "files", cwd, |path| {
            let identifier = hex(&Md5::digest(format!("{}:{path}", item.name)));
            autoloads.files.insert(identifier, located(item, path));
            Ok(())
        })?;
    }
    for item in &forwards {
        each_path(item, "exclude-from-classmap", cwd, |path| {
            let base = item.path.unwrap_or_default();
            autoloads
                .excluded
                .extend(exclude::pattern(base, path, traits, reals)?);
            Ok(())
        })?;
    }
    Ok(autoloads)
}

fn namespaces(
    items: &[&Item<'_>],
    kind: &str,
    traits: &Traits,
) -> Result<IndexMap<String, Vec<String>>, Unfamiliar> {
    let mut all: IndexMap<String, Vec<String>> = IndexMap::new();
    for item in items {
        let Some(rules) = rules_of(item, kind)? else {
            continue;
        };
        if matches!(rules, Json::Array(rules) if !rules.is_empty()) {
            return Err(odd(item, kind));
        }
        for (written, paths) in rules.entries() {
            // Composer refuses such a namespace of the root when it makes the static file.
            if kind == "psr-4" && !written.is_empty() && !written.ends_with('\\') {
                return Err(odd(item, kind));
            }
            let namespace = if traits.trims_namespaces {
                written.trim_start_matches('\\')
            } else {
                written
            };
            demand_textual(namespace)?;
            for path in paths_of(item, kind, paths)? {
                let located = located(item, path);
                match all.get_mut(namespace) {
                    Some(paths) => paths.push(located),
                    None => {
                        all.insert(namespace.to_owned(), vec![located]);
                    }
                }
            }
        }
    }
    all.sort_by(|left, _, right, _| right.cmp(left));
    Ok(all)
}

/// Returns an error if PHP might take a namespace for a number, or if its first letter has several
/// bytes. PHP compares numbers in texts by value, and Composer groups namespaces by their first
/// byte.
fn demand_textual(namespace: &str) -> Result<(), Unfamiliar> {
    let starts_oddly = namespace
        .bytes()
        .next()
        .is_some_and(|byte| !byte.is_ascii_alphabetic() && byte != b'_' && byte != b'\\');
    if starts_oddly || namespace.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(Unfamiliar(format!(
            "the namespace {namespace:?} is special"
        )));
    }
    Ok(())
}

/// Calls a function with each path of a rule.
fn each_path(
    item: &Item<'_>,
    kind: &str,
    cwd: &str,
    mut act: impl FnMut(&str) -> Result<(), Unfamiliar>,
) -> Result<(), Unfamiliar> {
    let Some(rules) = rules_of(item, kind)? else {
        return Ok(());
    };
    let mut of_value = |value: &Json| {
        paths_of(item, kind, value)?
            .into_iter()
            .try_for_each(|path| act(&in_target_dir(item, path, cwd)?))
    };
    match rules {
        Json::Array(values) => values.iter().try_for_each(of_value),
        rules => rules
            .entries()
            .iter()
            .try_for_each(|(_, value)| of_value(value)),
    }
}

/// Returns a path relative to the directory that the package's `target-dir` is below. Composer
/// looks whether the path has the `target-dir` in it already.
fn in_target_dir<'p>(
    item: &Item<'_>,
    path: &'p str,
    cwd: &str,
) -> Result<Cow<'p, str>, Unfamiliar> {
    let Some(target_dir) = item.target_dir else {
        return Ok(Cow::Borrowed(path));
    };
    let there = Path::new(cwd).join(format!("{}/{path}", item.path.unwrap_or_default()));
    match access(&there, Access::READ_OK) {
        Ok(()) => Ok(Cow::Borrowed(path)),
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(Cow::Owned(format!("{target_dir}/{path}"))),
        Err(_) => Err(Unfamiliar(format!("{} can't be read", there.display()))),
    }
}

/// Returns the rules of one kind. Like Composer, ignores rules that aren't an array.
fn rules_of<'i>(item: &'i Item<'_>, kind: &str) -> Result<Option<&'i Json>, Unfamiliar> {
    match item.autoload.as_ref() {
        _ if item.path.is_none() => Ok(None),
        Json::Null | Json::Array(_) => Ok(None),
        autoload @ Json::Object(_) => Ok(autoload
            .get(kind)
            .filter(|rules| matches!(rules, Json::Array(_) | Json::Object(_)))),
        _ => Err(odd(item, "autoload")),
    }
}

/// Returns the paths of one rule, as a cast to an array gives them.
fn paths_of<'j>(item: &Item<'_>, kind: &str, paths: &'j Json) -> Result<Vec<&'j str>, Unfamiliar> {
    let paths: Option<Vec<&str>> = match paths {
        Json::Str(path) => Some(vec![path]),
        Json::Null => Some(Vec::new()),
        Json::Array(paths) => paths.iter().map(Json::as_str).collect(),
        Json::Object(paths) => paths.iter().map(|(_, path)| path.as_str()).collect(),
        _ => None,
    };
    let paths = paths.ok_or_else(|| odd(item, kind))?;
    paths.iter().try_for_each(|path| {
        let is_odd = path.bytes().any(|byte| byte.is_ascii_control());
        if is_odd { Err(odd(item, kind)) } else { Ok(()) }
    })?;
    Ok(paths)
}

fn odd(item: &Item<'_>, kind: &str) -> Unfamiliar {
    Unfamiliar(format!("{} has an unusual value of {kind}", item.name))
}

/// Returns whether PHP's `empty` holds for a text.
pub fn is_empty(text: &str) -> bool {
    text.is_empty() || text == "0"
}

/// Returns the place of a path in a package, relative to the working directory if it is the root's.
fn located(item: &Item<'_>, path: &str) -> String {
    let base = item.path.unwrap_or_default();
    if !is_empty(base) {
        format!("{base}/{path}")
    } else if is_empty(path) {
        ".".to_owned()
    } else {
        path.to_owned()
    }
}

/// Returns the root's rules with those for development (`array_merge_recursive` in
/// `AutoloadGenerator::parseAutoloadsType`, composer 2.10.2).
fn with_dev<'j>(autoload: &'j Json, dev: &'j Json) -> Result<Cow<'j, Json>, Unfamiliar> {
    let unusual = || Unfamiliar("the root's autoload-dev is unusual".to_owned());
    let is_none = |json: &Json| match json {
        Json::Null => true,
        json => json.items().is_empty() && json.entries().is_empty(),
    };
    if is_none(dev) {
        return Ok(Cow::Borrowed(autoload));
    }
    if is_none(autoload) {
        return Ok(Cow::Borrowed(dev));
    }
    let (Json::Object(rules), Json::Object(dev_rules)) = (autoload, dev) else {
        return Err(unusual());
    };
    let mut merged = Json::Object(rules.clone());
    for (kind, added) in dev_rules {
        let value = match merged.get(kind) {
            None => added.clone(),
            Some(there) => match (there, added) {
                (Json::Array(there), Json::Array(added)) => {
                    Json::Array(there.iter().chain(added).cloned().collect())
                }
                (there, added) if is_object(there) && is_object(added) => {
                    let mut all = Json::Object(there.entries().to_vec());
                    for (namespace, paths) in added.entries() {
                        // PHP takes some keys for numbers, which it merges differently.
                        if namespace.starts_with(|first: char| first == '-' || first.is_numeric()) {
                            return Err(unusual());
                        }
                        let value = match all.get(namespace) {
                            None => paths.clone(),
                            Some(there) => together(there, paths).ok_or_else(unusual)?,
                        };
                        all.set(namespace, value);
                    }
                    all
                }
                _ => return Err(unusual()),
            },
        };
        merged.set(kind, value);
    }
    Ok(Cow::Owned(merged))
}

/// Returns whether a value is an object, or the empty list that stands for an empty one.
fn is_object(json: &Json) -> bool {
    match json {
        Json::Object(_) => true,
        json => *json == Json::Array(Vec::new()),
    }
}

fn together(there: &Json, added: &Json) -> Option<Json> {
    let list = |json: &Json| match json {
        Json::Str(_) => Some(vec![json.clone()]),
        Json::Array(items) => Some(items.clone()),
        _ => None,
    };
    let mut all = list(there)?;
    all.extend(list(added)?);
    Some(Json::Array(all))
}
