//! Tests installs that Composer does, while the command line makes packages ahead.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use allegro_registry::{Catalog, Json, Profile, ProjectOptions};

use crate::crash::{leftovers, signal, start, wait_for};
use crate::support::mount::Mount;
use crate::support::{Call, Outcome, Scene, SceneOptions, Side, same, same_tree, verify_store};

/// Class of a plugin that nobody knows. It is activated before the other packages come, and waits
/// there until packages were made ahead, if it is told where.
const PLUGIN: &str = r"<?php

namespace Acme;

final class Unknown implements \Composer\Plugin\PluginInterface
{
    public function activate(\Composer\Composer $composer, \Composer\IO\IOInterface $io)
    {
        $file = getenv('ACME_SEEN');
        for ($look = 0; $file !== false && $look < 200; ++$look) {
            $made = glob(getenv('ALLEGRO_STORE').'/tmp/*-ahead/*/*.*.*');
            file_put_contents($file, implode(PHP_EOL, $made));
            if (count($made) >= (int) getenv('ACME_WANTED')) {
                break;
            }
            usleep(10000);
        }
    }

    public function deactivate(\Composer\Composer $composer, \Composer\IO\IOInterface $io)
    {
    }

    public function uninstall(\Composer\Composer $composer, \Composer\IO\IOInterface $io)
    {
    }
}
";

/// Makes a scene whose project has the plugin.
fn scene_in(base: Option<PathBuf>) -> Option<Scene> {
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    let entry = r#"{"name": "acme/unknown", "version": "1.0.0", "type": "composer-plugin",
        "require": {"composer-plugin-api": "^2"}, "extra": {"class": "Acme\\Unknown", "plugin-modifies-downloads": true},
        "autoload": {"psr-4": {"Acme\\": "src/"}}}"#;
    let entry = Json::parse(entry).expect("a lock entry");
    let files = vec![("src/Unknown.php".to_owned(), PLUGIN.into(), false)];
    let package = catalog.add_files(entry, files).expect("a package");
    let mut project = ProjectOptions::default();
    project.extra_packages.push(package);
    project
        .extra_requires
        .push(("acme/unknown".to_owned(), "*".to_owned()));
    project
        .extra_allow_plugins
        .push(("acme/unknown".to_owned(), true));
    project
        .extra_config
        .push(("notify-on-install".to_owned(), Json::Bool(false)));
    let options = SceneOptions {
        project,
        base,
        ..SceneOptions::default()
    };
    Scene::with(catalog, options)
}

fn scene() -> Option<Scene> {
    scene_in(None)
}

/// Returns what is left in the store's directory for temporary files once the workers are gone.
#[track_caller]
fn is_tidy(scene: &Scene) {
    wait_for("workers to tidy up", || {
        fs::read_dir(scene.store().join("tmp")).is_ok_and(|entries| entries.count() == 0)
    });
    assert_eq!(leftovers(&scene.project()), Vec::<String>::new());
}

/// Runs the command line until `wanted` packages were made ahead, and returns how many there were
/// when the plugin was activated.
#[track_caller]
fn seen(scene: &Scene, args: &[&str], wanted: usize) -> (Outcome, usize) {
    let file = scene.dir().join("seen");
    let _ = fs::remove_file(&file);
    let call = scene
        .call(Side::Native, args)
        .env("ACME_SEEN", &file)
        .env("ACME_WANTED", wanted.to_string());
    let outcome = scene.outcome(&call);
    let text = fs::read_to_string(file).unwrap_or_default();
    (outcome, text.lines().count())
}

fn remove_vendor(scene: &Scene) {
    fs::remove_dir_all(scene.project().join("vendor")).expect("removed");
}

#[test]
fn packages_are_made_while_composer_starts() {
    let Some(scene) = scene() else { return };
    for args in [&["install"][..], &["install", "--no-dev", "-o"]] {
        let what = args.join(" ");
        scene.forget_all();
        let plain = scene.fresh(Side::Serial, args);
        let cold = scene.fresh(Side::Native, args);
        same(&format!("{what}: cold"), &plain, &cold);
        is_tidy(&scene);
        let plain = scene.fresh(Side::Serial, args);
        let (_, _, downloaded) = Scene::origins(&cold.run);
        for (wanted, switch) in [(1, ""), (downloaded - 1, ""), (1, "0")] {
            let what = format!("{what}: {wanted} made ahead {switch}");
            remove_vendor(&scene);
            let (warm, made) = if switch.is_empty() {
                seen(&scene, args, wanted)
            } else {
                let call = scene.call(Side::Native, args).env("ALLEGRO_AHEAD", switch);
                (scene.outcome(&call), 0)
            };
            same_tree(&what, &plain, &warm);
            assert_eq!(warm.run.lines(), plain.run.lines(), "{what}");
            assert_eq!(Scene::origins(&warm.run), (downloaded, 0, 0), "{what}");
            assert!(made >= wanted || switch == "0", "{what}: {made}");
            is_tidy(&scene);
        }
        // Nothing is missing now.
        let (_, made) = seen(&scene, args, 0);
        assert_eq!(made, 0, "{what}: again");
        is_tidy(&scene);
    }
}

/// Archives of Composer's cache are unpacked ahead, too.
#[test]
fn archives_are_unpacked_ahead() {
    let Some(scene) = scene() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let _ = scene.fresh(Side::Native, &["install"]);
    scene.forget_store();
    remove_vendor(&scene);
    let (ours, made) = seen(&scene, &["install"], 3);
    assert!(made >= 3, "{made}");
    same_tree("from archives", &plain, &ours);
    let (store, archives, downloaded) = Scene::origins(&ours.run);
    assert!(
        archives > 0 && store + downloaded == 0,
        "{}",
        ours.run.stderr
    );
    is_tidy(&scene);
}

/// Name, arguments, and a change of the project.
type Case = (&'static str, &'static [&'static str], fn(&Scene));

/// Where Composer installs nothing, vendor stays absent.
#[test]
fn what_composer_refuses_leaves_nothing() {
    let Some(scene) = scene() else { return };
    scene.forget_all();
    let _ = scene.fresh(Side::Native, &["install"]);
    let cases: [Case; 6] = [
        ("dry run", &["install", "--dry-run"], |_| {}),
        ("platform", &["install"], |scene| {
            let path = scene.project().join("composer.lock");
            let mut lock = allegro_registry::read_json(&path).expect("the lock");
            let php = Json::parse(r#"{"php": "^99", "ext-nowhere": "*"}"#).expect("JSON");
            lock.set("platform", php);
            fs::write(&path, lock.to_file_text()).expect("written");
        }),
        ("no lock", &["install", "--dry-run"], |scene| {
            fs::remove_file(scene.project().join("composer.lock")).expect("removed");
        }),
        ("old lock", &["install", "--dry-run"], |scene| {
            scene.edit_manifest(|manifest| {
                let require = manifest.child("require");
                require.set("acme/absent", Json::str("^1"));
            });
        }),
        ("broken lock", &["install"], |scene| {
            fs::write(scene.project().join("composer.lock"), "{").expect("written");
        }),
        ("unknown option", &["install", "--nonsense"], |_| {}),
    ];
    for (what, args, change) in cases {
        let play = |side| {
            scene.write_project();
            change(&scene);
            scene.outcome(&scene.call(side, args))
        };
        let plain = play(Side::Serial);
        let ours = play(Side::Native);
        same(what, &plain, &ours);
        assert!(!scene.project().join("vendor").exists(), "{what}");
        is_tidy(&scene);
    }
}

/// A plugin that is not allowed stops Composer in the middle of its work.
#[test]
fn a_blocked_plugin_leaves_nothing() {
    let Some(scene) = scene() else { return };
    let _ = scene.fresh(Side::Native, &["install"]);
    let play = |side| {
        scene.write_project();
        scene.edit_manifest(|manifest| {
            let rules = manifest.child("config").child("allow-plugins");
            *rules = Json::object();
        });
        scene.outcome(&scene.call(side, &["install", "--no-interaction"]))
    };
    let plain = play(Side::Serial);
    let ours = play(Side::Native);
    assert_eq!(plain.run.exit, ours.run.exit);
    is_tidy(&scene);
}

/// Returns the worker of a process that is PHP by now.
fn worker_of(pid: u32) -> Option<String> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    let is_worker = |pid: &&str| {
        fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.contains("\0ahead\0"))
    };
    children
        .split_whitespace()
        .find(is_worker)
        .map(str::to_owned)
}

/// Kills the worker, PHP, or both at random moments. The run or the next one heals the project.
#[test]
fn killed_at_any_moment() {
    let Some(scene) = scene() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let _ = scene.fresh(Side::Native, &["install"]);
    let took = scene.fresh(Side::Native, &["install"]).run.took;
    let mut random = fastrand::Rng::with_seed(
        std::env::var("ALLEGRO_TEST_SEED")
            .ok()
            .and_then(|seed| seed.parse().ok())
            .unwrap_or_else(|| u64::from(std::process::id())),
    );
    println!("seed {} (ALLEGRO_TEST_SEED)", random.get_seed());
    let mut hits = 0;
    for round in 0..30 {
        scene.write_project();
        let mut child = start(&scene.call(Side::Native, &["install"]));
        let is_workers = round % 3 != 0;
        let is_phps = round % 3 != 1;
        if is_workers {
            wait_for("a worker", || {
                worker_of(child.id()).is_some() || child.try_wait().is_ok_and(|end| end.is_some())
            });
        }
        let most = u64::try_from(took.as_millis()).expect("a short run") / 2;
        std::thread::sleep(Duration::from_millis(random.u64(..most.max(1))));
        if is_workers && let Some(worker) = worker_of(child.id()) {
            hits += 1;
            signal("KILL", &worker);
        }
        if is_phps {
            signal("KILL", &format!("-{}", child.id()));
            let _ = child.wait();
            let healed = scene.outcome(&scene.call(Side::Native, &["install"]));
            same_tree(&format!("round {round}"), &plain, &healed);
        } else {
            let status = child.wait().expect("it ends");
            assert_eq!(status.code(), Some(0), "round {round}");
            let differences = crate::support::diff(&plain.tree, &scene.snapshot());
            assert!(differences.is_empty(), "round {round}:\n{differences}");
        }
    }
    assert!(hits > 0, "no worker was killed");
    // The sweep of the next run removes what killed workers left.
    let _ = scene.fresh(Side::Native, &["install"]);
    is_tidy(&scene);
    let output = verify_store(&scene);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
}

/// Ctrl-C at PHP ends the worker, too.
#[test]
fn interrupted() {
    let Some(scene) = scene() else { return };
    let _ = scene.fresh(Side::Native, &["install"]);
    scene.write_project();
    let file = scene.dir().join("seen");
    let call = scene
        .call(Side::Native, &["install"])
        .env("ACME_SEEN", &file)
        .env("ACME_WANTED", "999");
    let mut child = start(&call);
    wait_for("packages", || {
        fs::read_to_string(&file).is_ok_and(|text| text.lines().count() > 0)
    });
    signal("INT", &format!("-{}", child.id()));
    let status = child.wait().expect("it ends");
    assert!(!status.success());
    is_tidy(&scene);
}

/// The room on the disk ends in the middle: Composer says so, and nothing is left.
#[test]
fn a_full_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(mount) = Mount::tmpfs(dir.path(), 200_000) else {
        return;
    };
    let Some(scene) = scene_in(Some(dir.path().to_owned())) else {
        return;
    };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let _ = scene.fresh(Side::Native, &["install"]);
    remove_vendor(&scene);
    for room in [40, 120, 300, 500] {
        let used = rustix::fs::statvfs(dir.path()).expect("facts");
        let used = (used.f_blocks - used.f_bfree) * used.f_frsize / 1024;
        mount.resize(usize::try_from(used + room).expect("a small disk"));
        let run = scene.run(Side::Native, &["install"]);
        println!("{room} KiB: exit {}", run.exit);
        mount.resize(200_000);
        is_tidy(&scene);
        let healed = scene.outcome(&scene.call(Side::Native, &["install"]));
        same_tree(&format!("{room} KiB"), &plain, &healed);
        remove_vendor(&scene);
    }
}

/// Two runs at once don't touch each other's packages.
#[test]
fn two_at_once() {
    let Some(scene) = scene() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let _ = scene.fresh(Side::Native, &["install"]);
    let other = scene.dir().join("other");
    for _ in 0..5 {
        scene.write_project();
        let _ = fs::remove_dir_all(&other);
        crate::support::copy_tree(&scene.project(), &other);
        let calls: [Call<'_>; 2] = [
            scene.call(Side::Native, &["install"]),
            scene.call(Side::Native, &["install"]).dir(&other),
        ];
        let children = calls.each_ref().map(start);
        for mut child in children {
            assert!(child.wait().expect("it ends").success());
        }
        let differences = crate::support::diff(&plain.tree, &scene.snapshot());
        assert!(differences.is_empty(), "{differences}");
        let theirs = crate::support::Snapshot::of(&other.join("vendor"));
        let ours = crate::support::Snapshot::of(&scene.project().join("vendor"));
        assert_eq!(ours.files(), theirs.files());
        is_tidy(&scene);
    }
}

/// Scripts see no variable of the work ahead, and no open file of it.
#[test]
fn scripts_see_nothing_of_it() {
    let Some(scene) = scene() else { return };
    let _ = scene.fresh(Side::Native, &["install"]);
    let play = |side| {
        scene.write_project();
        scene.edit_manifest(|manifest| {
            let script =
                "env | cut -d= -f1 | sort; ls -l /proc/self/fd | grep -c -e -ahead || true";
            let scripts = manifest.child("scripts");
            *scripts = Json::object();
            scripts.set("post-install-cmd", Json::str(script));
        });
        scene.outcome(&scene.call(side, &["install"]))
    };
    let plain = play(Side::Serial);
    let ours = play(Side::Native);
    let names = |outcome: &Outcome| -> Vec<String> {
        let known = ["ALLEGRO_", "COMPOSER_HOME", "COMPOSER_CACHE_DIR"];
        let lines = outcome.run.stdout.lines().map(str::to_owned);
        lines
            .filter(|line| known.iter().all(|name| !line.starts_with(name)))
            .collect()
    };
    assert!(!ours.run.stdout.contains("AHEAD"), "{}", ours.run.stdout);
    assert_eq!(names(&plain), names(&ours));
}

#[test]
fn offline_with_a_full_store() {
    let Some(scene) = scene() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let _ = scene.fresh(Side::Native, &["install"]);
    remove_vendor(&scene);
    scene.server.clear_log();
    let (ours, made) = seen(&scene, &["install", "--offline"], 2);
    assert!(made >= 2, "{made}\n{}", ours.run.stderr);
    same_tree("offline", &plain, &ours);
    is_tidy(&scene);
}
