//! Tests the commands that look after vendor and the store.

mod damages;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};

use allegro_registry::{Catalog, Format, Mode, Profile};
use serde_json::Value;

use crate::support::packages::{add, dir, entry, file, file_with, link};
use crate::support::{Call, Run, Scene, SceneOptions, Side, diff, same_tree};

/// Returns a scene of the small project and of packages with every kind of entry.
fn scene() -> Option<Scene> {
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    let mut options = SceneOptions::default();
    let script = file("bin/tool", "#!/usr/bin/env php\n<?php echo 1;\n");
    let zip = vec![
        file("src/Value.php", "<?php\nnamespace E2e;\nclass Value {}\n"),
        file("data/plain.txt", "plain\n"),
        file("data/deep/er/text.txt", "deep\n"),
        file_with("data/shell.sh", "#!/bin/sh\n", Mode::Executable),
        script,
        dir("empty"),
        link("data/link", "plain.txt"),
        link("away", "data/deep"),
    ];
    let more = r#"{"bin": ["bin/tool"], "autoload": {"classmap": ["src/"]}}"#;
    let files = [
        (entry("e2e/kinds", "1.0.0", more), Format::Zip, zip),
        (
            entry("e2e/tarred", "2.0.0", "{}"),
            Format::TarGz,
            vec![
                file("one.php", "<?php return 1;\n"),
                file("two.txt", "two\n"),
            ],
        ),
    ];
    for (entry, format, files) in files {
        let name = entry.str_at("name").expect("a name").to_owned();
        let locked = add(&mut catalog, entry, true, format, files);
        options.project.extra_packages.push(locked);
        options.project.extra_requires.push((name, "*".to_owned()));
    }
    Scene::with(catalog, options)
}

/// Returns a scene whose project is installed.
fn installed(args: &[&str]) -> Option<Scene> {
    let scene = scene()?;
    let _ = scene.fresh(Side::Native, args).run.expect(0);
    Some(scene)
}

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout)
        .unwrap_or_else(|_| panic!("JSON, not {}{}", run.stdout, run.stderr))
}

/// Returns the findings of a check: paths and aspects.
fn findings(report: &Value) -> Vec<(String, String)> {
    let list = report["report"]["findings"].as_array().expect("findings");
    list.iter()
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().expect("a text").to_owned();
            (text("path"), text("aspect"))
        })
        .collect()
}

fn verify(scene: &Scene, args: &[&str]) -> (i32, Value) {
    let words: Vec<&str> = ["verify", "--json"].iter().chain(args).copied().collect();
    let run = scene.run(Side::Native, &words);
    let report = json(&run);
    (run.exit, report)
}

/// Returns a directory with a lock alone, and a home that allows plain HTTP.
fn lock_alone(scene: &Scene) -> (PathBuf, PathBuf) {
    scene.write_project();
    let (place, home) = (scene.dir().join("layer"), scene.dir().join("layer-home"));
    for directory in [&place, &home] {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).expect("made");
    }
    fs::copy(
        scene.project().join("composer.lock"),
        place.join("composer.lock"),
    )
    .expect("copied");
    fs::write(
        home.join("config.json"),
        r#"{"config": {"secure-http": false}}"#,
    )
    .expect("written");
    (place, home)
}

/// Returns a `PATH` without PHP and Composer.
fn bare_path(scene: &Scene) -> PathBuf {
    let path = scene.dir().join("bare");
    fs::create_dir_all(&path).expect("made");
    let _ = symlink("/bin/sh", path.join("sh"));
    path
}

#[test]
fn fetch_needs_the_lock_alone() {
    let Some(scene) = scene() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    scene.forget_all();
    let (place, home) = lock_alone(&scene);
    let bare = bare_path(&scene);
    let fetch = |args: &[&str]| -> Call<'_> {
        let words: Vec<&str> = ["fetch"].iter().chain(args).copied().collect();
        scene
            .call(Side::Native, &words)
            .dir(&place)
            .env("COMPOSER_HOME", &home)
            .env("PATH", &bare)
    };
    let missing = fetch(&["--offline", "--json"]).run();
    assert_eq!(missing.exit, 3, "{}", missing.stderr);
    let count = json(&missing)["missing"].as_array().expect("a list").len();
    assert!(count > 2 && missing.stdout.contains("e2e/kinds"));

    let first = json(&fetch(&["--json"]).run().expect(0));
    assert_eq!(first["downloaded"], count, "{first}");
    assert!(first["bytes"].as_u64() > Some(0));
    assert_eq!(
        fs::read_dir(&place).expect("list").count(),
        1,
        "only the lock"
    );
    assert_eq!(
        fs::read_dir(scene.store().join("tmp"))
            .expect("list")
            .count(),
        0
    );
    let second = json(&fetch(&["--json"]).run().expect(0));
    assert_eq!(
        (&second["store"], &second["downloaded"]),
        (&count.into(), &0.into())
    );

    // The install takes everything from the store.
    scene.forget_cache(Side::Native);
    let ours = scene.fresh(Side::Native, &["install"]);
    same_tree("after a fetch", &plain, &ours);
    assert_eq!(
        Scene::origins(&ours.run),
        (count, 0, 0),
        "{}",
        ours.run.stderr
    );

    // Without a server, each package is named.
    scene.forget_all();
    let lock = place.join("composer.lock");
    let text = fs::read_to_string(&lock).expect("the lock");
    let text = text.replace(scene.server.base_url(), "http://127.0.0.1:9");
    fs::write(&lock, text).expect("written");
    let failed = fetch(&["--json"]).run();
    assert_eq!(failed.exit, 3, "{}", failed.stderr);
    assert_eq!(
        json(&failed)["failed"].as_array().expect("a list").len(),
        count
    );
    assert!(failed.stdout.contains("e2e/tarred"));
    let text = fetch(&[]).run();
    assert!(
        text.exit == 3 && text.stdout.contains("failed: e2e/tarred (2.0.0)"),
        "{}",
        text.stdout
    );

    // A package that is no archive is left to Composer.
    fs::write(
        &lock,
        r#"{"packages": [{"name": "a/b", "version": "1.0.0", "dist": {"type": "path", "url": "../b"}}],
            "packages-dev": []}"#,
    )
    .expect("written");
    let left = json(&fetch(&["--json"]).run().expect(0));
    assert_eq!(left["skipped"][0]["name"], "a/b");
    let _ = fetch(&["--strict"]).run().expect(1);
    fs::remove_file(&lock).expect("removed");
    let _ = fetch(&[]).run().expect(2);
}

#[test]
fn status_compares_vendor_with_the_lock() {
    let Some(scene) = scene() else { return };
    scene.write_project();
    let status = |args: &[&str]| {
        let words: Vec<&str> = ["status"].iter().chain(args).copied().collect();
        scene.run(Side::Native, &words)
    };
    let fresh = status(&[]).expect(0);
    assert!(
        fresh.stdout.contains("Vendor has no packages"),
        "{}",
        fresh.stdout
    );
    assert!(
        fresh
            .stdout
            .lines()
            .any(|line| line.starts_with("+ e2e/kinds ") && line.ends_with(" 1.0.0")),
        "{}",
        fresh.stdout
    );
    let _ = status(&["--exit-code"]).expect(1);

    let _ = scene.run(Side::Native, &["install"]).expect(0);
    let installed = status(&["--exit-code"]).expect(0);
    assert!(
        installed.stdout.starts_with("Vendor is up to date ("),
        "{}",
        installed.stdout
    );
    let without = status(&["--no-dev"]).expect(0);
    assert!(
        without.stdout.contains("with packages of require-dev"),
        "{}",
        without.stdout
    );
    assert!(without.stdout.contains("\n- "), "{}", without.stdout);

    fs::remove_dir_all(scene.project().join("vendor/e2e/tarred")).expect("removed");
    let missing = status(&["--exit-code"]).expect(1);
    let lines = "! e2e/tarred  2.0.0 (its directory is missing)\n1 to restore (!)\n";
    assert_eq!(missing.stdout, lines);
    assert!(missing.stderr.contains("allegro install"), "{missing:?}");

    let lock = scene.project().join("composer.lock");
    let text = fs::read_to_string(&lock).expect("the lock");
    let other = text.replacen(r#""version": "2.0.0""#, r#""version": "2.5.0""#, 1);
    fs::write(&lock, other).expect("written");
    let report = json(&status(&["--json"]).expect(0));
    let changes = report["changes"].as_array().expect("changes");
    assert!(
        changes.iter().any(|change| change["change"] == "changed"),
        "{report}"
    );
    scene.write_project();
    let manifest = scene.project().join("composer.json");
    let text = fs::read_to_string(&manifest).expect("the manifest");
    fs::write(
        &manifest,
        text.replacen('{', r#"{"conflict": {"x/y": "*"},"#, 1),
    )
    .expect("written");
    let stale = status(&[]);
    assert!(
        stale.stdout.contains("does not fit composer.json"),
        "{}",
        stale.stdout
    );
    fs::remove_file(&lock).expect("removed");
    let _ = status(&[]).expect(2);
}

/// A vendor directory by Composer alone is not known to the store, and never called damaged.
#[test]
fn a_vendor_of_plain_composer_is_not_damaged() {
    let Some(scene) = scene() else { return };
    let _ = scene.fresh(Side::Serial, &["install"]).run.expect(0);
    let (exit, report) = verify(&scene, &[]);
    assert_eq!(findings(&report), [], "{report}");
    assert_eq!(exit, 0);
    assert_eq!(report["report"]["packages"], 0);
    let unknown = report["report"]["not_known"].as_array().expect("a list");
    assert!(unknown.iter().any(|package| package["name"] == "e2e/kinds"));

    // With the packages in the store, the same directory is right throughout.
    let (place, home) = lock_alone(&scene);
    let fetch = scene.call(Side::Native, &["fetch"]).dir(&place);
    let _ = fetch.env("COMPOSER_HOME", &home).run().expect(0);
    let _ = scene.fresh(Side::Serial, &["install"]).run.expect(0);
    for args in [&[][..], &["--content"]] {
        let (exit, report) = verify(&scene, args);
        assert_eq!(findings(&report), [], "{report}");
        assert!(
            exit == 0 && report["report"]["not_known"] == serde_json::json!([]),
            "{report}"
        );
    }
}

/// Options of an install that are not on record are found out from its result.
#[test]
fn every_way_of_an_install_is_in_order() {
    let Some(scene) = scene() else { return };
    for args in [
        &["install"][..],
        &["install", "-o"],
        &["install", "-a"],
        &["install", "--no-dev"],
        &["install", "--no-autoloader"],
        &["install", "--apcu-autoloader"],
        &["install", "--ignore-platform-reqs"],
    ] {
        for side in [Side::Native, Side::Serial] {
            let _ = scene.fresh(side, args).run.expect(0);
            // A later command writes some lists in another order.
            for later in [&[][..], args, &["dump-autoload", "-o"]] {
                if !later.is_empty() {
                    let _ = scene.run(side, later).expect(0);
                }
                let (exit, report) = verify(&scene, &[]);
                assert_eq!(
                    findings(&report),
                    [],
                    "{args:?} {later:?} {side:?}: {report}"
                );
                assert_eq!(exit, 0);
                assert_eq!(report["report"]["generated_not_checked"], Value::Null);
            }
        }
    }
}

#[test]
fn added_files_stay_unless_they_are_to_go() {
    let Some(scene) = installed(&["install"]) else {
        return;
    };
    scene.unwatched("files of vendor are edited");
    let vendor = scene.project().join("vendor");
    let before = scene.snapshot();
    let added = [
        "e2e/kinds/data/new.txt",
        "e2e/kinds/new/deep/er.txt",
        "e2e/other.txt",
        "composer/mine.php",
        "bin/mine",
    ];
    for name in added {
        let path = vendor.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, "mine").expect("written");
    }
    fs::remove_file(vendor.join("e2e/kinds/data/plain.txt")).expect("removed");
    let (exit, report) = verify(&scene, &["--fix"]);
    assert_eq!(exit, 1, "{report}");
    assert!(
        findings(&report)
            .iter()
            .all(|(_, aspect)| aspect == "added"),
        "{report}"
    );
    assert_eq!(
        report["mended"]["packages"],
        serde_json::json!(["e2e/kinds"])
    );
    for name in added {
        assert_eq!(
            fs::read_to_string(vendor.join(name)).expect("it stays"),
            "mine"
        );
    }
    let (exit, report) = verify(&scene, &["--fix", "--clean"]);
    assert_eq!((exit, findings(&report)), (0, Vec::new()), "{report}");
    assert_eq!(diff(&before, &scene.snapshot()), "");
    let alone = scene.run(Side::Native, &["verify", "--clean"]);
    assert_eq!(alone.exit, 1);
}

#[test]
fn files_of_plugins_are_no_differences() {
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    let mut options = SceneOptions::default();
    let locked = add(
        &mut catalog,
        entry("squizlabs/php_codesniffer", "3.10.0", "{}"),
        true,
        Format::Zip,
        vec![file("src/a.php", "<?php\n")],
    );
    let name = "squizlabs/php_codesniffer".to_owned();
    options.project.extra_packages.push(locked);
    options.project.extra_requires.push((name, "*".to_owned()));
    let Some(scene) = Scene::with(catalog, options) else {
        return;
    };
    let _ = scene.fresh(Side::Native, &["install"]).run.expect(0);
    let path = scene
        .project()
        .join("vendor/squizlabs/php_codesniffer/CodeSniffer.conf");
    fs::write(&path, "<?php\n").expect("written");
    for args in [&[][..], &["--fix", "--clean"]] {
        let (exit, report) = verify(&scene, args);
        assert_eq!((exit, findings(&report)), (0, Vec::new()), "{report}");
        let theirs = &report["report"]["by_plugins"][0]["path"];
        assert_eq!(theirs, "vendor/squizlabs/php_codesniffer/CodeSniffer.conf");
        assert!(path.exists());
    }
}

#[test]
fn one_package_and_unknown_names() {
    let Some(scene) = installed(&["install"]) else {
        return;
    };
    scene.unwatched("files of vendor are edited");
    let vendor = scene.project().join("vendor");
    fs::remove_file(vendor.join("e2e/tarred/two.txt")).expect("removed");
    let (exit, report) = verify(&scene, &["e2e/kinds"]);
    assert_eq!(
        (exit, &report["report"]["packages"]),
        (0, &1.into()),
        "{report}"
    );
    let (exit, report) = verify(&scene, &["E2E/tarred"]);
    let expected = ("vendor/e2e/tarred/two.txt".to_owned(), "missing".to_owned());
    assert_eq!((exit, findings(&report)), (1, vec![expected]));
    let unknown = scene.run(Side::Native, &["verify", "e2e/kind"]).expect(1);
    assert!(
        unknown.stderr.contains("did you mean e2e/kinds?"),
        "{}",
        unknown.stderr
    );
    let unknown = scene.run(Side::Native, &["unshare", "tared"]).expect(1);
    assert!(
        unknown.stderr.contains("vendor has no package \"tared\""),
        "{}",
        unknown.stderr
    );
}

#[test]
fn unshared_files_can_be_edited() {
    let Some(scene) = scene() else { return };
    let install = |dir: &Path| {
        let call = scene.call(Side::Native, &["install"]).dir(dir);
        let _ = call
            .env("ALLEGRO_LINK_STRATEGY", "hardlink")
            .run()
            .expect(0);
    };
    scene.write_project();
    install(&scene.project());
    let before = scene.snapshot();
    let path = scene.project().join("vendor/e2e/kinds/data/plain.txt");
    assert!(fs::metadata(&path).expect("there").nlink() > 1);
    let run = scene
        .run(Side::Native, &["unshare", "e2e/kinds", "--json"])
        .expect(0);
    let report = json(&run);
    assert_eq!(report[0]["name"], "e2e/kinds");
    assert!(report[0]["files"].as_u64() > Some(2), "{report}");
    assert_eq!(fs::metadata(&path).expect("there").nlink(), 1);
    assert_eq!(diff(&before, &scene.snapshot()), "", "nothing shows");
    let (exit, report) = verify(&scene, &["--content"]);
    assert_eq!((exit, findings(&report)), (0, Vec::new()));

    fs::write(&path, "edited\n").expect("written");
    let other = scene.dir().join("other");
    scene.overwrite_state(scene.server.catalog().project(), &other);
    install(&other);
    let theirs = fs::read_to_string(other.join("vendor/e2e/kinds/data/plain.txt"));
    assert_eq!(theirs.expect("there"), "plain\n");
    let again = scene.run(Side::Native, &["unshare", "e2e/kinds"]).expect(0);
    assert!(
        again.stdout.contains("has files of its own already"),
        "{}",
        again.stdout
    );
}

#[test]
fn the_tree_hash_is_that_of_any_install() {
    let Some(scene) = installed(&["install"]) else {
        return;
    };
    let hash = |args: &[&str]| {
        let words: Vec<&str> = ["verify", "--tree-hash"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        scene
            .run(Side::Native, &words)
            .expect(0)
            .stdout
            .trim()
            .to_owned()
    };
    let ours = hash(&[]);
    assert_eq!(ours.len(), 64);
    let _ = scene.fresh(Side::Serial, &["install"]).run.expect(0);
    assert_eq!(hash(&[]), ours);
    fs::write(scene.project().join("vendor/e2e/kinds/data/plain.txt"), "x").expect("written");
    assert_ne!(hash(&[]), ours);
}

#[test]
fn exports_carry_a_lock_to_another_store() {
    let Some(scene) = installed(&["install"]) else {
        return;
    };
    let file = scene.dir().join("packages.allegro");
    let file = file.to_str().expect("a text");
    let run = scene
        .run(Side::Native, &["store", "export", file, "--json"])
        .expect(0);
    let count = json(&run)["packages"].as_u64().expect("a number");
    assert!(count > 2);
    let lock = scene.project().join("composer.lock");
    let lock = lock.to_str().expect("a text");
    let elsewhere = scene.dir().join("elsewhere");
    fs::create_dir_all(&elsewhere).expect("made");
    let piped = scene
        .call(Side::Native, &["store", "export", "--lock", lock, "-"])
        .dir(&elsewhere)
        .run()
        .expect(0);
    assert!(piped.stdout.starts_with("ALPACK01"));

    scene.forget_all();
    let lacking = scene
        .run(Side::Native, &["store", "export", file])
        .expect(1);
    assert!(
        lacking.stderr.contains("the store lacks"),
        "{}",
        lacking.stderr
    );
    let run = scene
        .run(Side::Native, &["store", "import", file, "--json"])
        .expect(0);
    assert_eq!(json(&run)["packages"], count);
    let all = scene.dir().join("all.allegro");
    let all = all.to_str().expect("a text");
    let run = scene
        .run(Side::Native, &["store", "export", all, "--all", "--json"])
        .expect(0);
    assert_eq!(json(&run)["packages"], count);
    scene.forget_cache(Side::Native);
    let offline = scene
        .call(Side::Native, &["fetch", "--offline", "--json"])
        .run()
        .expect(0);
    assert_eq!(json(&offline)["store"], count, "{}", offline.stdout);
}

#[test]
fn the_store_is_shown_and_pruned() {
    let Some(scene) = installed(&["install"]) else {
        return;
    };
    scene.unwatched("the project is removed");
    let status = scene.run(Side::Native, &["store", "status"]).expect(0);
    let project = scene.project().display().to_string();
    assert!(
        status.stdout.contains("saved") && status.stdout.contains(&project),
        "{}",
        status.stdout
    );
    let report = json(
        &scene
            .run(Side::Native, &["store", "status", "--json"])
            .expect(0),
    );
    assert!(report["manifests"].as_u64() > Some(2) && report["real_bytes"].as_u64() > Some(0));
    let prune = |args: &[&str]| {
        let words: Vec<&str> = ["store", "prune", "--json"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        json(&scene.run(Side::Native, &words).expect(0))
    };
    assert_eq!(prune(&[])["manifests"], 0, "a project has them");
    fs::remove_dir_all(scene.project()).expect("removed");
    fs::create_dir_all(scene.project()).expect("made");
    let all = &report["manifests"];
    assert_eq!(&prune(&["--dry-run"])["manifests"], all);
    assert_eq!(prune(&["--max-age", "30d"])["manifests"], 0);
    assert_eq!(prune(&["--max-size", "5GB"])["manifests"], 0);
    assert_eq!(&prune(&["--max-size=0", "--dry-run"])["manifests"], all);
    assert_eq!(&prune(&["--max-age", "30d", "--gc"])["manifests"], all);
    let wrong = scene
        .run(Side::Native, &["store", "prune", "--max-size", "5X"])
        .expect(1);
    assert!(
        wrong.stderr.contains("--max-size must be"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn the_doctor_needs_no_php() {
    let Some(scene) = installed(&["install"]) else {
        return;
    };
    let doctor = |args: &[&str], bare: bool| {
        let words: Vec<&str> = ["doctor", "--json"].iter().chain(args).copied().collect();
        let call = scene.call(Side::Native, &words);
        let call = if bare {
            // Composer 2.10, whose texts are built in, asks repositories for lists.
            let call = call.env("COMPOSER_NO_BLOCKING", "1");
            call.env("PATH", bare_path(&scene))
        } else {
            call
        };
        let run = call.run();
        (run.exit, json(&run))
    };
    let (exit, report) = doctor(&[], false);
    assert_eq!(
        (exit, &report["problems"]),
        (0, &serde_json::json!([])),
        "{report}"
    );
    assert_eq!(report["road"], "native", "{report}");
    assert!(report["php"]["version"].is_string() && report["composer"]["version"].is_string());
    let (exit, report) = doctor(&[], true);
    assert_eq!((exit, &report["php"]), (0, &Value::Null), "{report}");
    assert_eq!(report["store_writable"], true);

    let staging = scene.project().join("vendor/composer/.allegro-999999999-1");
    fs::create_dir_all(&staging).expect("made");
    let (_, report) = doctor(&["--fix"], true);
    assert!(!staging.exists(), "{report}");
    assert!(!report["fixed"].as_array().expect("a list").is_empty());
    fs::write(scene.project().join("composer.json"), "{").expect("written");
    let (_, report) = doctor(&[], true);
    assert_ne!(report["road"], "native");
    let text = scene.run(Side::Native, &["doctor"]);
    assert!(
        text.stdout.contains("by Composer, because"),
        "{}",
        text.stdout
    );
}
