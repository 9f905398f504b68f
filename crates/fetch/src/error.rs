//! Defines the errors of downloads, and which of them are worth a retry.
//!
//! Every text in here is safe to show. URLs have gone through [`redact`](super::redact); header
//! values and proxy credentials never get in.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

/// The stage that a request had reached when the transport failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportKind {
    /// The host's name could not be resolved. This is not retried.
    Dns,
    /// The host refused the connection. This is retried once.
    Refused,
    /// The connection failed for another reason: unreachable, timed out, or refused by the proxy.
    Connect,
    /// The proxy demands credentials that we don't have. This is not retried.
    ProxyAuth,
    /// The connection was established, then broke or fell silent.
    Exchange,
    /// The request was not sent, because too many earlier requests could not reach this host.
    HostDown,
    /// The response came too slowly, or exceeded the time that Composer would allow. This is not
    /// retried.
    TooSlow,
}

/// An error that ends a download, or the reason of a retry.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The server responded, but not with the archive.
    #[error("{url}: HTTP status {code}")]
    Status {
        /// Redacted URL that gave the response (after redirects).
        url: String,
        /// HTTP status code.
        code: u16,
    },
    /// The response is missing or incomplete.
    #[error("{url}: {reason}")]
    Transport {
        /// Redacted URL.
        url: String,
        /// Underlying cause in words.
        reason: String,
        /// Whether time ran out, as opposed to an error that was reported to us.
        timeout: bool,
        /// Stage of the failure.
        kind: TransportKind,
    },
    /// The body is complete but does not match the lock file's checksum.
    #[error("{url}: SHA-1 is {actual}, expected {expected}")]
    Checksum {
        /// Redacted URL.
        url: String,
        /// Composer's shasum, lower-case hex.
        expected: String,
        /// SHA-1 of the bytes received, lower-case hex.
        actual: String,
    },
    /// The body ended before `Content-Length` bytes had arrived.
    #[error("{url}: body ended after {got} of {expected} bytes")]
    Truncated {
        /// Redacted URL.
        url: String,
        /// Value of `Content-Length`, in bytes.
        expected: u64,
        /// Number of bytes received.
        got: u64,
    },
    /// The body exceeds the size limit.
    #[error("{url}: larger than {limit} bytes")]
    TooLarge {
        /// Redacted URL.
        url: String,
        /// Size limit in bytes.
        limit: u64,
    },
    /// The request met more redirects than
    /// [`FetchOptions::max_redirects`](super::FetchOptions::max_redirects).
    #[error("{url}: more than {limit} redirects")]
    TooManyRedirects {
        /// Redacted URL of the request, before redirects.
        url: String,
        /// Number of redirects that are followed.
        limit: usize,
    },
    /// A redirect leads to plain HTTP while `secure-http` is on.
    #[error("{from}: refused to follow a redirect to plain HTTP: {to}")]
    InsecureRedirect {
        /// Redacted URL that redirected.
        from: String,
        /// Redacted target of the redirect.
        to: String,
    },
    /// TLS could not establish trust: bad certificate, no CA file, or no TLS version in common.
    #[error("{url}: TLS: {reason}")]
    Tls {
        /// Redacted URL.
        url: String,
        /// Objection of the TLS library.
        reason: String,
    },
    /// The archive could not be written.
    #[error("{action} {}: {source}", path.display())]
    File {
        /// Attempted action, as a verb.
        action: &'static str,
        /// Path of the operation.
        path: PathBuf,
        /// Error that the system returned.
        source: io::Error,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A URL of the request or of a redirect can't be used.
    #[error("{url}: {reason}")]
    BadUrl {
        /// Redacted URL.
        url: String,
        /// Defect of the URL.
        reason: String,
    },
    /// A request header can't be sent.
    #[error("{url}: header {name} can't be sent")]
    BadHeader {
        /// Redacted URL.
        url: String,
        /// Name of the header, or its number if the name is the problem.
        name: String,
    },
    /// The options make no sense, or no thread could be started. No request was sent.
    #[error("can't set up downloads: {reason}")]
    Setup {
        /// Cause of the failure.
        reason: String,
    },
}

impl FetchError {
    /// Returns whether the same request may succeed a little later.
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

    /// Returns whether the host, or the proxy before it, could not be reached at all.
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Transport {
                kind: TransportKind::Dns | TransportKind::Refused | TransportKind::Connect,
                ..
            }
        )
    }

    /// Classifies an error of the HTTP client. `url` is already redacted.
    pub(super) fn from_client(error: reqwest::Error, url: &str) -> Self {
        let url = url.to_owned();
        // The error's text would show the URL, including credentials and signatures.
        let error = error.without_url();
        // With TLS 1.3 the server rejects our certificate only after the handshake seems complete.
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

/// Iterates over an error and all of its sources.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// Returns the text of the deepest source, which names the reason.
fn root_cause(error: &reqwest::Error) -> String {
    chain(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// Returns whether any source is "connection refused".
fn has_refusal(error: &reqwest::Error) -> bool {
    chain(error).any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    })
}

/// Returns the TLS error among the sources, if there is one. It hides inside I/O errors, where
/// `source()` skips it.
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
