//! `composer/package-versions-deprecated`: lists the locked versions in a class of its own
//! (`Installer::dumpVersionsClass`, composer/package-versions-deprecated 1.11.99.2).

use std::fs;
use std::os::unix::fs::PermissionsExt;

use allegro_base::error::{Result, at};
use allegro_base::fs::unique;
use allegro_composer::json::Json;
use allegro_composer::package::Package;
use allegro_composer::php;
use allegro_composer::{Unfamiliar, unfamiliar};

use super::{Deed, Effect, Said, Scene, template};

/// Decides on the plugin.
pub fn plan(scene: &Scene<'_>) -> Result<Box<dyn Effect>, Unfamiliar> {
    let root = &scene.project.root.package;
    if root.alias.is_some() {
        return unfamiliar("the root package has an alias");
    }
    let replaced = scene.project.manifest.get("replace");
    let mut versions: Vec<(String, Json)> = Vec::new();
    // A later entry with the same name takes the place of the earlier one.
    let mut add = |name: String, version: &str, reference: &str| {
        let version = Json::Str(format!("{version}@{reference}"));
        match versions.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = version,
            None => versions.push((name, version)),
        }
    };
    for package in scene.project.locked(scene.dev_mode) {
        let (Some(name), Some(version)) = (
            package.entry.str_at("name"),
            package.entry.str_at("version"),
        ) else {
            return unfamiliar(format!("{} has no version", package.name));
        };
        add(name.to_owned(), version, reference(package));
    }
    let own = root
        .source
        .as_ref()
        .and_then(|source| source.reference.as_deref());
    let own = own.unwrap_or_default();
    for (name, version) in replaced.map_or(&[][..], Json::entries) {
        let Some(version) = version.as_str() else {
            return unfamiliar("a replaced version is no text");
        };
        let version = if version == "self.version" {
            &root.pretty_version
        } else {
            version
        };
        add(name.to_lowercase(), version, own);
    }
    add(root.name.clone(), &root.pretty_version, own);
    Ok(Box::new(Versions {
        root: root.name.clone(),
        versions: php::exported(&Json::Object(versions)),
    }))
}

fn reference(package: &Package) -> &str {
    ["source", "dist"]
        .iter()
        .find_map(|key| package.entry.get(key)?.str_at("reference"))
        .unwrap_or_default()
}

#[derive(Debug)]
struct Versions {
    root: String,
    /// The versions as PHP code.
    versions: String,
}

impl Effect for Versions {
    fn told(&self) -> String {
        "only writes Versions.php, which is done without PHP".to_owned()
    }

    fn act(&self, _: &str, scene: &Scene<'_>) -> Result<Deed> {
        let text = template::filled(
            &scene.directory.join("src/PackageVersions/Installer.php"),
            &["final class Versions", &self.root, &self.versions],
        )?;
        let path = scene.directory.join("src/PackageVersions/Versions.php");
        let is_current = fs::read(&path).is_ok_and(|old| old == text.as_bytes())
            && fs::metadata(&path).is_ok_and(|facts| facts.permissions().mode() & 0o7777 == 0o664);
        if !is_current {
            let temporary = path.with_file_name(format!("Versions.php_{}", unique()));
            fs::write(&temporary, &text)
                .and_then(|()| fs::set_permissions(&temporary, fs::Permissions::from_mode(0o664)))
                .and_then(|()| fs::rename(&temporary, &path))
                .map_err(|error| {
                    let _ = fs::remove_file(&temporary);
                    at("writing", &path)(error)
                })?;
        }
        let lines = [
            "Generating version class...",
            "...done generating version class",
        ];
        let line = |text| format!("<info>composer/package-versions-deprecated:</info> {text}");
        Ok(Deed {
            said: lines.map(line).map(Said::Out).into(),
            written: vec![(path, text.into_bytes())],
            is_passing: false,
        })
    }
}
