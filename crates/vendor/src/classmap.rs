//! Composer's class map, made natively: which files a rule covers, which classes they declare, and which of them count.
//!
//! * [`parser`]: the classes of one file
//! * [`pattern`]: Composer's exclusion expressions
//! * [`walk`]: the files below a directory, in the order in which Composer meets them
//! * [`scan`]: rules → class map
//! * [`records`], [`lists`], [`trace`], [`dump`]: what is known from earlier scans
//!
//! The rules are those that Composer's own dump asks for, in its order; the text of generated files is Composer's
//! too. Where a result can't be the same for sure the scan is declined, and Composer's own generator runs.

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
pub use scan::{Kind, Rule, Scan, Traits};
