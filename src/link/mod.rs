//! Blob → install path: by reflink, hard link or copy. Knows directories and modes, not Composer.

mod method;
mod tree;

pub use method::{Linker, Method, Strategy, probe};
pub use tree::{Linked, TreeError, TreeOptions, link_tree};
