//! Allegro's core: archives into a content-addressable store, packages from it into a project.
//!
//! Layers, low to high; a layer uses those above it in this list only:
//!
//! * [`error`], [`report`], [`progress`], [`env`], [`limits`], [`settings`], [`fs`], [`json`], [`sealed`], [`memory`],
//!   [`ballast`], [`pool`]: what everything needs
//! * [`composer`]: Composer's data
//! * [`archive`], [`fetch`]: reading zip and tar; HTTP
//! * [`store`], [`link`]: blobs and manifests; blobs into directories
//! * [`classmap`]: classes of PHP files, and which of them an autoloader may find
//! * [`resolve`]: which versions an update would lock
//! * [`plan`]: which road each package takes
//! * [`ops`]: the use cases, the only place where stages are joined
//! * [`wire`], [`helper`], [`parting`]: the boundary to PHP
//!
//! The flow of an install is `PrepareRequest` → plan → fetch → ingest → link → `PrepareAnswer`; the plugin
//! then renames each staged package into place inside Composer's own operation.

pub mod archive;
pub mod ballast;
pub mod classmap;
pub mod composer;
pub mod env;
pub mod error;
pub mod fetch;
pub mod fs;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod helper;
pub mod json;
pub mod limits;
pub mod link;
pub mod memory;
pub mod ops;
pub mod parting;
pub mod plan;
pub mod pool;
pub mod progress;
pub mod report;
pub mod resolve;
pub mod sealed;
pub mod settings;
pub mod store;
pub mod wire;
