//! Tests consecutive resolutions. Allegro believes its records of metadata from the last one as far
//! as they are still true.

use std::fs;
use std::time::Duration;

use allegro_registry::{Fault, Rule, ServerOptions};
use serde_json::{Value, json};

use super::{Registry, anyone, family, manifest, release};
use crate::support::{Engine, Side, network};

/// Returns the records of metadata, each as `(bytes, moment)` of its file.
fn records(registry: &Registry) -> Vec<(u64, std::time::SystemTime)> {
    let dir = registry.scene.bucket("metadata");
    let entries = dir.into_iter().flat_map(fs::read_dir).flatten().flatten();
    let facts = entries.map(|entry| entry.metadata().expect("a file of the store"));
    facts
        .map(|facts| (facts.len(), facts.modified().expect("a moment")))
        .collect()
}

#[test]
fn metadata_that_changes() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let project = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "a/a": "*" }, "require-dev": { "b/b": "*" } }),
    );
    let same = |what: &str| {
        let (is_native, lock) = registry.agree(what, &project, None, &[]);
        assert!(is_native, "{what}");
        lock.expect("a lock")
    };
    let first = same("for the first time");
    let known = records(&registry);
    assert_eq!(known.len(), 1);
    assert_eq!(same("nothing has changed"), first);
    assert_eq!(records(&registry), known, "nothing new is put on record");

    // The newer version has a requirement that no resolution has met yet.
    let newer = release("b/b", "2.2.0", json!({ "require": { "d/d": "^1" } }));
    let old = release("b/b", "1.0.0", json!({}));
    registry.package("", "b/b", vec![newer, old.clone()]);
    registry.package("", "d/d", vec![release("d/d", "1.0.0", json!({}))]);
    let second = same("a newer version");
    assert!(second.contains("d/d") && !second.contains("c/c"));
    assert_ne!(records(&registry), known);

    // The version is withdrawn, and nothing needs its requirement any more.
    registry.package("", "b/b", vec![old]);
    let third = same("an older version");
    assert!(!third.contains("d/d"));

    // The server has lost a package that is still in the cache.
    let dir = registry.scene.dir().join("served/p2/b");
    fs::remove_dir_all(&dir).expect("removed");
    registry.compare("a package that is gone", &project, None, &[]);
    registry.package("", "b/b", vec![release("b/b", "3.0.0", json!({}))]);
    assert!(same("a package that is back").contains("3.0.0"));
}

/// Allegro also remembers that a repository lacks a file, and checks that as well.
#[test]
fn packages_that_come_and_go() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let newest = release("a/a", "2.0.0", json!({ "require": { "b/b": "*" } }));
    let oldest = release("a/a", "1.0.0", json!({}));
    registry.package("", "a/a", vec![newest, oldest]);
    let project = manifest(&registry.files, &[""], json!({ "require": { "a/a": "*" } }));
    let has = |what: &str, version: &str| {
        let (is_native, lock) = registry.agree(what, &project, None, &[]);
        assert!(is_native, "{what}");
        assert!(lock.expect("a lock").contains(version), "{what}");
    };
    for _ in 0..2 {
        has("nobody has it", "1.0.0");
        let known = records(&registry);
        has("nobody has it, as before", "1.0.0");
        assert_eq!(records(&registry), known, "nothing new is put on record");
        registry.package("", "b/b", vec![release("b/b", "1.0.0", json!({}))]);
        has("somebody has it", "2.0.0");
        // The copy in Composer's cache stays.
        fs::remove_dir_all(registry.scene.dir().join("served/p2/b")).expect("removed");
    }
}

/// A conflict may be gone since the last resolution, or be new.
#[test]
fn conflicts_that_come_and_go() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let project = manifest(&registry.files, &[""], json!({ "require": { "a/a": "*" } }));
    let fits = || registry.agree("it fits", &project, None, &[]).0;
    assert!(fits());
    let strict = release("c/c", "2.1.0", json!({ "require": { "php": "^5" } }));
    for _ in 0..2 {
        registry.package("", "c/c", vec![strict.clone()]);
        let (run, _) = registry.compare("it does not fit", &project, None, &[]);
        assert_eq!(run.exit, 2);
        registry.package("", "c/c", vec![release("c/c", "2.1.0", json!({}))]);
        assert!(fits());
    }
}

/// Copies in Composer's cache may differ from those that Allegro has read.
#[test]
fn copies_that_change() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let project = manifest(&registry.files, &[""], json!({ "require": { "a/a": "*" } }));
    let lock = |engine: Engine| {
        registry.project(&project, None);
        let call = registry.scene.call(Side::Allegro, &["resolve", "-v"]);
        let run = call.engine(engine).run();
        assert!(run.stderr.contains("considered"), "{}", run.stderr);
        fs::read_to_string(registry.scene.project().join("composer.lock")).expect("a lock")
    };
    let first = lock(Engine::Helper);
    let mut caches = Vec::new();
    for entry in fs::read_dir(registry.scene.cache(Side::Allegro).join("repo")).expect("a cache") {
        caches.push(entry.expect("an entry").path().join("provider-c~c.json"));
    }
    let copy = caches.iter().find(|path| path.exists()).expect("a copy");
    let text = fs::read_to_string(copy).expect("the copy");
    let moment = fs::metadata(copy)
        .expect("the copy")
        .modified()
        .expect("its moment");
    for engine in [Engine::Helper, Engine::Extension] {
        if engine == Engine::Extension && crate::support::home::extension().is_none() {
            continue;
        }
        // The copy keeps its size and its time. The server says that it is up to date, so Composer
        // would believe it too.
        std::thread::sleep(Duration::from_millis(50));
        fs::write(copy, text.replace("2.1.0", "0.1.0")).expect("written");
        let file = fs::File::options()
            .write(true)
            .open(copy)
            .expect("the copy");
        file.set_modified(moment).expect("put back");
        let read: Value = serde_json::from_str(&lock(engine)).expect("a lock");
        let packages = read["packages"].as_array().expect("packages");
        let versions = packages.iter().map(|package| &package["version"]);
        assert_eq!(versions.collect::<Vec<_>>(), ["2.1.0", "2.1.0", "2.0.0"]);
        fs::write(copy, &text[..text.len() / 2]).expect("torn");
        assert_eq!(lock(engine), first, "a torn one is asked for again");
        fs::remove_file(copy).expect("removed");
        assert_eq!(lock(engine), first, "one that is gone, too");
        // The records themselves may be damaged.
        for entry in
            fs::read_dir(registry.scene.bucket("metadata").expect("records")).expect("records")
        {
            let path = entry.expect("an entry").path();
            let mut bytes = fs::read(&path).expect("records");
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0xff;
            fs::write(&path, bytes).expect("damaged");
        }
        assert_eq!(lock(engine), first, "records that are damaged");
        registry.scene.forget_store();
        assert_eq!(lock(engine), first, "no records");
    }
}

/// If servers fail while the cache is full, Composer goes on with its copies where it may.
#[test]
fn repositories_in_trouble_when_all_is_cached() {
    let Some(scene) = network::scene(ServerOptions::default()) else {
        return;
    };
    let name = &scene.server.catalog().packages()[1].spec.name;
    let play = |side, faults: Vec<Rule>| {
        scene.write_project();
        scene.server.set_faults(faults);
        let command: &[&str] = match side {
            Side::Allegro => &["resolve", "-v"],
            _ => &["update", "--no-install", "-v"],
        };
        let run = scene.run(side, command);
        let lock = fs::read_to_string(scene.project().join("composer.lock")).expect("a lock");
        (run, lock)
    };
    for side in [Side::Serial, Side::Allegro] {
        assert_eq!(play(side, Vec::new()).0.exit, 0);
    }
    let one = format!("/p2/{name}.json");
    let status = |code| Fault::Status {
        code,
        retry_after: None,
    };
    for (what, path, fault) in [
        ("all are broken", "/p2/*", status(503)),
        ("all are forbidden", "/p2/*", status(403)),
        ("one is broken", one.as_str(), status(503)),
        ("one is gone", one.as_str(), status(404)),
        ("a web page", one.as_str(), Fault::Html),
        ("nothing", "/none", status(503)),
    ] {
        let faults = || vec![Rule::always(path, fault.clone())];
        let (plain, wanted) = play(Side::Serial, faults());
        let (ours, found) = play(Side::Allegro, faults());
        assert_eq!(
            (plain.exit, anyone(&scene, &plain)),
            (ours.exit, anyone(&scene, &ours)),
            "{what}"
        );
        assert_eq!(wanted, found, "{what}");
        let is_native = ours.stderr.contains("considered");
        assert_eq!(is_native, what == "nothing", "{what}: {}", ours.stderr);
    }
}

/// Between two packages of one virtual name that are equal otherwise, Composer takes the one that
/// came first. A file that is needed again comes before new ones, if Composer has it in its cache
/// with a validator.
#[test]
fn what_is_at_hand_comes_first() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let provides = |name: &str, version: &str| {
        release(name, version, json!({ "provide": { "virtual/x": "1.0" } }))
    };
    let requires = |name: &str, version: &str, requirement: Value| {
        release(name, version, json!({ "require": requirement }))
    };
    registry.package(
        "",
        "b/b",
        vec![
            requires("b/b", "2.0.0", json!({ "c/c": "*" })),
            requires("b/b", "1.0.0", json!({ "p/two": "^1" })),
        ],
    );
    registry.package(
        "",
        "c/c",
        vec![
            requires("c/c", "2.0.0", json!({ "virtual/x": "*" })),
            requires("c/c", "1.1.0", json!({ "p/one": "*" })),
            requires("c/c", "1.0.0", json!({ "p/two": "^2" })),
        ],
    );
    registry.package("", "p/one", vec![provides("p/one", "1.0.0")]);
    let two = vec![
        provides("p/two", "2.0.0"),
        release("p/two", "1.0.0", json!({})),
    ];
    registry.package("", "p/two", two);
    let mut more = json!({ "require": { "b/b": "*" } });
    let project = |more: &Value| manifest(&registry.files, &[""], more.clone());
    let provider = |what: &str, more: &Value, args: &[&str]| {
        let (is_native, lock) = registry.agree(what, &project(more), None, args);
        assert!(is_native, "{what}");
        let lock = lock.expect("a lock");
        let both = ["p/one", "p/two"].map(|name| lock.contains(&format!("\"name\": \"{name}\"")));
        match both {
            [true, false] => "p/one",
            [false, true] => "p/two",
            _ => panic!("{what}: {lock}"),
        }
    };
    for round in ["cold", "warm"] {
        assert_eq!(provider(round, &more, &[]), "p/two");
    }
    assert_eq!(provider("no cache", &more, &["--no-cache"]), "p/one");
    registry.files.set_dated(false);
    // The cache has validators from before, but the server gives none any more.
    assert_eq!(provider("no validators any more", &more, &[]), "p/one");
    assert_eq!(provider("again", &more, &[]), "p/one");
    registry.forget_caches();
    assert_eq!(provider("none", &more, &[]), "p/one");
    // A read-only cache keeps its content.
    registry.files.set_dated(true);
    registry.forget_caches();
    more["config"] = json!({ "cache-read-only": true });
    assert_eq!(provider("an empty cache", &more, &[]), "p/one");
    more["config"] = json!({});
    assert_eq!(provider("to be filled", &more, &[]), "p/two");
    more["config"] = json!({ "cache-read-only": true });
    assert_eq!(provider("a full cache", &more, &[]), "p/two");
    registry.files.set_dated(false);
    assert_eq!(provider("a full cache, undated", &more, &[]), "p/two");
    registry.files.set_dated(true);
    let newer = vec![
        provides("p/two", "2.1.0"),
        provides("p/two", "2.0.0"),
        release("p/two", "1.0.0", json!({})),
    ];
    registry.package("", "p/two", newer);
    // Composer falls back to the old copy when it needs the file again.
    registry.compare("an old copy", &project(&more), None, &[]);
}
