//! Updates the lock of a project without PHP, as `composer update` does.
//!
//! Composer does what this module doesn't know. That is decided before anything is written, except
//! for Composer's cache of metadata.
//!
//! - [`options`], [`config`]: the inputs from the command line and from Composer's configuration.
//! - [`repositories`], [`root_file`]: the repositories and their `packages.json`.
//! - [`problem`], [`snapshot`]: the problem that the resolver solves.
//! - [`outcome`], [`references`]: the new lock, made of the resolver's answer.
//! - [`audit`]: asks repositories for advisories.
//! - [`run`], [`change`]: carry the update out.

mod audit;
mod change;
mod config;
mod options;
mod outcome;
mod problem;
mod references;
mod repositories;
mod root_file;
mod run;
mod snapshot;

pub use config::UpdateConfig;
pub use options::Options;
pub use run::update;
