//! Runs work in threads that end before the call does.

use std::io;
use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use rayon::{ThreadBuilder, ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

use crate::error::{Error, Result};

/// Runs `work` with its own thread pool and returns when all of the pool's threads have ended.
///
/// If the system refuses that many threads, the pool tries half as many, and so on down to one. The
/// remaining threads are left to downloads and to other processes under the same limit.
///
/// Dropping a rayon pool only tells its threads to end. If the calling process forked meanwhile, it
/// would copy a thread that is still ending.
///
/// # Errors
/// Returns [`Error::Exhausted`] if not even one thread can be started.
pub fn with_pool<T>(threads: usize, work: impl FnOnce(&ThreadPool) -> T) -> Result<T> {
    let mut threads = threads.max(1);
    loop {
        let joined = Joined::default();
        match build(threads, &joined, spawn) {
            // `pool` is dropped before `joined`, even if `work` panics.
            Ok(pool) => return Ok(work(&pool)),
            Err(_) if threads > 1 => threads /= 2,
            Err(error) => return Err(Error::no_thread(&error)),
        }
    }
}

/// The number of items that a thread of [`map`] takes at a time.
const SHARE: usize = 16;

/// The greatest number of threads that help the calling thread in [`map`].
const HELPERS: usize = 3;

/// Returns the number of threads that can help the calling thread at the same time.
fn helpers() -> usize {
    static FOUND: OnceLock<usize> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        (processors - 1).min(HELPERS)
    })
}

/// Maps items on the calling thread and on some others. The results are in the order of the items.
///
/// Each thread makes a value by `start`, which it has for itself. The work is worth a thread where
/// items take some microseconds. Where the system refuses threads, the calling thread does all.
pub fn map<T: Sync, S, R: Send>(
    items: &[T],
    start: impl Fn() -> S + Sync,
    map: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    let shares: Vec<&[T]> = items.chunks(SHARE).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut own = start();
        let mut done = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(share) = shares.get(place) else {
                break done;
            };
            let results: Vec<R> = share.iter().map(|item| map(&mut own, item)).collect();
            done.push((place, results));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let helpers: Vec<_> = (0..helpers().min(shares.len() / 2))
            .map_while(|_| std::thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut done = work();
        for helper in helpers {
            done.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(place, _)| *place);
    done.into_iter().flat_map(|(_, results)| results).collect()
}

/// Starts one thread of a pool.
fn spawn(thread: ThreadBuilder) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().spawn(move || thread.run())
}

fn build(
    threads: usize,
    joined: &Joined,
    mut spawn: impl FnMut(ThreadBuilder) -> io::Result<JoinHandle<()>>,
) -> Result<ThreadPool, ThreadPoolBuildError> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .spawn_handler(|thread| {
            joined.0.lock().push(spawn(thread)?);
            Ok(())
        })
        .build()
}

/// Joins its threads when it is dropped.
#[derive(Default)]
struct Joined(Mutex<Vec<JoinHandle<()>>>);

impl Drop for Joined {
    fn drop(&mut self) {
        for handle in self.0.get_mut().drain(..) {
            // Rayon has passed a panic to the caller that waited for the work.
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
            // A thread drops its thread-local values at its very end.
            assert_eq!(std::sync::Arc::strong_count(&ended), 1);
        }
    }

    #[test]
    fn a_pool_that_can_not_be_had_leaves_no_thread() {
        let held = std::sync::Arc::new(());
        let joined = Joined::default();
        let mut left = 2;
        let result = build(4, &joined, |thread| {
            if left == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            left -= 1;
            let held = held.clone();
            std::thread::Builder::new().spawn(move || {
                thread.run();
                drop(held);
            })
        });
        assert!(result.is_err());
        drop(joined);
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }

    #[test]
    fn results_are_in_the_order_of_the_items() {
        for count in [0, 1, SHARE, 2 * SHARE + 1, 5000] {
            let items: Vec<usize> = (0..count).collect();
            let counted = AtomicUsize::new(0);
            let doubled = map(
                &items,
                || &counted,
                |counted, item| {
                    counted.fetch_add(1, Ordering::Relaxed);
                    item * 2
                },
            );
            assert!(doubled.iter().copied().eq((0..count).map(|item| item * 2)));
            assert_eq!(counted.into_inner(), count);
        }
    }

    #[test]
    fn a_panic_comes_through_a_map() {
        let items = [0_u8; 100];
        let result = std::panic::catch_unwind(|| map(&items, || (), |(), _| panic!("mine")));
        assert!(result.is_err());
    }

    #[test]
    fn a_panic_comes_through() {
        let result =
            std::panic::catch_unwind(|| with_pool(2, |pool| pool.install(|| panic!("mine"))));
        assert!(result.is_err());
    }
}
