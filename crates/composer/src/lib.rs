//! Represents Composer's data: JSON as PHP reads and writes it, the content-hash of a lock, and the
//! identity of a dist. The crate neither reads nor writes files.

mod content_hash;
mod dist;
pub mod json;
pub mod package;
pub mod php;

pub use content_hash::content_hash;
pub use dist::{Dist, ManifestKey};
