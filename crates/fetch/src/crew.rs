//! Runs threads that process a queue together and can be stopped.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

/// Interval at which a waiting run checks for cancellation.
pub(super) const CANCEL_POLL: Duration = Duration::from_millis(20);

/// The way in which a worker thread waits for the network.
pub(super) enum Wait<'a> {
    /// The calling thread drives the connections.
    Beside(&'a Handle),
    /// This thread is the only one, and drives the connections while it waits.
    Alone(&'a Runtime, Stop<'a>),
}

impl Wait<'_> {
    /// Waits for a future and returns its output.
    pub fn for_end_of<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Beside(runtime) => runtime.block_on(future),
            Self::Alone(runtime, stop) => runtime.block_on(stop.during(future)),
        }
    }
}

/// Forwards a cancellation to the workers.
#[derive(Clone, Copy)]
pub(super) struct Stop<'a> {
    /// Channel that tells the workers to stop.
    pub teller: &'a watch::Sender<bool>,
    /// Flag by which the caller cancels.
    pub is_cancelled: &'a AtomicBool,
}

impl Stop<'_> {
    /// Waits for a future and checks for cancellation meanwhile.
    async fn during<F: Future>(self, future: F) -> F::Output {
        let look = async {
            let mut moments = interval(CANCEL_POLL);
            moments.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                moments.tick().await;
                if self.is_cancelled.load(Ordering::Relaxed) {
                    self.teller.send_replace(true);
                }
            }
        };
        tokio::select! {
            output = future => output,
            () = look => unreachable!("it looks for ever"),
        }
    }
}

/// Runs `work` in `workers` threads and returns when all have ended. Meanwhile the calling thread
/// drives the runtime, which has no threads of its own.
///
/// If some threads can't be started, the others do all the work. If none can be started, the
/// calling thread does the work itself.
pub(super) fn run(
    workers: usize,
    runtime: &Runtime,
    stop: Stop<'_>,
    work: impl Fn(&Wait<'_>) + Sync,
) {
    let work = &work;
    let handle = runtime.handle();
    thread::scope(|scope| {
        // The channel closes when the last worker ends, even by a panic.
        let (alive, mut ended) = mpsc::channel::<()>(1);
        let start = |_| {
            let alive = alive.clone();
            thread::Builder::new()
                .name("allegro-fetch".to_owned())
                .spawn_scoped(scope, move || {
                    let _alive = alive;
                    work(&Wait::Beside(handle));
                })
                .ok()
        };
        let threads: Vec<_> = (0..workers).map_while(start).collect();
        drop(alive);
        if threads.is_empty() {
            return work(&Wait::Alone(runtime, stop));
        }
        runtime.block_on(stop.during(ended.recv()));
        let mut panic = None;
        for thread in threads {
            panic = thread.join().err().or(panic);
        }
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    });
}
