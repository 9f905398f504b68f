//! The answer of native code that leaves an input to Composer.

/// An input that only Composer itself handles, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfamiliar(pub String);
