//! Tests the origins of packages, and their places in a project.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use allegro_registry::Format;
use serde_json::{Value, json};

use crate::support::files::{
    Files, agree, agree_warm, archive, bare, manifest, merge, package, rewrite, runs, said, write,
};
use crate::support::home::composer_version;
use crate::support::mount::Mount;
use crate::support::packages::file;
use crate::support::{Outcome, Scene, Side, Snapshot, same_tree, skipped};

/// Returns a small zip with a manifest at its top.
fn zip(name: &str, word: &str) -> Vec<u8> {
    let manifest = format!(r#"{{"name": "{name}", "version": "1.0.0"}}"#);
    archive(
        Format::Zip,
        false,
        vec![
            file("composer.json", &manifest),
            file("src/A.php", &format!("<?php // {word}\n")),
            file(&format!("{word}.txt"), word),
        ],
    )
}

/// Returns a package with a dist that Allegro handles.
fn plain(files: &Files, name: &str, more: Value) -> Value {
    let word = name.rsplit('/').next().expect("a name").to_lowercase();
    package(
        name,
        "zip",
        &files.put(&format!("{name}.zip"), &zip(&name.to_lowercase(), &word)),
        more,
    )
}

#[track_caller]
fn all_succeed(played: &[(String, Outcome)]) {
    for (step, outcome) in played {
        assert_eq!(outcome.run.exit, 0, "{step}: {}", outcome.run.stderr);
    }
}

/// Puts repositories before those of a manifest, and adds requirements.
fn with(mut manifest: Value, repositories: Vec<Value>, require: Value) -> Value {
    let own = manifest["repositories"]
        .as_array_mut()
        .expect("repositories");
    own.splice(0..0, repositories);
    merge(&mut manifest["require"], require);
    manifest
}

/// Composer links or copies packages of path repositories, beside packages that Allegro handles.
/// The same package may also come from a dist in turn.
#[test]
fn path_repositories() {
    let Some((scene, files)) = bare() else { return };
    let beside = scene.dir().join("beside");
    fs::create_dir_all(beside.join("src")).expect("a directory");
    fs::write(
        beside.join("composer.json"),
        r#"{"name": "e2e/beside", "version": "1.0.0", "bin": ["tool"]}"#,
    )
    .expect("a file");
    fs::write(beside.join("src/B.php"), "<?php // beside\n").expect("a file");
    fs::write(beside.join("tool"), "#!/bin/sh\n").expect("a file");
    let base = manifest(&[plain(&files, "e2e/one", json!({}))], json!({}));
    let at = |options: Value| {
        let repository = json!({ "type": "path", "url": "../beside", "options": options });
        with(base.clone(), vec![repository], json!({ "e2e/beside": "*" }))
    };
    let dist = manifest(
        &[
            plain(&files, "e2e/one", json!({})),
            plain(&files, "e2e/beside", json!({ "version": "1.0.1" })),
        ],
        json!({}),
    );
    for mirror in [false, true] {
        let played = agree(
            &scene,
            &format!("COMPOSER_MIRROR_PATH_REPOS: {mirror}"),
            |scene, side| {
                let mut played = Vec::new();
                for (step, manifest) in [
                    ("linked or not", at(json!({}))),
                    ("the dist", dist.clone()),
                    ("not linked", at(json!({ "symlink": false }))),
                ] {
                    if played.is_empty() {
                        write(scene, &manifest);
                    } else {
                        rewrite(scene, &manifest);
                    }
                    let mut call = scene.call(side, &["update"]);
                    if mirror {
                        call = call.env("COMPOSER_MIRROR_PATH_REPOS", "1");
                    }
                    played.push((step.to_owned(), scene.outcome(&call)));
                }
                played
            },
        );
        all_succeed(&played);
        let is_link = fs::symlink_metadata(beside.join("src/B.php"))
            .expect("still there")
            .is_symlink();
        assert!(!is_link);
        assert_eq!(
            played[0]
                .1
                .tree
                .nodes
                .contains_key("vendor/e2e/beside/src/B.php"),
            mirror
        );
    }
}

/// An artifact repository is a directory of zips, which are dists without HTTP.
#[test]
fn an_artifact_repository() {
    let Some((scene, files)) = bare() else { return };
    let artifacts = scene.dir().join("artifacts");
    fs::create_dir_all(&artifacts).expect("a directory");
    fs::write(artifacts.join("boxed.zip"), zip("e2e/boxed", "boxed")).expect("a file");
    let base = manifest(&[plain(&files, "e2e/one", json!({}))], json!({}));
    let repository = json!({ "type": "artifact", "url": "../artifacts" });
    let manifest = with(base, vec![repository], json!({ "e2e/boxed": "*" }));
    let played = agree(&scene, "artifact", |scene, side| {
        write(scene, &manifest);
        runs(
            scene,
            side,
            &[
                &["install"],
                &["reinstall", "e2e/*"],
                &["install", "--no-dev"],
            ],
        )
    });
    all_succeed(&played);
    assert!(
        played[0]
            .1
            .tree
            .nodes
            .contains_key("vendor/e2e/boxed/boxed.txt")
    );
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=e2e",
            "-c",
            "user.email=e2e@allegro.invalid",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(args)
        .current_dir(dir)
        .env("GIT_AUTHOR_DATE", "2024-01-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2024-01-01T00:00:00Z")
        .output()
        .expect("git starts");
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Returns the path of a bare repository with two versions, and their commits.
fn origin(scene: &Scene) -> Option<(PathBuf, [String; 2])> {
    if Command::new("git").arg("--version").output().is_err() {
        return skipped("there is no git");
    }
    let work = scene.dir().join("work");
    fs::create_dir_all(&work).expect("a directory");
    git(&work, &["init", "-q"]);
    let commits = ["1.0.0", "1.1.0"].map(|version| {
        fs::write(work.join("composer.json"), r#"{"name": "e2e/source"}"#).expect("a file");
        fs::write(work.join("version.txt"), version).expect("a file");
        git(&work, &["add", "."]);
        git(&work, &["commit", "-qm", version]);
        git(&work, &["tag", version]);
        git(&work, &["rev-parse", "HEAD"])
    });
    let bare = scene.dir().join("source.git");
    git(
        scene.dir(),
        &["clone", "-q", "--bare", "work", "source.git"],
    );
    Some((bare, commits))
}

/// Removes the files that git keeps for itself from outcomes, because they contain times.
fn without_git(mut played: Vec<(String, Outcome)>) -> Vec<(String, Outcome)> {
    for (_, outcome) in &mut played {
        outcome.tree = outcome.tree.without("vendor/e2e/source/.git");
    }
    played
}

/// Sources come from git if they are requested, if there is no dist, or from a repository of type
/// `vcs`. The same package may also come from a dist in turn.
#[test]
fn sources() {
    let Some((scene, files)) = bare() else { return };
    let Some((origin, commits)) = origin(&scene) else {
        return;
    };
    let source =
        |commit: usize| json!({ "type": "git", "url": origin, "reference": commits[commit] });
    let one = plain(&files, "e2e/one", json!({}));
    let url = files.put("source.zip", &zip("e2e/source", "dist"));
    let both = |version: &str, commit: usize| {
        package(
            "e2e/source",
            "zip",
            &url,
            json!({ "version": version, "source": source(commit) }),
        )
    };
    let mut only = both("1.0.0", 0);
    only.as_object_mut().expect("a package").remove("dist");
    let vcs = with(
        manifest(std::slice::from_ref(&one), json!({})),
        vec![json!({ "type": "vcs", "url": origin })],
        json!({ "e2e/source": "1.0.*" }),
    );
    let played = agree(&scene, "sources", |scene, side| {
        let mut played = Vec::new();
        let mut go = |step: &str, manifest: &Value, args: &[&str]| {
            if played.is_empty() {
                write(scene, manifest);
            } else {
                rewrite(scene, manifest);
            }
            played.push((step.to_owned(), scene.outcome(&scene.call(side, args))));
        };
        let packages = |source: Value| manifest(&[one.clone(), source], json!({}));
        go(
            "preferred",
            &packages(both("1.0.0", 0)),
            &["update", "--prefer-source"],
        );
        go(
            "updated",
            &packages(both("1.1.0", 1)),
            &["update", "--prefer-source"],
        );
        go(
            "as dist",
            &packages(both("1.1.0", 1)),
            &["reinstall", "e2e/*", "--prefer-dist"],
        );
        go(
            "as source",
            &packages(both("1.1.0", 1)),
            &["reinstall", "e2e/source", "--prefer-source"],
        );
        go(
            "only a source",
            &packages(only.clone()),
            &["update", "--prefer-dist"],
        );
        go("status", &packages(only.clone()), &["status", "-v"]);
        go("vcs", &vcs, &["update"]);
        go(
            "no more",
            &manifest(std::slice::from_ref(&one), json!({})),
            &["update"],
        );
        without_git(played)
    });
    all_succeed(&played);
    assert!(
        played[2]
            .1
            .tree
            .nodes
            .contains_key("vendor/e2e/source/dist.txt"),
        "the dist"
    );
    assert!(
        played[6]
            .1
            .tree
            .nodes
            .contains_key("vendor/e2e/source/version.txt"),
        "the source"
    );
}

/// Composer falls back to a package's source by itself if its dist fails.
#[test]
fn a_source_where_the_dist_fails() {
    let Some((scene, files)) = bare() else { return };
    let Some((origin, commits)) = origin(&scene) else {
        return;
    };
    let source = json!({ "type": "git", "url": origin, "reference": commits[0] });
    for (what, url) in [
        ("404", files.url("nowhere.zip")),
        ("no zip", files.put("bad.zip", b"no zip\n")),
    ] {
        let package = package("e2e/source", "zip", &url, json!({ "source": source }));
        // Composer 2.10 falls back only with this setting.
        let more = json!({ "config": { "source-fallback": true } });
        let manifest = manifest(&[plain(&files, "e2e/one", json!({})), package], more);
        let go = |side| {
            scene.forget_cache(side);
            write(&scene, &manifest);
            let played = runs(&scene, side, &[&["install", "--no-progress"]]);
            without_git(played).remove(0).1
        };
        let (plain, ours) = (go(Side::Serial), go(Side::Allegro));
        same_tree(what, &plain, &ours);
        assert_eq!(said(&plain), said(&ours), "{what}");
        // Composer 2.11 doesn't fall back any more.
        let falls_back = what == "404" && composer_version() < (2, 11);
        assert_eq!(plain.run.exit == 0, falls_back, "{}", plain.run.stderr);
    }
}

/// Packages without content, a package that turns into one, and `target-dir` give the same result.
#[test]
fn odd_packages() {
    let Some((scene, files)) = bare() else { return };
    let meta = |name: &str, version: &str| json!({ "name": name, "version": version, "type": "metapackage", "require": { "e2e/one": "*" } });
    let one = plain(&files, "e2e/one", json!({}));
    let target = plain(
        &files,
        "e2e/target",
        json!({ "target-dir": "Deep/Er", "autoload": { "psr-0": { "Deep": "" } } }),
    );
    let library = |version: &str| plain(&files, "e2e/turning", json!({ "version": version }));
    let project = |turning: Value| {
        manifest(
            &[
                one.clone(),
                target.clone(),
                meta("e2e/meta", "1.0.0"),
                turning,
            ],
            json!({}),
        )
    };
    let played = agree_warm(&scene, "odd packages", |scene, side| {
        let mut played = Vec::new();
        for (step, turning) in [
            ("library", library("1.0.0")),
            ("metapackage", meta("e2e/turning", "1.1.0")),
            ("library again", library("1.2.0")),
            ("same version, metapackage", meta("e2e/turning", "1.2.0")),
        ] {
            if played.is_empty() {
                write(scene, &project(turning));
            } else {
                rewrite(scene, &project(turning));
            }
            played.push((
                step.to_owned(),
                scene.outcome(&scene.call(side, &["update"])),
            ));
        }
        played.extend(runs(
            scene,
            side,
            &[&["reinstall", "*"], &["remove", "e2e/target"]],
        ));
        played
    });
    all_succeed(&played[..5]);
    let tree = &played[0].1.tree;
    assert!(
        tree.nodes
            .contains_key("vendor/e2e/target/Deep/Er/target.txt")
    );
    assert!(!played[1].1.tree.nodes.contains_key("vendor/e2e/turning"));
}

/// Returns the plugin that installs packages of type `e2e-placed` at the place in their
/// `extra.place`.
fn installer(files: &Files) -> Value {
    let code = vec![
        file(
            "src/Plugin.php",
            include_str!("fixtures/installer-plugin.php"),
        ),
        file("src/Installer.php", include_str!("fixtures/installer.php")),
    ];
    let url = files.put("installer.zip", &archive(Format::Zip, true, code));
    package(
        "a-place/installer",
        "zip",
        &url,
        json!({
            "type": "composer-plugin",
            "require": { "composer-plugin-api": "^2.0" },
            "autoload": { "classmap": ["src/"] },
            "extra": { "class": "Places\\Plugin" },
        }),
    )
}

fn placed(files: &Files, name: &str, version: &str, place: &str) -> Value {
    let word = format!("{}-{version}", name.rsplit('/').next().expect("a name"));
    let url = files.put(&format!("{name}-{version}.zip"), &zip(name, &word));
    package(
        name,
        "zip",
        &url,
        json!({ "version": version, "type": "e2e-placed", "require": { "a-place/installer": "*" }, "extra": { "place": place } }),
    )
}

/// Packages may lie outside of vendor, on another file system, several in one directory, or move
/// with an update.
#[test]
fn custom_places() {
    let Some((scene, files)) = bare() else { return };
    let elsewhere = scene.dir().join("elsewhere");
    let Some(_mount) = Mount::tmpfs(&elsewhere, 2048) else {
        return;
    };
    let far = |below: &str| elsewhere.join(below).display().to_string();
    let project = |version: &str, moved: &str| {
        manifest(
            &[
                installer(&files),
                placed(&files, "e2e/near", version, "modules/near"),
                placed(&files, "e2e/far", version, &far("modules/far")),
                placed(&files, "e2e/slash", version, "modules/slash/"),
                // These packages are never updated. Composer removes the directory for the second
                // one at any time, even after it has put the first one's new version there.
                placed(&files, "e2e/shared-one", "1.0.0", "shared"),
                placed(&files, "e2e/shared-two", "1.0.0", "shared"),
                placed(&files, "e2e/moving", version, moved),
            ],
            json!({}),
        )
    };
    let played = agree_warm(&scene, "custom places", |scene, side| {
        let mut played = Vec::new();
        for entry in fs::read_dir(&elsewhere).expect("the mount").flatten() {
            fs::remove_dir_all(entry.path()).expect("emptied");
        }
        write(scene, &project("1.0.0", "modules/moving"));
        let mut go = |args: &[&str]| {
            let mut outcome = scene.outcome(&scene.call(side, args));
            for (path, node) in Snapshot::of(&elsewhere).nodes {
                outcome.tree.nodes.insert(format!("elsewhere/{path}"), node);
            }
            played.push((args.join(" "), outcome));
        };
        go(&["install"]);
        go(&["reinstall", "e2e/far", "e2e/near"]);
        rewrite(scene, &project("1.1.0", &far("moved")));
        go(&["update"]);
        go(&["reinstall", "e2e/shared-*"]);
        go(&["remove", "e2e/far", "e2e/shared-one"]);
        played
    });
    all_succeed(&played);
    let tree = &played[0].1.tree;
    for path in [
        "shared/shared-one-1.0.0.txt",
        "shared/shared-two-1.0.0.txt",
        "elsewhere/modules/far/far-1.0.0.txt",
        "modules/near/near-1.0.0.txt",
    ] {
        assert!(tree.nodes.contains_key(path), "{path}");
    }
    assert!(
        played[2]
            .1
            .tree
            .nodes
            .contains_key("elsewhere/moved/moving-1.1.0.txt")
    );
}
