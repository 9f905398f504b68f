//! Tests bodies that trickle, that don't end, and that exceed the size limits.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use parking_lot::Mutex;
use tempfile::tempdir;

use super::documents::{ask, closed};
use super::server::{Reply, Server};
use super::{body, fetch, names, options, request, run};
use crate::body::{Body, LARGEST, Memory};
use crate::pace::Flow;
use crate::target::Target;
use crate::{Document, FetchError, FetchOptions, Fetcher, TransportKind};

/// Returns options that are impatient with slow bodies.
fn impatient() -> FetchOptions {
    FetchOptions {
        idle_timeout: Duration::from_secs(1),
        ..options()
    }
}

fn is_too_slow(error: &FetchError) -> bool {
    let kind = TransportKind::TooSlow;
    matches!(error, FetchError::Transport { kind: found, timeout: true, .. } if *found == kind)
}

/// Returns the results of document requests.
fn documents(options: FetchOptions, urls: Vec<String>) -> Vec<Result<Document, FetchError>> {
    let fetcher = Fetcher::new(options).unwrap();
    let errands = urls.into_iter().map(|url| ask(url, None));
    let told = Mutex::new(Vec::new());
    let documents = fetcher.documents().unwrap();
    documents.run(&closed(errands), &|| false, &|_, result| {
        told.lock().push(result);
    });
    drop(documents);
    told.into_inner()
}

/// Returns a body that would take an hour, at one byte each 50 ms.
fn trickle() -> Reply {
    Reply::ok(body(70_000)).pieces(1, Duration::from_millis(50))
}

#[test]
fn an_archive_that_trickles_is_given_up() {
    let server = Server::start(|_| trickle());
    let dir = tempdir().unwrap();
    let start = Instant::now();
    let outcome = fetch(impatient(), server.url("/a"), &dir);
    assert!(is_too_slow(outcome.error(0)), "{:?}", outcome.error(0));
    assert!(start.elapsed() < Duration::from_secs(30));
    // There is no retry, because Composer tries it next.
    assert_eq!(server.count("/a"), 1);
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_document_that_trickles_is_given_up() {
    let server = Server::start(|_| trickle());
    let results = documents(impatient(), vec![server.url("/a")]);
    assert!(is_too_slow(results[0].as_ref().unwrap_err()), "{results:?}");
    assert_eq!(server.count("/a"), 1);
}

/// On a slow line each of many bodies arrives slowly.
#[test]
fn a_slow_body_beside_others_goes_on() {
    let target = Target::parse("http://localhost/").unwrap();
    let flow = Flow::default();
    let window = Duration::from_millis(1_100);
    let (mut slow, mut other) = (flow.pace(window), flow.pace(window));
    std::thread::sleep(window);
    other.count(5_000, &target).unwrap();
    slow.count(1, &target).unwrap();
    // No other transfer brought bytes in the next window.
    std::thread::sleep(window);
    let error = slow.count(1, &target).unwrap_err();
    assert!(
        is_too_slow(&error) && error.to_string().contains("only 1 bytes"),
        "{error}"
    );
}

#[test]
fn no_body_takes_longer_than_composer_gives_it() {
    // The body brings some 80 KB a second, for minutes.
    let endless = || Reply::ok(vec![b'x'; 8 << 20]).pieces(8 << 10, Duration::from_millis(100));
    let server = Server::start(move |_| endless());
    let dir = tempdir().unwrap();
    let options = || FetchOptions {
        total_timeout: Duration::from_secs(1),
        ..options()
    };
    let start = Instant::now();
    let outcome = fetch(options(), server.url("/a"), &dir);
    assert!(is_too_slow(outcome.error(0)), "{:?}", outcome.error(0));
    assert_eq!(names(dir.path()), [""; 0]);
    let results = documents(options(), vec![server.url("/b")]);
    assert!(is_too_slow(results[0].as_ref().unwrap_err()), "{results:?}");
    assert!(start.elapsed() < Duration::from_secs(30));
    assert_eq!((server.count("/a"), server.count("/b")), (1, 1));
}

/// Retries count towards the total time as well.
#[test]
fn no_request_takes_longer_with_all_its_tries() {
    let server = Server::start(|_| Reply::status(503, "").header("Retry-After", "50"));
    let dir = tempdir().unwrap();
    let options = FetchOptions {
        total_timeout: Duration::from_secs(1),
        ..options()
    };
    let outcome = fetch(options, server.url("/a"), &dir);
    assert!(is_too_slow(outcome.error(0)), "{:?}", outcome.error(0));
}

#[test]
fn an_archive_without_measure_is_not_begun() {
    let server = Server::start(|_| {
        Reply::ok("x")
            .header("Content-Length", "5000000000")
            .stall(1)
    });
    let dir = tempdir().unwrap();
    let outcome = run(
        options(),
        vec![request(0, server.url("/a"), dir.path().join("a.zip"))],
    );
    let error = outcome.error(0);
    assert!(matches!(error, FetchError::TooLarge { .. }), "{error:?}");
    assert_eq!(server.count("/a"), 1);
}

fn packed(bytes: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let piece = vec![b' '; 1 << 20];
    for _ in 0..bytes >> 20 {
        encoder.write_all(&piece).unwrap();
    }
    encoder.finish().unwrap()
}

/// Decompresses a text in pieces, as they would arrive.
fn unpack(packed: &[u8]) -> std::io::Result<usize> {
    let memory = Memory::default();
    let mut body = Body::new(&memory, true);
    for piece in packed.chunks(1 << 16) {
        body.write(piece)?;
    }
    Ok(body.finish()?.len())
}

#[test]
fn a_document_is_bounded_packed_and_unpacked() {
    let largest = packed(LARGEST);
    assert_eq!(unpack(&largest).unwrap(), LARGEST);
    let cut = unpack(&largest[..largest.len() - 9]).unwrap_err();
    assert_ne!(cut.kind(), std::io::ErrorKind::FileTooLarge);
    // The stream has no content: its head, followed by empty blocks.
    let mut empty = packed(0)[..10].to_vec();
    empty.extend([0, 0, 0, 0xff, 0xff].repeat(LARGEST / 5 + 1));
    for packed in [packed(LARGEST + (1 << 20)), empty] {
        let error = unpack(&packed).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
    }
}

#[test]
fn a_document_that_is_too_large_is_not_asked_for_again() {
    let larger = packed(LARGEST + (1 << 20));
    let server = Server::start(move |seen| match seen.path.as_str() {
        "/packed" => Reply::ok(larger.clone()).header("Content-Encoding", "gzip"),
        _ => Reply::ok(vec![b' '; LARGEST + 1]),
    });
    for path in ["/packed", "/plain"] {
        let result = documents(options(), vec![server.url(path)]).pop().unwrap();
        let is_too_large = matches!(result, Err(FetchError::TooLarge { .. }));
        assert!(is_too_large, "{path}: {:?}", result.err());
        assert_eq!(server.count(path), 1);
    }
}

#[test]
fn documents_under_way_are_bounded_together() {
    let memory = Memory::default();
    let mut bodies: Vec<Body<'_>> = Vec::new();
    let piece = vec![b' '; LARGEST];
    let error = loop {
        let mut body = Body::new(&memory, false);
        if let Err(error) = body.write(&piece) {
            break error;
        }
        bodies.push(body);
    };
    assert_eq!(error.kind(), std::io::ErrorKind::QuotaExceeded);
    assert_eq!(bodies.len(), 4);
    // A document that is handed over or dropped leaves room for others.
    let text = bodies.pop().unwrap().finish().unwrap();
    assert_eq!(text.len(), LARGEST);
    bodies.pop();
    for _ in 0..2 {
        let mut body = Body::new(&memory, false);
        body.write(&piece).unwrap();
        bodies.push(body);
    }
}
