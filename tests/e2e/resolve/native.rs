//! Compares `allegro update --no-install` with `composer update --no-install`.

use std::fs;

use serde_json::{Value, json};

use super::{Registry, family, manifest, release, said};
use crate::support::home::composer_version;
use crate::support::{Run, Side};

#[test]
fn a_small_project_is_updated_natively() {
    let Some(registry) = Registry::native() else {
        return;
    };
    family(&registry);
    let project = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "a/a": "*", "php": ">=5" }, "require-dev": { "c/c": "^1.0" } }),
    );
    let (is_native, lock) = registry.agree("at first", &project, None, &[]);
    assert!(is_native && lock.is_some());
    let (is_native, again) = registry.agree("again", &project, lock.as_deref(), &[]);
    assert!(is_native && again == lock);
}

/// Everything that a manifest can say about versions reaches the lock.
#[test]
fn manifests() {
    let Some(registry) = Registry::native() else {
        return;
    };
    let sha = "0123456789abcdef0123456789abcdef01234567";
    let branch = |name: &str, more: Value| {
        let mut entry = release(
            name,
            "dev-main",
            json!({
                "source": { "type": "git", "url": "https://example.com/a.git", "reference": sha },
                "dist": { "url": format!("https://api.github.com/repos/a/b/zipball/{sha}"), "reference": sha },
                "default-branch": true,
            }),
        );
        crate::support::files::merge(&mut entry, more);
        entry
    };
    let odd = json!({
        "type": "Library", "license": "MIT", "keywords": ["b", "a"], "time": "2020-01-02 03:04:05",
        "authors": [{ "name": "N" }], "homepage": "", "description": "a/b é \u{2028}", "bin": "bin/x",
        "require": { "A/A": "*", "a/b": "self.version", "ext-json": "*" }, "provide": { "x/y": "self.version" },
        "suggest": { "z/z": "for a reason", "a/b": "known", "ext-json": "there" },
        "extra": { "0": "a", "1": "b", "empty": {} }, "autoload": { "psr-4": { "": "" }, "files": [] },
        "support": { "issues": "x" }, "funding": [{ "type": "a", "url": "b" }], "abandoned": "n/n",
        "transport-options": { "http": {} }, "notification-url": "https://example.com/n",
        "scripts": { "x": "y" }, "archive": { "exclude": ["a"] }, "include-path": ["i"], "target-dir": "T",
        "dist": { "mirrors": [{ "url": "https://example.com/%package%", "preferred": true }], "shasum": "" },
    });
    registry.root(
        "",
        json!({ "notify-batch": "/n", "warning": "old", "warning-versions": "<1.99" }),
    );
    registry.package("", "a/a", vec![release("a/a", "1.0.0", odd)]);
    registry.package(
        "",
        "a/b",
        vec![
            branch("a/b", json!({})),
            release("a/b", "v1.0.0", json!({ "abandoned": true })),
        ],
    );
    registry.package(
        "",
        "a/c",
        vec![branch(
            "a/c",
            json!({ "extra": { "branch-alias": { "dev-main": "2.x-dev" } } }),
        )],
    );
    let cases = [
        json!({ "require": { "a/a": "*", "a/b": "1.0" } }),
        json!({ "require": { "a/a": "*" }, "suggest": { "o/o": "own" } }),
        json!({ "require": { "a/b": format!("dev-main#{sha} as 1.5"), "php": ">=5", "ext-none": "*" }, "config": { "platform": { "ext-none": "1.0", "PHP": "8.1.2", "ext-json": false } } }),
        json!({ "require": { "a/b": "dev-main#abcdef0" }, "require-dev": { "a/c": "^2.0@dev", "php": "*" } }),
        json!({ "require": { "a/c": "dev-main as 3.0.0" }, "minimum-stability": "RC", "prefer-stable": true }),
        json!({ "require": { "a/b": "*@dev" }, "replace": { "a/c": "*" }, "provide": { "q/q": "self.version" }, "conflict": { "a/a": "*" } }),
        json!({ "require-dev": { "a/b": "~1.0" }, "extra": { "branch-alias": { "dev-x": "1.x-dev" } }, "version": "dev-x" }),
        json!({ "require": { "a/b": "~1.0" }, "name": null, "version": null }),
    ];
    for (at, more) in cases.into_iter().enumerate() {
        let project = manifest(&registry.files, &[""], more);
        let mut project = project;
        for key in ["name", "version"] {
            if project[key].is_null() {
                project.as_object_mut().expect("an object").remove(key);
            }
        }
        let what = format!("manifest {at}");
        let (is_native, lock) = registry.agree(&what, &project, None, &[]);
        assert!(is_native && lock.is_some(), "{what}");
        let (is_native, _) = registry.agree(&what, &project, lock.as_deref(), &["a/b"]);
        // Composer 2.6.0 to 2.6.2 have a fault in partial updates.
        assert!(
            is_native || composer_version() == (2, 6),
            "{what}, of a part"
        );
    }
}

/// Runs an update with its audit.
fn audited(registry: &Registry, side: Side, project: &Value) -> (Run, Option<String>) {
    registry.project(project, None);
    let call = registry.scene.call(side, &["update", "--no-install", "-v"]);
    let call = call.env("COMPOSER_MAX_PARALLEL_HTTP", "1");
    let run = call.env_remove("COMPOSER_NO_AUDIT").run();
    let lock = fs::read_to_string(registry.scene.project().join("composer.lock"));
    (run, lock.ok())
}

/// An audit without findings is native, and another one is Composer's.
#[test]
fn audits() {
    let Some(registry) = Registry::native() else {
        return;
    };
    if composer_version() >= (2, 9) {
        println!("skipped: policies and audits of this Composer are its own");
        return;
    }
    family(&registry);
    let more = json!({ "require": { "a/a": "*" } });
    let project = manifest(&registry.files, &[""], more);
    let advisory = |versions: &str| {
        json!({ "advisories": { "a/a": [{
            "advisoryId": "A-1", "packageName": "a/a", "remoteId": "r", "title": "t", "link": null,
            "cve": null, "affectedVersions": versions, "source": "s", "sources": [{ "name": "n", "remoteId": "r" }],
            "reportedAt": "2024-01-02 03:04:05", "composerRepository": "c", "severity": null,
        }] } })
    };
    let url = registry.files.url("advisories.json");
    let api = json!({ "security-advisories": { "metadata": false, "api-url": url } });
    for (what, root, answer, expected) in [
        ("no advisories", json!({}), json!({}), true),
        (
            "none for the packages",
            api.clone(),
            json!({ "advisories": [] }),
            true,
        ),
        ("none for the version", api.clone(), advisory("<2.0"), true),
        ("one", api.clone(), advisory(">=2.0"), false),
        ("no answer", api, json!({}), false),
    ] {
        registry.root("", root);
        registry.forget_caches();
        registry
            .files
            .put("advisories.json", answer.to_string().as_bytes());
        let (plain, wanted) = audited(&registry, Side::Serial, &project);
        let (ours, found) = audited(&registry, Side::Native, &project);
        assert!(wanted == found, "{what}: {}\n{}", plain.stderr, ours.stderr);
        assert_eq!(
            plain.exit, ours.exit,
            "{what}: {}\n{}",
            plain.stderr, ours.stderr
        );
        assert_eq!(said(&plain), said(&ours), "{what}");
        let is_native = registry.is_native(what, &ours);
        assert_eq!(is_native, expected, "{what}: {}", ours.stderr);
    }
}
