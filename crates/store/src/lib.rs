//! The content-addressable store: files by digest, packages as manifests that name them.
//!
//! ```text
//! <root>/CACHEDIR.TAG
//! <root>/layout                    the layout's number, see `layout.rs`
//! <root>/lock                      shared while a run uses the store, exclusive while pruning
//! <root>/reflink                   whether files can share blocks here, see `layout.rs`
//! <root>/<bucket>/               blobs, manifests and other records, see [`Bucket`]
//! <root>/quarantine/               blobs that were changed in place, kept for a month
//! <root>/tmp/                      swept when the owner is gone
//! ```
//!
//! The store never fetches and knows nothing of projects' directories.

mod blob;
mod bucket;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
mod indexed;
mod ingest;
mod layout;
pub mod link;
mod manifest;
mod prune;
mod records;
mod roots;
mod verify;

pub use blob::{Blob, BlobState, Digest, Facts, FileSpec, copy_hashed};
pub use bucket::{Bucket, Keep, Record, forget_unwritten};
pub use indexed::{Indexed, Part, Parts, read_indexed, write_indexed};
pub use ingest::{Ingested, ingest, refused};
pub use layout::{LAYOUT, PATIENCE, Patience, Store};
pub(crate) use layout::{open_directory, open_directory_at};
pub use manifest::{Item, ItemKind, Manifest};
pub use prune::Pruned;
pub use verify::{Findings, Usage};
