//! Blob → install path: by reflink, hard link or copy. Knows directories and modes, not Composer.

mod linker;
mod probe;
mod strategy;
mod tree;

pub use linker::{LinkError, Linker, Source, Supply, Target};
pub use probe::probe;
pub use strategy::{Method, Refusal, Strategy};
pub use tree::{Linked, TreeError, TreeOptions, link_tree};
