//! Tests the fetcher against loopback servers.
#![allow(
    clippy::disallowed_methods,
    clippy::format_collect,
    clippy::unwrap_used
)]

mod documents;
mod limits;
mod names;
mod posts;
mod security;
mod server;
mod transfers;
mod trouble;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::Mutex;
use tempfile::TempDir;

use super::{FetchError, FetchEvent, FetchOptions, Fetched, Fetcher, Request};

/// The results of a run by request id, and its events in order.
struct Outcome {
    results: BTreeMap<usize, Result<Fetched, FetchError>>,
    events: Vec<FetchEvent>,
}

impl Outcome {
    fn ok(&self, id: usize) -> &Fetched {
        self.results[&id].as_ref().unwrap()
    }

    fn error(&self, id: usize) -> &FetchError {
        self.results[&id].as_ref().unwrap_err()
    }

    /// Returns all texts that could be shown to a user.
    fn texts(&self) -> String {
        let errors = self
            .results
            .values()
            .filter_map(|result| result.as_ref().err());
        let errors: String = errors.map(|error| format!("{error:?} {error}\n")).collect();
        format!("{errors}{:?}", self.events)
    }
}

/// Returns options with short time limits, so that the tests are quick.
fn options() -> FetchOptions {
    FetchOptions {
        workers: 4,
        backoff_base: Duration::from_millis(10),
        connect_timeout: Duration::from_secs(5),
        idle_timeout: Duration::from_secs(5),
        secure_http: false,
        ..FetchOptions::default()
    }
}

fn run(options: FetchOptions, requests: Vec<Request>) -> Outcome {
    run_until(options, requests, &AtomicBool::new(false), &|_| ())
}

fn run_until(
    options: FetchOptions,
    requests: Vec<Request>,
    cancel: &AtomicBool,
    on_event: &(dyn Fn(&FetchEvent) + Sync),
) -> Outcome {
    let expected = requests.len();
    let results = Mutex::new(BTreeMap::new());
    let events = Mutex::new(Vec::new());
    Fetcher::new(options).unwrap().run(
        requests,
        cancel,
        &|event| {
            on_event(&event);
            events.lock().push(event);
        },
        &|result| {
            let (id, result) = match result {
                Ok(fetched) => (fetched.id, Ok(fetched)),
                Err((id, error)) => (id, Err(error)),
            };
            assert!(
                results.lock().insert(id, result).is_none(),
                "{id} done twice"
            );
        },
    );
    let results = results.into_inner();
    assert_eq!(results.len(), expected);
    Outcome {
        results,
        events: events.into_inner(),
    }
}

fn request(id: usize, url: String, dest: PathBuf) -> Request {
    Request {
        id,
        url,
        dest,
        ..Request::default()
    }
}

/// Runs one request for `url` into `<dir>/a.zip`.
fn fetch(options: FetchOptions, url: String, dir: &TempDir) -> Outcome {
    run(options, vec![request(0, url, dir.path().join("a.zip"))])
}

/// Returns the names in a directory, or nothing if it doesn't exist.
fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Returns bytes whose pattern does not repeat at a buffer's size.
fn body(len: usize) -> Vec<u8> {
    (0_u64..)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0])
        .take(len)
        .collect()
}
