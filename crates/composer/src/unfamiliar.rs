/// An input that only Composer itself handles, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfamiliar(pub String);
