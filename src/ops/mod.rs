//! Use cases: the only place where stages are joined.

mod diagnose;
mod info;
mod pool;
mod prepare;
mod remove;

pub use diagnose::diagnose;
pub use info::info;
pub use prepare::prepare;
pub use remove::remove;
