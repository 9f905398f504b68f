//! Parallel downloads of dist archives over HTTP/1.1 and HTTP/2.
//!
//! [`Fetcher::run`] starts one thread per worker. A worker takes the next request, waits for the
//! network on a runtime that the calling thread drives, writes the body to disk itself, reports, and goes on; so
//! a slow disk or a slow callback holds up one download, not the runtime. The worker *is* the
//! permit: it is not free for another request before the body is on disk. All threads are joined
//! before `run` returns.
//!
//! - `target`: one hop of a request, what may be sent where, redirects
//! - `download`: tries, redirects and the body of one request
//! - `document`: small files that are kept in memory, asked for on condition
//! - `retry`: waits between tries, hosts given up
//! - `client`, `tls`, `proxy`: connections, trust, ways
//! - `names`: addresses of hosts
//! - `pace`, `body`: limits in time and memory
//! - `sink`: temporary file, SHA-1, rename
//! - `error`: what may be shown

mod body;
mod client;
mod crew;
mod document;
mod download;
mod error;
mod names;
mod pace;
mod proxy;
mod retry;
mod sink;
mod target;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::header::HeaderValue;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use client::Clients;
use crew::{Stop, Wait};
pub use document::{Document, DocumentRequest, Documents, Errand, Queue};
use download::{Received, Shared, transfer};
pub use error::{FetchError, TransportKind};
use names::Names;
use pace::Flow;
pub use proxy::Proxies;
use retry::Hosts;
pub use sink::TEMP_PREFIX;
use tls::Trust;
pub use tls::{ClientCertificate, Tls};

/// Most downloads at once.
pub const MOST_WORKERS: usize = 32;

/// Downloads at once where nobody says otherwise. Composer's own default is 12 parallel transfers; a few more hide
/// latency without being rude to a host.
pub const DEFAULT_WORKERS: usize = 16;

/// How downloads are made; the same for all requests of a fetcher.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Downloads at once, 1 to [`MOST_WORKERS`]; a value outside of that range is brought into it.
    pub workers: usize,
    /// `User-Agent` header.
    pub user_agent: String,
    /// PEM bundle of the CA certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// Directory of PEM files to trust, in addition to `ca_file`. Without either, https URLs fail.
    pub ca_dir: Option<PathBuf>,
    /// Limit for name resolution, TCP and TLS handshake together.
    pub connect_timeout: Duration,
    /// Without a byte for that long, a download counts as broken; with less than 1 KiB a second for that long, and none
    /// beside it that is faster, too.
    pub idle_timeout: Duration,
    /// Limit for a request with all its redirects and repetitions.
    pub total_timeout: Duration,
    /// Repetitions after a failed try; 0 = one try only.
    pub retries: u32,
    /// Wait before the first repetition; doubled for each one after it, with jitter.
    pub backoff_base: Duration,
    /// Longest `Retry-After` that is waited for; beyond it the request fails at once.
    pub max_retry_after: Duration,
    /// Redirects that are followed for one request.
    pub max_redirects: usize,
    /// Refuse redirects to plain HTTP (Composer's `secure-http`).
    pub secure_http: bool,
}

impl FetchOptions {
    /// `workers` within its limits.
    fn workers(&self) -> usize {
        self.workers.clamp(1, MOST_WORKERS)
    }
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            workers: DEFAULT_WORKERS,
            user_agent: concat!("Allegro/", env!("CARGO_PKG_VERSION")).to_owned(),
            ca_file: None,
            ca_dir: None,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            // Composer's limit for one transfer.
            total_timeout: Duration::from_mins(5),
            retries: 3,
            backoff_base: Duration::from_millis(500),
            max_retry_after: Duration::from_mins(1),
            max_redirects: 20,
            secure_http: true,
        }
    }
}

/// One archive to download.
#[derive(Clone, Default)]
pub struct Request {
    /// The caller's name for it; comes back with events and result.
    pub id: usize,
    /// http or https. User information is sent as basic authentication and never shown.
    pub url: String,
    /// Extra headers, taken for secret: not sent any more once a redirect has left the origin
    /// (scheme, host, port), and never shown. An `Authorization` among them wins over `url`'s.
    pub headers: Vec<(String, String)>,
    /// Ways to the servers; the environment is not asked.
    pub proxies: Proxies,
    /// Whom to trust and who we are, in place of the options' certificates. The client's
    /// certificate is not shown any more once a redirect has left the origin.
    pub tls: Option<Tls>,
    /// Composer's shasum: SHA-1 in hex. Empty counts as none.
    pub sha1: Option<String>,
    /// Where the archive goes; an existing file is replaced. Its directory is made if need be.
    pub dest: PathBuf,
    /// Expected size in bytes; larger downloads start first.
    pub size_hint: Option<u64>,
}

impl Request {
    /// The checksum to compare with, if there is one.
    fn shasum(&self) -> Option<&str> {
        let sha1 = self.sha1.as_deref()?.trim();
        (!sha1.is_empty()).then_some(sha1)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Request")
            .field("id", &self.id)
            .field("url", &allegro_base::redact::redact(&self.url))
            .field("headers", &headers)
            .field("proxies", &self.proxies)
            .field("tls", &self.tls)
            .field("sha1", &self.sha1)
            .field("dest", &self.dest)
            .field("size_hint", &self.size_hint)
            .finish()
    }
}

/// An archive that is in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Of the request.
    pub id: usize,
    /// Size of the archive.
    pub bytes: u64,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    pub http_version: String,
}

/// What happens to a request, in this order: `Started`, any of `Sized`, `Progress` and `Retrying`,
/// then one `Done` or `Failed`. A request that is cancelled before its start has `Failed` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchEvent {
    /// A worker has taken it.
    Started {
        /// Of the request.
        id: usize,
    },
    /// The server says how large the body is; it begins to come.
    Sized {
        /// Of the request.
        id: usize,
        /// Size of the archive.
        bytes: u64,
    },
    /// More of the body has come.
    Progress {
        /// Of the request.
        id: usize,
        /// Bytes since the last such event.
        bytes_delta: u64,
    },
    /// A try has failed, another one follows. The bytes reported so far are void.
    Retrying {
        /// Of the request.
        id: usize,
        /// 1 for the first repetition.
        attempt: u32,
        /// Until it starts.
        wait: Duration,
        /// Why, fit to be shown.
        reason: String,
    },
    /// The archive is in its place.
    Done {
        /// Of the request.
        id: usize,
        /// Size of the archive.
        bytes: u64,
    },
    /// Given up; the error goes to `on_done`.
    Failed {
        /// Of the request.
        id: usize,
    },
}

/// Downloads archives.
pub struct Fetcher {
    options: FetchOptions,
    trust: Trust,
    names: Names,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Receives each result: the archive, or the request's id and what went wrong.
pub type OnDone<'a> = &'a (dyn Fn(Result<Fetched, (usize, FetchError)>) + Sync);

impl Fetcher {
    /// Checks the options. CA certificates are not read before an https URL asks for them.
    pub fn new(options: FetchOptions) -> Result<Self, FetchError> {
        if HeaderValue::from_str(&options.user_agent).is_err() {
            return Err(FetchError::Setup {
                reason: "the user agent is no valid header".to_owned(),
            });
        }
        let trust = Trust::new(options.ca_file.clone(), options.ca_dir.clone());
        let names = Names::of_process();
        Ok(Self {
            options,
            trust,
            names,
        })
    }

    /// Downloads everything; returns when each request has had its `on_done`, exactly once.
    ///
    /// `on_event` and `on_done` are called on worker threads, several at a time. A slow `on_done`
    /// costs its worker's time only. Once `cancel` is set all downloads stop, unfinished files
    /// are removed, and what isn't done yet ends as [`FetchError::Cancelled`]. A panic of a
    /// callback is passed on after all threads have ended.
    pub fn run(
        &self,
        requests: Vec<Request>,
        cancel: &AtomicBool,
        on_event: &(dyn Fn(FetchEvent) + Sync),
        on_done: OnDone<'_>,
    ) {
        if requests.is_empty() {
            return;
        }
        let workers = self.options.workers().min(requests.len());
        let (stop, stopped) = watch::channel(cancel.load(Ordering::Relaxed));
        let run = Run {
            shared: Shared {
                options: &self.options,
                clients: Clients::new(&self.options, &self.trust, &self.names),
                hosts: Hosts::default(),
                flow: Flow::default(),
                on_event,
            },
            queue: Mutex::new(size_first(requests)),
            on_done,
            stopped,
        };
        let setup = match runtime() {
            Ok(runtime) => {
                let stop = Stop {
                    teller: &stop,
                    is_cancelled: cancel,
                };
                crew::run(workers, &runtime, stop, |wait| run.worker(wait));
                // Clients keep tasks of the runtime alive, so it is not dropped before them.
                let leftover = run.into_leftover();
                drop(runtime);
                (leftover, None)
            }
            Err(error) => (run.into_leftover(), Some(error)),
        };
        let (leftover, error) = setup;
        for request in leftover {
            let error = match &error {
                Some(error) => FetchError::Setup {
                    reason: error.to_string(),
                },
                None => FetchError::Cancelled,
            };
            on_event(FetchEvent::Failed { id: request.id });
            on_done(Err((request.id, error)));
        }
    }
}

/// One call of [`Fetcher::run`].
struct Run<'a> {
    shared: Shared<'a>,
    queue: Mutex<VecDeque<Request>>,
    on_done: OnDone<'a>,
    stopped: watch::Receiver<bool>,
}

impl Run<'_> {
    /// Takes requests until there are none left or the run is stopped.
    fn worker(&self, wait: &Wait<'_>) {
        while !*self.stopped.borrow() {
            let Some(request) = self.queue.lock().pop_front() else {
                return;
            };
            let id = request.id;
            (self.shared.on_event)(FetchEvent::Started { id });
            match self.fetch(wait, &request) {
                Ok(fetched) => {
                    let bytes = fetched.bytes;
                    (self.shared.on_event)(FetchEvent::Done { id, bytes });
                    (self.on_done)(Ok(fetched));
                }
                Err(error) => {
                    (self.shared.on_event)(FetchEvent::Failed { id });
                    (self.on_done)(Err((id, error)));
                }
            }
        }
    }

    fn fetch(&self, wait: &Wait<'_>, request: &Request) -> Result<Fetched, FetchError> {
        let mut stopped = self.stopped.clone();
        let Received { sink, version, url } = wait.for_end_of(async {
            tokio::select! {
                biased;
                _ = stopped.wait_for(|stop| *stop) => Err(FetchError::Cancelled),
                received = transfer(&self.shared, request) => received,
            }
        })?;
        let bytes = sink.commit(&request.dest, request.shasum(), &url)?;
        Ok(Fetched {
            id: request.id,
            bytes,
            http_version: version.to_owned(),
        })
    }

    fn into_leftover(self) -> VecDeque<Request> {
        self.queue.into_inner()
    }
}

/// Largest first, which shortens the tail; unknown sizes count as average. Stable.
fn size_first(mut requests: Vec<Request>) -> VecDeque<Request> {
    let known = || requests.iter().filter_map(|request| request.size_hint);
    let total: u128 = known().map(u128::from).sum();
    let average = total
        .checked_div(known().count() as u128)
        .and_then(|average| u64::try_from(average).ok())
        .unwrap_or_default();
    requests.sort_by_key(|request| std::cmp::Reverse(request.size_hint.unwrap_or(average)));
    requests.into()
}

/// The thread that waits for the workers drives the connections: a runtime with threads of its own panics or hangs
/// where they can't be started. Nothing blocks on it, so that its end waits for nothing.
fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
