//! Ends the helper, which never outlives the process that it works for.
//!
//! That process ends the helper by closing its standard input. The helper doesn't notice the end of
//! input in two cases. A process that was forked meanwhile may hold the pipe open too. Or the
//! helper may be waiting for a disk, or for a reader of its output.
//!
//! So the kernel reports the process's death by a signal ([`watch`]). An alarm ends the helper if
//! it isn't gone a moment later. Neither needs a thread, which may not be available.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;

/// The seconds for removing half-written files. Composer grants the same time to a helper that it
/// ends itself.
const GRACE: u32 = 5;

static IS_BEREFT: AtomicBool = AtomicBool::new(false);
static IS_IDLE: AtomicBool = AtomicBool::new(false);

/// Returns whether the process that started this one has died.
pub fn is_bereft() -> bool {
    IS_BEREFT.load(Ordering::Relaxed)
}

/// Returns whether nobody needs this process any more: its input has been closed, or its parent has
/// died.
pub fn is_over() -> bool {
    let input = std::io::stdin();
    let mut waited = [PollFd::new(&input, PollFlags::empty())];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let closed = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    is_bereft()
        || (poll(&mut waited, Some(&at_once)).is_ok() && waited[0].revents().intersects(closed))
}

/// Waits for the next request. A process that only waits exits at once when its parent dies.
pub fn idle<T>(wait: impl FnOnce() -> T) -> T {
    IS_IDLE.store(true, Ordering::SeqCst);
    let result = wait();
    IS_IDLE.store(false, Ordering::SeqCst);
    result
}

/// Makes this process end soon after its parent, even if this process is stopped by then.
#[cfg(unix)]
#[allow(unsafe_code, reason = "a signal's handler can't be set in another way")]
pub fn watch() {
    // The parent may ignore or block these signals, which a child inherits.
    // SAFETY: the handler calls only what a signal's handler may call (signal-safety(7)). All
    // structures are whole: an empty signal set and no flags but one.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigemptyset(&raw mut action.sa_mask);
        action.sa_flags = libc::SA_RESTART;
        action.sa_sigaction = leave as extern "C" fn(libc::c_int) as libc::sighandler_t;
        libc::sigaction(libc::SIGTERM, &raw const action, std::ptr::null_mut());
        // A stopped process whose parent dies gets this signal first, and is continued.
        libc::sigaction(libc::SIGHUP, &raw const action, std::ptr::null_mut());
        action.sa_sigaction = libc::SIG_DFL;
        libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut());
        let mut signals = action.sa_mask;
        libc::sigaddset(&raw mut signals, libc::SIGTERM);
        libc::sigaddset(&raw mut signals, libc::SIGHUP);
        libc::sigaddset(&raw mut signals, libc::SIGALRM);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const signals, std::ptr::null_mut());
    }
    tell_of_death();
}

#[cfg(target_os = "linux")]
fn tell_of_death() {
    // Where that is forbidden, the end of input must suffice.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
}

/// Starts a thread that looks for the parent each second, where the kernel doesn't report its
/// death. Without a thread, the end of input must suffice.
#[cfg(all(unix, not(target_os = "linux")))]
fn tell_of_death() {
    let parent = rustix::process::getppid();
    let look = move || {
        while rustix::process::getppid() == parent {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
        leave(libc::SIGTERM);
    };
    let _ = std::thread::Builder::new().spawn(look);
}

#[cfg(unix)]
#[allow(unsafe_code, reason = "there is no other way to call these")]
extern "C" fn leave(_signal: libc::c_int) {
    IS_BEREFT.store(true, Ordering::SeqCst);
    // SAFETY: both calls take a number, and a signal's handler may make them.
    unsafe {
        if IS_IDLE.load(Ordering::SeqCst) {
            libc::_exit(0);
        }
        libc::alarm(GRACE);
    }
}
