//! Starts other programs in place of this one, or waits for them.

use std::io::{self, IsTerminal as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;

/// Replaces this process. The function returns only if that fails.
pub fn replace(mut command: Command) -> io::Error {
    command.exec()
}

/// Runs a program to its end and returns its exit code. Signals to this process are passed on.
pub fn wait(mut command: Command) -> io::Result<u8> {
    // The terminal sends these to the whole foreground group, so the program gets them anyway.
    let from_terminal = io::stdin().is_terminal();
    let mut signals = Signals::new([SIGINT, SIGQUIT, SIGTERM, SIGHUP])?;
    let handle = signals.handle();
    let mut child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let passing = std::thread::spawn(move || {
        for signal in signals.forever() {
            if from_terminal && (signal == SIGINT || signal == SIGQUIT) {
                continue;
            }
            if let (Some(pid), Some(signal)) = (pid, Signal::from_named_raw(signal)) {
                let _ = kill_process(pid, signal);
            }
        }
    });
    let status = child.wait();
    handle.close();
    let _ = passing.join();
    Ok(code(status?))
}

/// Returns the exit code of a program as a shell gives it.
pub fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| Some(128 + status.signal()?))
        .unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
