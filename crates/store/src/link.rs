//! Puts blobs into install paths by reflink, hard link or copy. It knows directories and modes, but
//! not Composer.

mod compare;
mod linker;
mod probe;
mod strategy;
mod tree;

pub use compare::{CompareOptions, Difference, Fault, compare_tree};
pub use linker::{LinkError, LinkSource, LinkTarget, Linker, Supply};
pub use probe::probe;
pub use strategy::{Method, Refusal, Strategy};
pub use tree::{Linked, TreeError, TreeOptions, check_files, link_tree};
