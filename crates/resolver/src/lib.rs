//! Chooses the versions that `composer update` would lock; [`solve`] is the way in.
//!
//! The steps are Composer's, and so is their order, because order decides between equals: packages that come into
//! question ([`Builder`](pool_builder)), those that can make a difference (`optimizer`), rules, decisions. Nothing here
//! reads files or talks to servers; metadata comes from a [`Provider`].
//!
//! Facts are those of Composer's `DependencyResolver` (2.5 to 2.11) and of composer/semver. Where it is not certain that
//! the answer is Composer's, there is none: [`Stop::Unclear`], and Composer finds it itself.

mod answer;
mod attempt;
pub mod explanation;
mod extraction;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
pub mod lock_diff;
pub mod mending;
pub mod metadata;
pub mod metadata_text;
mod optimizer;
pub mod outline;
pub mod package;
mod policy;
mod pool;
mod pool_builder;
mod provider;
pub mod request;
mod rules;
mod solve;
mod solver;
#[cfg(test)]
mod tests;
mod usort;
pub mod verdict;

pub use answer::{Answer, Chosen, MetadataPlace};
pub use provider::Provider;
pub use solve::{Resolution, Stop, solve};
