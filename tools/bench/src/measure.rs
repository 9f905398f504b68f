//! Runs one process tree and measures it.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use wait4::Wait4 as _;

use crate::error::{Error, Result};

/// The time between two looks at memory. The peak itself comes from the kernel's accounts.
const LOOK: Duration = Duration::from_millis(50);

/// The time and memory of one run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Seconds from start to end.
    pub wall: f64,
    /// Seconds of processor time in user mode, of all processes.
    pub user: f64,
    /// Seconds of processor time in the kernel, of all processes.
    pub system: f64,
    /// Peak resident bytes of the largest single process.
    pub peak: u64,
    /// Name of the largest program that was seen.
    pub largest: String,
}

/// Runs a command to its end.
pub fn run(mut command: Command) -> Result<(Run, bool)> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| -> Error { format!("{program}: {error}").into() };
    let over = AtomicBool::new(false);
    let started = Instant::now();
    let child = command.spawn().map_err(failed)?;
    let pid = child.id();
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| largest(pid, &over));
        let used = child.wait4();
        let wall = started.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        watch.thread().unpark();
        let largest = watch.join().unwrap_or_default();
        let used = used.map_err(|error| Error::from(format!("{program}: {error}")))?;
        let run = Run {
            wall,
            user: used.rusage.utime.as_secs_f64(),
            system: used.rusage.stime.as_secs_f64(),
            peak: used.rusage.maxrss,
            largest,
        };
        Ok((run, used.status.success()))
    })
}

/// Returns the name of the largest process below `root`. The function watches until `over` is set.
fn largest(root: u32, over: &AtomicBool) -> String {
    let mut seen: HashMap<String, u64> = HashMap::new();
    while !over.load(Ordering::Relaxed) {
        let mut open = vec![root];
        while let Some(pid) = open.pop() {
            if let Some((name, kib)) = peak_of(pid) {
                let peak = seen.entry(name).or_default();
                *peak = kib.max(*peak);
            }
            let children =
                fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            open.extend(
                children
                    .split_whitespace()
                    .filter_map(|child| child.parse::<u32>().ok()),
            );
        }
        std::thread::park_timeout(LOOK);
    }
    seen.into_iter()
        .max_by_key(|(_, kib)| *kib)
        .map_or_else(|| "?".to_owned(), |(name, _)| name)
}

fn peak_of(pid: u32) -> Option<(String, u64)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let kib = field("VmHWM:")?.split_whitespace().next()?.parse().ok()?;
    Some((field("Name:")?.to_owned(), kib))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_failure_are_seen() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 0.2; exit 3"]);
        let (run, success) = run(command).expect("a shell");
        assert!(!success);
        assert!(run.wall >= 0.2, "{run:?}");
        assert!(run.peak > 100_000, "{run:?}");
    }
}
