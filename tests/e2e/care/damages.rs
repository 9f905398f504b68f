//! Damages vendor in random ways. The check must find each damage and mend it.
//!
//! `ALLEGRO_TEST_SEED` and `ALLEGRO_TEST_CARE_ROUNDS` set the first seed and the number of rounds.

use std::collections::BTreeSet;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use allegro_registry::Rng;

use super::{findings, installed, verify};
use crate::support::snapshot::{Moment, Node};
use crate::support::{Scene, Snapshot, diff};

/// The first seed of a plain test run.
const FIRST_SEED: u64 = 5000;

/// The number of rounds that a plain test run plays.
const ROUNDS: u64 = 3;

/// The number of damages of each kind in a round.
const EACH: usize = 4;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.trim().parse().ok()
}

/// A kind of damage in a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Longer,
    Content,
    /// The content changes, and size and time stay.
    Hidden,
    Time,
    Missing,
    MissingDirectory,
    Added,
    Mode,
    Owner,
    Link,
    FileForDirectory,
    DirectoryForFile,
}

const KINDS: [Kind; 12] = [
    Kind::Longer,
    Kind::Content,
    Kind::Hidden,
    Kind::Time,
    Kind::Missing,
    Kind::MissingDirectory,
    Kind::Added,
    Kind::Mode,
    Kind::Owner,
    Kind::Link,
    Kind::FileForDirectory,
    Kind::DirectoryForFile,
];

impl Kind {
    fn aspect(self) -> &'static str {
        match self {
            Self::Longer | Self::Content | Self::Hidden | Self::Time => "changed",
            Self::Missing | Self::MissingDirectory => "missing",
            Self::Added => "added",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Link => "link",
            Self::FileForDirectory | Self::DirectoryForFile => "kind",
        }
    }
}

/// The vendor directory as it was installed.
struct Vendor {
    root: PathBuf,
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
    links: Vec<PathBuf>,
    /// Inodes that several files of vendor share.
    shared: BTreeSet<u64>,
}

impl Vendor {
    /// Lists what lies in packages.
    fn of(scene: &Scene) -> Self {
        let root = scene.project().join("vendor");
        let mut vendor = Self {
            files: Vec::new(),
            directories: Vec::new(),
            links: Vec::new(),
            shared: BTreeSet::new(),
            root: root.clone(),
        };
        let text = fs::read_to_string(root.join("composer/installed.json")).expect("records");
        let records: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        for package in records["packages"].as_array().expect("packages") {
            if let Some(place) = package["install-path"].as_str() {
                vendor.list(
                    &root
                        .join("composer")
                        .join(place)
                        .canonicalize()
                        .expect("a package"),
                );
            }
        }
        let mut seen = BTreeSet::new();
        for path in &vendor.files {
            let inode = fs::metadata(path).expect("facts").ino();
            if !seen.insert(inode) {
                vendor.shared.insert(inode);
            }
        }
        vendor
    }

    fn list(&mut self, directory: &Path) {
        let mut entries: Vec<_> = fs::read_dir(directory).expect("list").flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
            if kind.is_dir() {
                self.list(&path);
                self.directories.push(path);
            } else if kind.is_symlink() {
                self.links.push(path);
            } else {
                self.files.push(path);
            }
        }
    }
}

/// Chooses paths that don't lie in each other.
#[derive(Default)]
struct Taken(BTreeSet<PathBuf>);

impl Taken {
    fn take(&mut self, random: &mut Rng, paths: &[PathBuf]) -> Option<PathBuf> {
        for _ in 0..50 {
            if paths.is_empty() {
                return None;
            }
            let path = random.pick(paths);
            let is_free = !self
                .0
                .iter()
                .any(|other| other.starts_with(path) || path.starts_with(other));
            if is_free {
                self.0.insert(path.clone());
                return Some(path.clone());
            }
        }
        None
    }
}

/// Gives a file an inode of its own, so that the store's stays sound.
fn unlink(path: &Path) {
    let copy = path.with_extension("copy-of-test");
    let facts = fs::symlink_metadata(path).expect("facts");
    if facts.is_file() {
        fs::copy(path, &copy).expect("copied");
        chown(&copy, Some(facts.uid()), Some(facts.gid())).expect("chown");
        let times = FileTimes::new().set_modified(facts.modified().expect("a time"));
        File::open(&copy)
            .expect("open")
            .set_times(times)
            .expect("times");
        fs::rename(&copy, path).expect("renamed");
    }
}

fn edit(path: &Path, random: &mut Rng) {
    let mut bytes = fs::read(path).expect("read");
    let place = random.below(bytes.len());
    bytes[place] ^= 1;
    fs::write(path, bytes).expect("written");
}

/// Does a damage, and returns the path that must be found.
fn damage(kind: Kind, vendor: &Vendor, taken: &mut Taken, random: &mut Rng) -> Option<PathBuf> {
    let list = match kind {
        Kind::MissingDirectory | Kind::FileForDirectory | Kind::Added => &vendor.directories,
        Kind::Link => &vendor.links,
        _ => &vendor.files,
    };
    let path = taken.take(random, list)?;
    let facts = fs::symlink_metadata(&path).expect("facts");
    let is_file = facts.is_file();
    if is_file && facts.len() == 0 && matches!(kind, Kind::Content | Kind::Hidden) {
        return None;
    }
    // An edit through a hard link changes the store too, which must be noticed as well.
    if is_file && (random.percent(70) || vendor.shared.contains(&facts.ino())) {
        unlink(&path);
    }
    match kind {
        Kind::Longer => {
            let mut bytes = fs::read(&path).expect("read");
            bytes.extend_from_slice(b"more");
            fs::write(&path, bytes).expect("written");
        }
        Kind::Content => edit(&path, random),
        Kind::Hidden => {
            edit(&path, random);
            let times = FileTimes::new().set_modified(facts.modified().expect("a time"));
            File::open(&path)
                .expect("open")
                .set_times(times)
                .expect("times");
        }
        Kind::Time => {
            // A file that has got the time of its installation may have any time.
            if facts.mtime_nsec() != 0 {
                return None;
            }
            let time = facts.modified().expect("a time") + std::time::Duration::from_secs(7);
            let times = FileTimes::new().set_modified(time);
            File::open(&path)
                .expect("open")
                .set_times(times)
                .expect("times");
        }
        Kind::Missing => fs::remove_file(&path).expect("removed"),
        Kind::MissingDirectory => fs::remove_dir_all(&path).expect("removed"),
        Kind::Added => {
            let path = path.join("added-by-test");
            fs::write(&path, "added").expect("written");
            return Some(path);
        }
        Kind::Mode => {
            let mode = facts.mode() ^ [0o100, 0o020, 0o004][random.below(3)];
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
        }
        Kind::Owner => chown(&path, Some(4242), None).expect("chown"),
        Kind::Link => {
            fs::remove_file(&path).expect("removed");
            symlink("elsewhere", &path).expect("linked");
        }
        Kind::FileForDirectory => {
            fs::remove_dir_all(&path).expect("removed");
            fs::write(&path, "a file").expect("written");
        }
        Kind::DirectoryForFile => {
            fs::remove_file(&path).expect("removed");
            fs::create_dir(&path).expect("made");
        }
    }
    Some(path)
}

fn shown(scene: &Scene, path: &Path) -> String {
    path.strip_prefix(scene.project())
        .expect("below")
        .display()
        .to_string()
}

/// Damages packages in one round: all damages are found, mended, and the tree is as it was.
fn play_packages(scene: &Scene, before: &Snapshot, vendor: &Vendor, seed: u64) -> usize {
    let mut random = Rng::new(seed);
    let mut taken = Taken::default();
    let is_root = rustix::process::geteuid().is_root();
    let mut expected: Vec<(String, String)> = Vec::new();
    let mut hidden = Vec::new();
    for kind in KINDS
        .into_iter()
        .filter(|kind| is_root || *kind != Kind::Owner)
    {
        let each = if matches!(kind, Kind::MissingDirectory | Kind::FileForDirectory) {
            1
        } else {
            EACH
        };
        for _ in 0..each {
            let Some(path) = damage(kind, vendor, &mut taken, &mut random) else {
                continue;
            };
            let finding = (shown(scene, &path), kind.aspect().to_owned());
            // A file that has got the time of its installation is read in any case.
            if kind == Kind::Hidden && fs::metadata(&path).expect("facts").mtime_nsec() == 0 {
                hidden.push(finding.clone());
            }
            expected.push(finding);
        }
    }
    let (exit, report) = verify(scene, &["--content"]);
    let found = findings(&report);
    for finding in &expected {
        assert!(
            found.contains(finding),
            "seed {seed}: {finding:?} is not in {found:?}"
        );
    }
    assert_eq!(exit, 1, "seed {seed}");
    // Nothing else is found, but for an owner that comes with a copied file.
    assert_eq!(
        found.len(),
        expected.len(),
        "seed {seed}: {expected:?} and {found:?}"
    );
    let (_, report) = verify(scene, &[]);
    let quick = findings(&report);
    for finding in &expected {
        let is_seen = !hidden.contains(finding);
        assert_eq!(quick.contains(finding), is_seen, "seed {seed}: {finding:?}");
    }
    let (exit, report) = verify(scene, &["--content", "--fix", "--clean"]);
    assert_eq!(
        (exit, findings(&report)),
        (0, Vec::new()),
        "seed {seed}: {report}"
    );
    let (exit, report) = verify(scene, &["--content"]);
    assert_eq!(
        (exit, findings(&report)),
        (0, Vec::new()),
        "seed {seed}: {report}"
    );
    let rest = diff(before, &scene.snapshot());
    assert_eq!(rest, "", "seed {seed}");
    expected.len()
}

/// Damages a few generated files in one round.
fn play_generated(scene: &Scene, before: &Snapshot, seed: u64) -> usize {
    let mut random = Rng::new(seed ^ 0x9e37_79b9);
    let vendor = scene.project().join("vendor");
    let mut files: Vec<PathBuf> = fs::read_dir(vendor.join("composer"))
        .expect("list")
        .chain(fs::read_dir(vendor.join("bin")).expect("list"))
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .chain([vendor.join("autoload.php")])
        .collect();
    files.sort();
    // Of files that bear witness of each other, one stays.
    let groups = [
        &["installed.json", "installed.php"][..],
        &["autoload.php", "autoload_real.php", "autoload_static.php"],
    ];
    for group in groups {
        let chosen = random.below(group.len());
        let spared: Vec<&str> = if group.len() == 2 {
            vec![group[chosen]]
        } else {
            let others = (0..group.len()).filter(|place| *place != chosen);
            others.map(|place| group[place]).collect()
        };
        files.retain(|path| !spared.iter().any(|name| path.ends_with(name)));
    }
    random.shuffle(&mut files);
    let mut expected = Vec::new();
    for path in files.iter().take(4) {
        let facts = fs::metadata(path).expect("facts");
        let aspect = match random.below(4) {
            0 => {
                edit(path, &mut random);
                "changed"
            }
            1 => {
                fs::remove_file(path).expect("removed");
                "missing"
            }
            2 => {
                let mode = fs::Permissions::from_mode(facts.mode() ^ 0o020);
                fs::set_permissions(path, mode).expect("chmod");
                "mode"
            }
            _ if rustix::process::geteuid().is_root() => {
                chown(path, Some(4242), None).expect("chown");
                "owner"
            }
            _ => continue,
        };
        expected.push((shown(scene, path), aspect.to_owned()));
    }
    let (exit, report) = verify(scene, &[]);
    let found = findings(&report);
    for finding in &expected {
        assert!(
            found.contains(finding),
            "seed {seed}: {finding:?} is not in {report}"
        );
    }
    assert_eq!(exit, i32::from(!expected.is_empty()), "seed {seed}");
    assert_eq!(
        found.len(),
        expected.len(),
        "seed {seed}: {expected:?} and {report}"
    );
    let (exit, report) = verify(scene, &["--fix"]);
    assert_eq!(
        (exit, findings(&report)),
        (0, Vec::new()),
        "seed {seed}: {report}"
    );
    let (exit, _) = verify(scene, &[]);
    assert_eq!(exit, 0, "seed {seed}");
    // Composer's own files have its time, which a file that is written anew has not.
    let rest = diff(&contents(before), &contents(&scene.snapshot()));
    assert_eq!(rest, "", "seed {seed}");
    expected.len()
}

/// Returns a snapshot in which no time counts.
fn contents(tree: &Snapshot) -> Snapshot {
    let mut tree = tree.clone();
    for node in tree.nodes.values_mut() {
        if let Node::Dir(_, facts) | Node::File(.., facts) | Node::Link(_, facts) = node {
            facts.time = Moment::Now;
        }
    }
    tree
}

#[test]
fn each_damage_is_found_and_mended() {
    let Some(scene) = installed(&["install"]) else {
        return;
    };
    scene.unwatched("files of vendor are damaged, also through hard links");
    let (before, vendor) = (scene.snapshot(), Vendor::of(&scene));
    assert!(vendor.links.len() >= 2 && vendor.root.is_dir());
    let first = number("ALLEGRO_TEST_SEED").unwrap_or(FIRST_SEED);
    let rounds = number("ALLEGRO_TEST_CARE_ROUNDS").unwrap_or(ROUNDS);
    let (mut packages, mut generated) = (0, 0);
    for seed in first..first + rounds {
        println!("care: ALLEGRO_TEST_SEED={seed} ALLEGRO_TEST_CARE_ROUNDS=1");
        packages += play_packages(&scene, &before, &vendor, seed);
        generated += play_generated(&scene, &before, seed);
    }
    println!("care: {packages} damages of packages and {generated} of generated files");
}
