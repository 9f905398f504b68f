//! The content-addressable store: files by digest, packages as manifests that name them.
//!
//! ```text
//! <root>/CACHEDIR.TAG
//! <root>/layout                    the layout's number, see `layout.rs`
//! <root>/lock                      shared while a run uses the store, exclusive while pruning
//! <root>/blobs-v1/ab/<62 hex>-644  one file's content with one mode, see `blob.rs`
//! <root>/manifests-v1/ab/<62 hex>  one package, see `manifest.rs`
//! <root>/roots-v1/                 which project has linked what, see `roots.rs`
//! <root>/autoload-v1/              what projects' dumps have read, see `ops/autoload.rs`
//! <root>/classes-v1/               classes of packages' files, see `classmap/lists.rs`
//! <root>/metadata-v1/              what counts of repositories' metadata files, see `ops/outlines.rs`
//! <root>/quarantine/               blobs that were changed in place, kept for a look
//! <root>/tmp/                      swept when the owner is gone
//! ```
//!
//! The store never fetches and knows nothing of projects' directories.

mod blob;
mod ingest;
mod layout;
mod manifest;
mod roots;
mod verify;

pub(crate) use blob::seal;
pub use blob::{BlobName, BlobState, Digest, hex};
pub use ingest::{Ingested, ingest};
pub(crate) use layout::open_directory;
pub use layout::{LAYOUT, Store};
pub use manifest::{Item, ItemKind, Manifest};
pub use verify::{Findings, Usage};
