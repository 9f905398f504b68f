//! Controls the C allocator: returns freed memory after an operation, and pre-faults an arena
//! before a large one.
//!
//! The extension works in PHP's process, whose peak comes after our calls, when PHP writes the
//! class map. Memory that the C library retains for us counts towards that peak. A helper waits
//! beside PHP until the next call.

use std::sync::atomic::{AtomicBool, Ordering};

/// Limits how much freed memory the C library retains while an operation runs, and trims it
/// afterwards.
///
/// This takes a few milliseconds after the largest operations, and microseconds after others.
/// Memory that [`ahead`] has pre-faulted is kept for the next operation, and trimmed after that.
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

/// Flag that memory has been pre-faulted for the next operation.
static IS_READY: AtomicBool = AtomicBool::new(false);

/// Pre-faults memory for the next operation, in the arena that the operation's first thread will
/// use. Page faults otherwise take a tenth of a large resolution. Only a process that does nothing
/// else meanwhile should call this function.
pub fn ahead(bytes: usize) {
    reserve::raise();
    let get = move || drop(reserve::touched(bytes));
    // The next thread reuses the arena of a thread that has ended.
    let thread = std::thread::Builder::new().spawn(get);
    IS_READY.store(
        thread.is_ok_and(|thread| thread.join().is_ok()),
        Ordering::Relaxed,
    );
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod reserve {
    /// Size in bytes above which an allocation is mapped, and unmapped when it is freed. By default
    /// glibc raises this threshold whenever a large block is freed. It goes up to 32 MiB, with a
    /// trim threshold of twice as much.
    const LARGE: libc::c_int = 1 << 20;

    /// Bytes that may stay free at the end of each thread's arena.
    const RESERVE: libc::c_int = 1 << 17;

    /// Largest chunk that glibc keeps unjoined in fast bins: its own default for 64 bit.
    const SMALL: libc::c_int = 128;

    /// Size in bytes of one pre-faulted piece. It is less than glibc requests from the system at
    /// once, and much less than [`LARGE`].
    const PIECE: usize = 1 << 16;

    const PAGE: usize = 1 << 12;

    pub(super) fn limit() {
        if crate::limits::memory().is_some() {
            // Each further arena takes 64 MiB of address space.
            // SAFETY: the function takes two numbers, and may be called at any time.
            #[allow(unsafe_code, reason = "there is no other way to say it")]
            unsafe {
                libc::mallopt(libc::M_ARENA_MAX, 1);
            }
        }
        // Only a free that meets the end of a thread's arena trims it. Small chunks in fast bins,
        // which wait to be joined, would be in the way.
        set(RESERVE, 0);
    }

    /// Stops glibc from returning any memory.
    pub(super) fn raise() {
        set(libc::c_int::MAX, SMALL);
    }

    fn set(reserve: libc::c_int, small: libc::c_int) {
        // SAFETY: the function takes two numbers, and may be called at any time.
        #[allow(unsafe_code, reason = "there is no other way to say it")]
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, reserve);
            libc::mallopt(libc::M_MXFAST, small);
        }
    }

    /// Allocates `bytes` in pieces and writes to each page.
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
        // SAFETY: the function takes a number, and may be called at any time.
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
