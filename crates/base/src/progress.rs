//! Counts completed steps of work, so that a waiting process can tell progress from a hang.

use std::sync::atomic::{AtomicU64, Ordering};

static STEPS: AtomicU64 = AtomicU64::new(0);

/// Counts a step of any kind. Steps are received bytes, a file read, written or removed, an answer,
/// or a second of a bounded wait. A stuck thread counts none.
pub fn step() {
    STEPS.fetch_add(1, Ordering::Relaxed);
}

/// Returns how many steps this process has completed.
pub fn steps() -> u64 {
    STEPS.load(Ordering::Relaxed)
}
