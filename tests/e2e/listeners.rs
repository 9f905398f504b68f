//! Tests plugins that influence downloads.

use allegro_registry::Format;
use serde_json::{Value, json};

use crate::archives::zip;
use crate::support::files::{Files, archive, bare, manifest, package, sound, write};
use crate::support::packages::file;
use crate::support::{Call, Outcome, Scene, Side, Snapshot, diff, same, same_tree};

const HOOK: &str = include_str!("fixtures/hook-plugin.php");

/// Returns a package with the plugin that changes downloads as `HOOK` tells it.
fn hook(files: &Files) -> Value {
    let extra = json!({ "class": "Hook\\Plugin", "plugin-modifies-downloads": true });
    let url = files.put(
        "hook.zip",
        &archive(Format::Zip, true, vec![file("src/Plugin.php", HOOK)]),
    );
    package(
        "a-hook/plugin",
        "zip",
        &url,
        json!({
            "type": "composer-plugin",
            "require": { "composer-plugin-api": "^2.0" },
            "autoload": { "psr-4": { "Hook\\": "src/" } },
            "extra": extra,
        }),
    )
}

/// Installs without caches, with all archives in Composer's cache, and with Allegro's store alone.
/// Checks that tree, log of the listeners and output are the same.
fn hooked<'a>(
    scene: &'a Scene,
    what: &str,
    manifest: &Value,
    set: impl Fn(Call<'a>) -> Call<'a>,
) -> Vec<Outcome> {
    let go = |side: Side| {
        scene.forget_cache(side);
        scene.forget_store();
        let mut outcomes = Vec::new();
        for step in ["cold", "cached", "store"] {
            if step == "store" {
                scene.forget_cache(side);
            }
            write(scene, manifest);
            let call = scene
                .call(side, &["install"])
                .env("COMPOSER_MAX_PARALLEL_HTTP", "1");
            outcomes.push(scene.outcome(&set(call)));
        }
        outcomes
    };
    let (plain, ours) = (go(Side::Serial), go(Side::Allegro));
    for ((step, plain), ours) in ["cold", "cached", "store"].iter().zip(&plain).zip(&ours) {
        let log = |outcome: &Outcome| outcome.tree.text("hook.log").unwrap_or_default().to_owned();
        let what = format!("{what}, {step}");
        // From the store nothing is downloaded, unless a listener wants to see the archives.
        if *step == "store" {
            same_tree(&what, plain, ours);
        } else {
            assert_eq!(log(plain), log(ours), "{what}");
            same(&what, plain, ours);
        }
    }
    sound(scene, what);
    plain
}

fn hook_scene() -> Option<(Scene, Files, Value)> {
    let (scene, files) = bare()?;
    files.put("other.zip", &zip("other"));
    let mut packages = vec![hook(&files)];
    for name in ["one", "two", "victim"] {
        files.put(&format!("right/{name}.zip"), &zip(name));
        packages.push(package(
            &format!("e2e/{name}"),
            "zip",
            &files.put(&format!("plain/{name}.zip"), &zip(name)),
            json!({}),
        ));
    }
    let manifest = manifest(&packages, json!({}));
    Some((scene, files, manifest))
}

#[test]
fn a_listener_that_changes_urls() {
    let Some((scene, _files, mut manifest)) = hook_scene() else {
        return;
    };
    for package in manifest["repositories"][0]["package"]
        .as_array_mut()
        .expect("packages")
    {
        let url = package["dist"]["url"]
            .as_str()
            .expect("a URL")
            .replace("/plain/", "/wrong/");
        package["dist"]["url"] = json!(url);
    }
    let plain = hooked(&scene, "url", &manifest, |call| call.env("HOOK", "url"));
    assert_eq!(plain[0].run.exit, 0, "{}", plain[0].run.stderr);
}

#[test]
fn a_listener_that_turns_urls_into_paths() {
    let Some((scene, _files, manifest)) = hook_scene() else {
        return;
    };
    let served = scene.dir().join("served");
    let plain = hooked(&scene, "file", &manifest, |call| {
        call.env("HOOK", "file").env("HOOK_FILES", &served)
    });
    assert_eq!(plain[0].run.exit, 0, "{}", plain[0].run.stderr);
}

#[test]
fn a_listener_that_sets_cache_keys() {
    let Some((scene, _files, manifest)) = hook_scene() else {
        return;
    };
    let plain = hooked(&scene, "key", &manifest, |call| call.env("HOOK", "key"));
    assert_eq!(plain[0].run.exit, 0, "{}", plain[0].run.stderr);
    scene.forget_store();
    let [plain, ours] = [Side::Serial, Side::Allegro].map(|side| {
        scene.forget_cache(side);
        write(&scene, &manifest);
        let _ = scene
            .call(side, &["install"])
            .env("HOOK", "key")
            .run()
            .expect(0);
        Snapshot::of(&scene.cache(side).join("files/e2e"))
    });
    assert_eq!(plain.files(), 3);
    assert_eq!(diff(&plain, &ours), "", "archives in Composer's cache");
}

#[test]
fn listeners_of_downloaded_files() {
    let Some((scene, _files, manifest)) = hook_scene() else {
        return;
    };
    let served = scene.dir().join("served");
    for (what, exit) in [("replace", 0), ("write", 0), ("throw", 1)] {
        let plain = hooked(&scene, what, &manifest, |call| {
            call.env("HOOK", what).env("HOOK_FILES", &served)
        });
        assert_eq!(plain[0].run.exit, exit, "{what}: {}", plain[0].run.stderr);
        let replaced = plain[0]
            .tree
            .nodes
            .contains_key("vendor/e2e/victim/other.txt");
        assert_eq!(replaced, what == "replace" || what == "write", "{what}");
        // The content that a listener wrote has reached neither Composer's cache nor the store.
        write(&scene, &manifest);
        let run = scene.call(Side::Allegro, &["install"]).run().expect(0);
        assert!(
            scene
                .project()
                .join("vendor/e2e/victim/victim.txt")
                .exists(),
            "{what}: {}",
            run.stderr
        );
    }
}

/// A package that Allegro hands back is announced once, as each other one is.
#[test]
fn a_package_that_is_handed_back_is_announced_once() {
    let Some((scene, files, mut manifest)) = hook_scene() else {
        return;
    };
    // The tests support no such proxy setting natively, so Composer's own downloader has to handle
    // all packages.
    let plain = hooked(&scene, "no_proxy", &manifest, |call| {
        call.env("HOOK", "none")
            .env("http_proxy", "http://127.0.0.1:1")
            .env("no_proxy", "*")
    });
    assert_eq!(plain[0].run.exit, 0, "{}", plain[0].run.stderr);
    assert_eq!(
        plain[0]
            .tree
            .text("hook.log")
            .unwrap_or_default()
            .matches("pre ")
            .count(),
        3
    );
    // Composer announces a mirror separately.
    let url = files.url("mirror/%package%.zip");
    files.put("mirror/e2e/one.zip", &zip("mirrored"));
    let one = &mut manifest["repositories"][0]["package"][1]["dist"];
    one["url"] = json!(files.url("nowhere.zip"));
    one["mirrors"] = json!([{ "url": url, "preferred": false }]);
    let go = |side| {
        scene.forget_cache(side);
        write(&scene, &manifest);
        scene.outcome(
            &scene
                .call(side, &["install"])
                .env("COMPOSER_MAX_PARALLEL_HTTP", "1"),
        )
    };
    let (plain, ours) = (go(Side::Serial), go(Side::Allegro));
    let sorted = |outcome: &Outcome| {
        let mut lines: Vec<String> = outcome
            .tree
            .text("hook.log")
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&plain), sorted(&ours));
    assert!(
        sorted(&plain).iter().any(|line| line.contains("/mirror/")),
        "{:?}",
        sorted(&plain)
    );
    assert_eq!(
        diff(
            &plain.tree.without("hook.log"),
            &ours.tree.without("hook.log")
        ),
        ""
    );
}
