//! Writes the files to which a project's manifest refers.

use std::path::Path;

use super::{Project, write_file};
use crate::error::Result;
use crate::json::Json;

/// Creates the targets of the root's autoload rules, each with a small class or function. Existing
/// files stay.
pub(super) fn root_autoload(dir: &Path, manifest: &Json) -> Result<()> {
    for section in ["autoload", "autoload-dev"] {
        let Some(autoload) = manifest.get(section) else {
            continue;
        };
        for key in ["psr-4", "psr-0"] {
            for (prefix, dirs) in autoload.entries_at(key) {
                for target in dirs.one_or_many() {
                    class(dir, target, prefix, key == "psr-4")?;
                }
            }
        }
        for target in autoload
            .get("classmap")
            .map(Json::one_or_many)
            .unwrap_or_default()
        {
            if target.contains('*') {
                continue;
            }
            let is_file = target.ends_with(".php") || target.ends_with(".inc");
            let path = if is_file {
                target.to_owned()
            } else {
                format!("{target}/RootMapped.php")
            };
            let name = format!("RootMapped{}", word(target));
            create(dir, &path, &format!("<?php\n\nclass {name}\n{{\n}}\n"))?;
        }
        for target in autoload
            .get("files")
            .map(Json::one_or_many)
            .unwrap_or_default()
        {
            let name = format!("root_{}", word(target).to_ascii_lowercase());
            create(
                dir,
                target,
                &format!(
                    "<?php\n\nif (!function_exists('{name}')) {{\n    function {name}(): bool\n    {{\n        return true;\n    }}\n}}\n"
                ),
            )?;
        }
    }
    Ok(())
}

/// Writes the locked packages whose dist is a path.
pub(super) fn path_packages(dir: &Path, state: &Project) -> Result<()> {
    for entry in state.entries() {
        let Some(dist) = entry
            .get("dist")
            .filter(|dist| dist.str_at("type") == Some("path"))
        else {
            continue;
        };
        let Some(target) = dist
            .str_at("url")
            .filter(|url| !url.starts_with('/') && !url.contains(".."))
        else {
            continue;
        };
        let package = crate::catalog::path_package(entry);
        for file in &package.spec.files {
            if let crate::archive::Content::File(bytes, _) =
                crate::render::content(&package.spec, file)?
            {
                let path = dir.join(target).join(&file.path);
                if !path.exists() {
                    write_file(&path, &bytes)?;
                }
            }
        }
    }
    Ok(())
}

fn class(dir: &Path, target: &str, prefix: &str, psr4: bool) -> Result<()> {
    // The project may map a package's directory, which must not exist before the package is
    // installed.
    if target.starts_with("vendor/") || target.ends_with(".php") {
        return Ok(());
    }
    let name = "RootExample";
    let namespace = prefix.trim_end_matches('\\');
    if psr4 {
        let namespace = if namespace.is_empty() {
            String::new()
        } else {
            format!("namespace {namespace};\n\n")
        };
        return create(
            dir,
            &format!("{target}/{name}.php"),
            &format!("<?php\n\n{namespace}class {name}\n{{\n}}\n"),
        );
    }
    let full = format!(
        "{}_{name}",
        prefix.trim_end_matches(['\\', '_']).replace('\\', "_")
    );
    create(
        dir,
        &format!("{target}/{}.php", full.replace('_', "/")),
        &format!("<?php\n\nclass {full}\n{{\n}}\n"),
    )
}

fn create(dir: &Path, path: &str, text: &str) -> Result<()> {
    let path = dir.join(path.trim_start_matches("./"));
    if path.exists() {
        return Ok(());
    }
    write_file(&path, text.as_bytes())
}

fn word(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).collect()
}
