//! Tests the small generated project with every flag, umask, engine and situation.

use std::fs;

use allegro_registry::{Catalog, Profile};

use crate::support::{
    Call, Engine, Outcome, Scene, SceneOptions, Side, extension, same, same_tree,
};

/// Plays Composer with an empty cache and with a full one. Plays Allegro with no data, with a warm
/// store, and with an empty store beside a full archive cache. Compares everything, including the
/// output.
fn three_states(scene: &Scene, args: &[&str], set: impl Fn(Call<'_>) -> Call<'_>) {
    let what = args.join(" ");
    let go = |side| {
        scene.write_project();
        scene.outcome(&set(scene.call(side, args)))
    };
    scene.forget_all();
    let plain_cold = go(Side::Serial);
    let plain_warm = go(Side::Serial);
    let packages = plain_cold.run.stderr.matches("  - Installing ").count();

    let cold = go(Side::Allegro);
    same(&format!("{what}: cold"), &plain_cold, &cold);
    let warm = go(Side::Allegro);
    same(&format!("{what}: warm store"), &plain_warm, &warm);
    scene.forget_store();
    let archives = go(Side::Allegro);
    same(&format!("{what}: archives only"), &plain_warm, &archives);
    if packages > 0 {
        assert_eq!(
            Scene::origins(&cold.run),
            (0, 0, packages),
            "{what}: {}",
            cold.run.stderr
        );
        assert_eq!(
            Scene::origins(&warm.run),
            (packages, 0, 0),
            "{what}: {}",
            warm.run.stderr
        );
        assert_eq!(
            Scene::origins(&archives.run),
            (0, packages, 0),
            "{what}: {}",
            archives.run.stderr
        );
    }
}

#[test]
fn flags() {
    let Some(scene) = Scene::small() else { return };
    for args in [
        &["install"][..],
        &["install", "-o", "--no-dev"],
        &["install", "-v"],
    ] {
        three_states(&scene, args, |call| call);
    }
    // From here on, both the store and Composer's cache are warm.
    for args in [
        &["install", "--no-dev"][..],
        &["install", "-o"],
        &["install", "-a"],
        &[
            "install",
            "--apcu-autoloader",
            "--apcu-autoloader-prefix=e2e",
        ],
        &["install", "--no-progress"],
        &["install", "-q"],
        &["install", "-vv"],
        &["install", "--no-autoloader"],
        &["install", "--no-scripts", "--ansi"],
        &["install", "--download-only"],
        &["install", "--dry-run"],
        &["install", "--no-plugins"],
    ] {
        let what = args.join(" ");
        let plain = scene.fresh(Side::Serial, args);
        let ours = scene.fresh(Side::Allegro, args);
        if args.contains(&"--no-plugins") {
            same_tree(&what, &plain, &ours);
        } else {
            same(&what, &plain, &ours);
        }
        if args.contains(&"-q") {
            assert_eq!(ours.run.stderr, "", "-q says nothing");
        }
    }
}

/// Plain Composer with all its parallel extractions has the same result.
#[test]
fn composer_as_it_is() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Plain, &["install"]);
    assert_eq!(plain.run.exit, 0, "{}", plain.run.stderr);
    same(
        "as it is",
        &plain,
        &scene.fresh(Side::Allegro, &["install"]),
    );
}

#[test]
fn the_extension_gives_the_same() {
    if extension().is_none() {
        return;
    }
    let Some(scene) = Scene::small() else { return };
    for args in [&["install"][..], &["install", "-o", "--no-dev"]] {
        three_states(&scene, args, |call| call.engine(Engine::Extension));
    }
}

/// One store serves all umasks, and a mode of one project must not reach another.
#[test]
fn umasks_on_one_store() {
    let Some(scene) = Scene::small() else { return };
    for engine in [Engine::Helper, Engine::Extension] {
        if engine == Engine::Extension && extension().is_none() {
            continue;
        }
        scene.forget_store();
        for umask in [0o022, 0o077, 0o002, 0o022] {
            let go = |side| {
                scene.write_project();
                scene.outcome(&scene.call(side, &["install"]).umask(umask).engine(engine))
            };
            let plain = go(Side::Serial);
            same_tree(
                &format!("umask {umask:03o}, {engine:?}"),
                &plain,
                &go(Side::Allegro),
            );
        }
    }
}

/// Each way to get files into the project gives the same tree.
#[test]
fn link_strategies() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    for strategy in ["auto", "hardlink", "copy"] {
        for _ in ["cold or warm", "warm"] {
            scene.write_project();
            let ours = scene.outcome(
                &scene
                    .call(Side::Allegro, &["install"])
                    .env("ALLEGRO_LINK_STRATEGY", strategy),
            );
            same_tree(strategy, &plain, &ours);
        }
    }
}

fn required() -> Option<Scene> {
    let options = SceneOptions {
        required: true,
        ..SceneOptions::default()
    };
    Scene::with(Catalog::generated(&Profile::Small.spec()), options)
}

/// In CI the plugin is a dependency, and there is no vendor directory.
#[test]
fn fresh_clone_that_requires_the_plugin() {
    let Some(scene) = required() else { return };
    for args in [
        &["install"][..],
        &["install", "--no-dev"],
        &["install", "-o"],
    ] {
        let plain = scene.fresh(Side::Plain, args);
        for round in ["cold", "warm"] {
            let ours = scene.fresh(Side::Allegro, args);
            same_tree(&format!("{} {round}", args.join(" ")), &plain, &ours);
            assert_ne!(
                Scene::origins(&ours.run),
                (0, 0, 0),
                "it took part: {}",
                ours.run.stderr
            );
        }
    }
}

/// The plugin is in vendor already, and the other packages are not.
#[test]
fn plugin_in_vendor() {
    let Some(scene) = required() else { return };
    let go = |side, args: &[&str]| -> Outcome {
        scene.write_project();
        let first = scene
            .call(side, &["install"])
            .env("ALLEGRO_DISABLE", "1")
            .run()
            .expect(0);
        assert!(!first.stderr.contains("Allegro:"), "{}", first.stderr);
        for entry in fs::read_dir(scene.project().join("vendor")).expect("vendor") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_os_string();
            if path.is_dir() && name != "allegro" && name != "composer" {
                fs::remove_dir_all(path).expect("removed");
            }
        }
        scene.outcome(&scene.call(side, args))
    };
    for args in [
        &["install"][..],
        &["install", "--no-dev"],
        &["install", "-a"],
    ] {
        let plain = go(Side::Serial, args);
        assert!(
            plain.run.stderr.contains("  - Installing "),
            "{}",
            plain.run.stderr
        );
        for round in ["archives", "warm"] {
            let ours = go(Side::Allegro, args);
            same(&format!("{} {round}", args.join(" ")), &plain, &ours);
            assert_ne!(
                Scene::origins(&ours.run),
                (0, 0, 0),
                "it took part: {}",
                ours.run.stderr
            );
        }
    }
}

/// Some of the packages are in vendor already.
#[test]
fn half_a_vendor() {
    let Some(scene) = Scene::small() else { return };
    let go = |side| {
        let _ = scene.fresh(side, &["install"]).run.expect(0);
        let vendor = scene.project().join("vendor");
        let mut names: Vec<_> = fs::read_dir(&vendor)
            .expect("vendor")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        names.sort();
        let vendors = names
            .iter()
            .filter(|path| path.is_dir() && !path.ends_with("composer") && !path.ends_with("bin"));
        for path in vendors.step_by(2) {
            fs::remove_dir_all(path).expect("removed");
        }
        let second = scene.outcome(&scene.call(side, &["install"]));
        let third = scene.outcome(&scene.call(side, &["install"]));
        [second, third]
    };
    let plain = go(Side::Serial);
    let ours = go(Side::Allegro);
    assert!(
        plain[0].run.stderr.contains("Installing"),
        "{}",
        plain[0].run.stderr
    );
    same("second", &plain[0], &ours[0]);
    same("third", &plain[1], &ours[1]);
    assert!(
        ours[1]
            .run
            .stderr
            .contains("Nothing to install, update or remove"),
        "{}",
        ours[1].run.stderr
    );
}

/// A package that can't be downloaded gives the same exit code, and the second run heals the
/// project.
#[test]
fn exit_codes() {
    use allegro_registry::{Fault, Rule};
    let Some(scene) = Scene::small() else { return };
    let name = scene.server.catalog().packages()[5].spec.name.clone();
    let go = |side| {
        scene.server.set_faults(vec![Rule::always(
            format!("/dist/{name}/*"),
            Fault::Status {
                code: 404,
                retry_after: None,
            },
        )]);
        let failed = scene.fresh(side, &["install"]);
        scene.server.set_faults(Vec::new());
        let healed = scene.outcome(&scene.call(side, &["install"]));
        (failed, healed)
    };
    let (plain, plain_healed) = go(Side::Serial);
    let (ours, ours_healed) = go(Side::Allegro);
    assert_ne!(plain.run.exit, 0);
    assert_eq!(plain.run.exit, ours.run.exit, "{}", ours.run.stderr);
    assert_eq!(plain_healed.run.exit, 0);
    same_tree("healed", &plain_healed, &ours_healed);

    for args in [
        &["install", "--no-such-option"][..],
        &["install", "surplus/argument"],
    ] {
        let (plain, ours) = (
            scene.fresh(Side::Serial, args),
            scene.fresh(Side::Allegro, args),
        );
        assert_ne!(plain.run.exit, 0);
        same(&args.join(" "), &plain, &ours);
    }
}
