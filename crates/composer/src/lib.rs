//! Composer's data: the identity of a dist, and JSON as PHP reads it. Nothing here reads or writes files.

mod dist;
pub mod json;

pub use dist::{Dist, ManifestKey};
