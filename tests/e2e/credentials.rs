//! Tests credentials. All credentials that Composer knows reach the server natively. They go
//! nowhere else, and nothing shows or keeps them.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use allegro_registry::{
    Credentials, Fault, ForwardProxy, Json, LogEntry, ProxyOptions, Redirect, Rule, ServerOptions,
};

use crate::support::home::composer_version;
use crate::support::network::{
    PACKAGES, auth_json, both, certificate_files, demand, fetched_natively, host, is_native, json,
    move_dists, play, scene, scene_of, single, transport_options, trust_registry,
};
use crate::support::{Call, Engine, Scene, Side, copy_tree, home, same_tree, skipped};

fn basic(user: &str, password: &str) -> Credentials {
    Credentials::Basic {
        user: user.to_owned(),
        password: password.to_owned(),
    }
}

fn bearer(token: &str) -> Credentials {
    Credentials::Bearer(token.to_owned())
}

fn header(name: &str, value: &str) -> Credentials {
    Credentials::Header {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

/// Returns kinds of credentials: name, content of `auth.json`, the server's demand, and the name in
/// the request log.
fn kinds() -> Vec<(&'static str, &'static str, Credentials, &'static str)> {
    let as_job = composer_version() >= (2, 11);
    vec![
        (
            "http-basic",
            r#"{"http-basic": {"HOST": {"username": "me", "password": "p@ss:w/rd é"}}}"#,
            basic("me", "p@ss:w/rd é"),
            "basic",
        ),
        (
            "bearer",
            r#"{"bearer": {"HOST": "tok.en-1"}}"#,
            bearer("tok.en-1"),
            "bearer",
        ),
        (
            "github-oauth of an own GitHub",
            r#"{"github-oauth": {"HOST": "ghp_1"}}"#,
            basic("ghp_1", "x-oauth-basic"),
            "basic",
        ),
        (
            "gitlab-oauth",
            r#"{"gitlab-oauth": {"HOST": "oauth-1"}}"#,
            bearer("oauth-1"),
            "bearer",
        ),
        (
            "gitlab-token",
            r#"{"gitlab-token": {"HOST": "glpat-1"}}"#,
            header("private-token", "glpat-1"),
            "private-token",
        ),
        (
            "gitlab-token of a deploy user",
            r#"{"gitlab-token": {"HOST": {"username": "deployer", "token": "gldt-1"}}}"#,
            basic("deployer", "gldt-1"),
            "basic",
        ),
        (
            "gitlab-token of a job",
            r#"{"gitlab-token": {"HOST": {"username": "gitlab-ci-token", "token": "job-1"}}}"#,
            if as_job {
                header("job-token", "job-1")
            } else {
                basic("gitlab-ci-token", "job-1")
            },
            if as_job { "job-token" } else { "basic" },
        ),
    ]
}

#[test]
fn each_kind_in_auth_json_is_used_natively() {
    let Some(scene) = scene(ServerOptions::default()) else {
        return;
    };
    for (what, text, wanted, kind) in kinds() {
        demand(&scene, wanted);
        let (_, ours) = fetched_natively(what, &scene, &|scene, call| {
            auth_json(scene, text);
            call
        });
        assert_eq!(ours.requests.len(), PACKAGES, "{what}");
        for entry in &ours.requests {
            assert_eq!(entry.auth.as_deref(), Some(kind), "{what}");
        }
    }
}

/// The header of a job token differs between versions of Composer. Allegro sends the one that the
/// running Composer sends.
#[test]
fn what_differs_between_composers_is_as_this_one_has_it() {
    let Some(scene) = scene(ServerOptions::default()) else {
        return;
    };
    let job = r#"{"gitlab-token": {"HOST": {"username": "job-1", "token": "gitlab-ci-token"}}}"#;
    let mut cases = vec![("the job token in place of the user", job)];
    if composer_version() >= (2, 9) {
        cases.push((
            "custom-headers",
            r#"{"custom-headers": {"HOST": ["X-API-KEY: key-1"]}}"#,
        ));
        cases.push((
            "forgejo-token",
            r#"{"forgejo-token": {"HOST": {"username": "me", "token": "fj-1"}}}"#,
        ));
    } else {
        let _: Option<()> =
            skipped("this Composer knows neither custom-headers nor forgejo-token (since 2.9)");
    }
    for (what, text) in cases {
        let (_, ours) = fetched_natively(what, &scene, &|scene, call| {
            auth_json(scene, text);
            call
        });
        assert!(
            ours.requests.iter().all(|entry| entry.credentials),
            "{what}"
        );
    }
}

#[test]
fn credentials_may_come_from_anywhere() {
    let Some(scene) = scene(ServerOptions::default()) else {
        return;
    };
    demand(&scene, basic("us@er", "p/w"));
    let text = r#"{"http-basic": {"HOST": {"username": "us@er", "password": "p/w"}}}"#;

    fetched_natively("COMPOSER_AUTH", &scene, &|scene, call| {
        call.env("COMPOSER_AUTH", json(scene, text).to_line())
    });

    let homes = [scene.scratch(), scene.own_home()];
    copy_tree(&scene.home(Side::Serial), &homes[0]);
    for home in &homes {
        fs::write(home.join("auth.json"), json(&scene, text).to_file_text()).expect("auth.json");
    }
    let plain = play(&scene, Side::Serial, &|_, call| {
        call.env("COMPOSER_HOME", &homes[0])
    });
    let ours = play(&scene, Side::Allegro, &|_, call| {
        call.env("COMPOSER_HOME", &homes[1])
    });
    same_tree("COMPOSER_HOME", &plain.outcome, &ours.outcome);
    assert_eq!(ours.outcome.run.exit, 0, "{}", ours.outcome.run.stderr);
    assert_eq!(ours.requests.len(), PACKAGES);
    for entry in &ours.requests {
        assert!(is_native(&entry.user_agent), "{entry:?}");
    }
    fs::remove_file(homes[1].join("auth.json")).expect("removed");

    fetched_natively("in the URL", &scene, &|scene, call| {
        move_dists(scene, &format!("http://us%40er:p%2Fw@{}", host(scene)));
        call
    });
    fetched_natively("config in composer.json", &scene, &|scene, call| {
        let auth = json(scene, text);
        let basic = auth.get("http-basic").expect("an entry").clone();
        scene.edit_manifest(|manifest| manifest.child("config").set("http-basic", basic));
        call
    });

    // A user without a password is no credentials for Composer, but curl sends it.
    demand(&scene, basic("only-user", ""));
    fetched_natively("a token as the user", &scene, &|scene, call| {
        move_dists(scene, &format!("http://only-user@{}", host(scene)));
        call
    });
}

#[test]
fn the_extension_takes_them_too() {
    let Some(scene) = scene(ServerOptions::default()) else {
        return;
    };
    if crate::support::extension().is_none() {
        return;
    }
    demand(&scene, header("private-token", "glpat-1"));
    fetched_natively("gitlab-token", &scene, &|scene, call| {
        auth_json(scene, r#"{"gitlab-token": {"HOST": "glpat-1"}}"#);
        call.engine(Engine::Extension)
    });
}

#[test]
fn wrong_credentials_end_as_with_composer() {
    let Some(scene) = scene(ServerOptions::default()) else {
        return;
    };
    demand(&scene, bearer("right"));
    for (what, text) in [
        ("bearer", r#"{"bearer": {"HOST": "wr0ng-secret"}}"#),
        (
            "basic",
            r#"{"http-basic": {"HOST": {"username": "me", "password": "wr0ng-secret"}}}"#,
        ),
        (
            "gitlab-token",
            r#"{"gitlab-token": {"HOST": "wr0ng-secret"}}"#,
        ),
        (
            "github-oauth",
            r#"{"github-oauth": {"HOST": "wr0ng-secret"}}"#,
        ),
        ("none", "{}"),
    ] {
        let (plain, ours) = both(what, &scene, &|scene, call| {
            auth_json(scene, text);
            call
        });
        assert_ne!(plain.outcome.run.exit, 0, "{what}");
        let said = &ours.outcome.run.stderr;
        assert!(said.contains("401"), "{what}: {said}");
        assert!(!said.contains("wr0ng-secret"), "{what}: {said}");
    }
}

/// Gives the registry names of internet hosts, behind a proxy that leads to it.
fn behind_names(scene: &Scene, names: &[(&str, usize)]) -> ForwardProxy {
    let hosts: HashMap<_, _> = names
        .iter()
        .map(|(name, origin)| ((*name).to_owned(), scene.server.addresses()[*origin]))
        .collect();
    ForwardProxy::start(ProxyOptions {
        hosts,
        ..ProxyOptions::default()
    })
    .expect("the proxy starts")
}

fn through<'a>(call: Call<'a>, proxy: &ForwardProxy) -> Call<'a> {
    call.env("http_proxy", format!("http://{}", proxy.address()))
}

/// The API of GitHub gets the token, and redirects to another host that must not get it.
#[test]
fn a_github_token_goes_to_the_api_alone() {
    let Some(scene) = scene(ServerOptions::default()) else {
        return;
    };
    let proxy = behind_names(
        &scene,
        &[("api.github.com:80", 0), ("codeload.github.com:80", 1)],
    );
    demand(&scene, header("authorization", "token ghp_s3cr3t"));
    let catalog = scene.server.catalog();
    let rules = catalog.packages().iter().map(|package| {
        let path = allegro_registry::dist_url("", package);
        let to = format!("http://codeload.github.com/_redirected/0{path}");
        let to = Redirect::Url(to);
        Rule::always(path, Fault::Redirect { to, hops: 1 })
    });
    scene.server.set_faults(rules.collect());
    let (_, ours) = fetched_natively("api.github.com", &scene, &|scene, call| {
        auth_json(scene, r#"{"github-oauth": {"github.com": "ghp_s3cr3t"}}"#);
        move_dists(scene, "http://api.github.com");
        through(call, &proxy)
    });
    let (api, other): (Vec<_>, Vec<_>) =
        ours.requests.iter().partition(|entry| !entry.other_origin);
    assert_eq!((api.len(), other.len()), (PACKAGES, PACKAGES));
    assert!(
        api.iter()
            .all(|entry| entry.auth.as_deref() == Some("token"))
    );
    assert!(other.iter().all(|entry| !entry.credentials), "{other:?}");
}

/// Allegro uses a valid stored token at once. Composer uses it after a refusal.
#[test]
fn a_bitbucket_token_is_used() {
    // With several packages Composer gives up: the first refusal brings the token, and the second
    // one finds it used.
    let Some(scene) = single() else { return };
    let proxy = behind_names(&scene, &[("bitbucket.org:80", 0)]);
    demand(&scene, bearer("bb-token"));
    let text = r#"{"bitbucket-oauth": {"bitbucket.org": {"consumer-key": "ck", "consumer-secret": "cs",
        "access-token": "bb-token", "access-token-expiration": 4000000000}}}"#;
    let (plain, ours) = fetched_natively("a good token", &scene, &|scene, call| {
        auth_json(scene, text);
        move_dists(scene, "http://bitbucket.org");
        through(call, &proxy)
    });
    assert!(plain.requests.len() > ours.requests.len());
    assert_eq!(ours.requests.len(), 1);

    // The server refuses a revoked token on both sides.
    demand(&scene, bearer("another"));
    let (plain, _) = both("a revoked token", &scene, &|scene, call| {
        auth_json(scene, text);
        move_dists(scene, "http://bitbucket.org");
        through(call, &proxy)
    });
    assert_ne!(plain.outcome.run.exit, 0);
}

/// A redirect to another origin takes no kind of credentials along.
#[test]
fn another_host_gets_no_credentials() {
    let Some(scene) = scene(ServerOptions::default()) else {
        return;
    };
    let to = Redirect::Other;
    let fault = Fault::Redirect { to, hops: 1 };
    scene
        .server
        .set_faults(vec![Rule::always("/dist/*", fault)]);
    for (what, text, wanted, _) in kinds() {
        demand(&scene, wanted);
        let (_, ours) = fetched_natively(what, &scene, &|scene, call| {
            auth_json(scene, text);
            call
        });
        let (first, other): (Vec<_>, Vec<_>) =
            ours.requests.iter().partition(|entry| !entry.other_origin);
        assert_eq!((first.len(), other.len()), (PACKAGES, PACKAGES), "{what}");
        assert!(first.iter().all(|entry| entry.credentials), "{what}");
        assert!(other.iter().all(|entry| !entry.credentials), "{what}");
    }
}

#[test]
fn headers_of_a_repository_are_sent() {
    let Some(scene) = scene(ServerOptions::default()) else {
        return;
    };
    demand(&scene, header("x-licence", "key-1"));
    let options = r#"{"http": {"header": ["X-Licence: key-1", "X-More: 2"]}}"#;
    fetched_natively("http.header", &scene, &|scene, call| {
        transport_options(scene, &json(scene, options));
        call
    });
}

/// Returns a scene whose server requires a client certificate.
fn with_client_certificates() -> Option<Scene> {
    let options = ServerOptions {
        tls: true,
        client_certificates: true,
        ..ServerOptions::default()
    };
    scene_of(1, options)
}

#[test]
fn client_certificates_are_shown_natively() {
    let Some(scene) = with_client_certificates() else {
        return;
    };
    let Some(dir) = certificate_files(&scene) else {
        return;
    };
    let with = |options: &str| -> Json {
        let text = format!(r#"{{"ssl": {{{options}}}}}"#).replace("DIR", &dir);
        allegro_registry::parse_json(&text, "options").expect("JSON")
    };
    for (what, options) in [
        ("one file", r#""local_cert": "DIR/both.pem""#),
        (
            "two files",
            r#""local_cert": "DIR/cert.pem", "local_pk": "DIR/key.pem""#,
        ),
        (
            "a passphrase",
            r#""local_cert": "DIR/cert.pem", "local_pk": "DIR/locked.pem", "passphrase": "s3cr3t-phrase""#,
        ),
    ] {
        let options = with(options);
        fetched_natively(what, &scene, &|scene, call| {
            trust_registry(scene);
            transport_options(scene, &options);
            call
        });
    }
    for (what, options, reason) in [
        (
            "a wrong passphrase",
            r#""local_cert": "DIR/cert.pem", "local_pk": "DIR/locked.pem", "passphrase": "wr0ng-phrase""#,
            "the key of the client certificate can not be read",
        ),
        (
            "no such file",
            r#""local_cert": "DIR/missing.pem""#,
            "the client certificate or its key can not be read",
        ),
        (
            "no certificate",
            r#""local_cert": "DIR/key.pem""#,
            "the client certificate is not PEM",
        ),
    ] {
        let options = with(options);
        let (plain, ours) = both(what, &scene, &|scene, call| {
            trust_registry(scene);
            transport_options(scene, &options);
            call
        });
        assert_ne!(plain.outcome.run.exit, 0, "{what}");
        let said = &ours.outcome.run.stderr;
        assert!(said.contains(reason), "{what}: {said}");
        assert!(!said.contains("-phrase"), "{what}: {said}");
    }
    // After a redirect Allegro shows its certificate to no other host. Composer does, so its
    // download succeeds.
    let options = with(r#""local_cert": "DIR/both.pem""#);
    let to = Redirect::Other;
    let fault = Fault::Redirect { to, hops: 1 };
    scene
        .server
        .set_faults(vec![Rule::always("/dist/*", fault)]);
    let (_, ours) = both("a redirect", &scene, &|scene, call| {
        trust_registry(scene);
        transport_options(scene, &options);
        call
    });
    assert_eq!(ours.outcome.run.exit, 0, "{}", ours.outcome.run.stderr);
    let native = |entry: &&LogEntry| is_native(&entry.user_agent);
    let native: Vec<_> = ours.requests.iter().filter(native).collect();
    assert!(
        !native.is_empty() && native.iter().all(|entry| !entry.other_origin),
        "{native:?}"
    );
    scene.server.set_faults(Vec::new());
    // The server requires a certificate, and the client has none.
    let (plain, _) = both("none", &scene, &|scene, call| {
        trust_registry(scene);
        call
    });
    assert_ne!(plain.outcome.run.exit, 0);
}

#[test]
fn a_client_certificate_of_auth_json_is_shown() {
    if composer_version() < (2, 9) {
        let _: Option<()> = skipped("this Composer knows no client-certificate (since 2.9)");
        return;
    }
    let Some(scene) = with_client_certificates() else {
        return;
    };
    let Some(dir) = certificate_files(&scene) else {
        return;
    };
    let text = r#"{"client-certificate": {"HOST": {"local_cert": "DIR/cert.pem",
        "local_pk": "DIR/locked.pem", "passphrase": "s3cr3t-phrase"}}}"#
        .replace("DIR", &dir);
    fetched_natively("client-certificate", &scene, &|scene, call| {
        trust_registry(scene);
        auth_json(scene, &text);
        call
    });
}
