//! Keeps a memory reserve (ballast) for operations that run under a memory limit. Without the
//! reserve a failed allocation would end the whole process, and PHP with it.
//!
//! While such an operation runs, [`SIZE`] bytes are set aside. The first allocation that fails
//! releases them, and the operation is told to stop ([`is_spent`]). The released memory is enough
//! to reach the operation's end.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::limits;

/// Size of the reserve in bytes. Threads consume it until they notice that they must stop. Each
/// thread holds a file of at most 16 MiB, twice if the file is compressed.
pub const SIZE: usize = 48 << 20;

static BALLAST: AtomicPtr<libc::c_void> = AtomicPtr::new(null_mut());
static IS_SPENT: AtomicBool = AtomicBool::new(false);

/// Runs an operation, with memory set aside if the process has a memory limit.
pub fn holding<T>(work: impl FnOnce() -> T) -> T {
    IS_SPENT.store(false, Ordering::Relaxed);
    if limits::memory().is_some() {
        take();
    }
    let result = work();
    release();
    result
}

/// Returns whether the operation in progress has met the limit and must stop.
pub fn is_spent() -> bool {
    IS_SPENT.load(Ordering::Relaxed)
}

fn take() {
    // SAFETY: the kernel chooses the address of the new mapping, so it overlaps no memory in use.
    #[allow(
        unsafe_code,
        reason = "memory that isn't the allocator's is had in no other way"
    )]
    let mapping = unsafe {
        libc::mmap(
            null_mut(),
            SIZE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANON,
            -1,
            0,
        )
    };
    if mapping != libc::MAP_FAILED {
        BALLAST.store(mapping, Ordering::Release);
    }
}

/// Releases the reserve. Returns `false` if no reserve was held.
fn release() -> bool {
    let mapping = BALLAST.swap(null_mut(), Ordering::AcqRel);
    // SAFETY: the mapping came from `take`, and nobody has a reference into it. The atomic swap
    // makes this caller its only owner.
    #[allow(unsafe_code, reason = "the counterpart of the above")]
    let is_released = !mapping.is_null() && unsafe { libc::munmap(mapping, SIZE) } == 0;
    is_released
}

/// An allocator that releases the reserve when an allocation fails.
#[derive(Debug)]
pub struct Allocator<A>(pub A);

impl<A> Allocator<A> {
    fn again(allocate: impl Fn() -> *mut u8) -> *mut u8 {
        let memory = allocate();
        if !memory.is_null() || !release() {
            return memory;
        }
        IS_SPENT.store(true, Ordering::Relaxed);
        allocate()
    }
}

// SAFETY: every call goes to the other allocator unchanged, at most twice, and the second time only
// if the first returned null. Nothing here allocates or unwinds.
#[allow(unsafe_code, reason = "the trait is unsafe to implement")]
unsafe impl<A: GlobalAlloc> GlobalAlloc for Allocator<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::again(|| unsafe { self.0.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::again(|| unsafe { self.0.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::again(|| unsafe { self.0.realloc(memory, layout, size) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        unsafe { self.0.dealloc(memory, layout) }
    }
}
