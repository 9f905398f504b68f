//! Converts an error into the outcome of a package whose preparation failed.

use allegro_base::error::{Error, ErrorKind};

use super::notices::STORE_IS_FULL;
use crate::protocol::prepare::PackageOutcome;

impl From<Error> for PackageOutcome {
    fn from(error: Error) -> Self {
        match error.kind() {
            // Each package gets the same words, whichever of its files found no room.
            ErrorKind::Declined if error.is_full() => Self::Declined {
                reason: STORE_IS_FULL.to_owned(),
                loud: false,
            },
            ErrorKind::Declined => Self::Declined {
                reason: match error.hint() {
                    Some(hint) => format!("{error}; {hint}"),
                    None => error.to_string(),
                },
                loud: matches!(error, Error::Store { .. }),
            },
            // Composer retries, and reports in its own words, with its own exit code.
            ErrorKind::Network => Self::Declined {
                reason: error.to_string(),
                loud: false,
            },
            kind => Self::Failed {
                kind: kind.into(),
                code: error.code().to_owned(),
                message: error.to_string(),
                hint: error.hint().map(str::to_owned),
            },
        }
    }
}
