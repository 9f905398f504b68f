//! Tests runs that install, update and remove packages which require each other in circles. Only in
//! such runs the order in which packages came decides the order of several directories of one
//! namespace.
//!
//! `ALLEGRO_TEST_SEED` and `ALLEGRO_TEST_ROUNDS` set the first seed and the number of rounds.

use allegro_registry::{Format, Rng};
use serde_json::{Value, json};

use crate::support::Side;
use crate::support::files::{Files, agree_warm, archive, bare, manifest, package, rewrite, write};
use crate::support::home::PROCESSES;
use crate::support::packages::file;

/// The first seed of a plain test run.
const FIRST_SEED: u64 = 1;

/// The number of mixes that a plain test run plays.
const ROUNDS: u64 = 4;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.trim().parse().ok()
}

/// A package that shares its namespace with all others.
#[derive(Debug, Clone)]
struct Kind {
    format: Format,
    /// Distances in the list to the packages that it requires, as far as those are present.
    requires: Vec<usize>,
}

fn name(at: usize) -> String {
    format!(
        "mix/{}",
        char::from(b'a' + u8::try_from(at).expect("a few packages"))
    )
}

/// Returns the manifest of a state, which has a version for each package, or none.
fn state(files: &Files, kinds: &[Kind], versions: &[Option<u8>]) -> Value {
    let present: Vec<usize> = (0..kinds.len())
        .filter(|at| versions[*at].is_some())
        .collect();
    let list = present.iter().map(|at| {
        let version = format!("{}.0.0", versions[*at].expect("it is there"));
        let name = name(*at);
        let class = format!("Class{at}");
        let code =
            format!("<?php\nnamespace Shared;\nclass {class} {{ const VERSION = '{version}'; }}\n");
        let content = vec![file(&format!("src/{class}.php"), &code)];
        let (kind, end) = match kinds[*at].format {
            Format::Zip => ("zip", "zip"),
            _ => ("tar", "tar"),
        };
        let bytes = archive(kinds[*at].format, true, content);
        let url = files.put(&format!("dist/{name}-{version}.{end}"), &bytes);
        let mut require = json!({});
        for step in &kinds[*at].requires {
            let other = (at + step) % kinds.len();
            if present.contains(&other) {
                require[self::name(other)] = json!("*");
            }
        }
        let more = json!({
            "version": version,
            "require": require,
            "autoload": { "psr-4": { "Shared\\": "src/" } },
        });
        package(&name, kind, &url, more)
    });
    let packages: Vec<Value> = list.collect();
    manifest(&packages, json!({}))
}

/// Plays several states of a project one after the other, with one process at a time and with many.
fn play(what: &str, kinds: &[Kind], states: &[Vec<Option<u8>>]) -> Option<()> {
    let (scene, files) = bare()?;
    let states: Vec<Value> = states
        .iter()
        .map(|state| self::state(&files, kinds, state))
        .collect();
    for processes in [["one", "one"], ["rounds", "many"]] {
        let what = format!("{what}, {}", processes[0]);
        agree_warm(&scene, &what, |scene, side| {
            write(scene, &states[0]);
            let [theirs, ours] = processes;
            let mode = if side == Side::Allegro { ours } else { theirs };
            let mut played = Vec::new();
            for (step, state) in states.iter().enumerate() {
                rewrite(scene, state);
                let outcome = scene.outcome(&scene.call(side, &["update"]).env(PROCESSES, mode));
                assert_eq!(outcome.run.exit, 0, "{what}: {}", outcome.run.stderr);
                played.push((format!("state {step}"), outcome));
            }
            played
        });
    }
    Some(())
}

#[test]
fn updates_come_after_installs() {
    let zip = Kind {
        format: Format::Zip,
        requires: vec![1, 2],
    };
    // No package keeps its version between states, so the order of each run alone decides.
    let states = [
        vec![Some(1), None, Some(1), None, None, Some(1)],
        vec![Some(2), Some(1), Some(2), Some(1), Some(1), Some(2)],
        vec![None, Some(2), Some(1), Some(2), None, Some(1)],
        vec![Some(1), Some(1), Some(2), Some(1), Some(1), Some(2)],
    ];
    let _ = play("updates and installs", &vec![zip; 6], &states);
}

#[test]
fn random_mixes() {
    let first = number("ALLEGRO_TEST_SEED").unwrap_or(FIRST_SEED);
    for seed in first..first + number("ALLEGRO_TEST_ROUNDS").unwrap_or(ROUNDS) {
        println!("mixes: ALLEGRO_TEST_SEED={seed} ALLEGRO_TEST_ROUNDS=1");
        let mut random = Rng::new(seed);
        let count = random.range(4, 10);
        let kinds: Vec<Kind> = (0..count)
            .map(|_| Kind {
                format: *random.pick(&[Format::Zip, Format::Zip, Format::Zip, Format::Tar]),
                requires: (0..3).map(|_| random.range(1, count - 1)).collect(),
            })
            .collect();
        let states: Vec<Vec<Option<u8>>> = (0..random.range(3, 5))
            .map(|_| {
                let version = |_: &Kind| match random.below(7) {
                    0 | 1 => None,
                    version => Some(u8::try_from(version).expect("a small number")),
                };
                kinds.iter().map(version).collect()
            })
            .collect();
        if play(&format!("seed {seed}"), &kinds, &states).is_none() {
            return;
        }
    }
}
