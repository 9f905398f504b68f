//! Measures a store with very many blobs. The tests are ignored, because making the blobs takes
//! minutes and gigabytes.
//!
//! * `ALLEGRO_TEST_SCALE_DIR`: a directory on the file system to measure
//! * `ALLEGRO_TEST_BLOBS`: number of blobs, by default 1,000,000
//! * `ALLEGRO_TEST_BINARY`: the command line; without it, the library alone is measured

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

use allegro_archive::{Mode, Time};
use allegro_composer::Dist;
use allegro_store::{
    Digest, Item, ItemKind, Manifest, Project, ProjectPackage, PruneOptions, Store,
};

/// Modification time of all blobs.
const TIME: u32 = 1_600_000_000;

/// Number of files in a package.
const FILES: u64 = 40;

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

/// Returns a package's record on a project, and its manifest.
fn package(number: u64, files: std::ops::Range<u64>) -> (ProjectPackage, Manifest) {
    let name = format!("scale/package-{number}");
    let url = format!("https://example.org/{name}.zip");
    let item = |file: u64| Item {
        path: format!("src/deep/er/Class{file}.php"),
        mode: Mode::Default,
        time: 0,
        kind: ItemKind::File {
            digest: Digest::of(&file.to_le_bytes()),
            size: size(file) as u64,
        },
    };
    let manifest = Manifest {
        name: name.clone(),
        version: "1.0.0".to_owned(),
        url: url.clone(),
        reference: None,
        archive_bytes: 100,
        root_mode: Mode::Default,
        root_time: Time::Now,
        times: vec![Time::Stamp {
            unix: Some(TIME),
            dos: 0x5821_0000,
        }],
        items: files.map(item).collect(),
    };
    let record = ProjectPackage {
        name,
        version: "1.0.0".to_owned(),
        key: Dist::at(&url).key(),
        bytes: None,
    };
    (record, manifest)
}

/// Returns the size of a blob: 100 to 8,000 bytes.
fn size(number: u64) -> usize {
    usize::try_from(100 + number * 7_919 % 7_900).expect("a size")
}

/// Writes blobs and packages, and returns the packages. The digests are not those of the blobs'
/// contents, because nothing reads them.
fn fill(store: &Store, count: u64) -> Vec<ProjectPackage> {
    let content = vec![b'x'; 8_000];
    std::thread::scope(|scope| {
        let threads = [0, 1].map(|thread| {
            let content = &content;
            scope.spawn(move || {
                let mut packages = Vec::new();
                for number in (thread..count.div_ceil(FILES)).step_by(2) {
                    let files = number * FILES..count.min((number + 1) * FILES);
                    for file in files.clone() {
                        write(store.root(), file, &content[..size(file)]);
                    }
                    let (record, manifest) = package(number, files);
                    store
                        .write_manifest(&record.key, &manifest)
                        .expect("a manifest");
                    packages.push(record);
                }
                packages
            })
        });
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("filled"))
            .collect()
    })
}

fn write(root: &Path, number: u64, content: &[u8]) {
    let hex = format!("{:?}", Digest::of(&number.to_le_bytes()));
    let (shard, rest) = hex.split_at(2);
    let path = root.join(format!("blobs-v2/{shard}/{rest}-644-{TIME}"));
    let mut file = File::create(path).expect("a blob");
    file.write_all(content).expect("written");
    file.set_permissions(fs::Permissions::from_mode(0o644))
        .expect("a mode");
    file.set_modified(UNIX_EPOCH + Duration::from_secs(TIME.into()))
        .expect("a time");
}

/// Prunes the store, by the command line if there is one, and returns the number of blobs.
fn prune(root: &Path, what: &str, dry_run: bool, is_cold: bool) -> u64 {
    if is_cold {
        // As root, this shows a cold store.
        let _ = std::process::Command::new("sync").status();
        let _ = fs::write("/proc/sys/vm/drop_caches", "3");
    }
    let (began, cpu) = (Instant::now(), cpu());
    let blobs = if let Some(binary) = std::env::var_os("ALLEGRO_TEST_BINARY") {
        let mut command = std::process::Command::new(binary);
        command.args(["store", "prune", "--json"]);
        if dry_run {
            command.arg("--dry-run");
        }
        let output = command
            .env("ALLEGRO_STORE", root)
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{said}");
        let pruned: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        pruned["blobs"].as_u64().expect("a number")
    } else {
        let store = Store::open(root).expect("a store");
        let options = PruneOptions {
            dry_run,
            ..PruneOptions::default()
        };
        store.prune(&options, &|_| true).expect("pruned").blobs
    };
    let (took, cpu) = (began.elapsed().as_secs_f64(), self::cpu() - cpu);
    let cold = if is_cold { "cold" } else { "warm" };
    println!("{what}, {cold}: {took:.2} s ({cpu:.2} s of CPU in this process), {blobs} blobs");
    blobs
}

#[test]
#[ignore = "takes minutes and gigabytes"]
fn a_million_blobs_are_pruned_in_ten_seconds() {
    let root = directory().join("store");
    let project = directory().join("project");
    let store = Store::open(&root).expect("a store");
    let count = count();
    let began = Instant::now();
    let mut packages = fill(&store, count);
    println!("filled in {:.0} s", began.elapsed().as_secs_f64());
    packages.truncate(packages.len() / 2);
    let used = packages.len() as u64 * FILES;
    fs::create_dir_all(&project).expect("a project");
    let record = Project {
        root: Some(project.clone()),
        vendor_dir: project.join("vendor"),
        last_used: 5,
        lock: None,
        method: None,
        packages,
    };
    store.note_project(&record).expect("noted");
    drop(store);
    for is_cold in [true, false] {
        let blobs = prune(&root, "dry run, half in use", true, is_cold);
        assert!(blobs.abs_diff(count - used) <= FILES);
    }
    fs::remove_dir_all(&project).expect("removed");
    for is_cold in [true, false] {
        assert_eq!(prune(&root, "dry run", true, is_cold), count);
    }
    assert_eq!(prune(&root, "run", false, true), count);
    let began = Instant::now();
    let _ = std::process::Command::new("sync").status();
    println!("sync: {:.2} s", began.elapsed().as_secs_f64());
}
