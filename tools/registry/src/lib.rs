//! Runs a Composer registry on the loopback device, for tests, demonstrations and measurements.
//!
//! ```text
//! composer.lock, shapes ─┐
//! size and seed ─────────┼─▶ Catalog (PackageSpec ─ render ─▶ archive) ─▶ Server
//! source trees ──────────┘      │                              (metadata, dists, faults, log)
//!                               └─ project ─▶ composer.json, composer.lock
//! ```
//!
//! A [`Catalog`] has packages whose archives are made on demand, with the same bytes on every
//! machine and in every run. It writes a project that installs them from a [`Server`]. The server
//! can be slow, broken or closed on demand.

// Composer and PHP look for `.php` and `composer.json` in lower case.
#![allow(clippy::case_sensitive_file_extension_comparisons)]

mod archive;
mod catalog;
mod error;
mod glob;
mod history;
mod json;
mod project;
mod releases;
mod render;
mod rng;
mod server;
mod shape;
mod spec;

pub use allegro_composer::content_hash;
pub use archive::{Content, Format, Mode, Stamp, Times, dos_time, dos_words, extra, ut};
pub use catalog::{
    Archive, Catalog, GenSpec, LockOptions, OlderOptions, Package, Profile, Stats, TreeOptions,
};
pub use error::{Error, Result};
pub use history::{History, Released};
pub use json::{Json, parse as parse_json, read as read_json};
pub use project::{Project, ProjectOptions, dist_url};
pub use releases::Releases;
pub use render::{PluginKind, content as file_content, function_name};
pub use rng::Rng;
pub use server::{
    Auth, AuthRule, Credentials, Fault, ForwardProxy, LogEntry, ProxyOptions, ProxyRequest,
    Redirect, Rule, Server, ServerOptions,
};
pub use shape::{Shape, ShapeFile, Shapes};
pub use spec::{FileSpec, PackageSpec, Role};
