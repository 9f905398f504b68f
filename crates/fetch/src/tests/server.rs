//! Provides loopback servers that respond by script and record their requests.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use parking_lot::Mutex;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// A received request.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Request target: a path, or a whole URL if the client treats the server as a proxy.
    pub path: String,
    /// Headers as `name: value`, with names in lower case.
    pub headers: Vec<(String, String)>,
    /// Method of the request, and its body if the server speaks HTTP/1.1.
    pub method: String,
    pub body: Vec<u8>,
    /// Number of earlier requests for this path.
    pub before: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// A scripted response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Delay before the head is sent.
    pub delay: Duration,
    /// Number of body bytes to send before the cut.
    pub cut: Option<usize>,
    /// Silence at the cut; with `None` the connection is closed.
    pub stall: Option<Duration>,
    /// Size of each piece of the body, and the pause after it.
    pub pieces: Option<(usize, Duration)>,
}

impl Reply {
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200, body)
    }

    pub fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            delay: Duration::ZERO,
            cut: None,
            stall: None,
            pieces: None,
        }
    }

    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status, "moved").header("Location", location)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Sends only `at` bytes of the body, then closes the connection.
    pub fn cut(mut self, at: usize) -> Self {
        self.cut = Some(at);
        self
    }

    /// Sends only `at` bytes of the body, then stays silent for a long time.
    pub fn stall(mut self, at: usize) -> Self {
        self.cut = Some(at);
        self.stall = Some(Duration::from_mins(1));
        self
    }

    /// Sends the body in pieces of `bytes` bytes, with a pause after each.
    pub fn pieces(mut self, bytes: usize, rest: Duration) -> Self {
        self.pieces = Some((bytes, rest));
        self
    }
}

type Script = dyn Fn(&Seen) -> Reply + Send + Sync;

/// The protocol of a server.
#[derive(Clone)]
pub enum Wire {
    Plain,
    /// HTTP/1.1 over TLS.
    Tls(TlsAcceptor),
    /// HTTP/2 only, over TLS.
    H2(TlsAcceptor),
    /// A proxy that answers each request head with 200 and relays the rest to the address.
    Tunnel(SocketAddr),
}

#[derive(Default)]
struct Counters {
    accepted: AtomicUsize,
    active: AtomicUsize,
    peak: AtomicUsize,
    log: Mutex<Vec<Seen>>,
}

/// A running server, which ends when dropped.
pub struct Server {
    pub addr: SocketAddr,
    counters: Arc<Counters>,
    runtime: Option<Runtime>,
}

impl Server {
    pub fn start(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(Wire::Plain, script)
    }

    pub fn start_with(wire: Wire, script: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let addr = listener.local_addr().unwrap();
        let counters = Arc::new(Counters::default());
        let script: Arc<Script> = Arc::new(script);
        runtime.spawn(accept(listener, wire, counters.clone(), script));
        Self {
            addr,
            counters,
            runtime: Some(runtime),
        }
    }

    /// Returns `http://127.0.0.1:port` with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Returns a URL of this server with another scheme, a host name and perhaps user information.
    pub fn url_as(&self, scheme_and_user: &str, path: &str) -> String {
        format!("{scheme_and_user}localhost:{}{path}", self.addr.port())
    }

    pub fn accepted(&self) -> usize {
        self.counters.accepted.load(Ordering::SeqCst)
    }

    /// Returns the highest number of requests that were answered at the same time.
    pub fn peak(&self) -> usize {
        self.counters.peak.load(Ordering::SeqCst)
    }

    pub fn log(&self) -> Vec<Seen> {
        self.counters.log.lock().clone()
    }

    /// Returns the number of requests for a path.
    pub fn count(&self, path: &str) -> usize {
        let log = self.counters.log.lock();
        log.iter().filter(|seen| seen.path == path).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, wire: Wire, counters: Arc<Counters>, script: Arc<Script>) {
    while let Ok((stream, _)) = listener.accept().await {
        counters.accepted.fetch_add(1, Ordering::SeqCst);
        let (wire, counters, script) = (wire.clone(), counters.clone(), script.clone());
        tokio::spawn(async move {
            stream.set_nodelay(true)?;
            match wire {
                Wire::Plain => http1(stream, counters, script).await,
                Wire::Tls(tls) => http1(tls.accept(stream).await?, counters, script).await,
                Wire::Tunnel(to) => tunnel(stream, to, &counters).await,
                Wire::H2(tls) => {
                    http2(tls, stream, counters, script).await;
                    Ok(())
                }
            }
        });
    }
}

fn record(counters: &Counters, path: &str, headers: Vec<(String, String)>) -> Seen {
    record_with(counters, path, headers, "", Vec::new())
}

fn record_with(
    counters: &Counters,
    path: &str,
    headers: Vec<(String, String)>,
    method: &str,
    body: Vec<u8>,
) -> Seen {
    let mut log = counters.log.lock();
    let before = log.iter().filter(|seen| seen.path == path).count();
    let path = path.to_owned();
    log.push(Seen {
        path,
        headers,
        method: method.to_owned(),
        body,
        before,
    });
    log[log.len() - 1].clone()
}

fn enter(counters: &Counters) {
    let active = counters.active.fetch_add(1, Ordering::SeqCst) + 1;
    counters.peak.fetch_max(active, Ordering::SeqCst);
}

async fn http1<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    counters: Arc<Counters>,
    script: Arc<Script>,
) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        buffer.drain(..end + 4);
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let method = words.next().unwrap_or_default();
        let path = words.next().unwrap_or_default();
        let headers = headers_of(lines);
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, value)| value.parse().unwrap());
        while buffer.len() < length {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let body = buffer.drain(..length).collect();
        let reply = script(&record_with(&counters, path, headers, method, body));
        enter(&counters);
        let sent = send1(&mut stream, &reply).await;
        counters.active.fetch_sub(1, Ordering::SeqCst);
        sent?;
        if reply.cut.is_some() {
            return stream.shutdown().await;
        }
    }
}

async fn tunnel(mut stream: TcpStream, to: SocketAddr, counters: &Counters) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    record(
        counters,
        lines.next().unwrap_or_default(),
        headers_of(lines),
    );
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    let mut server = TcpStream::connect(to).await?;
    tokio::io::copy_bidirectional(&mut stream, &mut server).await?;
    Ok(())
}

fn headers_of<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}

async fn send1<S: AsyncWrite + Unpin>(stream: &mut S, reply: &Reply) -> io::Result<()> {
    sleep(reply.delay).await;
    let mut head = vec![format!("HTTP/1.1 {} Whatever", reply.status)];
    let tells_length = |name: &str| ["Transfer-Encoding", "Content-Length"].contains(&name);
    if !reply.headers.iter().any(|(name, _)| tells_length(name)) {
        head.push(format!("Content-Length: {}", reply.body.len()));
    }
    for (name, value) in &reply.headers {
        head.push(format!("{name}: {value}"));
    }
    head.push("\r\n".to_owned());
    stream.write_all(head.join("\r\n").as_bytes()).await?;
    let body = &reply.body[..reply.cut.unwrap_or(reply.body.len())];
    let (bytes, rest) = reply.pieces.unwrap_or((body.len().max(1), Duration::ZERO));
    for piece in body.chunks(bytes) {
        stream.write_all(piece).await?;
        stream.flush().await?;
        sleep(rest).await;
    }
    if let Some(stall) = reply.stall {
        sleep(stall).await;
    }
    Ok(())
}

async fn http2(tls: TlsAcceptor, stream: TcpStream, counters: Arc<Counters>, script: Arc<Script>) {
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let (counters, script) = (counters.clone(), script.clone());
        async move {
            let headers = request
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect();
            let reply = script(&record(&counters, request.uri().path(), headers));
            enter(&counters);
            sleep(reply.delay).await;
            counters.active.fetch_sub(1, Ordering::SeqCst);
            let mut response = hyper::Response::builder().status(reply.status);
            for (name, value) in &reply.headers {
                response = response.header(name, value);
            }
            response.body(http_body_util::Full::new(Bytes::from(reply.body)))
        }
    });
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// A certificate authority of the tests, with its bundle on disk and a certificate for `localhost`.
pub struct Authority {
    pub bundle: PathBuf,
    chain: Vec<rustls_pki_types::CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Authority {
    pub fn new(dir: &Path, name: &str) -> Self {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        ca.distinguished_name
            .push(rcgen::DnType::CommonName, format!("{name} CA"));
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned()];
        let certificate = rcgen::CertificateParams::new(names)
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        let bundle = dir.join(format!("{name}.pem"));
        std::fs::write(&bundle, format!("# {name}\n{}", ca_certificate.pem())).unwrap();
        Self {
            bundle,
            chain: vec![certificate.der().clone()],
            key: key.serialize_der(),
        }
    }

    /// Returns the server side of TLS with the given protocols.
    pub fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()));
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), key)
            .unwrap();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        TlsAcceptor::from(Arc::new(config))
    }

    pub fn tls(&self) -> Wire {
        Wire::Tls(self.acceptor(&["http/1.1"]))
    }

    pub fn h2(&self) -> Wire {
        Wire::H2(self.acceptor(&["h2"]))
    }
}
