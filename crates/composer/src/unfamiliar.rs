//! The answer of native code that leaves an input to Composer.

/// An input that only Composer itself handles, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfamiliar(pub String);

impl Unfamiliar {
    /// Returns the answer with a reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Leaves an input to Composer for a reason.
///
/// # Errors
/// Always fails.
pub fn unfamiliar<T, E: From<Unfamiliar>>(reason: impl Into<String>) -> Result<T, E> {
    Err(Unfamiliar::new(reason).into())
}
