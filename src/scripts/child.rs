//! Runs a command line of a listener as Symfony's `Process` does.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::variables::Variables;
use super::{ScriptIo, Stop};

/// How long we wait for output before we look whether the process has ended.
const TICK: Duration = Duration::from_millis(50);

/// The end of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The process ended with a code.
    Code(i32),
    /// A signal ended the process.
    Signal(i32),
}

/// A command line, and the circumstances under which it runs.
pub(super) struct Line<'a> {
    /// The command line for `/bin/sh`.
    pub(super) command: &'a [u8],
    pub(super) directory: &'a Path,
    pub(super) variables: &'a Variables,
    /// The limit in seconds. Zero means none.
    pub(super) timeout: u64,
    /// Whether the process talks to the terminal itself.
    pub(super) wants_terminal: bool,
    /// Whether the output of the process is dropped.
    pub(super) is_quiet: bool,
}

impl Line<'_> {
    /// Runs the line to its end (`ProcessExecutor::execute`, `executeTty`, composer 2.10.2).
    pub(super) fn run(&self, io: &mut dyn ScriptIo) -> Result<End, Stop> {
        let started = Instant::now();
        let mut command = Command::new("/bin/sh");
        command
            .arg0("sh")
            .arg("-c")
            .arg(OsStr::from_bytes(self.command))
            .current_dir(self.directory)
            .env_clear()
            .envs(self.variables.iter());
        ignore_broken_pipes(&mut command);
        io.flush();
        if self.wants_terminal
            && let Ok(terminals) = terminals()
        {
            let [input, output, error] = terminals;
            let mut child = command.stdin(input).stdout(output).stderr(error).spawn()?;
            return self.wait(&mut child, started);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // The child finds an end of input at once.
        drop(child.stdin.take());
        self.pass_on(&mut child, started, io)?;
        self.wait(&mut child, started)
    }

    /// Passes output on until the process has ended or has closed its output. A process in the
    /// background may keep the pipes open, and is not waited for.
    fn pass_on(
        &self,
        child: &mut Child,
        started: Instant,
        io: &mut dyn ScriptIo,
    ) -> Result<(), Stop> {
        let mut output = child.stdout.take();
        let mut error = child.stderr.take();
        while output.is_some() || error.is_some() {
            let has_ended = child.try_wait()?.is_some();
            if !has_ended {
                self.check(child, started)?;
            }
            let wait = if has_ended { Duration::ZERO } else { TICK };
            let pipes = [
                output.as_ref().map(AsFd::as_fd),
                error.as_ref().map(AsFd::as_fd),
            ];
            let is_ready = readable(pipes, wait)?;
            if is_ready[0] {
                self.read(&mut output, |bytes| io.write_raw(bytes))?;
            }
            if is_ready[1] {
                self.read(&mut error, |bytes| io.write_error_raw(bytes))?;
            }
            if has_ended && is_ready == [false, false] {
                break;
            }
        }
        Ok(())
    }

    /// Reads what is there, and drops the pipe at its end.
    fn read(&self, pipe: &mut Option<impl Read>, mut write: impl FnMut(&[u8])) -> Result<(), Stop> {
        let mut buffer = [0; 1 << 14];
        let Some(open) = pipe else { return Ok(()) };
        match open.read(&mut buffer) {
            Ok(0) => *pipe = None,
            Ok(length) if !self.is_quiet => write(&buffer[..length]),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn wait(&self, child: &mut Child, started: Instant) -> Result<End, Stop> {
        if self.timeout == 0 {
            return Ok(end(child.wait()?));
        }
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(end(status));
            }
            self.check(child, started)?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends the process if it has run for too long (`Process::checkTimeout`).
    fn check(&self, child: &mut Child, started: Instant) -> Result<(), Stop> {
        if self.timeout == 0 || started.elapsed() <= Duration::from_secs(self.timeout) {
            return Ok(());
        }
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // A process that has just ended can't be signaled.
            let _ = kill_process(pid, Signal::TERM);
        }
        std::thread::sleep(Duration::from_millis(1));
        if child.try_wait()?.is_none() {
            child.kill()?;
            child.wait()?;
        }
        Err(Stop::TimedOut {
            command: String::from_utf8_lossy(self.command).into_owned(),
            seconds: self.timeout,
        })
    }
}

/// Lets a command run with the signal `SIGPIPE` ignored. PHP ignores it (`main`, `php_cli.c`), and
/// its children inherit that.
#[allow(
    unsafe_code,
    reason = "the standard library restores the signal in every child"
)]
fn ignore_broken_pipes(command: &mut Command) {
    // SAFETY: `signal` is safe to call between `fork` and `exec`.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            Ok(())
        });
    }
}

/// Opens the terminal three times, for input, output and errors.
fn terminals() -> io::Result<[std::fs::File; 3]> {
    let write = || OpenOptions::new().write(true).open("/dev/tty");
    Ok([
        OpenOptions::new().read(true).open("/dev/tty")?,
        write()?,
        write()?,
    ])
}

/// Waits until a pipe has bytes or has ended, and returns for each whether that is so.
pub(super) fn readable<const N: usize>(
    pipes: [Option<BorrowedFd<'_>>; N],
    wait: Duration,
) -> io::Result<[bool; N]> {
    let mut polled: Vec<PollFd<'_>> = pipes
        .iter()
        .flatten()
        .map(|pipe| PollFd::from_borrowed_fd(*pipe, PollFlags::IN))
        .collect();
    let wait = Timespec {
        tv_sec: 0,
        tv_nsec: wait.subsec_nanos().into(),
    };
    match poll(&mut polled, Some(&wait)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let mut polled = polled.iter();
    Ok(pipes.map(|pipe| {
        pipe.and_then(|_| polled.next())
            .is_some_and(|polled| !polled.revents().is_empty())
    }))
}

fn end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Code(code),
        (None, signal) => End::Signal(signal.unwrap_or_default()),
    }
}
