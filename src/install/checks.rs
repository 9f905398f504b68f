//! Decides whether an install can be done natively. Everything that this module doesn't know is
//! [`Unfamiliar`], and Composer does it.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use allegro_composer::config::Release;
use allegro_composer::json::Json;
use allegro_composer::package::Package;
use allegro_composer::transaction::Operation;
use allegro_composer::{Unfamiliar, unfamiliar};
use rustix::fs::{Access, access};

use super::Undecided;
use super::project::{GLOBAL, Project, Target};

/// Checks everything about a project that doesn't depend on what is installed.
pub fn check_project(project: &Project, locked: &[&Package]) -> Result<(), Unfamiliar> {
    check_directories(project)?;
    let mut paths = HashSet::new();
    for package in locked {
        let name = &package.name;
        if package.name.matches('/').count() != 1 {
            return unfamiliar(format!("the name {name} is unusual"));
        }
        if package
            .target_dir
            .as_deref()
            .is_some_and(|dir| !dir.is_empty())
        {
            return unfamiliar(format!("{name} has a target-dir"));
        }
        // Some file systems take names in capitals for the same.
        if !paths.insert(package.pretty_name.to_lowercase()) {
            return unfamiliar(format!("two packages share the directory of {name}"));
        }
        if package.pretty_version.contains(['<', '\\']) {
            return unfamiliar(format!("the version of {name} is unusual"));
        }
    }
    Ok(())
}

/// Checks the directories that get files.
pub fn check_directories(project: &Project) -> Result<(), Unfamiliar> {
    let (vendor_dir, directory) = (&project.settings.vendor_dir, &project.directory);
    if directory.starts_with(vendor_dir) {
        return unfamiliar("the vendor directory contains the project");
    }
    match fs::metadata(vendor_dir) {
        Ok(facts) if !facts.is_dir() => return unfamiliar("the vendor directory is a file"),
        Err(_) if fs::symlink_metadata(vendor_dir).is_ok() => {
            return unfamiliar("the vendor directory is a link that leads nowhere");
        }
        Ok(_) | Err(_) => {}
    }
    if fs::symlink_metadata(vendor_dir.join("composer")).is_ok_and(|facts| !facts.is_dir()) {
        return unfamiliar("vendor/composer is no directory");
    }
    Ok(())
}

/// Checks that there are no global plugins.
pub fn check_global_plugins(project: &Project) -> Result<(), Unfamiliar> {
    let global = project.settings.home.join(GLOBAL);
    if global_plugins(&global) {
        return unfamiliar("there are global plugins");
    }
    Ok(())
}

/// Returns whether an `installed.json` of the home directory may name a plugin.
fn global_plugins(path: &Path) -> bool {
    match fs::read_to_string(path) {
        Ok(text) => text.contains("composer-plugin") || text.contains("composer-installer"),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

/// Checks that Composer has nothing to say about the user. It warns root, unless a container or a
/// variable allows it (`Application::doRun`, composer 2.10.2).
pub fn check_user(
    target: &Target,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(), Unfamiliar> {
    let is_allowed = environment("COMPOSER_ALLOW_SUPERUSER")
        .is_some_and(|value| !value.is_empty() && value != "0");
    let knows_containers = Release::parse(CONTAINERS).is_some_and(|since| target.release >= since);
    let is_container = [
        "/.dockerenv",
        "/run/.containerenv",
        "/var/run/.containerenv",
    ]
    .iter()
    .any(|path| Path::new(path).exists());
    if is_allowed || !rustix::process::geteuid().is_root() || knows_containers && is_container {
        return Ok(());
    }
    unfamiliar("Composer has a warning for root")
}

/// Checks that Composer can write a temporary file. It warns otherwise (`Application::doRun`,
/// composer 2.10.2).
pub fn check_temporary_directory(
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(), Unfamiliar> {
    let named = environment("TMPDIR").filter(|value| !value.is_empty());
    let directory = named.unwrap_or_else(|| "/tmp".to_owned());
    access(Path::new(&directory), Access::WRITE_OK | Access::EXEC_OK).map_err(|_| {
        Unfamiliar(format!(
            "Composer can't write temporary files to {directory}"
        ))
    })
}

/// The first version of Composer that filters plain installs by lists.
const LISTS: &str = "2.10.0";

/// The first version of Composer that recognizes containers.
const CONTAINERS: &str = "2.8.0";

/// Checks policies, which Composer applies to plain installs since 2.10 (`Installer::doInstall`).
///
/// A repository that may advertise lists of malware has to be asked.
pub fn check_policies(
    project: &Project,
    target: &Target,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(), Unfamiliar> {
    let is_on =
        |name: &str| environment(name).is_some_and(|value| !value.is_empty() && value != "0");
    let asks = Release::parse(LISTS).is_none_or(|since| target.release >= since)
        && !project.settings.policy_is_off
        && !is_on("COMPOSER_NO_BLOCKING");
    if !asks {
        return Ok(());
    }
    let repositories = match &project.settings.repositories {
        Json::Object(entries) => entries.iter().map(|(_, value)| value).collect(),
        Json::Array(items) => items.iter().collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    let advertises = repositories
        .iter()
        .any(|repository| repository.str_at("type") == Some("composer"));
    if advertises {
        return unfamiliar("Composer asks the repositories for lists of malware");
    }
    Ok(())
}

/// Checks the operations: archives, and what lies at the places of packages. The latter may be
/// different in the next run.
pub fn check_operations(
    project: &Project,
    locked: &[&Package],
    operations: &[Operation],
) -> Result<(), Undecided> {
    for operation in operations {
        match *operation {
            Operation::Install(to) => {
                check_archive(project, locked[to])?;
                check_place(project, locked[to])
                    .and_then(|()| check_rest(project, locked[to]))
                    .map_err(Undecided::ThisTime)?;
            }
            Operation::Update { from, to } => {
                check_old(project, from)?;
                check_archive(project, locked[to])?;
                check_place(project, locked[to]).map_err(Undecided::ThisTime)?;
                let (old, new) = (&project.installed[from].package, locked[to]);
                if old.pretty_name != new.pretty_name {
                    let reason = format!("{} has another directory now", new.name);
                    return Err(Unfamiliar(reason).into());
                }
            }
            Operation::Uninstall(from) => check_old(project, from)?,
            Operation::MarkAliasInstalled(_) | Operation::MarkAliasUninstalled(_) => {}
        }
    }
    Ok(())
}

/// Checks what lies in the directory of a package that is not on record. Composer empties the
/// directory, but a link that leads nowhere stays, and so does the directory itself
/// (`Filesystem::remove`, composer 2.10.2).
fn check_rest(project: &Project, package: &Package) -> Result<(), Unfamiliar> {
    let entries = fs::read_dir(project.path_of(package));
    let leads_nowhere = entries.into_iter().flatten().flatten().any(|entry| {
        entry.file_type().is_ok_and(|kind| kind.is_symlink()) && !entry.path().exists()
    });
    if leads_nowhere {
        let name = &package.name;
        return unfamiliar(format!("a link in the directory of {name} leads nowhere"));
    }
    Ok(())
}

/// Checks where a new package comes from.
fn check_archive(project: &Project, package: &Package) -> Result<(), Unfamiliar> {
    let name = &package.name;
    if package.is_metapackage() {
        return Ok(());
    }
    let Some(dist) = &package.dist else {
        return unfamiliar(format!("{name} has no archive"));
    };
    if !matches!(dist.kind.as_str(), "zip" | "tar") {
        return unfamiliar(format!("the archive of {name} has the type {}", dist.kind));
    }
    let prefers_source = package.source.is_some()
        && !project
            .settings
            .preferred_install
            .takes_dist(name, package.is_dev());
    if prefers_source {
        return unfamiliar(format!("{name} is wanted from its source"));
    }
    Ok(())
}

/// Checks what lies at the place of a new package.
fn check_place(project: &Project, package: &Package) -> Result<(), Unfamiliar> {
    if package.is_metapackage() {
        return Ok(());
    }
    let name = &package.name;
    let path = project.path_of(package);
    match fs::symlink_metadata(&path) {
        Ok(facts) if !facts.is_dir() && !facts.is_symlink() => {
            unfamiliar(format!("a file lies at the place of {name}"))
        }
        // A repository of somebody's own may have changes, and a mount can't be renamed.
        Ok(facts) if facts.is_dir() && path.join(".git").exists() => {
            unfamiliar(format!("the directory of {name} is a repository"))
        }
        _ => Ok(()),
    }
}

fn check_old(project: &Project, from: usize) -> Result<(), Unfamiliar> {
    let record = &project.installed[from];
    let package = &record.package;
    let name = &package.name;
    if package.is_metapackage() {
        return Ok(());
    }
    if record.installation_source.as_deref() != Some("dist") {
        return unfamiliar(format!("{name} was installed from its source"));
    }
    if package.dist.as_ref().is_none_or(|dist| dist.kind == "path") {
        return unfamiliar(format!("{name} was installed from a path"));
    }
    if package.target_dir.is_some() {
        return unfamiliar(format!("{name} has a target-dir"));
    }
    Ok(())
}
