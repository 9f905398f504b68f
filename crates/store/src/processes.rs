//! Tests with several processes: kills at any moment, and prunings beside installs.
//!
//! A test starts the test binary again, and an environment variable tells the child its part.

#![allow(clippy::disallowed_methods)]

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::link::{Method, Strategy};
use crate::testing::{Package, install, unpacking, zone};
use crate::{Bucket, ItemKind, PruneOptions, Store};
use allegro_base::testing::seeded;

const PART: &str = "ALLEGRO_TEST_PART";
/// Number of kills.
const ROUNDS: u32 = 15;
const DIRECTORY: &str = "ALLEGRO_TEST_DIRECTORY";

/// Returns a directory in memory where there is one, because a store has hundreds of directories.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    }
    .expect("temporary directory")
}

/// Starts a child that plays a part in a directory.
fn start(part: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().expect("the test binary"))
        .args(["--exact", "processes::child", "--nocapture"])
        .env(PART, part)
        .env(DIRECTORY, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("a child")
}

/// Plays the part that the environment names. Without one, it does nothing.
#[test]
fn child() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    let directory = PathBuf::from(std::env::var_os(DIRECTORY).expect("a directory"));
    let (part, number) = part.split_once(' ').unwrap_or((&part, "0"));
    match part {
        "import" => {
            let store = Store::open(&directory.join("store")).expect("a store");
            let file = File::open(directory.join("export")).expect("an export");
            let zone = zone();
            let cancel = AtomicBool::new(false);
            store
                .import(file, unpacking(&zone), &cancel)
                .expect("imported");
        }
        "prune" => {
            let store = Store::open(&directory.join("store")).expect("a store");
            store
                .prune(&PruneOptions::default(), &|_| true)
                .expect("pruned");
        }
        "install" => install_often(&directory, number.parse().expect("a number")),
        other => panic!("no part {other}"),
    }
}

/// Packages that share some of their files.
fn packages(count: usize) -> Vec<Package> {
    (0..count)
        .map(|number| {
            let contents: Vec<Vec<u8>> = (0..20)
                .map(|file| match file % 4 {
                    0 => format!("shared by all: {file}"),
                    1 => format!("shared by some: {file}, {}", number % 3),
                    _ => format!("own: {file}, {number}"),
                })
                .map(String::into_bytes)
                .collect();
            let contents: Vec<&[u8]> = contents.iter().map(Vec::as_slice).collect();
            Package::of(&format!("a/{number}"), "1", &contents)
        })
        .collect()
}

/// Checks that a store is sound and that each package has its files.
#[track_caller]
fn check(store: &Store) {
    store.sweep();
    let findings = store.verify();
    assert!(findings.is_sound(), "{findings:?}");
    let digests: HashSet<_> = store
        .blob_paths(&mut Vec::new())
        .iter()
        .filter_map(|path| Some(*store.blob_at(path)?.digest()))
        .collect();
    let bucket = store.bucket(Bucket::Manifests);
    for path in crate::verify::listed(&bucket, &mut Vec::new()) {
        let place = path.strip_prefix(store.root()).expect("below the store");
        let manifest = store.read_manifest_at(&place.to_string_lossy());
        for item in manifest.expect("read").expect("a manifest").items {
            if let ItemKind::File { digest, .. } = item.kind {
                assert!(digests.contains(&digest), "{} of a package", item.path);
            }
        }
    }
    let left = fs::read_dir(store.root().join("tmp")).expect("tmp").count();
    assert_eq!(left, 0, "leftovers of killed processes");
}

#[test]
fn a_killed_import_leaves_a_sound_store() {
    let dir = directory();
    let packages = packages(60);
    let from = Store::open(&dir.path().join("from")).expect("a store");
    for package in &packages {
        package.store(&from);
    }
    let keys: Vec<_> = packages.iter().map(|package| package.key).collect();
    let file = File::create(dir.path().join("export")).expect("a file");
    from.export(&keys, file).expect("exported");
    let mut random = seeded("a_killed_import");
    let root = dir.path().join("store");
    let began = Instant::now();
    drop(Store::open(&root).expect("a store"));
    assert!(start("import", dir.path()).wait().expect("ended").success());
    let whole = began.elapsed();
    assert_eq!(Store::open(&root).expect("a store").usage().manifests, 60);
    let mut partial = 0;
    for _ in 0..ROUNDS {
        fs::remove_dir_all(&root).expect("removed");
        drop(Store::open(&root).expect("a store"));
        let mut child = start("import", dir.path());
        std::thread::sleep(whole.mul_f64(random.f64()));
        child.kill().expect("killed");
        child.wait().expect("ended");
        let store = Store::open(&root).expect("a store");
        partial += usize::from((1..60).contains(&store.usage().blobs));
        check(&store);
        let file = File::open(dir.path().join("export")).expect("an export");
        let zone = zone();
        let cancel = AtomicBool::new(false);
        store
            .import(file, unpacking(&zone), &cancel)
            .expect("imported");
        check(&store);
        assert_eq!(store.usage().manifests, 60);
    }
    // Kills in the middle of the last steps are rare, and their number is no condition.
    let _ = partial;
}

#[test]
fn a_killed_pruning_leaves_a_sound_store() {
    let dir = directory();
    let packages = packages(60);
    let mut random = seeded("a_killed_pruning");
    let root = dir.path().join("store");
    let store = Store::open(&root).expect("a store");
    let project = dir.path().join("project");
    let (kept, others) = packages.split_at(5);
    let kept: Vec<&Package> = kept.iter().collect();
    install(&store, &project, &kept, Method::Copy, 5);
    drop(store);
    let mut whole = Duration::from_millis(200);
    for round in 0..ROUNDS {
        let store = Store::open(&root).expect("a store");
        for package in others {
            package.store(&store);
        }
        drop(store);
        let began = Instant::now();
        let mut child = start("prune", dir.path());
        if round > 0 {
            std::thread::sleep(whole.mul_f64(random.f64()));
            child.kill().expect("killed");
        }
        child.wait().expect("ended");
        if round == 0 {
            whole = began.elapsed();
        }
        let store = Store::open(&root).expect("a store");
        check(&store);
        assert!(store.usage().manifests >= 5);
        for package in &kept {
            let found = store.read_manifest(&package.key).expect("read");
            assert!(found.is_some(), "a project has {}", package.name);
        }
    }
}

/// Installs and forgets projects. A package that a look-up has found must be there for the links.
fn install_often(directory: &Path, number: u64) {
    let packages = packages(40);
    let mut random = fastrand::Rng::with_seed(number);
    let root = directory.join("store");
    let mut projects = Vec::new();
    for round in 0..25 {
        let store = Store::open(&root).expect("a store");
        let project = directory.join(format!("project-{number}-{round}"));
        let chosen: Vec<&Package> = packages.iter().filter(|_| random.u8(..10) == 0).collect();
        for package in &chosen {
            if store.read_manifest(&package.key).expect("read").is_none() {
                package.store(&store);
            }
            std::thread::sleep(Duration::from_millis(2));
            let linked = package.link(&store, &project, Strategy::Auto);
            assert_eq!(linked.expect("nothing has vanished").files, 20);
        }
        // The project is on record at the end of its run only.
        let on_record: Vec<_> = chosen.iter().map(|package| package.on_record()).collect();
        store
            .note_packages(&project.join("vendor"), &on_record, Some(Method::Hardlink))
            .expect("noted");
        drop(store);
        projects.push(project);
        if projects.len() > 2 {
            let project = projects.swap_remove(random.usize(..projects.len()));
            let _ = fs::remove_dir_all(project);
        }
    }
}

#[test]
fn installs_miss_nothing_while_a_store_is_pruned() {
    let dir = directory();
    let root = dir.path().join("store");
    drop(Store::open(&root).expect("a store"));
    let mut children: Vec<Child> = (0..8)
        .map(|number| start(&format!("install {number}"), dir.path()))
        .collect();
    let (mut rounds, mut removed) = (0, 0);
    loop {
        let is_over = children
            .iter_mut()
            .all(|child| child.try_wait().expect("a child").is_some());
        let store = Store::open_patiently(&root, &|_| true).expect("a store");
        let pruned = store
            .prune(&PruneOptions::default(), &|waited| {
                waited < Duration::from_secs(60)
            })
            .expect("a turn");
        assert_eq!(pruned.failures, Vec::<String>::new());
        rounds += 1;
        removed += pruned.manifests;
        if is_over {
            break;
        }
    }
    for mut child in children {
        assert!(child.wait().expect("ended").success());
    }
    assert!(
        rounds > 1 && removed > 0,
        "{rounds} rounds, {removed} removed"
    );
    check(&Store::open(&root).expect("a store"));
}

/// A small file system, which is unmounted when the value is dropped.
struct Small(tempfile::TempDir);

impl Small {
    fn mounted(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("temporary directory");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        status
            .is_ok_and(|status| status.success())
            .then_some(Self(dir))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

/// Without room, or without inodes, an import leaves nothing behind.
#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn an_import_without_room_leaves_nothing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let from = Store::open(&dir.path().join("from")).expect("a store");
    let mut packages = packages(100);
    let large = vec![b'x'; 3 << 20];
    let cases = [("size=2m", 3), ("size=64m,nr_inodes=1500", 0)];
    for (options, megabytes) in cases {
        if megabytes > 0 {
            packages.push(Package::of("l/l", "1", &[&large]));
        } else {
            packages.retain(|package| package.name != "l/l");
        }
        for package in &packages {
            package.store(&from);
        }
        let keys: Vec<_> = packages.iter().map(|package| package.key).collect();
        let mut bytes = Vec::new();
        from.export(&keys, &mut bytes).expect("exported");
        let Some(small) = Small::mounted(options) else {
            eprintln!("skipped: no tmpfs can be mounted");
            return;
        };
        let store = Store::open(&small.0.path().join("store")).expect("a store");
        let zone = zone();
        let error = store
            .import(&*bytes, unpacking(&zone), &AtomicBool::new(false))
            .expect_err("no room");
        assert!(error.is_full(), "{options}: {error}");
        assert_eq!((store.usage().blobs, store.usage().manifests), (0, 0));
        check(&store);
    }
}

/// Where a bucket is a mount of its own, an import copies.
#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn an_import_crosses_file_systems() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path().join("store");
    drop(Store::open(&root).expect("a store"));
    let bucket = root.join(Bucket::Blobs.name());
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "none"])
        .arg(&bucket)
        .stderr(Stdio::null())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no tmpfs can be mounted");
        return;
    }
    let result = std::panic::catch_unwind(|| {
        let from = Store::open(&dir.path().join("from")).expect("a store");
        let packages = packages(3);
        for package in &packages {
            package.store(&from);
        }
        let keys: Vec<_> = packages.iter().map(|package| package.key).collect();
        let mut bytes = Vec::new();
        from.export(&keys, &mut bytes).expect("exported");
        let mut store = Store::open(&root).expect("a store");
        store.set_keeps_contents(false);
        let zone = zone();
        let told = store
            .import(&*bytes, unpacking(&zone), &AtomicBool::new(false))
            .expect("imported");
        assert_eq!(told.packages, 3);
        check(&store);
    });
    let _ = Command::new("umount").arg(&bucket).status();
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}
