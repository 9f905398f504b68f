use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

const THEN: FileTime = FileTime::At(1_600_000_000);

fn file(content: &[u8], mode: u32, time: FileTime) -> FileSpec {
    FileSpec {
        digest: Digest::of(content),
        size: content.len() as u64,
        mode,
        time,
    }
}

/// Returns a store that has a blob for each mode and time, whatever the test's file system
/// supports.
fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let mut store = Store::open(dir.path()).expect("a store");
    store.set_keeps_contents(false);
    (dir, store)
}

fn make(store: &Store, file: &FileSpec, content: &[u8]) -> Blob {
    store.ensure(file, content).expect("a blob");
    store.linkable(file)
}

fn is_sealed(store: &Store, blob: &Blob) -> bool {
    matches!(store.state(blob), BlobState::Sealed(_))
}

#[test]
fn a_content_has_one_blob_per_mode_and_time() {
    let (_dir, store) = store();
    let content = b"<?php\n";
    let mut inodes = std::collections::HashSet::new();
    for mode in [0o664, 0o755] {
        for time in [THEN, FileTime::At(1_700_000_000), FileTime::Now] {
            let file = file(content, mode, time);
            let blob = make(&store, &file, content);
            let facts = fs::metadata(store.path(&blob)).expect("the blob");
            assert_eq!(facts.mode() & 0o7777, mode);
            if let FileTime::At(seconds) = time {
                assert_eq!((facts.mtime(), facts.mtime_nsec()), (seconds, 0));
            }
            assert!(inodes.insert(facts.ino()));
            let again = make(&store, &file, content);
            let again = fs::metadata(store.path(&again)).expect("again");
            assert_eq!(again.ino(), facts.ino());
            assert_eq!(blob.can_be_linked(), time != FileTime::Now);
        }
    }
}

#[test]
fn where_blocks_can_be_shared_a_content_is_stored_once() {
    let (_dir, mut store) = store();
    store.set_keeps_contents(true);
    let one = file(b"x", 0o644, THEN);
    let other = file(b"x", 0o755, FileTime::Now);
    store.ensure(&one, b"x").expect("stored");
    store.ensure(&other, b"x").expect("stored");
    assert_eq!(store.stored(&one), store.stored(&other));
    assert!(is_sealed(&store, &store.stored(&one)));
    assert!(!store.stored(&one).can_be_linked());
    let facts = fs::metadata(store.path(&store.stored(&one))).expect("the content");
    assert_eq!(facts.mode() & 0o333, 0, "nobody writes it");
    assert!(!is_sealed(&store, &store.linkable(&one)));
}

#[test]
fn names_come_back_as_blobs() {
    let (_dir, store) = store();
    for (mode, time) in [
        (0o644, THEN),
        (0o600, FileTime::Now),
        (0o755, FileTime::At(-1)),
    ] {
        let blob = store.linkable(&file(b"abc", mode, time));
        assert_eq!(Blob::parse(blob.name(), 3), Some(blob));
    }
    let content = Blob::content(&Digest::of(b"abc"), 3);
    assert_eq!(Blob::parse(content.name(), 3), Some(content.clone()));
    let name = content.name();
    for bad in [
        format!("{name}-"),
        format!("{name}-644"),
        format!("{name}-644-"),
        format!("{name}-0644-1"),
        format!("{name}-644-+1"),
        format!("{name}-644-1-2"),
        format!("{name}-999-1"),
        name.to_uppercase(),
        name.replace('/', ""),
        "ab/cd-644-1".to_owned(),
    ] {
        assert_eq!(Blob::parse(&bad, 3), None, "{bad}");
    }
}

#[test]
fn torn_and_edited_blobs_are_noticed_and_replaced() {
    let (_dir, store) = store();
    let content = b"<?php echo 1;\n";
    let file = file(content, 0o644, THEN);
    let blob = make(&store, &file, content);
    let path = store.path(&blob);
    assert!(is_sealed(&store, &blob));

    let damages: [fn(&Path); 7] = [
        |path| fs::write(path, b"").expect("torn by a power loss"),
        |path| fs::write(path, b"<?php echo 2;\n").expect("edited, same size"),
        |path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("chmod"),
        |path| {
            File::open(path)
                .and_then(|f| f.set_modified(std::time::SystemTime::now()))
                .expect("touched");
        },
        |path| {
            fs::remove_file(path).expect("removed");
            fs::create_dir_all(path.join("inside")).expect("a directory");
        },
        |path| {
            fs::remove_file(path).expect("removed");
            std::os::unix::fs::symlink("/dev/zero", path).expect("a link");
        },
        |path| {
            let shard = path.parent().expect("a shard");
            fs::remove_dir_all(shard).expect("removed");
            fs::write(shard, "").expect("a file");
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        damage(&path);
        assert!(!is_sealed(&store, &blob), "{number}");
        store.ensure(&file, content).expect("healed");
        assert!(is_sealed(&store, &blob), "{number}");
        assert_eq!(fs::read(&path).expect("content"), content);
    }
}

/// A blob that a process is writing never has a seal, whatever its final time is.
#[test]
fn a_blob_that_is_being_written_is_waited_for_and_a_torn_one_is_not_for_long() {
    let (_dir, store) = store();
    let file = file(b"half and half", 0o644, THEN);
    let blob = store.linkable(&file);
    let path = store.path(&blob);
    let (begun, is_begun) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let fill = |target: &mut File| {
                target.write_all(b"half")?;
                begun.send(()).expect("told");
                std::thread::sleep(Duration::from_millis(50));
                target.write_all(b" and half")
            };
            store.write_new(&path, &blob, fill).expect("written");
        });
        is_begun.recv().expect("begun");
        assert!(!is_sealed(&store, &blob));
        assert!(matches!(store.settled_state(&blob), BlobState::Sealed(_)));
        writer.join().expect("written");
    });
    fs::set_permissions(&path, fs::Permissions::from_mode(0o200)).expect("torn");
    assert!(matches!(store.settled_state(&blob), BlobState::Unsealed(_)));
}

#[test]
fn a_quarantined_blob_is_gone_from_its_place_but_kept() {
    let (dir, store) = store();
    let blob = make(&store, &file(b"x", 0o644, THEN), b"x");
    store.quarantine_blob(&blob).expect("moved");
    assert_eq!(store.state(&blob), BlobState::Missing);
    let kept = fs::read_dir(dir.path().join("quarantine")).expect("list");
    assert_eq!(kept.count(), 1);
    store.quarantine_blob(&blob).expect("a second time is fine");
}

#[test]
fn renewing_changes_the_inode_and_nothing_else() {
    let (_dir, store) = store();
    let blob = make(&store, &file(b"licence", 0o644, THEN), b"licence");
    let path = store.path(&blob);
    // A second name keeps the old inode alive, or its number might be given out again.
    fs::hard_link(&path, store.temporary()).expect("a link");
    let before = fs::metadata(&path).expect("before").ino();
    assert!(store.renew(&blob).expect("renewed"));
    assert_ne!(fs::metadata(&path).expect("after").ino(), before);
    assert!(is_sealed(&store, &blob));
    // A blob with the wrong content is not renewed.
    fs::write(&path, b"LICENCE").expect("edited");
    assert!(!store.renew(&blob).expect("looked at"));
    assert_eq!(fs::read(&path).expect("left alone"), b"LICENCE");
}

#[test]
fn a_lost_seal_is_put_back() {
    let (_dir, store) = store();
    let blob = make(&store, &file(b"x", 0o640, THEN), b"x");
    let path = store.path(&blob);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
    let touch = File::open(&path).expect("opened");
    touch
        .set_modified(std::time::SystemTime::now())
        .expect("touched");
    assert!(!is_sealed(&store, &blob));
    store.reseal(&blob).expect("sealed");
    assert!(is_sealed(&store, &blob));
}

#[test]
fn a_blob_is_made_from_a_sound_sibling() {
    let (_dir, store) = store();
    let wanted = store.linkable(&file(b"content", 0o644, THEN));
    assert!(!store.ensure_linkable(&wanted).expect("looked for"));
    let sibling = make(&store, &file(b"content", 0o600, FileTime::Now), b"content");
    assert!(store.ensure_linkable(&wanted).expect("made"));
    assert!(is_sealed(&store, &wanted));
    // A sibling that only looks sound is not trusted.
    fs::remove_file(store.path(&wanted)).expect("removed");
    let path = store.path(&sibling);
    fs::write(&path, b"CONTENT").expect("edited");
    store.reseal(&sibling).expect("time put back");
    assert!(!store.ensure_linkable(&wanted).expect("looked at"));
    assert_eq!(store.state(&wanted), BlobState::Missing);
}
