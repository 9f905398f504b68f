//! Versions and constraints as composer/semver reads them.

pub mod constraint;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
mod intervals;
mod parser;
pub mod version;
