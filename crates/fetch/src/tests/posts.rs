//! Tests reports.

use std::time::{Duration, Instant};

use tempfile::tempdir;

use super::options;
use super::server::{Authority, Reply, Server, Wire};
use crate::{FetchOptions, Fetcher, Post, Proxies};

fn post(url: String) -> Post {
    Post {
        url,
        headers: vec![("X-Token".to_owned(), "secret".to_owned())],
        content_type: "application/json".to_owned(),
        body: b"{\"downloads\":[]}".to_vec(),
        timeout: Duration::from_secs(5),
        proxies: Proxies::default(),
    }
}

fn send(options: FetchOptions, posts: &[Post], limit: Duration) -> Vec<Option<u16>> {
    Fetcher::new(options).unwrap().post(posts, limit)
}

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn a_report_arrives_once() {
    let server = Server::start(|_| Reply::status(503, "later"));
    let posts = [post(server.url_as("http://user:pass@", "/downloads/"))];
    assert_eq!(send(options(), &posts, LIMIT), [Some(503)]);
    let log = server.log();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].method, "POST");
    assert_eq!(log[0].body, b"{\"downloads\":[]}");
    for (name, value) in [
        ("content-type", "application/json"),
        ("content-length", "16"),
        ("x-token", "secret"),
        ("authorization", "Basic dXNlcjpwYXNz"),
    ] {
        assert_eq!(log[0].header(name), Some(value), "{name}");
    }
    assert!(log[0].header("user-agent").unwrap().starts_with("Allegro/"));
}

#[test]
fn a_redirect_is_followed_with_the_same_report_and_without_secrets() {
    let last = Server::start(|_| Reply::status(201, ""));
    let to = last.url("/there");
    let first = Server::start(move |seen| match seen.path.as_str() {
        "/" => Reply::redirect(307, "/again"),
        _ => Reply::redirect(302, &to),
    });
    let posts = [post(first.url("/"))];
    assert_eq!(send(options(), &posts, LIMIT), [Some(201)]);
    let again = &first.log()[1];
    assert_eq!(
        (again.path.as_str(), again.header("x-token")),
        ("/again", Some("secret"))
    );
    let there = &last.log()[0];
    assert_eq!(
        (there.method.as_str(), there.path.as_str()),
        ("POST", "/there")
    );
    assert_eq!(there.body, posts[0].body);
    assert_eq!(there.header("content-type"), Some("application/json"));
    assert_eq!(there.header("x-token"), None);

    let secure = FetchOptions {
        secure_http: true,
        ..options()
    };
    assert_eq!(send(secure, &posts, LIMIT), [None]);
    assert_eq!(last.log().len(), 1);
    let around = Server::start(|_| Reply::redirect(302, "/"));
    assert_eq!(
        send(options(), &[post(around.url("/"))], LIMIT),
        [Some(302)]
    );
    assert_eq!(around.log().len(), options().max_redirects + 1);
}

#[test]
fn silence_and_errors_cost_little() {
    let silent = Server::start(|_| Reply::ok("").delay(Duration::from_mins(1)));
    let good = Server::start(|_| Reply::ok(""));
    let began = Instant::now();
    let mut posts = vec![post(silent.url("/")); 30];
    for post in &mut posts {
        post.timeout = Duration::from_millis(200);
    }
    posts.insert(0, post("http://127.0.0.1:1/".to_owned()));
    posts.insert(0, post("ftp://127.0.0.1/".to_owned()));
    posts.insert(0, post(good.url("/")));
    let statuses = send(options(), &posts, LIMIT);
    assert_eq!(statuses[0], Some(200));
    assert!(statuses[1..].iter().all(Option::is_none));
    assert_eq!(silent.log().len(), 30);
    // Thirty requests take three rounds of 200 ms, because twelve are under way at once.
    assert!(began.elapsed() > Duration::from_millis(500));
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );

    let began = Instant::now();
    let statuses = send(
        options(),
        &[post(silent.url("/"))],
        Duration::from_millis(300),
    );
    assert_eq!(statuses, [None]);
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn trust_and_proxies_are_those_of_downloads() {
    let dir = tempdir().unwrap();
    let authority = Authority::new(dir.path(), "ours");
    let server = Server::start_with(authority.tls(), |_| Reply::ok(""));
    let url = || server.url_as("https://", "/");
    let trusting = || FetchOptions {
        ca_file: Some(authority.bundle.clone()),
        ..options()
    };
    assert_eq!(send(options(), &[post(url())], LIMIT), [None]);
    assert_eq!(send(trusting(), &[post(url())], LIMIT), [Some(200)]);
    let proxy = Server::start_with(Wire::Tunnel(server.addr), |_| Reply::ok(""));
    let around = Post {
        proxies: Proxies::all(proxy.url("")),
        ..post(url())
    };
    assert_eq!(send(trusting(), &[around], LIMIT), [Some(200)]);
    assert!(proxy.log()[0].path.starts_with("CONNECT localhost:"));
}

#[test]
fn secrets_are_not_shown() {
    let post = post("https://user:hidden@example.org/".to_owned());
    let shown = format!("{post:?}");
    assert!(
        !shown.contains("secret") && !shown.contains("hidden"),
        "{shown}"
    );
}
