//! The proxies of a run.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::redact::redact;

/// The proxies of a run. They may contain credentials, so `Debug` hides those.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Proxies {
    /// Proxy for http URLs: a URL whose scheme is http, https, socks4, socks4a, socks5 or socks5h.
    pub http: Option<String>,
    /// Proxy for https URLs.
    pub https: Option<String>,
    /// The environment variable `no_proxy` as it is, empty if there is none.
    pub no_proxy: String,
}

impl Proxies {
    /// Returns proxies with the same URL for all requests.
    pub fn all(url: impl Into<String>) -> Self {
        let url = url.into();
        Self {
            http: Some(url.clone()),
            https: Some(url),
            no_proxy: String::new(),
        }
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Proxies")
            .field("http", &self.http.as_deref().map(redact))
            .field("https", &self.https.as_deref().map(redact))
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}
