//! The content-addressable store: files by digest, packages as manifests that name them.
//!
//! ```text
//! <root>/CACHEDIR.TAG
//! <root>/layout                    the layout's number, see `layout.rs`
//! <root>/lock                      shared while a run uses the store, exclusive while pruning
//! <root>/reflink                   whether files can share blocks here, see `layout.rs`
//! <root>/blobs-v2/ab/<62 hex>-644-<seconds>
//!                                  one file's content with mode and time, see `blob.rs`
//! <root>/contents-v2/ab/<62 hex>   one content, where files can share blocks
//! <root>/manifests-v2/ab/<62 hex>  one package, see `manifest.rs`
//! <root>/roots-v2/                 which directory has which packages, see `roots.rs`
//! <root>/autoload-v2/              what projects' dumps have read, see `ops/autoload.rs`
//! <root>/classes-v2/               classes of packages' files, see `classmap/lists.rs`
//! <root>/metadata-v2/              what counts of repositories' metadata files, see `ops/outlines.rs`
//! <root>/quarantine/               blobs that were changed in place, kept for a month
//! <root>/tmp/                      swept when the owner is gone
//! ```
//!
//! The store never fetches and knows nothing of projects' directories.

mod blob;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
mod ingest;
mod layout;
pub mod link;
mod manifest;
mod prune;
mod records;
mod roots;
mod verify;

pub use blob::{Blob, BlobState, Digest, Facts, FileSpec, copy_hashed};
pub use ingest::{Ingested, ingest, refused};
pub use layout::{LAYOUT, PATIENCE, Patience, Store};
pub(crate) use layout::{open_directory, open_directory_at};
pub use manifest::{Item, ItemKind, Manifest};
pub use prune::Pruned;
pub use verify::{Findings, Usage};
