//! Makes Composer's class map natively: finds the files that a rule covers, the classes that they
//! declare, and which of these count.
//!
//! - [`parser`]: finds the classes of one file.
//! - [`pattern`]: reads Composer's exclusion expressions.
//! - [`walk`]: lists the files below a directory, in the order in which Composer meets them.
//! - [`scan`]: turns rules into a class map.
//! - [`records`], [`lists`], [`trace`], [`dump`]: keep the results of earlier scans.
//!
//! The rules are those of Composer's own dump, in its order. Composer also writes the text of
//! generated files. Where a result might differ from Composer's, the scan is declined, and
//! Composer's own generator runs.

pub mod dump;
#[cfg(any(test, feature = "testing"))]
pub mod fuzzing;
pub mod lists;
pub mod parser;
pub mod pattern;
pub mod records;
pub mod scan;
pub mod trace;
pub mod walk;

pub use parser::{Dialect, Unsure, find_classes};
pub use pattern::Exclusion;
pub use records::Records;
pub use scan::{Scan, ScanKind, ScanRule, Traits};
