//! The content-addressable store: keeps files by digest, and packages as manifests that name them.
//!
//! ```text
//! <root>/CACHEDIR.TAG
//! <root>/layout                    the layout's number, see `layout.rs`
//! <root>/lock                      shared while a run uses the store, exclusive while pruning
//! <root>/gate                      exclusive while a pruning waits for the lock, see `lock.rs`
//! <root>/reflink                   whether files can share blocks here, see `layout.rs`
//! <root>/<bucket>/               blobs, manifests and other records, see [`Bucket`]
//! <root>/quarantine/               blobs that were changed in place, kept for a month
//! <root>/tmp/                      swept when the owner is gone
//! ```
//!
//! The store never fetches. It keeps a registry of projects, which tells what is in use (see
//! `projects.rs`).

mod blob;
mod bucket;
mod digest;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
mod indexed;
mod ingest;
mod layout;
pub mod link;
mod lock;
mod manifest;
#[cfg(test)]
mod processes;
mod projects;
mod prune;
mod records;
mod shards;
mod status;
#[cfg(test)]
mod testing;
mod transfer;
mod verify;
mod walk;

pub use blob::{Blob, BlobState, Facts, FileSpec};
pub use bucket::{Bucket, Keep, Record, directory_name, forget_unwritten};
pub use digest::{Digest, copy_hashed};
pub use indexed::{Indexed, Part, Parts, read_indexed, write_indexed};
pub use ingest::{Ingested, ingest, refused};
pub use layout::{LAYOUT, Store};
pub use lock::{PATIENCE, Patience};
pub use manifest::{Item, ItemKind, Manifest};
pub use projects::{Project, ProjectPackage};
pub use prune::{PruneOptions, Pruned};
pub(crate) use shards::{open_directory, open_directory_at};
pub use status::{ProjectUsage, Status, Usage};
pub use transfer::{Exported, Imported};
pub use verify::Findings;
