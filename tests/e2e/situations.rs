//! Tests the ways to call Composer, and the places in which it runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::editions::took_part;
use crate::support::files::{agree, runs, sound};
use crate::support::mount::Mount;
use crate::support::{Call, Outcome, Scene, Side, Snapshot, copy_tree, diff, same, same_tree};

/// Commands and options that don't change packages, or change them in another way, give the same
/// result.
#[test]
fn ways_to_call() {
    let Some(scene) = Scene::small() else { return };
    let name = scene
        .server
        .catalog()
        .project()
        .entries()
        .nth(2)
        .and_then(|entry| entry.str_at("name"))
        .expect("a name")
        .to_owned();
    let played = agree(&scene, "ways to call", |scene, side| {
        scene.write_project();
        let mut played = runs(
            scene,
            side,
            &[
                &["install", "--no-scripts", "--no-dev"],
                &["status"],
                &["install", "--dry-run"],
                &["install", "--download-only"],
                &["archive", "--dir=out", "--format=tar", "--file=root"],
            ],
        );
        // The archive contains times, so the comparison leaves it out.
        for (_, outcome) in &mut played {
            outcome.tree = outcome.tree.without("out");
        }
        let _ = fs::remove_dir_all(scene.project().join("out"));
        // One file of a package is changed and another one is missing. `status` compares with a
        // fresh copy.
        let package = scene.project().join("vendor").join(&name);
        let victim = first_file(&package);
        let _ = fs::remove_file(&victim);
        fs::write(&victim, "changed\n").expect("the file");
        played.extend(runs(
            scene,
            side,
            &[&["status", "-v"], &["reinstall", &name], &["status", "-v"]],
        ));
        let elsewhere = scene.project().display().to_string();
        let there = scene
            .call(side, &["install", "-d", &elsewhere])
            .dir(scene.dir());
        played.push(("-d".to_owned(), scene.outcome(&there)));
        played
    });
    assert!(
        played[5].1.run.stdout.contains(&name) || played[5].1.run.stderr.contains(&name),
        "{:?}",
        played[5].1.run
    );
    assert_eq!(played[5].1.run.exit, 1);
    assert_eq!(played[7].1.run.exit, 0);
}

/// Returns the first regular file below a directory, by name.
fn first_file(dir: &Path) -> std::path::PathBuf {
    let tree = Snapshot::of(dir);
    let path = tree.nodes.iter().find_map(|(path, node)| {
        matches!(node, crate::support::snapshot::Node::File(..)).then(|| path.clone())
    });
    dir.join(path.expect("a file"))
}

/// A case: name, arguments, environment, and whether Allegro takes part.
type Case = (
    &'static str,
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
    bool,
);

/// Settings by environment, and switches that keep out Allegro or the store, give the same result.
#[test]
fn switches() {
    let Some(scene) = Scene::small() else { return };
    let cases: [Case; 8] = [
        ("filled", &["install"], &[], true),
        // Composer looks for global plugins in this directory too, and finds none.
        (
            "vendor dir",
            &["install"],
            &[("COMPOSER_VENDOR_DIR", "lib/deep")],
            false,
        ),
        (
            "bin dir",
            &["install"],
            &[("COMPOSER_BIN_DIR", "tools")],
            true,
        ),
        ("no dev", &["install"], &[("COMPOSER_NO_DEV", "1")], true),
        ("no cache", &["install", "--no-cache"], &[], true),
        ("no plugins", &["install", "--no-plugins"], &[], false),
        (
            "switched off",
            &["install"],
            &[("ALLEGRO_DISABLE", "1")],
            false,
        ),
        ("no scripts", &["install", "--no-scripts"], &[], true),
    ];
    for (what, args, envs, takes_part) in cases {
        let go = |side| {
            scene.write_project();
            let mut call = scene.call(side, args);
            for (name, value) in envs {
                call = call.env(*name, *value);
            }
            scene.outcome(&call)
        };
        let (plain, ours) = (go(Side::Serial), go(Side::Allegro));
        assert_eq!(plain.run.exit, 0, "{what}: {}", plain.run.stderr);
        same_tree(what, &plain, &ours);
        assert_eq!(plain.run.stdout, ours.run.stdout, "{what}");
        took_part(&ours, takes_part);
    }
    sound(&scene, "the store");
}

/// If Composer runs as root without `COMPOSER_ALLOW_SUPERUSER`, it decides about plugins, and
/// Allegro accepts that.
#[test]
fn root_without_leave() {
    let Some(scene) = Scene::small() else { return };
    let go = |side| {
        scene.write_project();
        scene.outcome(
            &scene
                .call(side, &["install"])
                .env_remove("COMPOSER_ALLOW_SUPERUSER"),
        )
    };
    let (plain, ours) = (go(Side::Plain), go(Side::Allegro));
    same("root", &plain, &ours);
    assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
}

/// `vendor` may be a file system of its own, with a link to it or without.
#[test]
fn mounted_vendor() {
    let Some(scene) = Scene::small() else { return };
    let vendor = scene.project().join("vendor");
    let there = scene.dir().join("mounted");
    for linked in [false, true] {
        let go = |side: Side, args: &[&str]| {
            scene.write_project();
            let at = if linked { &there } else { &vendor };
            let mount = Mount::tmpfs(at, 4096)?;
            if linked {
                symlink(&there, &vendor).expect("a link");
            }
            let mut outcomes = Vec::new();
            for args in [args, &["install", "--no-dev"]] {
                let mut outcome = scene.outcome(&scene.call(side, args));
                if linked {
                    outcome.tree = Snapshot::of(&there);
                }
                outcomes.push(outcome);
            }
            drop(mount);
            Some(outcomes)
        };
        let Some(plain) = go(Side::Serial, &["install"]) else {
            return;
        };
        for round in if linked {
            &["warm"][..]
        } else {
            &["cold", "warm"]
        } {
            let ours = go(Side::Allegro, &["install"]).expect("it was mounted before");
            for ((step, plain), ours) in plain.iter().enumerate().zip(&ours) {
                assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
                let what = format!("linked: {linked}, {round}, step {step}");
                same_tree(&what, plain, ours);
                assert!(step > 0 || ours.tree.files() > 100, "{what}");
            }
        }
    }
    sound(&scene, "the store");
}

/// `composer global require`, `install`, `update` and `remove` work if Allegro is installed
/// globally as well.
#[test]
fn global_commands() {
    let Some(scene) = Scene::small() else { return };
    let home = scene.own_home();
    let name = scene.some_package();
    let repository = format!(
        r#"{{"type": "composer", "url": "{}"}}"#,
        scene.server.base_url()
    );
    let kept = scene.dir().join("kept-home");
    copy_tree(&home, &kept);
    let go = |disabled: &str| {
        let _ = fs::remove_dir_all(&home);
        copy_tree(&kept, &home);
        scene.write_project();
        let call = |args: &[&str]| -> Outcome {
            let all: Vec<&str> = ["global"].iter().chain(args).copied().collect();
            let run = scene
                .call(Side::Allegro, &all)
                .env("ALLEGRO_DISABLE", disabled)
                .run()
                .expect(0);
            Outcome {
                run,
                tree: Snapshot::of(&home),
            }
        };
        vec![
            call(&["config", "repositories.e2e", &repository]),
            call(&["config", "secure-http", "false"]),
            call(&["config", "autoloader-suffix", "E2e"]),
            call(&["require", &name]),
            call(&["install"]),
            call(&["update"]),
            call(&["remove", &name]),
        ]
    };
    scene.forget_cache(Side::Allegro);
    let plain = go("1");
    let ours = go("0");
    for ((step, plain), ours) in plain.iter().enumerate().zip(&ours) {
        same_tree(&format!("global, step {step}"), plain, ours);
    }
    assert!(ours[3].tree.nodes.contains_key(&format!("vendor/{name}")));
}

/// Two projects install at the same time, on an empty store and then on a full one.
#[test]
fn two_projects_at_once() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install", "--no-scripts"]);
    let dirs = ["left", "right"].map(|name| scene.dir().join(name));
    for round in ["cold", "warm"] {
        let mut children = Vec::new();
        for dir in &dirs {
            let _ = fs::remove_dir_all(dir);
            scene.overwrite_state(scene.server.catalog().project(), dir);
            let call: Call<'_> = scene
                .call(Side::Allegro, &["install", "--no-scripts", "-q"])
                .dir(dir);
            children.push(call.command().spawn().expect("composer starts"));
        }
        for child in &mut children {
            assert!(child.wait().expect("it ends").success(), "{round}");
        }
        for dir in &dirs {
            assert_eq!(diff(&plain.tree, &Snapshot::of(dir)), "", "{round}");
        }
        sound(&scene, round);
    }
}
