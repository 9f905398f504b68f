//! Checks that nothing prints secrets and nothing keeps them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use allegro_registry::{Fault, ForwardProxy, Json, ProxyOptions, Rule};

use crate::support::network::{
    auth_json, certificate_files, dist_requests, edit_packages, grep, host, https, is_native,
    move_dists, transport_options, trust_registry,
};
use crate::support::{Scene, Side};

/// Secrets of all kinds appear in no output and no file, even with the highest verbosity.
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
        "s3cr3t-part",
        "s3cr3t-alone",
        "s3cr3t-fragment",
        // These texts are the Base64 forms of "me:s3cr3t-basic", "user:s3cr3t-url" and
        // "proxyuser:s3cr3t-proxy", as they are sent.
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
    let options = allegro_registry::parse_json(&options, "options").expect("JSON");
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
                let url = dist.str_at("url").expect("a URL");
                // No parameter has a name from which one could tell that it is secret.
                let query = "key=s3cr3t-query&st=s3cr3t-part&s3cr3t-alone#s3cr3t-fragment";
                let url = format!("{url}?{query}");
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
            // Secrets that plain Composer prints itself, such as a URL's query, don't count.
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

/// Replaces the helper by a script that records its environment and arguments, and then runs the
/// helper.
fn watch_helper(scene: &Scene) -> std::path::PathBuf {
    let seen = scene.dir().join("seen");
    fs::create_dir_all(&seen).expect("a directory");
    let native = scene.own_home().join("vendor/allegro/plugin/native");
    for platform in fs::read_dir(native).expect("native parts").flatten() {
        let helper = platform.path().join("allegro");
        let real = platform.path().join("real");
        fs::rename(&helper, &real).expect("renamed");
        let script = format!(
            "#!/bin/sh\ncat /proc/$$/environ >{0}/environ\ncat /proc/$$/cmdline >{0}/cmdline\nexec {1} \"$@\"\n",
            seen.display(),
            real.display(),
        );
        fs::write(&helper, script).expect("written");
        fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("chmod");
    }
    seen
}

/// The helper gets the parts of Composer's environment that it needs, and nothing else. No process
/// that needs no credentials has any in its environment.
#[test]
fn the_helper_inherits_no_credentials() {
    let Some(scene) = Scene::small() else { return };
    let seen = watch_helper(&scene);
    let auth = r#"{"http-basic": {"example.org": {"username": "me", "password": "s3cr3t-auth"}}}"#;
    let kept = [
        ("HOME", scene.dir().display().to_string()),
        ("XDG_CACHE_HOME", "/tmp/caches".to_owned()),
        ("LC_ALL", "C.UTF-8".to_owned()),
        ("LC_TIME", "C".to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
        ("TZ", "Europe/Oslo".to_owned()),
        ("TMPDIR", "/tmp".to_owned()),
        ("RES_OPTIONS", "attempts:2".to_owned()),
        ("ALLEGRO_WORKERS", "3".to_owned()),
    ];
    let gone = [
        ("COMPOSER_AUTH", auth),
        ("GITHUB_TOKEN", "s3cr3t-github"),
        ("AWS_SECRET_ACCESS_KEY", "s3cr3t-aws"),
        ("DATABASE_URL", "mysql://me:s3cr3t-database@localhost"),
        ("no_proxy", "127.0.0.1"),
        ("https_proxy", "http://me:s3cr3t-proxy@127.0.0.1:1"),
    ];
    scene.write_project();
    let mut call = scene.call(Side::Allegro, &["install", "-vvv"]);
    for (name, value) in &kept {
        call = call.env(*name, value);
    }
    for (name, value) in gone {
        call = call.env(name, value);
    }
    let run = call.run().expect(0);
    assert_ne!(Scene::origins(&run), (0, 0, 0), "{}", run.stderr);
    let environment = fs::read_to_string(seen.join("environ")).expect("an environment");
    let environment: Vec<(&str, &str)> = environment
        .split_terminator('\0')
        .map(|line| line.split_once('=').expect("a variable"))
        .collect();
    for (name, value) in &kept {
        assert!(
            environment.contains(&(name, value)),
            "{name}: {environment:?}"
        );
    }
    for (name, _) in &environment {
        let starts = ["LC_", "XDG_", "LD_", "ALLEGRO_"];
        let others = [
            "HOME",
            "PATH",
            "TZ",
            "TZDIR",
            "LANG",
            "LANGUAGE",
            "TMPDIR",
            "HOSTALIASES",
            "LOCALDOMAIN",
            "RES_OPTIONS",
            "FAKEROOTKEY",
            "FAKED_MODE",
            "LLVM_PROFILE_FILE",
        ];
        assert!(
            starts.iter().any(|start| name.starts_with(start)) || others.contains(name),
            "{name}: {environment:?}"
        );
    }
    let arguments = fs::read_to_string(seen.join("cmdline")).expect("arguments");
    let arguments: Vec<&str> = arguments.split_terminator('\0').collect();
    assert_eq!(arguments.last(), Some(&"helper"), "{arguments:?}");
    let secret = ["s3cr3t".to_owned()];
    assert_eq!(grep(&seen, &secret), Vec::<std::path::PathBuf>::new());
    assert_eq!(
        grep(&scene.store(), &secret),
        Vec::<std::path::PathBuf>::new()
    );
}
