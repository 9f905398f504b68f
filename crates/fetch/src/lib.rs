//! Downloads dist archives in parallel over HTTP/1.1 and HTTP/2, and fetches repository metadata.
//!
//! [`Fetcher::run`] starts one thread per worker. A worker takes the next request and waits for the
//! network on a runtime that the calling thread drives. It writes the body to disk itself, reports,
//! and continues. A slow disk or a slow callback thus delays one download, not the runtime.
//!
//! The worker *is* the permit: it takes no other request before the body is on disk. All threads
//! are joined before `run` returns.
//!
//! - `target`: one hop of a request, what may be sent to it, redirects
//! - `download`: attempts, redirects and the body of one request
//! - `document`: repository metadata in memory, requested conditionally
//! - `post`: reports whose answers are ignored
//! - `retry`: waits between attempts, unreachable hosts
//! - `client`, `tls`, `proxy`: connections, trust, routes
//! - `names`: addresses of hosts
//! - `pace`, `body`: limits in time and memory
//! - `sink`: temporary file, SHA-1, rename
//! - `error`: errors whose texts may be shown

mod body;
mod client;
mod crew;
mod document;
mod download;
mod error;
mod names;
mod pace;
mod post;
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

pub use allegro_base::proxies::Proxies;
use client::Clients;
use crew::{Stop, Wait};
pub use document::{Document, DocumentRequest, Documents, Errand, Queue};
use download::{Received, Shared, transfer};
pub use error::{FetchError, TransportKind};
use names::Names;
use pace::Flow;
pub use post::Post;
use retry::Hosts;
pub use sink::TEMP_PREFIX;
use tls::Trust;
pub use tls::{ClientCertificate, Tls};

/// Most concurrent downloads.
pub const MOST_WORKERS: usize = 32;

/// Default number of concurrent downloads. Composer's own default is 12 parallel transfers. A few
/// more hide latency without being rude to a host.
pub const DEFAULT_WORKERS: usize = 16;

/// Options that apply to all requests of a fetcher.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Number of concurrent downloads, 1 to [`MOST_WORKERS`]. Other values are clamped to that
    /// range.
    pub workers: usize,
    /// Value of the `User-Agent` header.
    pub user_agent: String,
    /// PEM bundle of the CA certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// Directory of PEM files to trust, in addition to `ca_file`. Without either, https URLs fail.
    pub ca_dir: Option<PathBuf>,
    /// Time limit for name resolution, TCP and TLS handshake together.
    pub connect_timeout: Duration,
    /// Longest time without a byte before a download counts as broken. A download is also given up
    /// if it and all others together bring less than 1 KiB a second for that long.
    pub idle_timeout: Duration,
    /// Time limit for a request with all its redirects and retries.
    pub total_timeout: Duration,
    /// Number of retries after a failed attempt. With 0 there is one attempt only.
    pub retries: u32,
    /// Wait before the first retry. It doubles for each further one, with jitter.
    pub backoff_base: Duration,
    /// Longest `Retry-After` that is obeyed. Beyond it the request fails at once.
    pub max_retry_after: Duration,
    /// Most redirects that are followed for one request.
    pub max_redirects: usize,
    /// Whether to refuse redirects to plain HTTP (Composer's `secure-http`).
    pub secure_http: bool,
}

impl FetchOptions {
    /// Returns `workers`, clamped to its range.
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
            // Composer's time limit for one transfer.
            total_timeout: Duration::from_mins(5),
            retries: 3,
            backoff_base: Duration::from_millis(500),
            max_retry_after: Duration::from_mins(1),
            max_redirects: 20,
            secure_http: true,
        }
    }
}

/// An archive to download.
#[derive(Clone, Default)]
pub struct Request {
    /// Identifier chosen by the caller. Events and results carry it.
    pub id: usize,
    /// URL of the archive, http or https. User information is sent as basic authentication and
    /// never shown.
    pub url: String,
    /// Extra headers, treated as secret: never shown, and no longer sent once a redirect has left
    /// the origin (scheme, host, port). An `Authorization` header among them overrides `url`'s.
    pub headers: Vec<(String, String)>,
    /// Proxies for the request. Those of the environment are not used.
    pub proxies: Proxies,
    /// Trusted CA certificates and client certificate, in place of the options'. The client
    /// certificate is no longer presented once a redirect has left the origin.
    pub tls: Option<Tls>,
    /// Composer's shasum: SHA-1 in hex. An empty string counts as none.
    pub sha1: Option<String>,
    /// Destination of the archive. An existing file is replaced. A missing directory is created.
    pub dest: PathBuf,
    /// Expected size in bytes. Larger downloads start first.
    pub size_hint: Option<u64>,
}

impl Request {
    /// Returns the expected checksum, if there is one.
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

/// A downloaded archive that is in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Identifier of the request.
    pub id: usize,
    /// Size of the archive in bytes.
    pub bytes: u64,
    /// HTTP version: `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`.
    pub http_version: String,
}

/// An event of a request. The order is `Started`, any of `Sized`, `Progress` and `Retrying`, then
/// one `Done` or `Failed`. A request that is cancelled before its start has `Failed` only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchEvent {
    /// A worker has taken the request.
    Started {
        /// Identifier of the request.
        id: usize,
    },
    /// The size of the body is known, and the body begins to arrive.
    Sized {
        /// Identifier of the request.
        id: usize,
        /// Size of the archive in bytes.
        bytes: u64,
    },
    /// More of the body has arrived.
    Progress {
        /// Identifier of the request.
        id: usize,
        /// Number of bytes since the request's last progress event.
        bytes_delta: u64,
    },
    /// An attempt has failed, and a retry follows. The bytes reported so far are discarded.
    Retrying {
        /// Identifier of the request.
        id: usize,
        /// Number of the retry, from 1.
        attempt: u32,
        /// Time until the retry starts.
        wait: Duration,
        /// Reason of the retry, safe to show.
        reason: String,
    },
    /// The archive is in its place.
    Done {
        /// Identifier of the request.
        id: usize,
        /// Size of the archive in bytes.
        bytes: u64,
    },
    /// The request has failed for good. Its error goes to `on_done`.
    Failed {
        /// Identifier of the request.
        id: usize,
    },
}

/// Downloads archives and fetches documents.
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

/// Callback for each result: the archive, or the request's id and its error.
pub type OnDone<'a> = &'a (dyn Fn(Result<Fetched, (usize, FetchError)>) + Sync);

impl Fetcher {
    /// Checks the options and returns a fetcher. CA certificates are not read before the first
    /// https URL.
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

    /// Downloads all requests. It returns when each request has had its `on_done`, exactly once.
    ///
    /// Worker threads call `on_event` and `on_done`, several at a time. A slow `on_done` costs only
    /// its own worker's time. Once `cancel` is set, all downloads stop and unfinished files are
    /// removed. All unfinished requests then end as [`FetchError::Cancelled`]. A callback's panic
    /// is passed on after all threads have ended.
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
        let run = Transfers {
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
                // Clients keep tasks of the runtime alive, so the runtime must be dropped after
                // them.
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

/// The state of one call of [`Fetcher::run`].
struct Transfers<'a> {
    shared: Shared<'a>,
    queue: Mutex<VecDeque<Request>>,
    on_done: OnDone<'a>,
    stopped: watch::Receiver<bool>,
}

impl Transfers<'_> {
    /// Processes requests until the queue is empty or the run is stopped.
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

/// Sorts requests by size, largest first, which shortens the tail. Unknown sizes count as average.
/// The sort is stable.
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

/// Builds a runtime that the waiting thread drives. A runtime with its own threads panics or hangs
/// if they can't be started. No blocking task runs on it, so dropping it waits for nothing.
fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}
