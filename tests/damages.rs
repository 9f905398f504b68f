//! Random damages of a whole store, through the library: never a wrong file in a package that is said to be ready,
//! never a hang, a store that is sound after one more run, and `verify` names what it finds.
//!
//! * `ALLEGRO_TEST_DAMAGE_ROUNDS`: how many rounds; hard links, the best method and copies take turns
//! * `ALLEGRO_TEST_SEED`: the seed of the first round

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::expect_used,
    missing_docs
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use allegro::ops::prepare;
use allegro::protocol::dist::Dist;
use allegro::protocol::http::HttpOptions;
use allegro::protocol::prepare::{
    PackageAnswer, PackageOutcome, PackageRequest, PrepareAnswer, PrepareRequest,
};
use allegro::protocol::settings::Overrides;
use allegro::protocol::store::Method;
use allegro::settings::Environment;
use allegro_base::report::Silent;
use allegro_registry::{Catalog, GenSpec, Rng};
use allegro_store::Store;
use sha2::{Digest as _, Sha256};

const ROUNDS: u64 = 100;
const FIRST_SEED: u64 = 1_000;
/// What is younger has the time of its installation: archives are older by years.
const NEW: Duration = Duration::from_secs(24 * 60 * 60);
const HANGS: Duration = Duration::from_secs(60);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.trim().parse().ok()
}

/// Everything below a directory: kind, mode, time unless it is that of the installation, content.
type Tree = BTreeMap<PathBuf, (u32, i64, Vec<u8>)>;

fn tree(dir: &Path) -> Tree {
    let mut found = Tree::new();
    read(dir, dir, &mut found);
    found
}

fn read(top: &Path, dir: &Path, found: &mut Tree) {
    for entry in fs::read_dir(dir).expect("a directory").flatten() {
        let path = entry.path();
        let facts = entry.metadata().expect("an entry");
        let content = if facts.is_dir() {
            read(top, &path, found);
            Vec::new()
        } else if facts.is_symlink() {
            let target = fs::read_link(&path).expect("a link");
            target.as_os_str().as_encoded_bytes().to_vec()
        } else {
            Sha256::digest(fs::read(&path).expect("a file")).to_vec()
        };
        let is_new = facts
            .modified()
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age < NEW));
        let time = if facts.is_symlink() || is_new {
            -1
        } else {
            facts.mtime()
        };
        let name = path.strip_prefix(top).expect("below").to_owned();
        found.insert(name, (facts.mode(), time, content));
    }
}

/// Regular files below a directory, in order.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    names.sort();
    let mut found = Vec::new();
    for path in names {
        let facts = fs::symlink_metadata(&path).expect("an entry");
        if facts.is_dir() {
            found.extend(files(&path));
        } else if facts.is_file() {
            found.push(path);
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status()
        .expect("cp starts");
    assert!(status.success());
}

/// Packages in Composer's archive cache, a warm store, and what the packages are unpacked to.
struct World {
    dir: tempfile::TempDir,
    packages: Vec<PackageRequest>,
    expected: Vec<Tree>,
    runs: u32,
}

impl World {
    fn new() -> Self {
        // A store has hundreds of directories, and each round makes it anew.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        }
        .expect("a directory");
        let catalog = Catalog::generated(&GenSpec {
            files: 30,
            dirs: 10,
            bytes: 120_000,
            ..GenSpec::custom(4)
        });
        let mut packages = Vec::new();
        for (id, package) in catalog.packages().iter().enumerate() {
            let archive = catalog
                .archive(package, package.format)
                .expect("an archive");
            let path = dir.path().join(format!("cache-{id}.zip"));
            fs::write(&path, archive.bytes().expect("its bytes")).expect("written");
            packages.push(PackageRequest {
                id,
                name: package.spec.name.clone(),
                version: package.spec.version.clone(),
                dist: Dist {
                    name: package.spec.name.clone(),
                    kind: package.format.dist_type().to_owned(),
                    url: format!("https://example.org/{id}.zip"),
                    reference: Some(package.spec.reference.clone()),
                    shasum: None,
                    custom_cache_key: None,
                },
                path: None,
                archive: Some(path),
                archive_writable: true,
                use_store: true,
                want_archive: false,
                fetch: None,
                private: id == 0,
                bins: Vec::new(),
                shares_bins: false,
                stage: None,
                plain_modes: false,
            });
        }
        let mut world = Self {
            dir,
            packages,
            expected: Vec::new(),
            runs: 0,
        };
        let (staged, answer) = world.run("auto");
        for package in &answer.packages {
            let PackageOutcome::Ready { stage, .. } = &package.outcome else {
                panic!("{package:?}");
            };
            world.expected.push(tree(stage));
        }
        fs::remove_dir_all(staged).expect("removed");
        // A second umask makes other blobs of the same contents.
        let (staged, _) = world.run_under("hardlink", 0o077);
        fs::remove_dir_all(staged).expect("removed");
        copy(&world.store(), &world.pristine());
        world
    }

    fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn pristine(&self) -> PathBuf {
        self.dir.path().join("pristine")
    }

    fn outside(&self) -> PathBuf {
        self.dir.path().join("outside")
    }

    fn reset(&self) {
        let _ = fs::remove_dir_all(self.store());
        copy(&self.pristine(), &self.store());
        let _ = fs::remove_dir_all(self.outside());
        fs::create_dir_all(self.outside().join("directory")).expect("outside");
        fs::write(self.outside().join("file"), "outside").expect("outside");
    }

    fn run(&mut self, strategy: &str) -> (PathBuf, PrepareAnswer) {
        self.run_under(strategy, 0o022)
    }

    /// Makes all packages ready; the directory that has them, and what was answered.
    fn run_under(&mut self, strategy: &str, umask: u32) -> (PathBuf, PrepareAnswer) {
        self.runs += 1;
        let project = self.dir.path().join(format!("project-{}", self.runs));
        let vendor_dir = project.join("vendor");
        let request = PrepareRequest {
            staging: vendor_dir.join("composer/.allegro-staging"),
            is_quiet: false,
            vendor_dir,
            umask,
            timezone: None,
            settings: Overrides {
                store: Some(self.store()),
                link_strategy: Some(strategy.to_owned()),
                workers: None,
            },
            http: HttpOptions::default(),
            packages: self.packages.clone(),
        };
        let answer = in_time(move || {
            prepare(&request, &Environment::PROCESS, &mut Silent).expect("an answer")
        });
        (project, answer)
    }

    /// Compares what is said to be ready with what it should be; whether all packages are.
    #[track_caller]
    fn check(&self, what: &str, answer: &PrepareAnswer) -> bool {
        let mut is_complete = true;
        for PackageAnswer { id, outcome } in &answer.packages {
            match outcome {
                PackageOutcome::Ready { stage, .. } => {
                    let found = tree(stage);
                    let expected = &self.expected[*id];
                    for (path, node) in expected {
                        assert_eq!(found.get(path), Some(node), "{what}: {}", path.display());
                    }
                    assert_eq!(found.len(), expected.len(), "{what}");
                }
                // Composer does it.
                PackageOutcome::Declined { .. } | PackageOutcome::Missing => is_complete = false,
                PackageOutcome::Failed { .. } => panic!("{what}: {outcome:?}"),
            }
        }
        is_complete
    }
}

/// Does something that may take no longer than [`HANGS`].
#[track_caller]
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (send, receive) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let _ = send.send(work());
    });
    match receive.recv_timeout(HANGS) {
        Ok(done) => done,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(thread.join().expect_err("it panicked"))
        }
    }
}

/// Puts something odd in the place of a path.
fn odd(random: &mut Rng, path: &Path, outside: &Path) -> String {
    match fs::symlink_metadata(path) {
        Ok(facts) if facts.is_dir() => fs::remove_dir_all(path).expect("removed"),
        Ok(_) => fs::remove_file(path).expect("removed"),
        Err(_) => {}
    }
    match random.below(6) {
        0 => {
            fs::create_dir_all(path.join("inside")).expect("a directory");
            "a directory"
        }
        1 => {
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.expect("mkfifo").success());
            "a pipe"
        }
        2 => {
            symlink("/no/such/place", path).expect("a link");
            "a link to nothing"
        }
        3 => {
            symlink(outside.join("file"), path).expect("a link");
            "a link to a file"
        }
        4 => {
            fs::write(path, "").expect("an empty file");
            "an empty file"
        }
        _ => {
            fs::write(path, [7; 300]).expect("a file");
            "garbage"
        }
    }
    .to_owned()
}

fn flip(path: &Path, random: &mut Rng) {
    let mut bytes = fs::read(path).expect("a file");
    if bytes.is_empty() {
        bytes.push(b'x');
    } else {
        let at = random.below(bytes.len());
        bytes[at] ^= 1 << random.below(8);
    }
    fs::write(path, bytes).expect("changed");
}

fn open(path: &Path) -> File {
    File::options().write(true).open(path).expect("a file")
}

fn swap(one: &Path, other: &Path) {
    let between = one.with_extension("between");
    fs::rename(one, &between).expect("moved");
    fs::rename(other, one).expect("moved");
    fs::rename(&between, other).expect("moved");
}

/// Damages a blob so that the cheap check can see it; `None` where the case doesn't suit it.
fn damage_blob(
    world: &World,
    random: &mut Rng,
    blob: &Path,
    other: Option<&Path>,
) -> Option<String> {
    let size = fs::metadata(blob).expect("a blob").len();
    Some(match random.below(9) {
        0 if size > 0 => {
            let length = size * random.below(100) as u64 / 100;
            open(blob).set_len(length).expect("cut");
            format!("cut to {length} bytes")
        }
        1 => {
            flip(blob, random);
            "another byte".to_owned()
        }
        2 => {
            let mode = *random.pick(&[0o640, 0o400, 0o777, 0o500, 0o444, 0o666]);
            fs::set_permissions(blob, Permissions::from_mode(mode)).expect("chmod");
            format!("mode {mode:o}")
        }
        3 => {
            std::os::unix::fs::chown(blob, Some(1_234), Some(1_234)).ok()?;
            "given away".to_owned()
        }
        4 => {
            open(blob).set_modified(SystemTime::now()).expect("a time");
            "touched".to_owned()
        }
        5 => {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_001);
            open(blob).set_modified(time).expect("a time");
            "touched".to_owned()
        }
        6 => {
            fs::remove_file(blob).expect("removed");
            "removed".to_owned()
        }
        7 => odd(random, blob, &world.outside()),
        8 if fs::metadata(other?).expect("a blob").len() != size => {
            swap(blob, other?);
            "swapped".to_owned()
        }
        _ => return None,
    })
}

fn damage_record(world: &World, random: &mut Rng, path: &Path, other: Option<&Path>) -> String {
    match random.below(5) {
        0 => {
            let bytes = fs::read(path).expect("a record");
            let length = bytes.len() * random.below(100) / 100;
            fs::write(path, &bytes[..length]).expect("torn");
            format!("torn at {length} of {}", bytes.len())
        }
        1 => {
            flip(path, random);
            "another byte".to_owned()
        }
        2 if other.is_some() => {
            swap(path, other.unwrap_or(path));
            "swapped".to_owned()
        }
        3 => odd(random, path, &world.outside()),
        _ => {
            fs::remove_file(path).expect("removed");
            "removed".to_owned()
        }
    }
}

/// Damages the store in some places: what was done, and the paths that `verify` has to name.
fn damage(world: &World, random: &mut Rng) -> (Vec<String>, Vec<PathBuf>) {
    let bucket = |name: &str| files(&world.store().join(name));
    let mut blobs = bucket("blobs-v2");
    blobs.extend(bucket("contents-v2"));
    let manifests = bucket("manifests-v2");
    let roots = bucket("roots-v3");
    let (mut said, mut named, mut touched) = (Vec::new(), Vec::new(), BTreeSet::new());
    for _ in 0..random.range(1, 8) {
        let of_blobs = random.percent(65);
        let list = if of_blobs {
            &blobs
        } else if random.percent(80) {
            &manifests
        } else {
            &roots
        };
        let path = random.pick(list).clone();
        let other = random.pick(list).clone();
        let other = (other != path && !touched.contains(&other)).then_some(other);
        if !touched.insert(path.clone()) {
            continue;
        }
        let what = if of_blobs {
            damage_blob(world, random, &path, other.as_deref())
        } else {
            Some(damage_record(world, random, &path, other.as_deref()))
        };
        let Some(what) = what else { continue };
        said.push(format!("{}: {what}", path.display()));
        if what == "swapped" {
            let other = other.expect("another one");
            touched.insert(other.clone());
            named.push(other);
        }
        if what != "removed" {
            named.push(path);
        }
    }
    if random.percent(15) {
        let names = [
            "layout",
            "lock",
            "reflink",
            "tmp",
            "quarantine",
            "roots-v3",
            "told-v1",
        ];
        let path = world.store().join(*random.pick(&names));
        let what = odd(random, &path, &world.outside());
        said.push(format!("{}: {what}", path.display()));
        named.retain(|named| !named.starts_with(&path));
    }
    if random.percent(10) {
        let shard = random.pick(&blobs).parent().expect("a shard").to_owned();
        let what = odd(random, &shard, &world.outside());
        said.push(format!("{}: {what}", shard.display()));
        named.retain(|named| !named.starts_with(&shard));
    }
    if random.percent(5) {
        let bucket = world
            .store()
            .join(*random.pick(&["blobs-v2", "contents-v2", "manifests-v2"]));
        fs::remove_dir_all(&bucket).expect("removed");
        said.push(format!("{}: removed", bucket.display()));
        named.retain(|named| !named.starts_with(&bucket));
    }
    (said, named)
}

/// Paths in what the full check found.
fn verify(store: PathBuf) -> (bool, String) {
    in_time(move || {
        let findings = Store::open(&store).expect("a store").verify();
        (findings.is_sound(), format!("{findings:?}"))
    })
}

#[test]
fn random_damages() {
    let mut world = World::new();
    let first = number("ALLEGRO_TEST_SEED").unwrap_or(FIRST_SEED);
    let rounds = number("ALLEGRO_TEST_DAMAGE_ROUNDS").unwrap_or(ROUNDS);
    let mut failed = Vec::new();
    for seed in first..first + rounds {
        let strategy = ["hardlink", "auto", "copy"][(seed % 3) as usize];
        if let Err(what) = play(&mut world, seed, strategy) {
            failed.push(what);
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {rounds} rounds failed\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// One round; what was wrong, if something was.
fn play(world: &mut World, seed: u64, strategy: &str) -> Result<(), String> {
    let mut random = Rng::new(seed);
    world.reset();
    let mut projects = Vec::new();
    if random.percent(60) {
        // Files of another project that are linked to the store are damaged with it, and must stay as they are then.
        let (project, answer) = world.run(strategy);
        assert!(world.check("a sound store", &answer));
        projects.push(project);
    }
    let (damages, named) = damage(world, &mut random);
    let head = format!(
        "ALLEGRO_TEST_SEED={seed} ALLEGRO_TEST_DAMAGE_ROUNDS=1, {strategy}\n  {}",
        damages.join("\n  ")
    );
    let before: Vec<Tree> = projects.iter().map(|project| tree(project)).collect();
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        if random.percent(50) {
            let (is_sound, found) = verify(world.store());
            let missed: Vec<&PathBuf> = named
                .iter()
                .filter(|path| !found.contains(&path.display().to_string()))
                .collect();
            assert!(
                missed.is_empty(),
                "`verify` doesn't name {missed:?}: {found}"
            );
            assert!(named.is_empty() || !is_sound, "{found}");
        }
        let (mut all, mut method) = (true, None);
        for run in ["first", "second"] {
            let (project, answer) = world.run(strategy);
            all = world.check(run, &answer);
            method = answer.method;
            fs::remove_dir_all(project).expect("removed");
        }
        assert!(all, "some packages are left to Composer by the second run");
        let expected = [Method::Hardlink, Method::Copy][usize::from(strategy == "copy")];
        assert_eq!(method, Some(expected), "the store can be written again");
        let (_, found) = verify(world.store());
        // Blobs of the other umask were not needed.
        let healed = found.split('"').filter(|path| path.contains("/blobs-v2/"));
        let left: Vec<&str> = healed
            .filter(|path| ["-644-", "-755-"].iter().any(|mode| path.contains(mode)))
            .collect();
        assert!(left.is_empty(), "after two runs: {left:?}: {found}");
        let (is_sound, again) = verify(world.store());
        // Odd things that nobody meets are moved aside by `verify` alone.
        assert!(is_sound, "a second `verify`: {again}");
        let outside = fs::read_to_string(world.outside().join("file")).expect("outside");
        assert_eq!(outside, "outside");
    }));
    let after: Vec<Tree> = projects.iter().map(|project| tree(project)).collect();
    for project in projects {
        fs::remove_dir_all(project).expect("removed");
    }
    if let Err(panic) = played {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default();
        return Err(format!("{head}\n  -> {text}"));
    }
    if before != after {
        return Err(format!("{head}\n  -> another project's files have changed"));
    }
    Ok(())
}
