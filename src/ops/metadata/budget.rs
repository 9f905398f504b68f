//! How much metadata one resolution takes in. A repository without measure must not take all memory of the machine.

use std::sync::atomic::{AtomicUsize, Ordering};

use allegro_resolver::Stop;

/// Bytes of all documents of a run. What is made of them takes a part of that in memory.
const READ: usize = 1 << 30;

/// Bytes of all texts that have to stay in memory, because Composer's cache can't be written.
const KEPT: usize = 256 << 20;

/// What a run has taken in.
#[derive(Default)]
pub struct Budget {
    read: AtomicUsize,
    kept: AtomicUsize,
}

impl Budget {
    /// Counts a document that came.
    ///
    /// # Errors
    /// The run goes on with Composer.
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
    /// As with [`Self::read`].
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
