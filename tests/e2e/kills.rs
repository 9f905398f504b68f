//! Kills commands of the native command line at random moments. A killed command leaves whole
//! packages or none and a sound store, and its next run completes the work.
//!
//! `ALLEGRO_TEST_SEED` sets the seed, and `ALLEGRO_TEST_KILLS` the number of kills of each command.

use std::collections::HashSet;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use allegro_registry::{Catalog, OlderOptions, Profile, Project};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::crash::leftovers;
use crate::support::{Call, Scene, SceneOptions, Side, Snapshot, copy_tree, diff, same_tree};

/// The number of kills of each command in a plain test run.
const KILLS: u32 = 3;

/// The number of attempts for each wanted kill. A command may end before the signal comes.
const ATTEMPTS: u32 = 4;

/// The project and its commands, which something disturbs.
pub struct Stage {
    pub scene: Scene,
    older: Project,
    /// The projects that commands should leave.
    trees: Trees,
    export: PathBuf,
}

/// Trees of a project that no disturbance has changed.
struct Trees {
    older: Snapshot,
    newer: Snapshot,
    updated: Snapshot,
}

/// A command that is disturbed, in its situation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// The first install on a machine, with empty caches.
    First,
    /// An install whose archives must be downloaded.
    Download,
    /// An install whose archives are in Composer's cache.
    Ingest,
    /// An install from the store.
    Link,
    /// An install of another lock over an installed one.
    Change,
    /// An update with the install that follows.
    Update,
    /// A download of a lock's packages into the store.
    Fetch,
    /// A fetch with all archives in Composer's cache.
    FetchFromCache,
    /// An import of packages into an empty store.
    Import,
    /// A pruning of packages that no project has.
    Prune,
    /// A repair of a damaged vendor directory.
    Mend,
}

impl Work {
    pub const ALL: [Self; 11] = [
        Self::First,
        Self::Download,
        Self::Ingest,
        Self::Link,
        Self::Change,
        Self::Update,
        Self::Fetch,
        Self::FetchFromCache,
        Self::Import,
        Self::Prune,
        Self::Mend,
    ];

    /// Returns the words of the command.
    fn words(self, stage: &Stage) -> Vec<&str> {
        match self {
            Self::First | Self::Download | Self::Ingest | Self::Link | Self::Change => {
                vec!["install"]
            }
            Self::Update => vec!["update"],
            Self::Fetch | Self::FetchFromCache => vec!["fetch"],
            Self::Import => vec!["store", "import", stage.export.to_str().expect("a text")],
            Self::Prune => vec!["store", "prune"],
            Self::Mend => vec!["verify", "--content", "--fix", "--clean"],
        }
    }

    /// Makes the situation in which the command starts.
    fn prepare(self, stage: &Stage) {
        let scene = &stage.scene;
        match self {
            Self::First => {
                scene.forget_all();
                scene.write_project();
            }
            Self::Download | Self::Fetch => {
                forget_packages(scene);
                scene.forget_cache(Side::Native);
                scene.write_project();
            }
            Self::Ingest | Self::FetchFromCache | Self::Import => {
                forget_packages(scene);
                scene.write_project();
            }
            Self::Link => scene.write_project(),
            Self::Change | Self::Update => {
                scene.write_state(&stage.older);
                let _ = scene.run(Side::Native, &["install"]).expect(0);
                if self == Self::Change {
                    scene.overwrite_state(scene.server.catalog().project(), &scene.project());
                }
            }
            Self::Prune => {
                // The older packages are in the store, and the project has the newer ones.
                scene.write_state(&stage.older);
                let _ = scene.run(Side::Native, &["fetch"]).expect(0);
                scene.overwrite_state(scene.server.catalog().project(), &scene.project());
                let _ = scene.run(Side::Native, &["install"]).expect(0);
            }
            Self::Mend => {
                scene.write_project();
                let _ = scene.run(Side::Native, &["install"]).expect(0);
                damage(&scene.project().join("vendor"));
            }
        }
    }

    /// Returns whether the command changes vendor.
    fn installs(self) -> bool {
        !matches!(
            self,
            Self::Fetch | Self::FetchFromCache | Self::Import | Self::Prune
        )
    }

    /// Returns the tree that the command makes.
    fn tree(self, stage: &Stage) -> &Snapshot {
        match self {
            Self::Update => &stage.trees.updated,
            _ => &stage.trees.newer,
        }
    }
}

/// Empties the store, but keeps what it knows about PHP and Composer.
fn forget_packages(scene: &Scene) {
    for entry in fs::read_dir(scene.store()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.contains("-v") || name.starts_with("machine-v") {
            continue;
        }
        for path in files_below(entry.path()) {
            fs::remove_file(&path).expect("removed");
        }
    }
}

/// Returns the files below a directory.
fn files_below(directory: PathBuf) -> Vec<PathBuf> {
    let (mut files, mut open) = (Vec::new(), vec![directory]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let is_directory = entry.file_type().expect("a kind").is_dir();
            let list = if is_directory { &mut open } else { &mut files };
            list.push(entry.path());
        }
    }
    files
}

/// Returns the directories of packages below vendor: `vendor/<owner>/<name>`.
fn packages(tree: &Snapshot) -> Vec<String> {
    let is_package = |path: &&String| {
        let mut parts = path.split('/');
        parts.next() == Some("vendor")
            && parts
                .next()
                .is_some_and(|owner| !matches!(owner, "composer" | "bin"))
            && parts.next().is_some()
            && parts.next().is_none()
    };
    tree.nodes.keys().filter(is_package).cloned().collect()
}

/// Damages packages in several ways, without touching inodes of the store.
fn damage(vendor: &Path) {
    let mut packages: Vec<PathBuf> = packages(&Snapshot::of(vendor.parent().expect("a project")))
        .into_iter()
        .map(|path| vendor.parent().expect("a project").join(path))
        .collect();
    packages.sort();
    assert!(packages.len() > 4, "{packages:?}");
    fs::remove_dir_all(&packages[0]).expect("removed");
    fs::set_permissions(&packages[1], Permissions::from_mode(0o700)).expect("chmod");
    fs::write(packages[2].join("added-by-test"), "added").expect("written");
    let manifest = packages[3].join("composer.json");
    fs::remove_file(&manifest).expect("removed");
    fs::write(&manifest, "{\"name\": \"changed/by-test\"}\n").expect("written");
    fs::remove_file(vendor.join("composer/installed.php")).expect("removed");
}

impl Stage {
    /// Makes the stage below a directory. Nothing is installed then, and the store is full.
    pub fn new(base: Option<PathBuf>) -> Option<Self> {
        let mut catalog = Catalog::generated(&Profile::Small.spec());
        let older = catalog.add_older(&OlderOptions {
            seed: 3,
            changed: 60,
            absent: 10,
            extra: 20,
        });
        let options = SceneOptions {
            base,
            ..SceneOptions::default()
        };
        let scene = Scene::with(catalog, options)?;
        scene.unwatched("many runs are killed, and the checks compare all files of each package");
        let newer = scene.fresh(Side::Serial, &["install"]);
        let ours = scene.fresh(Side::Native, &["install", "-v"]);
        same_tree("newer", &newer, &ours);
        let said = &ours.run.stderr;
        assert!(!said.contains("Allegro: Composer "), "{said}");
        let export = scene.dir().join("export");
        let words = ["store", "export", export.to_str().expect("a text")];
        let _ = scene.run(Side::Native, &words).expect(0);
        scene.write_state(&older);
        let older_outcome = scene.outcome(&scene.call(Side::Serial, &["install"]));
        let updated = scene.outcome(&scene.call(Side::Serial, &["update"]));
        scene.write_state(&older);
        let _ = scene.run(Side::Native, &["install"]).expect(0);
        let ours = scene.outcome(&scene.call(Side::Native, &["update", "-v"]));
        same_tree("updated", &updated, &ours);
        let trees = Trees {
            older: older_outcome.tree,
            newer: newer.tree,
            updated: updated.tree,
        };
        Some(Self {
            scene,
            older,
            trees,
            export,
        })
    }

    pub fn call(&self, work: Work) -> Call<'_> {
        self.scene.call(Side::Native, &work.words(self))
    }

    /// Returns the call, which also says whether Composer takes over.
    pub fn loud_call(&self, work: Work) -> Call<'_> {
        let mut words = work.words(self);
        words.extend((work.installs() && work != Work::Mend).then_some("-v"));
        self.scene.call(Side::Native, &words)
    }

    /// Makes the situation of a command.
    pub fn prepare(&self, work: Work) {
        work.prepare(self);
    }

    /// Returns how long a command takes that nothing disturbs.
    fn time(&self, work: Work) -> Duration {
        let times = (0..3).map(|_| {
            self.prepare(work);
            self.call(work).run().expect(0).took
        });
        times.min().expect("some runs")
    }

    /// Checks what a disturbed command has left, runs it again, and checks its result.
    #[track_caller]
    pub fn check(&self, what: &str, work: Work) {
        let scene = &self.scene;
        self.packages_are_whole(what, work);
        self.store_is_sound(what);
        let half = scene.dir().join("half");
        let _ = fs::remove_dir_all(&half);
        copy_tree(&scene.project(), &half);
        let run = self.call(work).run();
        assert_eq!(run.exit, 0, "{what}: {}{}", run.stdout, run.stderr);
        if !work.installs() {
            self.installs_from_the_store(what, work);
        }
        let wanted = work.tree(self);
        let found = scene.snapshot();
        if !diff(wanted, &found).is_empty() {
            // Some generated lists follow the order of the operations, so Composer in the same
            // situation gives the expected result.
            fs::remove_dir_all(scene.project()).expect("removed");
            copy_tree(&half, &scene.project());
            for name in leftovers(&scene.project()) {
                fs::remove_dir_all(scene.project().join("vendor/composer").join(name))
                    .expect("removed");
            }
            let words = work.words(self);
            let plain = if work.installs() && work != Work::Mend {
                scene.outcome(&scene.call(Side::Serial, &words)).tree
            } else {
                wanted.clone()
            };
            assert_eq!(diff(&plain, &found), "", "{what}: {}", run.stderr);
            scene.write_project();
            let _ = scene.run(Side::Native, &["install"]).expect(0);
        }
        assert_eq!(leftovers(&scene.project()), Vec::<String>::new(), "{what}");
        self.pruned_store_is_tidy(what);
    }

    /// Each package below vendor is whole, or absent.
    #[track_caller]
    fn packages_are_whole(&self, what: &str, work: Work) {
        if work == Work::Mend {
            return;
        }
        let found = self.scene.snapshot();
        let trees = [&self.trees.older, &self.trees.newer, &self.trees.updated];
        for package in packages(&found) {
            let ours = found.below(&package);
            let is_whole = trees
                .iter()
                .any(|tree| diff(&tree.below(&package), &ours).is_empty());
            assert!(
                is_whole,
                "{what}: {package}\n{}",
                diff(&trees[1].below(&package), &ours)
            );
        }
    }

    #[track_caller]
    fn store_is_sound(&self, what: &str) {
        let run = self.scene.run(Side::Native, &["store", "verify", "--json"]);
        assert_eq!(run.exit, 0, "{what}: {}{}", run.stdout, run.stderr);
    }

    /// The store alone serves an install, without a network and without Composer's cache.
    #[track_caller]
    fn installs_from_the_store(&self, what: &str, work: Work) {
        let scene = &self.scene;
        if work == Work::Prune {
            let changed = diff(&self.trees.newer, &scene.snapshot());
            assert_eq!(changed, "", "{what}: a project in use");
        }
        let _ = fs::remove_dir_all(scene.project().join("vendor"));
        let run = scene
            .call(Side::Native, &["install", "--offline"])
            .env("COMPOSER_CACHE_DIR", scene.dir().join("no-cache"))
            .run();
        assert_eq!(run.exit, 0, "{what}: {}", run.stderr);
    }

    /// After a pruning, nothing is left that a pruning removes.
    #[track_caller]
    fn pruned_store_is_tidy(&self, what: &str) {
        let prune = |more: &[&str]| -> Value {
            let words = [&["store", "prune", "--json"], more].concat();
            let run = self.scene.run(Side::Native, &words).expect(0);
            serde_json::from_str(&run.stdout).expect("JSON")
        };
        let first = prune(&[]);
        assert_eq!(first["failures"], serde_json::json!([]), "{what}");
        let second = prune(&["--dry-run"]);
        for key in ["manifests", "blobs", "leftovers", "bytes"] {
            assert_eq!(second[key], 0, "{what}: {key} of {second}");
        }
        let in_tmp = fs::read_dir(self.scene.store().join("tmp"))
            .expect("tmp")
            .count();
        assert_eq!(in_tmp, 0, "{what}");
        let status = self.scene.run(Side::Native, &["store", "status", "--json"]);
        let status: Value = serde_json::from_str(&status.stdout).expect("JSON");
        assert_eq!(status["quarantined"], 0, "{what}");
    }

    /// Returns what tells states apart that kills have left.
    fn state(&self) -> (usize, usize, usize) {
        let count = |path: PathBuf| files_below(path).len();
        let below = |kind: &str| {
            let bucket = self.scene.bucket(kind);
            bucket.map_or(0, count)
        };
        let vendor = count(self.scene.project().join("vendor"));
        (
            vendor,
            below("blobs") + below("contents"),
            below("manifests"),
        )
    }
}

pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.trim().parse().ok()
}

pub fn seed() -> u64 {
    number("ALLEGRO_TEST_SEED").unwrap_or(7000)
}

/// Kills commands, one after the other.
fn kill_all(works: &[Work]) {
    let Some(stage) = Stage::new(None) else {
        return;
    };
    for work in works {
        kill(&stage, *work);
    }
}

/// Kills a command until it has died as often as wanted.
fn kill(stage: &Stage, work: Work) {
    let wanted = number("ALLEGRO_TEST_KILLS")
        .map_or(KILLS, |kills| u32::try_from(kills).expect("a small number"));
    let mut random = fastrand::Rng::with_seed(seed());
    let took = stage.time(work);
    let mut span = u64::try_from(took.as_micros()).expect("a short run");
    let (mut kills, mut states) = (0, HashSet::new());
    for attempt in 0..wanted * ATTEMPTS {
        if kills == wanted {
            break;
        }
        let pause = Duration::from_micros(random.u64(..span));
        let what = format!("{work:?}, attempt {attempt}, after {pause:?} of {took:?}");
        stage.prepare(work);
        if killed(&stage.call(work), pause, &stage.scene.dir().join("said")) {
            kills += 1;
            states.insert(stage.state());
        } else {
            // The command takes less time than before.
            span = span
                .midpoint(u64::try_from(pause.as_micros()).expect("a pause"))
                .max(1);
        }
        stage.check(&what, work);
    }
    println!(
        "kills: {work:?} (seed {}): {kills} kills in {took:?}, {} different states",
        seed(),
        states.len()
    );
    assert_eq!(kills, wanted, "{work:?}: commands ended before the kill");
}

/// Starts a command, kills it with its children after a pause, and returns whether it was killed.
pub fn killed(call: &Call<'_>, pause: Duration, log: &Path) -> bool {
    let mut child = call
        .command()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(log).expect("a file"))
        .process_group(0)
        .spawn()
        .expect("it starts");
    let until = Instant::now() + pause;
    std::thread::sleep(pause.saturating_sub(Duration::from_micros(200)));
    while Instant::now() < until {}
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    child.wait().expect("waited").signal() == Some(9)
}

#[test]
fn installs() {
    kill_all(&[Work::Link, Work::Ingest, Work::Download]);
}

#[test]
fn first_installs() {
    kill_all(&[Work::First]);
}

#[test]
fn installs_over_others() {
    kill_all(&[Work::Change, Work::Update, Work::Mend]);
}

#[test]
fn care_of_the_store() {
    kill_all(&[Work::Fetch, Work::FetchFromCache, Work::Import, Work::Prune]);
}
