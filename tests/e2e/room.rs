//! Takes the room on the disk away from commands of the native command line, at each stage of their
//! work. The command says so, leaves whole packages or none, and its next run completes the work.
//!
//! `ALLEGRO_TEST_SEED` sets the seed, and `ALLEGRO_TEST_ROOMS` the number of sizes for each command.

use std::fs;
use std::path::Path;

use crate::kills::{Stage, Work, number, seed};
use crate::support::mount::{FileSystem, Mount};
use crate::support::{Scene, Side, Snapshot, diff};

/// The number of sizes that a plain test run tries for each command.
const ROOMS: u64 = 1;

/// Commands that download. Composer takes over on a full disk, and tries each download again and
/// again, so these are for long rounds.
const SLOW: [Work; 2] = [Work::First, Work::Download];

/// The size of the disk where nothing is to be disturbed.
const ENOUGH: usize = 300_000;

/// Words about a full disk: those of the system, those of Composer and its curl, and those about a
/// Composer that cannot be tried.
const WORDS: [&str; 3] = [
    "space",
    "failure writing output",
    "can't install a project for a test",
];

/// Returns the KiB that are in use on a file system.
fn used(at: &Path) -> u64 {
    let facts = rustix::fs::statvfs(at).expect("facts");
    (facts.f_blocks - facts.f_bfree) * facts.f_frsize / 1024
}

/// Runs a command with this room, and returns its exit code and its words.
fn squeezed(stage: &Stage, work: Work, mount: &Mount, room: u64) -> (Option<i32>, String) {
    let size = used(stage.scene.dir()) + room;
    mount.resize(usize::try_from(size).expect("a small disk"));
    let output = stage.loud_call(work).command().output().expect("it starts");
    mount.resize(ENOUGH);
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// A file system in memory, whose size can be changed while it is used.
#[test]
fn full_disks() {
    let dir = tempfile::tempdir().expect("a directory");
    let Some(mount) = Mount::tmpfs(dir.path(), ENOUGH) else {
        return;
    };
    let Some(stage) = Stage::new(Some(dir.path().to_owned())) else {
        return;
    };
    let wanted = number("ALLEGRO_TEST_ROOMS");
    let rooms = wanted.unwrap_or(ROOMS);
    let mut random = fastrand::Rng::with_seed(seed());
    let is_wanted = |work: &Work| wanted.is_some() || !SLOW.contains(work);
    for work in Work::ALL.into_iter().filter(is_wanted) {
        stage.prepare(work);
        let before = used(dir.path());
        let _ = stage.call(work).run().expect(0);
        let need = used(dir.path()).saturating_sub(before) + 16;
        let mut failed = 0;
        for _ in 0..rooms {
            let room = random.u64(..need + need / 8);
            let what = format!("{work:?} with {room} of {need} KiB");
            stage.prepare(work);
            let (exit, said) = squeezed(&stage, work, &mount, room);
            for word in ["internal error", "panicked"] {
                assert!(!said.contains(word), "{what}: {said}");
            }
            if exit != Some(0) {
                failed += 1;
                let lower = said.to_lowercase();
                let is_told = WORDS.iter().any(|word| lower.contains(word));
                assert!(is_told, "{what}: {exit:?}: {said}");
            }
            if [".php line ", "Allegro: Composer "]
                .iter()
                .any(|word| said.contains(word))
            {
                // Composer leaves torn archives in its cache, and stumbles over them.
                stage.scene.forget_cache(Side::Native);
            }
            stage.check(&what, work);
        }
        println!(
            "room: {work:?} (seed {}): {failed} of {rooms} runs had no room",
            seed()
        );
    }
}

/// Returns a tree without the facts of vendor itself, because a mount has its own.
fn without_vendor(tree: &Snapshot) -> Snapshot {
    let mut tree = tree.clone();
    let _ = tree.nodes.remove("vendor");
    tree
}

/// Store, cache and project lie on different file systems, and vendor on another one still.
#[test]
fn each_part_on_its_own_disk() {
    let Some(scene) = Scene::small() else { return };
    scene.unwatched("vendor is a file system of its own");
    let plain = scene.fresh(Side::Serial, &["install"]);
    let at = |name: &str| scene.dir().join(name);
    let mounts = ["store", "cache-allegro"].map(|name| Mount::of(FileSystem::Tmpfs, &at(name)));
    if mounts.iter().any(Option::is_none) {
        return;
    }
    scene.write_project();
    let vendor = scene.project().join("vendor");
    for is_mount in [false, true] {
        let mount = if is_mount {
            scene.write_project();
            let Some(mount) = Mount::of(FileSystem::Tmpfs, &vendor) else {
                return;
            };
            Some(mount)
        } else {
            None
        };
        for words in [
            &["fetch"][..],
            &["install"],
            &["verify", "--content"],
            &["install"],
            &["dump-autoload"],
            &["store", "prune"],
            &["store", "verify"],
        ] {
            let run = scene.run(Side::Native, words);
            let what = format!("vendor is a mount: {is_mount}, {}", words.join(" "));
            assert_eq!(run.exit, 0, "{what}: {}{}", run.stdout, run.stderr);
            let tree = scene.snapshot();
            if words[0] != "fetch" {
                let differences = diff(&without_vendor(&plain.tree), &without_vendor(&tree));
                assert_eq!(differences, "", "{what}: {}", run.stderr);
            }
        }
        drop(mount);
    }
}
