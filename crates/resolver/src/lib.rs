//! Chooses the versions that `composer update` would lock. [`solve`] is the entry point.
//!
//! The steps and their order are Composer's, because the order decides between equal candidates.
//! [`Builder`](pool_builder) collects the packages that come into question. `optimizer` removes the
//! packages that cannot make a difference. Rules and decisions follow.
//!
//! This crate neither reads files nor talks to servers; a [`Provider`] supplies the metadata.
//!
//! Its behaviour mirrors Composer's `DependencyResolver` (2.5 to 2.11) and composer/semver. Where
//! it is not certain that the answer is Composer's, there is none: [`solve`] returns
//! [`Stop::Unclear`], and Composer resolves by itself.

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
