//! Tests trust, credentials, redirects and proxies.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use tempfile::tempdir;

use super::server::{Authority, Reply, Server, Wire};
use super::{fetch, names, options, request, run};
use crate::{FetchError, FetchOptions, Fetcher, Proxies, Request, TransportKind};

const SECRET: &str = "s3cr3t";

/// Returns a request full of secrets.
fn loaded(url: String, dir: &Path) -> Request {
    Request {
        headers: vec![
            ("PRIVATE-TOKEN".to_owned(), format!("{SECRET}-header")),
            ("X-Custom".to_owned(), format!("{SECRET}-custom")),
        ],
        ..request(0, url, dir.join("a.zip"))
    }
}

#[test]
fn user_information_is_sent_as_basic_authentication() {
    let server = Server::start(|_| Reply::ok("x"));
    let dir = tempdir().unwrap();
    fetch(options(), server.url_as("http://user:p%40ss@", "/"), &dir).ok(0);
    // The decoded credentials are user:p@ss.
    assert_eq!(
        server.log()[0].header("authorization"),
        Some("Basic dXNlcjpwQHNz")
    );
}

#[test]
fn own_authorization_wins() {
    let server = Server::start(|_| Reply::ok("x"));
    let dir = tempdir().unwrap();
    let mut request = request(
        0,
        server.url_as("http://user:pass@", "/"),
        dir.path().join("a"),
    );
    request.headers = vec![("Authorization".to_owned(), "Bearer abc".to_owned())];
    run(options(), vec![request]).ok(0);
    let seen = &server.log()[0];
    let sent = seen
        .headers
        .iter()
        .filter(|(name, _)| name == "authorization");
    let values: Vec<&str> = sent.map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["Bearer abc"]);
}

#[test]
fn redirects_within_the_origin_keep_credentials() {
    for code in [301, 302, 303, 307, 308] {
        let server = Server::start(move |seen| match seen.path.as_str() {
            "/dir/a" => Reply::redirect(code, "../b?x=1"),
            _ => Reply::ok("x"),
        });
        let dir = tempdir().unwrap();
        let url = server.url_as("http://user:pass@", "/dir/a");
        run(options(), vec![loaded(url, dir.path())]).ok(0);
        let log = server.log();
        assert_eq!(log[1].path, "/b?x=1");
        for seen in &log {
            assert_eq!(seen.header("private-token"), Some("s3cr3t-header"));
            assert!(seen.header("authorization").is_some());
        }
    }
}

#[test]
fn redirects_to_another_origin_drop_credentials_for_good() {
    let dir = tempdir().unwrap();
    let home = Server::start(|seen| match seen.path.split_once("?to=") {
        Some((_, to)) => Reply::redirect(302, to),
        None => Reply::ok("x"),
    });
    let back = home.url_as("http://", "/back");
    let other = Server::start(move |_| Reply::redirect(302, &back));
    let url = home.url_as(
        "http://user:pass@",
        &format!("/?to={}", other.url("/there")),
    );
    run(options(), vec![loaded(url, dir.path())]).ok(0);
    let there = &other.log()[0];
    let back = &home.log()[1];
    assert_eq!(back.path, "/back");
    for seen in [there, back] {
        for name in ["private-token", "x-custom", "authorization"] {
            assert_eq!(seen.header(name), None);
        }
        assert!(!format!("{seen:?}").contains(SECRET));
    }
    assert_eq!(home.log()[0].header("private-token"), Some("s3cr3t-header"));
}

#[test]
fn a_retry_starts_over_with_credentials() {
    let other = Server::start(|seen| match seen.before {
        0 => Reply::status(503, ""),
        _ => Reply::ok("x"),
    });
    let there = other.url("/there");
    let home = Server::start(move |_| Reply::redirect(302, &there));
    let dir = tempdir().unwrap();
    let url = home.url_as("http://user:pass@", "/");
    run(options(), vec![loaded(url, dir.path())]).ok(0);
    assert_eq!(home.log().len(), 2);
    assert_eq!(home.log()[1].header("private-token"), Some("s3cr3t-header"));
}

#[test]
fn endless_redirects_end() {
    let server = Server::start(|_| Reply::redirect(302, "/a"));
    let dir = tempdir().unwrap();
    let options = FetchOptions {
        max_redirects: 5,
        ..options()
    };
    let outcome = fetch(options, server.url("/a"), &dir);
    assert!(matches!(
        outcome.error(0),
        FetchError::TooManyRedirects { limit: 5, .. }
    ));
    assert_eq!(server.count("/a"), 6);
}

#[test]
fn redirect_without_a_location_is_a_status() {
    let server = Server::start(|_| Reply::status(302, ""));
    let dir = tempdir().unwrap();
    let outcome = fetch(options(), server.url("/a"), &dir);
    assert!(matches!(
        outcome.error(0),
        FetchError::Status { code: 302, .. }
    ));
}

#[test]
fn redirect_to_plain_http_is_refused_if_http_is_to_be_secure() {
    let dir = tempdir().unwrap();
    let authority = Authority::new(dir.path(), "ours");
    let plain = Server::start(|_| Reply::ok("x"));
    let location = plain.url_as("http://u:s3cr3t@", "/b");
    let server = Server::start_with(authority.tls(), move |_| Reply::redirect(302, &location));
    for secure_http in [true, false] {
        let options = FetchOptions {
            ca_file: Some(authority.bundle.clone()),
            secure_http,
            ..options()
        };
        let outcome = fetch(options, server.url_as("https://", "/a"), &dir);
        if secure_http {
            assert!(matches!(
                outcome.error(0),
                FetchError::InsecureRedirect { .. }
            ));
            assert!(!outcome.texts().contains(SECRET), "{}", outcome.texts());
            assert_eq!(plain.accepted(), 0);
        } else {
            outcome.ok(0);
        }
    }
}

#[test]
fn redirect_to_another_scheme_is_refused() {
    let server = Server::start(|_| Reply::redirect(302, "file:///etc/passwd"));
    let dir = tempdir().unwrap();
    let outcome = fetch(options(), server.url("/a"), &dir);
    assert!(matches!(outcome.error(0), FetchError::BadUrl { .. }));
}

#[test]
fn trust_is_the_given_file_or_directory_and_nothing_else() {
    let dir = tempdir().unwrap();
    let ours = Authority::new(dir.path(), "ours");
    let theirs = Authority::new(dir.path(), "theirs");
    let server = Server::start_with(ours.tls(), |_| Reply::ok("x"));
    let ca_dir = dir.path().join("certs");
    std::fs::create_dir_all(ca_dir.join("sub")).unwrap();
    std::fs::copy(&ours.bundle, ca_dir.join("1234abcd.0")).unwrap();
    let unhashed = dir.path().join("unhashed");
    std::fs::create_dir(&unhashed).unwrap();
    std::fs::copy(&ours.bundle, unhashed.join("ca.pem")).unwrap();
    std::fs::write(ca_dir.join("README"), "no certificate").unwrap();
    let empty = dir.path().join("README");
    std::fs::write(&empty, "no certificate").unwrap();
    let missing = dir.path().join("missing.pem");
    let table = [
        (Some(ours.bundle.clone()), None, true),
        (None, Some(ca_dir.clone()), true),
        (Some(theirs.bundle.clone()), Some(ca_dir), true),
        (None, Some(unhashed), false),
        (Some(theirs.bundle), None, false),
        (None, None, false),
        (Some(empty), None, false),
        (Some(missing), None, false),
    ];
    for (ca_file, ca_dir, trusted) in table {
        let case = format!("{ca_file:?} {ca_dir:?}");
        let options = FetchOptions {
            ca_file,
            ca_dir,
            ..options()
        };
        let outcome = fetch(options, server.url_as("https://", "/a"), &dir);
        match &outcome.results[&0] {
            Ok(fetched) => assert_eq!(
                (trusted, fetched.http_version.as_str()),
                (true, "HTTP/1.1"),
                "{case}"
            ),
            Err(error) => {
                assert!(!trusted, "{case}: {error}");
                assert!(matches!(error, FetchError::Tls { .. }), "{case}: {error:?}");
            }
        }
    }
    assert_eq!(server.count("/a"), 3);
}

#[test]
fn certificate_for_another_host_is_refused() {
    let dir = tempdir().unwrap();
    let authority = Authority::new(dir.path(), "ours");
    let server = Server::start_with(authority.tls(), |_| Reply::ok("x"));
    let options = FetchOptions {
        ca_file: Some(authority.bundle.clone()),
        ..options()
    };
    let outcome = fetch(options, format!("https://{}/a", server.addr), &dir);
    assert!(
        matches!(outcome.error(0), FetchError::Tls { .. }),
        "{:?}",
        outcome.error(0)
    );
}

#[test]
fn without_https_no_ca_is_asked_for() {
    let server = Server::start(|_| Reply::ok("x"));
    let dir = tempdir().unwrap();
    let options = FetchOptions {
        ca_file: Some("/nowhere/ca.pem".into()),
        ..options()
    };
    fetch(options, server.url("/a"), &dir).ok(0);
}

#[test]
fn proxy_is_used_with_its_credentials() {
    let server = Server::start(|_| Reply::ok("direct"));
    let proxy = Server::start(|_| Reply::ok("proxied"));
    let dir = tempdir().unwrap();
    let mut through = request(0, server.url("/a"), dir.path().join("a"));
    through.proxies = Proxies::all(proxy.url_as("http://user:p%40ss@", ""));
    let direct = request(1, server.url("/b"), dir.path().join("b"));
    let outcome = run(options(), vec![through, direct]);
    outcome.ok(0);
    outcome.ok(1);
    assert_eq!(std::fs::read(dir.path().join("a")).unwrap(), b"proxied");
    assert_eq!(std::fs::read(dir.path().join("b")).unwrap(), b"direct");
    let seen = &proxy.log()[0];
    assert_eq!(seen.path, server.url("/a"));
    assert_eq!(
        seen.header("proxy-authorization"),
        Some("Basic dXNlcjpwQHNz")
    );
    assert_eq!(server.count("/a"), 0);
}

#[test]
fn unusable_proxy_is_named_as_the_cause() {
    let dir = tempdir().unwrap();
    let mut request = request(0, "http://127.0.0.1:1/".to_owned(), dir.path().join("a"));
    request.proxies = Proxies::all("http://u:s3cr3t@[bad".to_owned());
    let outcome = run(options(), vec![request]);
    assert!(
        matches!(outcome.error(0), FetchError::BadUrl { url, .. } if url == "http://***@[bad"),
        "{:?}",
        outcome.error(0)
    );
}

#[test]
fn https_goes_through_a_tunnel() {
    // The proxy refuses; the test checks that it sees only CONNECT and nothing of the request.
    for (code, kind) in [
        (407, TransportKind::ProxyAuth),
        (403, TransportKind::Connect),
    ] {
        let dir = tempdir().unwrap();
        let authority = Authority::new(dir.path(), "ours");
        let proxy = Server::start(move |_| Reply::status(code, ""));
        let mut request = loaded("https://user:s3cr3t@localhost:1/a".to_owned(), dir.path());
        request.proxies = Proxies::all(proxy.url_as("http://user:s3cr3t@", ""));
        let options = FetchOptions {
            ca_file: Some(authority.bundle.clone()),
            retries: 0,
            ..options()
        };
        let outcome = run(options, vec![request]);
        assert!(
            matches!(outcome.error(0), FetchError::Transport { kind: got, .. } if *got == kind),
            "{:?}",
            outcome.error(0)
        );
        let seen = &proxy.log()[0];
        assert_eq!(seen.path, "localhost:1");
        assert_eq!(seen.header("private-token"), None);
        assert_eq!(seen.header("authorization"), None);
        assert!(seen.header("proxy-authorization").is_some());
        assert!(!outcome.texts().contains(SECRET), "{}", outcome.texts());
    }
}

#[test]
fn http2_goes_through_a_tunnel() {
    let dir = tempdir().unwrap();
    let authority = Authority::new(dir.path(), "ours");
    let server = Server::start_with(authority.h2(), |_| Reply::ok("x"));
    let proxy = Server::start_with(Wire::Tunnel(server.addr), |_| Reply::ok("proxied"));
    let mut request = loaded(server.url_as("https://user:pass@", "/a"), dir.path());
    request.proxies = Proxies::all(proxy.url_as("http://proxyuser:p@", ""));
    let options = FetchOptions {
        ca_file: Some(authority.bundle.clone()),
        ..options()
    };
    let outcome = run(options, vec![request]);
    assert_eq!(outcome.ok(0).http_version, "HTTP/2");
    let (tunnel, seen) = (&proxy.log()[0], &server.log()[0]);
    assert_eq!(
        tunnel.path,
        format!("CONNECT localhost:{} HTTP/1.1", server.addr.port())
    );
    assert!(tunnel.header("proxy-authorization").is_some());
    assert_eq!(tunnel.header("private-token"), None);
    assert_eq!(seen.header("private-token"), Some("s3cr3t-header"));
    assert_eq!(seen.header("proxy-authorization"), None);
}

#[test]
fn no_text_shows_a_secret() {
    let server = Server::start(|seen| match seen.path.split('?').next() {
        Some("/404") => Reply::status(404, ""),
        Some("/503") => Reply::status(503, ""),
        Some("/cut") => Reply::ok("long enough").cut(3),
        Some("/stall") => Reply::ok("long enough").stall(3),
        Some("/loop") => Reply::redirect(302, &seen.path),
        Some("/bad") => Reply::redirect(302, "ftp://u:s3cr3t@host/?token=s3cr3t"),
        Some("/worse") => Reply::redirect(302, "http://u:s3cr3t@[host/?token=s3cr3t"),
        _ => Reply::ok("x"),
    });
    let paths = [
        "/404", "/503", "/cut", "/stall", "/loop", "/bad", "/worse", "/sum",
    ];
    let dir = tempdir().unwrap();
    let mut requests = Vec::new();
    for (id, path) in paths.iter().enumerate() {
        let url = server.url_as(
            "http://user:s3cr3t@",
            &format!("{path}?access_token=s3cr3t"),
        );
        let mut request = loaded(url, dir.path());
        request.id = id;
        request.sha1 = Some("0".repeat(40));
        requests.push(request);
    }
    let broken = [
        ("http://user:s3cr3t@127.0.0.1:1/?key=s3cr3t", None, "x"),
        ("https://user:s3cr3t@localhost/?key=s3cr3t", None, "x"),
        ("http://user:s3cr3t@[bad/", None, "x"),
        ("http://user:s3cr3t@127.0.0.1/", None, "s3cr3t\n"),
        (
            "http://user:s3cr3t@127.0.0.1/",
            Some("http://u:s3cr3t@127.0.0.1:1"),
            "x",
        ),
        (
            "http://user:s3cr3t@127.0.0.1/",
            Some("http://u:s3cr3t@[bad"),
            "x",
        ),
        (
            "http://user:s3cr3t@127.0.0.1/",
            Some("gopher://u:s3cr3t@host"),
            "x",
        ),
        (
            "http://user:s3cr3t@127.0.0.1/",
            Some("socks5://u:s3cr3t@127.0.0.1:1"),
            "x",
        ),
    ];
    for (url, proxy, header) in broken {
        let mut request = loaded(url.to_owned(), dir.path());
        request.id = requests.len();
        request.proxies = proxy.map(Proxies::all).unwrap_or_default();
        request
            .headers
            .push(("X-More".to_owned(), header.to_owned()));
        requests.push(request);
    }
    let shown = format!("{requests:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    let options = FetchOptions {
        idle_timeout: std::time::Duration::from_millis(200),
        workers: 8,
        ..options()
    };
    let outcome = run(options, requests);
    assert!(
        outcome.results.values().all(Result::is_err),
        "{:?}",
        outcome.results
    );
    assert!(!outcome.texts().contains(SECRET), "{}", outcome.texts());
    assert!(
        server
            .log()
            .iter()
            .all(|seen| seen.header("authorization").is_some())
    );
    assert_eq!(names(dir.path()), [""; 0]);
}

/// Runs [`child`] in a process of its own, in which the environment can be set and no other test
/// has threads.
#[test]
fn proxies_of_the_environment_are_ignored_and_no_thread_is_left() {
    let server = Server::start(|_| Reply::ok("direct"));
    let proxy = Server::start(|_| Reply::ok("proxied"));
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--ignored", "--nocapture"])
        .arg(format!("{module}::child"))
        .env("FETCH_TEST_URL", server.url("/a"));
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        command.env(name, proxy.url(""));
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{output:?}"
    );
    assert_eq!((server.count("/a"), proxy.accepted()), (1, 0));
}

#[test]
#[ignore = "started by another test"]
fn child() {
    let url = std::env::var("FETCH_TEST_URL").unwrap();
    let dir = tempdir().unwrap();
    let dest = dir.path().join("a");
    let threads = Mutex::new(Vec::new());
    let list = || -> Vec<String> {
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
        // The main thread doesn't count, because it is named like the program.
        let main = std::process::id().to_string();
        tasks
            .flatten()
            .filter(|task| task.file_name().to_str() != Some(&main))
            .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
            .filter(|name| name.starts_with("allegro-"))
            .collect()
    };
    Fetcher::new(options()).unwrap().run(
        vec![request(0, url, dest.clone())],
        &AtomicBool::new(false),
        &|_| (),
        &|result| {
            result.unwrap();
            *threads.lock() = list();
        },
    );
    assert_eq!(std::fs::read(dest).unwrap(), b"direct");
    if cfg!(target_os = "linux") {
        // The calling thread drives the connections.
        assert_eq!(*threads.lock(), ["allegro-fetch\n"]);
    }
    assert_eq!(list(), [""; 0]);
}
