//! Threads that work off a queue together, and can be stopped.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::watch;

/// How often a waiting run looks whether it is cancelled.
pub(super) const CANCEL_POLL: Duration = Duration::from_millis(20);

/// Runs `work` in so many threads and waits until all have ended. Once `is_cancelled` says so, `stop` is told.
/// The error: not even one thread could be started.
pub(super) fn run(
    workers: usize,
    stop: &watch::Sender<bool>,
    is_cancelled: &AtomicBool,
    work: impl Fn() + Sync,
) -> std::io::Result<()> {
    let work = &work;
    thread::scope(|scope| {
        // Closed when the last worker ends, be it by a panic.
        let (alive, ended) = channel::<()>();
        let mut threads = Vec::with_capacity(workers);
        for _ in 0..workers {
            let alive = alive.clone();
            let started = thread::Builder::new()
                .name("allegro-fetch".to_owned())
                .spawn_scoped(scope, move || {
                    let _alive = alive;
                    work();
                });
            match started {
                Ok(thread) => threads.push(thread),
                Err(error) if threads.is_empty() => return Err(error),
                // Fewer workers do it as well.
                Err(_) => break,
            }
        }
        drop(alive);
        while ended.recv_timeout(CANCEL_POLL) == Err(RecvTimeoutError::Timeout) {
            if is_cancelled.load(Ordering::Relaxed) {
                stop.send_replace(true);
            }
        }
        let mut panic = None;
        for thread in threads {
            panic = thread.join().err().or(panic);
        }
        panic.map_or(Ok(()), |panic| resume_unwind(panic))
    })
}
