//! Performs one download: follows redirects, retries, and writes the body to its file.

use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, LOCATION,
};
use reqwest::{Response, StatusCode, Version};
use tokio::time::{sleep, timeout};

use super::client::Clients;
use super::error::{FetchError, TransportKind};
use super::pace::Flow;
use super::proxy;
use super::retry::{self, Hosts};
use super::sink::Sink;
use super::target::Target;
use super::{FetchEvent, FetchOptions, Request};
use allegro_base::progress;
use allegro_base::redact::redact;

/// Bytes between two progress events of a download.
const PROGRESS_STEP: u64 = 128 << 10;

/// Most bytes of an archive. Neither zip nor tar supports larger ones without extensions, and an
/// endless body would fill the disk.
const LARGEST: u64 = 4 << 30;

/// The state that all downloads of a run share.
pub(super) struct Shared<'a> {
    pub options: &'a FetchOptions,
    pub clients: Clients<'a>,
    pub hosts: Hosts,
    pub flow: Flow,
    pub on_event: &'a (dyn Fn(FetchEvent) + Sync),
}

/// A complete body that has not been renamed to its place yet.
pub(super) struct Received {
    pub sink: Sink,
    pub version: &'static str,
    /// Redacted URL of the response.
    pub url: String,
}

/// A failed attempt.
pub(super) struct Failure {
    error: FetchError,
    /// Wait that the server requested in `Retry-After`.
    retry_after: Option<Duration>,
    /// Key of the host, if the host could not be reached.
    host: Option<String>,
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        Self {
            error,
            retry_after: None,
            host: None,
        }
    }
}

/// Receives the body of `request`, with as many attempts as the options allow.
pub(super) async fn transfer(
    shared: &Shared<'_>,
    request: &Request,
) -> Result<Received, FetchError> {
    let headers = headers_of(request)?;
    tries(shared, request, async || {
        try_once(shared, request, &headers).await
    })
    .await
}

/// Repeats an attempt within the options' limits on retries and total time.
pub(super) async fn tries<T>(
    shared: &Shared<'_>,
    request: &Request,
    try_once: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, FetchError> {
    let limit = shared.options.total_timeout;
    let tried = timeout(limit, try_often(shared, request.id, try_once)).await;
    tried.unwrap_or_else(|_| {
        Err(FetchError::Transport {
            url: redact(&request.url),
            reason: format!("not complete after {} s", limit.as_secs_f64()),
            timeout: true,
            kind: TransportKind::TooSlow,
        })
    })
}

async fn try_often<T>(
    shared: &Shared<'_>,
    id: usize,
    try_once: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, FetchError> {
    let mut attempt = 0;
    let mut refusals = 0;
    loop {
        let failure = match try_once().await {
            Ok(received) => return Ok(received),
            Err(failure) => failure,
        };
        attempt += 1;
        if let FetchError::Transport {
            kind: TransportKind::Refused,
            ..
        } = failure.error
        {
            refusals += 1;
        }
        let asked = failure.retry_after.unwrap_or_default();
        let last = attempt > shared.options.retries
            || !failure.error.is_retryable()
            || refusals > 1
            || asked > shared.options.max_retry_after;
        if last {
            if let Some(host) = failure.host {
                shared.hosts.unreached(&host);
            }
            return Err(failure.error);
        }
        let wait = retry::backoff(shared.options.backoff_base, attempt).max(asked);
        (shared.on_event)(FetchEvent::Retrying {
            id,
            attempt,
            wait,
            reason: failure.error.to_string(),
        });
        wait_out(wait).await;
    }
}

/// Waits before a retry. The wait counts as progress, because it is bounded.
async fn wait_out(wait: Duration) {
    const PIECE: Duration = Duration::from_secs(1);
    let mut left = wait;
    while !left.is_zero() {
        progress::step();
        let piece = left.min(PIECE);
        sleep(piece).await;
        left -= piece;
    }
}

/// Returns the request's own headers, all marked as sensitive.
pub(super) fn headers_of(request: &Request) -> Result<HeaderMap, FetchError> {
    header_map(&request.url, &request.headers)
}

/// Returns the headers of a request for a URL, all marked as sensitive.
pub(super) fn header_map(url: &str, lines: &[(String, String)]) -> Result<HeaderMap, FetchError> {
    let mut headers = HeaderMap::with_capacity(lines.len() + 2);
    for (index, (name, value)) in lines.iter().enumerate() {
        let bad = |name: String| FetchError::BadHeader {
            url: redact(url),
            name,
        };
        let name = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| bad(format!("number {}", index + 1)))?;
        let mut value =
            HeaderValue::from_str(value.trim()).map_err(|_| bad(name.as_str().to_owned()))?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// Performs one attempt, from the request's own URL through all redirects to the end of the body.
async fn try_once(
    shared: &Shared<'_>,
    request: &Request,
    headers: &HeaderMap,
) -> Result<Received, Failure> {
    let (target, response) = ask(shared, request, headers).await?;
    if response.status().is_success() {
        receive(shared, request, &target, response).await
    } else {
        Err(refusal(&target, &response))
    }
}

/// Returns the failure for a response with an unexpected status.
pub(super) fn refusal(target: &Target, response: &Response) -> Failure {
    Failure {
        error: FetchError::Status {
            url: target.shown(),
            code: response.status().as_u16(),
        },
        retry_after: retry::retry_after(response.headers()),
        host: None,
    }
}

/// Sends the request, follows all redirects, and returns the final target and its response head.
pub(super) async fn ask(
    shared: &Shared<'_>,
    request: &Request,
    headers: &HeaderMap,
) -> Result<(Target, Response), Failure> {
    let mut target = Target::parse(&request.url)?;
    let mut followed = 0;
    loop {
        let response = send(shared, request, &target, headers).await?;
        // Bodies of redirect responses are not read. Dropping a response returns its connection to
        // the pool if the whole body has arrived already.
        let Some(location) = location(&response) else {
            return Ok((target, response));
        };
        if followed == shared.options.max_redirects {
            return Err(FetchError::TooManyRedirects {
                url: redact(&request.url),
                limit: followed,
            }
            .into());
        }
        followed += 1;
        target = target.follow(&location, shared.options.secure_http)?;
    }
}

/// Sends one GET and waits for the response head.
async fn send(
    shared: &Shared<'_>,
    request: &Request,
    target: &Target,
    own: &HeaderMap,
) -> Result<Response, Failure> {
    let proxy = proxy::of(&request.proxies, &target.url);
    let host = format!("{} {}", proxy.unwrap_or_default(), target.origin());
    if shared.hosts.is_down(&host) {
        return Err(FetchError::Transport {
            url: target.shown(),
            reason: "not tried, since the host could not be reached several times".to_owned(),
            timeout: false,
            kind: TransportKind::HostDown,
        }
        .into());
    }
    let tls = request.tls.as_ref().filter(|_| target.is_secure());
    let tls = tls.map(|tls| {
        if target.trusted {
            tls.clone()
        } else {
            tls.anonymous()
        }
    });
    let client = shared
        .clients
        .get(proxy, target.is_secure(), tls, || target.shown())?;
    let mut headers = if target.trusted {
        own.clone()
    } else {
        HeaderMap::new()
    };
    headers
        .entry(ACCEPT_ENCODING)
        .or_insert(HeaderValue::from_static("identity"));
    headers
        .entry(ACCEPT)
        .or_insert(HeaderValue::from_static("*/*"));
    let basic = target.auth.as_ref();
    let basic = basic.filter(|_| !headers.contains_key(AUTHORIZATION));
    let mut builder = client.get(target.url.clone()).headers(headers);
    if let Some((user, password)) = basic {
        builder = builder.basic_auth(user, password.as_ref());
    }
    // The time limit for the first byte starts only when the connection is established.
    let patience = shared.options.connect_timeout + shared.options.idle_timeout;
    let error = match timeout(patience, builder.send()).await {
        Ok(Ok(response)) => {
            shared.hosts.reached(&host);
            if let Some(address) = response.remote_addr() {
                shared.clients.names.leads_somewhere(address);
            }
            return Ok(response);
        }
        Ok(Err(error)) => FetchError::from_client(error, &target.shown()),
        Err(_) => silence(target, patience),
    };
    if error.is_unreachable() {
        shared.clients.names.lead_nowhere();
    }
    Err(Failure {
        host: error.is_unreachable().then_some(host),
        error,
        retry_after: None,
    })
}

/// Writes the body to a temporary file.
async fn receive(
    shared: &Shared<'_>,
    request: &Request,
    target: &Target,
    mut response: Response,
) -> Result<Received, Failure> {
    let expected = response.content_length();
    let version = version_name(response.version());
    check_size(expected.unwrap_or_default(), target)?;
    if let Some(bytes) = expected {
        (shared.on_event)(FetchEvent::Sized {
            id: request.id,
            bytes,
        });
    }
    let mut sink = Sink::create(&request.dest, request.shasum().is_some())?;
    let mut told = 0;
    let mut tell = |bytes: u64, step: u64| {
        if bytes - told >= step {
            (shared.on_event)(FetchEvent::Progress {
                id: request.id,
                bytes_delta: bytes - told,
            });
            told = bytes;
        }
    };
    let idle = shared.options.idle_timeout;
    let mut pace = shared.flow.pace(idle);
    loop {
        let chunk = match timeout(idle, response.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => break,
            Ok(Err(error)) => {
                let error = FetchError::from_client(error, &target.shown());
                return Err(match (error, expected) {
                    (FetchError::Transport { timeout: false, .. }, Some(expected))
                        if sink.bytes() < expected =>
                    {
                        truncated(target, expected, sink.bytes())
                    }
                    (error, _) => error,
                }
                .into());
            }
            Err(_) => return Err(silence(target, idle).into()),
        };
        // The write blocks this worker's own thread, not the runtime. Meanwhile the connection's
        // flow control holds the server back.
        progress::step();
        sink.write(&chunk)?;
        tell(sink.bytes(), PROGRESS_STEP);
        pace.count(chunk.len(), target)?;
        check_size(sink.bytes(), target)?;
    }
    tell(sink.bytes(), 1);
    match expected {
        Some(expected) if expected != sink.bytes() => {
            Err(truncated(target, expected, sink.bytes()).into())
        }
        _ => Ok(Received {
            sink,
            version,
            url: target.shown(),
        }),
    }
}

fn check_size(bytes: u64, target: &Target) -> Result<(), FetchError> {
    if bytes > LARGEST {
        return Err(FetchError::TooLarge {
            url: target.shown(),
            limit: LARGEST,
        });
    }
    Ok(())
}

/// Returns the target of a redirect, or `None` if the response is no redirect.
fn location(response: &Response) -> Option<String> {
    let redirect = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    let location = redirect.then(|| response.headers().get(LOCATION))??;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

pub(super) fn truncated(target: &Target, expected: u64, got: u64) -> FetchError {
    FetchError::Truncated {
        url: target.shown(),
        expected,
        got,
    }
}

pub(super) fn silence(target: &Target, waited: Duration) -> FetchError {
    FetchError::Transport {
        url: target.shown(),
        reason: format!("no data for {} s", waited.as_secs_f64()),
        timeout: true,
        kind: TransportKind::Exchange,
    }
}

fn version_name(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "HTTP/2",
        Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
