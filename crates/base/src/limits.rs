//! Measures how many open files and how much memory the system's limits leave to this process.

use rustix::process::{Resource, getrlimit};

use crate::error::{Error, Result};

/// The most that one of several threads needs.
pub struct Share {
    /// Number of open files.
    pub descriptors: u64,
    /// Memory in bytes.
    pub memory: u64,
}

/// Descriptors reserved for files outside of the threads: those of the store, the runtime and PHP.
const KEPT_DESCRIPTORS: u64 = 16;

/// Least number of free descriptors with which an operation begins.
const LEAST_DESCRIPTORS: u64 = 32;

/// Returns how many threads of a kind fit under the limits: at least one, at most `wanted`. Half of
/// the remaining resources stays for threads of other kinds.
pub fn share(wanted: usize, each: &Share) -> usize {
    let fits = |left: Option<u64>, kept: u64, each: u64| {
        left.map_or(u64::MAX, |left| left.saturating_sub(kept) / 2 / each)
    };
    let count =
        fits(descriptors(), KEPT_DESCRIPTORS, each.descriptors).min(fits(memory(), 0, each.memory));
    usize::try_from(count).map_or(wanted, |count| count.clamp(1, wanted))
}

/// Refuses an operation that needs more than this process may still have. If memory ran out in the
/// middle of the operation, the whole process would end.
///
/// # Errors
/// Returns [`Error::Exhausted`] if memory or descriptors do not suffice.
pub fn check(needed: u64) -> Result<()> {
    if let Some(left) = memory().filter(|left| *left < needed) {
        return Err(Error::Exhausted {
            what: "there is too little memory",
            reason: format!("the limit leaves {} MiB", left >> 20),
        });
    }
    if let Some(left) = descriptors().filter(|left| *left < LEAST_DESCRIPTORS) {
        return Err(Error::Exhausted {
            what: "too few files can be opened",
            reason: format!("the limit leaves {left}"),
        });
    }
    Ok(())
}

/// Returns how many more files this process may open, or `None` if that is unknown.
pub fn descriptors() -> Option<u64> {
    let most = getrlimit(Resource::Nofile).current?;
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    Some(most.saturating_sub(open))
}

/// Returns how many more bytes this process may allocate under its limits on address space and
/// data. Returns `None` if there is no limit.
pub fn memory() -> Option<u64> {
    let limits = [Resource::As, Resource::Data].map(|kind| getrlimit(kind).current);
    if limits == [None, None] {
        return None;
    }
    let used = used()?;
    limits
        .into_iter()
        .zip(used)
        .filter_map(|(limit, used)| Some(limit?.saturating_sub(used)))
        .min()
}

/// Returns the bytes in use: the address space, and data with stacks (proc_pid_statm(5)).
fn used() -> Option<[u64; 2]> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: Vec<u64> = text
        .split_whitespace()
        .filter_map(|number| number.parse().ok())
        .collect();
    let page = rustix::param::page_size() as u64;
    Some([pages.first()? * page, pages.get(5)? * page])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_counts() {
        let Some(before) = descriptors() else { return };
        let held: Vec<_> = (0..50)
            .map(|_| std::fs::File::open("/dev/null").expect("a file"))
            .collect();
        // Other tests open and close files meanwhile.
        let now = descriptors().expect("known a moment ago");
        assert!(now < before && before - now < 500, "{before}, {now}");
        drop(held);
    }

    #[test]
    fn what_is_mapped_counts() {
        let Some([before, _]) = used() else { return };
        let held = vec![1_u8; 512 << 20];
        let [now, data] = used().expect("known a moment ago");
        assert!(now > before + (256 << 20), "{before}, {now}");
        assert!(data > 256 << 20, "{data}");
        drop(held);
    }
}
