//! Carries packages from one store to another in one file.
//!
//! The file is the word `ALPACK01` and one zstd frame. (PHP code shrinks to a sixth at 200 MB/s.)
//! All numbers are little endian. The frame holds:
//!
//! ```text
//! 1, key (32 bytes), length (4 bytes), the sealed record of the manifest     for each package
//! 2, digest (32 bytes), size (8 bytes), the bytes                            for each content
//! 0, number of packages (8 bytes), number of contents (8 bytes),
//!    SHA-256 over everything before it but the bytes of contents
//! ```
//!
//! All packages come before the contents, so that a reader knows each content's size beforehand.
//! Each content that a package names is there once, and nothing else is.

mod export;
mod format;
mod import;

pub use export::Exported;
pub use import::Imported;

#[cfg(any(test, feature = "testing"))]
pub(crate) use format::{MAGIC, Receiver, read};

#[cfg(test)]
mod tests;
