//! Lets Composer play callbacks: one PHP process for all of a run.
//!
//! The process runs `callbacks.php`. It reads requests from one pipe and writes answers to another,
//! and has the run's own input, output and terminal, as callbacks do in Composer. A message is its
//! length as a line, and then fields that are separated by NUL bytes.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};

use super::child::readable;
use super::variables::Variables;
use super::{Event, Setup, Stop};

/// The script, with the opening tag that `php -r` does not take.
const SCRIPT: &str = include_str!("callbacks.php");

/// How long we wait for an answer before we look whether the process has ended.
const TICK: Duration = Duration::from_millis(50);

/// A listener for Composer to play.
pub(super) struct Request<'a> {
    pub(super) event: Event<'a>,
    pub(super) listener: &'a str,
    pub(super) dev_mode: bool,
    pub(super) timeout: u64,
    pub(super) memory_limit: &'a str,
    pub(super) variables: &'a Variables,
}

/// What Composer's process looks like after a listener.
pub(super) struct Answer {
    pub(super) returned: i32,
    pub(super) timeout: u64,
    pub(super) memory_limit: String,
    pub(super) directory: PathBuf,
    pub(super) variables: Variables,
}

/// The PHP process.
pub(super) struct Callbacks {
    child: Child,
    /// Closed at the end of the run.
    requests: Option<PipeWriter>,
    answers: BufReader<PipeReader>,
    status: Option<ExitStatus>,
}

impl Callbacks {
    /// Starts PHP. It waits for its first request before it starts Composer.
    pub(super) fn start(setup: &Setup, variables: &Variables) -> Result<Self, Stop> {
        let (Some(php), Some(composer)) = (&setup.php, &setup.composer) else {
            return Err(Stop::Missing("callbacks need PHP and Composer".to_owned()));
        };
        let (theirs_in, requests) = io::pipe()?;
        let (answers, theirs_out) = io::pipe()?;
        // The process inherits its ends of the pipes under their numbers.
        for end in [theirs_in.as_fd(), theirs_out.as_fd()] {
            fcntl_setfd(end, FdFlags::empty()).map_err(io::Error::from)?;
        }
        let child = Command::new(&php.binary)
            .arg("-r")
            .arg(SCRIPT.strip_prefix("<?php").unwrap_or(SCRIPT))
            .arg("--")
            .arg(theirs_in.as_raw_fd().to_string())
            .arg(theirs_out.as_raw_fd().to_string())
            .arg(composer.path.canonicalize()?)
            .arg(u8::from(setup.plugins_are_off).to_string())
            .arg(&setup.command)
            .args(&setup.arguments)
            .current_dir(&setup.root)
            .env_clear()
            .envs(variables.iter())
            .spawn()?;
        Ok(Self {
            child,
            requests: Some(requests),
            answers: BufReader::new(answers),
            status: None,
        })
    }

    /// Plays a listener. Returns `None` if the process ended, because of an error or on purpose.
    pub(super) fn call(&mut self, request: &Request<'_>) -> Result<Option<Answer>, Stop> {
        let mut message = Vec::new();
        let optimize = match request.event.optimize {
            None => "",
            Some(false) => "0",
            Some(true) => "1",
        };
        let fields = [
            request.event.name,
            request.listener,
            if request.dev_mode { "1" } else { "0" },
            optimize,
            &request.timeout.to_string(),
            request.memory_limit,
        ];
        message.extend_from_slice(fields.join("\0").as_bytes());
        for (name, value) in request.variables.iter() {
            message.push(0);
            message.extend_from_slice(name.as_bytes());
            message.push(b'=');
            message.extend_from_slice(value.as_bytes());
        }
        let head = format!("{}\n", message.len());
        let Some(requests) = &mut self.requests else {
            return Ok(None);
        };
        let sent = requests
            .write_all(head.as_bytes())
            .and_then(|()| requests.write_all(&message));
        if sent.is_err() || !self.wait_for_answer()? {
            return Ok(None);
        }
        let mut head = String::new();
        self.answers.read_line(&mut head)?;
        let Ok(length) = head.trim_end().parse() else {
            return Ok(None);
        };
        let mut message = vec![0; length];
        self.answers.read_exact(&mut message)?;
        Ok(Answer::read(&message))
    }

    /// Returns whether an answer is there. A process in the background may keep the pipe open
    /// after PHP has ended, so that the end of the pipe tells nothing.
    fn wait_for_answer(&mut self) -> Result<bool, Stop> {
        loop {
            let has_ended = self.has_ended()?;
            let pipe = Some(self.answers.get_ref().as_fd());
            let wait = if has_ended { Duration::ZERO } else { TICK };
            if readable([pipe], wait)?[0] {
                return Ok(!self.answers.fill_buf()?.is_empty());
            }
            if has_ended {
                return Ok(false);
            }
        }
    }

    fn has_ended(&mut self) -> Result<bool, Stop> {
        if self.status.is_none() {
            self.status = self.child.try_wait()?;
        }
        Ok(self.status.is_some())
    }

    /// Returns whether the process has been seen to end.
    pub(super) const fn is_over(&self) -> bool {
        self.status.is_some()
    }

    /// Tells the process that there are no more requests, waits for its end, and returns its exit
    /// code.
    pub(super) fn finish(&mut self) -> Result<i32, Stop> {
        drop(self.requests.take());
        let status = match self.status {
            Some(status) => status,
            None => *self.status.insert(self.child.wait()?),
        };
        let signal = || 128 + status.signal().unwrap_or_default();
        Ok(status.code().unwrap_or_else(signal))
    }
}

/// A run that ends early doesn't leave the process behind.
impl Drop for Callbacks {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

impl Answer {
    fn read(message: &[u8]) -> Option<Self> {
        let mut fields = message.split(|&byte| byte == 0);
        let mut text = || fields.next().map(String::from_utf8_lossy);
        let returned = text()?.parse().ok()?;
        let timeout = text()?.parse().ok()?;
        let memory_limit = text()?.into_owned();
        let directory = PathBuf::from(OsStr::from_bytes(fields.next()?));
        let variables: Vec<(OsString, OsString)> = fields
            .filter_map(|field| {
                let at = field.iter().position(|&byte| byte == b'=')?;
                let (name, value) = (&field[..at], &field[at + 1..]);
                Some((
                    OsString::from_vec(name.to_vec()),
                    OsString::from_vec(value.to_vec()),
                ))
            })
            .collect();
        Some(Self {
            returned,
            timeout,
            memory_limit,
            directory,
            variables: Variables::of(&variables),
        })
    }
}
