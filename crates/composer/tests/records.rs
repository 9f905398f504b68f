//! Compares installed.json, installed.php and root packages with those of Composer's own classes.
//!
//! * `ALLEGRO_COMPOSER_CLASSES`: autoloaders of Composer, separated by colons
//! * `ALLEGRO_TEST_PHP_ROOT`: another system's root, whose PHP and Composer are asked
//! * `ALLEGRO_TEST_LOCKS`: a directory with one directory for each composer.json and composer.lock
//! * `ALLEGRO_TEST_SEED`: the seed of a run to be repeated

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::print_stdout
)]

mod records {
    pub mod asked;
    pub mod compared;
    pub mod made_up;
}

use std::fs;
use std::path::Path;

use records::asked::{Job, classes};
use records::compared::{Outcome, compare};

/// A lock as other versions of Composer write it, with all that an entry can have.
const LOCK: &str = include_str!("records/lock.json");

/// A manifest with all that a root package can have.
const MANIFEST: &str = include_str!("records/manifest.json");

fn jobs_of(lock: &str, manifest: &str) -> Vec<Job> {
    let job = Job::new(lock, manifest);
    vec![
        job.clone(),
        Job {
            dev: false,
            source: "source".to_owned(),
            vendor: "lib/Vendor".to_owned(),
            guessed: Some(["dev-main", "dev-main", "0123456789abcdef"].map(str::to_owned)),
            old: Some("{\n  \"packages\": [],\n  \"dev\": true\n}\n".to_owned()),
            ..job.clone()
        },
        Job {
            environment: Some("1.2-dev".to_owned()),
            old: Some("{\n\t\"packages\": []\n}".to_owned()),
            ..job
        },
    ]
}

#[test]
fn full_entries_are_recorded_alike() {
    for outcome in compare(&classes(), &jobs_of(LOCK, MANIFEST)) {
        assert_eq!(outcome, Outcome::Alike);
    }
}

#[test]
fn made_up_entries_are_recorded_alike_or_left_to_composer() {
    let mut random = allegro_base::testing::seeded("records");
    let jobs: Vec<Job> = (0..300)
        .map(|_| records::made_up::job(&mut random))
        .collect();
    let outcomes = compare(&classes(), &jobs);
    if outcomes.is_empty() {
        return;
    }
    let count = |outcome: Outcome| outcomes.iter().filter(|one| **one == outcome).count();
    let [alike, left] = [count(Outcome::Alike), count(Outcome::Left)];
    println!(
        "{alike} alike, {left} left to Composer of {}",
        outcomes.len()
    );
    assert!(alike * 4 > outcomes.len());
    assert!(left * 8 > outcomes.len());
}

#[test]
fn real_locks_are_recorded_alike() {
    let Some(directory) = std::env::var_os("ALLEGRO_TEST_LOCKS") else {
        println!("skipped: ALLEGRO_TEST_LOCKS names no locks");
        return;
    };
    let mut projects: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    projects.sort();
    let read = |project: &Path, name| fs::read_to_string(project.join(name)).unwrap();
    let jobs: Vec<Job> = projects
        .iter()
        .flat_map(|project| {
            jobs_of(
                &read(project, "composer.lock"),
                &read(project, "composer.json"),
            )
        })
        .collect();
    let outcomes = compare(&classes(), &jobs);
    let mut different = 0;
    for (outcome, at) in outcomes.iter().zip((0..jobs.len()).cycle()) {
        if *outcome != Outcome::Alike {
            println!("{}: {outcome:?}", projects[at / 3].display());
            different += 1;
        }
    }
    assert_eq!(different, 0);
}
