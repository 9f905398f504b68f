//! Tests further failures, for both engines of the native part. Packages are complete or absent
//! afterwards, the next run heals the project, and the store stays sound.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use allegro_registry::{Fault, Rule};
use serde_json::json;

use crate::support::files::{bare, manifest, package, write};
use crate::support::mount::Mount;
use crate::support::raw::{ZipEntry, zip};
use crate::support::{Call, Engine, Outcome, Scene, Side, Snapshot, diff, same_tree, skipped};

/// Returns the name of a plain package of the small project.
fn victim(scene: &Scene) -> String {
    scene.server.catalog().packages()[5].spec.name.clone()
}

/// Checks that a vendor directory has no files that Allegro must never leave there.
#[track_caller]
fn no_leftovers(what: &str, tree: &Snapshot) {
    let left: Vec<&String> = tree
        .nodes
        .keys()
        .filter(|path| {
            path.contains("/.allegro-")
                || path.contains("/.installed.")
                || path.starts_with("vendor/composer/tmp-")
        })
        .collect();
    assert!(left.is_empty(), "{what}: left behind: {left:?}");
}

/// Checks that after a failed run each package is complete or absent. Composer leaves empty
/// directories.
#[track_caller]
fn whole_or_absent(what: &str, after: &Snapshot, complete: &Snapshot) {
    let mut packages: Vec<String> = complete
        .nodes
        .keys()
        .filter_map(|path| {
            let mut parts = path.strip_prefix("vendor/")?.splitn(3, '/');
            let (vendor, name) = (parts.next()?, parts.next()?);
            (vendor != "composer" && vendor != "bin").then(|| format!("vendor/{vendor}/{name}"))
        })
        .collect();
    packages.dedup();
    assert!(packages.len() > 3, "{what}: {packages:?}");
    for package in packages {
        let now = after.below(&package);
        if now.files() > 0 {
            let differences = diff(&complete.below(&package), &now);
            assert!(
                differences.is_empty(),
                "{what}: {package} is half there:\n{differences}"
            );
        }
    }
}

/// Plays a run with trouble, then one without.
fn trouble<'a>(
    scene: &'a Scene,
    side: Side,
    rules: &[Rule],
    set: &dyn Fn(Call<'a>) -> Call<'a>,
) -> (Outcome, Outcome) {
    scene.forget_cache(side);
    scene.forget_store();
    scene.write_project();
    scene.server.set_faults(rules.to_vec());
    // Composer wraps the text of an exception at the width of the terminal.
    let failed = scene.outcome(&set(scene.call(side, &["install"]).env("COLUMNS", "1000")));
    scene.server.set_faults(Vec::new());
    let healed = scene.outcome(&scene.call(side, &["install"]));
    (failed, healed)
}

/// Compares the same trouble for Composer and for both engines of Allegro.
fn compare_trouble<'a>(
    scene: &'a Scene,
    what: &str,
    rules: &[Rule],
    set: &dyn Fn(Call<'a>) -> Call<'a>,
    says: &[&str],
) {
    let (plain, plain_healed) = trouble(scene, Side::Serial, rules, set);
    let fails = plain.run.exit != 0;
    assert!(fails || says.is_empty(), "{what}: {}", plain.run.stderr);
    assert_eq!(
        plain_healed.run.exit, 0,
        "{what}: {}",
        plain_healed.run.stderr
    );
    for engine in [Engine::Helper, Engine::Extension] {
        let what = format!("{what}, {engine:?}");
        let (ours, healed) = trouble(scene, Side::Allegro, rules, &|call| {
            set(call).engine(engine)
        });
        assert_eq!(
            plain.run.exit, ours.run.exit,
            "{what}: exit codes; with Allegro:\n{}",
            ours.run.stderr
        );
        no_leftovers(&what, &ours.tree);
        if fails {
            whole_or_absent(&what, &ours.tree, &plain_healed.tree);
            for text in says {
                assert!(
                    ours.run.stderr.contains(text),
                    "{what}: \"{text}\" is missing:\n{}",
                    ours.run.stderr
                );
            }
        } else {
            same_tree(&what, &plain, &ours);
        }
        same_tree(&format!("{what}, healed"), &plain_healed, &healed);
        no_leftovers(&what, &healed.tree);
    }
}

fn status(code: u16) -> Fault {
    Fault::Status {
        code,
        retry_after: None,
    }
}

#[test]
fn statuses() {
    let Some(scene) = Scene::small() else { return };
    let name = victim(&scene);
    let path = format!("/dist/{name}/*");
    for code in [404, 403] {
        compare_trouble(
            &scene,
            &format!("status {code}"),
            &[Rule::always(&path, status(code))],
            &|call| call,
            &[&name, &code.to_string()],
        );
    }
}

#[test]
fn broken_bodies() {
    let Some(scene) = Scene::small() else { return };
    let name = victim(&scene);
    let path = format!("/dist/{name}/*");
    for (what, fault) in [("empty", Fault::Shorten(0)), ("a web page", Fault::Html)] {
        compare_trouble(
            &scene,
            what,
            &[Rule::always(&path, fault)],
            &|call| call,
            &[&name],
        );
    }
    // Every archive is a web page here.
    compare_trouble(
        &scene,
        "web pages",
        &[Rule::always("/dist/*", Fault::Html)],
        &|call| call,
        &[],
    );
}

#[test]
fn nobody_listens() {
    let Some(mut scene) = Scene::small() else {
        return;
    };
    scene.server.stop();
    let plain = scene.fresh(Side::Serial, &["install"]);
    assert_ne!(plain.run.exit, 0, "{}", plain.run.stderr);
    for engine in [Engine::Helper, Engine::Extension] {
        scene.write_project();
        let ours = scene.outcome(&scene.call(Side::Allegro, &["install"]).engine(engine));
        assert_eq!(plain.run.exit, ours.run.exit, "{}", ours.run.stderr);
        no_leftovers("nobody listens", &ours.tree);
        assert_eq!(
            ours.tree.below("vendor").files(),
            plain.tree.below("vendor").files()
        );
    }
}

#[test]
fn a_wrong_shasum_in_the_lock() {
    let Some(scene) = Scene::small() else { return };
    let name = victim(&scene);
    let right = scene.fresh(Side::Serial, &["install"]);
    let go = |side, engine| {
        scene.forget_cache(side);
        scene.forget_store();
        scene.write_project();
        let path = scene.project().join("composer.lock");
        let mut lock: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&path).expect("the lock")).expect("JSON");
        let original = lock.clone();
        let mut changed = 0;
        for list in ["packages", "packages-dev"] {
            for package in lock[list].as_array_mut().into_iter().flatten() {
                if package["name"] == name.as_str() {
                    package["dist"]["shasum"] = "0123456789abcdef0123456789abcdef01234567".into();
                    changed += 1;
                }
            }
        }
        assert_eq!(changed, 1);
        fs::write(&path, lock.to_string()).expect("the lock");
        let failed = scene.outcome(&scene.call(side, &["install"]).engine(engine));
        fs::write(&path, original.to_string()).expect("the lock");
        let healed = scene.outcome(&scene.call(side, &["install"]).engine(engine));
        (failed, healed)
    };
    let (plain, plain_healed) = go(Side::Serial, Engine::Helper);
    assert_ne!(plain.run.exit, 0, "{}", plain.run.stderr);
    for engine in [Engine::Helper, Engine::Extension] {
        let (ours, healed) = go(Side::Allegro, engine);
        assert_eq!(plain.run.exit, ours.run.exit, "{}", ours.run.stderr);
        assert!(ours.run.stderr.contains("checksum"), "{}", ours.run.stderr);
        no_leftovers("wrong shasum", &ours.tree);
        whole_or_absent("wrong shasum", &ours.tree, &right.tree);
        same_tree("wrong shasum, healed", &plain_healed, &healed);
    }
}

/// An archive with which Composer would write elsewhere is refused. The message names package and
/// entry, and nothing of the archive is installed.
#[test]
fn a_hostile_archive() {
    let Some((scene, files)) = bare() else { return };
    let outside = scene.dir().join("evil");
    let link = ZipEntry::link("p/link", outside.to_str().expect("a path"));
    let hostile = [
        ZipEntry::new("p/a.txt", "a"),
        link,
        ZipEntry::new("p/link", "evil"),
    ];
    let good = files.put("good.zip", &zip(&[ZipEntry::new("p/a.txt", "a")]));
    let bad = files.put("hostile.zip", &zip(&hostile));
    let manifest = manifest(
        &[
            package("e2e/good", "zip", &good, json!({})),
            package("e2e/hostile", "zip", &bad, json!({})),
        ],
        json!({}),
    );
    for engine in [Engine::Helper, Engine::Extension] {
        scene.forget_all();
        for round in ["cold", "cached"] {
            write(&scene, &manifest);
            let call = scene.call(Side::Allegro, &["install"]).engine(engine);
            let ours = scene.outcome(&call.env("COLUMNS", "1000"));
            let said = &ours.run.stderr;
            assert_ne!(ours.run.exit, 0, "{round}: {said}");
            for word in ["e2e/hostile", "p/link", "--prefer-source"] {
                assert!(said.contains(word), "{round}: {said}");
            }
            no_leftovers(round, &ours.tree);
            assert_eq!(ours.tree.below("vendor/e2e/hostile").files(), 0);
            assert!(!outside.exists(), "{round}: {said}");
        }
    }
}

/// Returns the size of a tree on a file system with pages of 4 KiB.
fn kilobytes(dir: &Path) -> usize {
    let output = Command::new("du").arg("-sk").arg(dir).output().expect("du");
    String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .next()
        .and_then(|text| text.parse().ok())
        .expect("a size")
}

#[test]
fn a_full_disk_for_the_project() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let needed = kilobytes(&scene.project());
    for engine in [Engine::Helper, Engine::Extension] {
        for part in [4, 2] {
            let what = format!("1/{part} of the space, {engine:?}");
            let _ = fs::remove_dir_all(scene.project());
            let Some(mount) = Mount::tmpfs(&scene.project(), needed / part) else {
                return;
            };
            scene.write_project();
            let ours = scene.outcome(&scene.call(Side::Allegro, &["install"]).engine(engine));
            assert_ne!(ours.run.exit, 0, "{what}: {}", ours.run.stderr);
            assert!(
                ours.run.stderr.contains("No space left on device")
                    || ours.run.stderr.contains("space"),
                "{what}: {}",
                ours.run.stderr
            );
            whole_or_absent(&what, &ours.tree, &plain.tree);
            no_leftovers(&what, &ours.tree);
            mount.resize(needed * 4);
            same_tree(
                &format!("{what}, healed"),
                &plain,
                &scene.outcome(&scene.call(Side::Allegro, &["install"]).engine(engine)),
            );
        }
    }
}

/// A store that fills up costs speed, but never stops the install.
#[test]
fn a_full_disk_for_the_store() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let _ = scene.fresh(Side::Allegro, &["install"]);
    let needed = kilobytes(&scene.store());
    for engine in [Engine::Helper, Engine::Extension] {
        for size in [needed / 8, needed / 2] {
            let what = format!("{size} KiB of {needed}, {engine:?}");
            scene.forget_store();
            let Some(mount) = Mount::tmpfs(&scene.store(), size) else {
                return;
            };
            for round in ["first", "second"] {
                scene.write_project();
                let ours = scene.outcome(&scene.call(Side::Allegro, &["install"]).engine(engine));
                same_tree(&format!("{what}, {round}"), &plain, &ours);
                no_leftovers(&what, &ours.tree);
                assert!(
                    ours.run.stderr.contains("store"),
                    "{what}: it is said: {}",
                    ours.run.stderr
                );
            }
            mount.resize(needed * 4);
            verified(&scene);
        }
    }
}

#[test]
fn a_store_that_can_not_be_written() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    for engine in [Engine::Helper, Engine::Extension] {
        for filled in [false, true] {
            let what = format!("filled: {filled}, {engine:?}");
            scene.forget_store();
            fs::create_dir_all(scene.store()).expect("the store");
            if filled {
                let _ = scene.fresh(Side::Allegro, &["install"]).run.expect(0);
            }
            let Some(_mount) = Mount::read_only(&scene.store()) else {
                return;
            };
            scene.write_project();
            let ours = scene.outcome(&scene.call(Side::Allegro, &["install"]).engine(engine));
            same_tree(&what, &plain, &ours);
            no_leftovers(&what, &ours.tree);
        }
    }
    // A file stands in the place of the store.
    scene.forget_store();
    fs::write(scene.store(), "").expect("a file");
    scene.write_project();
    let ours = scene.outcome(&scene.call(Side::Allegro, &["install"]));
    same_tree("a file for the store", &plain, &ours);
    assert!(
        ours.run.ours().iter().any(|line| line.contains("store")),
        "{}",
        ours.run.stderr
    );
    fs::remove_file(scene.store()).expect("removed");
}

#[test]
fn a_cache_that_can_not_be_written() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let blocked = scene.dir().join("blocked");
    fs::write(&blocked, "").expect("a file");
    for engine in [Engine::Helper, Engine::Extension] {
        for cache in [blocked.join("cache"), PathBuf::from("/proc/none")] {
            for round in ["cold", "warm"] {
                if round == "cold" {
                    scene.forget_store();
                }
                scene.write_project();
                let ours = scene.outcome(
                    &scene
                        .call(Side::Allegro, &["install"])
                        .engine(engine)
                        .env("COMPOSER_CACHE_DIR", &cache),
                );
                same_tree(
                    &format!("{}, {round}, {engine:?}", cache.display()),
                    &plain,
                    &ours,
                );
                no_leftovers(round, &ours.tree);
            }
        }
    }
}

/// A file may stand in the place of a store's directory, the directory may be missing, and
/// manifests may be torn.
#[test]
fn a_store_with_a_broken_inside() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let _ = scene.fresh(Side::Allegro, &["install"]);
    for below in ["blobs", "manifests"] {
        let path = scene.bucket(below).expect("a directory of the store");
        assert!(path.is_dir(), "{}", path.display());
        fs::remove_dir_all(&path).expect("removed");
        fs::write(&path, "").expect("a file");
        for engine in [Engine::Helper, Engine::Extension] {
            scene.write_project();
            let ours = scene.outcome(&scene.call(Side::Allegro, &["install"]).engine(engine));
            same_tree(&format!("{below} is a file, {engine:?}"), &plain, &ours);
        }
        // The run has made the directory again.
        assert!(path.is_dir(), "{}", path.display());
        fs::remove_dir_all(&path).expect("removed");
        same_tree(
            &format!("{below} is gone"),
            &plain,
            &scene.fresh(Side::Allegro, &["install"]),
        );
    }
    for entry in fs::read_dir(scene.bucket("manifests").expect("manifests"))
        .expect("manifests")
        .flatten()
    {
        let path = entry.path();
        for path in if path.is_dir() {
            fs::read_dir(&path)
                .expect("a bucket")
                .flatten()
                .map(|entry| entry.path())
                .collect()
        } else {
            vec![path]
        } {
            let bytes = fs::read(&path).expect("a manifest");
            let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o644));
            fs::write(&path, &bytes[..bytes.len() / 2]).expect("torn");
        }
    }
    same_tree(
        "torn manifests",
        &plain,
        &scene.fresh(Side::Allegro, &["install"]),
    );
    verified(&scene);
}

/// Checks that `allegro store verify` finds nothing wrong.
#[track_caller]
pub fn verified(scene: &Scene) {
    let began = Instant::now();
    let output = crate::support::verify_store(scene);
    assert!(
        output.status.success(),
        "after {:?}: {}{}",
        began.elapsed(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
