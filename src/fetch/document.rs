//! Small files that are kept in memory, asked for on condition: metadata of repositories.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::atomic::AtomicBool;

use flate2::read::MultiGzDecoder;
use parking_lot::Mutex;
use reqwest::StatusCode;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, HeaderMap, HeaderValue, IF_MODIFIED_SINCE, LAST_MODIFIED,
};
use tokio::sync::watch;
use tokio::time::timeout;

use super::client::Clients;
use super::crew;
use super::download::{Failure, Shared, ask, headers_of, refusal, silence, tries};
use super::retry::Hosts;
use super::{FetchError, Fetcher, MOST_WORKERS, Request, redact, runtime};

/// No metadata file is larger, packed or unpacked.
const LARGEST: u64 = 256 << 20;

/// One file to ask for. `dest`, `sha1` and `size_hint` of the request don't count.
#[derive(Debug, Clone, Default)]
pub struct DocumentRequest {
    /// What to ask, and how.
    pub request: Request,
    /// `Last-Modified` of the copy that the caller has.
    pub since: Option<String>,
}

/// What the server says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
    /// The caller's copy is good (304).
    Unchanged,
    /// There is no such file (404).
    Missing,
    /// The file.
    Body {
        /// Its content.
        text: Vec<u8>,
        /// When it was last changed, in the server's words.
        last_modified: Option<String>,
    },
}

impl Fetcher {
    /// Asks for files; results are in the order of the requests. All threads have ended when this returns. Once
    /// `is_cancelled` says so, the rest ends as [`FetchError::Cancelled`].
    ///
    /// Up to 32 requests are under way at once, however few downloads the options allow: what counts here is
    /// the round trip.
    pub fn documents(
        &self,
        requests: Vec<DocumentRequest>,
        is_cancelled: &AtomicBool,
    ) -> Vec<Result<Document, FetchError>> {
        let count = requests.len();
        let workers = MOST_WORKERS.min(count);
        if count == 0 {
            return Vec::new();
        }
        let runtime = match runtime(workers) {
            Ok(runtime) => runtime,
            Err(error) => return requests.iter().map(|_| Err(setup(&error))).collect(),
        };
        let shared = Shared {
            options: &self.options,
            clients: Clients::new(&self.options, &self.trust),
            hosts: Hosts::default(),
            on_event: &|_| {},
        };
        let queue: Mutex<VecDeque<(usize, DocumentRequest)>> =
            Mutex::new(requests.into_iter().enumerate().collect());
        let results: Mutex<Vec<Option<Result<Document, FetchError>>>> =
            Mutex::new((0..count).map(|_| None).collect());
        let (stop, stopped) = watch::channel(false);
        let error = crew::run(workers, &stop, is_cancelled, || {
            let mut stopped = stopped.clone();
            while !*stopped.borrow() {
                let Some((at, request)) = queue.lock().pop_front() else {
                    return;
                };
                let result = runtime.block_on(async {
                    tokio::select! {
                        biased;
                        _ = stopped.wait_for(|stop| *stop) => Err(FetchError::Cancelled),
                        document = get(&shared, &request) => document,
                    }
                });
                results.lock()[at] = Some(result);
            }
        })
        .err();
        drop(shared);
        drop(runtime);
        let unanswered = || match &error {
            Some(error) => setup(error),
            None => FetchError::Cancelled,
        };
        let results = results.into_inner().into_iter();
        results
            .map(|result| result.unwrap_or_else(|| Err(unanswered())))
            .collect()
    }
}

async fn get(shared: &Shared<'_>, wanted: &DocumentRequest) -> Result<Document, FetchError> {
    let mut headers = headers_of(&wanted.request)?;
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    let since = wanted.since.as_deref().map(HeaderValue::from_str);
    if let Some(Ok(since)) = since {
        headers.insert(IF_MODIFIED_SINCE, since);
    }
    tries(shared, wanted.request.id, async || {
        get_once(shared, &wanted.request, &headers).await
    })
    .await
}

async fn get_once(
    shared: &Shared<'_>,
    request: &Request,
    headers: &HeaderMap,
) -> Result<Document, Failure> {
    let (target, mut response) = ask(shared, request, headers).await?;
    match response.status() {
        StatusCode::NOT_MODIFIED => return Ok(Document::Unchanged),
        StatusCode::NOT_FOUND => return Ok(Document::Missing),
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
    let expected = response.content_length();
    let idle = shared.options.idle_timeout;
    let mut text = Vec::new();
    loop {
        match timeout(idle, response.chunk()).await {
            Ok(Ok(Some(chunk))) => text.extend_from_slice(&chunk),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return Err(FetchError::from_client(error, &target.shown()).into()),
            Err(_) => return Err(silence(&target, idle).into()),
        }
        if text.len() as u64 > LARGEST {
            return Err(too_large(request).into());
        }
    }
    if let Some(expected) = expected.filter(|expected| *expected != text.len() as u64) {
        return Err(FetchError::Truncated {
            url: target.shown(),
            expected,
            got: text.len() as u64,
        }
        .into());
    }
    if is_packed {
        let mut plain = Vec::new();
        let mut decoder = MultiGzDecoder::new(text.as_slice()).take(LARGEST + 1);
        if let Err(error) = decoder.read_to_end(&mut plain) {
            return Err(FetchError::Setup {
                reason: format!("{} can't be unpacked: {error}", target.shown()),
            }
            .into());
        }
        if plain.len() as u64 > LARGEST {
            return Err(too_large(request).into());
        }
        text = plain;
    }
    Ok(Document::Body {
        text,
        last_modified,
    })
}

fn setup(error: &std::io::Error) -> FetchError {
    FetchError::Setup {
        reason: error.to_string(),
    }
}

fn too_large(request: &Request) -> FetchError {
    FetchError::Setup {
        reason: format!("{} is too large for metadata", redact(&request.url)),
    }
}
