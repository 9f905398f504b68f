//! `phpstan/extension-installer`: lists the extensions of PHPStan in a class of its own
//! (`Plugin::process`, phpstan/extension-installer 1.3.1 and
//! 1.4.3).

use std::collections::HashMap;
use std::fs;

use allegro_base::error::{Result, at};
use allegro_base::fs::own_inode;
use allegro_composer::json::Json;
use allegro_composer::operation_text::full_pretty_version;
use allegro_composer::package::Package;
use allegro_composer::{Unfamiliar, unfamiliar};
use allegro_composer::{paths, php};
use allegro_semver::constraint::{ConstraintId, Terms};

use super::{Deed, Effect, Said, Scene, template};
use crate::install::dumping::real;

/// The names that contain `phpstan` without being extensions.
const OWN: [&str; 4] = [
    "phpstan/phpstan",
    "phpstan/phpstan-shim",
    "phpstan/phpdoc-parser",
    "phpstan/extension-installer",
];

/// Decides on 1.4, which writes down the versions of PHPStan that extensions require.
pub fn plan(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    let mut extensions = extensions(scene, ignored(scene)?)?;
    extensions.limits = Some(Limits::of(scene, &extensions.ignored)?);
    Ok(Box::new(extensions))
}

/// Decides on 1.3, which may ignore extensions.
pub fn plan_ignoring(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    Ok(Box::new(extensions(scene, ignored(scene)?)?))
}

/// Returns the extensions that the root package wants to be ignored.
fn ignored(scene: &Scene<'_>) -> Result<Vec<String>, Unfamiliar> {
    let none = Json::Null;
    let settings = scene.extra("phpstan/extension-installer").unwrap_or(&none);
    Ok(match settings.get("ignore") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Array(names)) => names
            .iter()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect(),
        Some(_) => return unfamiliar("extra.phpstan/extension-installer.ignore is no list"),
    })
}

/// Decides on 1.1 and 1.2, which ignore no extension.
pub fn plan_old(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    Ok(Box::new(extensions(scene, Vec::new())?))
}

fn extensions(scene: &Scene<'_>, ignored: Vec<String>) -> Result<Extensions, Unfamiliar> {
    for package in scene.repository.packages() {
        let name = &package.name;
        let matters = is_extension(package) || name.contains("phpstan");
        let has_alias = package.alias.is_some()
            || scene
                .project
                .lock
                .aliases
                .iter()
                .any(|alias| alias.package == *name);
        if matters && has_alias {
            return unfamiliar(format!("{name} has an alias"));
        }
        // Versions of Composer differ in what they show of such a package.
        let source = package.source.as_ref().map(|source| source.kind.as_str());
        if matters && package.is_dev() && !matches!(source, Some("git" | "hg")) {
            return unfamiliar(format!("{name} is in development and has no source"));
        }
        if is_extension(package) && package.is_metapackage() {
            return unfamiliar(format!("the extension {name} has no files"));
        }
    }
    Ok(Extensions {
        ignored,
        limits: None,
    })
}

/// The versions of PHPStan that extensions require.
#[derive(Debug)]
struct Limits {
    /// Versions for each extension, if it requires any. An extension without limits is passed over.
    each: HashMap<String, Option<String>>,
    /// Versions that fit all extensions.
    all: Option<String>,
}

impl Limits {
    fn of(scene: &Scene<'_>, ignored: &[String]) -> Result<Self, Unfamiliar> {
        let mut terms = Terms::new(scene.habits.target.semver);
        let mut each = HashMap::new();
        let mut required = Vec::new();
        let extensions = scene
            .repository
            .packages()
            .filter(|package| is_extension(package) && !ignored.contains(&package.name));
        for package in extensions {
            let name = package.name.clone();
            let link = package.requires.iter().find(|link| link.target == OWN[0]);
            let Some(link) = link else {
                each.insert(name, None);
                continue;
            };
            let Some(constraint) = terms.parse(&link.constraint) else {
                return unfamiliar(format!("{name} requires an unusual {}", OWN[0]));
            };
            let (lower, upper) = terms.bounds(constraint);
            if !lower.is_zero() && !upper.is_infinite() {
                required.push(constraint);
                each.insert(name, Some(limits(&terms, constraint)));
            }
        }
        let all = match required[..] {
            [] => None,
            [only] => Some(only),
            _ => Some(terms.multi(true, &required)),
        };
        let all = all.map(|all| {
            let all = terms.compact(all);
            limits(&terms, all)
        });
        Ok(Self { each, all })
    }
}

/// Returns the limits of a constraint as the plugin writes them.
fn limits(terms: &Terms, constraint: ConstraintId) -> String {
    let (lower, upper) = terms.bounds(constraint);
    format!(
        "{}{}, {}{}",
        if lower.is_inclusive { ">=" } else { ">" },
        lower.version.text(),
        if upper.is_inclusive { "<=" } else { "<" },
        upper.version.text()
    )
}

fn extra(package: &Package) -> Option<&Json> {
    let extra = package.entry.get("extra")?.get("phpstan")?;
    (*extra != Json::Null).then_some(extra)
}

fn is_extension(package: &Package) -> bool {
    package.kind == "phpstan-extension" || extra(package).is_some()
}

#[derive(Debug)]
struct Extensions {
    ignored: Vec<String>,
    /// Versions of PHPStan, which 1.4 and later write down.
    limits: Option<Limits>,
}

impl Effect for Extensions {
    fn told(&self) -> String {
        "only writes GeneratedConfig.php, which is done without PHP".to_owned()
    }

    fn act(&self, _: &str, scene: &Scene<'_>) -> Result<Deed> {
        let vendor = real(&scene.project.settings.vendor_dir);
        let vendor = vendor.to_string_lossy();
        let directory = format!("{vendor}/phpstan/extension-installer/src");
        let mut packages: Vec<&Package> = scene.repository.packages().collect();
        packages.sort_by(|left, right| left.name.cmp(&right.name));
        let (mut found, mut others, mut ignored) = (Vec::new(), Vec::new(), Vec::new());
        for package in packages {
            let name = &package.name;
            let version = Json::Str(full_pretty_version(package, scene.habits.target.dialect));
            if !is_extension(package) {
                if name.contains("phpstan") && !OWN.contains(&name.as_str()) {
                    others.push((name.clone(), version));
                }
                continue;
            }
            if self.ignored.contains(name) {
                ignored.push(name);
                continue;
            }
            let limits = match &self.limits {
                None => None,
                Some(limits) => match limits.each.get(name) {
                    Some(versions) => Some(versions.clone().map_or(Json::Null, Json::Str)),
                    None => continue,
                },
            };
            let path = format!("{vendor}/{}", package.pretty_name);
            let relative = paths::shortest(scene.habits.target.dialect, &directory, &path);
            let fields = [
                ("install_path", Json::Str(path)),
                ("relative_install_path", Json::Str(relative)),
                ("extra", extra(package).cloned().unwrap_or(Json::Null)),
                ("version", version),
            ];
            let more = limits.map(|limits| ("phpstanVersionConstraint", limits));
            let fields = fields.into_iter().chain(more);
            let fields = fields.map(|(key, value)| (key.to_owned(), value));
            found.push((name.clone(), Json::Object(fields.collect())));
        }
        let mut said =
            vec!["<info>phpstan/extension-installer:</info> Extensions installed".to_owned()];
        let installed = found
            .iter()
            .map(|(name, _)| format!("> <info>{name}:</info> installed"));
        let unfit = others
            .iter()
            .map(|(name, _)| format!("> <comment>{name}:</comment> not supported"));
        let left_out = ignored
            .iter()
            .map(|name| format!("> <comment>{name}:</comment> ignored"));
        let more: Vec<String> = installed.chain(unfit).chain(left_out).collect();

        let mut values = vec![Json::Object(found), Json::Object(others)];
        if let Some(limits) = &self.limits {
            values.push(limits.all.clone().map_or(Json::Null, Json::Str));
        }
        let values: Vec<String> = values.iter().map(php::exported).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let text = template::filled(&scene.directory.join("src/Plugin.php"), &values)?;
        let path = scene.directory.join("src/GeneratedConfig.php");
        let is_old = fs::read(&path).is_ok_and(|old| old == text.as_bytes());
        if !is_old {
            // The directory keeps its time, as in Composer.
            own_inode(&path)?;
            fs::write(&path, &text).map_err(at("writing", &path))?;
            said.extend(more);
        }
        Ok(Deed {
            said: said.into_iter().map(Said::Out).collect(),
            written: vec![(path, text.into_bytes())],
            is_passing: !is_old,
        })
    }
}
