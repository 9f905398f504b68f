//! Remembers a project after an install that had nothing to do, so that the next one is decided
//! without reading the lock.
//!
//! The record doesn't say that nothing has to be done: it says what that depends on. Manifest,
//! lock, configuration, records of installed packages, autoload files, PHP and Composer must be the
//! same files as then, each package's directory must exist, and the walk for the class map must
//! find what it found.

use std::fs;
use std::path::{Path, PathBuf};

use allegro_base::hex::hex;
use allegro_base::identity::{Clock, Identity};
use allegro_store::{Record, Store, directory_name};
use rustix::fs::{lstat, stat};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Context, Options};

/// The state of a project and of the machine.
#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    /// Digest of everything that is no file: options, variables, versions.
    key: [u8; 32],
    /// Files that decide what is installed, each with its state. They had settled before the run.
    inputs: Vec<(PathBuf, Option<Identity>)>,
    /// Files that the run has compared with what it would write.
    outputs: Vec<(PathBuf, Written)>,
    /// Paths that must exist: directories of packages, programs and their proxies.
    needed: Vec<PathBuf>,
    /// What the run has told and what scripts need.
    pub told: Told,
}

/// The parts of a run that the next one repeats.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Told {
    /// Lines before the dump.
    pub before: Vec<String>,
    /// Messages of the dump.
    pub dump: Vec<String>,
    /// Lines of plugins after the dump, for standard output.
    pub dump_output: Vec<String>,
    /// Lines after the dump.
    pub after: Vec<String>,
    /// Lines on standard output after the dump.
    pub output: Vec<String>,
    /// Lines of plugins at the end, for standard output.
    pub after_output: Vec<String>,
    /// Whether the autoloader is dumped with the classes of PSR rules.
    pub optimizes: bool,
    /// Whether the dump is part of the run.
    pub has_dump: bool,
    /// Vendor directory without links.
    pub vendor_real: PathBuf,
    /// Setting `bin-dir`.
    pub bin_dir: PathBuf,
    /// Setting `process-timeout`.
    pub timeout: u64,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    identity: Identity,
    /// Whether any later change must show in the identity.
    is_settled: bool,
    digest: [u8; 32],
}

fn identity(path: &Path) -> Option<Identity> {
    lstat(path).ok().map(|facts| Identity::from(&facts))
}

/// Returns the state of the file that a path leads to, because inputs may be links.
fn identity_behind(path: &Path) -> Option<Identity> {
    stat(path).ok().map(|facts| Identity::from(&facts))
}

/// The commands whose runs are remembered, each on its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `install`
    Install,
    /// `dump-autoload`
    Dump,
}

fn place(context: &Context<'_>, kind: Kind) -> String {
    let name = directory_name(&context.directory);
    let ending = match kind {
        Kind::Install => "install",
        Kind::Dump => "dumped",
    };
    Record::Install.place(&format!("{name}.{ending}"))
}

/// Returns the digest of everything that an install depends on and that is no file.
pub fn key(
    context: &Context<'_>,
    options: &Options,
    machine: Option<[u8; 32]>,
) -> Option<[u8; 32]> {
    let mut digest = Sha256::new();
    let mut add = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    add(env!("CARGO_PKG_VERSION").as_bytes());
    // Without a stamp, PHP may be another one in each run.
    match (machine, &context.machine.php) {
        (Some(stamp), _) => add(&stamp),
        (None, None) => add(b"no PHP"),
        (None, Some(_)) => return None,
    }
    add(context.directory.as_os_str().as_encoded_bytes());
    add(format!("{options:?}").as_bytes());
    add(format!("{:?}", context.verbosity).as_bytes());
    add(&context.umask.to_le_bytes());
    add(&rustix::process::geteuid().as_raw().to_le_bytes());
    let mut variables: Vec<_> = crate::settings::all_variables()
        .filter(|(name, _)| {
            let name = name.as_encoded_bytes();
            [&b"HOME"[..], b"TMPDIR"].contains(&name)
                || [&b"COMPOSER"[..], b"XDG_", b"GIT_"]
                    .iter()
                    .any(|start| name.starts_with(start))
        })
        .collect();
    variables.sort();
    for (name, value) in variables {
        add(name.as_encoded_bytes());
        add(value.as_encoded_bytes());
    }
    Some(digest.finalize().into())
}

impl State {
    /// Returns the state after a run that had nothing to do; `None` if the next run could not rely
    /// on it.
    ///
    /// `clock` was started before the run read anything. `outputs` are files with the content that
    /// the run would have written.
    pub fn after(
        key: [u8; 32],
        clock: &Clock,
        inputs: &[PathBuf],
        outputs: &[(PathBuf, Vec<u8>)],
        needed: Vec<PathBuf>,
        told: Told,
    ) -> Option<Self> {
        let mut watched = Vec::with_capacity(inputs.len());
        for path in inputs {
            let identity = identity_behind(path);
            if identity.is_some_and(|identity| !clock.has_settled(&identity)) {
                return None;
            }
            watched.push((path.clone(), identity));
        }
        let mut written = Vec::with_capacity(outputs.len());
        for (path, content) in outputs {
            let before = identity(path)?;
            let found = fs::read(path).ok()?;
            if found != *content {
                return None;
            }
            let file = Written {
                is_settled: clock.has_settled(&before),
                identity: before,
                digest: Sha256::digest(&found).into(),
            };
            written.push((path.clone(), file));
        }
        Some(Self {
            key,
            inputs: watched,
            outputs: written,
            needed,
            told,
        })
    }

    /// Returns the name of a dump that depends on this state.
    pub fn fingerprint(key: &[u8; 32], inputs: &[PathBuf]) -> String {
        let mut digest = Sha256::new();
        digest.update(b"install");
        digest.update(key);
        for path in inputs {
            let identity = identity_behind(path);
            digest.update(path.as_os_str().as_encoded_bytes());
            digest.update(postcard::to_stdvec(&identity).unwrap_or_default());
        }
        hex(&digest.finalize())
    }

    /// Returns the name of the dump that belongs to this state.
    pub fn own_fingerprint(&self) -> String {
        let paths: Vec<PathBuf> = self.inputs.iter().map(|(path, _)| path.clone()).collect();
        Self::fingerprint(&self.key, &paths)
    }

    /// Returns the recorded state of a project, if everything is as it was then.
    pub fn current(
        context: &Context<'_>,
        store: &Store,
        kind: Kind,
        key: &[u8; 32],
    ) -> Option<Self> {
        let state: Self = store.read_sealed(Record::Install, &place(context, kind))?;
        let is_current = state.key == *key
            && state
                .inputs
                .iter()
                .all(|(path, identity)| identity_behind(path) == *identity)
            && state
                .outputs
                .iter()
                .all(|(path, written)| written.is_at(path))
            && state.needed.iter().all(|path| stat(path).is_ok());
        is_current.then_some(state)
    }

    /// Keeps the state for the next run. A failure only costs time.
    pub fn keep(&self, context: &Context<'_>, store: &Store, kind: Kind) {
        let _ = store.write_sealed(Record::Install, &place(context, kind), self);
    }

    /// Returns whether a file had been written so shortly before that its content must be compared.
    pub fn has_unsettled(&self) -> bool {
        self.outputs.iter().any(|(_, written)| !written.is_settled)
    }
}

impl Written {
    /// Returns whether the file at `path` is still the one that was written.
    fn is_at(&self, path: &Path) -> bool {
        identity(path).as_ref() == Some(&self.identity)
            && (self.is_settled
                || fs::read(path)
                    .is_ok_and(|bytes| <[u8; 32]>::from(Sha256::digest(&bytes)) == self.digest))
    }
}

/// The record's decoder, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub(crate) const FUZZED: allegro_base::testing::records::RecordKind =
    allegro_base::testing::records::RecordKind {
        magic: *Record::Install.magic(),
        again: |bytes| {
            allegro_base::testing::records::again::<State>(*Record::Install.magic(), bytes)
        },
    };
