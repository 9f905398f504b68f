//! Gives up bodies that trickle.
//!
//! Composer limits the total time of each transfer, but sets no minimum rate. A trickling body
//! would take all of that time here, and then as much again with Composer. Such a body is therefore
//! given up as soon as no other transfer makes progress either.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::error::{FetchError, TransportKind};
use super::target::Target;

/// Rate in bytes a second below which a body trickles.
const TRICKLE: u64 = 1 << 10;

/// Counter of the bytes that all transfers of a run have received.
#[derive(Default, Clone)]
pub(super) struct Flow(Arc<AtomicU64>);

impl Flow {
    /// Starts to measure a body.
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

/// Measures the rate of one body.
///
/// A body is too slow if it and all others together brought less than 1 KiB a second during a whole
/// window. On a slow line each of many bodies arrives slowly, so the sum counts. While others
/// arrive, nobody waits for this one alone.
pub(super) struct Pace<'a> {
    flow: &'a Flow,
    window: Duration,
    /// Start of the current window. `own` counts the body's bytes in it, and `before` all bytes up
    /// to its start.
    began: Instant,
    own: u64,
    before: u64,
}

impl Pace<'_> {
    /// Counts received bytes.
    ///
    /// # Errors
    /// Returns an error if the body arrives too slowly.
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
