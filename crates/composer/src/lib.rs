//! Composer's data: JSON as PHP reads and writes it, the content-hash of a lock, the identity of a dist.
//! Nothing here reads or writes files.

mod content_hash;
mod dist;
pub mod json;

pub use content_hash::content_hash;
pub use dist::{Dist, ManifestKey};
