//! Records requests and answers. It contains no secret, because only the kind of credentials is
//! kept.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::Serialize;

use crate::error::{Error, Result};

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogEntry {
    /// Method of the request, such as `GET`.
    pub method: String,
    /// Path and query of the request.
    pub path: String,
    /// Status of the answer, 0 if there was none (yet).
    pub status: u16,
    /// HTTP version: `HTTP/1.1` or `HTTP/2.0`.
    pub http_version: String,
    /// Kind of credentials: `basic`, `bearer`, or the lower-case name of the header that carried
    /// something else.
    pub auth: Option<String>,
    /// Whether any header with credentials came.
    pub credentials: bool,
    /// Whether the request came to the second origin.
    pub other_origin: bool,
    /// Number of the connection, from 1.
    pub connection: usize,
    /// The client's `User-Agent`.
    pub user_agent: String,
    /// Whether the request was conditional (`If-Modified-Since` or `If-None-Match`).
    pub conditional: bool,
    /// Milliseconds from the server's start to the request.
    pub at_ms: f64,
    /// Milliseconds from the request to the end of the answer; 0 before that end.
    pub took_ms: f64,
    /// Number of bytes of the body that were handed to the connection.
    pub bytes: u64,
    /// Body of a POST, which is Composer's report of installed packages.
    pub posted: Option<String>,
}

struct Slot {
    entry: LogEntry,
    arrived: Instant,
    status: AtomicU16,
    bytes: AtomicU64,
    took_nanos: AtomicU64,
    posted: Mutex<Option<String>>,
}

impl Slot {
    fn snapshot(&self) -> LogEntry {
        LogEntry {
            status: self.status.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            took_ms: Duration::from_nanos(self.took_nanos.load(Ordering::Relaxed)).as_secs_f64()
                * 1e3,
            posted: self.posted.lock().clone(),
            ..self.entry.clone()
        }
    }
}

/// All requests of a server.
pub(super) struct Log {
    started: Instant,
    slots: Mutex<Vec<Arc<Slot>>>,
    file: Option<Arc<Mutex<BufWriter<File>>>>,
}

impl Log {
    pub(super) fn new(file: Option<&Path>) -> Result<Self> {
        let file = match file {
            Some(path) => Some(Arc::new(Mutex::new(BufWriter::new(
                File::create(path).map_err(Error::io(path))?,
            )))),
            None => None,
        };
        Ok(Self {
            started: Instant::now(),
            slots: Mutex::default(),
            file,
        })
    }

    /// Records a request. The returned ticket records its answer.
    pub(super) fn open(
        &self,
        mut entry: LogEntry,
        in_flight: impl FnOnce() + Send + 'static,
    ) -> Ticket {
        entry.at_ms = self.started.elapsed().as_secs_f64() * 1e3;
        let slot = Arc::new(Slot {
            entry,
            arrived: Instant::now(),
            status: AtomicU16::new(0),
            bytes: AtomicU64::new(0),
            took_nanos: AtomicU64::new(0),
            posted: Mutex::new(None),
        });
        self.slots.lock().push(Arc::clone(&slot));
        Ticket {
            slot,
            file: self.file.clone(),
            done: Some(Box::new(in_flight)),
        }
    }

    pub(super) fn entries(&self) -> Vec<LogEntry> {
        self.slots
            .lock()
            .iter()
            .map(|slot| slot.snapshot())
            .collect()
    }

    pub(super) fn clear(&self) {
        self.slots.lock().clear();
    }

    pub(super) fn flush(&self) {
        if let Some(file) = &self.file {
            let _ = file.lock().flush();
        }
    }
}

/// A request that is being answered. The ticket is dropped at the end of the answer, whatever ends
/// it.
pub(super) struct Ticket {
    slot: Arc<Slot>,
    file: Option<Arc<Mutex<BufWriter<File>>>>,
    done: Option<Box<dyn FnOnce() + Send>>,
}

impl Ticket {
    pub(super) fn status(&self, status: u16) {
        self.slot.status.store(status, Ordering::Relaxed);
    }

    pub(super) fn posted(&self, text: String) {
        *self.slot.posted.lock() = Some(text);
    }

    pub(super) fn add(&self, bytes: u64) {
        self.slot.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let took = u64::try_from(self.slot.arrived.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.slot.took_nanos.store(took.max(1), Ordering::Relaxed);
        if let Some(done) = self.done.take() {
            done();
        }
        if let Some(file) = &self.file
            && let Ok(mut line) = serde_json::to_vec(&self.slot.snapshot())
        {
            line.push(b'\n');
            let mut file = file.lock();
            let _ = file.write_all(&line);
            let _ = file.flush();
        }
    }
}
