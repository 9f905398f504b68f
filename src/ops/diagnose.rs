//! Finds out what an install would use, by probing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::protocol::VERSION;
use crate::protocol::diagnose::{DiagnoseAnswer, DiagnoseRequest, Place};
use crate::protocol::settings::Overrides;
use crate::protocol::store::{Sharing, Usage};
use crate::settings::{Environment, Settings};
use allegro_base::error::{Result, at};
use allegro_base::fs::{beside, remove_all};
use allegro_store::link::{Method, Refusal, probe};
use allegro_store::{LAYOUT, Store};

/// Probes the store and the project's file system. The function leaves nothing behind.
///
/// # Errors
/// Fails only for settings that make no sense. A store that can't be used is part of the answer.
pub fn diagnose(request: &DiagnoseRequest, environment: &Environment) -> Result<DiagnoseAnswer> {
    let settings = Settings::resolve(&Overrides::default(), environment)?;
    Ok(diagnose_with(request, &settings))
}

/// Probes as [`diagnose`] does, with settings of the command line.
pub fn diagnose_with(request: &DiagnoseRequest, settings: &Settings) -> DiagnoseAnswer {
    let project = existing(&request.vendor_dir);
    let mut answer = DiagnoseAnswer {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: VERSION,
        layout: LAYOUT,
        strategy: settings.strategy.to_string(),
        workers: settings.workers,
        threads: settings.threads,
        store: place(&settings.store, &existing(&settings.store)),
        vendor: place(&request.vendor_dir, &project),
        usage: None,
        method: None,
        sharing: None,
        problem: None,
    };
    match try_out(settings, &project) {
        Ok((store, method, refusal)) => {
            answer.usage = Some(store.usage().into());
            answer.method = Some(method.into());
            answer.sharing = refusal.map(Sharing::from);
        }
        Err(error) => {
            answer.problem = Some(match error.hint() {
                Some(hint) => format!("{error}; {hint}"),
                None => error.to_string(),
            });
        }
    }
    answer
}

impl From<allegro_store::Usage> for Usage {
    fn from(usage: allegro_store::Usage) -> Self {
        Self {
            manifests: usage.manifests,
            blobs: usage.blobs,
            bytes: usage.bytes,
            quarantined: usage.quarantined,
            quarantined_bytes: usage.quarantined_bytes,
        }
    }
}

impl From<Refusal> for Sharing {
    fn from(refusal: Refusal) -> Self {
        Self {
            reason: refusal.reason().to_owned(),
            advice: refusal.advice().to_owned(),
        }
    }
}

fn try_out(settings: &Settings, project: &Path) -> Result<(Store, Method, Option<Refusal>)> {
    let store = Store::open(&settings.store)?;
    store.check_file_system()?;
    let directory = beside(&project.join("allegro"));
    fs::create_dir(&directory).map_err(at("creating", &directory))?;
    let found = probe(&store, settings.strategy, &directory);
    let _ = remove_all(&directory);
    let (method, refusal) = found?;
    Ok((store, method, refusal))
}

/// Returns the real path of the nearest existing ancestor, or of the path itself.
fn existing(path: &Path) -> PathBuf {
    path.ancestors()
        .find_map(|path| path.canonicalize().ok())
        .unwrap_or_else(|| PathBuf::from("/"))
}

fn place(path: &Path, existing: &Path) -> Place {
    let (file_system, mount) = mounted(existing).unzip();
    Place {
        path: path.to_owned(),
        file_system,
        mount,
    }
}

/// Returns type and mount point of a path's file system, from `/proc/self/mountinfo` (proc(5)).
fn mounted(path: &Path) -> Option<(String, PathBuf)> {
    let text = fs::read_to_string("/proc/self/mountinfo").ok()?;
    text.lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let mount = PathBuf::from(unescaped(left.split(' ').nth(4)?));
            let kind = right.split(' ').next()?;
            path.starts_with(&mount).then(|| (kind.to_owned(), mount))
        })
        // Of several mounts on one point, the last one counts.
        .enumerate()
        .max_by_key(|(line, (_, mount))| (mount.components().count(), *line))
        .map(|(_, found)| found)
}

/// Decodes the octal escapes of that file, which it has for spaces and the like.
fn unescaped(text: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_what_an_install_would_do_and_nothing_stays() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        let settings = Settings {
            store: store.root().to_owned(),
            ..Settings::resolve(&Overrides::default(), &Environment::PROCESS).expect("settings")
        };
        let project = dir.path().join("project");
        fs::create_dir(&project).expect("a project");
        let (_, method, _) = try_out(&settings, &project).expect("tried");
        assert!(method < Method::Copy, "{method}");
        assert_eq!(fs::read_dir(&project).expect("list").count(), 0);
        assert_eq!(store.usage().blobs, 0);
    }

    #[test]
    fn every_path_is_on_a_file_system() {
        let (kind, mount) = mounted(Path::new("/proc/self")).expect("a mount");
        assert_eq!(
            (kind.as_str(), mount.as_path()),
            ("proc", Path::new("/proc"))
        );
        assert!(mounted(Path::new("/")).is_some());
    }

    #[test]
    fn what_does_not_exist_is_on_its_parents_file_system() {
        let dir = tempfile::tempdir().expect("temporary directory");
        assert_eq!(
            existing(&dir.path().join("a/b")),
            dir.path().canonicalize().expect("real")
        );
    }
}
