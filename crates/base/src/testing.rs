//! Provides what tests of all crates share: seeds of randomized tests, and a short run of a fuzz
//! target.

#![allow(clippy::disallowed_methods, clippy::print_stderr, clippy::unwrap_used)]

pub mod records;

use std::fs;
use std::path::{Path, PathBuf};

const ROUNDS: usize = 3000;
/// Words that the readers under test search for.
const WORDS: [&[u8]; 14] = [
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"..",
    b"/",
    b"\0",
    b"\xff\xff\xff\xff",
    b"class ",
    b"<?php ",
    b"?>",
    b"<<<A\n",
    b"\"",
    b"-dev",
    b" || ",
];

/// Returns the directory of a fuzz target's seeds.
pub fn seeds_dir(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds")
        .join(target)
}

/// Returns the seeds of a fuzz target, sorted by name.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(seeds_dir(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| fs::read(path).unwrap())
        .collect()
}

/// Writes generated seeds of a fuzz target.
pub fn write_seeds(target: &str, seeds: Vec<Vec<u8>>) {
    fs::create_dir_all(seeds_dir(target)).unwrap();
    for (number, seed) in seeds.into_iter().enumerate() {
        fs::write(seeds_dir(target).join(format!("made-{number}")), seed).unwrap();
    }
}

/// Damages bytes: changes, cuts, repeats, inserts words, or joins them with another seed.
fn damage(bytes: &mut Vec<u8>, other: &[u8], rng: &mut fastrand::Rng) {
    for _ in 0..rng.usize(1..5) {
        let at = rng.usize(..=bytes.len());
        match rng.u8(..10) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.u8(..)),
            2 => {
                let word = WORDS[rng.usize(..WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            3 => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other[rng.usize(..=other.len())..]);
            }
            4 => {
                let end = (at + rng.usize(..20)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            _ if at == bytes.len() => {}
            5 => {
                bytes.remove(at);
            }
            6 => bytes[at] = [0, 0xff, 0x7f, 0x80, b'/', b'.'][rng.usize(..6)],
            _ => bytes[at] ^= 1 << rng.u8(..8),
        }
    }
}

/// Runs a fuzz target on its seeds and on damaged copies of them. A plain test run thus needs
/// neither a nightly compiler nor cargo-fuzz. `ALLEGRO_FUZZ_ROUNDS` sets the number of damaged
/// copies.
pub fn smoke(name: &str, target: fn(&[u8])) {
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "no seeds of {name}");
    for seed in &seeds {
        target(seed);
    }
    target(b"");
    let rounds = std::env::var("ALLEGRO_FUZZ_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS);
    let mut rng = seeded(name);
    for _ in 0..rounds {
        let mut bytes = seeds[rng.usize(..seeds.len())].clone();
        let other = &seeds[rng.usize(..seeds.len())];
        damage(&mut bytes, other, &mut rng);
        target(&bytes);
    }
}

/// Returns the generator of a randomized test, and prints its seed. The seed is `ALLEGRO_TEST_SEED`
/// or a new one.
pub fn seeded(test: &str) -> fastrand::Rng {
    let seed = std::env::var("ALLEGRO_TEST_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    eprintln!("{test}: ALLEGRO_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}
