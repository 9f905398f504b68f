//! Composer's data as far as installing needs it. No I/O here.

mod dist;

pub use dist::{Dist, ManifestKey};
