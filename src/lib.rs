//! Allegro's core: puts archives into a content-addressable store, and packages from the store into
//! a project.
//!
//! The layers follow from low to high. Each is a crate of its own below `crates/`, so that Cargo
//! keeps the order:
//!
//! - `allegro-base`: errors, progress, limits, memory, file operations
//! - `allegro-semver`, `allegro-composer`: versions and constraints, Composer's data
//! - `allegro-archive`, `allegro-fetch`: readers of zip and tar, HTTP
//! - `allegro-store`: blobs, manifests, and links from them into directories
//! - `allegro-vendor`: files that Composer generates below `vendor/`
//! - `allegro-resolver`: the choice of versions that an update would lock
//! - this crate: the operations and the boundary to PHP
//!
//! This crate has [`settings`] and [`ops`], the only place where stages are joined. Its boundary to
//! PHP consists of [`protocol`] (messages) and [`dispatch`] (from a request to its answer).
//! [`helper`] and [`parting`] are the transport of the helper process.
//!
//! With the feature `cli` it has the command line as well: `cli` from arguments to exit codes, and
//! `delegate` for the work that the Composer of the machine does.
//!
//! The flow of an install is `PrepareRequest` → plan → fetch → ingest → link → `PrepareAnswer`. The
//! plugin then renames each staged package into place inside Composer's own operation.

#[cfg(feature = "cli")]
pub mod care;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod console;
#[cfg(feature = "cli")]
pub mod delegate;
pub mod dispatch;
#[cfg(any(test, feature = "testing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod helper;
#[cfg(feature = "cli")]
pub mod install;
#[cfg(feature = "cli")]
pub mod machine;
pub mod ops;
pub mod parting;
pub mod protocol;
#[cfg(feature = "cli")]
pub mod scripts;
pub mod settings;
#[cfg(feature = "cli")]
pub mod update;
