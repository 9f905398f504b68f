//! Tests other plugins that reach deep into Composer, each alone and together. With Allegro beside
//! them the result is the same as without it. Their writes into `vendor/` never reach the store.

mod world;

use std::fs;

use allegro_registry::FileSpec;

use self::world::{KINDS, World, neighbour, said};
use crate::support::packages::file;
use crate::support::{Outcome, Side, diff, same_tree, skipped};
use crate::trouble::verified;

/// Positions in [`KINDS`] of the groups whose neighbours are tested together. Each group meets each
/// other group, and thereby each kind meets each other kind.
const GROUPS: [&[usize]; 4] = [&[0, 4, 7], &[1, 5, 10], &[2, 8, 11], &[3, 6, 9, 12]];

/// Plays all sets, including those after a failed one.
fn play(
    required: bool,
    rounds: &[&str],
    sets: Vec<Vec<&str>>,
    check: impl Fn(&[&str], &[(String, Outcome)]),
) {
    let Some(world) = World::furnished(required) else {
        return;
    };
    let sets: Vec<Vec<&str>> = sets
        .into_iter()
        .map(|set| set.into_iter().filter(|name| has_tool_of(name)).collect())
        .filter(|set: &Vec<&str>| !set.is_empty())
        .collect();
    let failed: Vec<&Vec<&str>> = sets
        .iter()
        .filter(|set| {
            let played = std::panic::AssertUnwindSafe(|| {
                check(set, &world.compare(set, rounds));
                world.bystander(set);
            });
            std::panic::catch_unwind(played).is_err()
        })
        .collect();
    assert!(failed.is_empty(), "not the same: {failed:?}");
}

/// Returns whether the machine has the program that a neighbour calls.
fn has_tool_of(neighbour: &str) -> bool {
    let tool = match neighbour {
        "patcher" => "patch",
        "git_patcher" => "git",
        _ => return true,
    };
    let found = std::process::Command::new(tool)
        .arg("--version")
        .output()
        .is_ok();
    if !found {
        skipped::<()>(&format!("{neighbour}: there is no {tool}"));
    }
    found
}

fn alone(required: bool) {
    let all: Vec<(&str, &str)> = KINDS.into_iter().flatten().copied().collect();
    let sets = all.iter().map(|(name, _)| vec![*name]).collect();
    play(required, &["cold"], sets, |set, played| {
        // The neighbour has done its work.
        let speaks = all
            .iter()
            .any(|(name, source)| *name == set[0] && source.contains("$this->say("));
        let said: String = played
            .iter()
            .map(|(_, outcome)| outcome.run.stderr.as_str())
            .collect();
        assert!(
            !speaks || said.contains("  neighbour: "),
            "{set:?} said nothing: {said}"
        );
    });
}

fn pairs<T>(all: &[T]) -> impl Iterator<Item = (&T, &T)> {
    (0..all.len()).flat_map(move |right| (0..right).map(move |left| (&all[left], &all[right])))
}

fn together(required: bool) {
    let names: Vec<&str> = KINDS.into_iter().flatten().map(|(name, _)| *name).collect();
    // The variable selects sets that take too long for every run: `alone`, `pairs`, or names
    // separated by commas.
    let sets = match std::env::var("ALLEGRO_TEST_NEIGHBOURS") {
        Ok(word) if word == "alone" => names.into_iter().map(|name| vec![name]).collect(),
        Ok(word) if word == "pairs" => pairs(&names)
            .map(|(left, right)| vec![*left, *right])
            .collect(),
        Ok(set) => vec![
            names
                .into_iter()
                .filter(|name| set.split(',').any(|one| one == *name))
                .collect(),
        ],
        Err(_) => pairs(&GROUPS)
            .map(|(left, right)| {
                let kinds = left.iter().chain(*right).flat_map(|at| KINDS[*at]);
                kinds.map(|(name, _)| *name).collect()
            })
            .collect(),
    };
    play(required, &["cold", "warm"], sets, |_, _| ());
}

/// In a fresh clone of a project that requires Allegro, Allegro is installed in the middle of the
/// run.
#[test]
fn each_beside_a_required_allegro() {
    alone(true);
}

/// Allegro that is installed globally is active from the start.
#[test]
fn together_beside_a_global_allegro() {
    together(false);
}

#[test]
#[ignore = "make soak plays it"]
fn together_beside_a_required_allegro() {
    together(true);
}

/// Returns a world with the packages `acme/a` and `acme/b` in two versions. The fixture's installer
/// puts both into one directory.
fn sharing(files: impl Fn(&str, &str) -> Vec<FileSpec>) -> Option<World> {
    let mut world = World::with(false, |package| {
        for version in ["1.0.0", "1.1.0"] {
            for name in ["a", "b"] {
                let files = files(name, version);
                package(
                    &format!("acme/{name}"),
                    version,
                    r#"{"type": "acme-part"}"#,
                    files,
                );
            }
        }
        neighbour(package, "installers", KINDS[0][0].1);
    })?;
    world.always = vec!["acme/a", "acme/b"];
    Some(world)
}

/// One run updates both packages. Composer removes directories in parallel child processes, so the
/// files that an update leaves are those of an installation.
#[test]
fn packages_that_share_a_directory() {
    let world = sharing(|name, version| {
        vec![
            file(&format!("{name}.txt"), version),
            file(&format!("both/{name}.txt"), version),
            file(&format!("both/only-{name}-{version}"), version),
            file("both/.DS_Store", "finder"),
            file("README.md", name),
        ]
    });
    let Some(world) = world else { return };
    let scene = &world.scene;
    let run = |side, command: &str| {
        scene
            .outcome(&scene.call(side, &[command]))
            .tree
            .below("web")
    };
    scene.write_state(&world.older(&["installers"]));
    run(Side::Serial, "install");
    fs::remove_dir_all(scene.project().join("vendor")).expect("vendor");
    let plain = run(Side::Serial, "update");
    assert!(plain.nodes.contains_key("web/parts/both/only-b-1.1.0"));
    for round in ["cold", "warm"] {
        scene.write_state(&world.older(&["installers"]));
        run(Side::Allegro, "install");
        let ours = run(Side::Allegro, "update");
        assert_eq!(diff(&plain, &ours), "", "{round}");
    }
    verified(scene);
}

/// One package has a file at the path where the other one has a directory.
#[test]
fn packages_that_do_not_fit_into_one_directory() {
    let world = sharing(|name, version| match name {
        "a" => vec![file("what/is.txt", version), file("a.txt", "a")],
        _ => vec![file("what", version), file("b.txt", "b")],
    });
    let Some(world) = world else { return };
    let scene = &world.scene;
    let go = |side| {
        scene.write_state(&world.older(&["installers"]));
        scene.outcome(&scene.call(side, &["install"]).env("CI", "1"))
    };
    let plain = go(Side::Serial);
    assert_ne!(plain.run.exit, 0);
    assert!(
        plain.run.stderr.contains("would lead to overwriting"),
        "{}",
        plain.run.stderr
    );
    for round in ["cold", "warm"] {
        let ours = go(Side::Allegro);
        same_tree(round, &plain, &ours);
        assert_eq!(said(&plain, false), said(&ours, false), "{round}");
    }
}
