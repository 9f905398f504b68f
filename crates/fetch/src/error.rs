//! What can go wrong with a download, and whether another try may help.
//!
//! Every text in here is safe to show: URLs have gone through [`redact`](super::redact), header
//! values and proxy credentials never get in.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

/// How far a request got before the transport failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportKind {
    /// The host's name could not be resolved; not retried.
    Dns,
    /// Nothing listens there; retried once.
    Refused,
    /// No connection for another reason: unreachable, timed out, refused by the proxy.
    Connect,
    /// The proxy asks for credentials we don't have; not retried.
    ProxyAuth,
    /// The connection stood, then broke or fell silent.
    Exchange,
    /// Not even tried: too many requests before it found no way to this host.
    HostDown,
    /// The answer came too slowly, or took all the time that Composer would give it; not retried.
    TooSlow,
}

/// A download that failed for good, or the reason why it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The server answered, but not with the archive.
    #[error("{url}: HTTP status {code}")]
    Status {
        /// Redacted URL that gave the answer (after redirects).
        url: String,
        /// HTTP status code.
        code: u16,
    },
    /// No complete answer.
    #[error("{url}: {reason}")]
    Transport {
        /// Redacted URL.
        url: String,
        /// The underlying cause in words.
        reason: String,
        /// Time ran out (as opposed to an error that was reported to us).
        timeout: bool,
        /// Where it happened.
        kind: TransportKind,
    },
    /// The body is complete but is not what the lock file promised.
    #[error("{url}: SHA-1 is {actual}, expected {expected}")]
    Checksum {
        /// Redacted URL.
        url: String,
        /// Composer's shasum, lower-case hex.
        expected: String,
        /// SHA-1 of the bytes received, lower-case hex.
        actual: String,
    },
    /// The body ended before `Content-Length` bytes had come.
    #[error("{url}: body ended after {got} of {expected} bytes")]
    Truncated {
        /// Redacted URL.
        url: String,
        /// `Content-Length`, bytes.
        expected: u64,
        /// Bytes received.
        got: u64,
    },
    /// The body is larger than what is taken.
    #[error("{url}: larger than {limit} bytes")]
    TooLarge {
        /// Redacted URL.
        url: String,
        /// The largest size, bytes.
        limit: u64,
    },
    /// More redirects than [`FetchOptions::max_redirects`](super::FetchOptions::max_redirects).
    #[error("{url}: more than {limit} redirects")]
    TooManyRedirects {
        /// Redacted URL of the request, before redirects.
        url: String,
        /// How many are followed.
        limit: usize,
    },
    /// A redirect to plain HTTP while `secure-http` is on.
    #[error("{from}: refused to follow a redirect to plain HTTP: {to}")]
    InsecureRedirect {
        /// Redacted URL that redirected.
        from: String,
        /// Redacted target.
        to: String,
    },
    /// No trust: bad certificate, no CA file, or no TLS version in common.
    #[error("{url}: TLS: {reason}")]
    Tls {
        /// Redacted URL.
        url: String,
        /// What TLS objected to.
        reason: String,
    },
    /// The archive could not be written.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A URL of the request or of a redirect that can't be used.
    #[error("{url}: {reason}")]
    BadUrl {
        /// Redacted URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A request header that can't be sent.
    #[error("{url}: header {name} can't be sent")]
    BadHeader {
        /// Redacted URL.
        url: String,
        /// The header's name, or its number if the name is the problem.
        name: String,
    },
    /// Options that make no sense, or no thread to be had; no request was started.
    #[error("can't set up downloads: {reason}")]
    Setup {
        /// What is missing.
        reason: String,
    },
}

impl FetchError {
    /// Whether the same request may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Status { code, .. } => matches!(code, 429 | 500 | 502 | 503 | 504),
            Self::Transport { kind, .. } => matches!(
                kind,
                TransportKind::Refused | TransportKind::Connect | TransportKind::Exchange
            ),
            Self::Truncated { .. } => true,
            _ => false,
        }
    }

    /// Whether the host (or the proxy before it) could not be reached at all.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Transport {
                kind: TransportKind::Dns | TransportKind::Refused | TransportKind::Connect,
                ..
            }
        )
    }

    /// Sorts an error of the HTTP client. `url` is already redacted.
    pub(super) fn from_client(error: reqwest::Error, url: &str) -> Self {
        let url = url.to_owned();
        // Its text would name the URL, credentials and signatures included.
        let error = error.without_url();
        // With TLS 1.3 the server objects to our certificate when the connection seems to stand.
        if let Some(tls) = tls_cause(&error)
            && (error.is_connect() || matches!(tls, rustls::Error::AlertReceived(_)))
        {
            return Self::Tls {
                url,
                reason: tls.to_string(),
            };
        }
        let timeout = error.is_timeout();
        let root = root_cause(&error);
        let (kind, reason) = if error.is_dns() {
            (
                TransportKind::Dns,
                format!("can't resolve the host: {root}"),
            )
        } else if root.contains("proxy authorization required") {
            (
                TransportKind::ProxyAuth,
                "the proxy asks for authentication".to_owned(),
            )
        } else if has_refusal(&error) {
            (TransportKind::Refused, format!("can't connect: {root}"))
        } else if error.is_connect() {
            (TransportKind::Connect, format!("can't connect: {root}"))
        } else {
            (TransportKind::Exchange, format!("transfer failed: {root}"))
        };
        Self::Transport {
            url,
            reason,
            timeout,
            kind,
        }
    }
}

/// The error and everything below it.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Text of the deepest cause, the one that names the reason.
fn root_cause(error: &reqwest::Error) -> String {
    chain(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// Whether "connection refused" is what lies below.
fn has_refusal(error: &reqwest::Error) -> bool {
    chain(error).any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    })
}

/// The TLS error below, if there is one; it hides inside I/O errors, where `source()` skips it.
fn tls_cause(error: &reqwest::Error) -> Option<&rustls::Error> {
    chain(error).find_map(|cause| {
        let mut cause: &(dyn StdError + 'static) = cause;
        loop {
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return Some(tls);
            }
            cause = cause.downcast_ref::<io::Error>()?.get_ref()?;
        }
    })
}
