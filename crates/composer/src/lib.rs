//! Represents Composer's data: JSON as PHP reads and writes it, the content-hash of a lock, and the
//! identity of a dist. The crate neither reads nor writes files.

pub mod access;
pub mod config;
mod content_hash;
pub mod dialect;
mod dist;
pub mod installed;
mod installed_php;
pub mod json;
pub mod lock;
pub mod operation_text;
pub mod package;
pub mod paths;
pub mod php;
pub mod root;
pub mod shape;
pub mod transaction;
mod unfamiliar;

pub use content_hash::content_hash;
pub use dialect::Dialect;
pub use dist::{Dist, ManifestKey};
pub use unfamiliar::{Unfamiliar, unfamiliar};
