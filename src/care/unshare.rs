//! Gives packages files of their own, so that they can be edited in vendor.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use allegro_base::error::{Error, Result, at};
use allegro_base::fs::own_inode;
use allegro_base::progress;
use allegro_base::threads::with_pool;
use rayon::prelude::*;
use serde::Serialize;

use super::Sight;
use super::members::State;
use crate::install::{Context, Undecided};

/// What was done to a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unshared {
    /// Name of the package.
    pub name: String,
    /// Number of files that have an inode of their own now.
    pub files: u64,
    /// Number of files that had one before.
    pub own: u64,
}

/// Returns the names of all packages in vendor.
pub fn names(context: &Context<'_>) -> Result<Vec<String>, Undecided> {
    let mut sight = Sight::of(context)?;
    let members = State::of(&sight).members(&mut sight, true);
    Ok(members
        .into_iter()
        .map(|member| member.package.name)
        .collect())
}

/// Gives all files of packages inodes of their own. Contents, modes, owners and times stay. The next
/// install that changes a package undoes it.
///
/// # Errors
/// Fails where the project can't be read, where a package is not in vendor, and where a file can't
/// be replaced.
pub fn unshare(context: &Context<'_>, names: &[String]) -> Result<Vec<Unshared>, Undecided> {
    let mut sight = Sight::of(context)?;
    let members = State::of(&sight).members(&mut sight, true);
    let wanted: HashSet<&str> = names.iter().map(String::as_str).collect();
    let all: HashSet<&Path> = members.iter().map(|member| member.path.as_path()).collect();
    let mut unshared = Vec::new();
    for member in &members {
        let name = &member.package.name;
        if !wanted.contains(name.as_str()) {
            continue;
        }
        if !fs::symlink_metadata(&member.path).is_ok_and(|facts| facts.is_dir()) {
            let path = member.path.display();
            return Err(Error::Input(format!("{path} is no directory")).into());
        }
        let directories = directories(&member.path, &all)?;
        let counts = with_pool(context.settings.threads, |pool| {
            pool.install(|| {
                directories
                    .par_iter()
                    .map(|directory| own_files(directory))
                    .collect::<Result<Vec<_>>>()
            })
        })??;
        unshared.push(Unshared {
            name: name.clone(),
            files: counts.iter().map(|count| count.0).sum(),
            own: counts.iter().map(|count| count.1).sum(),
        });
    }
    Ok(unshared)
}

/// Returns a package's directories without those of packages within it.
fn directories(root: &Path, others: &HashSet<&Path>) -> Result<Vec<PathBuf>> {
    let mut found = vec![root.to_owned()];
    let mut next = 0;
    while let Some(directory) = found.get(next).cloned() {
        next += 1;
        for entry in fs::read_dir(&directory).map_err(at("reading", &directory))? {
            let entry = entry.map_err(at("reading", &directory))?;
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !others.contains(&*path) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Gives the files of a directory inodes of their own. One thread does it, because each replacement
/// puts the time of the directory back.
fn own_files(directory: &Path) -> Result<(u64, u64)> {
    let (mut files, mut own) = (0, 0);
    for entry in fs::read_dir(directory)
        .map_err(at("reading", directory))?
        .flatten()
    {
        let path = entry.path();
        let Ok(facts) = fs::symlink_metadata(&path) else {
            continue;
        };
        progress::step();
        if !facts.is_file() {
            continue;
        }
        if facts.nlink() < 2 {
            own += 1;
        } else {
            own_inode(&path)?;
            files += 1;
        }
    }
    Ok((files, own))
}
