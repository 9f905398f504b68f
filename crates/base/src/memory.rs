//! Memory that was used goes back to the system; where it is known that much will be needed, it is there beforehand.
//!
//! The extension works in PHP's process, which has its greatest need after our calls, when it writes the class map: what
//! the C library holds in reserve for us counts there as well. A helper waits beside PHP until the next call.

use std::sync::atomic::{AtomicBool, Ordering};

/// Keeps the C library's reserve small while an operation runs, and empties it afterwards.
///
/// Cheap: a few milliseconds after the largest operations, microseconds after others. What [`ahead`] has made ready is
/// for the next operation, and goes back after that.
pub fn sparing<T>(work: impl FnOnce() -> T) -> T {
    if !IS_READY.swap(false, Ordering::Relaxed) {
        reserve::limit();
    }
    let result = work();
    if !IS_READY.load(Ordering::Relaxed) {
        reserve::limit();
        reserve::empty();
    }
    result
}

/// The next operation finds memory that the system has given already.
static IS_READY: AtomicBool = AtomicBool::new(false);

/// Gets memory for the next operation, in the arena that its first thread will have: to get it page by page takes a tenth
/// of a large resolution. For a process that does nothing else meanwhile.
pub fn ahead(bytes: usize) {
    reserve::raise();
    let get = move || drop(reserve::touched(bytes));
    // An arena whose thread has ended is the next thread's.
    let thread = std::thread::Builder::new().spawn(get);
    IS_READY.store(
        thread.is_ok_and(|thread| thread.join().is_ok()),
        Ordering::Relaxed,
    );
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod reserve {
    /// What is larger than this is asked of the system, and given back at once. By itself glibc raises the limit, up to
    /// 32 MiB, and the next one to twice as much, whenever something large is freed.
    const LARGE: libc::c_int = 1 << 20;

    /// So much may stay at the end of the arena of each thread.
    const RESERVE: libc::c_int = 1 << 17;

    /// The largest of the small chunks that wait to be joined: glibc's own measure, for 64 bit.
    const SMALL: libc::c_int = 128;

    /// Less than what glibc asks of the system by itself, and much less than [`LARGE`].
    const PIECE: usize = 1 << 16;

    const PAGE: usize = 1 << 12;

    pub(super) fn limit() {
        if crate::limits::memory().is_some() {
            // Each further arena takes 64 MiB of address space.
            // SAFETY: takes two numbers, and may be called at any time.
            #[allow(unsafe_code, reason = "there is no other way to say it")]
            unsafe {
                libc::mallopt(libc::M_ARENA_MAX, 1);
            }
        }
        // The end of a thread's arena is given back only by a free that meets it; small chunks that wait to be joined are
        // in its way.
        set(RESERVE, 0);
    }

    /// Nothing is given back.
    pub(super) fn raise() {
        set(libc::c_int::MAX, SMALL);
    }

    fn set(reserve: libc::c_int, small: libc::c_int) {
        // SAFETY: takes two numbers, and may be called at any time.
        #[allow(unsafe_code, reason = "there is no other way to say it")]
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, reserve);
            libc::mallopt(libc::M_MXFAST, small);
        }
    }

    /// So much memory, of which each page has been written to.
    pub(super) fn touched(bytes: usize) -> Vec<Vec<u8>> {
        let piece = || {
            let mut piece = vec![0; PIECE];
            piece
                .iter_mut()
                .step_by(PAGE)
                .for_each(|byte| *byte = std::hint::black_box(1));
            piece
        };
        (0..bytes / PIECE).map(|_| piece()).collect()
    }

    pub(super) fn empty() {
        // SAFETY: takes a number, and may be called at any time.
        #[allow(unsafe_code, reason = "there is no other way to say it")]
        unsafe {
            libc::malloc_trim(0);
        }
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
mod reserve {
    pub(super) fn limit() {}

    pub(super) fn empty() {}

    pub(super) fn raise() {}

    pub(super) fn touched(_bytes: usize) {}
}
