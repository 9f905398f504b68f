//! Every fault does what it says, seen from a socket or from a client that follows the rules.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use allegro_registry::{Catalog, Fault, Redirect, Rule, Server, ServerOptions};
use reqwest::StatusCode;

use crate::http::{client, wait};
use crate::support::{dist_path, serve, small};

/// Sends a request by hand and returns the head, the body and how the connection ended.
fn raw(server: &Server, path: &str, patience: Duration) -> (String, Vec<u8>, Option<ErrorKind>) {
    let mut stream = TcpStream::connect(server.base_url().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(patience)).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    let end = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break None,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) => break Some(error.kind()),
        }
    };
    let head = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map_or(0, |at| at + 4);
    let body = bytes.split_off(head);
    (String::from_utf8(bytes).unwrap(), body, end)
}

const PATIENCE: Duration = Duration::from_secs(10);

fn with(fault: Fault) -> (Arc<Catalog>, Server, String, Vec<u8>) {
    let catalog = small();
    let server = serve(&catalog);
    let package = &catalog.packages()[0];
    let whole = catalog
        .archive(package, package.format)
        .unwrap()
        .bytes()
        .unwrap()
        .to_vec();
    server.set_faults(vec![Rule::always("/dist/*", fault)]);
    let path = dist_path(&catalog, 0);
    (catalog, server, path, whole)
}

#[test]
fn without_a_fault_everything_comes() {
    let (_, server, path, whole) = with(Fault::Latency(Duration::ZERO));
    let (head, body, end) = raw(&server, &path, PATIENCE);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert_eq!((body, end), (whole, None));
}

#[test]
fn truncate_announces_all_and_closes_early() {
    let (_, server, path, whole) = with(Fault::Truncate(1000));
    let (head, body, end) = raw(&server, &path, PATIENCE);
    assert!(
        head.contains(&format!("content-length: {}\r\n", whole.len())),
        "{head}"
    );
    assert_eq!((body.as_slice(), end), (&whole[..1000], None));
    assert_eq!(server.log()[0].bytes, 1000);
}

#[test]
fn truncate_fails_over_http2_too() {
    let (_, server, path, _) = with(Fault::Truncate(1000));
    let other = format!("{}/packages.json", server.base_url());
    wait(async {
        let client = client().http2_prior_knowledge().build().unwrap();
        let answer = client
            .get(format!("{}{path}", server.base_url()))
            .send()
            .await
            .unwrap();
        assert!(answer.bytes().await.is_err());
        // Only the stream is lost.
        assert_eq!(
            client.get(other).send().await.unwrap().status(),
            StatusCode::OK
        );
    });
    assert_eq!(server.connections(), 1);
}

#[test]
fn shorten_is_a_complete_answer_with_less() {
    let (_, server, path, whole) = with(Fault::Shorten(500));
    let (head, body, end) = raw(&server, &path, PATIENCE);
    assert!(head.contains("content-length: 500\r\n"), "{head}");
    assert_eq!((body.as_slice(), end), (&whole[..500], None));
}

#[test]
fn reset_before_and_within_the_answer() {
    let (_, server, path, whole) = with(Fault::Reset(0));
    let (head, body, end) = raw(&server, &path, PATIENCE);
    assert_eq!(
        (head.as_str(), body.len(), end),
        ("", 0, Some(ErrorKind::ConnectionReset))
    );
    server.set_faults(vec![Rule::always("*", Fault::Reset(2000))]);
    let (_, body, end) = raw(&server, &path, PATIENCE);
    assert_eq!(end, Some(ErrorKind::ConnectionReset));
    assert_eq!(body.as_slice(), &whole[..2000]);
}

#[test]
fn hang_before_and_within_the_answer() {
    let (_, server, path, whole) = with(Fault::Hang(0));
    let short = Duration::from_secs(1);
    let (head, _, end) = raw(&server, &path, short);
    assert_eq!((head.as_str(), end), ("", Some(ErrorKind::WouldBlock)));
    server.set_faults(vec![Rule::always("*", Fault::Hang(2000))]);
    let (_, body, end) = raw(&server, &path, short);
    assert_eq!(
        (body.as_slice(), end),
        (&whole[..2000], Some(ErrorKind::WouldBlock))
    );
}

#[test]
fn corrupt_keeps_the_length_and_changes_the_middle() {
    let (_, server, path, whole) = with(Fault::Corrupt);
    let (_, body, end) = raw(&server, &path, PATIENCE);
    assert_eq!((body.len(), end), (whole.len(), None));
    let middle = whole.len() / 2;
    assert_ne!(body[middle], whole[middle]);
    assert_eq!(body[..middle - 20], whole[..middle - 20]);
    assert_eq!(body[middle + 20..], whole[middle + 20..]);
}

#[test]
fn html_instead_of_a_dist() {
    let (_, server, path, _) = with(Fault::Html);
    let (head, body, _) = raw(&server, &path, PATIENCE);
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("content-type: text/html"),
        "{head}"
    );
    assert!(body.starts_with(b"<!DOCTYPE html>"));
}

#[test]
fn a_status_n_times_for_each_path_then_the_content() {
    let fault = Fault::Status {
        code: 503,
        retry_after: Some(7),
    };
    let (catalog, server, path, _) = with(fault.clone());
    server.set_faults(vec![Rule::times("/dist/*", fault, 2).after(1)]);
    for path in [path, dist_path(&catalog, 1)] {
        let heads: Vec<String> = (0..4).map(|_| raw(&server, &path, PATIENCE).0).collect();
        let statuses: Vec<&str> = heads.iter().map(|head| &head[9..12]).collect();
        assert_eq!(statuses, ["200", "503", "503", "200"]);
        assert!(heads[1].contains("retry-after: 7\r\n"), "{}", heads[1]);
    }
    assert!(raw(&server, "/packages.json", PATIENCE).0.contains(" 200 "));
    assert_eq!(server.log()[1].status, 503);
}

#[test]
fn latency_before_the_first_byte_of_matching_paths() {
    let (_, server, path, _) = with(Fault::Latency(Duration::from_millis(700)));
    let started = Instant::now();
    raw(&server, &path, PATIENCE);
    assert!(started.elapsed() >= Duration::from_millis(700));
    let started = Instant::now();
    raw(&server, "/packages.json", PATIENCE);
    assert!(started.elapsed() < Duration::from_millis(700));
}

/// Never faster than the limit; slower only as far as a loaded machine makes it.
fn near(started: Instant, bytes: usize, rate: u64) {
    let expected = bytes as f64 / rate as f64;
    let took = started.elapsed().as_secs_f64();
    assert!(
        took > expected * 0.8 && took < expected * 2.0 + 2.0,
        "{took} s instead of {expected} s"
    );
}

#[test]
fn bandwidth_of_a_fault_a_connection_and_all_together() {
    let catalog = small();
    let package = &catalog.packages()[0];
    let bytes = catalog
        .archive(package, package.format)
        .unwrap()
        .bytes()
        .unwrap()
        .len();
    let rate = 4 * bytes as u64;
    let path = dist_path(&catalog, 0);
    let start = |options| Server::start(Arc::clone(&catalog), options).unwrap();

    let server = start(ServerOptions {
        faults: vec![Rule::always("*", Fault::Bandwidth(rate))],
        ..ServerOptions::default()
    });
    let started = Instant::now();
    raw(&server, &path, PATIENCE);
    near(started, bytes, rate);

    let two_at_once = |server: &Server| {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| assert_eq!(raw(server, &path, PATIENCE).1.len(), bytes));
            }
        });
        started
    };
    let server = start(ServerOptions {
        connection_bandwidth: Some(rate),
        ..ServerOptions::default()
    });
    near(two_at_once(&server), bytes, rate);
    assert_eq!(server.max_in_flight(), 2);
    let server = start(ServerOptions {
        total_bandwidth: Some(rate),
        ..ServerOptions::default()
    });
    near(two_at_once(&server), 2 * bytes, rate);
}

#[test]
fn redirects_to_the_same_another_and_any_origin() {
    let (_, server, path, whole) = with(Fault::Corrupt);
    let url = format!("{}{path}", server.base_url());
    let elsewhere = format!("{}/packages.json", server.other_url());
    wait(async {
        let client = client().build().unwrap();
        for (to, hops, origin, requests) in [
            (Redirect::Same, 1, server.base_url(), 2),
            (Redirect::Same, 4, server.base_url(), 5),
            (Redirect::Other, 2, server.other_url(), 3),
        ] {
            server.set_faults(vec![Rule::always("/dist/*", Fault::Redirect { to, hops })]);
            server.clear_log();
            let answer = client.get(&url).bearer_auth("x").send().await.unwrap();
            assert!(
                answer.url().as_str().starts_with(origin),
                "{}",
                answer.url()
            );
            assert_eq!(answer.bytes().await.unwrap(), whole);
            let log = server.log();
            assert_eq!(log.len(), requests);
            assert_eq!(
                log.iter().filter(|entry| entry.status == 302).count(),
                requests - 1
            );
            // A careful client leaves its credentials behind when the origin changes; the log shows that.
            assert_eq!(log[1].credentials, origin == server.base_url());
        }
        let to = Redirect::Url(elsewhere.clone());
        server.set_faults(vec![Rule::always(
            "/dist/*",
            Fault::Redirect { to, hops: 1 },
        )]);
        let answer = client.get(&url).send().await.unwrap();
        assert_eq!(answer.url().as_str(), elsewhere);
        // More hops than clients follow.
        server.set_faults(vec![Rule::always(
            "/dist/*",
            Fault::Redirect {
                to: Redirect::Same,
                hops: 50,
            },
        )]);
        assert!(client.get(&url).send().await.unwrap_err().is_redirect());
    });
}
