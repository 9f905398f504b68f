//! Allegro's core: archives into a content-addressable store, packages from it into a project.
//!
//! Layers, low to high; each is a crate of its own below `crates/`, so that Cargo keeps the order:
//!
//! * `allegro-base`: errors, progress, limits, memory, file operations
//! * `allegro-semver`, `allegro-composer`: versions and constraints; Composer's data
//! * `allegro-archive`, `allegro-fetch`: reading zip and tar; HTTP
//! * `allegro-store`: blobs, manifests, and links from them into directories
//! * `allegro-vendor`: what Composer generates below `vendor/`
//! * `allegro-resolver`: which versions an update would lock
//! * this crate: [`settings`], [`ops`] (the use cases, the only place where stages are joined), and the boundary to
//!   PHP: [`protocol`] (the messages), [`dispatch`] (from a request to its answer), [`helper`] and [`parting`] (the
//!   transport of the helper process)
//!
//! The flow of an install is `PrepareRequest` → plan → fetch → ingest → link → `PrepareAnswer`; the plugin
//! then renames each staged package into place inside Composer's own operation.

pub mod dispatch;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod helper;
pub mod ops;
pub mod parting;
pub mod protocol;
pub mod settings;
