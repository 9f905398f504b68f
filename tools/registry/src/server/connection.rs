//! Accepts connections and keeps a handle on each, so that a fault can cut it.

use std::convert::Infallible;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::State;
use super::body::Limiter;
use super::route;

/// Numbers that tests read.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicUsize,
    pub(super) open: AtomicUsize,
    pub(super) in_flight: AtomicUsize,
    pub(super) max_in_flight: AtomicUsize,
}

/// A connection, as its requests see it.
pub(super) struct Connection {
    pub(super) number: usize,
    /// Whether the connection came to the second origin.
    pub(super) other_origin: bool,
    pub(super) limiter: Option<Arc<Limiter>>,
    socket: Mutex<Option<OwnedFd>>,
    cut: Notify,
}

impl Connection {
    /// Ends the connection with a reset instead of an orderly close.
    pub(super) fn reset(&self) {
        if let Some(socket) = self.socket.lock().take() {
            // Without lingering, closing discards unsent data and sends RST.
            let _ = rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::ZERO));
        }
        self.cut.notify_one();
    }
}

pub(super) async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    state: Arc<State>,
    other_origin: bool,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // The usual reason is a lack of file descriptors, of which some will be closed soon.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let number = state.counters.accepted.fetch_add(1, Ordering::Relaxed) + 1;
        let connection = Arc::new(Connection {
            number,
            other_origin,
            limiter: state
                .connection_bandwidth
                .map(|rate| Arc::new(Limiter::new(rate))),
            socket: Mutex::new(stream.as_fd().try_clone_to_owned().ok()),
            cut: Notify::new(),
        });
        tokio::spawn(run(stream, tls.clone(), Arc::clone(&state), connection));
    }
}

async fn run(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    state: Arc<State>,
    connection: Arc<Connection>,
) {
    let _ = stream.set_nodelay(true);
    let counters = Arc::clone(&state);
    counters.counters.open.fetch_add(1, Ordering::Relaxed);
    match tls {
        Some(acceptor) => {
            // A client that does not trust the certificate ends the connection here, which is no
            // error of the server.
            if let Ok(stream) = acceptor.accept(stream).await {
                serve(stream, state, Arc::clone(&connection)).await;
            }
        }
        None => serve(stream, state, Arc::clone(&connection)).await,
    }
    // The duplicate descriptor would keep the socket open.
    connection.socket.lock().take();
    counters.counters.open.fetch_sub(1, Ordering::Relaxed);
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    state: Arc<State>,
    connection: Arc<Connection>,
) {
    let service = service_fn(|request| {
        let (state, connection) = (Arc::clone(&state), Arc::clone(&connection));
        async move { Ok::<_, Infallible>(route::answer(state, connection, request).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    // One window of a dist is 64 KiB by default. The client's settings decide; this only buffers
    // more per stream.
    builder.http2().max_send_buf_size(1 << 20);
    let serving = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = serving => {}
        () = connection.cut.notified() => {}
    }
}
