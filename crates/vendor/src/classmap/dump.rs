//! The record of a project's last dump: its input and its output. The module also knows the places
//! of a project's records.
//!
//! A record is on disk as a sealed [`Dump`] (see [`Record::Dump`]).

use std::fs;
use std::path::{Path, PathBuf};

use allegro_base::error::Result;
use allegro_base::hex::hex;
use allegro_base::identity::{Clock, Identity};
use allegro_store::{Record, Store, directory_name};
use rustix::fs::lstat;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Dialect, ScanRule, Traits};

/// The input and the output of a dump.
#[derive(Debug, Serialize, Deserialize)]
pub struct Dump {
    /// Fingerprint of everything but PHP files. It is empty until the dump is done.
    pub fingerprint: String,
    /// Text that the dump printed.
    pub said: String,
    /// Input of the class map.
    pub input: Input,
    /// Digest of the class map.
    pub digest: [u8; 32],
    /// Number of classes, as the dump reports it.
    pub classes: u64,
    /// Generated files. `None` stands for a file that must not exist.
    pub outputs: Vec<(PathBuf, Option<Output>)>,
}

/// The input of a class map, apart from files.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Input {
    /// Composer's working directory.
    pub cwd: String,
    /// The PHP that reads the files.
    pub dialect: Dialect,
    /// The behaviour of the running Composer.
    pub traits: Traits,
    /// The rules of the class map.
    pub rules: Vec<ScanRule>,
}

/// A generated file as the dump left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    identity: Identity,
    /// Whether any later change must show in the identity.
    settled: bool,
    /// SHA-256 of the file, in hexadecimal.
    digest: String,
}

impl Dump {
    /// Returns the record of a project's last dump, if there is one.
    pub fn read(places: &Places) -> Option<Self> {
        Record::Dump.decode(&places.dump, &places.read(&places.dump))
    }

    /// Writes the record.
    pub fn write(&self, places: &Places) -> Result<()> {
        places.write(&places.dump, &Record::Dump.encode(&places.dump, self))
    }

    /// Returns whether all generated files are still as the dump wrote them.
    pub fn has_its_outputs(&self) -> bool {
        self.outputs.iter().all(|(path, output)| match output {
            None => identity(path).is_none(),
            Some(output) => output.is_at(path),
        })
    }
}

impl Output {
    /// Returns the state of a generated file, whose SHA-256 is `expected`, in hexadecimal.
    ///
    /// `Some(None)` says that the file must not exist and doesn't. `None` says that the file isn't
    /// the expected one.
    pub fn of(path: &Path, expected: Option<&str>, clock: &Clock) -> Option<Option<Self>> {
        match (expected, identity(path)) {
            (None, None) => Some(None),
            (Some(expected), Some(identity)) if digest(path).as_deref() == Some(expected) => {
                Some(Some(Self {
                    settled: clock.has_settled(&identity),
                    identity,
                    digest: expected.to_owned(),
                }))
            }
            _ => None,
        }
    }

    /// Returns whether the file at `path` is still as it was written.
    fn is_at(&self, path: &Path) -> bool {
        identity(path).as_ref() == Some(&self.identity)
            && (self.settled || digest(path).as_deref() == Some(&self.digest))
    }
}

/// Returns a file's identity, if the file exists.
fn identity(path: &Path) -> Option<Identity> {
    lstat(path).ok().map(|stat| Identity::from(&stat))
}

/// Returns the SHA-256 of a file, in hexadecimal.
fn digest(path: &Path) -> Option<String> {
    fs::read(path)
        .ok()
        .map(|bytes| hex(&Sha256::digest(&bytes)))
}

/// The places of a project's records. Without a store, nothing is kept.
pub struct Places {
    /// The store, if it can be used.
    pub store: Option<Store>,
    /// Place of the classes of the project's files.
    pub classes: String,
    /// Place of the walk that led to the class map.
    pub walk: String,
    dump: String,
}

impl Places {
    /// Returns the places of the project with this vendor directory.
    pub fn of(store: &Path, vendor_dir: &Path) -> Self {
        let name = directory_name(vendor_dir);
        Self {
            store: Store::open_at_once(store).ok(),
            classes: Record::ProjectClasses.place(&format!("{name}.records")),
            walk: Record::Walk.place(&format!("{name}.walk")),
            dump: Record::Dump.place(&format!("{name}.dump")),
        }
    }

    /// Returns the bytes of a record, or no bytes if there is no record.
    pub fn read(&self, place: &str) -> Vec<u8> {
        self.store
            .as_ref()
            .and_then(|store| store.read_bytes(place))
            .unwrap_or_default()
    }

    /// Writes the bytes of a record.
    pub fn write(&self, place: &str, bytes: &[u8]) -> Result<()> {
        match &self.store {
            Some(store) => store.write_bytes(place, bytes),
            None => Ok(()),
        }
    }
}

/// The record's decoder, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub const FUZZED: allegro_base::testing::records::RecordKind =
    allegro_base::testing::records::RecordKind {
        magic: *Record::Dump.magic(),
        again: |bytes| allegro_base::testing::records::again::<Dump>(*Record::Dump.magic(), bytes),
    };
