//! Mends what can be mended without a question.

use std::fs;

use allegro_base::error::at;
use allegro_base::fs::{owner_is_alive, remove_all};
use allegro_store::Store;

use super::road;
use crate::cli::Context;
use crate::cli::config_file::ConfigFile;
use crate::cli::failure::Failure;
use crate::cli::surroundings;

/// Directories of the store that are made again when they are missing.
const REMADE: [&str; 5] = [
    "composer-home-v1",
    "composers-v1",
    "opcache-v1",
    "roads-v1",
    "plugin-v1",
];

/// The prefix of directories in which an install prepares packages.
const STAGING: &str = ".allegro-";

/// Mends what can be mended, and returns a sentence for each thing.
pub fn fix(context: &Context) -> Result<Vec<String>, Failure> {
    let mut fixed = Vec::new();
    fix_settings(context, &mut fixed)?;
    let store = context.settings.core(context.environment)?.store;
    for name in REMADE {
        let path = store.join(name);
        if path.exists() {
            remove_all(&path).map_err(at("removing", &path))?;
            fixed.push(format!("{} will be made again", path.display()));
        }
    }
    let is_new = !store.join("layout").exists();
    // The store makes its missing directories when it is opened.
    let store = Store::open(&store)?;
    if is_new {
        fixed.push(format!("made the store at {}", store.root().display()));
    }
    if store.is_writable() {
        store.sweep();
        for directory in store.forget_gone_projects() {
            fixed.push(format!("forgot {}, which is gone", directory.display()));
        }
        fix_files(&store, &mut fixed);
    }
    let vendor_dir = surroundings::with(context, road::vendor_dir)?;
    for entry in fs::read_dir(vendor_dir.join("composer"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if let Some(owner) = name.strip_prefix(STAGING)
            && !owner_is_alive(owner)
            && remove_all(&path).is_ok()
        {
            fixed.push(format!("removed {}, left by a killed run", path.display()));
        }
    }
    Ok(fixed)
}

fn fix_settings(context: &Context, fixed: &mut Vec<String>) -> Result<(), Failure> {
    let file = ConfigFile::read(context.environment);
    if let (Some(problem), Some(path)) = (file.problem(), file.source()) {
        let aside = path.with_extension("json.broken");
        fs::rename(path, &aside).map_err(at("renaming", path))?;
        fixed.push(format!(
            "the settings are the defaults now, because {problem}; the file is {}",
            aside.display()
        ));
    }
    Ok(())
}

/// Checks all files of the store. The check restores modes and times, and takes damaged files out of
/// use.
fn fix_files(store: &Store, fixed: &mut Vec<String>) {
    let findings = store.verify();
    for (count, sentence) in [
        (
            findings.unsealed.len(),
            "files of the store had another mode, time or owner",
        ),
        (
            findings.damaged.len(),
            "files of the store were damaged and are out of use now",
        ),
        (
            findings.torn.len(),
            "records of the store were torn and are removed",
        ),
        (
            findings.odd.len(),
            "things did not belong into the store and are set aside",
        ),
    ] {
        if count > 0 {
            fixed.push(format!("{count} {sentence}"));
        }
    }
}
