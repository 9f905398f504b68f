//! Memory that was used goes back to the system.
//!
//! The extension works in PHP's process, which has its greatest need after our calls, when it writes the class map: what
//! the C library holds in reserve for us counts there as well. A helper waits beside PHP until the next call.

/// Keeps the C library's reserve small while an operation runs, and empties it afterwards.
///
/// Cheap: a few milliseconds after the largest operations, microseconds after others.
pub fn sparing<T>(work: impl FnOnce() -> T) -> T {
    reserve::limit();
    let result = work();
    reserve::empty();
    result
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod reserve {
    use std::sync::Once;

    /// What is larger than this is asked of the system, and given back at once. By itself glibc raises the limit, up to
    /// 32 MiB, and the next one to twice as much, whenever something large is freed.
    const LARGE: libc::c_int = 1 << 20;

    /// So much may stay at the end of the arena of each thread.
    const RESERVE: libc::c_int = 1 << 17;

    static ONCE: Once = Once::new();

    pub(super) fn limit() {
        ONCE.call_once(|| {
            // SAFETY: takes two numbers, and may be called at any time.
            #[allow(unsafe_code, reason = "there is no other way to say it")]
            unsafe {
                libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
                libc::mallopt(libc::M_TRIM_THRESHOLD, RESERVE);
                // The end of a thread's arena is given back only by a free that meets it; small chunks that wait to be
                // joined are in its way.
                libc::mallopt(libc::M_MXFAST, 0);
            }
        });
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
}
