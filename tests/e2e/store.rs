//! Tests the store between projects, and Allegro where it can't work or must not.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;

use allegro_registry::{Catalog, Format};

use crate::support::packages::{add, entry, file};
use crate::support::{
    Engine, Scene, SceneOptions, Side, Snapshot, diff, extension, same, same_tree, store_command,
};

fn quarantined(scene: &Scene) -> Vec<Vec<u8>> {
    fs::read_dir(scene.store().join("quarantine"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| fs::read(entry.path()).expect("a blob"))
        .collect()
}

/// An edit in one project's vendor, through a hard link, reaches no other project.
#[test]
fn an_edit_in_vendor_stays_there() {
    for same_length in [true, false] {
        let mut catalog = Catalog::new();
        let text = "<?php return 'original';\n";
        let mut options = SceneOptions::default();
        let lock = add(
            &mut catalog,
            entry("e2e/edited", "1.0.0", "{}"),
            true,
            Format::Zip,
            vec![file("src/value.php", text), file("other.txt", "other\n")],
        );
        options.project.extra_packages.push(lock);
        options
            .project
            .extra_requires
            .push(("e2e/edited".to_owned(), "*".to_owned()));
        let Some(scene) = Scene::with(catalog, options) else {
            return;
        };
        let plain = scene.fresh(Side::Serial, &["install"]);
        scene.write_project();
        let install = |dir: &Path| {
            scene
                .call(Side::Allegro, &["install"])
                .env("ALLEGRO_LINK_STRATEGY", "hardlink")
                .dir(dir)
                .run()
                .expect(0)
        };
        let _ = install(&scene.project());
        let a = scene.project().join("vendor/e2e/edited/src/value.php");
        assert!(
            fs::metadata(&a).expect("the file").nlink() > 1,
            "it is a hard link, or there is nothing to test"
        );

        let edited = if same_length {
            "<?php return 'CHANGED!';\n"
        } else {
            "<?php return 'something longer';\n"
        };
        assert_eq!(same_length, edited.len() == text.len());
        fs::write(&a, edited).expect("edited");

        let b = scene.dir().join("b");
        scene.overwrite_state(scene.server.catalog().project(), &b);
        let run = install(&b);
        let value = |project: &Path| {
            fs::read_to_string(project.join("vendor/e2e/edited/src/value.php")).expect("the file")
        };
        assert_eq!(value(&b), text, "the other project has the original");
        assert_eq!(
            value(&scene.project()),
            edited,
            "the edited one is left alone"
        );
        assert_eq!(quarantined(&scene), vec![edited.as_bytes().to_vec()]);
        let notice = run
            .ours()
            .into_iter()
            .find(|line| line.contains("src/value.php"));
        assert!(
            notice.is_some_and(|line| line.contains("e2e/edited")),
            "{}",
            run.stderr
        );
        assert_eq!(diff(&plain.tree, &Snapshot::of(&b)), "");

        // From then on no output mentions the file.
        fs::remove_dir_all(b.join("vendor")).expect("removed");
        let run = install(&b);
        assert!(!run.stderr.contains("src/value.php"), "{}", run.stderr);
        assert_eq!(diff(&plain.tree, &Snapshot::of(&b)), "");
    }
}

/// A `chmod` in vendor, as Composer itself makes for programs, is noticed too.
#[test]
fn a_changed_mode_stays_where_it_is() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let _ = scene.fresh(Side::Allegro, &["install"]).run.expect(0);
    let mut changed = 0;
    for (path, _) in scene.snapshot().below("vendor").nodes {
        if path.ends_with(".php") && !path.contains("/composer/") && !path.contains("autoload.php")
        {
            fs::set_permissions(
                scene.project().join(&path),
                fs::Permissions::from_mode(0o600),
            )
            .expect("chmod");
            changed += 1;
        }
    }
    assert!(changed > 50, "{changed} files");
    same_tree(
        "after chmod",
        &plain,
        &scene.fresh(Side::Allegro, &["install"]),
    );
}

/// A run notices and replaces blobs that a power loss left empty or short.
#[test]
fn torn_blobs_are_replaced() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let _ = scene.fresh(Side::Allegro, &["install"]).run.expect(0);
    let blobs = scene.bucket("blobs").expect("blobs");
    for (at, (path, _)) in Snapshot::of(&blobs).nodes.into_iter().enumerate() {
        let path = blobs.join(path);
        if path.is_file() {
            match at % 3 {
                0 => fs::File::options()
                    .write(true)
                    .open(&path)
                    .and_then(|file| file.set_len(0))
                    .expect("torn"),
                1 => fs::remove_file(&path).expect("gone"),
                _ => {}
            }
        }
    }
    let healed = scene.fresh(Side::Allegro, &["install"]);
    same_tree("torn", &plain, &healed);
    // With an empty archive cache, the package is downloaded again.
    for (path, _) in Snapshot::of(&blobs).nodes {
        let path = blobs.join(path);
        if path.is_file() {
            fs::File::options()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_len(1))
                .expect("torn");
        }
    }
    scene.forget_cache(Side::Allegro);
    let healed = scene.fresh(Side::Allegro, &["install"]);
    same_tree("torn, no archives", &plain, &healed);
    assert!(
        healed.run.stderr.contains("downloaded"),
        "{}",
        healed.run.stderr
    );
}

/// Two projects install at the same time with one store and one archive cache.
#[test]
fn two_at_once() {
    let Some(scene) = Scene::small() else { return };
    let trees: Vec<Snapshot> = [0o022, 0o077]
        .into_iter()
        .map(|umask| {
            scene.write_project();
            let outcome = scene.outcome(&scene.call(Side::Serial, &["install"]).umask(umask));
            assert_eq!(outcome.run.exit, 0, "{}", outcome.run.stderr);
            outcome.tree.below("vendor")
        })
        .collect();
    for round in 0..8 {
        if round % 2 == 0 {
            scene.forget_store();
        }
        if round % 4 == 0 {
            scene.forget_cache(Side::Allegro);
        }
        // Both runs have the same umask in some rounds, and different ones in the others.
        let masks = [0_usize, usize::from(round >= 4)];
        let running: Vec<_> = masks
            .iter()
            .enumerate()
            .map(|(at, mask)| {
                let dir = scene.dir().join(format!("at-once-{at}"));
                let _ = fs::remove_dir_all(&dir);
                scene.overwrite_state(scene.server.catalog().project(), &dir);
                let call = scene
                    .call(Side::Allegro, &["install"])
                    .dir(&dir)
                    .umask([0o022, 0o077][*mask]);
                let child = call
                    .command()
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("started");
                (dir, *mask, child)
            })
            .collect();
        for (dir, mask, child) in running {
            let output = child.wait_with_output().expect("ended");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "round {round}: {said}");
            let tree = Snapshot::of(&dir).below("vendor");
            assert_eq!(diff(&trees[mask], &tree), "", "round {round}: {said}");
            assert!(
                said.contains("Allegro: 12 packages"),
                "round {round}: {said}"
            );
        }
    }
}

#[test]
fn switched_off() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    scene.write_project();
    let off = scene.outcome(
        &scene
            .call(Side::Allegro, &["install"])
            .env("ALLEGRO_DISABLE", "1"),
    );
    same("off", &plain, &off);
    assert_eq!(off.run.ours(), Vec::<&str>::new());
    assert!(!scene.store().exists(), "no store is made");
    for value in ["0", ""] {
        scene.write_project();
        let on = scene.outcome(
            &scene
                .call(Side::Allegro, &["install"])
                .env("ALLEGRO_DISABLE", value),
        );
        same_tree("on", &plain, &on);
        assert_ne!(Scene::origins(&on.run), (0, 0, 0), "{}", on.run.stderr);
    }
}

/// Plays runs with a script in place of the helper, or with none. `notices` is the number of lines
/// about a lost helper.
fn broken_helper(script: Option<&str>, notices: usize) {
    let Some(scene) = Scene::small() else { return };
    let home = scene.own_home();
    let native = home.join("vendor/allegro/plugin/native");
    match script {
        None => fs::remove_dir_all(&native).expect("removed"),
        Some(script) => {
            let platform = fs::read_dir(&native)
                .expect("native")
                .next()
                .expect("a platform")
                .expect("an entry")
                .path();
            fs::remove_file(platform.join("allegro")).expect("removed");
            fs::write(platform.join("allegro"), script).expect("written");
            fs::set_permissions(platform.join("allegro"), fs::Permissions::from_mode(0o755))
                .expect("chmod");
        }
    }
    let plain = scene.fresh(Side::Serial, &["install"]);
    let ours = scene.fresh(Side::Allegro, &["install"]);
    same(&format!("{script:?}"), &plain, &ours);
    assert_eq!(
        ours.run.ours().len(),
        notices,
        "{script:?}: {}",
        ours.run.stderr
    );
    let again = scene.outcome(&scene.call(Side::Allegro, &["install"]));
    assert_eq!(again.run.exit, 0, "{}", again.run.stderr);
}

#[test]
fn no_helper() {
    broken_helper(None, 1);
}

#[test]
fn a_helper_that_fails() {
    broken_helper(Some("#!/bin/sh\nexit 1\n"), 1);
    broken_helper(Some("#!/bin/sh\nread line\nexit 0\n"), 1);
    broken_helper(Some("#!/bin/sh\nread line\nkill -9 $$\n"), 1);
}

#[test]
fn a_helper_of_another_protocol() {
    broken_helper(
        Some("#!/bin/sh\nread line\necho 'hello there'\nsleep 1\n"),
        1,
    );
    broken_helper(
        Some("#!/bin/sh\nread line\necho '{\"id\":99,\"answer\":{}}'\nsleep 1\n"),
        1,
    );
    broken_helper(
        Some(
            "#!/bin/sh\nread line\necho '{\"id\":1,\"error\":{\"message\":\"unknown field\"}}'\nsleep 1\n",
        ),
        1,
    );
    broken_helper(
        Some("#!/bin/sh\nread line\necho '{\"id\":1,\"answer\":{\"unexpected\":true}}'\nsleep 1\n"),
        1,
    );
}

/// The helper may lack its executable mode, as after `ZipArchive` has unpacked it.
#[test]
fn a_helper_that_lost_its_mode() {
    let Some(scene) = Scene::small() else { return };
    let home = scene.own_home();
    let native = home.join("vendor/allegro/plugin/native");
    for entry in fs::read_dir(native).expect("native") {
        let helper = entry.expect("a platform").path().join("allegro");
        fs::set_permissions(helper, fs::Permissions::from_mode(0o644)).expect("chmod");
    }
    let plain = scene.fresh(Side::Serial, &["install"]);
    let ours = scene.fresh(Side::Allegro, &["install"]);
    same("no mode", &plain, &ours);
    assert_ne!(Scene::origins(&ours.run), (0, 0, 0), "{}", ours.run.stderr);
}

/// A store may be impossible to make, or come from a newer Allegro.
#[test]
fn unusable_stores() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    scene.write_project();
    let ours = scene.outcome(
        &scene
            .call(Side::Allegro, &["install"])
            .env("ALLEGRO_STORE", "/proc/no/such/place"),
    );
    same_tree("no place", &plain, &ours);
    assert_eq!(ours.run.ours().len(), 1, "{}", ours.run.stderr);

    let _ = scene.fresh(Side::Allegro, &["install"]).run.expect(0);
    fs::write(scene.store().join("layout"), "99\n").expect("written");
    let ours = scene.fresh(Side::Allegro, &["install"]);
    assert!(ours.run.stderr.contains("Allegro"), "{}", ours.run.stderr);
    assert!(
        ours.run.stderr.contains("update Allegro") || ours.run.exit == 0,
        "{}",
        ours.run.stderr
    );
}

/// The path of the store may begin with the variables that Composer expands in its own settings.
/// Any other text stays as it is.
#[test]
fn a_store_below_a_variable() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let home = scene.dir().join("somebody");
    fs::create_dir_all(&home).expect("a home");
    for engine in [Engine::Helper, Engine::Extension] {
        if engine == Engine::Extension && extension().is_none() {
            continue;
        }
        for (path, place) in [
            ("~/st", "somebody/st"),
            ("$HOME/st", "somebody/st"),
            ("%HOME%/st", "somebody/st"),
            // A helper would not know this variable by itself.
            ("$MY_PLACE/of/stores", "somewhere/of/stores"),
            ("$MY_PLACE", "somewhere"),
            ("~st", "project/~st"),
            ("a/$HOME", "project/a/$HOME"),
            ("${HOME}/st", "project/${HOME}/st"),
        ] {
            let what = format!("{path}, {engine:?}");
            scene.write_project();
            let run = scene
                .call(Side::Allegro, &["install"])
                .engine(engine)
                .env("ALLEGRO_STORE", path)
                .env("HOME", &home)
                .env("MY_PLACE", scene.dir().join("somewhere"))
                .run()
                .expect(0);
            assert_ne!(Scene::origins(&run), (0, 0, 0), "{what}: {}", run.stderr);
            let place = scene.dir().join(place);
            assert!(
                place.join("layout").is_file(),
                "{what}: {}",
                place.display()
            );
            fs::remove_dir_all(&place).expect("the store is removed");
            let _ = fs::remove_dir(scene.project().join("a"));
            let _ = fs::remove_dir(scene.project().join("${HOME}"));
            assert_eq!(diff(&plain.tree, &scene.snapshot()), "", "{what}");
        }
    }
}

/// The command line reads the variable in the same way as the plugin.
#[test]
fn the_command_line_finds_the_same_store() {
    let Some(scene) = Scene::small() else { return };
    let output = store_command(&scene, &["path"])
        .env("ALLEGRO_STORE", "$MY_PLACE/st")
        .env("MY_PLACE", "/some/where")
        .output()
        .expect("allegro starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/some/where/st\n");
}
