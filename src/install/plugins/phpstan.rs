//! `phpstan/extension-installer`: lists the extensions of PHPStan in a class of its own
//! (`Plugin::process`, phpstan/extension-installer 1.3.1).

use std::fs;

use allegro_base::error::{Result, at};
use allegro_base::fs::own_inode;
use allegro_composer::Unfamiliar;
use allegro_composer::json::Json;
use allegro_composer::operation_text::full_pretty_version;
use allegro_composer::package::Package;
use allegro_composer::{paths, php};

use super::{Deed, Effect, Said, Scene, template, unfamiliar};
use crate::install::dumping::real;

/// The names that contain `phpstan` without being extensions.
const OWN: [&str; 4] = [
    "phpstan/phpstan",
    "phpstan/phpstan-shim",
    "phpstan/phpdoc-parser",
    "phpstan/extension-installer",
];

/// Decides on 1.3 and later.
pub fn plan(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    let none = Json::Null;
    let settings = scene.extra("phpstan/extension-installer").unwrap_or(&none);
    let ignored: Vec<String> = match settings.get("ignore") {
        None | Some(Json::Null) => Vec::new(),
        Some(Json::Array(names)) => names
            .iter()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect(),
        Some(_) => return unfamiliar("extra.phpstan/extension-installer.ignore is no list"),
    };
    plan_with(scene, ignored)
}

/// Decides on 1.1 and 1.2, which ignore no extension.
pub fn plan_old(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    plan_with(scene, Vec::new())
}

fn plan_with(scene: &Scene<'_>, ignored: Vec<String>) -> Result<Box<dyn Effect>, Unfamiliar> {
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
    Ok(Box::new(Extensions { ignored }))
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
            let version = Json::Str(full_pretty_version(package, scene.dialect));
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
            let path = format!("{vendor}/{}", package.pretty_name);
            let relative = paths::shortest(scene.dialect, &directory, &path);
            let fields = [
                ("install_path", Json::Str(path)),
                ("relative_install_path", Json::Str(relative)),
                ("extra", extra(package).cloned().unwrap_or(Json::Null)),
                ("version", version),
            ];
            let fields = fields.map(|(key, value)| (key.to_owned(), value));
            found.push((name.clone(), Json::Object(fields.into())));
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

        let values = [Json::Object(found), Json::Object(others)].map(|list| php::exported(&list));
        let text = template::filled(
            &scene.directory.join("src/Plugin.php"),
            &[&values[0], &values[1]],
        )?;
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
