//! Tests many concurrent small documents.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::tempdir;

use super::options;
use super::server::{Authority, Reply, Seen, Server};
use crate::{Document, DocumentRequest, Errand, FetchOptions, Fetcher, Queue, Request};

/// Requests one document and returns the server's answer.
pub struct Ask(Request, Option<String>);

impl Errand for Ask {
    type Result = Document;

    fn request(&mut self) -> DocumentRequest {
        DocumentRequest {
            request: std::mem::take(&mut self.0),
            since: self.1.take(),
        }
    }

    fn is_awaited(&self) -> bool {
        self.1.is_none()
    }

    fn done(self, document: Document) -> Document {
        document
    }
}

pub fn ask(url: String, since: Option<&str>) -> Ask {
    let request = Request {
        url,
        ..Request::default()
    };
    Ask(request, since.map(str::to_owned))
}

const COUNT: usize = 400;

pub fn closed(errands: impl Iterator<Item = Ask>) -> Queue<Ask> {
    let queue = Queue::default();
    queue.extend(errands);
    queue.close();
    queue
}

/// The number of allowed downloads must not limit documents. A new connection for each document
/// would take longer than the document.
#[test]
fn connections_are_kept() {
    let server = Server::start(|seen| match seen.header("if-modified-since") {
        Some(_) => Reply::status(304, ""),
        None if seen.path.ends_with('7') => Reply::status(404, "none"),
        None => Reply::ok(seen.path.clone()).header("Last-Modified", "then"),
    });
    let fetcher = Fetcher::new(FetchOptions {
        workers: 1,
        ..options()
    })
    .unwrap();
    let documents = fetcher.documents().unwrap();
    for since in [None, Some("then")] {
        let errands = (0..COUNT).map(|at| ask(server.url(&format!("/{at}")), since));
        let told = Mutex::new(vec![None; COUNT]);
        documents.run(&closed(errands), &|| false, &|at, result| {
            let before = told.lock()[at].replace(result.unwrap());
            assert_eq!(before, None);
        });
        for (at, document) in told.into_inner().into_iter().enumerate() {
            let expected = match since {
                Some(_) => Document::Unchanged,
                None if at % 10 == 7 => Document::Missing,
                None => Document::Body {
                    text: format!("/{at}").into_bytes(),
                    last_modified: Some("then".to_owned()),
                },
            };
            assert_eq!(document, Some(expected));
        }
    }
    assert_eq!(server.log().len(), 2 * COUNT);
    assert!(server.peak() <= 32, "{}", server.peak());
    // New connections may race with old ones that are about to become free.
    assert!(server.accepted() <= 64, "{}", server.accepted());
}

/// A server with HTTP/2 gets more concurrent requests than its neighbour with HTTP/1.1.
#[test]
fn requests_share_a_connection() {
    let dir = tempdir().unwrap();
    let authority = Authority::new(dir.path(), "ours");
    // The delay is so long that even a busy machine has sent more requests before.
    let late = |_: &Seen| Reply::ok("x").delay(Duration::from_millis(300));
    let sharing = Server::start_with(authority.h2(), late);
    let other = Server::start(late);
    let fetcher = Fetcher::new(FetchOptions {
        ca_file: Some(authority.bundle.clone()),
        ..options()
    })
    .unwrap();
    let documents = fetcher.documents().unwrap();
    let errands = (0..COUNT).map(|at| {
        // The server's limit holds whichever user sends the request.
        let user = if at % 3 == 0 { "one:a@" } else { "" };
        if at < COUNT / 2 {
            let scheme = format!("https://{user}");
            ask(sharing.url_as(&scheme, &format!("/{at}")), None)
        } else {
            let scheme = format!("http://{user}");
            ask(other.url_as(&scheme, &format!("/{at}")), None)
        }
    });
    let told = AtomicUsize::new(0);
    documents.run(&closed(errands), &|| false, &|_, result| {
        assert!(result.is_ok());
        told.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(told.into_inner(), COUNT);
    let (shared, alone) = (sharing.peak(), other.peak());
    assert!(shared > 32 && shared <= 100, "{shared}");
    assert!(alone <= 32, "{alone}");
    assert!(sharing.accepted() <= 32, "{}", sharing.accepted());
}

#[test]
fn the_rest_is_not_told_once_it_is_cancelled() {
    let server = Server::start(|seen| match seen.path.as_str() {
        "/0" => Reply::ok("first"),
        _ => Reply::ok("late").delay(Duration::from_secs(600)),
    });
    let fetcher = Fetcher::new(options()).unwrap();
    let documents = fetcher.documents().unwrap();
    let told = AtomicUsize::new(0);
    let errands = (0..COUNT).map(|at| ask(server.url(&format!("/{at}")), None));
    documents.run(
        &closed(errands),
        &|| told.load(Ordering::Relaxed) > 0,
        &|at, result| {
            assert!(result.is_ok());
            assert_eq!(at, 0);
            told.fetch_add(1, Ordering::Relaxed);
        },
    );
    assert_eq!(told.into_inner(), 1);
}

/// Later requests depend on earlier answers.
#[test]
fn more_may_come_while_it_runs() {
    let server = Server::start(|seen| Reply::ok(seen.path.clone()));
    let fetcher = Fetcher::new(options()).unwrap();
    let documents = fetcher.documents().unwrap();
    let queue = Queue::default();
    let one = |at: usize| ask(server.url(&format!("/{at}")), None);
    queue.extend([one(0)]);
    let told = Mutex::new(Vec::new());
    documents.run(&queue, &|| false, &|at, result| {
        assert!(result.is_ok());
        told.lock().push(at);
        if at + 1 < COUNT {
            queue.extend([one(at + 1)]);
        } else {
            queue.close();
        }
    });
    let expected: Vec<usize> = (0..COUNT).collect();
    assert_eq!(told.into_inner(), expected);
}

/// The test sends many confirmations, of which none is waited for.
#[tokio::test]
async fn what_somebody_waits_for_goes_first() {
    let queue = Queue::default();
    let since = |since| ask("http://localhost/".to_owned(), since);
    queue.extend([since(Some("then")), since(Some("then")), since(None)]);
    let mut order = Vec::new();
    for _ in 0..2 {
        order.extend(queue.next().await.map(|(at, _)| at));
    }
    queue.extend([since(Some("then")), since(None)]);
    queue.close();
    while let Some((at, _)) = queue.next().await {
        order.push(at);
    }
    assert_eq!(order, [2, 0, 4, 1, 3]);
}

#[test]
fn a_panic_on_any_thread_ends_it() {
    let server = Server::start(|_| Reply::ok("text"));
    let fetcher = Fetcher::new(options()).unwrap();
    let documents = fetcher.documents().unwrap();
    for (bad, is_closed) in [(0, true), (COUNT - 1, true), (0, false), (COUNT - 1, false)] {
        let errands = (0..COUNT).map(|at| ask(server.url(&format!("/{at}")), None));
        let queue = Queue::default();
        queue.extend(errands);
        if is_closed {
            queue.close();
        }
        let result = catch_unwind(AssertUnwindSafe(|| {
            documents.run(&queue, &|| false, &|at, _| {
                assert_ne!(at, bad, "wanted");
            });
        }));
        assert!(result.is_err());
    }
}
