//! Secrets: nothing says them, nothing keeps them.

use std::fs;

use allegro_registry::{Fault, ForwardProxy, Json, ProxyOptions, Rule};

use crate::support::network::{
    auth_json, certificate_files, dist_requests, edit_packages, grep, host, https, is_native,
    move_dists, transport_options, trust_registry,
};
use crate::support::{Scene, Side};

/// Secrets of all kinds at once, as verbose as can be: nothing says them, nothing keeps them.
#[test]
fn no_secret_is_shown_or_kept() {
    let Some(scene) = https() else { return };
    let proxy = ForwardProxy::start(ProxyOptions {
        credentials: Some(("proxyuser".to_owned(), "s3cr3t-proxy".to_owned())),
        ..ProxyOptions::default()
    })
    .expect("the proxy starts");
    let Some(dir) = certificate_files(&scene) else {
        return;
    };
    let key = fs::read_to_string(format!("{dir}/key.pem")).expect("a key");
    let mut secrets: Vec<String> = [
        "s3cr3t-basic",
        "s3cr3t-url",
        "s3cr3t-bearer",
        "s3cr3t-header",
        "s3cr3t-proxy",
        "s3cr3t-phrase",
        "s3cr3t-query",
        // "me:s3cr3t-basic", "user:s3cr3t-url" and "proxyuser:s3cr3t-proxy" as they are sent.
        "bWU6czNjcjN0LWJhc2lj",
        "dXNlcjpzM2NyM3QtdXJs",
        "cHJveHl1c2VyOnMzY3IzdC1wcm94e",
    ]
    .map(str::to_owned)
    .to_vec();
    secrets.push(key.lines().nth(1).expect("the key's text").to_owned());
    let options = format!(
        r#"{{"http": {{"header": ["X-Key: s3cr3t-header"]}}, "ssl": {{"local_cert": "{dir}/cert.pem",
        "local_pk": "{dir}/locked.pem", "passphrase": "s3cr3t-phrase"}}}}"#
    );
    let options = Json::parse(&options, "options").expect("JSON");
    let basic = r#"{"http-basic": {"HOST": {"username": "me", "password": "s3cr3t-basic"}}}"#;
    let bearer = r#"{"bearer": {"HOST": "s3cr3t-bearer"}}"#;
    let failing = |code| {
        let fault = Fault::Status {
            code,
            retry_after: None,
        };
        vec![Rule::always("/dist/*", fault)]
    };
    let in_url = format!("https://user:s3cr3t-url@{}", host(&scene));
    for (what, auth, origin, faults) in [
        ("basic", basic, None, Vec::new()),
        ("bearer", bearer, None, Vec::new()),
        ("in the URL", "{}", Some(&in_url), Vec::new()),
        ("refused", basic, None, failing(401)),
        ("forbidden", bearer, Some(&in_url), failing(403)),
        ("not found", basic, Some(&in_url), failing(404)),
        (
            "broken for a while",
            bearer,
            None,
            vec![Rule::times(
                "/dist/*",
                Fault::Status {
                    code: 503,
                    retry_after: None,
                },
                1,
            )],
        ),
    ] {
        let fails = faults.iter().any(|rule| rule.times.is_none());
        scene.server.set_faults(faults);
        let arrange = |scene: &Scene| {
            trust_registry(scene);
            auth_json(scene, auth);
            transport_options(scene, &options);
            if let Some(origin) = origin {
                move_dists(scene, origin);
            }
            edit_packages(scene, |package| {
                let dist = package.child("dist");
                let url = format!("{}?key=s3cr3t-query", dist.str_at("url").expect("a URL"));
                dist.set("url", Json::str(url));
            });
        };
        let run = |side| {
            scene.forget_cache(side);
            scene.forget_store();
            scene.write_project();
            arrange(&scene);
            scene.server.clear_log();
            scene
                .call(side, &["install", "-vvv"])
                .env(
                    "https_proxy",
                    format!("http://proxyuser:s3cr3t-proxy@{}", proxy.address()),
                )
                .run()
        };
        let plain = run(Side::Serial);
        let ours = run(Side::Allegro);
        assert_eq!(plain.exit, ours.exit, "{what}: {}", ours.stderr);
        assert_eq!(fails, ours.exit != 0, "{what}: {}", ours.stderr);
        assert!(
            dist_requests(&scene)
                .iter()
                .any(|entry| is_native(&entry.user_agent)),
            "{what}"
        );
        for secret in &secrets {
            // What plain Composer says itself, such as a URL's query, is no news.
            let shown = |text: &str| text.matches(secret.as_str()).count();
            let plain_says = shown(&plain.stderr) + shown(&plain.stdout) > 0;
            for line in ours.stderr.lines().chain(ours.stdout.lines()) {
                let own = line.contains("Allegro");
                assert!(
                    (plain_says && !own) || !line.contains(secret.as_str()),
                    "{what}: {secret}: {line}"
                );
            }
        }
        assert_eq!(
            grep(&scene.store(), &secrets),
            Vec::<std::path::PathBuf>::new(),
            "{what}"
        );
        assert_eq!(
            grep(&scene.cache(Side::Allegro), &secrets),
            Vec::<std::path::PathBuf>::new(),
            "{what}"
        );
    }
}
