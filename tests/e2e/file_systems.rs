//! Tests projects and stores on file systems of every kind, on overlays, and on read-only mounts.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use allegro_registry::{Catalog, GenSpec, OlderOptions, Project};

use crate::support::files::runs;
use crate::support::mount::{FileSystem, Mount};
use crate::support::owner::{DEVELOPER, for_all_users, set_mode};
use crate::support::tools::path_with;
use crate::support::{
    Call, Engine, Outcome, Run, Scene, SceneOptions, Side, Snapshot, diff, same_tree, skipped,
    verify_store,
};

/// Returns a scene of few packages below a directory, and an older state of its project.
fn scene_below(base: &Path) -> Option<(Scene, Project)> {
    let mut catalog = Catalog::generated(&GenSpec {
        files: 40,
        dirs: 14,
        bytes: 200_000,
        // Directories that share a prefix have the order in which their packages were finished, so
        // there are none.
        modules: 0,
        ..GenSpec::custom(4)
    });
    let older = catalog.add_older(&OlderOptions {
        seed: 7,
        changed: 40,
        absent: 0,
        extra: 30,
    });
    let options = SceneOptions {
        base: Some(base.to_owned()),
        ..SceneOptions::default()
    };
    Some((Scene::with(catalog, options)?, older))
}

/// Returns a directory for mounts, which outlives them.
fn ground() -> tempfile::TempDir {
    let base = std::env::var_os("ALLEGRO_TEST_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    tempfile::Builder::new()
        .prefix("allegro-e2e-mounts-")
        .tempdir_in(base)
        .expect("a directory for mounts")
}

/// Returns a package of the project that the root requires and no other package does.
fn removable(scene: &Scene) -> String {
    let project = scene.server.catalog().project();
    let is_wanted = |name: &str| {
        project.entries().any(|entry| {
            entry
                .entries_at("require")
                .iter()
                .any(|(wanted, _)| wanted == name)
        })
    };
    project
        .manifest
        .entries_at("require")
        .iter()
        .map(|(name, _)| name.clone())
        .find(|name| name.contains('/') && !is_wanted(name))
        .expect("a package that can be removed")
}

/// Installs an older state, updates it, reinstalls all, removes a package and dumps a class map.
fn life<'a>(
    scene: &'a Scene,
    older: &Project,
    side: Side,
    set: &dyn Fn(Call<'a>) -> Call<'a>,
) -> Vec<(&'static str, Outcome)> {
    scene.write_state(older);
    let mut outcomes = Vec::new();
    let mut step = |name, args: &[&str]| {
        let outcome = scene.outcome(&set(scene.call(side, args)));
        outcomes.push((name, outcome));
    };
    step("install", &["install"]);
    scene.overwrite_state(scene.server.catalog().project(), &scene.project());
    step("another lock", &["install"]);
    step("reinstall", &["reinstall", "*"]);
    step("remove", &["remove", &removable(scene), "--no-audit"]);
    step("dump-autoload", &["dump-autoload", "-o"]);
    outcomes
}

/// Checks a project, store and caches on a file system of this kind, with each way to link.
fn all_on(kind: FileSystem) {
    let ground = ground();
    let Some(_mount) = Mount::of(kind, &ground.path().join("fs")) else {
        return;
    };
    let Some((scene, older)) = scene_below(&ground.path().join("fs")) else {
        return;
    };
    // Without `unzip`, Composer finishes packages in a fixed order where it does the work.
    let alone = path_with(&scene, &[]);
    let plain = life(&scene, &older, Side::Serial, &|call| {
        set_path(call, &alone, kind)
    });
    for (step, outcome) in &plain {
        assert_eq!(
            outcome.run.exit, 0,
            "{kind:?}, {step}: {}",
            outcome.run.stderr
        );
    }
    let auto = if kind.has_reflinks() {
        "reflink"
    } else {
        "hardlink"
    };
    for (strategy, engine, is_cold, expected) in [
        ("auto", Engine::Helper, true, auto),
        ("hardlink", Engine::Extension, true, "hardlink"),
        ("copy", Engine::Extension, false, "copy"),
    ] {
        if strategy == "hardlink" && auto == "hardlink" {
            continue;
        }
        let what = format!("{kind:?}, {strategy}, {engine:?}, cold {is_cold}");
        if is_cold {
            scene.forget_store();
            scene.forget_cache(Side::Allegro);
        }
        let ours = life(&scene, &older, Side::Allegro, &|call| {
            set_path(call, &alone, kind)
                .engine(engine)
                .env("ALLEGRO_LINK_STRATEGY", strategy)
        });
        for ((step, plain), (_, ours)) in plain.iter().zip(&ours) {
            same_tree(&format!("{what}, {step}"), plain, ours);
        }
        let said = &ours[0].1.run;
        if kind.keeps_modes() {
            let way = said
                .ours()
                .into_iter()
                .find(|line| line.contains(" package"))
                .unwrap_or_default();
            assert!(
                way.ends_with(&format!(", {expected}")),
                "{what}: {}",
                said.stderr
            );
        } else {
            refused(&what, said);
        }
    }
    if kind.keeps_modes() {
        let verified = verify_store(&scene);
        assert!(
            verified.status.success(),
            "{kind:?}: {}",
            String::from_utf8_lossy(&verified.stdout)
        );
    }
}

/// Removes `unzip` from the `PATH` if the store is unusable on its file system.
fn set_path<'a>(call: Call<'a>, alone: &Path, of_store: FileSystem) -> Call<'a> {
    if of_store.keeps_modes() {
        call
    } else {
        call.env("PATH", alone)
    }
}

/// Checks that one line reports an unusable store and that Composer goes on.
#[track_caller]
fn refused(what: &str, run: &Run) {
    assert_eq!(run.exit, 0, "{what}: {}", run.stderr);
    let said = run.ours();
    assert!(
        said.len() == 1 && said[0].contains("store"),
        "{what}: one line about the store: {}",
        run.stderr
    );
}

#[test]
fn all_on_ext4() {
    all_on(FileSystem::Ext4);
}

#[test]
fn all_on_xfs() {
    all_on(FileSystem::Xfs);
    all_on(FileSystem::XfsWithoutReflink);
}

#[test]
fn all_on_btrfs() {
    all_on(FileSystem::Btrfs);
}

#[test]
fn all_on_tmpfs() {
    all_on(FileSystem::Tmpfs);
}

/// On a file system that refuses `chmod`, Composer goes on without it, and so does Allegro.
#[test]
fn all_without_chmod() {
    all_on(FileSystem::WithoutChmod);
}

/// Checks a project and a store on file systems of different kinds.
#[test]
fn project_and_store_apart() {
    use FileSystem::{Btrfs, Ext4, Tmpfs, Vfat, WithoutChmod, Xfs};
    apart(&[
        (Xfs, Btrfs),
        (Tmpfs, Xfs),
        (Ext4, Tmpfs),
        (Ext4, WithoutChmod),
        (Ext4, Vfat),
    ]);
}

/// The project is on a file system that refuses `chmod`, as a Windows share does; the store is on
/// another one.
#[test]
fn a_project_without_chmod() {
    use FileSystem::{Ext4, Vfat, WithoutChmod};
    apart(&[(WithoutChmod, Ext4), (Vfat, Ext4)]);
}

#[track_caller]
fn apart(pairs: &[(FileSystem, FileSystem)]) {
    for (number, &(of_project, of_store)) in pairs.iter().enumerate() {
        let what = format!("project on {of_project:?}, store on {of_store:?}");
        let ground = ground();
        let (here, there) = (ground.path().join("here"), ground.path().join("there"));
        // If this machine lacks one of a pair, the test still plays the other pairs.
        let (Some(_here), Some(_there)) =
            (Mount::of(of_project, &here), Mount::of(of_store, &there))
        else {
            continue;
        };
        let Some((scene, older)) = scene_below(&here) else {
            return;
        };
        let store = there.join("store");
        let engine = [Engine::Helper, Engine::Extension][number % 2];
        let alone = path_with(&scene, &[]);
        let plain = life(&scene, &older, Side::Serial, &|call| {
            set_path(call, &alone, of_store)
        });
        let strategies = if number == 0 {
            &["auto", "copy"][..]
        } else {
            &["auto"]
        };
        for &strategy in strategies {
            let ours = life(&scene, &older, Side::Allegro, &|call| {
                set_path(call, &alone, of_store)
                    .engine(engine)
                    .env("ALLEGRO_STORE", &store)
                    .env("ALLEGRO_LINK_STRATEGY", strategy)
            });
            for ((step, plain), (_, ours)) in plain.iter().zip(&ours) {
                same_tree(&format!("{what}, {strategy}, {step}"), plain, ours);
            }
            let first = &ours[0].1.run;
            if of_store.keeps_modes() {
                let said = first.ours();
                assert!(
                    said.iter().any(|line| line.ends_with(", copy")),
                    "{what}, {strategy}: {}",
                    first.stderr
                );
                let reasons = said
                    .iter()
                    .filter(|line| line.contains("files are copied"))
                    .count();
                assert_eq!(
                    reasons,
                    usize::from(strategy == "auto"),
                    "{what}, {strategy}: {}",
                    first.stderr
                );
            } else {
                refused(&format!("{what}, {strategy}"), first);
            }
        }
    }
}

/// Returns the regular files below a directory that have several links.
fn linked(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in files_below(dir) {
        if fs::symlink_metadata(&path).expect("a file").nlink() > 1 {
            found.push(path);
        }
    }
    found
}

/// Returns the regular files below a directory, in order.
fn files_below(dir: &Path) -> Vec<PathBuf> {
    Snapshot::of(dir)
        .nodes
        .keys()
        .map(|name| dir.join(name))
        .filter(|path| path.is_file() && !path.is_symlink())
        .collect()
}

/// Returns a scene whose project has been installed into a store, which the test then changes.
fn warm(store: &Path, state: impl Fn(&Scene, &Project) -> Project) -> Option<(Scene, Project)> {
    let (scene, older) = scene_below(&std::env::temp_dir())?;
    scene.unwatched("links to blobs count here, and the second project would be one more");
    scene.write_state(&state(&scene, &older));
    let _ = scene
        .call(Side::Allegro, &["install"])
        .env("ALLEGRO_STORE", store)
        .run()
        .expect(0);
    let _ = fs::remove_dir_all(scene.project());
    Some((scene, older))
}

/// A warm store may be in a lower layer of an overlay, as in an image. `auto` copies from it,
/// because a link would copy each file into the upper layer first. A file that this run has put
/// into the store can be linked.
#[test]
fn a_warm_store_in_a_lower_layer_serves_copies() {
    let ground = ground();
    let at = |name: &str| ground.path().join(name);
    let lower = at("lower");
    fs::create_dir(&lower).expect("the lower layer");
    let Some((scene, _)) = warm(&lower.join("store"), |scene, _| {
        scene.server.catalog().project().clone()
    }) else {
        return;
    };
    for (engine, upper) in [(Engine::Helper, "one"), (Engine::Extension, "two")] {
        let Some(_mount) = Mount::overlay(&lower, &at(upper), &at("merged")) else {
            return;
        };
        let project = at("merged").join("project");
        let state = scene.server.catalog().project();
        let go = |side: Side, umask: u32| {
            let _ = fs::remove_dir_all(&project);
            scene.overwrite_state(state, &project);
            let run = scene
                .call(side, &["install"])
                .engine(engine)
                .env("ALLEGRO_STORE", at("merged").join("store"))
                .dir(&project)
                .umask(umask)
                .run();
            Outcome {
                run,
                tree: Snapshot::of(&project),
            }
        };
        let plain = go(Side::Serial, 0o022);
        for (round, notices) in [("first", 1), ("second", 0)] {
            let ours = go(Side::Allegro, 0o022);
            let what = format!("{engine:?}, {round}");
            same_tree(&what, &plain, &ours);
            let said = ours.run.ours();
            assert!(
                said.iter()
                    .any(|line| line.contains(" from the store") && line.ends_with(", copy")),
                "{what}: {}",
                ours.run.stderr
            );
            assert_eq!(
                said.iter()
                    .filter(|line| line.contains("files are copied") && line.contains("overlay"))
                    .count(),
                notices,
                "{what}: {}",
                ours.run.stderr
            );
            assert_eq!(linked(&project), Vec::<PathBuf>::new(), "{what}");
            let copied_up: Vec<PathBuf> = files_below(&at(upper).join("store"))
                .into_iter()
                .filter(|path| path.to_string_lossy().contains("/blobs-v"))
                .collect();
            assert_eq!(copied_up, Vec::<PathBuf>::new(), "{what}");
        }
        // Other modes need other blobs, which this run makes in the upper layer.
        let plain = go(Side::Serial, 0o077);
        for round in ["first", "second"] {
            let ours = go(Side::Allegro, 0o077);
            same_tree(&format!("{engine:?}, umask 077, {round}"), &plain, &ours);
        }
        // The upper layer also gets all packages of an empty store.
        let plain = go(Side::Serial, 0o022);
        fs::remove_dir_all(at("merged").join("store")).expect("an empty store");
        let ours = go(Side::Allegro, 0o022);
        same_tree(&format!("{engine:?}, an empty store"), &plain, &ours);
        assert!(
            ours.run
                .ours()
                .iter()
                .any(|line| line.ends_with(", hardlink")),
            "{engine:?}: {}",
            ours.run.stderr
        );
        assert!(!linked(&project).is_empty());
    }
}

/// A read-only store serves copies, and Composer installs the packages that it lacks.
#[test]
fn a_store_that_can_only_be_read_serves_copies() {
    let ground = ground();
    let there = ground.path().join("there");
    let Some((scene, older)) = warm(&there.join("store"), |_, older| older.clone()) else {
        return;
    };
    let Some(_mount) = Mount::read_only(&there) else {
        return;
    };
    for engine in [Engine::Helper, Engine::Extension] {
        let set = |call: Call<'_>| -> Outcome {
            scene.outcome(
                &call
                    .engine(engine)
                    .env("ALLEGRO_STORE", there.join("store")),
            )
        };
        let go = |side: Side, state: &Project| {
            scene.write_state(state);
            set(scene.call(side, &["install", "-o"]))
        };
        scene.forget_cache(Side::Allegro);
        let plain = go(Side::Serial, &older);
        let ours = go(Side::Allegro, &older);
        same_tree(&format!("{engine:?}, all is there"), &plain, &ours);
        assert_eq!(Scene::origins(&ours.run).2, 0, "{}", ours.run.stderr);
        assert!(
            ours.run
                .ours()
                .iter()
                .any(|line| line.contains("from the store") && line.ends_with(", copy")),
            "{engine:?}: {}",
            ours.run.stderr
        );
        assert_eq!(linked(&scene.project()), Vec::<PathBuf>::new());

        let plain = go(Side::Serial, scene.server.catalog().project());
        let ours = go(Side::Allegro, scene.server.catalog().project());
        same_tree(&format!("{engine:?}, some are missing"), &plain, &ours);
        let said: Vec<&str> = ours
            .run
            .ours()
            .into_iter()
            .filter(|line| line.contains("can't be written"))
            .collect();
        assert_eq!(said.len(), 1, "{engine:?}: {}", ours.run.stderr);
        assert!(
            ours.run
                .ours()
                .iter()
                .any(|line| line.contains(" from the store")),
            "{engine:?}: {}",
            ours.run.stderr
        );

        // The store serves another umask too, because copies get times and modes of their own.
        scene.write_state(&older);
        let plain = set(scene.call(Side::Serial, &["install"]).umask(0o077));
        scene.write_state(&older);
        let ours = set(scene.call(Side::Allegro, &["install"]).umask(0o077));
        same_tree(&format!("{engine:?}, umask 077"), &plain, &ours);
        assert!(
            ours.run
                .ours()
                .iter()
                .any(|line| line.contains(" from the store")),
            "{engine:?}: {}",
            ours.run.stderr
        );
    }
}

/// A store in a directory with the times of a copy serves projects on another file system too.
#[test]
fn a_copied_store_in_a_read_only_layer_is_read_with_care() {
    let ground = ground();
    let there = ground.path().join("there");
    let original = ground.path().join("original");
    let Some((scene, older)) = warm(&original, |_, older| older.clone()) else {
        return;
    };
    fs::create_dir(&there).expect("a directory");
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .args([&original, &there.join("store")])
        .status()
        .expect("cp starts");
    assert!(copied.success());
    let Some(_mount) = Mount::read_only(&there) else {
        return;
    };
    scene.forget_cache(Side::Allegro);
    scene.write_state(&older);
    let plain = scene.outcome(&scene.call(Side::Serial, &["install"]));
    for engine in [Engine::Helper, Engine::Extension] {
        scene.write_state(&older);
        let ours = scene.outcome(
            &scene
                .call(Side::Allegro, &["install"])
                .engine(engine)
                .env("ALLEGRO_STORE", there.join("store")),
        );
        same_tree(&format!("{engine:?}"), &plain, &ours);
        assert_eq!(Scene::origins(&ours.run).2, 0, "{}", ours.run.stderr);
        assert!(
            !ours.run.stderr.contains("changed in place"),
            "{}",
            ours.run.stderr
        );
    }
}

/// Files that Composer writes in place may be mounts of their own, as in containers. No rename can
/// replace such a file.
#[test]
fn files_that_are_mounts() {
    let Some(scene) = Scene::small() else { return };
    let written = [
        "vendor/composer/installed.json",
        "vendor/composer/installed.php",
        "vendor/composer/InstalledVersions.php",
        "vendor/composer/ClassLoader.php",
        "vendor/composer/autoload_classmap.php",
        "vendor/composer/autoload_psr4.php",
        "vendor/composer/autoload_real.php",
        "vendor/composer/autoload_static.php",
        "vendor/autoload.php",
        "composer.lock",
    ];
    // Each mount hides the file of the same name in the project by one in this directory.
    let below = scene.dir().join("below");
    let go = |side: Side| -> Option<Vec<(String, Outcome)>> {
        scene.write_project();
        let _ = fs::remove_dir_all(&below);
        let mut mounts = Vec::new();
        for name in written {
            let (from, at) = (below.join(name), scene.project().join(name));
            for path in [&from, &at] {
                fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            }
            if at.exists() {
                fs::copy(&at, &from).expect("copied");
            } else {
                fs::write(&from, "").expect("written");
                fs::write(&at, "").expect("written");
            }
            mounts.push(Mount::file(&from, &at)?);
        }
        // An empty record of packages counts as no record.
        let record = scene.project().join("vendor/composer/installed.json");
        fs::write(record, "[]").expect("written in place");
        let played = runs(
            &scene,
            side,
            &[
                &["install"],
                &["install", "--no-dev", "-o"],
                &["dump-autoload"],
            ],
        );
        drop(mounts);
        Some(played)
    };
    let Some(plain) = go(Side::Serial) else {
        return;
    };
    let ours = go(Side::Allegro).expect("it was mounted before");
    for ((what, plain), (_, ours)) in plain.iter().zip(&ours) {
        assert_eq!(plain.run.exit, 0, "{what}: {}", plain.run.stderr);
        same_tree(what, plain, ours);
    }
    assert_ne!(
        Scene::origins(&ours[0].1.run),
        (0, 0, 0),
        "{}",
        ours[0].1.run.stderr
    );
}

/// A directory may accept no new file while the files in it can be written.
#[test]
fn writable_files_in_a_closed_directory() {
    let Some(scene) = Scene::small() else { return };
    if for_all_users(&scene).is_none() {
        return;
    }
    let go = |side: Side| -> Vec<(String, Outcome)> {
        scene.write_project();
        let project = scene.project();
        DEVELOPER.take(&project);
        let play = |args: &[&str]| scene.outcome(&scene.call(side, args).user(DEVELOPER));
        let first = play(&["install"]);
        let dirs = [project.join("vendor/composer"), project.join("vendor")];
        for dir in &dirs {
            set_mode(dir, 0o555);
        }
        // This dump gives the same files other content.
        let second = play(&["dump-autoload", "-a"]);
        for dir in &dirs {
            set_mode(dir, 0o755);
        }
        vec![("install".to_owned(), first), ("dump".to_owned(), second)]
    };
    let (plain, ours) = (go(Side::Serial), go(Side::Allegro));
    for ((what, plain), (_, ours)) in plain.iter().zip(&ours) {
        assert_eq!(plain.run.exit, 0, "{what}: {}", plain.run.stderr);
        same_tree(what, plain, ours);
    }
}
