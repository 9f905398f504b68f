use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, UNIX_EPOCH};

use super::*;
use crate::link::{Method, Strategy};
use crate::testing::{Package, install};
use crate::{Bucket, directory_name};

const DAY: u64 = 24 * 60 * 60;

/// Gives up at once.
fn at_once(_: Duration) -> bool {
    false
}

/// Inodes of the store with their numbers of names, their lengths and their blocks.
fn inodes(store: &Store) -> BTreeMap<PathBuf, (u64, u64, u64)> {
    let mut found = BTreeMap::new();
    let mut paths = vec![store.root().to_owned()];
    while let Some(path) = paths.pop() {
        let facts = fs::symlink_metadata(&path).expect("an entry");
        if facts.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory").flatten();
            paths.extend(entries.map(|entry| entry.path()));
        } else {
            let facts = (facts.nlink(), facts.len(), facts.blocks() * 512);
            found.insert(path, facts);
        }
    }
    found.remove(&store.root().join("gate"));
    found
}

/// Prunes twice, first dry. Checks that both tell the same and that the figures are right.
#[track_caller]
fn prune(store: &Store, options: &PruneOptions) -> Pruned {
    let before = inodes(store);
    let dry = PruneOptions {
        dry_run: true,
        ..options.clone()
    };
    let told = store.prune(&dry, &at_once).expect("told");
    assert_eq!(inodes(store), before, "a dry run changes nothing");
    let done = store.prune(options, &at_once).expect("pruned");
    assert_eq!(done, told);
    assert_eq!(done.failures, Vec::<String>::new());
    let after = inodes(store);
    let gone = before.iter().filter(|(path, _)| !after.contains_key(*path));
    let (mut bytes, mut freed) = (0, 0);
    for (_, (links, length, blocks)) in gone {
        bytes += length;
        freed += if *links == 1 { *blocks } else { 0 };
    }
    assert_eq!((done.bytes, done.freed), (bytes, freed));
    let news: Vec<_> = after
        .keys()
        .filter(|path| !before.contains_key(*path))
        .collect();
    assert_eq!(news, Vec::<&PathBuf>::new());
    // A pruned store is sound, and a second pruning finds nothing.
    assert!(store.verify().is_sound());
    let again = store.prune(options, &at_once).expect("pruned");
    let again = (again.bytes, again.manifests, again.blobs, again.roots);
    if !options.ci {
        assert_eq!(again, (0, 0, 0, 0));
    }
    done
}

struct World {
    dir: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = Store::open(&dir.path().join("store")).expect("a store");
        Self { dir, store }
    }

    fn project(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.join("vendor")).expect("a project");
        path
    }

    fn has(&self, package: &Package) -> bool {
        self.store
            .read_manifest(&package.key)
            .expect("read")
            .is_some()
    }
}

fn set_age(path: &Path, age: u64) {
    let moment = UNIX_EPOCH + Duration::from_secs(now() - age);
    let file = File::open(path).expect("a file");
    file.set_modified(moment).expect("set");
}

#[test]
fn what_a_living_project_has_stays() {
    let world = World::new();
    let store = &world.store;
    let shared = Package::of("a/a", "1", &[b"shared", b"of a"]);
    let lone = Package::of("b/b", "1", &[b"shared", b"of b", &[b'x'; 10_000]]);
    let [one, two] = ["one", "two"].map(|name| world.project(name));
    install(store, &one, &[&shared], Method::Hardlink, now());
    install(store, &two, &[&shared, &lone], Method::Hardlink, now());
    let options = PruneOptions::default();
    assert_eq!(prune(store, &options), Pruned::default());

    // Files that something else still links stay: they free nothing, and may be linked again.
    fs::rename(&two, world.dir.path().join("moved")).expect("moved");
    let pruned = prune(store, &options);
    assert_eq!((pruned.manifests, pruned.blobs, pruned.roots), (1, 0, 1));
    assert!(world.has(&shared) && !world.has(&lone));

    fs::remove_dir_all(world.dir.path().join("moved")).expect("removed");
    let pruned = prune(store, &options);
    assert_eq!((pruned.manifests, pruned.blobs, pruned.roots), (0, 2, 0));
    assert_eq!(pruned.bytes, 10_004);
    assert!(pruned.freed > 0, "{pruned:?}");

    // A project whose vendor directory is gone is about to be installed again.
    fs::remove_dir_all(one.join("vendor")).expect("removed");
    assert_eq!(prune(store, &options), Pruned::default());
    fs::create_dir(one.join("vendor")).expect("vendor");
    let linked = shared.link(store, &one, Strategy::Hardlink);
    assert_eq!(linked.expect("linked").files, 2);
}

#[test]
fn what_composer_has_removed_from_a_project_goes() {
    let world = World::new();
    let store = &world.store;
    let [a, b] = ["a/a", "b/b"].map(|name| Package::of(name, "1", &[name.as_bytes()]));
    let one = world.project("one");
    install(store, &one, &[&a, &b], Method::Copy, now());
    fs::create_dir(one.join("vendor/composer")).expect("a directory");
    let installed = r#"{"packages": [{"name": "a/a", "version": "1"}]}"#;
    fs::write(one.join("vendor/composer/installed.json"), installed).expect("written");
    let pruned = prune(store, &PruneOptions::default());
    assert_eq!((pruned.manifests, pruned.blobs), (1, 1));
    assert!(world.has(&a) && !world.has(&b));
}

#[test]
fn unused_packages_may_stay_for_a_while() {
    let world = World::new();
    let store = &world.store;
    let packages = ["a/a", "b/b", "c/c", "d/d"].map(|name| {
        let package = Package::of(name, "1", &[name.as_bytes(), b"shared"]);
        package.store(store);
        package
    });
    let [a, b, c, d] = &packages;
    for (package, days) in [(a, 50), (b, 40), (c, 50), (d, 50)] {
        set_age(&store.manifest_path(&package.key), days * DAY);
    }
    let [living, gone] = ["living", "gone"].map(|name| world.project(name));
    install(store, &living, &[d], Method::Copy, now() - 50 * DAY);
    set_age(&store.manifest_path(&d.key), 50 * DAY);
    // The project that is gone used the package later than its manifest was written.
    install(store, &gone, &[c], Method::Copy, now() - 20 * DAY);
    set_age(&store.manifest_path(&c.key), 50 * DAY);
    fs::remove_dir_all(&gone).expect("removed");
    let of_days = |days| PruneOptions {
        max_age: Some(Duration::from_secs(days * DAY)),
        stale_days: Some(50),
        ..PruneOptions::default()
    };
    let pruned = prune(store, &of_days(45));
    assert_eq!((pruned.manifests, pruned.blobs, pruned.roots), (1, 1, 1));
    assert_eq!(pruned.stale, [living.display().to_string()]);
    assert!(!world.has(a) && world.has(b) && world.has(c) && world.has(d));
    let pruned = prune(store, &of_days(30));
    assert_eq!((pruned.manifests, pruned.blobs), (1, 1));
    assert!(!world.has(b) && world.has(c) && world.has(d));
    // The last use is kept though the project's record is gone.
    let pruned = prune(store, &of_days(20));
    assert_eq!((pruned.manifests, pruned.blobs), (1, 1));
    assert!(!world.has(c) && world.has(d));
    assert_eq!(prune(store, &of_days(0)).manifests, 0);
}

#[test]
fn a_store_gets_as_small_as_projects_allow() {
    let world = World::new();
    let store = &world.store;
    let packages = ["a/a", "b/b", "c/c", "d/d"].map(|name| {
        let own = name.repeat(5_000);
        let package = Package::of(name, "1", &[own.as_bytes(), &[b's'; 9_000]]);
        package.store(store);
        package
    });
    for (package, days) in packages.iter().zip(1..) {
        set_age(&store.manifest_path(&package.key), days * DAY);
    }
    let [a, b, c, d] = &packages;
    let living = world.project("living");
    install(store, &living, &[d], Method::Copy, now() - 50 * DAY);
    let orphan = Package::of("e/e", "1", &[&[b'e'; 9_000]]);
    orphan.store(store);
    fs::remove_file(store.manifest_path(&orphan.key)).expect("removed");
    let size = || -> u64 {
        let blobs = inodes(store);
        blobs
            .iter()
            .filter(|(path, _)| path.starts_with(store.bucket(Bucket::Blobs)))
            .map(|(_, (_, _, blocks))| blocks)
            .sum()
    };
    let fits = |max_size| PruneOptions {
        max_size: Some(max_size),
        ..PruneOptions::default()
    };
    let pruned = prune(store, &fits(u64::MAX));
    assert_eq!((pruned.manifests, pruned.blobs, pruned.over), (0, 1, 0));
    // One byte too many costs the package that was not used for the longest time.
    let pruned = prune(store, &fits(size() - 1));
    assert_eq!((pruned.manifests, pruned.blobs, pruned.over), (1, 1, 0));
    assert!(world.has(a) && world.has(b) && !world.has(c) && world.has(d));
    let pruned = prune(store, &fits(1));
    assert_eq!((pruned.manifests, pruned.blobs), (2, 2));
    assert!(!world.has(a) && !world.has(b) && world.has(d));
    assert_eq!(pruned.over, size() - 1);
}

#[test]
fn the_cache_of_a_ci_service_keeps_what_is_dear_to_make() {
    let world = World::new();
    let store = &world.store;
    let a = Package::of("a/a", "1", &[b"one", b"two"]);
    let project = world.project("one");
    let project = install(store, &project, &[&a], Method::Hardlink, now());
    let name = directory_name(&project.vendor_dir);
    let records = [
        format!("classes-v2/php/ab/{}", "c".repeat(62)),
        format!("autoload-v2/{name}.dump"),
        format!("autoload-v2/{name}.records"),
        "metadata-v2/something".to_owned(),
    ];
    let walk = format!("autoload-v2/{name}.walk");
    for place in records.iter().chain([&walk]) {
        let bytes = allegro_base::sealed::encode(b"ALTEST01", place, &1_u8);
        if place.starts_with("metadata") {
            continue;
        }
        store.write_bytes(place, &bytes).expect("written");
    }
    assert!(store.is_first_telling(&project.vendor_dir, "copies"));
    let options = PruneOptions {
        ci: true,
        ..PruneOptions::default()
    };
    let pruned = prune(store, &options);
    assert_eq!((pruned.manifests, pruned.blobs, pruned.roots), (1, 2, 1));
    assert_eq!(pruned.records, 2, "a walk and a notice");
    for place in &records[..3] {
        assert!(store.root().join(place).exists(), "{place}");
    }
    let file = project.vendor_dir.join("a/a/src/0.php");
    assert_eq!(fs::read(file).expect("the project's file"), b"one");
}

#[test]
fn records_and_leftovers_go_with_what_they_are_about() {
    let world = World::new();
    let store = &world.store;
    let [a, b] = ["a/a", "b/b"].map(|name| Package::of(name, "1", &[name.as_bytes()]));
    let [one, two] = ["one", "two"].map(|name| world.project(name));
    let one = install(store, &one, &[&a], Method::Copy, now());
    let gone = install(store, &two, &[&b], Method::Copy, now());
    fs::remove_dir_all(&two).expect("removed");
    let write = |place: String, age: u64| {
        let bytes = allegro_base::sealed::encode(b"ALTEST01", &place, &1_u8);
        store.write_bytes(&place, &bytes).expect("written");
        let path = store.root().join(place);
        set_age(&path, age);
        path
    };
    let class = |hex: &str| format!("classes-v2/php/{}/{}", &hex[..2], &hex[2..]);
    let dump = |name: &str| format!("autoload-v2/{name}.dump");
    let told = |name: &str| format!("told-v1/{name}-copies");
    let [of_one, of_gone] = [&one, &gone].map(|project| directory_name(&project.vendor_dir));
    let other = directory_name(Path::new("/other/vendor"));
    let dead = {
        let mut child = std::process::Command::new("true").spawn().expect("a child");
        child.wait().expect("ended");
        format!("{:x}-0000abcd", child.id())
    };
    let stay = [
        write(class(&a.key.hex()), 99 * DAY),
        write(class(&"c".repeat(64)), 9 * DAY),
        write(dump(&of_one), 99 * DAY),
        write(dump(&other), 9 * DAY),
        write(told(&of_one), 99 * DAY),
        write(format!("tmp/{}", allegro_base::fs::unique()), 0),
        write(format!("roots-v3/.x.{}", allegro_base::fs::unique()), 0),
    ];
    let go = [
        write(class(&b.key.hex()), 0),
        write(class(&"d".repeat(64)), 99 * DAY),
        write(dump(&of_gone), 0),
        write(dump(&directory_name(Path::new("/old"))), 99 * DAY),
        write(told(&of_gone), 0),
        write(format!("tmp/{dead}"), 0),
        write(format!("roots-v3/.x.{dead}"), 0),
        write(format!("blobs-v2/ab/.x.odd-{dead}"), 0),
        write("blobs-v1/ab/something".to_owned(), 0),
    ];
    let pruned = prune(store, &PruneOptions::default());
    for path in &stay {
        assert!(path.exists(), "{}", path.display());
    }
    for path in &go {
        assert!(!path.exists(), "{}", path.display());
    }
    assert_eq!((pruned.records, pruned.leftovers), (5, 3));
    assert_eq!(pruned.former, [store.root().join("blobs-v1")]);
}

/// Records of the former version keep their packages, and are renewed.
#[test]
fn former_records_keep_their_packages() {
    let world = World::new();
    let store = &world.store;
    let [a, b] = ["a/a", "b/b"].map(|name| Package::of(name, "1", &[name.as_bytes()]));
    a.store(store);
    b.store(store);
    let one = world.project("one");
    store.write_former(&one, &[a.key]).expect("written");
    let gone = world.dir.path().join("gone");
    store.write_former(&gone, &[b.key]).expect("written");
    let dry = PruneOptions {
        dry_run: true,
        ..PruneOptions::default()
    };
    let told = store.prune(&dry, &at_once).expect("told");
    let done = store.prune(&PruneOptions::default(), &at_once);
    assert_eq!(done.expect("pruned"), told);
    assert_eq!((told.manifests, told.blobs, told.roots), (1, 1, 1));
    assert!(world.has(&a) && !world.has(&b));
    assert!(!store.root().join("roots-v2").exists());
    assert_eq!(store.projects_with(&a.key), [one]);
}

/// A run uses the store while a pruning pauses.
#[test]
fn what_comes_in_a_pause_is_seen() {
    let world = World::new();
    let store = &world.store;
    let old = Package::of("a/a", "1", &[b"one", b"two"]);
    old.store(store);
    let other = Package::of("b/b", "1", &[b"two", b"three"]);
    let options = PruneOptions::default();
    let remover = Remover { is_dry: false };
    let mut pruned = Pruned::default();
    with_pool(2, |pool| {
        let registry = store.registry();
        let mut selection = Selection::of(store, &options, &registry, now(), pool, &mut pruned);
        store.remove_manifests(&selection, remover, pool, &mut pruned);
        other.store(store);
        selection.refresh(store, remover, pool, &mut pruned);
        store
            .remove_blobs(&mut selection, None, remover, pool, &mut pruned)
            .expect("removed");
    })
    .expect("a pool");
    assert_eq!((pruned.manifests, pruned.blobs), (1, 1));
    let project = world.project("one");
    let linked = other.link(store, &project, Strategy::Hardlink);
    assert_eq!(linked.expect("linked").files, 2);
}

#[test]
fn a_pruning_waits_for_runs_and_lets_others_in() {
    let world = World::new();
    let root = world.store.root().to_owned();
    let began = Instant::now();
    std::thread::scope(|scope| {
        let run = Store::open(&root).expect("a run");
        let refused = world.store.prune(&PruneOptions::default(), &|waited| {
            waited < Duration::from_millis(50)
        });
        let error = refused.expect_err("the run uses the store");
        assert!(error.to_string().contains("is in use"), "{error}");
        // The refused pruning has its shared lock again.
        assert!(Store::open(&root).is_ok());
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(300));
            drop(run);
        });
        let pruning = scope.spawn(|| {
            let store = Store::open(&root).expect("a store");
            store
                .prune(&PruneOptions::default(), &|_| true)
                .expect("pruned")
        });
        let other = scope.spawn(|| {
            let store = Store::open(&root).expect("a store");
            store
                .prune(&PruneOptions::default(), &|_| true)
                .expect("pruned")
        });
        drop(world.store);
        pruning.join().expect("ended");
        other.join().expect("ended");
    });
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(300), "{took:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

/// Without the gate, runs that overlap would keep a pruning out for ever.
#[test]
fn runs_that_overlap_do_not_keep_a_pruning_out() {
    let world = World::new();
    let root = world.store.root();
    let ended = AtomicBool::new(false);
    let is_ended = || ended.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        for number in 0..4_u64 {
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(25 * number));
                while !is_ended() {
                    let store = Store::open(root).expect("a store");
                    std::thread::sleep(Duration::from_millis(100));
                    drop(store);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(200));
        let turn = Turn::take(&world.store, &|waited| waited < Duration::from_secs(5));
        let pause = turn.and_then(|mut turn| {
            std::thread::sleep(Duration::from_millis(600));
            let began = Instant::now();
            Ok((turn.breathe()?, began.elapsed(), turn.breathe()?))
        });
        ended.store(true, Ordering::Relaxed);
        let (has_paused, pause, has_paused_again) = pause.expect("two turns");
        assert!(has_paused && !has_paused_again);
        assert!(
            pause >= Duration::from_millis(100),
            "runs came in: {pause:?}"
        );
    });
}
