//! Tests ways through the network: proxies, certificates, refusals, and no network at all.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use allegro_registry::{
    Fault, ForwardProxy, Json, ProxyOptions, ProxyRequest, Redirect, Rule, ServerOptions,
};

use crate::support::home::composer_version;
use crate::support::network::{
    PACKAGES, both, dist_requests, edit_packages, fetched_natively, host, https, https_single,
    is_native, left_to_composer, move_dists, play, scene, single, transport_options,
    trust_registry,
};
use crate::support::{Call, Engine, Scene, Side, same_tree, skipped};

fn http() -> Option<Scene> {
    scene(ServerOptions::default())
}

fn proxy(options: ProxyOptions) -> ForwardProxy {
    ForwardProxy::start(options).expect("the proxy starts")
}

fn url(proxy: &ForwardProxy) -> String {
    format!("http://{}", proxy.address())
}

/// Returns the downloads that a side requested from the proxy. The list lacks Composer's other
/// requests by http: metadata in some versions, and its report of installed packages.
fn downloads(proxy: &ForwardProxy) -> Vec<ProxyRequest> {
    let log = proxy.log();
    proxy.clear_log();
    log.into_iter()
        .filter(|request| request.method == "CONNECT" || request.target.contains("/dist/"))
        .collect()
}

/// Plays both sides natively, and returns the requests of each to the proxy.
fn through(
    what: &str,
    scene: &Scene,
    proxy: &ForwardProxy,
    env: &[(&str, String)],
) -> (Vec<ProxyRequest>, Vec<ProxyRequest>) {
    let seen = std::cell::RefCell::new(Vec::new());
    fetched_natively(what, scene, &|scene, mut call| {
        seen.borrow_mut().push(downloads(proxy));
        if scene.server.ca_file().is_some() {
            trust_registry(scene);
            // Tunnels can't be told apart, so only downloads may open any.
            edit_packages(scene, |package| {
                package.remove("notification-url");
            });
        }
        for (name, value) in env {
            call = call.env(name, value);
        }
        call
    });
    let plain = seen.into_inner().pop().expect("the first side's");
    (plain, downloads(proxy))
}

#[test]
fn http_goes_through_the_proxy() {
    let Some(scene) = http() else { return };
    let proxy = proxy(ProxyOptions::default());
    let unused = "http://127.0.0.1:9".to_owned();
    for (what, env) in [
        ("lower case", vec![("http_proxy", url(&proxy))]),
        ("upper case", vec![("HTTP_PROXY", url(&proxy))]),
        (
            "lower case first",
            vec![("http_proxy", url(&proxy)), ("HTTP_PROXY", unused.clone())],
        ),
        (
            "the other scheme's is not used",
            vec![("http_proxy", url(&proxy)), ("https_proxy", unused.clone())],
        ),
        if composer_version() >= (2, 8) {
            (
                "CGI_HTTP_PROXY last",
                vec![("CGI_HTTP_PROXY", unused), ("http_proxy", url(&proxy))],
            )
        } else {
            (
                "CGI_HTTP_PROXY first",
                vec![("CGI_HTTP_PROXY", url(&proxy)), ("http_proxy", unused)],
            )
        },
        (
            "no scheme",
            vec![("http_proxy", proxy.address().to_string())],
        ),
        (
            "no_proxy for others",
            vec![
                ("http_proxy", url(&proxy)),
                ("no_proxy", "example.org,10.0.0.0/8".to_owned()),
            ],
        ),
    ] {
        let (plain, ours) = through(what, &scene, &proxy, &env);
        assert_eq!((plain.len(), ours.len()), (PACKAGES, PACKAGES), "{what}");
        for request in ours {
            assert_eq!(request.method, "GET");
            assert!(is_native(&request.user_agent), "{what}: {request:?}");
        }
    }
}

#[test]
fn no_proxy_means_a_direct_way() {
    let Some(scene) = http() else { return };
    let unused = "http://127.0.0.1:9".to_owned();
    let proxy = proxy(ProxyOptions::default());
    for (name, value) in [
        ("no_proxy", "127.0.0.1"),
        ("NO_PROXY", "example.org, 127.0.0.0/8"),
        ("no_proxy", "*"),
    ] {
        let env = [("http_proxy", unused.clone()), (name, value.to_owned())];
        let (plain, ours) = through(value, &scene, &proxy, &env);
        assert_eq!((plain.len(), ours.len()), (0, 0), "{value}");
    }
}

/// A redirect leads to another host, for which `no_proxy` decides anew.
#[test]
fn each_host_has_its_own_way() {
    let Some(scene) = http() else { return };
    let proxy = proxy(ProxyOptions {
        hosts: HashMap::from([("dist.example:80".to_owned(), scene.server.addresses()[0])]),
        ..ProxyOptions::default()
    });
    let to = Redirect::Other;
    scene.server.set_faults(vec![Rule::always(
        "/dist/*",
        Fault::Redirect { to, hops: 1 },
    )]);
    let (_, ours) = fetched_natively("into no_proxy", &scene, &|scene, call| {
        proxy.clear_log();
        move_dists(scene, "http://dist.example");
        call.env("http_proxy", url(&proxy))
            .env("no_proxy", "localhost,127.0.0.1")
    });
    assert_eq!(ours.requests.len(), 2 * PACKAGES);
    let seen = downloads(&proxy);
    assert_eq!(seen.len(), PACKAGES, "{seen:?}");
    assert!(
        seen.iter()
            .all(|request| request.target.starts_with("http://dist.example/"))
    );

    // The opposite direction: only the host to which the redirect leads uses the proxy.
    fetched_natively("out of no_proxy", &scene, &|_, call| {
        proxy.clear_log();
        call.env("http_proxy", url(&proxy))
            .env("no_proxy", "127.0.0.1")
    });
    let seen = downloads(&proxy);
    assert_eq!(seen.len(), PACKAGES, "{seen:?}");
    assert!(
        seen.iter()
            .all(|request| request.target.starts_with("http://localhost:"))
    );
}

#[test]
fn https_goes_through_a_tunnel() {
    let Some(scene) = https() else { return };
    let proxy = proxy(ProxyOptions {
        credentials: Some(("user".to_owned(), "p@ss/1".to_owned())),
        ..ProxyOptions::default()
    });
    let url = format!("http://user:p%40ss%2F1@{}", proxy.address());
    for name in ["https_proxy", "HTTPS_PROXY"] {
        let (plain, ours) = through(name, &scene, &proxy, &[(name, url.clone())]);
        for (side, requests) in [("Composer", &plain), ("Allegro", &ours)] {
            assert!(
                requests.iter().any(|request| request.refused.is_none()),
                "{name}, {side}: {requests:?}"
            );
            for request in requests {
                assert_eq!(request.method, "CONNECT");
                assert_eq!(request.target, host(&scene));
                assert!(!request.server_credentials);
            }
        }
        assert!(ours.iter().all(|request| request.credentials), "{ours:?}");
    }
    // Older Composers use the http proxy if there is none for https. Allegro does as the running
    // Composer does.
    let (plain, ours) = through("http_proxy", &scene, &proxy, &[("http_proxy", url)]);
    assert_eq!(plain.is_empty(), ours.is_empty());
}

#[test]
fn a_proxy_gets_its_credentials_and_the_server_does_not() {
    let Some(scene) = http() else { return };
    let proxy = proxy(ProxyOptions {
        credentials: Some(("user".to_owned(), "s3cr3t".to_owned())),
        ..ProxyOptions::default()
    });
    let good = format!("http://user:s3cr3t@{}", proxy.address());
    let (_, ours) = through("the right ones", &scene, &proxy, &[("http_proxy", good)]);
    assert!(ours.iter().all(|request| request.credentials));
    for entry in dist_requests(&scene) {
        assert!(!entry.credentials, "{entry:?}");
    }
    for bad in [
        url(&proxy),
        format!("http://user:wr0ng-secret@{}", proxy.address()),
    ] {
        let (plain, ours) = both("wrong ones", &scene, &|_, call| {
            proxy.clear_log();
            call.env("http_proxy", &bad)
        });
        assert_ne!(plain.outcome.run.exit, 0);
        assert!(!ours.outcome.run.stderr.contains("wr0ng-secret"));
        assert!(
            downloads(&proxy)
                .iter()
                .any(|request| is_native(&request.user_agent) && request.refused == Some(407))
        );
    }
}

#[test]
fn a_proxy_that_refuses_ends_as_with_composer() {
    let (Some(plain), Some(secure)) = (single(), https_single()) else {
        return;
    };
    let refusing = proxy(ProxyOptions {
        refuse: Some(403),
        ..ProxyOptions::default()
    });
    for (what, scene, value) in [
        ("http, 403", &plain, url(&refusing)),
        ("https, 403", &secure, url(&refusing)),
        ("nobody listens", &plain, "http://127.0.0.1:9".to_owned()),
        ("malformed", &plain, "http://:80".to_owned()),
    ] {
        let (composer, ours) = both(what, scene, &|scene, call| {
            if scene.server.ca_file().is_some() {
                trust_registry(scene);
            }
            call.env("http_proxy", &value).env("https_proxy", &value)
        });
        assert_ne!(composer.outcome.run.exit, 0, "{what}");
        assert!(ours.requests.is_empty(), "{what}");
    }
}

/// Allegro leaves proxies to Composer that curl would look up by itself, or that Allegro can't use.
#[test]
fn odd_proxies_stay_with_composer() {
    let Some(scene) = single() else { return };
    let proxy = proxy(ProxyOptions::default());
    if composer_version() >= (2, 8) {
        // These Composers tell curl to ignore the variable.
        let (plain, ours) = through("ALL_PROXY", &scene, &proxy, &[("ALL_PROXY", url(&proxy))]);
        assert_eq!((plain.len(), ours.len()), (0, 0));
        return;
    }
    let (_, ours) = left_to_composer(
        "ALL_PROXY",
        &scene,
        "ALL_PROXY is left to curl",
        &|_, call| {
            proxy.clear_log();
            call.env("ALL_PROXY", url(&proxy))
        },
    );
    assert_eq!(ours.requests.len(), 1);
    assert_eq!(downloads(&proxy).len(), 1);
}

/// Returns a directory with the registry's authority, whose file has the name for which OpenSSL
/// looks, or another one.
fn ca_dir(scene: &Scene, rehash: bool) -> Option<PathBuf> {
    let dir = scene.scratch();
    fs::create_dir_all(&dir).expect("a directory");
    fs::copy(scene.server.ca_file().expect("TLS"), dir.join("ca.pem")).expect("copied");
    if rehash {
        let done = Command::new("openssl").arg("rehash").arg(&dir).output();
        if !done.is_ok_and(|output| output.status.success()) {
            return skipped("there is no openssl to rehash a directory with");
        }
    }
    Some(dir)
}

fn config(scene: &Scene, name: &str, value: &Path) {
    let value = Json::str(value.display().to_string());
    scene.edit_manifest(|manifest| manifest.child("config").set(name, value));
}

#[test]
fn certificates_are_trusted_as_configured() {
    let Some(scene) = https() else { return };
    let ca = scene.server.ca_file().expect("TLS").to_owned();
    fetched_natively("cafile", &scene, &|scene, call| {
        config(scene, "cafile", &ca);
        call
    });
    fetched_natively("cafile, the extension", &scene, &|scene, call| {
        config(scene, "cafile", &ca);
        if crate::support::extension().is_some() {
            call.engine(Engine::Extension)
        } else {
            call
        }
    });
    fetched_natively("SSL_CERT_FILE", &scene, &|_, call| {
        call.env("SSL_CERT_FILE", &ca)
    });
    let options = format!(r#"{{"ssl": {{"cafile": "{}"}}}}"#, ca.display());
    let options = allegro_registry::parse_json(&options, "options").expect("JSON");
    fetched_natively("of a repository", &scene, &|scene, call| {
        transport_options(scene, &options);
        call
    });
    if let Some(dir) = ca_dir(&scene, true) {
        fetched_natively("capath", &scene, &|scene, call| {
            config(scene, "capath", &dir);
            call
        });
    }
    // OpenSSL ignores a file whose name is no hash, and so does Allegro.
    let Some(scene) = https_single() else { return };
    let dir = ca_dir(&scene, false).expect("a directory");
    let (plain, ours) = both("capath, no hashes", &scene, &|scene, call| {
        config(scene, "capath", &dir);
        call
    });
    assert_ne!(plain.outcome.run.exit, 0);
    assert!(ours.requests.is_empty());
}

#[test]
fn unknown_certificates_are_refused_as_by_composer() {
    let Some(scene) = https_single() else { return };
    let (plain, ours) = both("self-signed", &scene, &|_, call| call);
    assert_ne!(plain.outcome.run.exit, 0);
    assert!(ours.requests.is_empty());
    let said = &ours.outcome.run.stderr;
    assert!(
        said.contains("by itself: ") && said.contains("TLS: "),
        "{said}"
    );
    assert!(said.contains("curl error 60"), "{said}");
}

#[test]
fn what_is_not_supported_is_said_and_left_to_composer() {
    let (Some(secure), Some(plain)) = (https_single(), single()) else {
        return;
    };
    for (scene, options, reason) in [
        (
            &secure,
            r#"{"ssl": {"verify_peer": false}}"#,
            "not to be verified (ssl.verify_peer)",
        ),
        (
            &secure,
            r#"{"ssl": {"verify_peer": false, "verify_peer_name": false}}"#,
            "not to be verified (ssl.verify_peer)",
        ),
        (
            &secure,
            r#"{"ssl": {"verify_peer": false, "allow_self_signed": true}}"#,
            "not to be verified (ssl.verify_peer)",
        ),
        (
            &plain,
            r#"{"ssl": {"peer_fingerprint": "00"}}"#,
            "ssl.peer_fingerprint is not supported",
        ),
        (
            &plain,
            r#"{"http": {"timeout": 100}}"#,
            "http.timeout is not supported",
        ),
        (&plain, r#"{"symlink": false}"#, "symlink is not supported"),
    ] {
        let options = allegro_registry::parse_json(options, "options").expect("JSON");
        let (composer, _) = left_to_composer(reason, scene, reason, &|scene, call| {
            transport_options(scene, &options);
            call
        });
        assert_eq!(
            composer.outcome.run.exit, 0,
            "{}",
            composer.outcome.run.stderr
        );
    }
}

#[test]
fn plain_http_is_refused_if_it_is_to_be_secure() {
    let Some(scene) = http() else { return };
    let (plain, ours) = both("secure-http", &scene, &|scene, call| {
        scene.edit_manifest(|manifest| {
            manifest
                .child("config")
                .set("secure-http", Json::Bool(true));
        });
        call
    });
    assert_ne!(plain.outcome.run.exit, 0);
    assert!(ours.requests.is_empty());
    assert!(
        ours.outcome
            .run
            .stderr
            .contains("does not allow connections to http://")
    );

    // A redirect doesn't get around the setting.
    let Some(secure) = https_single() else { return };
    let to = Redirect::Url(format!("{}/anywhere", scene.server.base_url()));
    secure.server.set_faults(vec![Rule::always(
        "/dist/*",
        Fault::Redirect { to, hops: 1 },
    )]);
    scene.server.clear_log();
    let (plain, _) = both("a redirect", &secure, &|scene, call| {
        trust_registry(scene);
        call
    });
    assert_ne!(plain.outcome.run.exit, 0);
    assert!(scene.server.log().is_empty());
}

/// Composer alone gives up at status 429. Allegro waits as long as the server says, and goes on.
#[test]
fn a_server_that_asks_for_patience_gets_it() {
    let Some(scene) = http() else { return };
    let plain = play(&scene, Side::Serial, &|_, call| call);
    scene.server.set_faults(vec![Rule::times(
        "/dist/*",
        Fault::Status {
            code: 429,
            retry_after: Some(1),
        },
        1,
    )]);
    let ours = play(&scene, Side::Allegro, &|_, call| call);
    same_tree("429", &plain.outcome, &ours.outcome);
    let said = &ours.outcome.run.stderr;
    assert!(said.contains("Allegro: trying again in"), "{said}");
    assert_eq!(ours.requests.len(), 2 * PACKAGES);
    for first in ours.requests.iter().filter(|entry| entry.status == 429) {
        let second = ours
            .requests
            .iter()
            .find(|entry| entry.path == first.path && entry.status == 200)
            .expect("a second try");
        assert!(is_native(&second.user_agent));
        // The second request must not come before the time that the server named.
        assert!(second.at_ms - first.at_ms >= 1000.0, "{first:?} {second:?}");
    }
}

#[test]
fn passing_trouble_is_tried_again_natively() {
    let Some(scene) = http() else { return };
    for code in [500, 502, 503, 504] {
        scene.server.set_faults(vec![Rule::times(
            "/dist/*",
            Fault::Status {
                code,
                retry_after: None,
            },
            1,
        )]);
        scene.forget_cache(Side::Serial);
        let plain = play(&scene, Side::Serial, &|_, call| call);
        scene.server.set_faults(vec![Rule::times(
            "/dist/*",
            Fault::Status {
                code,
                retry_after: None,
            },
            1,
        )]);
        let ours = play(&scene, Side::Allegro, &|_, call| call);
        same_tree("5xx", &plain.outcome, &ours.outcome);
        assert_eq!(ours.requests.len(), 2 * PACKAGES, "{code}");
        assert!(
            ours.requests
                .iter()
                .all(|entry| is_native(&entry.user_agent)),
            "{code}"
        );
    }
}

/// Without network an install from the store succeeds. Without the store, it names everything that
/// is missing at once.
#[test]
fn without_network_the_store_is_enough() {
    let Some(scene) = http() else { return };
    let plain = play(&scene, Side::Serial, &|_, call| call);
    let ours = play(&scene, Side::Allegro, &|_, call| call);
    same_tree("online", &plain.outcome, &ours.outcome);
    scene.forget_cache(Side::Allegro);
    scene.server.clear_log();
    let offline = || {
        scene.write_project();
        let call = scene.call(Side::Allegro, &["install", "-vv"]);
        scene.outcome(&call.env("COMPOSER_DISABLE_NETWORK", "1"))
    };
    let warm = offline();
    same_tree("offline, warm", &plain.outcome, &warm);
    assert_eq!(Scene::origins(&warm.run), (PACKAGES, 0, 0));
    assert!(dist_requests(&scene).is_empty());

    scene.forget_store();
    let cold = offline();
    scene.forget_cache(Side::Serial);
    scene.write_project();
    let call = scene.call(Side::Serial, &["install"]);
    let alone = call.env("COMPOSER_DISABLE_NETWORK", "1").run();
    assert_ne!(cold.run.exit, 0);
    assert_eq!(cold.run.exit, alone.exit, "{}", cold.run.stderr);
    let said = cold.run.ours().join("\n");
    for name in scene.server.catalog().names() {
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(dist_requests(&scene).is_empty());
}
