//! Counts the work that is done, so that somebody who waits can tell work that goes on from work that hangs.

use std::sync::atomic::{AtomicU64, Ordering};

static STEPS: AtomicU64 = AtomicU64::new(0);

/// Counts a step of any kind: bytes that came, a file that was read, written or removed, an answer, a second of a
/// bounded wait. A thread that is stuck counts none.
pub fn step() {
    STEPS.fetch_add(1, Ordering::Relaxed);
}

/// Returns how many steps this process has done.
pub fn steps() -> u64 {
    STEPS.load(Ordering::Relaxed)
}
