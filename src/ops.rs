//! Implements the operations, and is the only place where stages are joined.

mod attend;
mod autoload;
mod constraints;
mod convert;
mod diagnose;
mod explain;
pub(crate) mod http;
mod info;
mod lock_diff;
mod mend;
mod metadata_provider;
mod outline_cache;
mod prepare;
mod remove;
mod replace;
mod report;
mod resolve;

pub use autoload::{Scanned, dumped, dumped_with, scan, scan_with, unchanged, unchanged_with};
pub use diagnose::{diagnose, diagnose_with};
pub use explain::explain;
pub use info::info;
pub use lock_diff::lock_diff;
pub use mend::mend;
pub use prepare::{fill, prepare, prepare_ahead, restore, sweep_vendor};
pub use remove::remove;
pub use replace::replace;
pub use report::{Report, Sending, report};
pub use resolve::{resolve, resolve_alone, warm_up};

/// The decoders of records, for the fuzz targets.
#[cfg(any(test, feature = "testing"))]
pub(crate) const RECORDS: [allegro_base::testing::records::RecordKind; 1] = [outline_cache::FUZZED];
