//! Tests `extra.allegro.parent`.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::{Registry, family, manifest, release};
use super::{WAYS, compare_ways, entry, refuses, resolve, resolve_each_way, version};
use crate::support::Side;

/// Makes a directory for a project beside the scene's own.
fn beside(registry: &Registry, name: &str) -> PathBuf {
    let dir = registry.scene.project().with_file_name(name);
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

/// Writes the parent project, locks it with Composer itself, and returns its lock.
fn parent(registry: &Registry, manifest: &Value) -> String {
    let dir = beside(registry, "app");
    fs::write(dir.join("composer.json"), manifest.to_string()).expect("composer.json");
    let update = ["update", "--no-install"];
    let call = registry.scene.call(Side::Serial, &update).dir(&dir);
    let _ = call.run().expect(0);
    fs::read_to_string(dir.join("composer.lock")).expect("a lock")
}

fn child(registry: &Registry, require: Value, setting: Value) -> Value {
    let mut project = manifest(&registry.files, &[""], json!({ "require": require }));
    project["extra"] = json!({ "allegro": { "parent": setting } });
    project
}

/// Returns a commit of a branch of `d/d`.
fn branch(commit: &str) -> Value {
    let source =
        json!({ "type": "git", "url": "https://example.org/d/d.git", "reference": commit });
    let url = format!("http://127.0.0.1:1/d/{commit}.zip");
    let dist = json!({ "type": "zip", "url": url, "reference": commit });
    release("d/d", "dev-main", json!({ "source": source, "dist": dist }))
}

/// Makes a registry with newer versions than those in the parent's lock. Returns that lock.
fn world(registry: &Registry) -> String {
    family(registry);
    let mirrors = json!([{ "dist-url": "https://mirror.example.org/%package%/%version%/%reference%.%type%", "preferred": true }]);
    registry.root(
        "",
        json!({ "notify-batch": "https://example.org/notify", "mirrors": mirrors }),
    );
    let old = json!({ "require": { "d/d": "^1.5" }, "description": "as it was" });
    registry.package("", "e/e", vec![release("e/e", "1.0.0-beta1", old.clone())]);
    registry.package("", "d/d", vec![branch("1111111111")]);
    registry.package("", "f/f", vec![release("f/f", "1.0.0", json!({}))]);
    // The URL is at the repository's own address, so the lock contains the repository's request
    // options.
    let dist = json!({ "dist": { "url": registry.files.url("s.zip") } });
    registry.package("", "s/s", vec![release("s/s", "1.0.0", dist)]);
    let mut app = manifest(&registry.files, &[""], json!({ "name": "the/app" }));
    app["require"] = json!({ "a/a": "1.0.0", "b/b": "<2.1", "d/d": "dev-main as 1.5.0", "e/e": "@beta", "s/s": "*" });
    app["require-dev"] = json!({ "f/f": "*" });
    app["repositories"][0]["options"] = json!({ "http": { "timeout": 60 } });
    let lock = parent(registry, &app);
    registry.package("", "d/d", vec![branch("2222222222")]);
    let again = json!({ "require": { "d/d": "^1.5" }, "description": "as it is" });
    let versions = ["1.1.0", "1.0.0-beta1"].map(|version| release("e/e", version, again.clone()));
    registry.package("", "e/e", versions.to_vec());
    let versions = ["1.1.0", "1.0.0"].map(|version| release("f/f", version, json!({})));
    registry.package("", "f/f", versions.to_vec());
    let own = json!({ "require": { "b/b": "*" } });
    registry.package("", "z/z", vec![release("z/z", "1.0.0", own)]);
    for side in [Side::Serial, Side::Allegro] {
        registry.scene.forget_cache(side);
    }
    lock
}

/// Entries of the parent are taken byte for byte, and the other packages are resolved.
#[test]
fn its_versions_are_taken() {
    let Some(registry) = Registry::new() else {
        return;
    };
    let lock = world(&registry);
    for text in ["notification-url", "mirrors", "transport-options"] {
        assert!(
            entry(&lock, "s/s").is_some_and(|entry| entry.contains(text)),
            "{lock}"
        );
    }
    let require = json!({ "z/z": "*", "e/e": "*", "f/f": "*", "s/s": "*" });
    for (setting, taken, f) in [
        (json!("../app"), 5, "1.1.0"),
        (json!("../app/composer.json"), 5, "1.1.0"),
        (json!(beside(&registry, "app")), 5, "1.1.0"),
        (
            json!({ "path": "../app", "require-dev": false }),
            5,
            "1.1.0",
        ),
        (json!({ "path": "../app", "require-dev": true }), 6, "1.0.0"),
    ] {
        let project = child(&registry, require.clone(), setting);
        let (run, found) = resolve_each_way(&registry, &project, None, &[]);
        for name in ["b/b", "c/c", "d/d", "e/e", "s/s"] {
            assert_eq!(entry(&found, name), entry(&lock, name), "{name}\n{found}");
        }
        assert_eq!(version(&found, "z/z").as_deref(), Some("1.0.0"));
        assert_eq!(version(&found, "f/f").as_deref(), Some(f));
        assert_eq!(entry(&found, "a/a"), None, "nobody requires it");
        assert_eq!(
            run.ours(),
            [format!("Allegro: {taken} versions are those of ../app")]
        );
        // An install accepts branches, pre-releases and aliases of the parent.
        let install = ["install", "--dry-run"];
        let install = registry.scene.call(Side::Serial, &install).run().expect(0);
        assert!(install.stderr.contains("d/d"), "{}", install.stderr);
        let (told, _) = resolve(&registry, &project, Some(&found), &["--explain=d/d"], None);
        let why = "  extra.allegro.parent: versions of ../app are taken as they are\n";
        assert!(told.stdout.ends_with(why), "{}", told.stdout);
        // The next run changes nothing.
        let (_, again) = resolve(&registry, &project, Some(&found), &[], None);
        assert_eq!(again.as_deref(), Some(found.as_str()));
    }
}

/// In a partial update, a package that is not to be updated keeps its version, and Allegro says so.
#[test]
fn a_partial_update_takes_its_part() {
    let Some(registry) = Registry::new() else {
        return;
    };
    world(&registry);
    let require = json!({ "b/b": "*", "c/c": "*" });
    let plain = manifest(&registry.files, &[""], json!({ "require": require }));
    let (_, lock) = registry.play(Side::Serial, &plain, None, &["--prefer-lowest"]);
    let project = child(&registry, require, json!("../app"));
    let (_, run, found) = compare_ways(&registry, &project, lock.as_deref(), &["b/b"]);
    let versions = ["b/b", "c/c"].map(|name| version(&found, name).unwrap_or_default());
    assert_eq!(versions, ["2.0.0", "1.0.0"]);
    let kept = "Allegro: not those of ../app, because they were not to be updated: c/c 1.0.0 (2.1.0 there)";
    assert_eq!(run.ours(), ["Allegro: 1 version is that of ../app", kept]);
}

/// If the project and its parent contradict each other, Composer and Allegro say so.
#[test]
fn conflicts_are_told() {
    let Some(registry) = Registry::new() else {
        return;
    };
    world(&registry);
    let fine = child(&registry, json!({ "b/b": "*" }), json!("../app"));
    let (_, lock) = resolve(&registry, &fine, None, &[], None);
    let lock = lock.expect("a lock");
    let mut held = fine.clone();
    held["extra"]["allegro"]["exceptions"] = json!({ "b/b": "2.1.0" });
    let newer = json!({ "require": { "b/b": "^2.1" } });
    registry.package("", "y/y", vec![release("y/y", "1.0.0", newer)]);
    for (project, words) in [
        (
            child(&registry, json!({ "b/b": "^2.1" }), json!("../app")),
            &[
                "Allegro: composer.json requires b/b ^2.1, and ../app has 2.0.0",
                "from the lock of the parent project ../app",
            ][..],
        ),
        (
            held,
            &["Allegro: extra.allegro.exceptions holds b/b 2.1.0, and ../app has 2.0.0"],
        ),
        (
            child(&registry, json!({ "y/y": "*" }), json!("../app")),
            &["y/y 1.0.0 requires b/b ^2.1"],
        ),
    ] {
        for (what, way) in WAYS {
            let (run, found) = resolve(&registry, &project, Some(&lock), &[], way);
            assert_eq!(run.exit, 2, "{what}: {}", run.stderr);
            for word in words {
                assert!(run.stderr.contains(word), "{what}: {word}: {}", run.stderr);
            }
            assert!(
                run.stderr.contains("extra.allegro.parent"),
                "{}",
                run.stderr
            );
            assert_eq!(found.as_deref(), Some(lock.as_str()), "{what}");
        }
    }
    // A commit that the project requires doesn't replace that in the parent's entry.
    let require =
        |commit: &str| json!({ "d/d": format!("dev-main#{commit} as 1.5.0"), "e/e": "@beta" });
    let project = child(&registry, require("22222"), json!("../app"));
    refuses(
        &registry,
        &project,
        &lock,
        &[],
        &["d/d", "#22222", "1111111111", "../app"],
    );
    let project = child(&registry, require("11111"), json!("../app"));
    let (run, found) = resolve(&registry, &project, Some(&lock), &[], None);
    assert!(
        found.is_some_and(
            |found| entry(&found, "d/d").is_some_and(|entry| entry.contains("1111111111"))
        ),
        "{}",
        run.stderr
    );
}

/// Allegro reports a problem with the parent, and the remedy.
#[test]
fn a_parent_in_trouble() {
    let Some(registry) = Registry::new() else {
        return;
    };
    world(&registry);
    let require = json!({ "b/b": "*" });
    let (_, lock) = resolve(
        &registry,
        &child(&registry, require.clone(), json!("../app")),
        None,
        &[],
        None,
    );
    let lock = lock.expect("a lock");
    let key = "extra.allegro.parent";
    for (setting, words) in [
        (json!(7), &[key, "path"][..]),
        (json!(""), &[key, "path"]),
        (json!({ "require-dev": true }), &[key, "path"]),
        (json!({ "path": "../app", "dev": true }), &[key, "\"dev\""]),
        (
            json!({ "path": "../app", "require-dev": "yes" }),
            &[key, "require-dev"],
        ),
        (
            json!("../nowhere"),
            &[key, "../nowhere", "Correct the path"],
        ),
        (json!("."), &[key, "circle", ". -> ."]),
    ] {
        refuses(
            &registry,
            &child(&registry, require.clone(), setting),
            &lock,
            &[],
            words,
        );
    }

    let project = child(&registry, require.clone(), json!("../app"));
    let dir = beside(&registry, "app");
    let (json, locked) = (dir.join("composer.json"), dir.join("composer.lock"));
    let text = fs::read_to_string(&json).expect("composer.json");
    let whole = fs::read_to_string(&locked).expect("composer.lock");
    let write = |path: &PathBuf, text: &str| fs::write(path, text).expect("a file");

    let other = beside(&registry, "other");
    write(
        &other.join("composer.json"),
        &json!({ "extra": { "allegro": { "parent": { "path": "../app" } } } }).to_string(),
    );
    let mut round: Value = serde_json::from_str(&text).expect("JSON");
    round["extra"] = json!({ "allegro": { "parent": "../other" } });
    write(&json, &round.to_string());
    refuses(
        &registry,
        &project,
        &lock,
        &[],
        &[key, "circle", ". -> ../app -> ../other -> ../app"],
    );
    // A parent's own parent doesn't matter to the project.
    write(&other.join("composer.json"), "{");
    let (run, _) = resolve(&registry, &project, Some(&lock), &[], None);
    assert_eq!(run.exit, 0, "{}", run.stderr);
    assert_eq!(run.ours().len(), 2, "{:?}", run.ours());
    assert!(
        run.ours()[0].contains("../app/composer.lock is not up to date"),
        "{:?}",
        run.ours()
    );

    write(&json, "{\n  \"require\": {,\n}");
    refuses(
        &registry,
        &project,
        &lock,
        &[],
        &[key, "app/composer.json", "line 2"],
    );
    write(&json, &text);
    write(&locked, &whole[..whole.len() / 2]);
    refuses(
        &registry,
        &project,
        &lock,
        &[],
        &[key, "app/composer.lock", "on line", "composer update"],
    );
    write(&locked, "[]");
    refuses(
        &registry,
        &project,
        &lock,
        &[],
        &[key, "../app/composer.lock", "composer update"],
    );
    write(
        &locked,
        r#"{"packages": [{"name": "b/b", "version": "what"}]}"#,
    );
    refuses(
        &registry,
        &project,
        &lock,
        &[],
        &["../app/composer.lock", "what", "composer update"],
    );
    write(&locked, r#"{"packages": []}"#);
    let dev = child(
        &registry,
        require,
        json!({ "path": "../app", "require-dev": true }),
    );
    refuses(
        &registry,
        &dev,
        &lock,
        &[],
        &["packages-dev", "composer update"],
    );
    fs::remove_file(&locked).expect("no lock");
    refuses(
        &registry,
        &project,
        &lock,
        &[],
        &[key, "no ../app/composer.lock", "composer update"],
    );
}

/// Directories in the parent's lock are rewritten relative to the project, so that an install finds
/// them.
#[test]
fn directories_of_the_parent() {
    let Some(registry) = Registry::new() else {
        return;
    };
    family(&registry);
    let library = beside(&registry, "app").join("lib");
    fs::create_dir_all(&library).expect("a directory");
    let own = json!({ "name": "the/library", "version": "1.0.0", "require": { "c/c": "<2" } });
    fs::write(library.join("composer.json"), own.to_string()).expect("composer.json");
    let mut app = manifest(
        &registry.files,
        &[""],
        json!({ "require": { "the/library": "*" } }),
    );
    let path = json!({ "type": "path", "url": "lib" });
    let repositories = app["repositories"].as_array_mut().expect("a list");
    repositories.insert(0, path);
    parent(&registry, &app);
    let project = child(&registry, json!({ "the/library": "*" }), json!("../app"));
    let (_, _, lock) = compare_ways(&registry, &project, None, &[]);
    let url = entry(&lock, "the/library").expect("an entry");
    assert!(url.contains("\"url\": \"../app/lib\""), "{url}");
}
