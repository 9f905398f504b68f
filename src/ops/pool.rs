//! Threads for files and archives, which end before the call does.

use parking_lot::Mutex;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::thread::JoinHandle;

use crate::error::{Error, Result};

/// Runs `work` with a pool of its own and returns when its threads have ended.
///
/// Dropping a pool only tells its threads to end; one that is still on its way out would be copied half-dead
/// by a `fork` of the process that called us.
pub fn with_pool<T>(threads: usize, work: impl FnOnce(&ThreadPool) -> T) -> Result<T> {
    let joined = Joined::default();
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .spawn_handler(|thread| {
            let handle = std::thread::Builder::new().spawn(move || thread.run())?;
            joined.0.lock().push(handle);
            Ok(())
        })
        .build()
        .map_err(|error| Error::Internal(format!("no threads: {error}")))?;
    // `pool` is dropped before `joined`, also when `work` panics.
    Ok(work(&pool))
}

/// Joins threads when it is dropped.
#[derive(Default)]
struct Joined(Mutex<Vec<JoinHandle<()>>>);

impl Drop for Joined {
    fn drop(&mut self) {
        for handle in self.0.get_mut().drain(..) {
            // Rayon has handed a panic to whoever waited for the work.
            let _ = handle.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_have_ended_afterwards() {
        let ended = std::sync::Arc::new(());
        for _ in 0..20 {
            let held = &ended;
            with_pool(3, |pool| {
                pool.broadcast(|_| {
                    thread_local!(static HELD: std::cell::RefCell<Option<std::sync::Arc<()>>> = const { std::cell::RefCell::new(None) });
                    HELD.with(|slot| *slot.borrow_mut() = Some(held.clone()));
                })
            })
            .expect("threads");
            // What a thread holds is dropped at its very end.
            assert_eq!(std::sync::Arc::strong_count(&ended), 1);
        }
    }

    #[test]
    fn a_panic_comes_through() {
        let result =
            std::panic::catch_unwind(|| with_pool(2, |pool| pool.install(|| panic!("mine"))));
        assert!(result.is_err());
    }
}
