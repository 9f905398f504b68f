//! Tests dist types and the URLs of dists.

use std::fs;

use allegro_registry::{Format, Mode};
use serde_json::{Value, json};

use crate::support::files::{
    Files, archive, bare, manifest, package, rewrite, runs, said, sound, write,
};
use crate::support::packages::{dir, file, file_with};
use crate::support::tools::output_of;
use crate::support::{Call, Outcome, Scene, Side, Snapshot, diff, same, same_tree, skipped};

/// Returns a small zip that contains a file of this name.
pub fn zip(word: &str) -> Vec<u8> {
    archive(
        Format::Zip,
        true,
        vec![
            file("src/A.php", &format!("<?php // {word}\n")),
            file_with("run", "#!/bin/sh\n", Mode::Executable),
            dir("empty"),
            file(&format!("{word}.txt"), word),
        ],
    )
}

/// Each type for which Composer has a downloader installs with the same result, whether Allegro or
/// Composer unpacks it.
#[test]
fn dist_types() {
    let Some((scene, files)) = bare() else { return };
    let content = || {
        vec![
            file("src/A.php", "<?php class A {}\n"),
            file("bin/tool", "#!/usr/bin/env php\n<?php echo 1;\n"),
            file_with("run", "#!/bin/sh\n", Mode::Executable),
        ]
    };
    let tar = archive(Format::Tar, true, content());
    let mut bodies = vec![
        ("zip", "zip", Some(archive(Format::Zip, true, content()))),
        ("tar", "tar", Some(tar.clone())),
        (
            "tar",
            "tar.gz",
            Some(archive(Format::TarGz, true, content())),
        ),
        ("xz", "tar.xz", output_of("xz -c", &tar)),
        ("gzip", "txt.gz", output_of("gzip -nc", b"unpacked\n")),
        (
            "file",
            "php",
            Some(b"#!/usr/bin/env php\n<?php echo 2;\n".to_vec()),
        ),
    ];
    let phar = scene.dir().join("made.phar");
    let make = format!(
        "php -d phar.readonly=0 -r '$p = new Phar(\"{0}\"); $p[\"a.txt\"] = \"a\"; $p[\"src/B.php\"] = \"<?php\";' && cat {0}",
        phar.display()
    );
    bodies.push(("phar", "phar", output_of(&make, b"")));
    let mut packages = Vec::new();
    for (kind, end, body) in bodies {
        let Some(body) = body else { continue };
        let url = files.put(&format!("types/it.{end}"), &body);
        let bin = match end {
            "php" => json!(["it.php"]),
            "zip" | "tar" | "tar.xz" => json!(["bin/tool"]),
            _ => json!([]),
        };
        let name = format!("types/{}", end.replace('.', "-"));
        // Two packages must not have programs of the same name.
        let bin = if end == "zip" || end == "php" {
            bin
        } else {
            json!([])
        };
        packages.push(package(&name, kind, &url, json!({ "bin": bin })));
    }
    assert!(packages.len() >= 4, "something to install");
    let manifest = manifest(&packages, json!({}));
    let go = |side: Side| {
        write(&scene, &manifest);
        runs(
            &scene,
            side,
            &[&["install"], &["reinstall", "types/*"], &["status"]],
        )
    };
    let played = go(Side::Serial);
    for round in ["cold", "warm"] {
        for ((step, plain), (_, ours)) in played.iter().zip(&go(Side::Allegro)) {
            assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
            let what = format!("dist types, {step}, {round}");
            same_tree(&what, plain, ours);
            // KNOWN DIFFERENCE: the "Downloading" lines of types that Composer handles come before
            // Allegro's.
            if round == "cold" {
                assert_eq!(said(plain), said(ours), "{what}");
            }
        }
    }
    sound(&scene, "the store");
    for path in ["zip/run", "tar-gz/run", "php/it.php", "zip/src/A.php"] {
        assert!(
            played[0]
                .1
                .tree
                .nodes
                .contains_key(&format!("vendor/types/{path}")),
            "{path}"
        );
    }
}

/// Unknown types, and types whose tool this machine may lack, fail with Composer's words and exit
/// code.
#[test]
fn dist_types_that_fail() {
    let Some((scene, files)) = bare() else { return };
    for kind in ["rar", "7z", "nonsense", "zip", "tar", "gzip"] {
        let url = files.put(&format!("bad/it.{kind}"), b"no archive at all\n");
        let good = package(
            "e2e/good",
            "zip",
            &files.put("good.zip", &zip("good")),
            json!({}),
        );
        let bad = package("e2e/bad", kind, &url, json!({}));
        let manifest = manifest(&[good, bad], json!({}));
        let go = |side| {
            scene.forget_cache(side);
            write(&scene, &manifest);
            scene.outcome(&scene.call(side, &["install", "--no-progress"]))
        };
        let (plain, ours) = (go(Side::Serial), go(Side::Allegro));
        // Composer unpacks what is no archive with `gzip` to an empty file, and succeeds.
        assert!(plain.run.exit != 0 || kind == "gzip", "{kind}");
        assert_eq!(said(&plain), said(&ours), "{kind}");
        assert_eq!(
            plain.run.exit, ours.run.exit,
            "{kind}: {}\n{}",
            plain.run.stderr, ours.run.stderr
        );
        assert!(
            ours.run.stderr.contains("e2e/bad"),
            "{kind}: {}",
            ours.run.stderr
        );
    }
}

/// Mirrors before and after the URL get the same requests, with the values that Composer puts into
/// their addresses. URLs with placeholders do too.
#[test]
fn mirrors_and_templates() {
    let Some((scene, files)) = bare() else { return };
    let reference = "0123456789abcdef0123456789abcdef01234567";
    files.put(
        &format!("mirror/e2e/first/1.0.0.0/{reference}.zip"),
        &zip("from the mirror"),
    );
    files.put(
        &format!("mirror/e2e/last/1.0.0.0/{reference}.zip"),
        &zip("from the mirror"),
    );
    files.put("main/first.zip", &zip("main"));
    files.put("main/both.zip", &zip("main"));
    files.put(
        &format!("t/1.0.0.0-{reference}-1.0.0.zip"),
        &zip("template"),
    );
    let mirror = files.url("mirror/%package%/%version%/%reference%.%type%");
    let with = |name: &str, url: String, preferred: bool| {
        let mirrors = json!([{ "url": mirror, "preferred": preferred }]);
        package(name, "zip", &url, json!({ "dist": { "mirrors": mirrors } }))
    };
    let packages = [
        with("e2e/first", files.url("main/first.zip"), true),
        with("e2e/last", files.url("main/nowhere.zip"), false),
        // The mirror lacks this archive.
        with("e2e/both", files.url("main/both.zip"), true),
        package(
            "e2e/template",
            "zip",
            &files.url("t/%version%-%reference%-%prettyVersion%.zip"),
            json!({}),
        ),
    ];
    let manifest = manifest(&packages, json!({}));
    let go = |side: Side| {
        scene.forget_cache(side);
        scene.forget_store();
        write(&scene, &manifest);
        files.asked();
        let mut seen = Vec::new();
        for step in ["cold", "warm"] {
            let _ = fs::remove_dir_all(scene.project().join("vendor"));
            seen.push((
                step,
                scene.outcome(&scene.call(side, &["install", "--no-progress"])),
                files.asked(),
            ));
        }
        seen
    };
    let (plain, ours) = (go(Side::Serial), go(Side::Allegro));
    for ((step, plain, _), (_, ours, _)) in plain.iter().zip(&ours) {
        assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
        same_tree(step, plain, ours);
        assert_eq!(said(plain), said(ours), "{step}");
    }
    let tree = &ours[0].1.tree;
    for (name, word) in [
        ("first", "from the mirror"),
        ("last", "from the mirror"),
        ("both", "main"),
        ("template", "template"),
    ] {
        assert!(
            tree.nodes
                .contains_key(&format!("vendor/e2e/{name}/{word}.txt")),
            "{name}"
        );
    }
    let without_repeats = |asked: &[String]| {
        let mut asked = asked.to_vec();
        asked.dedup();
        asked
    };
    for ((step, _, plain), (_, _, ours)) in plain.iter().zip(&ours) {
        // Composer repeats a request that fails natively.
        assert_eq!(without_repeats(plain), without_repeats(ours), "{step}");
    }
    sound(&scene, "the store");
}

/// The content behind a URL may change while the lock stays the same, or changes its reference
/// only.
#[test]
fn moving_targets() {
    let Some((scene, files)) = bare() else { return };
    let zeros = "0000000000000000000000000000000000000000";
    let ones = "1111111111111111111111111111111111111111";
    let describe = |reference: &Value, own_url: bool| {
        let name = match reference {
            Value::String(text) if own_url => format!("moving/{text}.zip"),
            _ => "moving/latest.zip".to_owned(),
        };
        let mut moving = package(
            "e2e/moving",
            "zip",
            &files.url(&name),
            json!({ "version": "dev-main" }),
        );
        let dist = moving["dist"].as_object_mut().expect("a dist");
        dist.remove("reference");
        if !reference.is_null() {
            dist.insert("reference".to_owned(), reference.clone());
        }
        manifest(&[moving], json!({}))
    };
    for (what, references, own_url) in [
        ("a moved branch", [json!(zeros), json!(ones)], true),
        (
            "a moved branch at one URL",
            [json!(zeros), json!(ones)],
            false,
        ),
        ("no reference", [Value::Null, Value::Null], false),
    ] {
        for forget in [false, true] {
            let what = format!("{what}, cache emptied: {forget}");
            let go = |side| {
                let mut played = Vec::new();
                for round in ["first", "second", "first again"] {
                    let at = usize::from(round == "second");
                    let word = ["old", "new"][at];
                    files.put("moving/latest.zip", &zip(word));
                    if let Value::String(text) = &references[at] {
                        files.put(&format!("moving/{text}.zip"), &zip(word));
                    }
                    if forget {
                        scene.forget_cache(side);
                    }
                    let manifest = describe(&references[at], own_url);
                    if round == "first" {
                        write(&scene, &manifest);
                    } else {
                        rewrite(&scene, &manifest);
                    }
                    // Without a reference Composer sees nothing to update.
                    let again = references[at].is_null() && round != "first";
                    let args = if again {
                        &["reinstall", "e2e/moving"][..]
                    } else {
                        &["update"]
                    };
                    played.push((round, scene.outcome(&scene.call(side, args))));
                }
                played
            };
            for side in [Side::Serial, Side::Allegro] {
                scene.forget_cache(side);
            }
            scene.forget_store();
            let plain = go(Side::Serial);
            for ((step, plain), (_, ours)) in plain.iter().zip(&go(Side::Allegro)) {
                let what = format!("{what}, {step}");
                assert_eq!(plain.run.exit, 0, "{what}: {}", plain.run.stderr);
                same_tree(&what, plain, ours);
                // Without the cache, Composer downloads packages that Allegro has in its store, so
                // the words differ.
                if !forget {
                    same(&what, plain, ours);
                }
            }
            sound(&scene, &what);
        }
    }
}
