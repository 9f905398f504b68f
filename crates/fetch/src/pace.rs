//! Limits in time: how slowly a body may come.
//!
//! Composer gives each transfer a time in all, and no least rate. A body that trickles would take all of that time here,
//! and then as much again with Composer. It is therefore given up as soon as it is clear that nothing else goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::error::{FetchError, TransportKind};
use super::target::Target;

/// Bytes a second that are no trickle.
const TRICKLE: u64 = 1 << 10;

/// Bytes that all transfers of a run have brought.
#[derive(Default, Clone)]
pub(super) struct Flow(Arc<AtomicU64>);

impl Flow {
    /// Begins to watch a body.
    pub fn pace(&self, window: Duration) -> Pace<'_> {
        Pace {
            flow: self,
            window,
            began: Instant::now(),
            own: 0,
            before: self.0.load(Ordering::Relaxed),
        }
    }
}

/// The pace at which one body comes.
///
/// A body is too slow if less than 1 KiB a second came during a whole window, of it and of all others together: on a slow
/// line each of many bodies comes slowly, and while others come, nobody waits for this one alone.
pub(super) struct Pace<'a> {
    flow: &'a Flow,
    window: Duration,
    /// When this window began, what came of the body in it, and what had come in all before it.
    began: Instant,
    own: u64,
    before: u64,
}

impl Pace<'_> {
    /// Counts bytes that came.
    ///
    /// # Errors
    /// The body comes too slowly.
    pub fn count(&mut self, bytes: usize, target: &Target) -> Result<(), FetchError> {
        let bytes = bytes as u64;
        self.own += bytes;
        let all = self.flow.0.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let elapsed = self.began.elapsed();
        if elapsed < self.window {
            return Ok(());
        }
        let least = elapsed.as_millis() * u128::from(TRICKLE) / 1_000;
        if u128::from(all - self.before) < least {
            return Err(FetchError::Transport {
                url: target.shown(),
                reason: format!("only {} bytes in {:.0} s", self.own, elapsed.as_secs_f64()),
                timeout: true,
                kind: TransportKind::TooSlow,
            });
        }
        *self = self.flow.pace(self.window);
        Ok(())
    }
}
