//! Tests faults of our own PHP code. Wherever one occurs, the run ends as it does with plain
//! Composer, with one line from Allegro.
//!
//! A copy of the plugin has points at which it can be made to throw, see
//! `fixtures/faults/instrument.php`. A first run of each scenario tells which points it reaches,
//! and how often. `ALLEGRO_TEST_ALL_FAULTS=1` plays all of them. A plain test run plays a sample,
//! the same each time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use allegro_registry::{Catalog, Format, OlderOptions, Profile, ProjectOptions, Rng};

use crate::support::packages::{add, entry, file};
use crate::support::{
    Engine, Outcome, Scene, SceneOptions, Side, copy_tree, home, repository_root, same_tree,
};

/// The number of points inside of our code that are tried in a scenario.
const INSIDE: usize = 12;

/// Gives a scene a plugin that can be made to fail.
fn instrument(scene: &Scene) {
    let sources = scene
        .own_home()
        .join("vendor/allegro/plugin/php-plugin/src");
    let script = repository_root().join("tests/e2e/fixtures/faults/instrument.php");
    let output = Command::new("php").arg(script).arg(sources).output();
    let output = output.expect("php starts");
    assert!(output.status.success(), "{output:?}");
}

/// A command in a project, which starts from a state that `prepare` makes.
struct Scenario<'a> {
    name: &'a str,
    args: &'a [&'a str],
    /// Whether the store is emptied before each run.
    is_cold: bool,
    engine: Engine,
    /// Number of further calls of each entry that are tried, besides the first two and the last
    /// one.
    others: usize,
    seed: u64,
}

/// Returns the points that a run reached, and how often.
fn points(file: &Path) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(file).expect("points");
    text.lines()
        .filter_map(|line| {
            let (point, count) = line.rsplit_once(' ')?;
            Some((point.to_owned(), count.parse().ok()?))
        })
        .collect()
}

/// Returns the faults that are tried. At each entry they are in the first, the second, the last and
/// some other calls. Inside of our code they are few.
fn chosen(points: &BTreeMap<String, usize>, scenario: &Scenario<'_>) -> Vec<String> {
    let is_all = std::env::var_os("ALLEGRO_TEST_ALL_FAULTS").is_some();
    let mut random = Rng::new(scenario.seed);
    let mut faults = Vec::new();
    let mut inside = Vec::new();
    for (point, &count) in points {
        if is_all {
            faults.extend((1..=count).map(|number| format!("{point}#{number}")));
        } else if point.starts_with("before ") {
            let mut numbers = vec![1, 2.min(count), count];
            numbers.extend((0..scenario.others).map(|_| 1 + random.below(count)));
            numbers.sort_unstable();
            numbers.dedup();
            faults.extend(numbers.iter().map(|number| format!("{point}#{number}")));
        } else {
            inside.push(format!("{point}#{}", 1 + random.below(count)));
        }
    }
    for _ in 0..INSIDE.min(inside.len()) {
        let at = random.below(inside.len());
        faults.push(inside.swap_remove(at));
    }
    faults
}

fn without_downloads(outcome: &Outcome) -> Vec<String> {
    // If a fault leaves a package to Composer, Composer downloads it later, and may warn of its URL
    // then.
    let is_download = |line: &String| {
        line.trim_start().starts_with("- Downloading ") || line.starts_with("Warning: Accessing ")
    };
    let mut lines = outcome.run.lines();
    lines.retain(|line| !is_download(line));
    lines
}

fn play(scene: &Scene, scenario: &Scenario<'_>, prepare: impl Fn(&Scene)) {
    let before = scene.scratch();
    scene.forget_all();
    prepare(scene);
    copy_tree(&scene.project(), &before);
    let again = || {
        let _ = fs::remove_dir_all(scene.project());
        copy_tree(&before, &scene.project());
        if scenario.is_cold {
            scene.forget_store();
            scene.forget_cache(Side::Allegro);
        }
    };
    again();
    let plain = match scenario.args {
        ["resolve"] => scene.outcome(&scene.call(Side::Plain, &["update", "--no-install"])),
        args => scene.outcome(&scene.call(Side::Plain, args)),
    };
    again();
    // This run warms the caches.
    scene.outcome(&scene.call(Side::Allegro, scenario.args));
    again();
    let seen = scene.scratch();
    let call = scene
        .call(Side::Allegro, scenario.args)
        .engine(scenario.engine);
    let sound = scene.outcome(&call.clone().env("ALLEGRO_TEST_POINTS", &seen));
    same_tree(scenario.name, &plain, &sound);
    let mut points = points(&seen);
    // If our commands are missing, there is no command to compare.
    points
        .retain(|point, _| scenario.args != ["resolve"] || !point.contains("Command/Commands.php"));
    let faults = chosen(&points, scenario);
    println!(
        "{}: {} points, {} faults",
        scenario.name,
        points.len(),
        faults.len()
    );
    let mut wrong = Vec::new();
    for fault in &faults {
        again();
        let ours = scene.outcome(&call.clone().env("ALLEGRO_TEST_FAULT", fault));
        let told = ours.run.stderr.matches("made a mistake").count()
            + ours.run.stdout.matches("made a mistake").count();
        let differences = crate::support::diff(&plain.tree, &ours.tree);
        let (left, right) = (without_downloads(&plain), without_downloads(&ours));
        if plain.run.exit != ours.run.exit || !differences.is_empty() || left != right || told != 1
        {
            wrong.push(format!(
                "{fault}: exit code {} and {}, told {told} times\n{differences}\nplain:\n{}\nours:\n{}",
                plain.run.exit,
                ours.run.exit,
                left.join("\n"),
                ours.run.stderr
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}: {} of {} faults\n{}",
        scenario.name,
        wrong.len(),
        faults.len(),
        wrong.join("\n\n")
    );
}

fn scene() -> Option<Scene> {
    let scene = Scene::small()?;
    instrument(&scene);
    Some(scene)
}

#[test]
fn faults_in_a_first_install() {
    let Some(scene) = scene() else { return };
    let scenario = Scenario {
        name: "first install",
        args: &["install"],
        is_cold: true,
        engine: Engine::Helper,
        others: 0,
        seed: 1,
    };
    play(&scene, &scenario, Scene::write_project);
}

#[test]
fn faults_in_a_change_of_packages() {
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    let older = catalog.add_older(&OlderOptions {
        seed: 7,
        changed: 50,
        absent: 30,
        extra: 30,
    });
    let Some(scene) = Scene::of(catalog) else {
        return;
    };
    instrument(&scene);
    let scenario = Scenario {
        name: "change",
        args: &["install", "--optimize-autoloader"],
        is_cold: false,
        engine: Engine::Extension,
        others: 5,
        seed: 2,
    };
    play(&scene, &scenario, |scene| {
        scene.write_state(&older);
        let _ = scene.run(Side::Plain, &["install"]).expect(0);
        let newer = scene.server.catalog().project().clone();
        scene.overwrite_state(&newer, &scene.project());
    });
}

#[test]
fn faults_in_a_dump() {
    let Some(scene) = scene() else { return };
    for (name, seed, edit) in [("dump", 3, true), ("unchanged dump", 4, false)] {
        let scenario = Scenario {
            name,
            args: &["dump-autoload", "--optimize"],
            is_cold: false,
            engine: Engine::Helper,
            others: 1,
            seed,
        };
        play(&scene, &scenario, |scene| {
            scene.write_project();
            let _ = scene
                .run(Side::Allegro, &["install", "--optimize-autoloader"])
                .expect(0);
            if edit {
                let dir = scene.project().join("vendor/composer");
                fs::remove_file(dir.join("autoload_classmap.php")).expect("a class map");
            }
        });
    }
}

#[test]
fn faults_in_a_resolution() {
    let Some(scene) = scene() else { return };
    for (name, seed, engine, args) in [
        ("resolve", 5, Engine::Helper, &["resolve"][..]),
        ("update", 6, Engine::Extension, &["update"]),
    ] {
        let scenario = Scenario {
            name,
            args,
            is_cold: false,
            engine,
            others: 1,
            seed,
        };
        play(&scene, &scenario, |scene| {
            scene.write_project();
            fs::remove_file(scene.project().join("composer.lock")).expect("a lock");
        });
    }
}

/// A plugin that counts events in files of the project, so that the comparison of trees compares
/// them too.
const COUNTING: &str = include_str!("fixtures/counting-plugin.php");

#[test]
fn faults_beside_listeners() {
    let mut catalog = Catalog::generated(&Profile::Small.spec());
    let more = r#"{"type": "composer-plugin", "require": {"composer-plugin-api": "^2.0"}, "autoload": {"psr-4": {"Counting\\": "src/"}}, "extra": {"class": "Counting\\Plugin"}}"#;
    let mut project = ProjectOptions::default();
    let files = || {
        vec![
            file("src/Plugin.php", COUNTING),
            file("bin/tool", "#!/bin/sh\n"),
        ]
    };
    let plugin = entry("a-counting/plugin", "1.0.0", more);
    let tar = entry("tar/package", "1.0.0", r#"{"bin": ["bin/tool"]}"#);
    for (name, entry, format) in [
        ("a-counting/plugin", plugin, Format::Zip),
        ("tar/package", tar, Format::TarGz),
    ] {
        let entry = add(&mut catalog, entry, true, format, files());
        project.extra_packages.push(entry);
        project
            .extra_requires
            .push((name.to_owned(), "*".to_owned()));
    }
    project
        .extra_allow_plugins
        .push(("a-counting/plugin".to_owned(), true));
    let options = SceneOptions {
        project,
        ..SceneOptions::default()
    };
    let Some(scene) = Scene::with(catalog, options) else {
        return;
    };
    instrument(&scene);
    let scenario = Scenario {
        name: "listeners",
        args: &["install"],
        is_cold: true,
        engine: Engine::Helper,
        others: 1,
        seed: 8,
    };
    play(&scene, &scenario, |scene| {
        scene.write_project();
        let _ = scene.run(Side::Plain, &["install"]).expect(0);
        let _ = fs::remove_dir_all(scene.project().join("events"));
        for entry in fs::read_dir(scene.project().join("vendor")).expect("vendor") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("composer") && !path.ends_with("a-counting") {
                fs::remove_dir_all(path).expect("removed");
            }
        }
    });
}
