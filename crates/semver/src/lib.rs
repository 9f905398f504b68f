//! Versions and constraints, with the semantics of composer/semver.

pub mod bounds;
pub mod constraint;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
mod intervals;
mod parser;
pub mod version;

pub use parser::split_and;
