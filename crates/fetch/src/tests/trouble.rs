//! Tests downloads that fail, and those that recover.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use tempfile::tempdir;

use super::server::{Reply, Server};
use super::{body, fetch, names, options, request, run};
use crate::{FetchError, FetchEvent, FetchOptions, TransportKind};

fn retries(outcome: &super::Outcome) -> usize {
    let events = outcome.events.iter();
    events
        .filter(|event| matches!(event, FetchEvent::Retrying { .. }))
        .count()
}

/// Returns a port on which nothing listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[test]
fn most_statuses_are_final_at_once() {
    for code in [304, 400, 401, 403, 404, 410, 499, 501, 505] {
        let server =
            Server::start(move |_| Reply::status(code, if code == 304 { "" } else { "no" }));
        let dir = tempdir().unwrap();
        let outcome = fetch(options(), server.url("/a"), &dir);
        assert!(
            matches!(outcome.error(0), FetchError::Status { code: got, .. } if *got == code),
            "{code}"
        );
        assert_eq!(server.count("/a"), 1, "{code}");
        assert_eq!(names(dir.path()), [""; 0]);
    }
}

#[test]
fn passing_trouble_of_the_server_is_waited_out() {
    for code in [429, 500, 502, 503, 504] {
        let server = Server::start(move |seen| match seen.before {
            0..2 => Reply::status(code, "later"),
            _ => Reply::ok("x"),
        });
        let dir = tempdir().unwrap();
        fetch(options(), server.url("/a"), &dir).ok(0);
        assert_eq!(server.count("/a"), 3);
    }
}

#[test]
fn tries_come_to_an_end() {
    let server = Server::start(|_| Reply::status(503, ""));
    let dir = tempdir().unwrap();
    let outcome = fetch(options(), server.url("/a"), &dir);
    assert!(matches!(
        outcome.error(0),
        FetchError::Status { code: 503, .. }
    ));
    assert_eq!(server.count("/a"), 4);
    assert_eq!(retries(&outcome), 3);
}

#[test]
fn retry_after_is_kept() {
    let server = Server::start(|seen| match seen.before {
        0 => Reply::status(429, "").header("Retry-After", "1"),
        _ => Reply::ok("x"),
    });
    let dir = tempdir().unwrap();
    let start = Instant::now();
    fetch(options(), server.url("/a"), &dir).ok(0);
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn too_long_a_retry_after_is_final() {
    let server = Server::start(|_| Reply::status(429, "").header("Retry-After", "61"));
    let dir = tempdir().unwrap();
    let outcome = fetch(options(), server.url("/a"), &dir);
    assert!(matches!(
        outcome.error(0),
        FetchError::Status { code: 429, .. }
    ));
    assert_eq!(server.count("/a"), 1);
}

#[test]
fn truncated_body_is_fetched_again() {
    let server = Server::start(|seen| match seen.before {
        0 => Reply::ok(body(300_000)).cut(200_000),
        1 => Reply::ok(body(300_000)).cut(0),
        _ => Reply::ok(body(300_000)),
    });
    let dir = tempdir().unwrap();
    let outcome = fetch(options(), server.url("/a"), &dir);
    assert_eq!(outcome.ok(0).bytes, 300_000);
    assert!(std::fs::read(dir.path().join("a.zip")).unwrap() == body(300_000));
    assert_eq!(names(dir.path()), ["a.zip"]);
    assert_eq!(retries(&outcome), 2);
}

#[test]
fn truncated_for_good() {
    let server = Server::start(|_| Reply::ok(body(300_000)).cut(1000));
    let dir = tempdir().unwrap();
    let outcome = fetch(
        FetchOptions {
            retries: 1,
            ..options()
        },
        server.url("/a"),
        &dir,
    );
    assert!(
        matches!(
            outcome.error(0),
            FetchError::Truncated {
                expected: 300_000,
                got: 1000,
                ..
            }
        ),
        "{:?}",
        outcome.error(0)
    );
    assert_eq!(server.count("/a"), 2);
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn chunked_body_without_its_end() {
    let server = Server::start(|_| {
        Reply::ok("5\r\nabcde\r\n")
            .header("Transfer-Encoding", "chunked")
            .cut(10)
    });
    let dir = tempdir().unwrap();
    let outcome = fetch(
        FetchOptions {
            retries: 0,
            ..options()
        },
        server.url("/a"),
        &dir,
    );
    assert!(
        matches!(
            outcome.error(0),
            FetchError::Transport {
                kind: TransportKind::Exchange,
                ..
            }
        ),
        "{:?}",
        outcome.error(0)
    );
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn wrong_checksum_is_final_and_leaves_the_old_file() {
    let server = Server::start(|_| Reply::ok("evil"));
    let dir = tempdir().unwrap();
    let dest = dir.path().join("a.zip");
    std::fs::write(&dest, "old").unwrap();
    let mut request = request(0, server.url("/a"), dest.clone());
    request.sha1 = Some("A9993E364706816ABA3E25717850C26C9CD0D89D".to_owned());
    let outcome = run(options(), vec![request]);
    assert!(
        matches!(outcome.error(0), FetchError::Checksum { expected, actual, .. }
            if expected == "a9993e364706816aba3e25717850c26c9cd0d89d" && actual.len() == 40),
        "{:?}",
        outcome.error(0)
    );
    assert_eq!(server.count("/a"), 1);
    assert_eq!(names(dir.path()), ["a.zip"]);
    assert_eq!(std::fs::read(dest).unwrap(), b"old");
}

#[test]
fn silence_in_the_body_is_a_timeout() {
    let server = Server::start(|_| Reply::ok(body(100)).stall(50));
    let dir = tempdir().unwrap();
    let options = FetchOptions {
        idle_timeout: Duration::from_millis(100),
        retries: 1,
        ..options()
    };
    let start = Instant::now();
    let outcome = fetch(options, server.url("/a"), &dir);
    assert!(matches!(
        outcome.error(0),
        FetchError::Transport { timeout: true, .. }
    ));
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(server.count("/a"), 2);
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn silence_before_the_head_is_a_timeout() {
    let server = Server::start(|_| Reply::ok("x").delay(Duration::from_mins(1)));
    let dir = tempdir().unwrap();
    let options = FetchOptions {
        idle_timeout: Duration::from_millis(50),
        connect_timeout: Duration::from_millis(50),
        retries: 0,
        ..options()
    };
    let outcome = fetch(options, server.url("/a"), &dir);
    assert!(matches!(
        outcome.error(0),
        FetchError::Transport { timeout: true, .. }
    ));
}

#[test]
fn slow_but_steady_is_no_timeout() {
    // Five responses come after 200 ms each. The limit for a single one is 800 ms.
    let server = Server::start(|seen| {
        let reply = match seen.before {
            0..4 => Reply::redirect(302, "/a"),
            _ => Reply::ok("x"),
        };
        reply.delay(Duration::from_millis(200))
    });
    let dir = tempdir().unwrap();
    let options = FetchOptions {
        idle_timeout: Duration::from_millis(400),
        connect_timeout: Duration::from_millis(400),
        retries: 0,
        ..options()
    };
    fetch(options, server.url("/a"), &dir).ok(0);
}

#[test]
fn refused_connection_is_tried_once_more() {
    let dir = tempdir().unwrap();
    let outcome = fetch(
        options(),
        format!("http://127.0.0.1:{}/a", closed_port()),
        &dir,
    );
    assert!(
        matches!(
            outcome.error(0),
            FetchError::Transport {
                kind: TransportKind::Refused,
                ..
            }
        ),
        "{:?}",
        outcome.error(0)
    );
    assert_eq!(retries(&outcome), 1);
}

#[test]
fn unknown_host_is_not_tried_again() {
    let dir = tempdir().unwrap();
    let outcome = fetch(options(), "http://allegro.invalid/a".to_owned(), &dir);
    assert!(
        matches!(
            outcome.error(0),
            FetchError::Transport {
                kind: TransportKind::Dns,
                ..
            }
        ),
        "{:?}",
        outcome.error(0)
    );
    assert_eq!(retries(&outcome), 0);
}

#[test]
fn dead_host_is_given_up_while_others_go_on() {
    let dir = tempdir().unwrap();
    let server = Server::start(|_| Reply::ok("x"));
    let dead = closed_port();
    let mut requests: Vec<_> = (0..8)
        .map(|id| {
            request(
                id,
                format!("http://127.0.0.1:{dead}/{id}"),
                dir.path().join(id.to_string()),
            )
        })
        .collect();
    requests.push(request(8, server.url("/"), dir.path().join("8")));
    let outcome = run(
        FetchOptions {
            workers: 1,
            ..options()
        },
        requests,
    );
    for id in 0..8 {
        let FetchError::Transport { kind, .. } = outcome.error(id) else {
            panic!("{:?}", outcome.error(id));
        };
        let expected = if id < 3 {
            TransportKind::Refused
        } else {
            TransportKind::HostDown
        };
        assert_eq!(*kind, expected, "{id}");
    }
    outcome.ok(8);
}

#[test]
fn broken_answers_are_no_panic() {
    for head in [
        "",
        "\0\0\0",
        "HTTP/9.9 x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(head.as_bytes());
        });
        let dir = tempdir().unwrap();
        let options = FetchOptions {
            retries: 0,
            ..options()
        };
        let outcome = fetch(options, format!("http://127.0.0.1:{port}/a"), &dir);
        assert!(
            matches!(outcome.error(0), FetchError::Transport { .. }),
            "{head:?}: {:?}",
            outcome.error(0)
        );
        server.join().unwrap();
    }
}

#[test]
fn unwritable_destination_is_final() {
    let server = Server::start(|_| Reply::ok("x"));
    let dir = tempdir().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    std::fs::create_dir(dir.path().join("dir")).unwrap();
    let requests = vec![
        request(0, server.url("/0"), dir.path().join("file/below")),
        request(1, server.url("/1"), dir.path().join("dir")),
        request(2, server.url("/2"), "/".into()),
    ];
    let outcome = run(options(), requests);
    for id in 0..3 {
        assert!(
            matches!(outcome.error(id), FetchError::File { .. }),
            "{:?}",
            outcome.error(id)
        );
        assert_eq!(server.count(&format!("/{id}")), 1);
    }
    assert_eq!(names(dir.path()), ["dir", "file"]);
}

#[test]
fn unusable_requests() {
    let dir = tempdir().unwrap();
    let urls = [
        "",
        "a.zip",
        "/tmp/a.zip",
        "ftp://127.0.0.1/a",
        "http://",
        "http://[::1/a",
        "file:///etc/passwd",
    ];
    for url in urls {
        let outcome = fetch(options(), url.to_owned(), &dir);
        assert!(
            matches!(outcome.error(0), FetchError::BadUrl { .. }),
            "{url}: {:?}",
            outcome.error(0)
        );
    }
    for (name, value) in [("X-A", "line\nbreak"), ("X A", "x"), ("", "x")] {
        let mut request = request(0, "http://127.0.0.1:9/".to_owned(), dir.path().join("a"));
        request.headers = vec![(name.to_owned(), value.to_owned())];
        let outcome = run(options(), vec![request]);
        assert!(
            matches!(outcome.error(0), FetchError::BadHeader { .. }),
            "{name}"
        );
    }
}
