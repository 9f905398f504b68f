//! Measures a store with very many blobs. The tests are ignored, because making the blobs takes
//! minutes and gigabytes.
//!
//! * `ALLEGRO_TEST_SCALE_DIR`: a directory on the file system to measure
//! * `ALLEGRO_TEST_BLOBS`: number of blobs, by default 1,000,000

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    missing_docs
)]

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use allegro_store::{Digest, PruneOptions, Store};

fn directory() -> PathBuf {
    let name = std::env::var_os("ALLEGRO_TEST_SCALE_DIR");
    PathBuf::from(name.expect("ALLEGRO_TEST_SCALE_DIR names a directory"))
}

fn count() -> u64 {
    std::env::var("ALLEGRO_TEST_BLOBS")
        .ok()
        .and_then(|count| count.parse().ok())
        .unwrap_or(1_000_000)
}

/// Returns the CPU time of this process in seconds, because other processes may use the machine.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Writes blobs of 100 to 8,000 bytes. Their digests are not those of their contents, because
/// nothing reads them.
fn fill(root: &Path, count: u64) {
    let content = vec![b'x'; 8_000];
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let content = &content;
            scope.spawn(move || {
                for number in (thread..count).step_by(2) {
                    let hex = format!("{:?}", Digest::of(&number.to_le_bytes()));
                    let (shard, rest) = hex.split_at(2);
                    let path = root.join(format!("blobs-v2/{shard}/{rest}-644-1600000000"));
                    let size = usize::try_from(100 + number * 7_919 % 7_900).expect("a size");
                    let mut file = File::create(path).expect("a blob");
                    file.write_all(&content[..size]).expect("written");
                    file.set_permissions(fs::Permissions::from_mode(0o644))
                        .expect("a mode");
                    file.set_modified(UNIX_EPOCH + Duration::from_secs(1_600_000_000))
                        .expect("a time");
                }
            });
        }
    });
    let _ = std::process::Command::new("sync").status();
}

#[test]
#[ignore = "takes minutes and gigabytes"]
fn a_million_blobs_are_pruned_in_ten_seconds() {
    let root = directory().join("store");
    let store = Store::open(&root).expect("a store");
    let count = count();
    fill(&root, count);
    // As root, this shows a cold store.
    let _ = fs::write("/proc/sys/vm/drop_caches", "3");
    for (what, dry_run) in [
        ("dry run, cold", true),
        ("dry run, warm", true),
        ("run", false),
    ] {
        if what == "run" {
            let _ = fs::write("/proc/sys/vm/drop_caches", "3");
        }
        let options = PruneOptions {
            dry_run,
            ..PruneOptions::default()
        };
        let (began, cpu) = (Instant::now(), cpu());
        let pruned = store.prune(&options, &|_| true).expect("pruned");
        let (took, cpu) = (began.elapsed().as_secs_f64(), self::cpu() - cpu);
        println!("{what}: {took:.2} s, {cpu:.2} s of CPU, {pruned:?}");
        assert_eq!(pruned.blobs, count);
    }
    let began = Instant::now();
    let _ = std::process::Command::new("sync").status();
    println!("sync: {:.2} s", began.elapsed().as_secs_f64());
}
