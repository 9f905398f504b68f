//! Tests policies of Composer 2.9 and later, which keep versions out of an update. The lock, the
//! output and the exit code are Composer's. Allegro proposes nothing that a policy refuses.

use serde_json::{Value, json};

use super::{Registry, manifest, release};
use crate::support::home::composer_version;
use crate::support::{Side, skipped};

const OLD: &str = "2020-01-02T03:04:05+00:00";
/// A date after any run of these tests.
const NEW: &str = "2100-01-02T03:04:05+00:00";

/// Returns a registry with advisories and a list of refused versions, if this Composer has
/// policies.
fn registry(since: (u32, u32)) -> Option<Registry> {
    if composer_version() < since {
        return skipped(&format!("this needs Composer {}.{}", since.0, since.1));
    }
    let registry = Registry::new()?;
    let root = json!({
        "security-advisories": { "metadata": true },
        "filter": { "metadata": true, "lists": { "refused": { "enabled": true } } },
        "available-package-patterns": ["*/*"],
    });
    registry.root("", root);
    Some(registry)
}

/// Publishes the versions of a package, with advisories and lists.
fn put(registry: &Registry, name: &str, versions: &[(&str, Value)], known: Value) {
    let versions: Vec<Value> = versions
        .iter()
        .map(|(version, more)| release(name, version, more.clone()))
        .collect();
    let mut body = json!({ "packages": { name: versions } });
    crate::support::files::merge(&mut body, known);
    let text = body.to_string();
    registry
        .files
        .put(&format!("p2/{name}.json"), text.as_bytes());
    let none = json!({ "packages": { name: [] } }).to_string();
    registry
        .files
        .put(&format!("p2/{name}~dev.json"), none.as_bytes());
    registry.forget_caches();
}

fn published(time: &str) -> Value {
    json!({ "published-time": time })
}

/// Returns a list that refuses these versions, if `config.policy` has the list.
fn refused(constraint: &str) -> Value {
    json!({ "filter": { "refused": [{ "constraint": constraint, "reason": "for a test" }] } })
}

fn affected(id: &str, versions: &str) -> Value {
    json!({ "security-advisories": [{
        "advisoryId": id, "affectedVersions": versions, "title": "Trouble", "cve": null, "link": null,
        "reportedAt": "2024-05-06 07:08:09", "sources": [{ "name": "somebody", "remoteId": id }], "severity": "high",
    }] })
}

fn project(registry: &Registry, require: Value, policy: Value) -> Value {
    let more = json!({ "require": require, "config": { "policy": policy } });
    manifest(&registry.files, &[""], more)
}

/// Checks that Composer resolves by itself for this reason, with the same result. Returns the lock.
fn left_to_composer(registry: &Registry, what: &str, project: &Value, why: &str) -> Option<String> {
    let (_, lock) = registry.compare(what, project, None, &[]);
    let (run, _) = registry.play(Side::Allegro, project, None, &["-v"]);
    assert!(!registry.is_native(what, &run), "{what}: {}", run.stderr);
    let said = format!("Allegro: Composer resolves by itself, {why}");
    assert!(run.stderr.contains(&said), "{what}: {}", run.stderr);
    lock
}

fn version(lock: Option<&String>, name: &str) -> Option<String> {
    let lock: Value = serde_json::from_str(lock?).expect("a lock");
    let packages = lock["packages"].as_array()?;
    let found = packages.iter().find(|package| package["name"] == name)?;
    Some(found["version"].as_str()?.to_owned())
}

/// With a cooldown, one version without a date refuses the run, whichever version would be chosen.
/// New versions are held back and counted.
#[test]
fn a_cooldown() {
    let Some(registry) = registry((2, 11)) else {
        return;
    };
    let why = "a cooldown for new versions is in force (config.policy.cooldown)";
    let policy = json!({ "cooldown": { "period": "7 days" }, "advisories": false });
    let project = project(&registry, json!({ "acme/x": "*" }), policy);
    let all = |newest: &str, oldest: Value| {
        [
            ("3.0.0", published(newest)),
            ("2.0.0", published(OLD)),
            ("1.0.0", oldest),
        ]
    };
    put(&registry, "acme/x", &all(OLD, json!({})), json!({}));
    let lock = left_to_composer(&registry, "one without a date", &project, why);
    assert_eq!(lock, None);
    put(&registry, "acme/x", &all(NEW, published(OLD)), json!({}));
    let lock = left_to_composer(&registry, "one too new", &project, why);
    assert_eq!(version(lock.as_ref(), "acme/x").as_deref(), Some("2.0.0"));
    for option in ["--no-cooldown", "--no-blocking"] {
        let (is_native, lock) = registry.agree(option, &project, None, &[option]);
        assert!(is_native, "{option}: nothing is in force");
        assert_eq!(version(lock.as_ref(), "acme/x").as_deref(), Some("3.0.0"));
    }
}

#[test]
fn a_list_of_refused_versions() {
    let Some(registry) = registry((2, 10)) else {
        return;
    };
    let why = "a list of refused versions is in force (config.policy.refused)";
    let all = [("2.0.0", json!({})), ("1.0.0", json!({}))];
    for (what, constraint, wanted) in [
        ("chosen", "=2.0.0", "1.0.0"),
        ("not chosen", "=1.0.0", "2.0.0"),
    ] {
        put(&registry, "acme/x", &all, refused(constraint));
        let with = project(
            &registry,
            json!({ "acme/x": "*" }),
            json!({ "refused": true, "advisories": false }),
        );
        let lock = left_to_composer(&registry, what, &with, why);
        assert_eq!(
            version(lock.as_ref(), "acme/x").as_deref(),
            Some(wanted),
            "{what}"
        );
        // Lists that `config.policy` doesn't name have no effect.
        let without = project(
            &registry,
            json!({ "acme/x": "*" }),
            json!({ "advisories": false }),
        );
        let (is_native, lock) = registry.agree(what, &without, None, &[]);
        assert!(is_native, "{what}");
        assert_eq!(
            version(lock.as_ref(), "acme/x").as_deref(),
            Some("2.0.0"),
            "{what}"
        );
    }
}

/// Policies keep out abandoned packages if the project says so. They keep out versions that
/// advisories affect if a repository has advisories.
#[test]
fn advisories_and_abandoned_packages() {
    let Some(registry) = registry((2, 9)) else {
        return;
    };
    let why = "versions that security advisories affect are kept out (config.policy.advisories)";
    let all = [("2.0.0", json!({})), ("1.0.0", json!({}))];
    put(
        &registry,
        "a/old",
        &[("1.0.0", json!({ "abandoned": true }))],
        json!({}),
    );
    put(&registry, "acme/x", &all, affected("A", "=1.0.0"));
    put(&registry, "acme/y", &all, affected("B", "=2.0.0"));
    let mut with = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "acme/x": "*", "acme/y": "*" } }),
    );
    let lock = left_to_composer(&registry, "advisories", &with, why);
    for (name, wanted) in [("acme/x", "2.0.0"), ("acme/y", "1.0.0")] {
        assert_eq!(
            version(lock.as_ref(), name).as_deref(),
            Some(wanted),
            "{name}"
        );
    }
    let option = ["--no-security-blocking"];
    let (is_native, lock) = registry.agree("without blocking", &with, None, &option);
    assert!(is_native);
    assert_eq!(version(lock.as_ref(), "acme/y").as_deref(), Some("2.0.0"));

    // Composer 2.9 has this name for the setting, and later versions understand it.
    with["config"]["audit"] = json!({ "block-abandoned": true });
    with["require"]["a/old"] = json!("*");
    let why = "abandoned packages are kept out (config.policy.abandoned)";
    assert_eq!(left_to_composer(&registry, "abandoned", &with, why), None);

    // This repository offers neither advisories nor lists.
    registry.root("", json!({}));
    registry.forget_caches();
    with["config"]["audit"] = json!({});
    let (is_native, _) = registry.agree("a repository without advisories", &with, None, &[]);
    assert!(is_native);
}

/// A refused version matters although nobody would choose it. p/c 3.0.0 brings p/e into the pool,
/// which provides p/f. p/c 3.0.0 itself requires a package that doesn't exist. If p/c 3.0.0 is
/// refused, nothing in the pool requires p/e, so Composer has nothing for p/f.
#[test]
fn a_refused_version_that_nobody_chooses() {
    let Some(registry) = registry((2, 9)) else {
        return;
    };
    let c = json!({ "require": { "p/none": "*", "p/e": "*" } });
    put(
        &registry,
        "p/c",
        &[("3.0.0", c), ("2.0.0", json!({}))],
        affected("C", "=3.0.0"),
    );
    put(
        &registry,
        "p/d",
        &[("4.0.0", json!({ "require": { "p/c": ">1" } }))],
        json!({}),
    );
    put(
        &registry,
        "p/e",
        &[("2.0.0", json!({ "provide": { "p/f": "1.0" } }))],
        json!({}),
    );
    let project = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "p/d": "*", "p/f": "*" } }),
    );
    let (run, lock) = registry.compare("p/c is affected", &project, None, &[]);
    assert_eq!((run.exit, lock), (2, None), "{}", run.stderr);
    let (run, lock) = registry.compare(
        "blocking is off",
        &project,
        None,
        &["--no-security-blocking"],
    );
    assert_eq!((run.exit, lock.is_some()), (0, true), "{}", run.stderr);
}

/// Allegro proposes no change that it didn't try under the policies. Here the policies refuse the
/// change that would help without them.
#[test]
fn what_helps_is_told_without_policies_only() {
    let Some(registry) = registry((2, 9)) else {
        return;
    };
    let base = |constraint: &str| json!({ "require": { "a/base": constraint } });
    put(
        &registry,
        "a/base",
        &[("2.0.0", json!({})), ("1.0.0", json!({}))],
        json!({}),
    );
    put(&registry, "a/app", &[("3.0.0", base("^2"))], json!({}));
    put(
        &registry,
        "a/lib",
        &[("3.0.0", base("^2")), ("2.0.0", base("^1"))],
        affected("L", "=3.0.0"),
    );
    let mut project = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "a/app": "^3", "a/lib": "^2" } }),
    );
    let tried = r#"tried and works: "a/lib": "^3.0" in composer.json"#;
    let (run, lock) = registry.compare("a conflict", &project, None, &[]);
    assert_eq!((run.exit, lock), (2, None), "{}", run.stderr);
    assert_eq!(run.ours(), Vec::<&str>::new());
    let (run, _) = registry.compare(
        "without blocking",
        &project,
        None,
        &["--no-security-blocking"],
    );
    assert!(run.stderr.contains(tried), "{}", run.stderr);
    project["require"]["a/lib"] = json!("^3.0");
    let (run, _) = registry.play(Side::Serial, &project, None, &[]);
    assert_eq!(run.exit, 2, "{}", run.stderr);
}

/// `--security-only` proposes no version that a policy keeps out. It says if a policy keeps out a
/// requirement of a version.
#[test]
fn security_only_proposes_what_policies_allow() {
    let Some(registry) = registry((2, 10)) else {
        return;
    };
    let policy = json!({ "refused": true });
    let require = json!({ "a/a": "*", "d/d": "*" });
    let project = project(&registry, require, policy);
    let needs = json!({ "require": { "d/d": "^2" } });
    put(
        &registry,
        "d/d",
        &[("2.0.0", json!({})), ("1.0.0", json!({}))],
        refused("=2.0.0"),
    );
    let a = |refuse: &str, newest: Value| {
        let mut known = affected("A", "<1.1");
        crate::support::files::merge(&mut known, refused(refuse));
        let all = [
            ("1.2.0", newest),
            ("1.1.0", json!({})),
            ("1.0.0", json!({})),
        ];
        put(&registry, "a/a", &all, known);
    };
    let none = json!({});
    a("=9", none.clone());
    let with = [
        "--no-security-blocking",
        "--with=a/a:1.0.0",
        "--with=d/d:1.0.0",
    ];
    let (run, lock) = registry.play(Side::Serial, &project, None, &with);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    let lock = lock.expect("a lock");
    for (what, refuse, newest, exit, wanted, line) in [
        (
            "nothing refused",
            "=9",
            none.clone(),
            0,
            "1.1.0",
            "a/a 1.0.0 → 1.1.0",
        ),
        (
            "the lowest refused",
            "=1.1.0",
            none.clone(),
            0,
            "1.2.0",
            "a/a 1.0.0 → 1.2.0",
        ),
        (
            "all refused",
            ">=1.1",
            none.clone(),
            5,
            "1.0.0",
            "a/a 1.0.0 is not mended: 1.1.0 would do, but a policy of this project keeps it out (config.policy)",
        ),
        (
            "what it needs refused",
            "=1.1.0",
            needs,
            5,
            "1.0.0",
            "a/a 1.0.0 is not mended: 1.2.0 would do, but policies of this project (config.policy) keep out what it needs",
        ),
    ] {
        a(refuse, newest);
        let (run, found) =
            registry.play(Side::Allegro, &project, Some(&lock), &["--security-only"]);
        assert_eq!(run.exit, exit, "{what}: {}", run.stderr);
        assert!(run.stderr.contains(line), "{what}: {}", run.stderr);
        assert_eq!(
            version(found.as_ref(), "a/a").as_deref(),
            Some(wanted),
            "{what}"
        );
        assert!(
            !run.stderr.contains("can not be had"),
            "{what}: {}",
            run.stderr
        );
    }
}
