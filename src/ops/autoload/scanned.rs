//! The result of a scan for callers within the library.

use allegro_base::hex::hex;
use allegro_vendor::classmap::Scan;

use crate::protocol::scan::{Rejected, ScanAnswer, UnsureFile};

/// The class map, or the reason why there is none.
pub enum Scanned {
    /// All files are read.
    Done {
        /// The class map.
        scan: Scan,
        /// Digest of the scan.
        digest: [u8; 32],
        /// Number of files that the rules cover.
        covered: usize,
        /// Number of files that were read for this scan.
        read: usize,
    },
    /// PHP must read some files.
    Unsure(Vec<UnsureFile>),
    /// Composer's own generator takes over.
    Declined {
        /// Reason of the refusal.
        reason: String,
    },
}

impl From<Scanned> for ScanAnswer {
    fn from(scanned: Scanned) -> Self {
        match scanned {
            Scanned::Done {
                scan,
                digest,
                covered,
                read,
            } => Self::Scanned {
                digest: hex(&digest),
                covered,
                read,
                files: scan.files,
                names: scan.names,
                at: scan.at,
                ambiguous: scan.ambiguous,
                rejected: scan.rejected.into_iter().map(Rejected::from).collect(),
            },
            Scanned::Unsure(files) => Self::Unsure { files },
            Scanned::Declined { reason } => Self::Declined { reason },
        }
    }
}
