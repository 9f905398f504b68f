//! Tests registries and projects that are made up from a seed.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::{Registry, manifest, number};
use crate::support::Side;
use crate::support::files::merge;

/// The number of made-up registries that a plain test run plays.
const ROUNDS: u64 = 25;

fn pick<'a>(random: &mut Rng, list: &[&'a str]) -> &'a str {
    list[random.usize(..list.len())]
}

fn name(random: &mut Rng) -> String {
    format!(
        "{}/{}",
        pick(random, &["a", "b"]),
        pick(random, &["one", "two", "three", "four", "five", "six"])
    )
}

fn version(random: &mut Rng) -> String {
    match random.u32(..12) {
        0 => pick(random, &["dev-main", "dev-fix", "1.x-dev", "2.0.x-dev"]).to_owned(),
        1 => format!(
            "{}.{}.0{}",
            random.u32(1..4),
            random.u32(..3),
            pick(random, &["-alpha1", "-beta2", "-RC1"])
        ),
        2 => format!("v{}.{}", random.u32(1..4), random.u32(..3)),
        _ => format!(
            "{}.{}.{}",
            random.u32(1..4),
            random.u32(..3),
            random.u32(..2)
        ),
    }
}

fn constraint(random: &mut Rng) -> String {
    let one = |random: &mut Rng| match random.u32(..16) {
        0..=4 => "*".to_owned(),
        5 => pick(
            random,
            &[
                "dev-main",
                "1.x-dev",
                "dev-fix",
                "*@dev",
                "^2.0@beta",
                "*@beta",
            ],
        )
        .to_owned(),
        6..=8 => format!("^1.0 || ^{}.{}", random.u32(2..4), random.u32(..2)),
        9 => format!("^{}.{}", random.u32(1..4), random.u32(..2)),
        10 => format!("~{}.{}", random.u32(1..4), random.u32(..3)),
        11 => format!(">={}", random.u32(1..3)),
        12 => format!("<{}", random.u32(2..5)),
        13 => format!("!={}.0.0", random.u32(1..4)),
        _ => format!("{}.*", random.u32(1..4)),
    };
    let first = one(random);
    match random.u32(..5) {
        0 => format!("{first} || {}", one(random)),
        _ => first,
    }
}

fn links(random: &mut Rng, most: u32, own: &str, with: impl Fn(&mut Rng) -> String) -> Value {
    let mut list = Map::new();
    for _ in 0..random.u32(..=most) {
        let target = match random.u32(..24) {
            0 => "virtual/thing".to_owned(),
            1 => "virtual/other".to_owned(),
            _ => name(random),
        };
        if target != own {
            list.insert(target, Value::String(with(random)));
        }
    }
    Value::Object(list)
}

pub(super) fn versions(random: &mut Rng, name: &str) -> Vec<Value> {
    let mut list: Vec<Value> = Vec::new();
    let mut last = json!({});
    for _ in 0..random.u32(3..12) {
        let version = version(random);
        if list.iter().any(|known| known["version"] == version) {
            continue;
        }
        let mut entry = json!({
            "name": name, "version": version, "type": "library",
            "dist": { "type": "zip", "url": format!("http://127.0.0.1:1/{name}/{version}.zip"), "reference": "abc" },
        });
        // Neighbouring versions have the same links more often than not.
        if random.u32(..3) > 0 || last == json!({}) {
            last = json!({ "require": links(random, 2, name, constraint) });
            if random.u32(..5) == 0 {
                last["conflict"] = links(random, 1, name, constraint);
            }
            if random.u32(..7) == 0 {
                last["replace"] = links(random, 1, name, |random| {
                    pick(random, &["self.version", "1.0.0", "*", "^2.0"]).to_owned()
                });
            }
            if random.u32(..6) == 0 {
                let thing = pick(random, &["virtual/thing", "virtual/other", "a/one"]);
                last["provide"] =
                    json!({ thing: pick(random, &["1.0.0", "self.version", "2.0 || 3.0"]) });
            }
        }
        merge(&mut entry, last.clone());
        if version.contains("dev") {
            match random.u32(..3) {
                0 => {
                    entry["extra"] = json!({ "branch-alias": { &version: pick(random, &["1.x-dev", "2.0.x-dev", "3.1.x-dev"]) } })
                }
                1 if version == "dev-main" => entry["default-branch"] = json!(true),
                _ => {}
            }
        }
        list.push(entry);
    }
    list
}

pub(super) fn requirements(random: &mut Rng, most: u32) -> Value {
    let mut list = links(random, most, "", constraint);
    let aliased = json!(format!("dev-main as {}.0.0", random.u32(1..4)));
    if let Some(list) = list.as_object_mut().filter(|_| random.u32(..6) == 0) {
        list.insert(name(random), aliased);
    }
    list
}

/// The result of a round.
#[derive(Default)]
struct Played {
    /// Whether the first resolution had a result.
    solved: bool,
    /// Number of choices of the native part.
    native: u32,
}

fn play(registry: &Registry, seed: u64) -> Played {
    let mut random = Rng::with_seed(seed);
    registry.forget();
    // Some servers don't say when a file was changed. Composer then requests the file again in the
    // same run.
    registry.files.set_dated(seed % 7 > 1);
    registry.root("", json!({}));
    let paths: &[&str] = if random.u32(..5) == 0 {
        &["", "more/"]
    } else {
        &[""]
    };
    for path in paths {
        registry.root(path, json!({}));
        for vendor in ["a", "b"] {
            for word in ["one", "two", "three", "four", "five", "six"] {
                if random.u32(..16) > 0 {
                    let name = format!("{vendor}/{word}");
                    registry.package(path, &name, versions(&mut random, &name));
                }
            }
        }
    }
    let mut more = json!({ "require": requirements(&mut random, 4) });
    if random.bool() {
        more["require-dev"] = requirements(&mut random, 2);
    }
    match random.u32(..4) {
        0 => more["minimum-stability"] = json!(pick(&mut random, &["dev", "beta", "RC"])),
        1 => more["minimum-stability"] = json!("dev"),
        _ => {}
    }
    if random.u32(..3) == 0 {
        more["prefer-stable"] = json!(true);
    }
    let mut project = manifest(&registry.files, paths, more);
    let flags: &[&str] = match random.u32(..6) {
        0 => &["--prefer-lowest"],
        1 => &["--prefer-stable"],
        2 => &["--no-dev"],
        _ => &[],
    };
    // Most rounds print more and need a run less. Some compare the usual output.
    let agree = if seed.is_multiple_of(4) {
        Registry::agree
    } else {
        Registry::agree_loudly
    };
    let mut played = Played::default();
    let (is_native, lock) = agree(registry, &format!("seed {seed}"), &project, None, flags);
    played.native += u32::from(is_native);
    let Some(lock) = lock else { return played };
    played.solved = true;
    // The registry gets other versions, and a partial update follows.
    for _ in 0..random.u32(1..4) {
        let name = name(&mut random);
        registry.package("", &name, versions(&mut random, &name));
    }
    if random.u32(..3) == 0 {
        project["require"][name(&mut random)] = json!(constraint(&mut random));
    }
    let one = name(&mut random);
    let with = format!("{}:{}", name(&mut random), constraint(&mut random));
    let choices: [&[&str]; 9] = [
        &[&one],
        &[&one, "-w"],
        &[&one, "-W"],
        &["a/*"],
        &["b/*", "-W"],
        &["--lock"],
        &["--with", &with],
        &[],
        &[&one, "-W", "--dry-run"],
    ];
    let args = choices[random.usize(..choices.len())];
    let what = format!("seed {seed}, then");
    let (is_native, _) = agree(registry, &what, &project, Some(&lock), args);
    played.native += u32::from(is_native);
    played
}

/// Makes a registry for one worker. PHP keeps its compiled code, where it can (opcache).
fn worker(ours: Side) -> Option<Registry> {
    let mut registry = Registry::new()?;
    registry.ours = ours;
    let compiled = registry.scene.dir().join("compiled");
    fs::create_dir_all(&compiled).expect("a directory");
    let options = [
        "-dopcache.enable_cli=1".to_owned(),
        "-dopcache.file_cache_only=1".to_owned(),
        format!("-dopcache.file_cache={}", compiled.display()),
    ];
    registry.php.extend(options);
    Some(registry)
}

#[test]
fn made_up_registries() {
    soak(Side::Allegro);
}

/// Updates the same projects by the command line, without PHP.
#[test]
fn made_up_registries_without_php() {
    soak(Side::Native);
}

fn soak(ours: Side) {
    let first = number("ALLEGRO_TEST_SEED").unwrap_or(1);
    let rounds = number("ALLEGRO_TEST_RESOLVE_ROUNDS").unwrap_or(ROUNDS);
    let workers = match rounds {
        // A plain test run has one worker, because the other tests run at the same time.
        ..=ROUNDS => 1,
        _ => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let registries: Vec<Registry> = (0..workers).map_while(|_| worker(ours)).collect();
    if registries.is_empty() {
        return;
    }
    let (next, native, solved) = (AtomicU64::new(first), AtomicU64::new(0), AtomicU64::new(0));
    let failed = Mutex::new(Vec::new());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for registry in &registries {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + rounds {
                        break;
                    }
                    println!("resolve: ALLEGRO_TEST_SEED={seed} ALLEGRO_TEST_RESOLVE_ROUNDS=1");
                    // One difference must not hide the next one.
                    match catch_unwind(AssertUnwindSafe(|| play(registry, seed))) {
                        Ok(played) => {
                            native.fetch_add(played.native.into(), Ordering::Relaxed);
                            solved.fetch_add(played.solved.into(), Ordering::Relaxed);
                        }
                        Err(_) => failed.lock().expect("the list").push(seed),
                    }
                }
            });
        }
    });
    let native = native.into_inner();
    println!(
        "resolve: {rounds} rounds in {} s, {} solved at first, {native} choices of the native part",
        began.elapsed().as_secs(),
        solved.into_inner()
    );
    let failed = failed.into_inner().expect("the list");
    assert!(failed.is_empty(), "seeds {failed:?}: see above");
    if rounds >= ROUNDS {
        assert!(native > 5, "only {native} choices of the native part");
    }
}
