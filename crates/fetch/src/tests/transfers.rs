//! Tests successful downloads: bodies, concurrency, connections, events.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sha1::{Digest, Sha1};
use tempfile::tempdir;

use super::server::{Authority, Reply, Server};
use super::{body, fetch, names, options, request, run, run_until};
use crate::{FetchEvent, FetchOptions, Fetcher, Request};

#[test]
fn body_arrives_byte_for_byte_in_a_new_directory() {
    for len in [0, 1, 65_536, 3_000_001] {
        let server = Server::start(move |_| Reply::ok(body(len)));
        let dir = tempdir().unwrap();
        let dest = dir.path().join("new/dir/a.zip");
        let outcome = run(
            options(),
            vec![request(7, server.url("/a.zip"), dest.clone())],
        );
        let fetched = outcome.ok(7);
        assert_eq!(fetched.bytes, len as u64);
        assert_eq!(fetched.http_version, "HTTP/1.1");
        assert!(std::fs::read(&dest).unwrap() == body(len), "{len}");
        assert_eq!(names(dest.parent().unwrap()), ["a.zip"]);
        let seen = &server.log()[0];
        assert_eq!(seen.header("accept-encoding"), Some("identity"));
        assert!(seen.header("user-agent").unwrap().starts_with("Allegro/"));
    }
}

#[test]
fn an_old_file_is_replaced() {
    let server = Server::start(|_| Reply::ok("new"));
    let dir = tempdir().unwrap();
    std::fs::write(dir.path().join("a.zip"), "old and longer").unwrap();
    fetch(options(), server.url("/"), &dir).ok(0);
    assert_eq!(std::fs::read(dir.path().join("a.zip")).unwrap(), b"new");
}

#[test]
fn body_without_a_length() {
    let server = Server::start(|_| {
        Reply::ok("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").header("Transfer-Encoding", "chunked")
    });
    let dir = tempdir().unwrap();
    assert_eq!(fetch(options(), server.url("/"), &dir).ok(0).bytes, 5);
    assert_eq!(std::fs::read(dir.path().join("a.zip")).unwrap(), b"abcde");
}

#[test]
fn encoded_bodies_are_left_as_they_are() {
    let server = Server::start(|_| Reply::ok("\u{1f}raw").header("Content-Encoding", "gzip"));
    let dir = tempdir().unwrap();
    fetch(options(), server.url("/"), &dir).ok(0);
    assert_eq!(std::fs::read(dir.path().join("a.zip")).unwrap(), b"\x1fraw");
}

#[test]
fn never_more_at_once_than_workers() {
    let server = Server::start(|_| Reply::ok(body(1000)).delay(Duration::from_millis(15)));
    let dir = tempdir().unwrap();
    let requests = (0..32).map(|id| {
        request(
            id,
            server.url(&format!("/{id}")),
            dir.path().join(id.to_string()),
        )
    });
    let outcome = run(options(), requests.collect());
    (0..32).for_each(|id| assert_eq!(outcome.ok(id).bytes, 1000));
    assert!(server.peak() <= 4, "{}", server.peak());
    assert!(server.peak() >= 3, "{}", server.peak());
    assert_eq!(names(dir.path()).len(), 32);
    // New connections may race with old ones that are about to become free.
    assert!(server.accepted() <= 12, "{}", server.accepted());
}

#[test]
fn one_worker_keeps_its_connection() {
    let server = Server::start(|_| Reply::ok(body(100_000)));
    let dir = tempdir().unwrap();
    let requests = (0..20).map(|id| {
        request(
            id,
            server.url(&format!("/{id}")),
            dir.path().join(id.to_string()),
        )
    });
    let options = FetchOptions {
        workers: 1,
        ..options()
    };
    let outcome = run(options, requests.collect());
    (0..20).for_each(|id| assert_eq!(outcome.ok(id).bytes, 100_000));
    assert!(server.accepted() <= 4, "{}", server.accepted());
}

#[test]
fn connection_survives_errors_and_redirects() {
    let server = Server::start(|seen| {
        let mut reply = match (seen.path.as_str(), seen.before) {
            ("/a", _) => Reply::redirect(302, "/b"),
            ("/b", 0..8) => Reply::status(503, ""),
            _ => Reply::ok("x"),
        };
        reply.body.resize(1500, b'x');
        reply
    });
    let dir = tempdir().unwrap();
    let options = FetchOptions {
        backoff_base: Duration::from_millis(1),
        retries: 8,
        ..options()
    };
    fetch(options, server.url("/a"), &dir).ok(0);
    assert_eq!(server.count("/a"), 9);
    // The run has 18 responses. Without reuse each would have its own connection.
    assert!(server.accepted() <= 12, "{}", server.accepted());
}

#[test]
fn larger_ones_go_first() {
    let server = Server::start(|_| Reply::ok("x"));
    let dir = tempdir().unwrap();
    let hints = [Some(10), None, Some(1000), Some(400)];
    let requests = hints.iter().enumerate().map(|(id, hint)| Request {
        size_hint: *hint,
        ..request(
            id,
            server.url(&format!("/{id}")),
            dir.path().join(id.to_string()),
        )
    });
    run(
        FetchOptions {
            workers: 1,
            ..options()
        },
        requests.collect(),
    );
    let order: Vec<String> = server.log().into_iter().map(|seen| seen.path).collect();
    assert_eq!(order, ["/2", "/1", "/3", "/0"]);
}

#[test]
fn http2_over_tls_shares_connections() {
    let dir = tempdir().unwrap();
    let authority = Authority::new(dir.path(), "ours");
    let server = Server::start_with(authority.h2(), |_| {
        Reply::ok(body(700_000)).delay(Duration::from_millis(10))
    });
    let out = dir.path().join("out");
    let requests = (0..24).map(|id| {
        request(
            id,
            server.url_as("https://", &format!("/{id}")),
            out.join(id.to_string()),
        )
    });
    let options = FetchOptions {
        ca_file: Some(authority.bundle.clone()),
        workers: 6,
        secure_http: true,
        ..options()
    };
    let outcome = run(options, requests.collect());
    for id in 0..24 {
        assert_eq!(outcome.ok(id).http_version, "HTTP/2");
        assert!(std::fs::read(out.join(id.to_string())).unwrap() == body(700_000));
    }
    // In the first round each worker may open a connection of its own.
    assert!(server.accepted() <= 6, "{}", server.accepted());
    assert!(server.peak() >= 3, "{}", server.peak());
}

#[test]
fn checksum_is_checked_whatever_its_case() {
    let server = Server::start(|_| Reply::ok(body(200_000)));
    let dir = tempdir().unwrap();
    let right: String = Sha1::digest(body(200_000))
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    for sha1 in [right.as_str(), &right.to_lowercase(), "", " "] {
        let mut request = request(0, server.url("/"), dir.path().join("a"));
        request.sha1 = Some(sha1.to_owned());
        run(options(), vec![request]).ok(0);
    }
}

#[test]
fn events_tell_the_story_in_order() {
    let server = Server::start(|seen| match seen.before {
        0 => Reply::status(502, ""),
        _ => Reply::ok(body(1_000_000)),
    });
    let dir = tempdir().unwrap();
    let outcome = fetch(options(), server.url("/"), &dir);
    let mut events = outcome.events.iter();
    assert_eq!(events.next(), Some(&FetchEvent::Started { id: 0 }));
    assert!(
        matches!(events.next(), Some(FetchEvent::Retrying { id: 0, attempt: 1, reason, .. }) if reason.contains("502"))
    );
    assert_eq!(
        events.next_back(),
        Some(&FetchEvent::Done {
            id: 0,
            bytes: 1_000_000
        })
    );
    assert_eq!(
        events.next(),
        Some(&FetchEvent::Sized {
            id: 0,
            bytes: 1_000_000
        })
    );
    let mut total = 0;
    for event in events {
        match event {
            FetchEvent::Progress { id: 0, bytes_delta } => total += bytes_delta,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(total, 1_000_000);
}

#[test]
fn nothing_to_do() {
    assert!(run(options(), Vec::new()).results.is_empty());
}

#[test]
fn cancel_stops_everything_and_leaves_nothing() {
    let server = Server::start(|_| Reply::ok(body(900_000)).stall(500_000));
    let dir = tempdir().unwrap();
    let requests = (0..10).map(|id| {
        request(
            id,
            server.url(&format!("/{id}")),
            dir.path().join(id.to_string()),
        )
    });
    let cancel = AtomicBool::new(false);
    let seen_temp = AtomicBool::new(false);
    let start = Instant::now();
    let outcome = run_until(options(), requests.collect(), &cancel, &|event| {
        if let FetchEvent::Progress { .. } = event {
            seen_temp.fetch_or(!names(dir.path()).is_empty(), Ordering::SeqCst);
            cancel.store(true, Ordering::SeqCst);
        }
    });
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    assert!(seen_temp.load(Ordering::SeqCst));
    assert_eq!(names(dir.path()), [""; 0]);
    for id in 0..10 {
        assert_eq!(outcome.error(id).to_string(), "cancelled");
    }
}

#[test]
fn cancelled_before_the_start() {
    let server = Server::start(|_| Reply::ok("x"));
    let dir = tempdir().unwrap();
    let requests = vec![request(0, server.url("/"), dir.path().join("a"))];
    let outcome = run_until(options(), requests, &AtomicBool::new(true), &|_| ());
    assert_eq!(outcome.error(0).to_string(), "cancelled");
    assert_eq!(server.accepted(), 0);
    assert_eq!(outcome.events, [FetchEvent::Failed { id: 0 }]);
}

#[test]
fn cancel_ends_a_wait_between_tries() {
    let server = Server::start(|_| Reply::status(503, "").header("Retry-After", "30"));
    let dir = tempdir().unwrap();
    let cancel = AtomicBool::new(false);
    let start = Instant::now();
    let requests = vec![request(0, server.url("/"), dir.path().join("a"))];
    let outcome = run_until(options(), requests, &cancel, &|event| {
        if let FetchEvent::Retrying { .. } = event {
            cancel.store(true, Ordering::SeqCst);
        }
    });
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(outcome.error(0).to_string(), "cancelled");
}

#[test]
fn a_panic_of_a_callback_comes_through() {
    let server = Server::start(|_| Reply::ok("x"));
    let dir = tempdir().unwrap();
    let requests = vec![request(0, server.url("/"), dir.path().join("a"))];
    let fetcher = Fetcher::new(options()).unwrap();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        fetcher.run(requests, &AtomicBool::new(false), &|_| (), &|_| {
            panic!("by the caller")
        });
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"by the caller"));
}
