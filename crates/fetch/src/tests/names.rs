//! Tests hosts by name: shared look-ups, and addresses that can't be reached.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tempfile::tempdir;

use super::server::{Reply, Server};
use super::{options, request};
use crate::names::Names;
use crate::{FetchError, FetchOptions, Fetcher, Proxies, Request};

/// Returns names that all have these addresses, and a counter of the look-ups.
fn names(addresses: &[&str]) -> (Names, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let address = |text: &&str| SocketAddr::new(text.parse().unwrap(), 0);
    let addresses: Vec<SocketAddr> = addresses.iter().map(address).collect();
    let counter = Arc::clone(&asked);
    let names = Names::asking(move |_, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(addresses.clone())
    });
    (names, asked)
}

/// Runs requests and returns the errors.
fn fetch(names: &Names, options: FetchOptions, requests: Vec<Request>) -> Vec<FetchError> {
    let mut fetcher = Fetcher::new(options).unwrap();
    fetcher.names = names.clone();
    let errors = Mutex::new(Vec::new());
    fetcher.run(requests, &AtomicBool::new(false), &|_| (), &|result| {
        errors.lock().extend(result.err().map(|(_, error)| error));
    });
    errors.into_inner()
}

fn requests(dir: &tempfile::TempDir, url: impl Fn(usize) -> String) -> Vec<Request> {
    let one = |id| request(id, url(id), dir.path().join(format!("{id}.zip")));
    (0..8).map(one).collect()
}

#[test]
fn connections_share_a_look_up() {
    let server = Server::start(|_| Reply::ok("x").delay(Duration::from_millis(100)));
    let dir = tempdir().unwrap();
    let port = server.addr.port();
    let (names, asked) = names(&["127.0.0.1"]);
    for _ in 0..2 {
        let requests = requests(&dir, |id| format!("http://host.test:{port}/{id}"));
        assert!(fetch(&names, options(), requests).is_empty());
    }
    assert!(server.accepted() > 2);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn so_do_connections_to_a_proxy() {
    let server = Server::start(|_| Reply::ok("x"));
    let dir = tempdir().unwrap();
    let port = server.addr.port();
    for scheme in ["http", "socks5h"] {
        let (names, asked) = names(&["127.0.0.1"]);
        let mut requests = requests(&dir, |id| format!("http://host.test/{id}"));
        for request in &mut requests {
            request.proxies = Proxies::all(format!("{scheme}://proxy.test:{port}"));
        }
        let options = FetchOptions {
            connect_timeout: Duration::from_secs(if scheme == "http" { 60 } else { 1 }),
            retries: 0,
            ..options()
        };
        let errors = fetch(&names, options, requests);
        // The server speaks no SOCKS; the test only checks that its name was resolved.
        assert_eq!(errors.is_empty(), scheme == "http", "{errors:?}");
        assert_eq!(asked.load(Ordering::SeqCst), 1, "{scheme}");
    }
}

/// Returns a port on which the IPv6 address accepts no connection, and the IPv4 address does.
fn half_deaf(server: &Server) -> Option<(TcpListener, Vec<TcpStream>)> {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, server.addr.port())).ok()?;
    // Nobody accepts these connections. When the queue is full, the system drops further ones.
    let address = listener.local_addr().ok()?;
    let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
    let queue: Vec<TcpStream> = (0..5_000).map_while(connect).collect();
    Some((listener, queue))
}

#[test]
fn an_address_that_says_nothing_costs_its_wait_once() {
    let server = Server::start(|seen| match seen.path.as_str() {
        // The connection is not reused.
        "/0" => Reply::ok("x").cut(1),
        _ => Reply::ok("x"),
    });
    let Some((_listener, _queue)) = half_deaf(&server) else {
        // This machine has no IPv6.
        return;
    };
    let dir = tempdir().unwrap();
    let port = server.addr.port();
    let (names, _) = names(&["::1", "127.0.0.1"]);
    let options = || FetchOptions {
        workers: 1,
        connect_timeout: Duration::from_secs(60),
        ..options()
    };
    let start = Instant::now();
    let one = |id| {
        let url = format!("http://host.test:{port}/{id}");
        let errors = fetch(
            &names,
            options(),
            vec![request(0, url, dir.path().join("a.zip"))],
        );
        assert!(errors.is_empty(), "{errors:?}");
    };
    one(0);
    assert!(start.elapsed() < Duration::from_secs(30));
    // The address is no longer tried.
    let known = names.known_of("host.test");
    assert_eq!(known.map(|known| known[0].is_ipv4()), Some(true));
    one(1);
}
