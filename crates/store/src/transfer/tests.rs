use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use foldhash::fast::RandomState;
use sha2::{Digest as _, Sha256};

use super::format::place;
use super::*;
use crate::link::Strategy;
use crate::testing::{Package, unpacking, zone};
use crate::{Digest, Manifest, PruneOptions, Store};
use allegro_base::error::{Error, Result};
use allegro_composer::ManifestKey;

fn packages() -> [Package; 3] {
    [
        Package::of("a/a", "1", &[b"shared", b"of a", b""]),
        Package::of("b/b", "1", &[b"shared", &[b'x'; 9_000]]),
        Package::of("c/c", "1", &[]),
    ]
}

fn keys() -> Vec<ManifestKey> {
    packages().iter().map(|package| package.key).collect()
}

fn store(dir: &Path, keeps_contents: bool) -> Store {
    let mut store = Store::open(dir).expect("a store");
    store.set_keeps_contents(keeps_contents);
    store
}

fn exported(keeps_contents: bool) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = store(dir.path(), keeps_contents);
    for package in packages() {
        package.store(&store);
    }
    let mut bytes = Vec::new();
    let told = store.export(&keys(), &mut bytes).expect("exported");
    assert_eq!((told.packages, told.contents, told.bytes), (3, 4, 9_010));
    bytes
}

fn import(store: &Store, input: impl Read) -> Result<Imported> {
    let zone = zone();
    store.import(input, unpacking(&zone), &AtomicBool::new(false))
}

/// Everything in the store that counts, with the content.
fn content(store: &Store) -> HashMap<PathBuf, Vec<u8>> {
    let mut found = HashMap::new();
    let mut paths = vec![store.root().to_owned()];
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory").flatten();
            paths.extend(entries.map(|entry| entry.path()));
        } else {
            let content = fs::read(&path).expect("a file");
            found.insert(path, content);
        }
    }
    found
}

/// Imports what nothing may be left of, and returns the error.
#[track_caller]
fn refused(store: &Store, input: impl Read) -> Error {
    let before = content(store);
    let error = import(store, input).expect_err("refused");
    assert_eq!(content(store), before, "{error}");
    error
}

#[test]
fn packages_come_from_one_store_into_another() {
    for (from, to) in [(false, false), (false, true), (true, false), (true, true)] {
        let bytes = exported(from);
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = store(&dir.path().join("store"), to);
        let told = import(&store, &*bytes).expect("imported");
        assert_eq!((told.packages, told.known), (3, 0));
        assert_eq!((told.contents, told.bytes), (4, 9_010));
        assert_eq!(store.usage().blobs, 4, "an install needs no others");
        assert!(store.verify().is_sound());
        for package in packages() {
            let project = dir.path().join("project");
            // No reflinks, because the file system of the tests may have none.
            let linked = package.link(&store, &project, Strategy::Copy);
            let linked = linked.expect("linked");
            assert_eq!(linked.files, package.contents.len() as u64);
            for (number, content) in package.contents.iter().enumerate() {
                let name = format!("vendor/{}/src/{number}.php", package.name);
                assert_eq!(&fs::read(project.join(name)).expect("a file"), content);
            }
        }
        let again = import(&store, &*bytes).expect("imported");
        assert_eq!((again.packages, again.known, again.contents), (0, 3, 0));
        assert_eq!(
            fs::read_dir(store.root().join("tmp")).expect("tmp").count(),
            0
        );
        // What was exported from an import is the same, byte for byte.
        let mut other = Vec::new();
        store.export(&keys(), &mut other).expect("exported");
        assert_eq!(other, bytes);
    }
}

#[test]
fn an_import_heals_what_the_store_has_lost() {
    let bytes = exported(false);
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = store(dir.path(), false);
    import(&store, &*bytes).expect("imported");
    let blobs = store.blob_paths(&mut Vec::new());
    fs::remove_file(&blobs[0]).expect("removed");
    fs::remove_dir_all(blobs[1].parent().expect("a shard")).expect("removed");
    fs::remove_file(&blobs[2]).expect("removed");
    fs::write(&blobs[2], "torn").expect("torn");
    let told = import(&store, &*bytes).expect("imported");
    assert_eq!((told.packages, told.known, told.contents), (0, 3, 3));
    assert!(store.verify().is_sound());
    assert_eq!(store.usage().blobs, 4);
}

/// A store keeps its own package where an export has another one under the same key.
#[test]
fn a_known_package_stays_as_it_is() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = store(dir.path(), false);
    let own = Package::of("a/a", "1", &[b"own"]);
    own.store(&store);
    let told = import(&store, &*exported(false)).expect("imported");
    assert_eq!((told.packages, told.known), (2, 1));
    let manifest = store.read_manifest(&own.key).expect("read");
    assert_eq!(manifest, Some(own.manifest));
    assert!(store.verify().is_sound());
}

/// A full disk.
struct Full;
impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file on a disk that fails.
struct Failing<'a>(&'a [u8]);
impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Ok(0) => Err(io::Error::other("the disk fails")),
            other => other,
        }
    }
}

#[test]
fn an_export_needs_sound_files() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = store(dir.path(), false);
    let [a, b, _] = packages();
    a.store(&store);
    let error = store.export(&keys(), io::sink()).expect_err("a package");
    assert_eq!(error.code(), "input");
    b.store(&store);
    let blob = store.blob_paths(&mut Vec::new()).pop().expect("a blob");
    let length = fs::metadata(&blob).expect("a blob").len();
    fs::remove_file(&blob).expect("removed");
    fs::write(&blob, vec![b'?'; usize::try_from(length).expect("a size")]).expect("written");
    let error = store
        .export(&[a.key, b.key], io::sink())
        .expect_err("a file");
    assert_eq!(error.code(), "integrity");
    a.store(&store);
    let error = store.export(&[a.key], Full).expect_err("no room");
    assert!(error.to_string().contains("can't be written"), "{error}");
}

#[test]
fn a_torn_or_changed_export_is_refused_as_a_whole() {
    let bytes = exported(false);
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = store(dir.path(), false);
    let before = content(&store);
    for length in 0..bytes.len() {
        import(&store, &bytes[..length]).expect_err("torn");
    }
    assert_eq!(content(&store), before);
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1 << (at % 8);
        // zstd ignores some bits of its header. What is accepted then is right.
        if import(&store, &*other).is_ok() {
            assert!(store.verify().is_sound(), "{at}");
            assert_eq!(store.usage().manifests, 3);
            let options = PruneOptions::default();
            store.prune(&options, &|_| true).expect("pruned");
            let _ = fs::remove_file(store.root().join("gate"));
        }
    }
    assert_eq!(content(&store), before);
    let error = refused(&store, &*[&bytes[..], b"x"].concat());
    assert!(error.to_string().contains("follows"), "{error}");
    let error = refused(&store, &b"PK\x03\x04 something else"[..]);
    assert!(error.to_string().contains("no export"), "{error}");
    let error = refused(&store, &*[b"ALPACK02", &bytes[8..]].concat());
    assert!(error.to_string().contains("another version"), "{error}");
    let error = refused(&store, Failing(&bytes[..bytes.len() / 2]));
    assert!(error.to_string().contains("the disk fails"), "{error}");
}

/// Writes an export by hand.
struct Forger(Vec<u8>, Sha256);

impl Forger {
    fn new() -> Self {
        Self(Vec::new(), Sha256::new())
    }

    fn summed(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.1.update(bytes);
        self
    }

    fn package(self, key: &ManifestKey, manifest: &Manifest) -> Self {
        let record = crate::Record::Manifest.encode(&place(key), manifest);
        let length = u32::try_from(record.len()).expect("a length");
        self.summed(&[1])
            .summed(&crate::manifest::raw(key).expect("a key"))
            .summed(&length.to_le_bytes())
            .summed(&record)
    }

    fn content(self, digest: &Digest, size: u64, content: &[u8]) -> Self {
        let mut forger = self
            .summed(&[2])
            .summed(&digest.0)
            .summed(&size.to_le_bytes());
        forger.0.extend_from_slice(content);
        forger
    }

    fn end(self, packages: u64, contents: u64) -> Vec<u8> {
        let mut forger = self
            .summed(&[0])
            .summed(&packages.to_le_bytes())
            .summed(&contents.to_le_bytes());
        let sum = forger.1.finalize();
        forger.0.extend_from_slice(&sum);
        let packed = zstd::encode_all(&*forger.0, 3).expect("packed");
        [&MAGIC[..], &packed].concat()
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn a_hostile_export_is_refused() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = store(dir.path(), false);
    let package = Package::of("a/a", "1", &[b"one"]);
    let (key, manifest) = (package.key, package.manifest.clone());
    let other = Package::of("a/a", "2", &[b"one"]).key;
    let one = Digest::of(b"one");
    let changed = |change: &dyn Fn(&mut Manifest)| {
        let mut manifest = manifest.clone();
        change(&mut manifest);
        manifest
    };
    let path = |path: &str| changed(&|manifest| path.clone_into(&mut manifest.items[0].path));
    let sized = |size| {
        changed(&|manifest| {
            manifest.items[0].kind = crate::ItemKind::File { digest: one, size };
        })
    };
    let begun = || Forger::new().package(&key, &manifest);
    let with = |manifest: &Manifest| Forger::new().package(&key, manifest);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        (
            "not what its key",
            with(&path("../../etc/x"))
                .content(&one, 3, b"one")
                .end(1, 1),
        ),
        (
            "not what its key",
            with(&path("/etc/x")).content(&one, 3, b"one").end(1, 1),
        ),
        (
            "not what its digest",
            begun().content(&one, 3, b"two").end(1, 1),
        ),
        (
            "no package names",
            begun().content(&one, 4, b"one!").end(1, 1),
        ),
        (
            "no package names",
            begun()
                .content(&one, 3, b"one")
                .content(&one, 3, b"one")
                .end(1, 2),
        ),
        (
            "no package names",
            Forger::new().content(&one, 3, b"one").end(0, 1),
        ),
        ("lacks files", begun().end(1, 0)),
        ("lost parts", begun().content(&one, 3, b"one").end(2, 1)),
        ("lost parts", begun().content(&one, 3, b"one").end(1, 2)),
        (
            "twice",
            begun()
                .package(&key, &manifest)
                .content(&one, 3, b"one")
                .end(2, 1),
        ),
        (
            "two sizes",
            begun()
                .package(&other, &sized(4))
                .content(&one, 3, b"one")
                .end(2, 1),
        ),
        (
            "too early",
            with(&sized(1 << 30))
                .content(&one, 1 << 30, b"one")
                .end(1, 1),
        ),
        (
            "order",
            begun()
                .content(&one, 3, b"one")
                .package(&other, &manifest)
                .end(2, 1),
        ),
        ("order", Forger::new().summed(&[7]).end(0, 0)),
        (
            "larger",
            Forger::new()
                .summed(&[1])
                .summed(&[0; 32])
                .summed(&[255; 4])
                .end(1, 0),
        ),
        ("checksum", {
            let mut forger = begun();
            forger.1.update([0]);
            forger.content(&one, 3, b"one").end(1, 1)
        }),
    ];
    for (word, bytes) in cases {
        let error = refused(&store, &*bytes);
        assert_eq!(error.code(), "integrity", "{error}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    // The sizes are known before the first byte is written.
    let huge = with(&sized(u64::MAX))
        .content(&one, u64::MAX, b"one")
        .end(1, 1);
    let error = refused(&store, &*huge);
    assert!(error.is_full(), "{error}");
}

/// A small file must not fill the disk.
#[test]
fn a_file_that_shrinks_too_well_is_refused() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = store(dir.path(), false);
    let content = vec![0; 5 << 20];
    let package = Package::of("a/a", "1", &[&content]);
    let bytes = Forger::new()
        .package(&package.key, &package.manifest)
        .content(&Digest::of(&content), content.len() as u64, &content)
        .end(1, 1);
    assert!(bytes.len() < 20_000, "{}", bytes.len());
    let error = refused(&store, &*bytes);
    assert!(error.to_string().contains("shrinks"), "{error}");
}

#[test]
fn an_import_can_be_stopped() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = store(dir.path(), false);
    let before = content(&store);
    let zone = zone();
    let error = store
        .import(&*exported(false), unpacking(&zone), &AtomicBool::new(true))
        .expect_err("stopped");
    assert_eq!(error.code(), "interrupted");
    assert_eq!(content(&store), before);
}

/// A file with two modes needs an inode for each.
#[test]
fn a_content_gets_all_its_modes() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let from = store(&dir.path().join("from"), true);
    let mut package = Package::of("a/a", "1", &[b"one", b"one"]);
    package.manifest.items[1].mode = allegro_archive::Mode::Exact(0o755);
    package.store(&from);
    let mut bytes = Vec::new();
    from.export(&[package.key], &mut bytes).expect("exported");
    let to = store(&dir.path().join("to"), false);
    import(&to, &*bytes).expect("imported");
    assert_eq!(to.usage().blobs, 2);
    assert!(to.verify().is_sound());
}

/// Takes an export without keeping it.
struct Nowhere;

impl Receiver for Nowhere {
    fn package(&mut self, _: ManifestKey, _: Vec<u8>, _: Manifest) -> Result<()> {
        Ok(())
    }
    fn contents_follow(&mut self, _: &HashMap<Digest, u64, RandomState>) -> Result<()> {
        Ok(())
    }
    fn begin(&mut self, _: &Digest, _: u64) -> Result<()> {
        Ok(())
    }
    fn data(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }
    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_large_content_is_streamed() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = store(dir.path(), false);
    let mut large = vec![0; 1 << 20];
    fastrand::Rng::with_seed(1).fill(&mut large);
    let package = Package::of("a/a", "1", &[&large]);
    package.store(&store);
    let path = dir.path().join("export");
    let file = File::create(&path).expect("a file");
    store.export(&[package.key], file).expect("exported");
    read(File::open(&path).expect("a file"), &mut Nowhere).expect("read");
}
