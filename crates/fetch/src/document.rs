//! Fetches repository metadata: small documents, held in memory, requested conditionally
//! (If-Modified-Since).

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, LAST_MODIFIED,
};
use reqwest::{StatusCode, Version};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, Semaphore};
use tokio::time::interval;

use super::body::{Body, Memory, receive};
use super::client::Clients;
use super::crew::CANCEL_POLL;
use super::download::{Failure, Shared, ask, headers_of, refusal, tries};
use super::pace::Flow;
use super::retry::Hosts;
use super::target::Target;
use super::{FetchError, Fetcher, MOST_WORKERS, Request};
use allegro_base::limits::{self, Share};
use allegro_base::progress;

/// Most threads that send requests. There is at most one for each processor.
const MOST_LANES: usize = 8;

/// Most concurrent requests when they share a connection (HTTP/2). Servers allow 100 to 128 streams
/// on a connection (RFC 9113 recommends no less).
const MOST_STREAMS: usize = 100;

/// A document to request. `dest`, `sha1` and `size_hint` of the request are ignored.
#[derive(Debug, Clone, Default)]
pub struct DocumentRequest {
    /// Request for the document.
    pub request: Request,
    /// `Last-Modified` value of the caller's copy, which makes the request conditional.
    pub since: Option<String>,
}

/// The server's answer to a document request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// The caller's copy is up to date (304).
    Unchanged,
    /// The document does not exist (404).
    Missing,
    /// The server sent the document.
    Body {
        /// Content of the document.
        text: Vec<u8>,
        /// `Last-Modified` header of the response.
        last_modified: Option<String>,
    },
}

/// A task that needs a document. Both of its steps run on threads of the run, several tasks at
/// once.
pub trait Errand: Send + 'static {
    /// Result of the task.
    type Result: Send + 'static;

    /// Returns the request to send. It may look for a cached copy first.
    fn request(&mut self) -> DocumentRequest;

    /// Returns whether a caller waits for the result. Such errands go first.
    fn is_awaited(&self) -> bool;

    /// Processes the answer.
    fn done(self, document: Document) -> Self::Result;
}

/// A queue of errands. More may be added while the first are processed.
#[derive(Debug)]
pub struct Queue<E> {
    waiting: Mutex<Waiting<E>>,
    more: Notify,
}

#[derive(Debug)]
struct Waiting<E> {
    /// Awaited errands with their numbers. `others` holds the rest.
    awaited: VecDeque<(usize, E)>,
    others: VecDeque<(usize, E)>,
    /// Number of errands added so far.
    count: usize,
    is_closed: bool,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                awaited: VecDeque::new(),
                others: VecDeque::new(),
                count: 0,
                is_closed: false,
            }),
            more: Notify::new(),
        }
    }
}

impl<E: Errand> Queue<E> {
    /// Adds errands. They are numbered in this order, from 0.
    pub fn extend(&self, errands: impl IntoIterator<Item = E>) {
        {
            let mut waiting = self.waiting.lock();
            let waiting = &mut *waiting;
            for errand in errands {
                let list = if errand.is_awaited() {
                    &mut waiting.awaited
                } else {
                    &mut waiting.others
                };
                list.push_back((waiting.count, errand));
                waiting.count += 1;
            }
        }
        self.more.notify_waiters();
    }

    /// Closes the queue: no more errands will be added.
    pub fn close(&self) {
        self.waiting.lock().is_closed = true;
        self.more.notify_waiters();
    }

    /// Waits for the next errand and returns it with its number. Returns `None` once the queue is
    /// closed and empty.
    pub(super) async fn next(&self) -> Option<(usize, E)> {
        loop {
            let mut more = pin!(self.more.notified());
            // From here on no notification is missed.
            more.as_mut().enable();
            {
                let mut waiting = self.waiting.lock();
                let waiting = &mut *waiting;
                let awaited = waiting.awaited.pop_front();
                if let Some(next) = awaited.or_else(|| waiting.others.pop_front()) {
                    return Some(next);
                }
                if waiting.is_closed {
                    return None;
                }
            }
            more.await;
        }
    }
}

/// Requests documents, over the same connections as long as it lives.
pub struct Documents<'a> {
    lanes: Vec<Lane<'a>>,
    memory: Memory,
}

/// The state of one worker thread. Requests, connections and processed answers stay on their
/// thread. For small documents, passing them between threads takes longer than everything else.
struct Lane<'a> {
    shared: Shared<'a>,
    runtime: Runtime,
    /// Most concurrent requests with one connection each, and most when they share a connection.
    connections: usize,
    streams: usize,
}

impl Fetcher {
    /// Prepares the threads' clients and runtimes for document requests.
    pub fn documents(&self) -> Result<Documents<'_>, FetchError> {
        let count = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let count = count.min(MOST_LANES);
        // Each lane needs one further descriptor of its own.
        let share = Share {
            descriptors: 2,
            memory: 8 << 20,
        };
        let most = limits::share(MOST_WORKERS, &share);
        let count = count.min(most);
        let flow = Flow::default();
        let lane = |_| -> Result<Lane<'_>, FetchError> {
            Ok(Lane {
                shared: Shared {
                    options: &self.options,
                    clients: Clients::new(&self.options, &self.trust, &self.names),
                    hosts: Hosts::default(),
                    flow: flow.clone(),
                    on_event: &|_| {},
                },
                runtime: Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|error| setup(&error))?,
                connections: most / count,
                streams: MOST_STREAMS / count,
            })
        };
        let mut lanes = vec![lane(0)?];
        // If descriptors are scarce, fewer lanes do as well.
        lanes.extend((1..count).map_while(|at| lane(at).ok()));
        Ok(Documents {
            lanes,
            memory: Memory::default(),
        })
    }
}

impl Documents<'_> {
    /// Runs errands until the queue is closed and empty. It reports each result from one of several
    /// threads, with the errand's number in the queue. Once `is_cancelled` returns `true`, the
    /// remaining results are not reported.
    ///
    /// Up to 32 requests are in flight at once, and up to 100 where they share connections. The
    /// options' limit on downloads does not apply, because the round trip dominates here.
    pub fn run<E: Errand>(
        &self,
        queue: &Queue<E>,
        is_cancelled: &(dyn Fn() -> bool + Sync),
        on_result: &(impl Fn(usize, Result<E::Result, FetchError>) + Sync),
    ) {
        let has_panicked = AtomicBool::new(false);
        let is_over = || is_cancelled() || has_panicked.load(Ordering::Relaxed);
        let run = |lane: &Lane<'_>| {
            // The other lanes would otherwise wait for errands of a queue that nobody closes.
            let _alarm = Alarm(&has_panicked);
            lane.run(queue, &self.memory, &is_over, on_result);
        };
        thread::scope(|scope| {
            // This thread runs the first lane. The other threads only add speed.
            let threads: Vec<_> = self
                .lanes
                .iter()
                .skip(1)
                .filter_map(|lane| {
                    thread::Builder::new()
                        .name("allegro-net".to_owned())
                        .spawn_scoped(scope, || run(lane))
                        .ok()
                })
                .collect();
            if let Some(lane) = self.lanes.first() {
                run(lane);
            }
            for thread in threads {
                if let Err(panic) = thread.join() {
                    resume_unwind(panic);
                }
            }
        });
    }
}

/// Sets a flag when the thread that holds it panics.
struct Alarm<'a>(&'a AtomicBool);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Lane<'_> {
    fn run<E: Errand>(
        &self,
        queue: &Queue<E>,
        memory: &Memory,
        is_cancelled: &dyn Fn() -> bool,
        on_result: &dyn Fn(usize, Result<E::Result, FetchError>),
    ) {
        let origins = &Origins::new(self.connections, self.streams);
        self.runtime.block_on(async {
            let mut under_way = FuturesUnordered::new();
            let mut is_closed = false;
            let mut look = interval(CANCEL_POLL);
            loop {
                tokio::select! {
                    next = queue.next(), if !is_closed && under_way.len() < origins.at_once.get() => match next {
                        Some((at, errand)) => {
                            under_way.push(async move {
                                (at, self.run_one(at, errand, origins, memory).await)
                            });
                        }
                        None => is_closed = true,
                    },
                    Some((at, result)) = under_way.next() => on_result(at, result),
                    _ = look.tick() => {
                        if is_cancelled() {
                            return;
                        }
                    }
                }
                if is_closed && under_way.is_empty() {
                    return;
                }
            }
        });
    }

    async fn run_one<E: Errand>(
        &self,
        id: usize,
        mut errand: E,
        origins: &Origins,
        memory: &Memory,
    ) -> Result<E::Result, FetchError> {
        let mut wanted = errand.request();
        wanted.request.id = id;
        let origin = origins.of(Target::parse(&wanted.request.url)?.origin());
        // The semaphore is never closed. The permit is returned at the end of this call.
        let _turn = origin.turns.acquire().await;
        let (version, document) = get(&self.shared, &wanted, memory).await?;
        progress::step();
        if version == Version::HTTP_2 {
            origins.shares_connections(&origin);
        }
        Ok(errand.done(document))
    }
}

/// Limits of concurrent requests, for each origin and in total. The limit of an origin rises once
/// its connections turn out to be shared (HTTP/2).
struct Origins {
    /// Most concurrent requests with one connection each.
    connections: usize,
    /// Number of further requests if they share a connection.
    more: usize,
    known: RefCell<HashMap<String, Rc<HttpOrigin>>>,
    at_once: Cell<usize>,
}

struct HttpOrigin {
    turns: Semaphore,
    is_shared: Cell<bool>,
}

impl Origins {
    fn new(connections: usize, streams: usize) -> Self {
        Self {
            connections,
            more: streams.saturating_sub(connections),
            known: RefCell::default(),
            at_once: Cell::new(connections),
        }
    }

    fn of(&self, name: String) -> Rc<HttpOrigin> {
        let mut known = self.known.borrow_mut();
        let origin = known.entry(name).or_insert_with(|| {
            Rc::new(HttpOrigin {
                turns: Semaphore::new(self.connections),
                is_shared: Cell::new(false),
            })
        });
        Rc::clone(origin)
    }

    fn shares_connections(&self, origin: &HttpOrigin) {
        if !origin.is_shared.replace(true) {
            origin.turns.add_permits(self.more);
            self.at_once.set(self.connections + self.more);
        }
    }
}

/// Requests a document and returns it with the HTTP version of the response.
async fn get(
    shared: &Shared<'_>,
    wanted: &DocumentRequest,
    memory: &Memory,
) -> Result<(Version, Document), FetchError> {
    let mut headers = headers_of(&wanted.request)?;
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let since = wanted.since.as_deref().map(HeaderValue::from_str);
    if let Some(Ok(since)) = since {
        headers.insert(IF_MODIFIED_SINCE, since);
    }
    tries(shared, &wanted.request, async || {
        get_once(shared, &wanted.request, &headers, memory).await
    })
    .await
}

async fn get_once(
    shared: &Shared<'_>,
    request: &Request,
    headers: &HeaderMap,
    memory: &Memory,
) -> Result<(Version, Document), Failure> {
    let (target, mut response) = ask(shared, request, headers).await?;
    let version = response.version();
    match response.status() {
        StatusCode::NOT_MODIFIED => return Ok((version, Document::Unchanged)),
        StatusCode::NOT_FOUND => return Ok((version, Document::Missing)),
        status if status.is_success() => {}
        _ => return Err(refusal(&target, &response)),
    }
    let header = |name| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let last_modified = header(LAST_MODIFIED);
    let is_packed =
        header(CONTENT_ENCODING).is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
    let text = receive(shared, &target, &mut response, Body::new(memory, is_packed)).await?;
    let document = Document::Body {
        text,
        last_modified,
    };
    Ok((version, document))
}

fn setup(error: &std::io::Error) -> FetchError {
    FetchError::Setup {
        reason: error.to_string(),
    }
}
