//! Declares every bucket of the store and every kind of record: names, versions, magic words, and
//! how long the content is kept.
//!
//! A format that changes gets another number in the name of its bucket or in its magic word. The
//! former bucket stays until other versions of Allegro are gone from the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use allegro_base::hex::hex;
use allegro_base::sealed;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Store;

/// A directory at the store's root. Each bucket holds one kind of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bucket {
    /// Contents of files with mode and time, `ab/<62 hex>-644-<seconds>` (see `blob.rs`).
    Blobs,
    /// Contents of files without mode and time, `ab/<62 hex>`, where files can share blocks (see
    /// `blob.rs`).
    Contents,
    /// Packages, `ab/<62 hex of the key>` (see `manifest.rs`).
    Manifests,
    /// The registry of projects, `<32 hex of the vendor directory's SHA-256>` (see `projects.rs`).
    Roots,
    /// Input and output of each project's last dump,
    /// `<32 hex of the vendor directory's SHA-256>.{records,walk,dump,install}`.
    Autoload,
    /// Classes of each package's files, `<dialect>/ab/<62 hex of the key>`.
    Classes,
    /// The relevant content of each repository's metadata files,
    /// `<32 hex of the cache directory's SHA-256>`.
    Metadata,
    /// Facts about each PHP and Composer on the machine, `<32 hex of their paths' SHA-256>`, and the
    /// fixed texts of each Composer, with `.texts` at the end.
    Machine,
    /// Notices that each vendor directory has got, as empty files
    /// `<32 hex of the vendor directory's SHA-256>-<notice>`.
    Told,
}

/// The condition under which the content of a bucket is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Content stays while a file outside of the store shares it, or a kept manifest names it.
    WhileUsed,
    /// Content stays while a project on record has the package.
    WhileOnRecord,
    /// A record stays while the directory exists that it describes, or is young.
    WhileDirectoryExists,
    /// A record stays until nobody has written it for this duration.
    WhileWritten(Duration),
}

/// How long an unwritten metadata record stays. Caches of repositories come and go. A run that
/// needs a removed record reads the metadata files once more.
pub(super) const UNWRITTEN: Duration = Duration::from_hours(60 * 24);

/// How long unwritten facts about a machine stay. A run that needs removed facts starts PHP once.
const UNWRITTEN_FACTS: Duration = Duration::from_hours(180 * 24);

impl Bucket {
    /// All buckets.
    pub const ALL: [Self; 9] = [
        Self::Blobs,
        Self::Contents,
        Self::Manifests,
        Self::Roots,
        Self::Autoload,
        Self::Classes,
        Self::Metadata,
        Self::Machine,
        Self::Told,
    ];

    /// Returns the directory's name: a word and the version of the format.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blobs => "blobs-v2",
            Self::Contents => "contents-v2",
            Self::Manifests => "manifests-v2",
            Self::Roots => "roots-v3",
            Self::Autoload => "autoload-v2",
            Self::Classes => "classes-v2",
            Self::Metadata => "metadata-v2",
            Self::Machine => "machine-v1",
            Self::Told => "told-v1",
        }
    }

    /// Returns the names that former versions of Allegro gave this bucket.
    pub const fn former_names(self) -> &'static [&'static str] {
        match self {
            Self::Blobs => &["blobs-v1"],
            Self::Contents | Self::Machine => &[],
            Self::Manifests => &["manifests-v1"],
            // Records of `roots-v2` still count (see `projects/former.rs`).
            Self::Roots => &["roots-v1"],
            Self::Autoload => &["autoload-v1"],
            Self::Classes => &["classes-v1"],
            Self::Metadata => &["metadata-v1"],
            Self::Told => &["told"],
        }
    }

    /// Returns how long the bucket's content is kept.
    pub const fn keep(self) -> Keep {
        match self {
            Self::Blobs | Self::Contents => Keep::WhileUsed,
            Self::Manifests | Self::Classes => Keep::WhileOnRecord,
            Self::Roots | Self::Autoload | Self::Told => Keep::WhileDirectoryExists,
            Self::Metadata => Keep::WhileWritten(UNWRITTEN),
            Self::Machine => Keep::WhileWritten(UNWRITTEN_FACTS),
        }
    }

    /// Returns whether the bucket has directories for shards, which are made with the store.
    pub(super) const fn is_made_with_the_store(self) -> bool {
        matches!(self, Self::Blobs | Self::Contents | Self::Manifests)
    }

    /// Returns whether the bucket holds records that only save time, and that a check reads one by
    /// one.
    pub(super) const fn has_records(self) -> bool {
        matches!(
            self,
            Self::Roots | Self::Autoload | Self::Classes | Self::Metadata | Self::Machine
        )
    }

    /// Returns whether records stand in directories of the bucket.
    pub(super) const fn has_directories(self) -> bool {
        matches!(self, Self::Classes)
    }
}

/// Removes records that have not been written for as long as their bucket keeps them, in the store
/// at `root`. The function ignores failures.
pub fn forget_unwritten(root: &Path, bucket: Bucket) {
    let Keep::WhileWritten(kept) = bucket.keep() else {
        return;
    };
    for entry in fs::read_dir(root.join(bucket.name()))
        .into_iter()
        .flatten()
        .flatten()
    {
        let age = entry
            .metadata()
            .and_then(|facts| facts.modified())
            .map(|moment| moment.elapsed());
        if matches!(age, Ok(Ok(age)) if age > kept) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A kind of sealed record (see [`allegro_base::sealed`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// A package.
    Manifest,
    /// The packages and the last use of a project.
    Root,
    /// The input and the output of a dump.
    Dump,
    /// The state of a project after an install that had nothing to do.
    Install,
    /// The classes of a project's files.
    ProjectClasses,
    /// The directories and files that a dump has walked through.
    Walk,
    /// The classes of a package's files.
    PackageClasses,
    /// The index of a repository's metadata files (see `indexed.rs`).
    Metadata,
    /// Facts about a PHP and a Composer.
    Probe,
    /// The fixed texts of a Composer.
    Texts,
}

impl Record {
    /// Returns the magic word at the beginning of the record.
    pub const fn magic(self) -> &'static [u8; 8] {
        match self {
            Self::Manifest => b"ALMANI02",
            Self::Root => b"ALROOT03",
            Self::Dump => b"ALDUMP02",
            Self::Install => b"ALINST01",
            Self::ProjectClasses => b"ALRECS02",
            Self::Walk => b"ALWALK03",
            Self::PackageClasses => b"ALCLAS02",
            Self::Metadata => b"ALMETA04",
            Self::Probe => b"ALPROB02",
            Self::Texts => b"ALTEXT01",
        }
    }

    /// Returns the bucket that holds such records.
    pub const fn bucket(self) -> Bucket {
        match self {
            Self::Manifest => Bucket::Manifests,
            Self::Root => Bucket::Roots,
            Self::Dump | Self::Install | Self::ProjectClasses | Self::Walk => Bucket::Autoload,
            Self::PackageClasses => Bucket::Classes,
            Self::Metadata => Bucket::Metadata,
            Self::Probe | Self::Texts => Bucket::Machine,
        }
    }

    /// Returns the place of a record below the store's root.
    pub fn place(self, name: &str) -> String {
        format!("{}/{name}", self.bucket().name())
    }

    /// Returns the bytes of a record that stands at `place`.
    pub fn encode(self, place: &str, value: &impl Serialize) -> Vec<u8> {
        sealed::encode(self.magic(), place, value)
    }

    /// Returns the value of a record, if the record is whole and belongs to `place`.
    pub fn decode<'a, T: Deserialize<'a>>(self, place: &str, bytes: &'a [u8]) -> Option<T> {
        sealed::decode(self.magic(), place, bytes)
    }

    /// Returns the encoded value of a record, for callers that decode it piece by piece.
    pub fn payload<'a>(self, place: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
        sealed::payload(self.magic(), place, bytes)
    }
}

/// Returns the name under which records of a directory stand: 32 hexadecimal digits of the SHA-256
/// of its path.
pub fn directory_name(directory: &Path) -> String {
    hex(&Sha256::digest(directory.as_os_str().as_encoded_bytes())[..16])
}

impl Store {
    /// Returns the directory of a bucket.
    pub fn bucket(&self, bucket: Bucket) -> PathBuf {
        self.root().join(bucket.name())
    }

    /// Records that a vendor directory gets a notice. Returns whether the directory gets it for the
    /// first time.
    pub fn is_first_telling(&self, vendor_dir: &Path, notice: &str) -> bool {
        let told = self.bucket(Bucket::Told);
        let name = format!("{}-{notice}", directory_name(vendor_dir));
        fs::create_dir_all(&told).is_ok() && fs::File::create_new(told.join(name)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let mut names: Vec<&str> = Bucket::ALL
            .iter()
            .flat_map(|bucket| {
                let (word, _) = bucket.name().split_once("-v").expect("a version");
                for former in bucket.former_names() {
                    assert_eq!(former.split("-v").next(), Some(word));
                }
                [bucket.name()]
                    .into_iter()
                    .chain(bucket.former_names().iter().copied())
            })
            .collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
