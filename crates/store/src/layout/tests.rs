use super::*;
use rustix::fs::{FileType, FlockOperation, flock};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_new_store_is_tagged_and_opens_again() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path().join("deep/store");
    drop(Store::open(&root).expect("made"));
    let tag = fs::read_to_string(root.join("CACHEDIR.TAG")).expect("tag");
    assert!(tag.starts_with("Signature: 8a477f597d28d172789f06886806bc55"));
    drop(Store::open(&root).expect("opened"));
}

#[test]
fn a_store_of_a_newer_layout_is_refused() {
    let dir = tempfile::tempdir().expect("temporary directory");
    drop(Store::open(dir.path()).expect("made"));
    fs::write(dir.path().join("layout"), "2\n").expect("newer");
    let error = Store::open(dir.path()).expect_err("refused");
    assert_eq!(error.code(), "store.layout");
    assert!(error.to_string().contains("update Allegro"), "{error}");
}

/// Puts something else where a file or a directory of the store belongs.
#[allow(clippy::type_complexity, reason = "a table of names and functions")]
fn oddities() -> [(&'static str, fn(&Path)); 5] {
    [
        ("empty file", |path| fs::write(path, "").expect("written")),
        ("text", |path| fs::write(path, "what?").expect("written")),
        ("directory", |path| {
            fs::create_dir_all(path.join("inside")).expect("made");
        }),
        ("pipe", |path| {
            rustix::fs::mknodat(
                rustix::fs::CWD,
                path,
                FileType::Fifo,
                Mode::from_raw_mode(0o600),
                0,
            )
            .expect("a pipe");
        }),
        ("link", |path| {
            std::os::unix::fs::symlink("/dev/null", path).expect("a link");
        }),
    ]
}

#[test]
fn what_is_not_as_it_should_be_is_made_again() {
    for name in [
        "layout",
        "lock",
        "reflink",
        "blobs-v2",
        "contents-v2",
        "manifests-v2/ab",
        "blobs-v2/ab",
    ] {
        // One store for all oddities, because a new one has 768 directories.
        let dir = tempfile::tempdir().expect("temporary directory");
        drop(Store::open(dir.path()).expect("made"));
        for (what, make) in oddities() {
            let path = dir.path().join(name);
            remove_all(&path).expect("removed");
            if what == "directory" && name.contains("v2") {
                continue;
            }
            make(&path);
            let store =
                Store::open(dir.path()).unwrap_or_else(|error| panic!("{name}, {what}: {error}"));
            assert!(store.is_writable(), "{name}, {what}");
            drop(store);
            assert_eq!(
                found_layout(&dir.path().join("layout")).expect("read"),
                Some(LAYOUT),
                "{name}, {what}"
            );
        }
    }
}

#[test]
fn a_store_half_made_is_finished() {
    let dir = tempfile::tempdir().expect("temporary directory");
    fs::create_dir_all(dir.path().join("blobs-v2/00")).expect("half");
    drop(Store::open(dir.path()).expect("finished"));
    assert!(dir.path().join("blobs-v2/ff").is_dir());
}

#[test]
fn the_sweep_takes_only_what_the_dead_left() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path()).expect("made");
    let mine = store.temporary();
    fs::write(&mine, b"x").expect("mine");
    let dead = dir.path().join("tmp/7ffffff0-00000000");
    fs::create_dir(&dead).expect("dead");
    store.sweep();
    assert!(mine.exists());
    assert!(!dead.exists());
}

#[test]
fn the_lock_is_for_those_who_may_use_the_store() {
    for (mode, expected) in [(0o700, 0o600), (0o750, 0o640), (0o2775, 0o664)] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let root = dir.path().join("store");
        fs::create_dir(&root).expect("made");
        fs::set_permissions(&root, fs::Permissions::from_mode(mode)).expect("chmod");
        drop(Store::open(&root).expect("opened"));
        let lock = fs::metadata(root.join("lock")).expect("the lock");
        assert_eq!(lock.permissions().mode() & 0o777, expected, "{mode:o}");
    }
}

#[test]
fn a_lock_that_somebody_holds_is_waited_for() {
    let dir = tempfile::tempdir().expect("temporary directory");
    drop(Store::open(dir.path()).expect("made"));
    let holder = File::open(dir.path().join("lock")).expect("the lock");
    flock(&holder, FlockOperation::LockExclusive).expect("locked");
    let error = Store::open_at_once(dir.path()).expect_err("not waited for");
    assert_eq!(error.code(), "filesystem.store");
    let asked = std::cell::Cell::new(0);
    let release = |_| {
        asked.set(asked.get() + 1);
        flock(&holder, FlockOperation::Unlock).expect("unlocked");
        true
    };
    drop(Store::open_patiently(dir.path(), &release).expect("opened"));
    assert_eq!(asked.get(), 1);
}

#[test]
fn former_buckets_go_once_nobody_uses_them() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path()).expect("made");
    fs::create_dir_all(dir.path().join("blobs-v1/ab")).expect("made");
    fs::create_dir_all(dir.path().join("manifests-v1/ab")).expect("made");
    fs::write(dir.path().join("blobs-v1/ab/cd"), "x").expect("a blob");
    store.retire_former_buckets(Duration::from_secs(5));
    assert!(dir.path().join("blobs-v1/ab/cd").exists(), "it is in use");
    let old = fs::File::open(dir.path().join("manifests-v1/ab")).expect("a shard");
    let then = std::time::SystemTime::now() - Duration::from_hours(24 * 30);
    old.set_modified(then).expect("made old");
    store.retire_former_buckets(Duration::from_secs(5));
    assert!(!dir.path().join("blobs-v1").exists());
    assert!(!dir.path().join("manifests-v1").exists());
}

/// What a run had no time for goes in the next one, and a bucket of a former version may be alone.
#[test]
fn a_former_bucket_goes_without_others() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path()).expect("made");
    let told = dir.path().join("told");
    fs::create_dir_all(&told).expect("made");
    let file = File::create(told.join("0123-Owner")).expect("a notice");
    store.retire_former_buckets(Duration::from_secs(5));
    assert!(told.exists(), "it is in use");
    let then = std::time::SystemTime::now() - Duration::from_hours(24 * 30);
    file.set_modified(then).expect("made old");
    store.retire_former_buckets(Duration::from_secs(5));
    assert!(!told.exists());
}
