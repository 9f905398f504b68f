//! Limits the metadata that one resolution takes in, because a repository must not exhaust the
//! memory.

use std::sync::atomic::{AtomicUsize, Ordering};

use allegro_resolver::Stop;

/// The limit for all documents of a run, in bytes. Their outlines take a part of that in memory.
const READ: usize = 1 << 30;

/// The limit in bytes for texts that must stay in memory, because Composer's cache can't be
/// written.
const KEPT: usize = 256 << 20;

/// The counters of one run.
#[derive(Default)]
pub struct Budget {
    read: AtomicUsize,
    kept: AtomicUsize,
}

impl Budget {
    /// Counts a document that has arrived.
    ///
    /// # Errors
    /// Fails beyond the limit, and Composer takes over the run.
    pub fn read(&self, bytes: usize) -> Result<(), Stop> {
        count(
            &self.read,
            bytes,
            READ,
            "the metadata that this update needs is",
        )
    }

    /// Counts a text that stays in memory.
    ///
    /// # Errors
    /// Fails as [`Self::read`] does.
    pub fn keep(&self, bytes: usize) -> Result<(), Stop> {
        count(
            &self.kept,
            bytes,
            KEPT,
            "metadata that can't be put into Composer's cache is",
        )
    }
}

fn count(counter: &AtomicUsize, bytes: usize, most: usize, what: &str) -> Result<(), Stop> {
    let counted = counter.fetch_add(bytes, Ordering::Relaxed) + bytes;
    if counted > most {
        return Err(Stop::Unclear(format!(
            "{what} larger than {} MiB",
            most >> 20
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_measures_are_full_at_some_time() {
        let budget = Budget::default();
        assert_eq!(budget.read(READ), Ok(()));
        assert!(matches!(budget.read(1), Err(Stop::Unclear(why)) if why.contains("1024 MiB")));
        assert_eq!(budget.keep(KEPT), Ok(()));
        assert!(matches!(budget.keep(1), Err(Stop::Unclear(why)) if why.contains("256 MiB")));
    }
}
