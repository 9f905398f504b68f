//! Finds entries of vendor that belong to no package and that Composer doesn't generate.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::generated::NAMES;
use super::verify::Survey;
use crate::install::dumping::real;

/// The prefix of directories in which packages are prepared.
const STAGING: &str = ".allegro-";

/// Returns the entries, outermost only, sorted by path.
pub(super) fn surplus(survey: &Survey) -> Vec<PathBuf> {
    let settings = &survey.sight.look.project.settings;
    let vendor_dir = &settings.vendor_dir;
    let mut owned: HashSet<PathBuf> = NAMES.iter().map(|name| vendor_dir.join(name)).collect();
    for member in &survey.members {
        owned.insert(member.path.clone());
        for bin in &member.package.bins {
            let name = bin.rsplit('/').next().unwrap_or(bin);
            owned.insert(settings.bin_dir.join(name));
            owned.insert(settings.bin_dir.join(format!("{name}.bat")));
        }
    }
    let mut above: HashSet<PathBuf> = HashSet::new();
    for path in &owned {
        let parents = path.ancestors().skip(1);
        above.extend(
            parents
                .take_while(|parent| parent.starts_with(vendor_dir))
                .map(Path::to_owned),
        );
    }
    // The directory for programs is made even if no package has any.
    above.insert(settings.bin_dir.clone());
    let mut found = Vec::new();
    let mut open = vec![vendor_dir.clone()];
    // A project may lie below vendor, and a link may lead back.
    let project = real(&survey.sight.look.project.directory);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name();
            let is_staging =
                directory.ends_with("composer") && name.to_string_lossy().starts_with(STAGING);
            if owned.contains(&path) || is_staging || project.starts_with(&path) {
                continue;
            }
            if is_directory && above.contains(&path) {
                open.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
