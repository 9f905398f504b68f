//! Checks that a problem of many packages or files gives one line, with three names at most. The
//! problems are full disks, and files of the store that somebody has changed through a link.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::mount::Mount;
use crate::support::owner::{DEVELOPER, for_all_users};
use crate::support::{Engine, Outcome, Scene, Side, same_tree};

const ENGINES: [Engine; 2] = [Engine::Helper, Engine::Extension];

/// Returns Allegro's lines, without the summary, and without the notice about a store on another
/// file system.
fn notices(ours: &Outcome) -> Vec<&str> {
    let mut lines = ours.run.ours();
    lines.retain(|line| {
        let is_summary = line.contains(" package") && line.contains(" s, ")
            || line.ends_with(" s")
            || line.contains("files are copied from the store");
        let is_detail = line.starts_with("> ") || line.contains("class map of");
        !is_summary && !is_detail
    });
    lines
}

#[track_caller]
fn one_line(what: &str, ours: &Outcome, says: &str) {
    let lines = notices(ours);
    assert!(
        lines.len() == 1 && lines[0].contains(says) && lines[0].len() < 500,
        "{what}: {lines:#?}\n{}",
        ours.run.stderr
    );
}

/// A full store gives one line with archives from the cache and from the network, at each
/// verbosity, and again in the next run.
#[test]
fn a_store_without_room() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    for engine in ENGINES {
        for (kilobytes, args) in [
            (64, &["install"][..]),
            (64, &["install", "-v"]),
            (600, &["install"]),
            (600, &["install", "-v"]),
        ] {
            scene.forget_store();
            scene.forget_cache(Side::Allegro);
            let Some(_mount) = Mount::tmpfs(&scene.store(), kilobytes) else {
                return;
            };
            for round in ["cold", "cached", "full"] {
                let what = format!("{engine:?}, {kilobytes}, {args:?}, {round}");
                scene.write_project();
                let ours = scene.outcome(&scene.call(Side::Allegro, args).engine(engine));
                same_tree(&what, &plain, &ours);
                one_line(&what, &ours, "is full; Composer installs what it lacks");
                assert!(!ours.run.stderr.contains("the command again"), "{what}");
            }
        }
    }
}

/// A full store gives one line too if some packages come from the cache and others from the
/// network, which are two rounds.
#[test]
fn a_store_without_room_in_two_rounds() {
    let Some(scene) = Scene::small() else { return };
    let plain = scene.fresh(Side::Serial, &["install"]);
    let _ = scene.fresh(Side::Allegro, &["install"]);
    let archives = fs::read_dir(scene.cache(Side::Allegro).join("files"));
    for vendor in archives.expect("archives").flatten().step_by(2) {
        fs::remove_dir_all(vendor.path()).expect("removed");
    }
    scene.forget_store();
    let Some(_mount) = Mount::tmpfs(&scene.store(), 64) else {
        return;
    };
    scene.write_project();
    let ours = scene.outcome(&scene.call(Side::Allegro, &["install", "-v"]));
    same_tree("two rounds", &plain, &ours);
    one_line(
        "two rounds",
        &ours,
        "is full; Composer installs what it lacks",
    );
}

fn kilobytes(dir: &Path) -> usize {
    let output = Command::new("du").arg("-sk").arg(dir).output().expect("du");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let size = text.split_whitespace().next().expect("a size");
    size.parse().expect("a number")
}

/// A project without room for the old and the new packages at once ends with Composer's exit code.
/// Plain Composer removes packages before it unpacks.
#[test]
fn a_project_without_room_for_all_at_once() {
    let Some(scene) = Scene::small() else { return };
    let _ = scene.fresh(Side::Serial, &["install"]);
    let needed = kilobytes(&scene.project());
    let all = ["reinstall", "*/*"];
    for part in [110, 130, 160] {
        let Some(mount) = Mount::tmpfs(&scene.project(), needed * part / 100) else {
            return;
        };
        let play = |side, engine| {
            for entry in fs::read_dir(scene.project())
                .expect("the project")
                .flatten()
            {
                let path = entry.path();
                let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
            }
            scene.overwrite_state(scene.server.catalog().project(), &scene.project());
            let installed = scene.run(Side::Serial, &["install"]);
            assert_eq!(installed.exit, 0, "{}", installed.stderr);
            scene.outcome(&scene.call(side, &all).engine(engine))
        };
        let plain = play(Side::Serial, Engine::Helper);
        for engine in ENGINES {
            let what = format!("{part} %, {engine:?}");
            let ours = play(Side::Allegro, engine);
            assert_eq!(plain.run.exit, ours.run.exit, "{what}: {}", ours.run.stderr);
            if plain.run.exit == 0 {
                same_tree(&what, &plain, &ours);
                assert!(!ours.run.stderr.contains("the command again"), "{what}");
                assert!(notices(&ours).len() <= 1, "{what}: {}", ours.run.stderr);
            }
        }
        drop(mount);
    }
}

/// Changed modes in a shared vendor directory give no line, and changed content gives one. The user
/// who shares the files changes them through their links.
#[test]
fn files_that_were_changed_through_their_links() {
    let Some(scene) = Scene::small() else { return };
    let Some(()) = for_all_users(&scene) else {
        return;
    };
    scene.unwatched("the test changes files through links");
    let install = |side, engine| {
        scene.write_project();
        DEVELOPER.take(&scene.project());
        let call = scene.call(side, &["install"]).engine(engine);
        scene.outcome(
            &call
                .env("ALLEGRO_LINK_STRATEGY", "hardlink")
                .user(DEVELOPER),
        )
    };
    let plain = install(Side::Serial, Engine::Helper);
    for engine in ENGINES {
        for (change, most) in [
            ("chmod -R g+w,o-r \"$1\"", 0),
            ("chmod -R a-w \"$1\"", 0),
            (
                "find \"$1\" -type f -links +1 -exec sh -c 'chmod u+w \"$0\"; echo x >> \"$0\"' {} \\;",
                1,
            ),
        ] {
            scene.forget_store();
            DEVELOPER.make_dir(&scene.store());
            let _ = install(Side::Allegro, engine).run.expect(0);
            DEVELOPER.shell(change, &scene.project().join("vendor"));
            let ours = install(Side::Allegro, engine);
            let what = format!("{change}, {engine:?}");
            same_tree(&what, &plain, &ours);
            let lines = notices(&ours);
            assert!(lines.len() <= most, "{what}: {lines:#?}");
            assert!(
                lines
                    .iter()
                    .all(|line| line.len() < 1_000 && line.matches(" of ").count() <= 6),
                "{what}: {lines:#?}"
            );
        }
    }
}
