//! Checks what others see: other plugins at each event, and the scripts of the root package.

use std::fs;

use allegro_registry::{Catalog, Format, Json, OlderOptions, Profile, Project, ProjectOptions};

use crate::support::packages::{add, entry, file};
use crate::support::{Scene, SceneOptions, Side, diff};

/// A plugin that writes a line of JSON to `spy.log` at each event. The line says what the event is
/// about, and what a plugin can see at that moment.
const SPY: &str = include_str!("fixtures/spy-plugin.php");

fn spy(catalog: &mut Catalog, project: &mut ProjectOptions, first: bool) {
    let more = format!(
        r#"{{"type": "composer-plugin", "require": {{"composer-plugin-api": "^2.0"}}, "autoload": {{"psr-4": {{"Spy\\": "src/"}}}}, "extra": {{"class": "Spy\\Plugin", "plugin-modifies-downloads": {first}}}}}"#
    );
    let manifest = format!(r#"{{"name": "a-spy/plugin", {}"#, &more[1..]);
    let entry = add(
        catalog,
        entry("a-spy/plugin", "1.0.0", &more),
        true,
        Format::Zip,
        vec![
            file("src/Plugin.php", SPY),
            file("composer.json", &manifest),
        ],
    );
    project.extra_packages.push(entry);
    project
        .extra_requires
        .push(("a-spy/plugin".to_owned(), "*".to_owned()));
    project
        .extra_allow_plugins
        .push(("a-spy/plugin".to_owned(), true));
}

/// Returns the spy's notes of one run. Allegro's own plugin is no part of the comparison.
fn notes(scene: &Scene) -> Vec<Json> {
    let path = scene.project().join("spy.log");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    let mut notes: Vec<Json> = text
        .lines()
        .map(|line| allegro_registry::parse_json(line, "spy.log").expect("JSON"))
        .collect();
    let is = |note: &Json, start: &str, end: &str| {
        let event = note.str_at("event").unwrap_or_default();
        event.starts_with(start) && event.ends_with(end)
    };
    for note in &mut notes {
        // Composer removes directories in child processes, which run beside the events that follow.
        if is(note, "pre-package-", "") {
            note.remove("vendor");
        }
    }
    notes
}

fn spied(first: bool) -> Option<(Scene, Project)> {
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    let older = catalog.add_older(&OlderOptions {
        seed: 5,
        changed: 40,
        absent: 10,
        extra: 10,
    });
    let mut project = ProjectOptions::default();
    spy(&mut catalog, &mut project, first);
    let options = SceneOptions {
        project,
        ..SceneOptions::default()
    };
    Some((Scene::with(catalog, options)?, older))
}

/// Plays a project's life and returns the notes of each step. Transfers are made one at a time,
/// because the order of Composer's `post-file-download` events follows them.
fn play(
    scene: &Scene,
    older: &Project,
    side: Side,
    envs: &[(&str, &str)],
) -> Vec<(&'static str, Vec<Json>)> {
    let newer = scene.server.catalog().project().clone();
    let mut noted = Vec::new();
    let mut run = |what: &'static str, args: &[&str]| {
        let mut call = scene
            .call(side, args)
            .env("COMPOSER_MAX_PARALLEL_HTTP", "1");
        for (name, value) in envs {
            call = call.env(name, value);
        }
        let _ = call.run().expect(0);
        noted.push((what, notes(scene)));
    };
    scene.write_state(older);
    run("first install", &["install"]);
    run("nothing to do", &["install"]);
    scene.overwrite_state(&newer, &scene.project());
    run("to the newer state", &["install"]);
    for entry in fs::read_dir(scene.project().join("vendor")).expect("vendor") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("composer") && !path.ends_with("a-spy") {
            fs::remove_dir_all(path).expect("removed");
        }
    }
    run("all but the spy", &["install"]);
    run("without dev", &["install", "--no-dev"]);
    run("dump", &["dump-autoload", "-o"]);
    noted
}

#[track_caller]
fn compare_notes(what: &str, plain: &[(&str, Vec<Json>)], ours: &[(&str, Vec<Json>)]) {
    for ((step, plain), (_, ours)) in plain.iter().zip(ours) {
        let show = |notes: &[Json]| notes.iter().map(Json::to_line).collect::<Vec<_>>();
        let (plain, ours) = (show(plain), show(ours));
        assert!(!plain.is_empty(), "{what}, {step}: the spy saw nothing");
        for (at, (one, other)) in plain.iter().zip(&ours).enumerate() {
            assert!(
                one == other,
                "{what}, {step}: note {at} of Composer\n{one}\nand with Allegro\n{other}"
            );
        }
        assert_eq!(
            plain.len(),
            ours.len(),
            "{what}, {step}: {:?}",
            plain.get(ours.len()).or(ours.get(plain.len()))
        );
    }
}

/// With one extraction at a time, a plugin sees the same at each event, in the same order.
#[test]
fn another_plugin_sees_the_same() {
    for first in [true, false] {
        let Some((scene, older)) = spied(first) else {
            return;
        };
        // With a full cache, Composer shows each archive before it turns to the next package. With
        // an empty one, it announces all packages first.
        for round in ["cold", "warm"] {
            let plain = play(&scene, &older, Side::Serial, &[]);
            let events: usize = plain.iter().map(|(_, notes)| notes.len()).sum();
            assert!(events > 100, "{events} events");
            let ours = play(&scene, &older, Side::Allegro, &[]);
            compare_notes(
                &format!("modifies downloads: {first}, {round}"),
                &plain,
                &ours,
            );
        }
    }
}

/// If no plugin listens to package events, Allegro writes the state once only, and the plugin sees
/// the same.
#[test]
fn a_plugin_without_package_events_sees_the_same() {
    let Some((scene, older)) = spied(true) else {
        return;
    };
    let envs = [("SPY_NO_PACKAGE_EVENTS", "1")];
    let plain = play(&scene, &older, Side::Serial, &envs);
    compare_notes(
        "no package events",
        &plain,
        &play(&scene, &older, Side::Allegro, &envs),
    );
}

/// With Composer's parallel extractions, a plugin sees the same, apart from the order in the local
/// repository.
#[test]
fn another_plugin_sees_the_same_as_in_parallel() {
    let Some((scene, older)) = spied(true) else {
        return;
    };
    let envs = [("SPY_UNORDERED", "1")];
    let plain = play(&scene, &older, Side::Plain, &envs);
    compare_notes(
        "parallel",
        &plain,
        &play(&scene, &older, Side::Allegro, &envs),
    );
}

const EVENTS: [&str; 20] = [
    "init",
    "command",
    "pre-command-run",
    "pre-install-cmd",
    "post-install-cmd",
    "pre-update-cmd",
    "post-update-cmd",
    "pre-autoload-dump",
    "post-autoload-dump",
    "pre-operations-exec",
    "pre-pool-create",
    "pre-package-install",
    "post-package-install",
    "pre-package-update",
    "post-package-update",
    "pre-package-uninstall",
    "post-package-uninstall",
    "pre-file-download",
    "post-file-download",
    "pre-status-cmd",
];

/// A script that records the state as it is written, and the content of vendor.
const RECORD: &str = include_str!("fixtures/record-script.php");

/// A root package's scripts for every event run as often as with Composer and in the same order,
/// and see the same from outside.
#[test]
fn root_scripts() {
    // `false` leaves out package events, so that Allegro writes the state once only.
    for all in [true, false] {
        for required in [false, true] {
            scripts(all, required);
        }
    }
}

fn scripts(all: bool, required: bool) {
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    let older = catalog.add_older(&OlderOptions {
        seed: 5,
        changed: 30,
        absent: 10,
        extra: 10,
    });
    let options = SceneOptions {
        required,
        ..SceneOptions::default()
    };
    let Some(scene) = Scene::with(catalog, options) else {
        return;
    };
    let prepare = || {
        fs::write(scene.project().join("record.php"), RECORD).expect("the script");
        scene.edit_manifest(|manifest| {
            for event in EVENTS {
                if all || !event.contains("package") && !event.contains("file") {
                    let script = format!("@php record.php {event}");
                    manifest.child("scripts").set(event, Json::str(script));
                }
            }
        });
    };
    let newer = scene.server.catalog().project().clone();
    let go = |side| {
        scene.write_state(&older);
        prepare();
        let mut seen = Vec::new();
        let mut run = |args: &[&str]| {
            let _ = scene
                .call(side, args)
                .env("COMPOSER_MAX_PARALLEL_HTTP", "1")
                .run()
                .expect(0);
            let log = scene.project().join("scripts.log");
            seen.push((args.join(" "), fs::read_to_string(&log).unwrap_or_default()));
            let _ = fs::remove_file(log);
        };
        run(&["install", "--"]);
        scene.overwrite_state(&newer, &scene.project());
        prepare();
        run(&["install"]);
        run(&["update"]);
        run(&["install", "--no-dev"]);
        run(&["install", "--no-scripts"]);
        (seen, scene.snapshot())
    };
    let (plain, plain_tree) = go(if required { Side::Plain } else { Side::Serial });
    let (ours, our_tree) = go(Side::Allegro);
    for ((args, plain), (_, ours)) in plain.iter().zip(&ours) {
        assert!(
            plain == ours,
            "all: {all}, required: {required}, {args}: Composer ran\n{plain}\nand with Allegro\n{ours}"
        );
    }
    assert!(
        plain[0].1.contains("pre-install-cmd") && plain[0].1.contains("post-autoload-dump"),
        "{}",
        plain[0].1
    );
    assert!(
        !all || plain[1].1.contains("post-package-update"),
        "{}",
        plain[1].1
    );
    assert_eq!(diff(&plain_tree, &our_tree), "");
}
