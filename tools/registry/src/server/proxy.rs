//! Runs a forward proxy: absolute URLs for http, CONNECT for https, with credentials if required.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use super::auth::base64;
use super::failed;
use crate::error::Result;

/// The greatest length of a request's head.
const MAX_HEAD: usize = 64 << 10;

/// Options of a proxy.
#[derive(Debug, Clone, Default)]
pub struct ProxyOptions {
    /// User and password that the proxy requires. It answers 407 without them.
    pub credentials: Option<(String, String)>,
    /// Status with which the proxy answers everything.
    pub refuse: Option<u16>,
    /// Real addresses of hosts (`name:port`), so that a name of the internet leads to a loopback
    /// server.
    pub hosts: HashMap<String, SocketAddr>,
}

/// A client's request to the proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyRequest {
    /// Method of the request, such as `CONNECT` or `GET`.
    pub method: String,
    /// `host:port` of a tunnel, else the whole URL.
    pub target: String,
    /// The client's `User-Agent`. For a tunnel it is known only if the client sends it to the
    /// proxy.
    pub user_agent: String,
    /// Whether credentials for the proxy came, right or wrong.
    pub credentials: bool,
    /// Whether the proxy could see credentials for the server.
    pub server_credentials: bool,
    /// Status of the proxy's own answer if it didn't pass the request on.
    pub refused: Option<u16>,
}

struct State {
    options: ProxyOptions,
    log: Mutex<Vec<ProxyRequest>>,
}

/// A running proxy, which stops when dropped.
pub struct ForwardProxy {
    address: SocketAddr,
    state: Arc<State>,
    runtime: Option<Runtime>,
}

impl std::fmt::Debug for ForwardProxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "ForwardProxy({})", self.address)
    }
}

impl ForwardProxy {
    /// Listens on a free port of the loopback device.
    pub fn start(options: ProxyOptions) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("proxy")
            .enable_all()
            .build()
            .map_err(failed("cannot start threads"))?;
        let listener = runtime
            .block_on(TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)))
            .map_err(failed("cannot listen"))?;
        let address = listener.local_addr().map_err(failed("cannot listen"))?;
        let state = Arc::new(State {
            options,
            log: Mutex::default(),
        });
        runtime.spawn(accept(listener, Arc::clone(&state)));
        Ok(Self {
            address,
            state,
            runtime: Some(runtime),
        })
    }

    /// Returns the address `127.0.0.1:port`.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns all requests so far.
    pub fn log(&self) -> Vec<ProxyRequest> {
        self.state.log.lock().clone()
    }

    /// Forgets the requests so far.
    pub fn clear_log(&self) {
        self.state.log.lock().clear();
    }
}

impl Drop for ForwardProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        // A client that goes away ends its own connection only.
        tokio::spawn(async move { serve(stream, &state).await });
    }
}

/// Serves one connection, which is one request. A server's answer ends with the connection to it.
async fn serve(mut client: TcpStream, state: &State) -> io::Result<()> {
    let Some((head, rest)) = read_head(&mut client).await? else {
        return Ok(());
    };
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (
        words.next().unwrap_or_default().to_owned(),
        words.next().unwrap_or_default().to_owned(),
    );
    let headers: Vec<(&str, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    let given = |wanted: &str| {
        headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| *value)
    };
    let refused = state.options.refuse.or_else(|| {
        let (user, password) = state.options.credentials.as_ref()?;
        let wanted = format!("Basic {}", base64(format!("{user}:{password}").as_bytes()));
        (given("proxy-authorization") != Some(wanted.as_str())).then_some(407)
    });
    state.log.lock().push(ProxyRequest {
        method: method.clone(),
        target: target.clone(),
        user_agent: given("user-agent").unwrap_or_default().to_owned(),
        credentials: given("proxy-authorization").is_some(),
        server_credentials: ["authorization", "private-token", "job-token"]
            .iter()
            .any(|name| given(name).is_some()),
        refused,
    });
    if let Some(status) = refused {
        return refuse(&mut client, status).await;
    }
    if method == "CONNECT" {
        let Ok(mut server) = connect(state, &target).await else {
            return refuse(&mut client, 502).await;
        };
        client
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await?;
        server.write_all(&rest).await?;
        copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    let Some((host, path)) = target
        .strip_prefix("http://")
        .map(|rest| rest.split_at(rest.find('/').unwrap_or(rest.len())))
    else {
        return refuse(&mut client, 400).await;
    };
    let host = host.rsplit('@').next().unwrap_or(host);
    let address = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let Ok(mut server) = connect(state, &address).await else {
        return refuse(&mut client, 502).await;
    };
    let path = if path.is_empty() { "/" } else { path };
    let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    for (name, value) in headers {
        let own = ["proxy-authorization", "proxy-connection", "connection"];
        if !own.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            let _ = write!(request, "{name}: {value}\r\n");
        }
    }
    request.push_str("\r\n");
    server.write_all(request.as_bytes()).await?;
    server.write_all(&rest).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// Returns the head of a request without its last line, and the bytes after it. Returns `None` if
/// the client has gone.
async fn read_head(client: &mut TcpStream) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            bytes.truncate(end);
            return Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), rest)));
        }
        if bytes.len() > MAX_HEAD || client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

async fn connect(state: &State, host: &str) -> io::Result<TcpStream> {
    match state.options.hosts.get(host) {
        Some(address) => TcpStream::connect(address).await,
        None => TcpStream::connect(host).await,
    }
}

async fn refuse(client: &mut TcpStream, status: u16) -> io::Result<()> {
    let challenge = if status == 407 {
        "Proxy-Authenticate: Basic realm=\"proxy\"\r\n"
    } else {
        ""
    };
    let answer = format!(
        "HTTP/1.1 {status} Refused\r\n{challenge}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    client.write_all(answer.as_bytes()).await?;
    client.shutdown().await
}
