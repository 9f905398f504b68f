//! Threads that work off a queue together, and can be stopped.

use std::future::Future;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

/// How often a waiting run looks whether it is cancelled.
pub(super) const CANCEL_POLL: Duration = Duration::from_millis(20);

/// How one of the threads waits for the network.
pub(super) enum Wait<'a> {
    /// The calling thread drives the connections.
    Beside(&'a Handle),
    /// The thread is the only one, and drives the connections while it waits.
    Alone(&'a Runtime, Stop<'a>),
}

impl Wait<'_> {
    /// Waits for a future.
    pub fn for_end_of<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Beside(runtime) => runtime.block_on(future),
            Self::Alone(runtime, stop) => runtime.block_on(stop.during(future)),
        }
    }
}

/// Passes the wish to stop on.
#[derive(Clone, Copy)]
pub(super) struct Stop<'a> {
    /// Is told.
    pub teller: &'a watch::Sender<bool>,
    /// Says whether to stop.
    pub is_cancelled: &'a AtomicBool,
}

impl Stop<'_> {
    /// Waits for a future and looks for a reason to stop meanwhile.
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

/// Runs `work` in so many threads and waits until all have ended; meanwhile the calling thread drives the runtime, which
/// has no threads of its own. Fewer threads do as well, and where none can be started, the calling thread does the
/// work itself.
pub(super) fn run(
    workers: usize,
    runtime: &Runtime,
    stop: Stop<'_>,
    work: impl Fn(&Wait<'_>) + Sync,
) {
    let work = &work;
    let handle = runtime.handle();
    thread::scope(|scope| {
        // Closed when the last worker ends, be it by a panic.
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
