//! Holds the foundation of Allegro: errors, progress, limits, memory, and the one place for file
//! operations. Nothing here knows Composer or the store.

pub mod ballast;
pub mod env;
pub mod error;
pub mod fs;
pub mod hex;
pub mod identity;
pub mod limits;
pub mod memory;
pub mod progress;
pub mod proxies;
pub mod redact;
pub mod report;
pub mod sealed;
pub mod tables;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod threads;
