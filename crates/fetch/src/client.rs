//! Builds HTTP clients, one for each proxy and set of certificates. All workers of a run share
//! them.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::{Client, Proxy, redirect};

use super::error::FetchError;
use super::names::Names;
use super::tls::{Tls, Trust};
use super::{FetchOptions, MOST_WORKERS};
use allegro_base::redact::redact;

/// Flow-control window of one HTTP/2 stream in bytes. It bounds the memory of each download. At a
/// round trip of 50 ms it still allows 10 MB/s for each stream.
const STREAM_WINDOW: u32 = 512 << 10;
/// Flow-control window of one HTTP/2 connection in bytes, for all streams together.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Share of the connect timeout after which an unanswered look-up counts as a DNS failure. A
/// connect timeout would instead be retried, and would wait again.
const NAMES_SHARE: f64 = 0.95;
/// Time that an idle connection waits for the next request.
const POOL_IDLE: Duration = Duration::from_secs(30);

/// The HTTP clients of one run, which keep the connections.
pub(super) struct Clients<'a> {
    options: &'a FetchOptions,
    trust: &'a Trust,
    pub names: Names,
    cached: Mutex<HashMap<Key, Client>>,
}

/// Proxy URL, whether the server speaks TLS, and certificates that differ from the options'.
type Key = (Option<String>, bool, Option<Tls>);

impl<'a> Clients<'a> {
    pub fn new(options: &'a FetchOptions, trust: &'a Trust, names: &Names) -> Self {
        Self {
            options,
            trust,
            names: names.clone(),
            cached: Mutex::default(),
        }
    }

    /// Returns the client for a proxy, or for direct connections if `proxy` is `None`.
    ///
    /// `secure` selects a client for https URLs. Only these clients, and those of https proxies,
    /// need the CA certificates. `shown` returns the redacted URL for errors.
    pub fn get(
        &self,
        proxy: Option<&str>,
        secure: bool,
        tls: Option<Tls>,
        shown: impl FnOnce() -> String,
    ) -> Result<Client, FetchError> {
        let key = (proxy.map(str::to_owned), secure, tls);
        // The lock is held while the client is built, because other threads would only build it
        // once more.
        let mut cached = self.cached.lock();
        if let Some(client) = cached.get(&key) {
            return Ok(client.clone());
        }
        let client = self.build(proxy, secure, key.2.as_ref(), shown)?;
        cached.insert(key, client.clone());
        Ok(client)
    }

    fn build(
        &self,
        proxy: Option<&str>,
        secure: bool,
        tls: Option<&Tls>,
        shown: impl FnOnce() -> String,
    ) -> Result<Client, FetchError> {
        let tls_proxy = proxy.is_some_and(|proxy| {
            proxy
                .get(..6)
                .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"))
        });
        let tls = match tls {
            Some(tls) => tls.config(),
            None if secure || tls_proxy => self.trust.config(),
            None => Trust::nobody(),
        };
        let mut tls = tls.map_err(|reason| FetchError::Tls {
            url: shown(),
            reason,
        })?;
        if secure {
            tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        }
        let idle = self.options.idle_timeout;
        let mut builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(&self.options.user_agent)
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(self.options.connect_timeout)
            .dns_resolver(
                self.names
                    .resolver(self.options.connect_timeout.mul_f64(NAMES_SHARE)),
            )
            .tcp_nodelay(true)
            .pool_max_idle_per_host(MOST_WORKERS)
            .pool_idle_timeout(POOL_IDLE)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            // A retry must not pick a dead connection again.
            .http2_keep_alive_interval(idle / 2)
            .http2_keep_alive_timeout(idle / 2)
            // Archives must arrive as raw bytes, even if another crate enables decoders.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            // The caller decides about proxies of the environment and the system.
            .no_proxy();
        if let Some(proxy) = proxy {
            // The error may quote the URL, so it is not passed on.
            builder = builder.proxy(Proxy::all(proxy).map_err(|_| FetchError::BadUrl {
                url: redact(proxy),
                reason: "can't be used as a proxy".to_owned(),
            })?);
        }
        builder.build().map_err(|error| FetchError::Setup {
            reason: error.without_url().to_string(),
        })
    }
}
