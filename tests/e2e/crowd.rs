//! Lets eight processes install different locks into one store, while others prune, check and count
//! it. Some of the installs are killed.
//!
//! `ALLEGRO_TEST_SEED` sets the seed, and `ALLEGRO_TEST_CROWD_ROUNDS` the number of installs of each
//! process.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use allegro_registry::{Catalog, GenSpec, OlderOptions, Project};
use serde_json::Value;

use crate::kills::{killed, number, seed};
use crate::support::{Scene, Side, Snapshot, diff};

/// The number of processes that install at the same time, and of their locks.
const CROWD: usize = 8;

/// The number of installs of each process in a plain test run.
const ROUNDS: u64 = 6;

/// Numbers of what has happened.
#[derive(Debug, Default)]
struct Counts {
    installs: AtomicU64,
    kills: AtomicU64,
    prunings: AtomicU64,
    checks: AtomicU64,
}

fn step(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Makes a scene and the states of its project, with the vendor trees of Composer.
fn scene() -> Option<(Scene, Vec<(Project, Snapshot)>)> {
    let mut catalog = Catalog::generated(&GenSpec {
        files: 300,
        dirs: 60,
        bytes: 1_000_000,
        // After a kill, directories that share a prefix have another order, as with Composer.
        modules: 0,
        ..GenSpec::custom(12)
    });
    let mut states = vec![catalog.project().clone()];
    while states.len() < CROWD {
        states.push(catalog.add_older(&OlderOptions {
            seed: 40 + states.len() as u64,
            changed: 40,
            absent: 20,
            extra: 20,
        }));
    }
    let scene = Scene::of(catalog)?;
    scene.unwatched("installs run at the same time, and prunings take blobs away");
    let states = states.into_iter().map(|state| {
        scene.write_state(&state);
        let outcome = scene.outcome(&scene.call(Side::Serial, &["install"]));
        assert_eq!(outcome.run.exit, 0, "{}", outcome.run.stderr);
        (state, outcome.tree.below("vendor"))
    });
    let states = states.collect();
    fs::remove_dir_all(scene.project()).expect("removed");
    Some((scene, states))
}

/// Installs locks one after the other into one directory.
fn install(scene: &Scene, states: &[(Project, Snapshot)], place: usize, counts: &Counts) {
    let dir = scene.dir().join(format!("crowd-{place}"));
    let mut random = fastrand::Rng::with_seed(seed() + place as u64);
    let rounds = number("ALLEGRO_TEST_CROWD_ROUNDS").unwrap_or(ROUNDS);
    let rounds = usize::try_from(rounds).expect("a small number");
    for round in 0..rounds {
        let (state, wanted) = &states[(place + round) % states.len()];
        let _ = fs::remove_dir_all(&dir);
        scene.overwrite_state(state, &dir);
        let call = scene.call(Side::Native, &["install"]).dir(&dir);
        if random.u32(..4) == 0 {
            let pause = Duration::from_micros(random.u64(..60_000));
            let log = scene.dir().join(format!("said-{place}"));
            if killed(&call, pause, &log) {
                step(&counts.kills);
            }
        }
        let run = call.run();
        let what = format!("process {place}, round {round}");
        assert_eq!(run.exit, 0, "{what}: {}", run.stderr);
        let found = Snapshot::of(&dir).below("vendor");
        assert_eq!(diff(wanted, &found), "", "{what}: {}", run.stderr);
        step(&counts.installs);
    }
}

/// Runs commands that look after the store, until all installs have ended.
fn care(scene: &Scene, commands: &[&[&str]], ended: &AtomicBool, count: &AtomicU64) {
    let home = scene.dir().join("carer");
    fs::create_dir_all(&home).expect("a directory");
    for words in commands.iter().cycle() {
        if ended.load(Ordering::Relaxed) {
            break;
        }
        let _ = report(scene, words, &home);
        step(count);
    }
}

fn report(scene: &Scene, words: &[&str], dir: &Path) -> Value {
    let words = [&["store"], words, &["--json"]].concat();
    let run = scene.call(Side::Native, &words).dir(dir).run();
    let what = words.join(" ");
    assert_eq!(run.exit, 0, "{what}: {}{}", run.stdout, run.stderr);
    serde_json::from_str(&run.stdout).expect("JSON")
}

#[test]
fn eight_locks_and_one_store() {
    let Some((scene, states)) = scene() else {
        return;
    };
    // What the store knows about PHP and Composer is made once.
    let first = scene.dir().join("first");
    scene.overwrite_state(&states[0].0, &first);
    let call = scene.call(Side::Native, &["install", "-v"]).dir(&first);
    let said = call.run().expect(0).stderr;
    assert!(!said.contains("Allegro: Composer "), "{said}");
    let (ended, counts) = (AtomicBool::new(false), Counts::default());
    let result = std::thread::scope(|scope| {
        let (scene, states, counts, ended) = (&scene, &states, &counts, &ended);
        let prunings: &[&[&str]] = &[
            &["prune"],
            &["prune", "--max-size", "0"],
            &["prune", "--dry-run"],
            &["prune", "--max-age", "1d"],
            &["prune", "--ci"],
        ];
        let carers = [
            scope.spawn(|| care(scene, prunings, ended, &counts.prunings)),
            scope.spawn(|| care(scene, &[&["verify"], &["status"]], ended, &counts.checks)),
        ];
        let installers: Vec<_> = (0..CROWD)
            .map(|place| scope.spawn(move || install(scene, states, place, counts)))
            .collect();
        let results: Vec<_> = installers.into_iter().map(ScopedJoinHandle::join).collect();
        ended.store(true, Ordering::Relaxed);
        results
            .into_iter()
            .chain(carers.map(ScopedJoinHandle::join))
            .filter(Result::is_err)
            .count()
    });
    println!("crowd (seed {}): {counts:?}", seed());
    assert_eq!(result, 0, "threads failed");
    let _ = report(&scene, &["prune"], scene.dir());
    let _ = report(&scene, &["verify"], scene.dir());
    let rest = report(&scene, &["prune", "--dry-run"], scene.dir());
    assert_eq!((&rest["leftovers"], &rest["blobs"]), (&0.into(), &0.into()));
}
