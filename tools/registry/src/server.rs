//! Serves metadata and dists over HTTP/1.1 and HTTP/2, with or without TLS, and with faults on
//! demand.

mod auth;
mod body;
mod connection;
mod fault;
mod log;
mod parse;
mod proxy;
mod route;
mod tls;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::catalog::Catalog;
use crate::error::{Error, Result};

pub use auth::{Auth, AuthRule, Credentials};
pub use fault::{Fault, Redirect, Rule};
pub use log::LogEntry;
pub use proxy::{ForwardProxy, ProxyOptions, ProxyRequest};

use body::Limiter;
use connection::Counters;
use fault::Rules;
use log::Log;

/// Options of a server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Address of the first origin. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether the server uses https, with a certificate of its own authority.
    pub tls: bool,
    /// With `tls`: whether only clients with a certificate of the authority are served; see
    /// [`Server::client_certificate`].
    pub client_certificates: bool,
    /// File for the authority's certificate; a temporary one by default.
    pub ca_file: Option<PathBuf>,
    /// Delay before every reply.
    pub latency: Duration,
    /// Bytes per second on each connection.
    pub connection_bandwidth: Option<u64>,
    /// Bytes per second of all connections together.
    pub total_bandwidth: Option<u64>,
    /// Faults that the server makes.
    pub faults: Vec<Rule>,
    /// Rules about the credentials that paths need.
    pub auth: Vec<AuthRule>,
    /// Whether the metadata has the packages' `source`, so that `composer update` writes it into
    /// locks.
    pub keep_source: bool,
    /// Directory whose files are served before anything else.
    pub files: Option<PathBuf>,
    /// File for the log, one JSON object a line.
    pub log_file: Option<PathBuf>,
    /// Number of threads that serve.
    pub threads: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: false,
            client_certificates: false,
            ca_file: None,
            latency: Duration::ZERO,
            connection_bandwidth: None,
            total_bandwidth: None,
            faults: Vec::new(),
            auth: Vec::new(),
            keep_source: false,
            files: None,
            log_file: None,
            threads: 2,
        }
    }
}

/// The state that all connections of a server share.
struct State {
    catalog: Arc<Catalog>,
    base_url: String,
    other_url: String,
    latency: Duration,
    keep_source: bool,
    files: Option<PathBuf>,
    connection_bandwidth: Option<u64>,
    total: Option<Arc<Limiter>>,
    rules: RwLock<Rules>,
    auth: RwLock<Vec<AuthRule>>,
    log: Log,
    counters: Counters,
}

/// A running server, which stops when dropped.
pub struct Server {
    state: Arc<State>,
    addresses: [SocketAddr; 2],
    ca_file: Option<PathBuf>,
    authority: Option<tls::Authority>,
    _temporary: Option<tempfile::TempDir>,
    runtime: Option<Runtime>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Server({})", self.base_url())
    }
}

impl Server {
    /// Serves a catalog until it is stopped or dropped.
    pub fn start(catalog: Arc<Catalog>, options: ServerOptions) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(options.threads.max(1))
            .thread_name("registry")
            .enable_all()
            .build()
            .map_err(failed("cannot start threads"))?;
        let bind = |address: SocketAddr| {
            runtime
                .block_on(TcpListener::bind(address))
                .and_then(|listener| Ok((listener.local_addr()?, listener)))
                .map_err(failed("cannot listen"))
        };
        let (address, listener) = bind(options.listen)?;
        // The second origin differs in port and host name, because clients compare these when they
        // drop credentials.
        let (other, other_listener) = bind(SocketAddr::new(options.listen.ip(), 0))?;
        let mut temporary = None;
        let mut ca_file = None;
        let mut used = None;
        let acceptor = if options.tls {
            let authority = tls::Authority::new()?;
            let path = if let Some(path) = options.ca_file {
                path
            } else {
                let dir = tempfile::tempdir().map_err(Error::io("a temporary directory"))?;
                let path = dir.path().join("ca.pem");
                temporary = Some(dir);
                path
            };
            crate::project::write_file(&path, authority.certificate().as_bytes())?;
            ca_file = Some(path);
            let acceptor = authority.acceptor(options.client_certificates)?;
            used = Some(authority);
            Some(acceptor)
        } else {
            None
        };
        let scheme = if options.tls { "https" } else { "http" };
        let state = Arc::new(State {
            catalog,
            base_url: format!("{scheme}://{address}"),
            other_url: format!("{scheme}://localhost:{}", other.port()),
            latency: options.latency,
            keep_source: options.keep_source,
            files: options.files,
            connection_bandwidth: options.connection_bandwidth,
            total: options
                .total_bandwidth
                .map(|rate| Arc::new(Limiter::new(rate))),
            rules: RwLock::new(Rules::new(options.faults)),
            auth: RwLock::new(options.auth),
            log: Log::new(options.log_file.as_deref())?,
            counters: Counters::default(),
        });
        for (listener, other) in [(listener, false), (other_listener, true)] {
            runtime.spawn(connection::accept(
                listener,
                acceptor.clone(),
                Arc::clone(&state),
                other,
            ));
        }
        Ok(Self {
            state,
            addresses: [address, other],
            ca_file,
            authority: used,
            _temporary: temporary,
            runtime: Some(runtime),
        })
    }

    /// Returns scheme, address and port, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.state.base_url
    }

    /// Returns the URL of the same content under another host name and port.
    pub fn other_url(&self) -> &str {
        &self.state.other_url
    }

    /// Returns the file of the certificate authority to trust, if the server uses TLS.
    pub fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// Returns a new client certificate and its key, both PEM, if the server uses TLS.
    pub fn client_certificate(&self) -> Result<Option<(String, String)>> {
        self.authority
            .as_ref()
            .map(tls::Authority::client)
            .transpose()
    }

    /// Returns the addresses of the first and second origin.
    pub fn addresses(&self) -> [SocketAddr; 2] {
        self.addresses
    }

    /// Returns the catalog that the server serves.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.state.catalog
    }

    /// Returns all requests so far, in the order of their arrival.
    pub fn log(&self) -> Vec<LogEntry> {
        self.state.log.entries()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.state.log.clear();
    }

    /// Returns the number of connections accepted so far.
    pub fn connections(&self) -> usize {
        self.state.counters.accepted.load(Ordering::Relaxed)
    }

    /// Returns the number of open connections.
    pub fn open_connections(&self) -> usize {
        self.state.counters.open.load(Ordering::Relaxed)
    }

    /// Returns the number of requests that are being answered now, including hanging ones.
    pub fn in_flight(&self) -> usize {
        self.state.counters.in_flight.load(Ordering::Relaxed)
    }

    /// Returns the highest number of requests that were being answered at the same time.
    pub fn max_in_flight(&self) -> usize {
        self.state.counters.max_in_flight.load(Ordering::Relaxed)
    }

    /// Replaces the fault rules. Their counts start anew.
    pub fn set_faults(&self, rules: Vec<Rule>) {
        *self.state.rules.write() = Rules::new(rules);
    }

    /// Replaces the rules about credentials.
    pub fn set_auth(&self, rules: Vec<AuthRule>) {
        *self.state.auth.write() = rules;
    }

    /// Stops serving and closes all connections.
    pub fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Requests that hang on purpose would delay an orderly shutdown.
            runtime.shutdown_background();
        }
        self.state.log.flush();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn failed<E: std::fmt::Display>(action: &'static str) -> impl Fn(E) -> Error {
    move |reason| Error::Server {
        action,
        reason: reason.to_string(),
    }
}
